// A tree is more than its path: where its file system is not mounted, the path leads to an empty folder of another one, of which a point would
// be an empty one, and which a rollback would fill.

internal import Machine
internal import Platform

/// Where a tree is, besides its path.
struct TreeHome: Codable, Hashable, Sendable {
    /// The kind of the file system.
    var type: String
    /// Which one, where that can be told.
    var fileSystem: String?
    /// The folder in the file system, in hexadecimal digits; nil on btrfs, where a rollback puts another subvolume in its place, and on ZFS,
    /// where a dataset is known by its GUID.
    var folder: String?

    init(of tree: Descriptor) throws {
        guard let mount = try Mount.holding(tree) else {
            throw PointError.library("the mount that holds the tree cannot be told")
        }
        type = mount.type
        fileSystem = try tree.fileSystemIdentifier(of: mount)
        if !["btrfs", "zfs"].contains(type) { folder = hexadecimal(try tree.pathInFileSystem(of: mount).bytes) }
    }

    /// Opens the tree; whatever has its name later, what is opened is the tree.
    /// - Throws: `PointError.notThere` where it is not the one of set-up.
    func open(_ root: BytePath, at place: BytePath) throws -> Descriptor {
        let folder: Descriptor
        do throws(SystemError) { folder = try Descriptor.open(place, .directory) } catch {
            guard error.isAbsent else { throw error }
            throw PointError.notThere(root: root, reason: "there is no such folder")
        }
        let now = try TreeHome(of: folder)
        if now.type != type {
            throw PointError.notThere(root: root, reason: "it was on \(type), and what is there now is on \(now.type)")
        }
        if let fileSystem, let other = now.fileSystem, fileSystem != other {
            throw PointError.notThere(root: root, reason: "another file system is there now")
        }
        if now.folder != self.folder {
            throw PointError.notThere(root: root, reason: "its file system is not mounted there, or elsewhere now")
        }
        return folder
    }
}

extension StateArea.Configuration {
    /// Opens the tree where it is, or is not any more.
    func open(at place: BytePath) throws -> Descriptor {
        // Whoever reads the state of `/` has it from there.
        guard let home, rootPath != "/" else { return try Descriptor.open(place, .directory) }
        return try home.open(rootPath, at: place)
    }
}
