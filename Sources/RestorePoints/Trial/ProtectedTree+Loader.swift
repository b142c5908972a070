// The boot loader's part in a trial: it counts where nothing of the machine's own comes to it, and has the recovery system return.

internal import Boot
public import Machine
internal import Platform

extension ProtectedTree {
    /// Says that the boot loader counts, or may: until that is taken back, each command and each start sees to it.
    private var loaderMark: BytePath { area.journalFolder.appending("trial.loader") }

    private var counter: StartCounter? {
        get throws { try StartCounter.found(state: area.folder, root: ground.place(of: "/")) }
    }

    /// Has the boot loader count from the next start on, where the trial asks for that.
    ///
    /// It is done before the switch. A crash between the two leaves a number without a trial, which the next start takes back.
    func beginCounting(_ trial: Trial) throws {
        guard root == "/", trial.level > 1 else { return }
        guard let counter = try counter else { throw BootError.loaderCannotCount(nil) }
        try replaceFile(loaderMark, [], mode: 0o644)
        try counter.begin(trial.verb != "update" && backend.appliesAtBoot ? .broughtAtStart : .inUse)
    }

    /// Has the boot loader count no more where no trial is open. Next to nothing where it does not.
    /// - Throws: where it would go on: then its recovery system finds no trial, and takes that back.
    func endCounting() throws {
        guard root == "/", exists(loaderMark) else { return }
        if let trial = try area.readTrial(), trial.isOpen, trial.isByHand != true { return }
        // One that is on a file system which is mounted later, as while the machine starts, waits for that.
        guard let counter = try counter else { throw BootError.counterNotThere }
        try counter.end()
        try removeFile(loaderMark)
        try synchronizeFolder(area.journalFolder)
    }

    /// The same where something else counts more; the next command sees to it again.
    func endCountingLater() { try? endCounting() }

    // MARK: From the recovery system

    /// Returns from what is on trial while nothing of the machine runs: the boot loader has found it unconfirmed, whether or not anything of it ever
    /// started. Repeated after a cut, it goes on.
    public func returnAtRest(
        reason: String, lines: () -> [String] = { [] }, holding lock: borrowing MachineLock
    ) throws -> TrialAtStart {
        try check(lock)
        let found = try translated {
            var table = try area.readTable()
            guard var trial = try settledTrial(&table), trial.isOpen else { return TrialAtStart.none }
            try boot.checkThere()
            if let journal = try area.readSwitch() {
                let isEffective = try journal.change.map(backend.isEffective) == true
                if trial.stage == .open, journal.waits, !isEffective {
                    // Nothing of it ever came: the machine is in its old state.
                    try abandon(journal)
                    _ = try settledTrial(&table)
                    return .waits(trial)
                }
                if trial.stage == .returning, case .finished(let switched) = try recover(&table) {
                    return .returned(try settledTrial(&table) ?? trial, switched)
                }
            }
            if trial.stage == .open {
                (trial.stage, trial.reason, trial.lines) = (.returning, reason, lines())
                try area.write(&trial)
            }
            let switched = try returnFromTrial(&trial, isBoot: false, holding: lock)
            return try .returned(area.readTrial() ?? trial, switched)
        }
        // From here on the machine starts in its old state: whoever cuts the power now finds nothing to return from.
        if let counter = try counter {
            try counter.end()
            if exists(loaderMark) { try removeFile(loaderMark) }
        }
        return found
    }
}
