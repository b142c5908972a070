// Root's writer keys and records of runs were in root's home folder: a rollback of `/` took them back, and a filter forgot them. They move
// to the machine's places, once, each durable in its new place before it goes from the old one. A crash leaves some in each; the next
// call goes on.

internal import Glibc
public import Platform

extension Places {
    /// Brings what is still in root's home folder over.
    /// - Returns: what to say about it.
    public func adoptHome() throws(SystemError) -> [String] {
        guard let home else { return [] }
        let old = home.appending(".local/state/holdfast/stores")
        guard old.parent != keys, let names = try list(old) else { return [] }
        var moved = 0
        for name in names where try adopt(old.appending(name), keys.appending("stores").appending(name)) { moved += 1 }
        // Caches only save time: they come along where that is one renaming.
        let caches = (old: home.appending(".cache/holdfast/stores"), new: cache.appending("stores"))
        if !exists(caches.new), exists(caches.old) {
            try makeFolders(cache)
            try? renameFile(caches.old, to: caches.new)
        }
        return moved == 0
            ? [] : ["moved the writer keys of \(moved) store\(moved == 1 ? "" : "s") from \(old) to \(keys)/stores"]
    }

    /// - Returns: whether a key came over.
    private func adopt(_ old: BytePath, _ new: BytePath) throws(SystemError) -> Bool {
        let (key, newKey) = (old.appending("writer.key"), new.appending("writer.key"))
        var hasMoved = false
        if exists(key) {
            let bytes = try readRegular(key, limit: 1 << 16)
            if !exists(newKey) {
                try makeFolders(new)
                try replaceFile(newKey, bytes)
                hasMoved = true
            }
            // Another key of the same store stays where it is: somebody made it, and nothing says that it is not wanted.
            if try readRegular(newKey, limit: 1 << 16) == bytes { try removeFile(key) }
        }
        let runs = old.appending("runs")
        for name in try list(runs) ?? [] {
            let record = runs.appending(name)
            // One that is locked is under way, with the program as it was before.
            guard let file = try? Descriptor.open(record, .write), file.tryLock() else { continue }
            let newRuns = new.appending("runs")
            try makeFolders(newRuns)
            if !exists(newRuns.appending(name)) { try writeNew(newRuns.appending(name), []) }
            try removeFile(record)
        }
        // Only what is empty goes.
        for folder in [runs, old] { _ = folder.withCString { rmdir($0) } }
        return hasMoved
    }

    /// nil where there is no such folder.
    private func list(_ folder: BytePath) throws(SystemError) -> [[UInt8]]? {
        do throws(SystemError) {
            let names = try DirectoryListing(of: Descriptor.open(folder, .directory))
            return (0..<names.count).map { names[$0] }
        } catch {
            if error.isAbsent || error.isPermission { return nil }
            throw error
        }
    }
}
