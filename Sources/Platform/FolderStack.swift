// The way from a tree's root down to the folder that is being looked at, and back up. A tree may be deeper than a process may have open
// files, so of the folders in between only the innermost stay open. One that was closed is opened again from the folder in it, by `..`, and
// compared: somebody may have moved either meanwhile.

internal import Glibc

public struct FolderStack {
    private struct Level {
        var folder: Descriptor?
        var identity: FileIdentity
        var name: [UInt8]
    }

    /// Folders that are open at once, the root apart.
    static let openLimit = 64

    private var levels: [Level] = []

    /// - Parameter status: the root's.
    public init(_ root: Descriptor, status: FileStatus) {
        levels.append(Level(folder: root, identity: FileIdentity(status), name: []))
    }

    /// How many folders there are on the way, the root among them.
    public var depth: Int { levels.count }

    /// The innermost folder; nil where it could not be found again.
    public var current: Descriptor? { levels.last?.folder }

    /// Goes into a folder that was opened in the current one.
    public mutating func enter(_ folder: Descriptor, name: [UInt8], status: FileStatus) {
        levels.append(Level(folder: folder, identity: FileIdentity(status), name: name))
        let outermost = levels.count - 1 - Self.openLimit
        if outermost > 0 { levels[outermost].folder = nil }
    }

    /// Goes back to the folder above.
    /// - Throws: where that is not what it was any more. It stays the current one, without a descriptor, and can be left.
    public mutating func leave() throws(SystemError) {
        guard levels.count > 1, let left = levels.popLast() else { return }
        let last = levels.count - 1
        if levels[last].folder != nil { return }
        if let child = left.folder, let above = try? child.open(Array("..".utf8), .directory),  // else from the root
            try FileIdentity(above.status()) == levels[last].identity
        {
            levels[last].folder = above
        } else {
            levels[last].folder = try fromRoot(last)
        }
    }

    private func fromRoot(_ level: Int) throws(SystemError) -> Descriptor {
        var place = levels[0].folder
        for next in levels[1...level] {
            let folder = try place?.open(next.name, .directory)
            guard let folder, try FileIdentity(folder.status()) == next.identity else {
                throw SystemError(ESTALE, "find again", printable(next.name))
            }
            place = folder
        }
        guard let place else { throw SystemError(ESTALE, "find again", "the folder") }
        return place
    }
}
