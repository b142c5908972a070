// An exact restore takes away what is not in the image: only from folders of which every name in the image is known, never
// from another file system, and never what is Holdfast's own.

internal import Glibc
internal import Platform
internal import Reporting

extension RestoreFolder {
    /// Whether another file system is mounted on it, as on `/proc`: to be exact about this one means to leave that one alone.
    var isElsewhere: Bool {
        guard restorer.request.isExact, let status = try? descriptor()?.status() else { return false }
        return restorer.border?.isCrossed(by: status) ?? true
    }

    /// Removes all names but these.
    func removeOthers(than keep: Set<[UInt8]>) {
        guard let folder = descriptor(), !isElsewhere else { return }
        Self.empty(folder, at: path, except: keep, restorer: restorer)
    }

    /// Returns whether the folder is empty now.
    @discardableResult
    private static func empty(
        _ folder: Descriptor, at path: BytePath, except keep: Set<[UInt8]>, restorer: Restorer
    ) -> Bool {
        var isEmpty = keep.isEmpty
        do throws(SystemError) {
            let names = try DirectoryListing(of: folder)
            for index in 0..<names.count where !keep.contains(names[index]) {
                // A file under way has a name of its own until it is whole.
                if restorer.partialNames.isOwn(names[index]) { continue }
                let below = path.appending(names[index])
                if try !removeTree(names[index], in: folder, at: below, restorer: restorer) {
                    isEmpty = false
                }
            }
        } catch {
            isEmpty = false
            restorer.findings.add(Finding(.notRestored, path, error.description))
        }
        return isEmpty
    }

    /// Removes what has the name, with all that is in it. Returns false where something of it has to stay.
    static func removeTree(
        _ name: [UInt8], in folder: Descriptor, at path: BytePath, restorer: Restorer
    ) throws(SystemError) -> Bool {
        let status = try folder.status(of: name)
        if restorer.border?.isCrossed(by: status) ?? true || restorer.own.contains(FileIdentity(status)) {
            return false
        }
        guard status.kind == .directory else {
            try restorer.makeRoom(for: name, in: folder)
            restorer.countRemoved()
            return true
        }
        let child = try folder.open(name, .directory)
        // Something is mounted on it: it belongs to nobody here.
        if restorer.border?.isCrossed(by: try child.status()) ?? true { return false }
        if let flags = child.flags, flags & Descriptor.protectingFlags != 0 {
            try child.setFlags(flags & ~Descriptor.protectingFlags)
        }
        guard empty(child, at: path, except: [], restorer: restorer) else { return false }
        try folder.remove(name, directory: true)
        restorer.countRemoved()
        return true
    }
}
