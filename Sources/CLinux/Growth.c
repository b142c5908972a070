#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

// Of ext4 (fs/ext4/ext4.h) and XFS (fs/xfs/libxfs/xfs_fs.h); neither is in a header of the system.
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)
struct xfs_geometry {
    uint32_t blocksize, rtextsize, agblocks, agcount, logblocks, sectsize, inodesize, imaxpct;
    uint64_t datablocks, rtblocks, rtextents, logstart;
    uint8_t uuid[16];
    uint32_t sunit, swidth;
    int32_t version;
    uint32_t flags, logsectsize, rtsectsize, dirblocksize;
};
#define XFS_IOC_FSGEOMETRY_V1 _IOR('X', 100, struct xfs_geometry)
struct xfs_growth {
    uint64_t newblocks;
    uint32_t imaxpct;
};
#define XFS_IOC_FSGROWFSDATA _IOW('X', 110, struct xfs_growth)

static int grow_ext4(int folder, uint64_t bytes, uint64_t block) {
    uint64_t blocks = bytes / block;
    return ioctl(folder, EXT4_IOC_RESIZE_FS, &blocks);
}

static int grow_xfs(int folder, uint64_t bytes) {
    struct xfs_geometry geometry;
    if (ioctl(folder, XFS_IOC_FSGEOMETRY_V1, &geometry) != 0) return -1;
    struct xfs_growth growth = {.newblocks = bytes / geometry.blocksize, .imaxpct = geometry.imaxpct};
    if (growth.newblocks <= geometry.datablocks) return 0;
    return ioctl(folder, XFS_IOC_FSGROWFSDATA, &growth);
}

static int grow_btrfs(int folder) {
    struct btrfs_ioctl_fs_info_args facts;
    memset(&facts, 0, sizeof facts);
    if (ioctl(folder, BTRFS_IOC_FS_INFO, &facts) != 0) return -1;
    if (facts.num_devices != 1) {
        errno = EINVAL;
        return -1;
    }
    struct btrfs_ioctl_vol_args size;
    memset(&size, 0, sizeof size);
    snprintf(size.name, sizeof size.name, "%llu:max", (unsigned long long)facts.max_id);
    return ioctl(folder, BTRFS_IOC_RESIZE, &size);
}

int clinux_grow(int folder, uint64_t bytes) {
    struct statfs facts;
    if (fstatfs(folder, &facts) != 0) return -1;
    switch ((uint32_t)facts.f_type) {
    case EXT4_SUPER_MAGIC: return grow_ext4(folder, bytes, (uint64_t)facts.f_bsize);
    case XFS_SUPER_MAGIC: return grow_xfs(folder, bytes);
    case BTRFS_SUPER_MAGIC: return grow_btrfs(folder);
    default: errno = ENOTTY; return -1;
    }
}
