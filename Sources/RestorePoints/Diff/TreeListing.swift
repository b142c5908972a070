// A tree that can be compared with another: a folder, a snapshot or an image.

internal import Glibc
internal import Images
internal import Platform

/// The entries of a tree, and the content of its files.
protocol TreeListing: AnyObject {
    /// In the order of their names: a folder before what is in it, siblings by their bytes.
    var entries: [ListedEntry] { get }
    /// Gives a file's content, bytes or the length of a hole.
    func readContent(
        of entry: ListedEntry, _ body: (_ bytes: UnsafeRawBufferPointer?, _ length: UInt64) throws -> Void) throws
}

extension ImageListing: TreeListing {}

/// A folder on a disk. It stays on its file system, and leaves out what is Holdfast's own.
final class FolderListing: TreeListing {
    private(set) var entries: [ListedEntry] = []
    private let root: Descriptor
    private let border: TreeBorder
    private let isOnBtrfs: Bool
    private let own: Set<FileIdentity>
    /// Whether attributes and flags are read, which costs some calls for each entry.
    private let isThorough: Bool

    init(_ root: Descriptor, isThorough: Bool, own: [BytePath] = []) throws {
        self.root = root
        self.isThorough = isThorough
        isOnBtrfs = root.isOnBtrfs
        let status = try root.status()
        border = TreeBorder(status)
        self.own = Set(own.compactMap { FileIdentity($0) })
        entries.append(try listed(status, at: "", in: nil, name: [], file: root))
        try walk(root, at: "")
    }

    private func walk(_ folder: Descriptor, at path: BytePath) throws {
        let names = try DirectoryListing(of: folder)
        for index in 0..<names.count {
            let name = names[index]
            // What vanishes between the listing and the look is not there.
            guard let status = try? folder.status(of: name) else { continue }
            if own.contains(FileIdentity(status)) { continue }
            let below = path.bytes.isEmpty ? BytePath(name) : path.appending(name)
            var entry = try listed(status, at: below, in: folder, name: name, file: nil)
            // The stub that a btrfs snapshot has in place of a nested subvolume has the number 2.
            entry.isBorder =
                status.kind == .directory && (border.isCrossed(by: status) || isOnBtrfs && status.inode == 2)
            entries.append(entry)
            if status.kind == .directory, !entry.isBorder, let child = try? folder.open(name, .directory) {
                try walk(child, at: below)
            }
        }
    }

    private func listed(
        _ status: FileStatus, at path: BytePath, in folder: Descriptor?, name: [UInt8], file: Descriptor?
    ) throws -> ListedEntry {
        var entry = ListedEntry(path: path, kind: status.kind)
        entry.mode = status.mode
        entry.user = status.user
        entry.group = status.group
        entry.size = status.kind == .file ? status.size : 0
        entry.modified = status.modified
        entry.nodeMajor = status.nodeMajor
        entry.nodeMinor = status.nodeMinor
        if status.kind == .symbolicLink, let folder { entry.target = try folder.readLink(name) }
        guard isThorough else { return entry }
        if status.kind == .file || status.kind == .directory {
            let opened = try file ?? folder?.open(name, status.kind == .directory ? .directory : .nonBlocking)
            entry.attributes = try? opened?.extendedAttributes()
            entry.flags = opened?.flags
        } else if let folder {
            entry.attributes = try? folder.extendedAttributes(of: name)
        }
        return entry
    }

    func readContent(
        of entry: ListedEntry, _ body: (_ bytes: UnsafeRawBufferPointer?, _ length: UInt64) throws -> Void
    ) throws {
        let file = try open(entry.path)
        let size = Int64(try file.status().size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var position: Int64 = 0
        while position < size {
            let data = try file.nextData(from: position, size: size) ?? size..<size
            if data.lowerBound > position { try body(nil, UInt64(data.lowerBound - position)) }
            position = data.lowerBound
            while position < data.upperBound {
                let count = Int(min(Int64(buffer.count), data.upperBound - position))
                let filled = try file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: position)
                if filled == 0 { return }
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<filled]), UInt64(filled))
                position += Int64(filled)
            }
        }
    }

    /// Step by step, since the path may be longer than the kernel takes at once.
    private func open(_ path: BytePath) throws -> Descriptor {
        var folder = root
        let components = path.components.map(Array.init)
        for name in components.dropLast() { folder = try folder.open(name, .directory) }
        return try folder.open(components.last ?? [], .nonBlocking)
    }
}
