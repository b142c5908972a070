#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <syslog.h>
#include <unistd.h>

const int clinux_O_PATH = O_PATH;
const int clinux_O_NOATIME = O_NOATIME;
const int clinux_O_DIRECT = O_DIRECT;
const int clinux_O_TMPFILE = O_TMPFILE;
const int clinux_AT_EMPTY_PATH = AT_EMPTY_PATH;
const int clinux_SEEK_DATA = SEEK_DATA;
const int clinux_SEEK_HOLE = SEEK_HOLE;
const unsigned clinux_RENAME_NOREPLACE = RENAME_NOREPLACE;
const unsigned clinux_RENAME_EXCHANGE = RENAME_EXCHANGE;
const unsigned long clinux_TMPFS_MAGIC = TMPFS_MAGIC;
const unsigned long clinux_MSDOS_SUPER_MAGIC = MSDOS_SUPER_MAGIC;
const unsigned long clinux_BTRFS_SUPER_MAGIC = BTRFS_SUPER_MAGIC;
const uint32_t clinux_FS_IMMUTABLE_FL = FS_IMMUTABLE_FL;
const uint32_t clinux_FS_APPEND_FL = FS_APPEND_FL;
const uint32_t clinux_FS_NOCOW_FL = FS_NOCOW_FL;
const uint32_t clinux_FS_DAX_FL = FS_DAX_FL;

// Not among them: what the file system sets itself (extents, index, inline data), and casefolding,
// encryption and verity, which an ioctl of their own governs.
const uint32_t clinux_settable_flags = FS_SECRM_FL | FS_UNRM_FL | FS_COMPR_FL | FS_SYNC_FL | FS_IMMUTABLE_FL |
                                       FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_NOCOMP_FL |
                                       FS_JOURNAL_DATA_FL | FS_NOTAIL_FL | FS_DIRSYNC_FL | FS_TOPDIR_FL | FS_NOCOW_FL |
                                       FS_PROJINHERIT_FL | FS_DAX_FL;

int clinux_stat(int directory, const char *name, struct clinux_stat *result) {
    struct statx x;
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_AS_STAT;
    if (name[0] == 0) flags |= AT_EMPTY_PATH;
    if (statx(directory, name, flags, STATX_BASIC_STATS | STATX_MNT_ID, &x) != 0) return -1;
    result->mode = x.stx_mode;
    result->nlink = x.stx_nlink;
    result->uid = x.stx_uid;
    result->gid = x.stx_gid;
    result->ino = x.stx_ino;
    result->size = x.stx_size;
    result->blocks = x.stx_blocks;
    result->dev_major = x.stx_dev_major;
    result->dev_minor = x.stx_dev_minor;
    result->rdev_major = x.stx_rdev_major;
    result->rdev_minor = x.stx_rdev_minor;
    result->mtime_seconds = x.stx_mtime.tv_sec;
    result->mtime_nanoseconds = x.stx_mtime.tv_nsec;
    result->ctime_seconds = x.stx_ctime.tv_sec;
    result->ctime_nanoseconds = x.stx_ctime.tv_nsec;
    result->attributes = x.stx_attributes;
    result->mount_id = (x.stx_mask & STATX_MNT_ID) ? x.stx_mnt_id : 0;
    return 0;
}

int clinux_openat(int directory, const char *name, int flags, mode_t mode) {
    return openat(directory, name, flags, mode);
}

int clinux_open_without_links(const char *path, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

int clinux_openat_beneath(int directory, const char *path, int flags, mode_t mode) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

ssize_t clinux_getdents64(int descriptor, void *buffer, size_t count) {
    return syscall(SYS_getdents64, descriptor, buffer, count);
}

int clinux_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags) {
    return renameat2(from, name, to, new_name, flags);
}

int clinux_syncfs(int descriptor) { return syncfs(descriptor); }

int clinux_punch_hole(int descriptor, int64_t offset, int64_t length) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int clinux_start_writeback(int descriptor, int64_t offset, int64_t length) {
    return sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE);
}

int clinux_finish_writeback(int descriptor, int64_t offset, int64_t length) {
    return sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WAIT_BEFORE);
}

int clinux_mknodat(int directory, const char *name, mode_t mode, uint32_t major, uint32_t minor) {
    return mknodat(directory, name, mode, makedev(major, minor));
}

int clinux_set_modification_time(int descriptor, int64_t seconds, uint32_t nanoseconds) {
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = seconds, .tv_nsec = nanoseconds}};
    return utimensat(descriptor, "", times, AT_EMPTY_PATH);
}

