// What an interrupted switch would cost somebody who wrote in the meantime, or who lost the record of it: both become points.

internal import Images
internal import Machine
internal import Platform
internal import Reporting

extension ProtectedTree {
    /// A tree that is brought into a state entry by entry can be written to between an interruption and what goes on with it: what is there
    /// of neither state becomes a point first.
    func keepWhatCame(
        since journal: StateArea.SwitchRecord, _ change: Switch, _ table: inout StateArea.Table
    ) throws {
        guard !backend.isSwitchedInOneStep, let before = change.facts["before"] else { return }
        let now = try backend.listing(of: nil)
        func since(_ handle: String) throws -> [Difference] {
            try Difference.between(backend.listing(of: handle), now, content: false, progress: progress)
                .filter { $0.kind != .removed }
        }
        let ofBoth = try Set(since(before).map(\.path)).intersection(since(change.target).map(\.path))
        // A folder has the times of what was brought into it; a new one without anything in it is nobody's work.
        let isSomething = now.entries.contains { entry in
            entry.kind != .directory && ofBoth.contains(entry.path) && !entry.path.isPartialFile
        }
        if !isSomething { return }
        let time = Timestamp.now().seconds
        var point = RestorePoint(
            id: try Self.randomIdentifier(), name: Self.freeName("interrupted.\(Self.timeName(time))", in: table),
            time: time, user: journal.before.user, host: HostFacts.hostName,
            message: "what was there when the \(journal.verb) to \(journal.target.name) went on", tags: [:],
            origin: .beforeRollback, isFactory: false, isPinned: false, handle: "", kernel: HostFacts.kernelRelease)
        // A crash from here to the table leaves what the next command takes away, and makes once more.
        var unfinished = try area.readUnfinished()
        unfinished.made.append(point.id)
        try area.write(unfinished)
        let missed: UInt64
        (point.handle, missed) = try backend.create(point.id)
        if missed > 0 { throw PointError.unreadable(root: root, findings: missed) }
        table.points.append(point)
        try area.write(&table)
        note("what was written since the \(journal.verb) was interrupted is in the point \(point.name)")
    }

    /// A state that a switch has left, and of which the record is lost, is nobody's garbage.
    func keepStray(_ table: inout StateArea.Table) throws {
        let left = try (area.readUnfinished().left ?? []).filter { id in !table.points.contains { $0.id == id } }
        guard let stray = try backend.stray(of: left) else { return }
        // The table first: a crash before it is where its handle leads has this done again.
        if !table.points.contains(where: { $0.id == stray.id }) {
            let point = RestorePoint(
                id: stray.id, name: Self.freeName("found.\(Self.timeName(stray.time))", in: table), time: stray.time,
                user: "", host: HostFacts.hostName, message: "left by a rollback of which there is no record",
                tags: [:],
                origin: .beforeRollback, isFactory: false, isPinned: false, handle: stray.handle, kernel: "")
            table.points.append(point)
            try area.write(&table)
            note("what a rollback had left, of which there is no record any more, is the point \(point.name)")
        }
        try backend.keep(stray: stray)
    }
}
