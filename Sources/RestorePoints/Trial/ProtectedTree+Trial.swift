// What a trial is begun, counted and ended by.

public import Machine
public import Platform
internal import Reporting

extension ProtectedTree {
    // MARK: Looking

    /// What there is of a trial. Needs no privilege where the state can be read.
    public static func trial(state: BytePath) throws -> Trial? {
        do { return try StateArea(folder: state).readTrial() } catch { throw PointError.wrapping(error) }
    }

    /// - Throws: where a trial is not at its end: nobody goes elsewhere before.
    func refuseOpenTrial() throws {
        guard let trial = try area.readTrial(), trial.isOpen else { return }
        throw refusal(trial)
    }

    func refusal(_ trial: Trial) -> PointError {
        trial.stage == .returning
            ? .trialReturns(subject: trial.subject, returnTo: trial.returnTo)
            : .trialOpen(subject: trial.subject, returnTo: trial.returnTo)
    }

    // MARK: Beginning

    /// Begins the trial of what is done next to this state: not confirmed, it returns to a point.
    /// - Parameter name: of the point to return to; nil: one is made.
    public func beginTrial(
        _ terms: TrialTerms, returningTo name: String?, user: String, holding lock: borrowing MachineLock
    ) throws -> Trial {
        try translated {
            try refuseOpenTrial()
            let refusals = try trialPreflight(nil, terms).filter(\.isRefusal)
            if !refusals.isEmpty { throw PointError.refused(refusals) }
        }
        let time = Timestamp.now().seconds
        let point: RestorePoint
        if let name {
            point = try self.point(named: name)
        } else {
            var request = PointRequest(name: try freeName("before-trial.\(Self.timeName(time))"))
            request.message = "what a trial returns to, unless it is confirmed"
            let created = try create(request, user: user, holding: lock)
            if created.findings > 0 {
                throw PointError.unreadable(root: root, findings: created.findings)
            }
            point = created.point
        }
        return try changing(holding: lock) { table in
            try refuseOpenTrial()
            _ = try Self.point(point, in: table.points)
            var trial = try newTrial("update", nil, to: point, terms, user)
            try area.keepTrialReserve()
            try area.write(&trial)
            do { try beginCounting(trial) } catch {
                try? area.removeTrial()
                endCountingLater()
                throw error
            }
            return trial
        }
    }

    /// The record of a trial that is about to begin.
    func newTrial(
        _ verb: String, _ target: RestorePoint?, to point: RestorePoint, _ terms: TrialTerms, _ user: String
    ) throws -> Trial {
        var trial = Trial(
            verb: verb, target: target?.name, targetID: target?.id, returnTo: point.name, returnID: point.id,
            triesLeft: 1, minutes: terms.minutes, level: terms.level ?? 2, user: user,
            begun: Timestamp.now().seconds, boot: HostFacts.bootIdentifier, since: 0)
        // What was known of an earlier one is older, wherever a crash leaves it.
        trial.revision = try area.readTrial()?.revision ?? 0
        return trial
    }

    // MARK: Counting

    /// What a start of the machine finds of a trial, and has done about it.
    public enum TrialAtStart: Sendable {
        case none
        /// The state on trial is not in use yet.
        case waits(Trial)
        /// It is counted, and goes on.
        case open(Trial)
        /// The old state is back, or will be with the next start, where that is pending.
        case returned(Trial, Switched)
        /// It does not hold, and returns once what goes with the tree is mounted.
        case later(Trial)
    }

    /// Counts this start, durably, before anything goes on; one too many returns.
    ///
    /// A crash before the count leaves the start uncounted, and it has used nothing of the state; one behind it leaves it counted. From
    /// `returning` on each start goes on with the return: the switch has its own journal, and its point tells that it is at its end.
    /// - Parameters:
    ///   - isBoot: nothing uses the tree yet.
    ///   - boot: what tells this start from others.
    ///   - lines: the last lines of the system's journal, for the record of one that did not hold.
    public func meetTrial(
        isBoot: Bool, boot: String = HostFacts.bootIdentifier, lines: () -> [String] = { [] },
        holding lock: borrowing MachineLock
    ) throws -> TrialAtStart {
        try check(lock)
        defer { endCountingLater() }
        return try translated {
            var table = try area.readTable()
            guard var trial = try settledTrial(&table), trial.isOpen else { return .none }
            if let journal = try area.readSwitch() {
                let isEffective = try journal.change.map(backend.isEffective) == true
                if trial.stage == .open, !isEffective { return .waits(trial) }
                // Its switch was begun before this start.
                if trial.stage == .returning {
                    // What finishes it comes later in this start.
                    if isBoot, isEffective, !backend.appliesAtBoot { return .none }
                    // No loop: the same start is begun anew once.
                    if journal.waits, !isEffective, journal.boot != boot, !backend.appliesAtBoot {
                        throw PointError.notReturned(returnTo: trial.returnTo)
                    }
                    let recovery = try recover(&table, isBoot: isBoot && backend.appliesAtBoot)
                    let settled = try settledTrial(&table)
                    if case .finished(let switched) = recovery { return .returned(settled ?? trial, switched) }
                }
            }
            if trial.stage == .open {
                if trial.boot == boot { return .open(trial) }
                if trial.triesLeft > 0 {
                    trial.triesLeft -= 1
                    trial.starts = min(trial.starts, 1 << 30) + 1
                    (trial.boot, trial.since) = (boot, 0)
                    try area.write(&trial)
                    // What the counter took of it is put by again where there is room.
                    try? area.keepTrialReserve()
                    return .open(trial)
                }
                trial.reason = "the machine was started again before it was confirmed"
                trial.lines = lines()
                trial.stage = .returning
                try area.write(&trial)
            }
            if isBoot, !self.boot.areThere { return .later(trial) }
            let switched = try returnFromTrial(&trial, isBoot: isBoot, holding: lock)
            return try .returned(area.readTrial() ?? trial, switched)
        }
    }

