// btrfs subvolumes by descriptor: snapshots, their exchange, and where they hang. No child process, no path resolved twice.

internal import CLinux
internal import Glibc

/// What btrfs says of a subvolume.
public struct SubvolumeInfo: Sendable, Hashable {
    public var id: UInt64
    /// The subvolume that it hangs in; 0 for the top level.
    public var parent: UInt64
    /// The inode of the folder in `parent` that holds its name.
    public var folder: UInt64
    /// 32 hexadecimal digits. A snapshot has another one than its source; a renaming keeps it.
    public var uuid: String
    /// Seconds since 1970.
    public var made: Int64
    public var name: [UInt8]
}

extension Descriptor {
    /// The number of the top-level subvolume, and of the inode that every subvolume's root has.
    public static let topLevelSubvolume: UInt64 = 5
    private static let rootInode: UInt64 = 256

    /// The top level of a btrfs, whatever of it is mounted and where.
    public static func topLevel(of mount: Mount) throws(SystemError) -> Descriptor {
        try mountDetached("btrfs", source: mount.source, options: [("subvolid", "\(topLevelSubvolume)")])
    }

    public var isOnBtrfs: Bool { fileSystemType == UInt(clinux_BTRFS_SUPER_MAGIC) }

    /// Whether this folder is the root of a btrfs subvolume.
    public var isSubvolume: Bool { isOnBtrfs && (try? status().inode) == Self.rootInode }

    public func subvolumeInfo() throws(SystemError) -> SubvolumeInfo {
        var info = clinux_subvolume()
        try check("look at", "the subvolume") { clinux_btrfs_info(raw, &info) }
        return SubvolumeInfo(
            id: info.id, parent: info.parent, folder: info.folder,
            uuid: withUnsafeBytes(of: info.uuid) { bytes in
                hexadecimal(bytes)
            },
            made: Int64(clamping: info.made),
            name: withUnsafeBytes(of: info.name) { Array($0.prefix { $0 != 0 }) })
    }

    /// Makes a snapshot of `source` in this folder. It is durable when this returns.
    public func makeSnapshot(of source: Descriptor, named name: [UInt8], readOnly: Bool) throws(SystemError) {
        try check("make the snapshot", printable(name)) {
            withNullTerminated(name) { clinux_btrfs_snapshot(source.raw, raw, $0, readOnly ? 1 : 0) }
        }
    }

    public func makeSubvolume(_ name: [UInt8]) throws(SystemError) {
        try check("make the subvolume", printable(name)) {
            withNullTerminated(name) { clinux_btrfs_create(raw, $0) }
        }
    }

    /// Deletes a subvolume with all that is in it; one that others hang in is refused (ENOTEMPTY).
    public func destroySubvolume(_ name: [UInt8]) throws(SystemError) {
        try check("delete the subvolume", printable(name)) {
            withNullTerminated(name) { clinux_btrfs_destroy(raw, $0) }
        }
    }

    /// Deletes a subvolume with all that is in it and with all that hang in it, the innermost first.
    public func destroySubvolumeTree(_ name: [UInt8]) throws(SystemError) {
        while true {
            var (folder, leaf) = (self, name)
            var subvolume = try open(name, .directory)
            while let inner = try subvolume.nestedSubvolumes().first {
                folder = try subvolume.openFolder(of: inner)
                leaf = inner.lastComponent
                subvolume = try folder.open(leaf, .directory)
            }
            try folder.destroySubvolume(leaf)
            if folder === self { return }
        }
    }

    public func isReadOnlySubvolume() throws(SystemError) -> Bool {
        let answer = clinux_btrfs_is_read_only(raw)
        guard answer >= 0 else { throw SystemError(errno, "look at", "the subvolume") }
        return answer == 1
    }

    public func setSubvolumeReadOnly(_ isReadOnly: Bool) throws(SystemError) {
        try check("make read-only", "the subvolume") { clinux_btrfs_set_read_only(raw, isReadOnly ? 1 : 0) }
    }

    /// Exchanges two names in one step: at no time is either missing.
    public func exchange(_ name: [UInt8], with other: [UInt8], in folder: Descriptor) throws(SystemError) {
        try check("exchange", "\(printable(name)) and \(printable(other))") {
            withNullTerminated(name) { name in
                withNullTerminated(other) { clinux_renameat2(raw, name, folder.raw, $0, clinux_RENAME_EXCHANGE) }
            }
        }
    }

    /// Moves a name to another folder of the same file system; an existing name there is refused (EEXIST).
    public func move(_ name: [UInt8], to other: [UInt8], in folder: Descriptor) throws(SystemError) {
        try check("move", printable(name)) {
            withNullTerminated(name) { name in
                withNullTerminated(other) { clinux_renameat2(raw, name, folder.raw, $0, clinux_RENAME_NOREPLACE) }
            }
        }
    }

    /// The path of a folder below the root of the subvolume `tree`; empty for the root. Wants to be root.
    public func path(ofInode inode: UInt64, inSubvolume tree: UInt64) throws(SystemError) -> BytePath {
        var buffer = [CChar](repeating: 0, count: 4096)
        let capacity = buffer.count
        try check("look up a folder of", "the subvolume \(tree)") {
            clinux_btrfs_path(raw, tree, inode, &buffer, capacity)
        }
        return BytePath(buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }

    /// The subvolume that is mounted where the mount names none.
    public func defaultSubvolume() throws(SystemError) -> UInt64 {
        var id: UInt64 = 0
        try check("read", "the default subvolume") { clinux_btrfs_default(raw, &id) }
        return id
    }

    /// Has this subvolume mounted where the mount names none. Wants to be root.
    public func makeDefaultSubvolume() throws(SystemError) {
        let id = try subvolumeInfo().id
        try check("set", "the default subvolume") { clinux_btrfs_set_default(raw, id) }
    }

    /// The paths of the subvolumes that hang directly in this one, below its root. Wants to be root.
    public func nestedSubvolumes() throws(SystemError) -> [BytePath] {
        var result: [BytePath] = []
        var after: UInt64 = 0
        while true {
            var batch = [clinux_subvolume](repeating: clinux_subvolume(), count: 64)
            let count = try check("list the subvolumes in", "the subvolume") {
                clinux_btrfs_children(raw, after, &batch, batch.count)
            }
            for child in batch.prefix(Int(count)) {
                let folder = try path(ofInode: child.folder, inSubvolume: child.parent)
                let name = withUnsafeBytes(of: child.name) { Array($0.prefix { $0 != 0 }) }
                result.append(folder.bytes.isEmpty ? BytePath(name) : folder.appending(name))
                after = child.id + 1
            }
            if count == 0 { break }
        }
        return result.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }
}
