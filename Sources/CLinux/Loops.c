#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int clinux_attach_loop(int backing, uint64_t offset, uint64_t size, uint32_t sector, int is_written, int *number) {
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) return -1;
    int loop = -1;
    // Whoever asks for a free one at the same moment gets the same one, and one of both is late.
    for (int attempts = 0; attempts < 64 && loop < 0; attempts++) {
        *number = ioctl(control, LOOP_CTL_GET_FREE);
        if (*number < 0) break;
        char name[32];
        snprintf(name, sizeof name, "/dev/loop%d", *number);
        int device = open(name, (is_written ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
        if (device < 0) {
            if (errno == ENOENT || errno == ENXIO) continue;
            break;
        }
        struct loop_config config = {.fd = (uint32_t)backing, .block_size = sector};
        config.info.lo_offset = offset;
        config.info.lo_sizelimit = size;
        config.info.lo_flags = (is_written ? 0 : LO_FLAGS_READ_ONLY) | LO_FLAGS_AUTOCLEAR;
        if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
            loop = device;
        } else {
            int error = errno;
            close(device);
            errno = error;
            if (error != EBUSY) break;
        }
    }
    int error = errno;
    close(control);
    errno = error;
    return loop;
}
