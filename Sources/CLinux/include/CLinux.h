// The Linux calls and constants that Swift's Glibc module hides behind _GNU_SOURCE or in macros.
// Plain functions and constants only; the real headers are included in the .c file alone, since
// _GNU_SOURCE in a header that Swift imports conflicts with its own view of Glibc.
#ifndef HOLDFAST_CLINUX_H
#define HOLDFAST_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

extern const int clinux_O_PATH;
extern const int clinux_O_NOATIME;
extern const int clinux_O_DIRECT;
extern const int clinux_O_TMPFILE;
extern const int clinux_AT_EMPTY_PATH;
extern const int clinux_SEEK_DATA;
extern const int clinux_SEEK_HOLE;
extern const unsigned clinux_RENAME_NOREPLACE;
extern const unsigned clinux_RENAME_EXCHANGE;
extern const unsigned long clinux_TMPFS_MAGIC;
extern const unsigned long clinux_MSDOS_SUPER_MAGIC;

/// sched_setscheduler(2) with SCHED_IDLE, ioprio_set(2) with the idle class, and the least priority, for this thread and those that it makes.
/// Returns how many of the three were not to be had.
int clinux_take_idle_classes(void);

/// Whether this thread reads and writes only when nobody else does.
int clinux_has_idle_class(void);
/// sched_setaffinity(2) of this thread and those that it makes, by the numbers of processors.
int clinux_stay_on(const int *processors, size_t count);
/// How many processors this thread may run on, or 0 where that is not known.
int clinux_usable_processors(void);

/// The arguments of this process, its name first; null beyond the last. Valid for its whole life.
int clinux_argument_count(void);
const char *clinux_argument(int index);

/// What statx(2) says of one file, in fixed-width fields. Times are nanoseconds since 1970, split.
struct clinux_stat {
    uint32_t mode;
    uint32_t nlink;
    uint32_t uid;
    uint32_t gid;
    uint64_t ino;
    uint64_t size;
    uint64_t blocks;
    uint32_t dev_major;
    uint32_t dev_minor;
    uint32_t rdev_major;
    uint32_t rdev_minor;
    int64_t mtime_seconds;
    uint32_t mtime_nanoseconds;
    int64_t ctime_seconds;
    uint32_t ctime_nanoseconds;
    uint64_t attributes;
    uint64_t mount_id;
};

/// statx(2) of `name` below `directory`, never following a symbolic link and never mounting; an empty
/// name asks for the descriptor itself. Returns 0, or -1 with errno.
int clinux_stat(int directory, const char *name, struct clinux_stat *result);

int clinux_openat(int directory, const char *name, int flags, mode_t mode);

/// openat2(2) of a whole path, none of whose components may be a symbolic link.
int clinux_open_without_links(const char *path, int flags);

/// openat2(2) that stays beneath `directory` and follows no symbolic link at all.
int clinux_openat_beneath(int directory, const char *path, int flags, mode_t mode);

ssize_t clinux_getdents64(int descriptor, void *buffer, size_t count);
int clinux_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags);
int clinux_syncfs(int descriptor);
int clinux_punch_hole(int descriptor, int64_t offset, int64_t length);
int clinux_start_writeback(int descriptor, int64_t offset, int64_t length);

/// Waits until what was begun of a range is written.
int clinux_finish_writeback(int descriptor, int64_t offset, int64_t length);
int clinux_mknodat(int directory, const char *name, mode_t mode, uint32_t major, uint32_t minor);
/// Sets the time of modification alone, of what is open; O_PATH is enough.
int clinux_set_modification_time(int descriptor, int64_t seconds, uint32_t nanoseconds);
/// Sets the time of the last access, too.
int clinux_set_times(int descriptor, int64_t seconds, uint32_t nanoseconds);
int clinux_block_size(int descriptor, uint64_t *bytes);

/// The project that quotas count a file for (FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR); 0: none.
int clinux_get_project(int descriptor, uint32_t *project);
int clinux_set_project(int descriptor, uint32_t project);

/// FS_IOC_GETFLAGS and FS_IOC_SETFLAGS.
int clinux_get_flags(int descriptor, uint32_t *flags);
int clinux_set_flags(int descriptor, uint32_t flags);
extern const uint32_t clinux_FS_IMMUTABLE_FL;
extern const uint32_t clinux_FS_APPEND_FL;
extern const uint32_t clinux_FS_NOCOW_FL;
extern const uint32_t clinux_FS_DAX_FL;
/// The flags that can be set again on another file system of the same kind.
extern const uint32_t clinux_settable_flags;

ssize_t clinux_flistxattr(int descriptor, char *list, size_t size);
ssize_t clinux_fgetxattr(int descriptor, const char *name, void *value, size_t size);
int clinux_fsetxattr(int descriptor, const char *name, const void *value, size_t size);
int clinux_fremovexattr(int descriptor, const char *name);
ssize_t clinux_llistxattr(const char *path, char *list, size_t size);
ssize_t clinux_lgetxattr(const char *path, const char *name, void *value, size_t size);
/// These follow links: they are given paths below /proc/self/fd, which lead to what is open.
ssize_t clinux_listxattr(const char *path, char *list, size_t size);
ssize_t clinux_getxattr(const char *path, const char *name, void *value, size_t size);
int clinux_setxattr(const char *path, const char *name, const void *value, size_t size);
int clinux_removexattr(const char *path, const char *name);

