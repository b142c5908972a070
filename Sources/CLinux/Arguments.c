// The arguments of the process, as glibc hands them to constructors. Swift's own reading of them wants /proc, which a rescue system's
// chroot may not have.
#include "CLinux.h"

static int count;
static char **values;

__attribute__((constructor)) static void keep_arguments(int argc, char **argv) {
    count = argc;
    values = argv;
}

int clinux_argument_count(void) { return count; }

const char *clinux_argument(int index) { return index >= 0 && index < count ? values[index] : 0; }
