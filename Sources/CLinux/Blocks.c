#define _GNU_SOURCE 1
#include "CLinux.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

int clinux_block_facts(int descriptor, uint64_t *bytes, uint32_t *sector) {
    int logical = 0;
    if (ioctl(descriptor, BLKGETSIZE64, bytes) != 0 || ioctl(descriptor, BLKSSZGET, &logical) != 0) return -1;
    *sector = (uint32_t)logical;
    return 0;
}

int clinux_block_discard(int descriptor, uint64_t offset, uint64_t length) {
    uint64_t range[2] = {offset, length};
    return ioctl(descriptor, BLKDISCARD, range);
}
