#define _GNU_SOURCE 1
#include "CLinux.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

// What the file system said of a failure, the last of its messages (`e ext4: …`), goes to `said`.
static void read_message(int context, char *said, size_t size) {
    char message[512];
    if (said == NULL || size == 0) return;
    said[0] = 0;
    for (int i = 0; i < 64; i++) {
        ssize_t length = read(context, message, sizeof message);
        if (length <= 0) return;
        if (length < 3 || message[0] != 'e') continue;
        size_t count = (size_t)length - 2 < size - 1 ? (size_t)length - 2 : size - 1;
        memcpy(said, message + 2, count);
        said[count] = 0;
    }
}

int clinux_mount_detached(const char *type, const char *source, const char *const *options, unsigned attributes, char *said, size_t size) {
    int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0) return -1;
    int mount = -1;
    int failed = syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", source, 0) != 0;
    for (; !failed && options[0] != NULL; options += 2)
        failed = options[1][0] == 0 ? syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, options[0], NULL, 0) != 0
                                    : syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, options[0], options[1], 0) != 0;
    if (!failed && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
    int error = errno;
    if (mount < 0) read_message(context, said, size);
    close(context);
    errno = error;
    return mount;
}

int clinux_clone_mount(int folder, int recursively) {
    return (int)syscall(SYS_open_tree, folder, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursively ? AT_RECURSIVE : 0));
}

int clinux_attach_mount(int mount, int place) {
    return (int)syscall(SYS_move_mount, mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int set_mount(int mount, struct mount_attr attributes) {
    return (int)syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

int clinux_make_mount_private(int mount) { return set_mount(mount, (struct mount_attr){.propagation = MS_PRIVATE}); }

int clinux_make_mount_read_only(int mount) { return set_mount(mount, (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY}); }

const unsigned clinux_private_attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME;
const unsigned clinux_read_only_attribute = MOUNT_ATTR_RDONLY;

int clinux_restrict_mount(int mount, int read_only) {
    uint64_t wanted = clinux_private_attributes | (read_only ? MOUNT_ATTR_RDONLY : 0);
    return set_mount(mount, (struct mount_attr){.attr_set = wanted, .attr_clr = MOUNT_ATTR__ATIME});
}

int clinux_make_writable(int folder) {
    int context = (int)syscall(SYS_fspick, folder, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
    if (context < 0) return -1;
    int failed = syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "rw", NULL, 0) != 0 ||
                 syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) != 0;
    int error = errno;
    close(context);
    errno = error;
    return failed ? -1 : set_mount(folder, (struct mount_attr){.attr_clr = MOUNT_ATTR_RDONLY});
}

int clinux_mount(const char *source, const char *target, const char *type, const char *options, unsigned long flags) {
    return mount(source, target, type, flags, options);
}

int clinux_unmount_tree(const char *target) { return umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH); }

int clinux_unmount(const char *target) { return umount2(target, UMOUNT_NOFOLLOW); }

static int set_name(char *field, size_t size, const char *name) {
    size_t length = strlen(name);
    if (length >= size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(field, name, length + 1);
    return 0;
}

int clinux_btrfs_snapshot(int source, int folder, const char *name, int read_only) {
    struct btrfs_ioctl_vol_args_v2 arguments = {.fd = source, .flags = read_only ? BTRFS_SUBVOL_RDONLY : 0};
    if (set_name(arguments.name, sizeof arguments.name, name) != 0) return -1;
    return ioctl(folder, BTRFS_IOC_SNAP_CREATE_V2, &arguments);
}

int clinux_btrfs_create(int folder, const char *name) {
    struct btrfs_ioctl_vol_args arguments = {0};
    if (set_name(arguments.name, sizeof arguments.name, name) != 0) return -1;
    return ioctl(folder, BTRFS_IOC_SUBVOL_CREATE, &arguments);
}

int clinux_btrfs_destroy(int folder, const char *name) {
    struct btrfs_ioctl_vol_args arguments = {0};
    if (set_name(arguments.name, sizeof arguments.name, name) != 0) return -1;
    return ioctl(folder, BTRFS_IOC_SNAP_DESTROY, &arguments);
}

int clinux_btrfs_set_read_only(int subvolume, int read_only) {
    uint64_t flags = 0;
    if (ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) != 0) return -1;
    flags = read_only ? flags | BTRFS_SUBVOL_RDONLY : flags & ~(uint64_t)BTRFS_SUBVOL_RDONLY;
    return ioctl(subvolume, BTRFS_IOC_SUBVOL_SETFLAGS, &flags);
}

int clinux_btrfs_is_read_only(int subvolume) {
    uint64_t flags = 0;
    if (ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) != 0) return -1;
    return (flags & BTRFS_SUBVOL_RDONLY) != 0;
}

