// While a commit is brought to a folder, nothing covers the folder; where that is cut short, whoever writes there then writes to the disk.
// What goes on with the commit neither replaces nor removes that.

internal import Glibc
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints

extension StagedCommit {
    /// Writes down that commits of a place are brought to the disk from now on.
    /// - Returns: those of which it was not written down yet.
    static func begin(_ commits: [Journal.Entry], in journal: Journal) throws -> [BytePath] {
        try commits.map { journal.path(of: $0).appending(beginning) }.filter { mark in
            if exists(mark) { return false }
            try writeNew(mark, [])
            return true
        }
    }

    private static let beginning = Array("begun".utf8)

    /// Puts aside what was written to the disk since it was begun. Nobody but the start of the machine is there before `/` is covered.
    /// - Parameter folder: of the commit.
    /// - Returns: what is not to be deleted.
    func putAsideWhatCame(
        _ folder: BytePath, _ changes: ChangeSet, _ ground: Descriptor, _ findings: Findings
    ) throws -> Set<[UInt8]> {
        let mark = folder.appending(Self.beginning)
        guard place != "/", exists(mark) else { return [] }
        return try putAside(
            since: Descriptor.open(mark, .noFollow).status().changed, KeptParts(in: folder), changes, ground, findings)
    }

    private func putAside(
        since begun: Timestamp, _ kept: KeptParts, _ changes: ChangeSet, _ ground: Descriptor, _ findings: Findings
    ) throws -> Set<[UInt8]> {
        let since = try changes.deletes.union(changes.whole).reduce(
            into: [[UInt8]: [(path: [UInt8], status: FileStatus)]]()
        ) {
            let files = try Self.files(at: $1, in: ground, changedSince: begun)
            if !files.isEmpty { $0[$1] = files }
        }
        if since.isEmpty { return [] }
        let committed = try kept.entries()
        func isBrought(_ file: (path: [UInt8], status: FileStatus)) throws -> Bool {
            guard let entry = committed[file.path], entry.kind == file.status.kind else { return false }
            switch entry.kind {
            case .file: return entry.modified == file.status.modified && entry.size == file.status.size
            // It gets its time last.
            case .symbolicLink:
                let path = BytePath(file.path)
                return try ground.openFolder(of: path).readLink(path.lastComponent) == entry.target
            default: return true
            }
        }
        let deleted = try changes.deletes.filter { try since[$0].map { try !$0.allSatisfy(isBrought) } ?? false }
        for path in deleted {
            let path = place.appending(path)
            findings.add(
                Finding(.notRestored, path, "it was written to while its deletion was being committed: it stays"))
        }
        // What no commit is about stays anyway.
        for file in changes.whole.flatMap({ since[$0] ?? [] }) where try committed[file.path] != nil && !isBrought(file)
        {
            let path = BytePath(file.path)
            let above = try ground.openFolder(of: path)
            let aside = path.lastComponent.prefix(255 - 32) + Array(".meanwhile.\(Timestamp.now().text)".utf8)
            try Self.keep(path.lastComponent, file.status, as: Array(aside), in: above)
            findings.add(
                Finding(
                    .notRestored, place.appending(path.bytes),
                    "it was written to while a commit of it was being brought to the disk; that is in \(printable(aside)) now"
                ))
        }
        return deleted
    }

    /// Gives a file another name. One with content is copied: an overlay that has written to it before knows it by its inode, and would
    /// show what it has written under that name.
    private static func keep(
        _ name: [UInt8], _ status: FileStatus, as aside: [UInt8], in folder: Descriptor
    ) throws {
        guard status.kind == .file else { return try folder.move(name, to: aside, in: folder) }
        let file = try folder.open(name, .nonBlocking)
        let copy = try folder.open(aside, [.write, .create, .exclusive], mode: 0o600)
        do {
            guard try file.copyContent(to: copy, size: status.size) else {
                throw SystemError(EAGAIN, "copy", printable(name))
            }
            if let problem = try copy.setExtendedAttributes(file.extendedAttributes(), fresh: true).first {
                throw problem
            }
            try copy.setOwner(user: status.user, group: status.group)
            try copy.setMode(status.mode)
            try copy.setModificationTime(seconds: status.modified.seconds, nanoseconds: status.modified.nanoseconds)
            try copy.synchronize()
            try folder.remove(name)
        } catch {
            try? folder.remove(aside)
            throw error
        }
    }

    /// The files, not folders, at a path and below it that were changed later than at a time.
    private static func files(
        at path: [UInt8], in ground: Descriptor, changedSince time: Timestamp
    ) throws -> [(path: [UInt8], status: FileStatus)] {
        if path.isEmpty { return [] }
        let name = BytePath(path).lastComponent
        let status: FileStatus
        let above: Descriptor
        do throws(SystemError) {
            above = try ground.openFolder(of: BytePath(path))
            status = try above.status(of: name)
        } catch {
            if error.isAbsent || error.isBelowFile { return [] }
            throw error
        }
        guard status.kind == .directory else { return status.changed > time ? [(path, status)] : [] }
        var found: [(path: [UInt8], status: FileStatus)] = []
        let walk = try TreeWalk(above.open(name, .directory))
        while let step = walk.next() {
            // What cannot be looked at is for whoever replaces or removes it to name.
            guard case .entry(let entry) = step, entry.status.changed > time else { continue }
            found.append((path + [UInt8(ascii: "/")] + entry.path, entry.status))
        }
        return found
    }
}
