#define _GNU_SOURCE 1
#include "CLinux.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
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

int clinux_allocate(int descriptor, uint64_t length) { return fallocate(descriptor, 0, 0, (off_t)length); }

int clinux_extents(int descriptor, uint64_t start, struct clinux_extent *result, uint32_t capacity) {
    union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + 64 * sizeof(struct fiemap_extent)];
    } request;
    memset(&request, 0, sizeof request);
    request.map.fm_start = start;
    request.map.fm_length = FIEMAP_MAX_OFFSET - start;
    request.map.fm_flags = FIEMAP_FLAG_SYNC;
    request.map.fm_extent_count = capacity < 64 ? capacity : 64;
    if (ioctl(descriptor, FS_IOC_FIEMAP, &request.map) != 0) return -1;
    struct fiemap_extent *extents = request.map.fm_extents;
    for (uint32_t index = 0; index < request.map.fm_mapped_extents; index++) {
        uint32_t flags = extents[index].fe_flags;
        result[index] = (struct clinux_extent){
            .logical = extents[index].fe_logical,
            .physical = extents[index].fe_physical,
            .length = extents[index].fe_length,
            .is_last = (flags & FIEMAP_EXTENT_LAST) != 0,
            .is_shared = (flags & FIEMAP_EXTENT_SHARED) != 0,
            .is_elsewhere = (flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_NOT_ALIGNED)) != 0,
        };
    }
    return (int)request.map.fm_mapped_extents;
}

// EXT4_IOC_CHECKPOINT with EXT4_IOC_CHECKPOINT_FLAG_ZEROOUT (Linux 5.14; fs/ext4/ext4.h, in no header of the system).
int clinux_clear_journal(int descriptor) {
    uint32_t flags = 2;
    return ioctl(descriptor, _IOW('f', 43, uint32_t), &flags);
}
