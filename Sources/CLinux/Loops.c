#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// What `losetup` shows is the path of what it stands on; this is asked for by number alone.
static const char own_name[] = "holdfast";

int clinux_ask_loop(int loop, struct clinux_loop_backing *result) {
    struct loop_info64 info;
    memset(result, 0, sizeof *result);
    if (ioctl(loop, LOOP_GET_STATUS64, &info) != 0) return -1;
    // As the kernel packs it for user space (new_encode_dev).
    result->dev_major = (uint32_t)((info.lo_device >> 8) & 0xfff);
    result->dev_minor = (uint32_t)((info.lo_device & 0xff) | ((info.lo_device >> 12) & 0xfff00));
    result->inode = info.lo_inode;
    result->rdev_major = (uint32_t)((info.lo_rdevice >> 8) & 0xfff);
    result->rdev_minor = (uint32_t)((info.lo_rdevice & 0xff) | ((info.lo_rdevice >> 12) & 0xfff00));
    result->is_own = memcmp(info.lo_file_name, own_name, sizeof own_name) == 0;
    return 0;
}

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
        memcpy(config.info.lo_file_name, own_name, sizeof own_name);
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