int clinux_set_times(int descriptor, int64_t seconds, uint32_t nanoseconds) {
    struct timespec time = {.tv_sec = seconds, .tv_nsec = nanoseconds};
    struct timespec times[2] = {time, time};
    return utimensat(descriptor, "", times, AT_EMPTY_PATH);
}

int clinux_block_size(int descriptor, uint64_t *bytes) { return ioctl(descriptor, BLKGETSIZE64, bytes); }

int clinux_get_project(int descriptor, uint32_t *project) {
    struct fsxattr facts;
    if (ioctl(descriptor, FS_IOC_FSGETXATTR, &facts) != 0) return -1;
    *project = facts.fsx_projid;
    return 0;
}

int clinux_set_project(int descriptor, uint32_t project) {
    struct fsxattr facts;
    if (ioctl(descriptor, FS_IOC_FSGETXATTR, &facts) != 0) return -1;
    facts.fsx_projid = project;
    return ioctl(descriptor, FS_IOC_FSSETXATTR, &facts);
}

int clinux_get_flags(int descriptor, uint32_t *flags) {
    int value = 0;
    if (ioctl(descriptor, FS_IOC_GETFLAGS, &value) != 0) return -1;
    *flags = (uint32_t)value;
    return 0;
}

int clinux_set_flags(int descriptor, uint32_t flags) {
    int value = (int)flags;
    return ioctl(descriptor, FS_IOC_SETFLAGS, &value);
}

ssize_t clinux_flistxattr(int descriptor, char *list, size_t size) { return flistxattr(descriptor, list, size); }
ssize_t clinux_fgetxattr(int descriptor, const char *name, void *value, size_t size) {
    return fgetxattr(descriptor, name, value, size);
}
int clinux_fsetxattr(int descriptor, const char *name, const void *value, size_t size) {
    return fsetxattr(descriptor, name, value, size, 0);
}
int clinux_fremovexattr(int descriptor, const char *name) { return fremovexattr(descriptor, name); }
ssize_t clinux_llistxattr(const char *path, char *list, size_t size) { return llistxattr(path, list, size); }
ssize_t clinux_lgetxattr(const char *path, const char *name, void *value, size_t size) {
    return lgetxattr(path, name, value, size);
}
ssize_t clinux_listxattr(const char *path, char *list, size_t size) { return listxattr(path, list, size); }
ssize_t clinux_getxattr(const char *path, const char *name, void *value, size_t size) {
    return getxattr(path, name, value, size);
}
int clinux_setxattr(const char *path, const char *name, const void *value, size_t size) {
    return setxattr(path, name, value, size, 0);
}
int clinux_removexattr(const char *path, const char *name) { return removexattr(path, name); }

unsigned long clinux_file_system_type(int descriptor) {
    struct statfs s;
    return fstatfs(descriptor, &s) == 0 ? (unsigned long)s.f_type : 0;
}

void clinux_return_large_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 512 << 10);
}

void clinux_refuse_core_dumps(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int clinux_terminal_columns(int descriptor) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}

int clinux_clock_is_synchronised(void) {
    struct timex clock = {0};
    int state = adjtimex(&clock);
    return state >= 0 && state != TIME_ERROR && !(clock.status & STA_UNSYNC);
}

void clinux_log(const char *program, const char *text) {
    openlog(program, LOG_PID, LOG_AUTHPRIV);
    syslog(LOG_NOTICE, "%s", text);
    closelog();
}

int clinux_memory_file(void) { return memfd_create("holdfast", MFD_CLOEXEC); }

struct each_library {
    void (*body)(const char *, void *);
    void *context;
};

static int each_library(struct dl_phdr_info *info, size_t size, void *data) {
    struct each_library *each = data;
    (void)size;
    each->body(info->dlpi_name, each->context);
    return 0;
}

void clinux_each_library(void (*body)(const char *path, void *context), void *context) {
    struct each_library each = {body, context};
    dl_iterate_phdr(each_library, &each);
}

int clinux_spawn_in_root(void *actions) { return posix_spawn_file_actions_addchdir_np(actions, "/"); }

int clinux_spawn_closing_others(void *actions) { return posix_spawn_file_actions_addclosefrom_np(actions, 3); }

const short clinux_POSIX_SPAWN_SETSID = POSIX_SPAWN_SETSID;

char **clinux_environment(void) { return environ; }

int clinux_end_machine(int off) { return reboot(off ? RB_POWER_OFF : RB_AUTOBOOT); }