    /// The time of a trial is over, or somebody says that it does not hold: the next start returns.
    /// - Returns: whether one was open.
    public func failTrial(reason: String, lines: [String], holding lock: borrowing MachineLock) throws -> Bool {
        try check(lock)
        return try translated {
            guard var trial = try area.readTrial(), trial.stage == .open else { return false }
            (trial.stage, trial.reason, trial.lines) = (.returning, reason, lines)
            try area.write(&trial)
            return true
        }
    }

    // MARK: Returning

    private static let returning = "return"

    func returnFromTrial(
        _ trial: inout Trial, isBoot: Bool, holding lock: borrowing MachineLock
    ) throws -> Switched {
        do {
            // Whatever fills the disk: what is written from here on has had its room from the beginning.
            try area.giveTrialReserve()
            return try changing(holding: lock) { table in
                guard let target = table.points.first(where: { $0.id == trial.returnID }) else {
                    throw PointError.unknownPoint(name: trial.returnTo, near: nil)
                }
                let plan = SwitchPlan(
                    verb: Self.returning, target: target, discards: [], keepsBefore: true, findings: [],
                    request: .undo, revision: table.revision, tree: configuration.id,
                    folder: FileIdentity(try configuration.open(at: place).status()))
                var before = try newPoint(leftBy: plan, user: trial.user, in: table)
                before.failedTrial = trial.reason ?? ""
                trial.left = before.id
                try area.write(&trial)
                try mark(trial.targetID, trial.reason ?? "", &table)
                var switched = try begin(plan, leaving: before, &table)
                if isBoot, backend.appliesAtBoot, case .finished(let done) = try recover(&table, isBoot: true) {
                    switched = done
                }
                _ = try settledTrial(&table)
                return switched
            }
        } catch {
            if error is Interrupted { throw error }
            // What is in the way is told by status; each start tries again, and goes on in the state as it is.
            trial.problem = explained(error).sentence
            try? area.write(&trial)
            throw error
        }
    }

    /// A point whose trial did not hold is not tried again unasked.
    private func mark(_ id: String?, _ reason: String?, _ table: inout StateArea.Table) throws {
        guard let index = table.points.firstIndex(where: { $0.id == id }), table.points[index].failedTrial != reason
        else { return }
        table.points[index].failedTrial = reason
        try area.write(&table)
    }

    /// The record as the switch has left it: what a crash has kept from being noted is noted now.
    func settledTrial(_ table: inout StateArea.Table) throws -> Trial? {
        guard var trial = try area.readTrial(), trial.isOpen else { return try area.readTrial() }
        guard try area.readSwitch() == nil else { return trial }
        func isPoint(_ id: String?) -> Bool { table.points.contains { $0.id == id } }
        if trial.stage == .returning, isPoint(trial.left) {
            if trial.isByHand == true {
                try area.removeTrial()
                return nil
            }
            (trial.stage, trial.ended) = (.failed, Timestamp.now().seconds)
            trial.problem = nil
            try area.write(&trial)
            note("\(trial.subject) did not hold on trial, and \(trial.returnTo) is back: \(trial.reason ?? "")")
            return trial
        }
        if !isPoint(trial.returnID) {
            // Its switch never came, or was taken back: there is nothing to return from.
            if trial.verb != "update", trial.starts == 0, trial.since == 0 {
                try area.removeTrial()
                return nil
            }
            // Nobody can return, and nobody has confirmed it: that is said until somebody does.
            if trial.problem == nil {
                trial.problem = "the point \(trial.returnTo), which it would return to, is gone"
                try area.write(&trial)
                note("\(trial.subject) is on trial and cannot return: \(trial.problem ?? "")")
            }
            return trial
        }
        if trial.stage == .returning, trial.isByHand == true {
            (trial.stage, trial.isByHand, trial.left) = (.open, nil, nil)
            try area.write(&trial)
        }
        return trial
    }

    // MARK: Confirming

    public enum Confirmation: Sendable {
        /// No trial is open.
        case none
        case kept(Trial)
        /// It has failed before, which somebody has taken note of now.
        case acknowledged(Trial)
        /// What was there of it could not be read, and is gone; the state of now stays.
        case unreadable
    }

    /// Keeps the state of now.
    public func confirmTrial(holding lock: borrowing MachineLock) throws -> Confirmation {
        try check(lock)
        let confirmation = try translated { try confirmed() }
        // The record goes first: a crash between the two has the boot loader find the recovery system, which finds no trial and restarts.
        try translated { try endCounting() }
        return confirmation
    }

    private func confirmed() throws -> Confirmation {
        var table = try area.readTable()
        _ = try recover(&table)
        let found: Trial?
        do { found = try settledTrial(&table) } catch PointError.damagedState {
            try area.removeTrial()
            return .unreadable
        }
        guard let trial = found else { return .none }
        if trial.stage == .failed {
            try area.removeTrial()
            return .acknowledged(trial)
        }
        if let journal = try area.readSwitch(), journal.waits {
            if trial.stage == .open { throw PointError.trialWaits(subject: trial.subject) }
            // The return waits for the restart: it is taken back.
            try abandon(journal)
        }
        try mark(trial.targetID, nil, &table)
        try area.removeTrial()
        return .kept(trial)
    }
}