// The tree of roots is searched by hand: BTRFS_IOC_GET_SUBVOL_INFO of Linux 6.18 returns 1 and no answer.
static int search_roots(int descriptor, struct btrfs_ioctl_search_args *search, uint64_t tree, uint32_t first_type,
                        uint32_t last_type, uint64_t first_offset) {
    memset(search, 0, sizeof *search);
    search->key.tree_id = BTRFS_ROOT_TREE_OBJECTID;
    search->key.min_objectid = search->key.max_objectid = tree;
    search->key.min_type = first_type;
    search->key.max_type = last_type;
    search->key.min_offset = first_offset;
    search->key.max_offset = search->key.max_transid = UINT64_MAX;
    search->key.nr_items = 4096;
    return ioctl(descriptor, BTRFS_IOC_TREE_SEARCH, search) != 0 ? -1 : 0;
}

static void copy_reference(const char *item, uint64_t *folder, char *name, size_t size) {
    struct btrfs_root_ref reference;
    memcpy(&reference, item, sizeof reference);
    size_t length = reference.name_len < size - 1 ? reference.name_len : size - 1;
    *folder = reference.dirid;
    memcpy(name, item + sizeof reference, length);
    name[length] = 0;
}

int clinux_btrfs_info(int subvolume, struct clinux_subvolume *result) {
    struct btrfs_ioctl_ino_lookup_args own = {.objectid = BTRFS_FIRST_FREE_OBJECTID};
    struct btrfs_ioctl_search_args search;
    if (ioctl(subvolume, BTRFS_IOC_INO_LOOKUP, &own) != 0) return -1;
    if (search_roots(subvolume, &search, own.treeid, BTRFS_ROOT_ITEM_KEY, BTRFS_ROOT_BACKREF_KEY, 0) != 0) return -1;
    memset(result, 0, sizeof *result);
    int found = 0;
    const char *position = search.buf;
    for (uint32_t i = 0; i < search.key.nr_items; i++) {
        struct btrfs_ioctl_search_header header;
        memcpy(&header, position, sizeof header);
        const char *item = position + sizeof header;
        if (header.type == BTRFS_ROOT_ITEM_KEY && header.len >= sizeof(struct btrfs_root_item)) {
            struct btrfs_root_item root;
            memcpy(&root, item, sizeof root);
            result->made = le64toh(root.otime.sec);
            memcpy(result->uuid, root.uuid, 16);
            found = 1;
        } else if (header.type == BTRFS_ROOT_BACKREF_KEY) {
            result->parent = header.offset;
            copy_reference(item, &result->folder, result->name, sizeof result->name);
        }
        position = item + header.len;
    }
    result->id = own.treeid;
    if (!found) errno = ENOENT;
    return found ? 0 : -1;
}

int clinux_btrfs_path(int descriptor, uint64_t tree, uint64_t inode, char *path, size_t size) {
    struct btrfs_ioctl_ino_lookup_args arguments = {.treeid = tree, .objectid = inode};
    if (ioctl(descriptor, BTRFS_IOC_INO_LOOKUP, &arguments) != 0) return -1;
    return set_name(path, size, arguments.name);
}

int clinux_btrfs_children(int subvolume, uint64_t after, struct clinux_subvolume *result, size_t capacity) {
    struct btrfs_ioctl_ino_lookup_args own = {.objectid = BTRFS_FIRST_FREE_OBJECTID};
    struct btrfs_ioctl_search_args search;
    if (ioctl(subvolume, BTRFS_IOC_INO_LOOKUP, &own) != 0) return -1;
    if (search_roots(subvolume, &search, own.treeid, BTRFS_ROOT_REF_KEY, BTRFS_ROOT_REF_KEY, after) != 0) return -1;
    size_t count = search.key.nr_items < capacity ? search.key.nr_items : capacity;
    const char *position = search.buf;
    for (size_t i = 0; i < count; i++) {
        struct btrfs_ioctl_search_header header;
        memcpy(&header, position, sizeof header);
        const char *item = position + sizeof header;
        memset(&result[i], 0, sizeof result[i]);
        result[i].id = header.offset;
        result[i].parent = own.treeid;
        copy_reference(item, &result[i].folder, result[i].name, sizeof result[i].name);
        position = item + header.len;
    }
    return (int)count;
}

int clinux_btrfs_set_default(int descriptor, uint64_t id) {
    __u64 number = id;
    return ioctl(descriptor, BTRFS_IOC_DEFAULT_SUBVOL, &number);
}

int clinux_btrfs_default(int descriptor, uint64_t *id) {
    struct btrfs_ioctl_search_args search;
    if (search_roots(descriptor, &search, BTRFS_ROOT_TREE_DIR_OBJECTID, BTRFS_DIR_ITEM_KEY, BTRFS_DIR_ITEM_KEY, 0) != 0) return -1;
    if (search.key.nr_items == 0) {
        *id = BTRFS_FS_TREE_OBJECTID;
        return 0;
    }
    // The item is a btrfs_dir_item, which begins with the key of what it names.
    memcpy(id, search.buf + sizeof(struct btrfs_ioctl_search_header), sizeof *id);
    return 0;
}
