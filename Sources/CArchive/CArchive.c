#include "CArchive.h"

#include <dlfcn.h>
#include <stdio.h>

static struct carchive_functions functions;

const struct carchive_functions *carchive_load(char *problem, size_t size) {
    // The version of its interface that the headers describe; it has been this one since 2012.
    void *library = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        snprintf(problem, size, "%s", reason ? reason : "the loader gave no reason");
        return NULL;
    }
#define CARCHIVE_FIND(name) \
    functions.name = (__typeof__(name) *)dlsym(library, #name); \
    if (!functions.name) { \
        snprintf(problem, size, "libarchive.so.13 has no %s", #name); \
        return NULL; \
    }
    CARCHIVE_FUNCTIONS(CARCHIVE_FIND)
    return &functions;
}
