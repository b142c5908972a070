#include "CLinux.h"

#include <dlfcn.h>
#include <string.h>

int clinux_password_fits(const char *password, const char *hash) {
    // Only a recovery system asks; libxcrypt has had this name since 2018.
    void *library = dlopen("libcrypt.so.1", RTLD_NOW | RTLD_LOCAL);
    char *(*make)(const char *, const char *) = library ? (char *(*)(const char *, const char *))dlsym(library, "crypt") : NULL;
    if (!make) return -1;
    const char *made = make(password, hash);
    if (!made || made[0] == '*') return 0;
    return strcmp(made, hash) == 0;
}
