// What the start of the machine does about the filter of `/`, before anything uses it: what was committed goes below, a service start is
// spent, the filter comes over it. Whatever is missing, the machine starts; what was not done is written down, and said.

internal import Boot
public import Machine
public import Platform
public import Reporting

extension WriteFilter {
    /// Whether the start of the machine has anything to do about `/`.
    public var concernsRoot: Bool {
        // Where the folder is none, nobody knows whether it has.
        exists(area.planFile(of: "/")) || exists(area.folder) && !hasFolder
    }

    private var hasFolder: Bool { (try? Descriptor.open(area.folder, .directory)) != nil }

    /// Whether it changes anything that stays: then it is on record.
    public var changesRoot: Bool {
        get throws {
            try translated { try exists(area.serviceToken) || !journal.commits(of: "/").isEmpty }
        }
    }

    /// - Parameters:
    ///   - root: where `/` is mounted, to be written to.
    ///   - path: where the state is once the machine runs.
    ///   - alarms: what the start found before.
    /// - Returns: what is not as it was decided, in sentences.
    public func startRoot(
        at root: BytePath, state path: BytePath, alarms: [String], findings: Findings,
        holding lock: borrowing MachineLock
    ) throws -> [String] {
        try changing(holding: lock) {
            var lines = alarms.map(SessionLine.alarm)
            _ = try FilterMounts.makeBase(of: "/")
            do {
                try StagedCommit.apply(journal, for: "/", on: Descriptor.open(root, .directory), findings: findings)
            } catch {
                lines.append(
                    .alarm(
                        "what was committed could not be brought to the disk, and waits in \(path)/filter: \(explained(error).sentence)"
                    ))
            }
            do { lines += try cover(root, path) } catch {
                lines += [
                    .mode(.writable),
                    .alarm("\(FilterError.wrapping(error)): the machine is NOT protected"),
                ]
            }
            try FilterSession.write(lines, for: "/")
            return lines.compactMap { if case .alarm(let text) = $0 { text } else { nil } }
        }
    }

    private func cover(_ root: BytePath, _ path: BytePath) throws -> [SessionLine] {
        if !hasFolder { throw FilterError.damagedPlan(file: area.folder, reason: "it is no folder") }
        guard let plan = try area.plan(of: "/"), plan.isEnabled else {
            SessionClone.tryToDrop(of: root)
            return [.mode(.writable)]
        }
        var lines: [SessionLine] = []
        if exists(area.serviceToken) {
            do {
                // One writable start was wanted: it is spent before anything else runs.
                try forgetService()
                SessionClone.tryToDrop(of: root)
                return [.mode(.service)]
            } catch {
                lines.append(
                    .alarm("the service start could not be marked as spent, and the machine stays protected: \(error)"))
            }
        }
        return try lines + RootCover(plan, over: root, state: (state, path)).put()
    }

    /// Brings what the start of the machine does about filters up to date with this program.
    public func refresh(holding lock: borrowing MachineLock) throws {
        try changing(holding: lock) {
            let decided = try area.plans().filter(\.isEnabled)
            if decided.contains(where: { $0.path == "/" }) { try Initramfs.install(state: state) }
            if !decided.isEmpty { try Units.installFilter(state: state) }
        }
    }
}