/// Type number of the file system (statfs f_type), or 0.
unsigned long clinux_file_system_type(int descriptor);

/// A mount that no path leads to; it goes with its descriptor. `options` are keys and values in turn, empty ones for flags, null at the end;
/// `attributes` are of this mount alone. What the file system says of a failure is put into `said`, where that is not null.
int clinux_mount_detached(const char *type, const char *source, const char *const *options, unsigned attributes, char *said, size_t size);
/// Nothing in such a mount is run, is a device, gives rights, or has its access times kept.
extern const unsigned clinux_private_attributes;
extern const unsigned clinux_read_only_attribute;
/// Gives a mount, which nobody else has, these attributes.
int clinux_restrict_mount(int mount, int read_only);
/// open_tree(2): what is mounted at an open folder, once more and from that folder on, where no path leads; with what is mounted in it.
int clinux_clone_mount(int folder, int recursively);
/// move_mount(2): gives a mount an open folder as its place.
int clinux_attach_mount(int mount, int place);
int clinux_make_mount_private(int mount);
int clinux_make_mount_read_only(int mount);
/// fspick(2) and mount_setattr(2): the file system of the root of a mount, and that mount, become writable.
int clinux_make_writable(int folder);

extern const unsigned long clinux_BTRFS_SUPER_MAGIC;

/// What btrfs says of a subvolume: where it hangs, and which it is.
struct clinux_subvolume {
    uint64_t id;
    uint64_t parent;
    uint64_t folder;
    uint8_t uuid[16];
    /// When it was made, in seconds since 1970; in an answer about one alone.
    uint64_t made;
    char name[256];
};

int clinux_btrfs_snapshot(int source, int folder, const char *name, int read_only);
int clinux_btrfs_create(int folder, const char *name);
int clinux_btrfs_destroy(int folder, const char *name);
int clinux_btrfs_set_read_only(int subvolume, int read_only);

/// Whether a subvolume is read-only; -1 where that cannot be asked.
int clinux_btrfs_is_read_only(int subvolume);
int clinux_btrfs_info(int subvolume, struct clinux_subvolume *result);
/// The path of an inode below the root of a tree, with a slash at its end; empty for the root itself.
int clinux_btrfs_path(int descriptor, uint64_t tree, uint64_t inode, char *path, size_t size);
/// Subvolumes that hang in this one, from id `after` on, as many as one answer holds; returns how many. Uuids
/// are left out.
int clinux_btrfs_children(int subvolume, uint64_t after, struct clinux_subvolume *result, size_t capacity);
/// The subvolume that is mounted where none is named.
int clinux_btrfs_default(int descriptor, uint64_t *id);
/// BTRFS_IOC_DEFAULT_SUBVOL: makes another one that.
int clinux_btrfs_set_default(int descriptor, uint64_t id);

/// Length and logical sector size of a block device, in bytes.
int clinux_block_facts(int descriptor, uint64_t *bytes, uint32_t *sector);
/// BLKDISCARD: tells a device that a range is not needed. Says nothing of whether the data is gone.
int clinux_block_discard(int descriptor, uint64_t offset, uint64_t length);

/// BLKZEROOUT: makes a range of a device zeros, which it may do without being sent them. Both numbers are of whole sectors.
int clinux_block_zero(int descriptor, uint64_t offset, uint64_t length);

/// Grows the file system of a mounted folder to so many bytes, or to all of its device where that is btrfs' way: EXT4_IOC_RESIZE_FS,
/// XFS_IOC_FSGROWFSDATA, BTRFS_IOC_RESIZE. ENOTTY: it is none of these; EINVAL: btrfs has several devices.
int clinux_grow(int folder, uint64_t bytes);

/// BLKFLSBUF: writes down what the kernel keeps of a device, and forgets it.
int clinux_block_forget(int descriptor);

/// BLKRRPART: has the kernel read a device's partition table anew.
int clinux_block_reread(int descriptor);

/// A part of the device of a mounted file system, in bytes.
struct clinux_device_part {
    uint64_t start;
    uint64_t length;
    uint32_t device;
    /// Whether the file system says that it is free; what it says nothing of is used.
    int32_t is_free;
    int32_t is_last;
};

/// FIBMAP, by bytes: where on its device the file has what is at an offset; 0 in `place` where that is nowhere. Returns 0, or -1 with errno.
int clinux_file_place(int descriptor, uint64_t offset, uint64_t *place);

/// FS_IOC_GETFSMAP (ioctl_getfsmap(2)) from where `cursor` stands: its words are this function's own, and zero at the beginning.
/// Returns how many parts were found, at most `capacity`, or -1 with errno: EOPNOTSUPP or ENOTTY where the file system has no such map.
int clinux_device_parts(int descriptor, uint64_t cursor[6], struct clinux_device_part *result, uint32_t capacity);

