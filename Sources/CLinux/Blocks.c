#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fsmap.h>
#include <stdint.h>
#include <stdlib.h>
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

int clinux_block_zero(int descriptor, uint64_t offset, uint64_t length) {
    uint64_t range[2] = {offset, length};
    return ioctl(descriptor, BLKZEROOUT, range);
}

int clinux_block_forget(int descriptor) { return ioctl(descriptor, BLKFLSBUF); }

int clinux_block_reread(int descriptor) { return ioctl(descriptor, BLKRRPART); }

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

int clinux_file_place(int descriptor, uint64_t offset, uint64_t *place) {
    int unit = 0;
    if (ioctl(descriptor, FIGETBSZ, &unit) != 0) return -1;
    if (unit <= 0 || offset / (uint64_t)unit > INT32_MAX) {
        errno = EFBIG;
        return -1;
    }
    int block = (int)(offset / (uint64_t)unit);
    if (ioctl(descriptor, FIBMAP, &block) != 0) return -1;
    *place = (uint64_t)(uint32_t)block * (uint64_t)unit;
    return 0;
}

// EXT4_IOC_CHECKPOINT with EXT4_IOC_CHECKPOINT_FLAG_ZEROOUT (Linux 5.14; fs/ext4/ext4.h, in no header of the system).
int clinux_clear_journal(int descriptor) {
    uint32_t flags = 2;
    return ioctl(descriptor, _IOW('f', 43, uint32_t), &flags);
}

int clinux_device_parts(int descriptor, uint64_t cursor[6], struct clinux_device_part *result, uint32_t capacity) {
    struct fsmap_head *head = calloc(1, fsmap_sizeof(capacity));
    if (!head) return -1;
    head->fmh_count = capacity;
    struct fsmap *low = &head->fmh_keys[0], *high = &head->fmh_keys[1];
    low->fmr_device = (uint32_t)cursor[0];
    low->fmr_flags = (uint32_t)cursor[1];
    low->fmr_physical = cursor[2];
    low->fmr_owner = cursor[3];
    low->fmr_offset = cursor[4];
    low->fmr_length = cursor[5];
    // Its length and what is reserved stay zero: XFS takes nothing else.
    high->fmr_device = UINT32_MAX;
    high->fmr_flags = UINT32_MAX;
    high->fmr_physical = high->fmr_owner = high->fmr_offset = UINT64_MAX;
    int count = -1;
    if (ioctl(descriptor, FS_IOC_GETFSMAP, head) == 0) {
        count = (int)head->fmh_entries;
        for (int index = 0; index < count; index++) {
            const struct fsmap *part = &head->fmh_recs[index];
            result[index] = (struct clinux_device_part){
                .start = part->fmr_physical,
                .length = part->fmr_length,
                .device = part->fmr_device,
                .is_free = (part->fmr_flags & FMR_OF_SPECIAL_OWNER) && part->fmr_owner == FMR_OWN_FREE,
                .is_last = (part->fmr_flags & FMR_OF_LAST) != 0,
            };
        }
        if (count > 0) {
            const struct fsmap *last = &head->fmh_recs[count - 1];
            uint64_t next[6] = {last->fmr_device, last->fmr_flags, last->fmr_physical, last->fmr_owner, last->fmr_offset, last->fmr_length};
            memcpy(cursor, next, sizeof next);
        }
    }
    free(head);
    return count;
}

int clinux_btrfs_search(int folder, uint64_t tree, const uint64_t from[3], const uint64_t to[3], void *result, size_t size) {
    struct btrfs_ioctl_search_args_v2 *request = calloc(1, sizeof *request + size);
    if (!request) return -1;
    request->key = (struct btrfs_ioctl_search_key){
        .tree_id = tree,
        .min_objectid = from[0], .max_objectid = to[0],
        .min_type = (uint32_t)from[1], .max_type = (uint32_t)to[1],
        .min_offset = from[2], .max_offset = to[2],
        .max_transid = UINT64_MAX,
        .nr_items = UINT32_MAX,
    };
    request->buf_size = size;
    int count = -1;
    if (ioctl(folder, BTRFS_IOC_TREE_SEARCH_V2, request) == 0) {
        count = (int)request->key.nr_items;
        memcpy(result, request->buf, size);
    }
    free(request);
    return count;
}
