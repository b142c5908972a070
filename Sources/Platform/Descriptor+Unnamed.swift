// Files that have no name yet (O_TMPFILE): nobody can swap them, and nothing of them is left after a crash.

internal import CLinux
internal import Glibc

extension Descriptor {
    /// Makes a file in this folder that no name leads to; `nil` where the file system knows no such files.
    public func openUnnamed(mode: UInt32 = 0o600) throws(SystemError) -> Descriptor? {
        do throws(SystemError) {
            return try Descriptor(
                owning: check("make a file in", "the folder") {
                    clinux_openat(raw, ".", O_WRONLY | O_CLOEXEC | clinux_O_TMPFILE, mode)
                })
        } catch {
            // Older kernels take the flags for those of a folder that is opened for writing.
            if [EOPNOTSUPP, EISDIR, EINVAL, ENOSYS].contains(error.code) { return nil }
            throw error
        }
    }

    /// Gives this open file a name in a folder, which must be free (EEXIST).
    public func giveName(_ name: [UInt8], in folder: Descriptor) throws(SystemError) {
        try check("link", printable(name)) {
            withNullTerminated(name) { name -> CInt in
                let direct = linkat(raw, "", folder.raw, name, clinux_AT_EMPTY_PATH)
                // Only root may name a descriptor directly; others go by way of /proc.
                if direct == 0 || errno != ENOENT { return direct }
                return withNullTerminated(placePath) { linkat(AT_FDCWD, $0, folder.raw, name, AT_SYMLINK_FOLLOW) }
            }
        }
    }

    /// A path that leads to what is open here, and to nothing else whatever becomes of its name.
    var placePath: [UInt8] { Array("/proc/self/fd/\(raw)".utf8) }
}