/// BTRFS_IOC_TREE_SEARCH_V2: the items of a tree from one key (object, type, offset) to another, as many as there is room for. Each is
/// transaction, object, offset (8 bytes each), type, length (4 each), and so many bytes. Returns how many, or -1 with errno.
int clinux_btrfs_search(int folder, uint64_t tree, const uint64_t from[3], const uint64_t to[3], void *result, size_t size);

/// A loop device of a part of what is open, for reading alone, which goes with the last descriptor of it (LOOP_CONFIGURE, Linux 5.8).
/// Returns a descriptor of it, its number in `number`; or -1 with errno.
int clinux_attach_loop(int backing, uint64_t offset, uint64_t size, uint32_t sector, int is_written, int *number);

/// What a loop device stands on: its file, and of a device in its place the number of that. Only those that clinux_attach_loop made are its own.
struct clinux_loop_backing {
    uint32_t dev_major;
    uint32_t dev_minor;
    uint64_t inode;
    uint32_t rdev_major;
    uint32_t rdev_minor;
    int is_own;
};

/// Asks a loop device what it stands on. Returns 0, or -1 with errno: ENXIO where that is nothing.
int clinux_ask_loop(int loop, struct clinux_loop_backing *result);

/// Has ext4 bring everything from its journal to its place, and write zeros over the journal.
int clinux_clear_journal(int descriptor);
/// fallocate(2) from the beginning on.
int clinux_allocate(int descriptor, uint64_t length);

struct clinux_extent {
    uint64_t logical, physical, length;
    /// Whether others have the same blocks, and whether they are not simply there: packed into an inode, compressed, or not yet placed.
    uint8_t is_last, is_shared, is_elsewhere;
};
/// Where the content of a file is from `start` on (FS_IOC_FIEMAP); at most 64 at once.
int clinux_extents(int descriptor, uint64_t start, struct clinux_extent *result, uint32_t capacity);

/// SG_IO: one SCSI command; `sense_length` is the room, and then what came. Returns the status of the command, or -1.
int clinux_scsi(int descriptor, const uint8_t *command, uint8_t command_length, int writes, void *data, uint32_t length, uint8_t *sense,
                uint8_t *sense_length, uint32_t milliseconds);
/// NVME_IOCTL_ID: the namespace that a block device is.
int clinux_nvme_namespace(int descriptor);
/// NVME_IOCTL_ADMIN_CMD; data is read from the device. Returns the status of the command, or -1.
int clinux_nvme_admin(int descriptor, uint8_t opcode, uint32_t namespace_id, uint32_t word10, uint32_t word11, void *data, uint32_t length,
                      uint32_t milliseconds);
/// MMC_IOC_CMD; data is read from the device. `response` is the first word of the answer.
int clinux_mmc(int descriptor, uint32_t opcode, uint32_t argument, uint32_t flags, int writes, void *data, uint32_t length,
               uint32_t *response, uint32_t milliseconds);

/// Has large buffers given back to the system as soon as they are free.
void clinux_return_large_memory(void);

/// Keeps secrets out of core dumps and away from debuggers of the same user.
void clinux_refuse_core_dumps(void);

/// Whether the kernel's clock is disciplined by a time source.
int clinux_clock_is_synchronised(void);

/// One line to the system log, facility authpriv.
void clinux_log(const char *program, const char *text);

/// Calls `body` with the path of each shared library that is loaded.
void clinux_each_library(void (*body)(const char *path, void *context), void *context);

/// Mounts `source` at `target` (mount(2)); `source`, `type` and `options` may be null where the flags want none.
int clinux_mount(const char *source, const char *target, const char *type, const char *options, unsigned long flags);
/// umount2(2), never following a link.
int clinux_unmount(const char *target);
/// The same with all that is mounted in it, as soon as nothing uses it (MNT_DETACH).
int clinux_unmount_tree(const char *target);

/// A file that no name leads to and that goes with its descriptor.
int clinux_memory_file(void);

/// The terminal's width in columns, or 0 where the descriptor is no terminal.
int clinux_terminal_columns(int descriptor);

/// Has a program that is spawned with these actions (posix_spawn_file_actions_t) work in `/`.
int clinux_spawn_in_root(void *actions);
/// Has a program that is spawned with these actions get the first three descriptors and no other.
int clinux_spawn_closing_others(void *actions);
/// What gives a spawned program a session of its own.
extern const short clinux_POSIX_SPAWN_SETSID;

/// The variables of this process, as execve(2) takes them.
char **clinux_environment(void);

/// Whether a password is the one that a hash of /etc/shadow was made of; -1 where libcrypt is not here.
int clinux_password_fits(const char *password, const char *hash);

/// Ends the machine at once (reboot(2)): off, or else begun anew. What is not on the disks by then is lost.
int clinux_end_machine(int off);

#endif
