// Mounts that are made, placed and taken away by descriptors: whoever may rename folders on the way cannot have them land elsewhere. An open
// descriptor in a mount holds it: it has to be let go of before the mount can be taken away.

internal import CLinux
internal import Glibc

extension Descriptor {
    /// Mounts a file system where no path leads. It is a place only; the mount goes with it, unless it is attached before.
    /// - Parameters:
    ///   - options: a value that is empty makes its key a flag.
    ///   - attributes: of this mount alone.
    public static func makeMount(
        _ type: String, source: BytePath, options: [(key: String, value: String)] = [], attributes: UInt32 = 0
    ) throws(SystemError) -> Descriptor {
        let words: [UnsafeMutablePointer<CChar>?] = options.flatMap { [strdup($0.key), strdup($0.value)] }
        defer { words.forEach { free($0) } }
        let pointers: [UnsafePointer<CChar>?] = words.map { UnsafePointer($0) } + [nil]
        var said = [UInt8](repeating: 0, count: 512)
        do throws(SystemError) {
            return try Descriptor(
                owning: check("mount", source.description) {
                    said.withUnsafeMutableBytes { said in
                        source.withCString { source in
                            type.withCString { type in
                                clinux_mount_detached(
                                    type, source, pointers, attributes,
                                    said.baseAddress?.assumingMemoryBound(to: CChar.self), said.count)
                            }
                        }
                    }
                })
        } catch {
            // What the file system itself says tells more than a number that stands for many reasons.
            let message = said.prefix { $0 != 0 }.filter { $0 != UInt8(ascii: "\n") }
            if message.isEmpty { throw error }
            throw SystemError(
                error.code, error.operation, error.subject, detail: "\(error.reason) (\(printable(message)))")
        }
    }

    /// Mounts a file system where no path leads, and opens its root: the mount goes with the last descriptor below it.
    public static func mountDetached(
        _ type: String, source: BytePath, options: [(key: String, value: String)] = []
    ) throws(SystemError) -> Descriptor {
        try makeMount(type, source: source, options: options).open([UInt8(ascii: ".")], .directory)
    }

    /// Opens an absolute path none of whose components is a symbolic link (ELOOP).
    public static func openWithoutLinks(_ path: BytePath, _ options: OpenOptions = []) throws(SystemError) -> Descriptor
    {
        try Descriptor(
            owning: check("open", path.description) {
                path.withCString { clinux_open_without_links($0, options.rawValue) }
            })
    }

    /// What is mounted at this open folder, once more, from the folder on, where no path leads. What is mounted later in one of the two is not
    /// meant for the other.
    /// - Parameter recursively: with what is mounted in it.
    public func cloneMount(recursively: Bool = false) throws(SystemError) -> Descriptor {
        let mount = try Descriptor(
            owning: check("mount again", "the folder") { clinux_clone_mount(raw, recursively ? 1 : 0) })
        try check("mount again", "the folder") { clinux_make_mount_private(mount.raw) }
        return mount
    }

    /// Gives the mount whose root this is a place, for as long as the machine runs or until it is taken away.
    public func attach(to place: Descriptor) throws(SystemError) {
        try check("mount at", "the folder") { clinux_attach_mount(raw, place.raw) }
    }

    /// Makes the mount whose root this is read-only, and not the file system below it.
    public func makeMountReadOnly() throws(SystemError) {
        try check("make read-only", "the mount") { clinux_make_mount_read_only(raw) }
    }

    /// Makes the file system that this open folder is on writable, and the mount that it is in.
    public func makeFileSystemWritable() throws(SystemError) {
        try check("make writable", "the file system") { clinux_make_writable(raw) }
    }

    /// Takes away the uppermost mount of a name in this folder.
    public func unmount(_ name: [UInt8]) throws(SystemError) {
        try check("unmount", printable(name)) {
            withNullTerminated(placePath + [UInt8(ascii: "/")] + name) { clinux_unmount($0) }
        }
    }
}
