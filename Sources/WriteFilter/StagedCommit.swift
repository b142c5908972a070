// What is to stay of a session: kept in the state first, durable on return, and brought below the overlay when nothing uses it, which
// is at the start of the machine, or while a folder's overlay is away for a moment.
//
//     <state>/journal/commit-<place>-<number>/
//         parts.hf, identity    what comes (see KeptParts)
//         list                  what is done, a line each: delete, whole or alone, and the path below the place in hexadecimal digits
//         begun                 since when it is brought below, where nothing covers the folder meanwhile

internal import Glibc
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints

struct StagedCommit {
    let journal: Journal
    /// The filtered place.
    let place: BytePath
    var progress = Progress()

    // MARK: Keeping it

    /// Keeps what is to stay; on return it is durable, and it is brought below sooner or later. A crash before leaves nothing.
    /// - Returns: how many entries could not be read; each was named, and stays as it is on the disk.
    func stage(_ changes: ChangeSet, of seen: Descriptor, findings: Findings) throws -> UInt64 {
        try journal.make()
        let folder = try Descriptor.open(journal.folder, .directory)
        let staging = Array("staging".utf8)
        try folder.removeTree(staging)
        try folder.makeDirectory(staging)
        let path = journal.folder.appending(staging)
        let missed = try KeptParts(in: path).keep(
            changes.parts, of: seen, named: place, progress: progress, findings: findings)
        var lines: [String] = []
        for (word, paths) in [("delete", changes.deletes), ("whole", changes.whole), ("alone", changes.alone)] {
            lines += paths.map { "\(word) \(hexadecimal($0))\n" }.sorted()
        }
        try replaceFile(path.appending("list"), Array((lines.joined() + "end\n").utf8))
        var number: UInt64 = 1
        if case .commit(_, let last) = try journal.commits(of: place).last { number = last &+ 1 }
        // The commit point.
        try renameFile(path, to: journal.folder.appending(Journal.Entry.commit(place: place, number: number).name))
        return missed
    }

    // MARK: Bringing it below

    /// Brings everything that waits for a place to where the place itself is. Whatever interrupts it, the next call goes on; what cannot be
    /// brought is named, and the commit is done with.
    /// - Parameter ground: the place as it is below the overlay.
    static func apply(_ journal: Journal, for place: BytePath, on ground: Descriptor, findings: Findings) throws {
        for entry in try journal.commits(of: place) {
            let commit = StagedCommit(journal: journal, place: place)
            let changes: ChangeSet
            do { changes = try commit.read(entry, findings) } catch {
                // What a disk that is away, or a machine short of something, says is no damage: it is tried again.
                if let error = error as? SystemError, !error.isAbsent, !error.isBelowFile, error.code != EINVAL {
                    throw error
                }
                if error is Interrupted { throw error }
                try commit.setAside(entry, explained(error).sentence, findings)
                continue
            }
            try commit.apply(entry, changes, ground, findings)
        }
    }

    /// What is to be done, once all of it is known to be whole: what goes would otherwise be gone, and what comes not there.
    private func read(_ entry: Journal.Entry, _ findings: Findings) throws -> ChangeSet {
        let folder = journal.path(of: entry)
        let changes = try Self.read(folder.appending("list"))
        let before = findings.count
        try KeptParts(in: folder).check(changes.parts, named: place, findings: findings)
        if findings.count > before {
            throw FilterError.damagedPlan(file: folder, reason: "what it keeps cannot be read")
        }
        return changes
    }

    /// One that is damaged is never brought. It stays for who may want what is left of it, and is in the way of nothing any more.
    private func setAside(_ entry: Journal.Entry, _ reason: String, _ findings: Findings) throws {
        let aside = journal.folder.appending("damaged-\(entry.name)-\(Timestamp.now().seconds)")
        try renameFile(journal.path(of: entry), to: aside)
        findings.add(
            Finding(
                .notRestored, place,
                "a commit of it is damaged and was not brought to the disk: \(reason); it lies in \(aside)"))
    }

    private func apply(
        _ entry: Journal.Entry, _ changes: ChangeSet, _ ground: Descriptor, _ findings: Findings
    ) throws {
        let folder = journal.path(of: entry)
        let kept = try putAsideWhatCame(folder, changes, ground, findings)
        for path in changes.deletes.subtracting(kept).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let path = BytePath(path)
            do throws(SystemError) {
                let above = try ground.openFolder(of: path)
                let before = try above.status().modified
                try above.removeTree(path.lastComponent)
                // Where the folder itself comes, it gets its own time later.
                try above.setModificationTime(seconds: before.seconds, nanoseconds: before.nanoseconds)
            } catch {
                if error.isAbsent { continue }
                if error.isUnreachable || error.isFull { throw error }
                findings.add(Finding(.notRestored, place.appending(path.bytes), error.reason))
            }
        }
        _ = try KeptParts(in: folder).bring(
            changes.parts, onto: ground, named: place, keptAttributes: OverlayMarks.attributes, progress: progress,
            findings: findings)
        try ground.synchronizeFileSystem()
        // From here on it is done: a crash before repeats what has been done, to the same end; one after it leaves what nobody names.
        let (all, done) = (try Descriptor.open(folder.parent, .directory), Array("done".utf8))
        try all.removeTree(done)
        try renameFile(folder, to: folder.parent.appending(done))
        try all.removeTree(done)
    }

    private static func read(_ file: BytePath) throws -> ChangeSet {
        let text = String(decoding: try readRegular(file, limit: 1 << 28), as: UTF8.self)
        var lines = text.split(separator: "\n")
        guard lines.popLast() == "end" else { throw FilterError.damagedPlan(file: file, reason: "it has no end") }
        var changes = ChangeSet()
        for line in lines {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 2, let path = decodeHexadecimal(words[1]) else {
                throw FilterError.damagedPlan(file: file, reason: "a line is none")
            }
            switch words[0] {
            case "delete": changes.deletes.insert(path)
            case "whole": changes.whole.insert(path)
            case "alone": changes.alone.insert(path)
            default: throw FilterError.damagedPlan(file: file, reason: "a line is none")
            }
        }
        return changes
    }
}
