// An exact restore takes away what is not in the image: only from folders of which every name in the image is known, never
// from another file system, and never what is Holdfast's own. Trees that go may be deeper than any stack.

internal import Glibc
internal import Platform
internal import Reporting

extension RestoreFolder {
    /// Whether another file system is mounted on it, as on `/proc`: to be exact about this one means to leave that one alone. What cannot be
    /// looked at is left alone, too.
    var isElsewhere: Bool {
        guard restorer.request.isExact else { return false }
        do throws(SystemError) {
            guard let status = try descriptor()?.status() else { return false }
            return restorer.border?.isCrossed(by: status) ?? true
        } catch { return true }
    }

    /// Removes all names but these.
    func removeOthers(than keep: Set<[UInt8]>) {
        guard let folder = descriptor(), !isElsewhere else { return }
        do throws(SystemError) {
            let keep = keep.union(try folded(keep, in: folder))
            var emptying = Emptying(restorer, path)
            _ = emptying.empty(folder, except: keep)
        } catch {
            restorer.findings.add(Finding(.notRestored, path, "nothing was taken away here: \(error)"))
        }
    }

    /// Removes a folder, with all that is in it. Returns false where something of it has to stay.
    static func removeTree(
        _ name: [UInt8], in folder: Descriptor, at path: BytePath, restorer: Restorer
    ) throws(SystemError) -> Bool {
        var emptying = Emptying(restorer, path)
        guard let child = try emptying.open(name, folder.status(of: name), in: folder),
            emptying.empty(child, except: [])
        else { return false }
        try folder.remove(name, directory: true)
        restorer.countRemoved()
        return true
    }
}

/// Takes away what is in a folder, from the inside out.
private struct Emptying {
    private struct Level {
        var names: DirectoryListing
        var next = 0
        /// The folder's own, and where it begins in the path.
        var name: [UInt8]
        var pathLength: Int
        /// Whether nothing has had to stay so far.
        var isEmpty = true
    }

    private let restorer: Restorer
    private let root: BytePath
    /// Below the root.
    private var path: [UInt8] = []
    private var levels: [Level] = []

    init(_ restorer: Restorer, _ root: BytePath) {
        self.restorer = restorer
        self.root = root
    }

    /// Returns whether the folder is empty now; what could not be removed has been named.
    mutating func empty(_ folder: Descriptor, except keep: Set<[UInt8]>) -> Bool {
        var folders: FolderStack
        do throws(SystemError) {
            folders = FolderStack(folder, status: try folder.status())
            levels = [Level(names: try DirectoryListing(of: folder), name: [], pathLength: 0, isEmpty: keep.isEmpty)]
        } catch {
            stay([], error)
            return false
        }
        while true {
            let last = levels.count - 1
            if levels[last].next == levels[last].names.count {
                let done = levels.removeLast()
                if last == 0 { return done.isEmpty }
                leave(done, &folders)
                continue
            }
            let name = levels[last].names[levels[last].next]
            levels[last].next += 1
            if last == 0, keep.contains(name) { continue }
            // A file under way has a name of its own until it is whole.
            if restorer.partialNames.isOwn(name) { continue }
            if restorer.isStopped { levels[last].isEmpty = false } else { take(name, &folders) }
        }
    }

    private mutating func take(_ name: [UInt8], _ folders: inout FolderStack) {
        let last = levels.count - 1
        guard let folder = folders.current else { return levels[last].isEmpty = false }
        do throws(SystemError) {
            let status = try folder.status(of: name)
            guard status.kind == .directory else {
                if isKept(status) { return levels[last].isEmpty = false }
                try restorer.remove(name, status, in: folder)
                return restorer.countRemoved()
            }
            guard let child = try open(name, status, in: folder) else { return levels[last].isEmpty = false }
            let level = Level(names: try DirectoryListing(of: child), name: name, pathLength: path.count)
            folders.enter(child, name: name, status: try child.status())
            levels.append(level)
            path += [UInt8(ascii: "/")] + name
        } catch { stay(name, error) }
    }

    private mutating func leave(_ done: Level, _ folders: inout FolderStack) {
        path.removeSubrange(done.pathLength...)
        let last = levels.count - 1
        do throws(SystemError) {
            try folders.leave()
        } catch {
            // Moved away meanwhile: its names are of no use any more.
            levels[last].next = levels[last].names.count
            return stay([], error)
        }
        guard done.isEmpty else { return levels[last].isEmpty = false }
        do throws(SystemError) {
            try folders.current?.remove(done.name, directory: true)
            restorer.countRemoved()
        } catch { stay(done.name, error) }
    }

    /// Opens a folder that is to go; nil where it has to stay.
    func open(_ name: [UInt8], _ status: FileStatus, in folder: Descriptor) throws(SystemError) -> Descriptor? {
        if isKept(status) { return nil }
        let child = try folder.open(name, .directory)
        // Something is mounted on it: it belongs to nobody here.
        if isKept(try child.status()) { return nil }
        _ = try restorer.liftProtection(of: child)
        return child
    }

    private func isKept(_ status: FileStatus) -> Bool {
        restorer.border?.isCrossed(by: status) ?? true || restorer.own.contains(FileIdentity(status))
    }

    private mutating func stay(_ name: [UInt8], _ error: SystemError) {
        if !levels.isEmpty { levels[levels.count - 1].isEmpty = false }
        restorer.stop(ifFatal: error)
        if restorer.isStopped { return }
        var place = path.isEmpty ? root : root.appending(path.dropFirst())
        if !name.isEmpty { place = place.appending(name) }
        restorer.findings.add(Finding(.notRestored, place, error.description))
    }
}
