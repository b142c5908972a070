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
        try walk(root)
    }

    private func walk(_ root: Descriptor) throws {
        var rules = TreeWalk.Rules()
        rules.own = own
        // The stub that a btrfs snapshot has in place of a nested subvolume has the number 2.
        rules.isBorder = { [border, isOnBtrfs] status in
            status.kind == .directory && (border.isCrossed(by: status) || isOnBtrfs && status.inode == 2)
        }
        let walk = try TreeWalk(root, rules: rules)
        while let step = walk.next() {
            switch step {
            case .entry(let entry): try take(entry)
            case .enter(let entry, _):
                try take(entry)
                // Each entry has its whole path: what no image holds is not held here, either.
                if walk.depth >= Format.maximumDepth || entry.path.count > Format.maximumPathLength {
                    entries[entries.count - 1].isUnseen = true
                    walk.skip()
                }
            case .leave: break
            case .unreadable(let path, _): unseen(BytePath(path))
            }
        }
    }

    private func take(_ entry: TreeWalk.Entry) throws {
        var listed = try listed(
            entry.status, at: BytePath(entry.path), in: entry.folder, name: entry.name, file: nil)
        listed.isBorder = entry.isBorder
        entries.append(listed)
    }

    /// What is in a folder cannot be seen, or not all of it: nobody can say that it is the same.
    private func unseen(_ path: BytePath) {
        // Not even an entry: then its folder is not known.
        let folder = path.bytes.contains(UInt8(ascii: "/")) ? path.parent : ""
        let index =
            entries.lastIndex { $0.path == path && $0.kind == .directory } ?? entries.lastIndex { $0.path == folder }
        if let index { entries[index].isUnseen = true }
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
