// One walk over a tree, for all who only look: from descriptor to descriptor, following no link, at any depth with a bounded number of open
// files and without calling itself.

internal import Glibc

public final class TreeWalk {
    /// What is in a folder.
    public struct Entry {
        public var name: [UInt8]
        /// Below the root, names joined by `/`.
        public var path: [UInt8]
        public var status: FileStatus
        /// The folder that it is in.
        public var folder: Descriptor
        /// Something else begins here: it is not entered.
        public var isBorder: Bool
    }

    public enum Step {
        /// Anything that is not entered.
        case entry(Entry)
        /// A folder. What is in it comes next, then `leave`.
        case enter(Entry, Descriptor)
        case leave
        /// What is there, or the rest of what is in a folder, cannot be looked at.
        case unreadable(path: [UInt8], SystemError)
    }

    /// What is not to be seen.
    public struct Rules {
        public var own: Set<FileIdentity> = []
        /// Asked before anything is looked at.
        public var isLeftOut: (_ name: [UInt8], _ path: [UInt8]) -> Bool = { _, _ in false }
        public var isBorder: (FileStatus) -> Bool = { _ in false }

        public init() {}
    }

    private struct Level {
        var names: DirectoryListing
        var next = 0
        /// Of the path before this folder's name came to it.
        var pathLength: Int
    }

    private let rules: Rules
    private var folders: FolderStack
    private var levels: [Level] = []
    private var path: [UInt8] = []
    /// A folder that was told of and is entered by the next step.
    private var entering: (entry: Entry, folder: Descriptor)?
    private var pending: Step?

    /// - Parameter root: an open folder. It is no entry of its own.
    public init(_ root: Descriptor, rules: Rules = Rules()) throws(SystemError) {
        self.rules = rules
        folders = FolderStack(root, status: try root.status())
        levels = [Level(names: try DirectoryListing(of: root), pathLength: 0)]
    }

    /// Folders on the way to what is looked at, the root among them.
    public var depth: Int { levels.count }

    /// The folder whose names are being told, after `leave` the one above; nil where it could not be found again.
    public var current: Descriptor? { folders.current }

    /// Passes over what is in the folder that was entered last; `leave` comes next.
    public func skip() {
        guard entering != nil else { return }
        entering = nil
        pending = .leave
    }

    /// The next step; nil at the end.
    public func next() -> Step? {
        if let step = pending.take() { return step }
        if let (entry, folder) = entering.take(), let failed = enter(entry, folder) { return failed }
        while let level = levels.last {
            guard level.next < level.names.count else {
                if levels.count == 1 {
                    levels = []
                    return nil
                }
                leave(level)
                return .leave
            }
            levels[levels.count - 1].next += 1
            if let step = look(at: level.names[level.next]) { return step }
        }
        return nil
    }

    private func look(at name: [UInt8]) -> Step? {
        let below = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        guard let folder = folders.current, !rules.isLeftOut(name, below) else { return nil }
        let status: FileStatus
        do throws(SystemError) {
            status = try folder.status(of: name)
        } catch {
            // What vanishes between the listing and the look is not there.
            return error.isAbsent ? nil : .unreadable(path: below, error)
        }
        if rules.own.contains(FileIdentity(status)) { return nil }
        let entry = Entry(
            name: name, path: below, status: status, folder: folder, isBorder: rules.isBorder(status))
        guard status.kind == .directory, !entry.isBorder else { return .entry(entry) }
        do throws(SystemError) {
            let child = try folder.open(name, .directory)
            entering = (entry, child)
            return .enter(entry, child)
        } catch {
            pending = .unreadable(path: below, error)
            return .entry(entry)
        }
    }

    /// Goes into a folder, or says why it cannot; then it is left again.
    private func enter(_ entry: Entry, _ folder: Descriptor) -> Step? {
        do throws(SystemError) {
            let names = try DirectoryListing(of: folder)
            folders.enter(folder, name: entry.name, status: try folder.status())
            levels.append(Level(names: names, pathLength: path.count))
            path = entry.path
            return nil
        } catch {
            pending = .leave
            return .unreadable(path: entry.path, error)
        }
    }

    private func leave(_ level: Level) {
        levels.removeLast()
        path.removeSubrange(level.pathLength...)
        do throws(SystemError) {
            try folders.leave()
        } catch {
            // Moved away while what is in it was looked at: its names are of no use any more.
            levels[levels.count - 1].next = levels[levels.count - 1].names.count
            pending = .unreadable(path: path, error)
        }
    }
}
