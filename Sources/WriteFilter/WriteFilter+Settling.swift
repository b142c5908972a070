// What a command of the filter that was cut short left is brought to its end by the next one, and by the start of the machine.

public import Machine
public import Platform
public import Reporting
internal import RestorePoints

extension WriteFilter {
    /// Brings to its end what commands of the filters of folders were at when they were cut short.
    /// - Parameter findings: gets what has to wait for whoever uses a folder.
    /// - Returns: the places where something came to its end.
    public func recover(findings: Findings, holding lock: borrowing MachineLock) throws -> [BytePath] {
        try changing(holding: lock) {
            try area.places().filter { place in
                do { return try settle(place, findings) } catch let error as FilterError {
                    guard case .busy = error else { throw error }
                    findings.add(Finding(.notRestored, place, error.sentence))
                    return false
                }
            }
        }
    }

    /// Goes on with what is written down as under way, and brings to the disk what was committed and waits, where nothing uses the folder.
    /// - Returns: whether there was something.
    /// - Throws: `FilterError.busy`, with everything as it was
    @discardableResult
    func settle(_ place: BytePath, _ findings: Findings) throws -> Bool {
        guard place != "/", let plan = try area.plan(of: place) else { return false }
        switch FilterSession(path: place).unfinished {
        case .keeping? where try FolderOverlay.isKept(place):
            try FolderOverlay.requireUnused(place)
            try bringBelow(plan, findings)
            try noteMade(plan)
        case .keeping?, .forgetting?: try renew(plan, findings)
        case nil:
            // A commit that waits for whoever uses the folder waits on.
            guard FilterMounts.lower(of: place) != nil, try !journal.commits(of: place).isEmpty,
                FolderOverlay.lastingUsers(of: place).isEmpty
            else { return false }
            try bringBelow(plan, findings)
        }
        return true
    }

    private func bringBelow(_ plan: FilterPlan, _ findings: Findings) throws {
        try uncovering(plan, findings) { try bring(plan.path, onto: $0, findings) }
    }

    /// Forgets what the session wrote and did not commit; what it did is brought to the disk. Where the folder is to be filtered, a new
    /// session begins.
    /// - Throws: `FilterError.busy`, with everything as it was
    func renew(_ plan: FilterPlan, _ findings: Findings) throws {
        // What covers it is looked at as it goes; without that, a new cover would come over whoever works in the folder.
        if plan.isEnabled, FilterMounts.lower(of: plan.path) == nil { try FolderOverlay.requireUnused(plan.path) }
        try FolderOverlay.clear(plan.path)
        try bring(plan.path, onto: plan.path, findings)
        if plan.isEnabled {
            try FolderOverlay.start(plan)
            try noteMade(plan)
            tellAlarms(of: plan.path, findings)
        } else {
            try FolderOverlay.stop(plan.path)
        }
    }

    /// What cannot be brought now is named, waits on, and is in the way of nothing else.
    private func bring(_ place: BytePath, onto ground: BytePath, _ findings: Findings) throws {
        guard try !journal.commits(of: place).isEmpty else { return }
        do {
            try StagedCommit.apply(
                journal, for: place, on: Descriptor.openWithoutLinks(ground, .directory), findings: findings)
        } catch {
            if error is Interrupted { throw error }
            findings.add(
                Finding(
                    .notRestored, place,
                    "what was committed is not on the disk, and waits for the next start: \(explained(error).sentence)")
            )
        }
    }

    /// What is not as it was decided, once a folder is covered anew.
    func tellAlarms(of place: BytePath, _ findings: Findings) {
        for alarm in FilterSession(path: place).alarms { findings.add(Finding(.notRestored, place, alarm)) }
    }

    /// What was made at the start is an exception like any other from now on: if it is gone one day, that is said.
    func noteMade(_ plan: FilterPlan) throws {
        guard !plan.toMake.isEmpty, let lower = FilterMounts.lower(of: plan.path) else { return }
        var plan = plan
        plan.toMake = plan.toMake.filter { !exists(lower.appending(plan.path.remainder(of: $0))) }
        try area.write(plan)
    }
}
