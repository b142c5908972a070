// libarchive, loaded when an archive is read or written and not before: libxml2 and ICU come with it, and neither belongs into the start
// of every command, an initramfs or a stick. Types and constants are those of its headers.

#ifndef CARCHIVE_H
#define CARCHIVE_H

#include <archive.h>
#include <archive_entry.h>
#include <stddef.h>

#define CARCHIVE_FUNCTIONS(function) \
    function(archive_entry_acl_add_entry) \
    function(archive_entry_acl_next) \
    function(archive_entry_acl_reset) \
    function(archive_entry_acl_types) \
    function(archive_entry_clear) \
    function(archive_entry_fflags) \
    function(archive_entry_filetype) \
    function(archive_entry_free) \
    function(archive_entry_gid) \
    function(archive_entry_gname) \
    function(archive_entry_gname_utf8) \
    function(archive_entry_hardlink) \
    function(archive_entry_hardlink_utf8) \
    function(archive_entry_mtime) \
    function(archive_entry_mtime_nsec) \
    function(archive_entry_new) \
    function(archive_entry_pathname) \
    function(archive_entry_pathname_utf8) \
    function(archive_entry_perm) \
    function(archive_entry_rdevmajor) \
    function(archive_entry_rdevminor) \
    function(archive_entry_set_fflags) \
    function(archive_entry_set_filetype) \
    function(archive_entry_set_gid) \
    function(archive_entry_set_gname) \
    function(archive_entry_set_hardlink) \
    function(archive_entry_set_mtime) \
    function(archive_entry_set_pathname) \
    function(archive_entry_set_perm) \
    function(archive_entry_set_rdevmajor) \
    function(archive_entry_set_rdevminor) \
    function(archive_entry_set_size) \
    function(archive_entry_set_symlink) \
    function(archive_entry_set_uid) \
    function(archive_entry_set_uname) \
    function(archive_entry_size) \
    function(archive_entry_sparse_add_entry) \
    function(archive_entry_symlink) \
    function(archive_entry_symlink_utf8) \
    function(archive_entry_uid) \
    function(archive_entry_uname) \
    function(archive_entry_uname_utf8) \
    function(archive_entry_xattr_add_entry) \
    function(archive_entry_xattr_next) \
    function(archive_entry_xattr_reset) \
    function(archive_error_string) \
    function(archive_filter_bytes) \
    function(archive_format) \
    function(archive_read_data_block) \
    function(archive_read_free) \
    function(archive_read_new) \
    function(archive_read_next_header) \
    function(archive_read_open_fd) \
    function(archive_read_support_filter_bzip2) \
    function(archive_read_support_filter_gzip) \
    function(archive_read_support_filter_xz) \
    function(archive_read_support_filter_zstd) \
    function(archive_read_support_format_cpio) \
    function(archive_read_support_format_tar) \
    function(archive_version_details) \
    function(archive_write_close) \
    function(archive_write_data) \
    function(archive_write_fail) \
    function(archive_write_free) \
    function(archive_write_header) \
    function(archive_write_new) \
    function(archive_write_open_fd) \
    function(archive_write_set_format_option) \
    function(archive_write_set_format_pax)

struct carchive_functions {
#define CARCHIVE_MEMBER(name) __typeof__(name) *_Nonnull name;
    CARCHIVE_FUNCTIONS(CARCHIVE_MEMBER)
#undef CARCHIVE_MEMBER
};

/// NULL where the library, or a function of it, is not there; then `problem` says so.
const struct carchive_functions *_Nullable carchive_load(char *_Nonnull problem, size_t size);

#endif
