#include "CQRCode.h"

#include <dlfcn.h>
#include <stdio.h>

static struct cqrcode_functions functions;

const struct cqrcode_functions *cqrcode_load(char *problem, size_t size) {
    void *library = dlopen("libqrencode.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        snprintf(problem, size, "%s", reason ? reason : "the loader gave no reason");
        return NULL;
    }
#define CQRCODE_FIND(name) \
    functions.name = (__typeof__(name) *)dlsym(library, #name); \
    if (!functions.name) { \
        snprintf(problem, size, "libqrencode.so.4 has no %s", #name); \
        return NULL; \
    }
    CQRCODE_FUNCTIONS(CQRCODE_FIND)
    return &functions;
}
