// Rollback, undo and factory reset: one mechanism, the journalled switch.
//
//     plan → (journal: scheduled → boot) → journal: preparing → prepare beside → journal: committing → commit → (journal: pending → in use) →
//     journal: finishing → the state that was left becomes a point → what is to go goes → journal removed
//
// A crash while preparing leaves the old state; from `committing` on the next call, or the next boot, goes on to the new one.

internal import Images
public import Machine
internal import Platform
internal import Reporting

extension ProtectedTree {
    // MARK: Planning

    /// The plan of a rollback to a point.
    /// - Parameter trial: it returns by itself unless it is confirmed.
    public func planRollback(
        to target: RestorePoint, discardNewer: Bool, trial: TrialTerms? = nil
    ) throws -> SwitchPlan {
        try translated { try plan(.rollback(to: target, discardNewer: discardNewer), area.readTable(), trial) }
    }

    /// The plan of the way back from the last rollback, or from a trial.
    public func planUndo(trial: TrialTerms? = nil) throws -> SwitchPlan {
        try translated { try plan(.undo, area.readTable(), trial) }
    }

    /// The plan of a factory reset.
    /// - Parameters:
    ///   - name: nil: the newest factory point.
    ///   - forTransfer: discards every other point.
    ///   - keep: what of the state of now goes into that state.
    public func planFactoryReset(
        to name: String?, keep: Set<KeepSet> = [], forTransfer: Bool
    ) throws -> SwitchPlan {
        try translated {
            try plan(.factoryReset(to: name, keep: keep, forTransfer: forTransfer), area.readTable())
        }
    }

    private func plan(
        _ request: SwitchRequest, _ table: StateArea.Table, _ terms: TrialTerms? = nil
    ) throws -> SwitchPlan {
        let journal = try area.readSwitch().flatMap { $0.waits ? $0 : nil }
        let trial = try area.readTrial().flatMap { $0.isOpen ? $0 : nil }
        // Somebody returns from one, or takes back what has not begun; nothing else comes between.
        if let trial, journal == nil || trial.stage == .returning, request != .undo || terms != nil || journal != nil {
            throw refusal(trial)
        }
        func plan(
            _ verb: String, _ target: RestorePoint, discards: some Collection<RestorePoint> = [],
            keepsBefore: Bool = true
        ) throws -> SwitchPlan {
            let folder = FileIdentity(try configuration.open(at: place).status())
            let findings =
                verb == "cancel"
                ? [] : try preflight(target) + (terms.map { try trialPreflight(target, $0) } ?? [])
            return SwitchPlan(
                verb: verb, target: target, discards: Array(discards), keepsBefore: keepsBefore,
                findings: findings, request: request, trial: terms, revision: table.revision,
                tree: configuration.id, folder: folder)
        }
        switch request {
        case .undo:
            if let journal {
                if terms != nil { throw PointError.pending(target: journal.target.name) }
                return try plan("cancel", journal.target)
            }
            guard let target = table.points.first(where: { $0.id == trial?.returnID ?? table.undo }) else {
                throw PointError.nothingToUndo
            }
            return try plan("undo", target)
        case _ where journal != nil: throw PointError.pending(target: journal?.target.name ?? "")
        case .rollback(let target, let discardNewer):
            _ = try Self.point(target, in: table.points)
            let newer = table.points.drop { $0.id != target.id }.dropFirst()
            return try plan(
                "rollback", target, discards: discardNewer ? newer.filter { !$0.isPinned && !$0.isFactory } : [])
        case .factoryReset(let name, let keep, let forTransfer):
            let target =
                try name.map(point) ?? table.points.last { $0.isFactory } ?? { throw PointError.noFactoryPoint }()
            var plan = try plan(
                "factory-reset", target, discards: forTransfer ? table.points.filter { !$0.isFactory } : [],
                keepsBefore: !forTransfer)
            let live = try Descriptor.open(place, .directory)
            plan.keeps = KeepSet.allCases.filter(keep.contains).flatMap { $0.paths(in: live) }
            return plan
        }
    }

    private func preflight(_ target: RestorePoint) throws -> [Preflight] {
        let waiting = try commitThatWaits().map {
            Preflight("commits-wait", $0.sentence, mend: $0.mend, isRefusal: true)
        }
        return try (waiting.map { [$0] } ?? []) + Preflight.common(place)
            + Preflight.packages(in: place, isRefusal: true) + Preflight.filterInTheWay(root, place)
            + backend.preflightRollback(to: target.handle)
    }

    /// What was committed of a filtered place belongs to the state of now, and is brought to it by the next start: until then there is no
    /// going back.
    private func commitThatWaits() throws -> PointError? {
        try Journal(state: state).placesOfCommits().first.map { .commitsWait(path: $0) }
    }

    /// - Throws: where a plan cannot be carried out as things are: nobody need be asked then.
    public func check(_ plan: SwitchPlan) throws {
        try translated {
            // It lasts longer than a filter that can be disabled.
            if let error = try commitThatWaits() { throw error }
            let refusals = plan.findings.filter(\.isRefusal)
            if !refusals.isEmpty { throw PointError.refused(refusals) }
        }
    }

    // MARK: Switching

    /// What came of a switch.
    public struct Switched: Sendable {
        /// As of the plan.
        public var verb: String
        public var target: RestorePoint
        /// The state that was left, as a point; nil where the plan was to keep none, and until a pending switch is in use.
        public var before: RestorePoint?
        public var isPending: Bool
        /// Entries that could not be brought into the target's state; each was named.
        public var findings: UInt64
    }

    /// Carries out a plan, if it still fits.
    public func carryOut(_ plan: SwitchPlan, user: String, holding lock: borrowing MachineLock) throws -> Switched {
        if plan.verb == "cancel" { return try cancel(plan, holding: lock) }
        if plan.findings.contains(where: \.isRefusal) { try check(plan) }
        return try changing(holding: lock) { table in
            try plan.check(isStill: { try self.plan(plan.request, table, plan.trial) }, unless: PointError.self)
            let before = try newPoint(leftBy: plan, user: user, in: table)
            let trial = try area.readTrial()
            if var trial, trial.isOpen {
                // Who returns from a trial has ended it: from here on it goes where it came from.
                (trial.stage, trial.isByHand, trial.left) = (.returning, true, before.id)
                try area.write(&trial)
            }
            if let terms = plan.trial {
                // Before the switch. A crash between the two leaves a trial of which there is no switch, which the next command takes away.
                var new = try newTrial(plan.verb, plan.target, to: before, terms, user)
                try area.keepTrialReserve()
                try area.write(&new)
            }
            defer { endCountingLater() }
            do {
                if plan.trial != nil, let new = try area.readTrial() { try beginCounting(new) }
                let switched = try begin(plan, leaving: before, &table)
                // Whoever goes on has taken note of one that failed.
                if trial?.isOpen == false, plan.trial == nil { try area.removeTrial() }
                if var current = try settledTrial(&table), plan.trial != nil, !switched.isPending {
                    // It is in use at once, and its minutes count from here.
                    current.since = max(1, HostFacts.secondsSinceStart)
                    try area.write(&current)
                }
                return switched
            } catch {
                _ = try? settledTrial(&table)
                throw error
            }
        }
    }

    /// The point that will hold the state that a switch leaves.
    func newPoint(leftBy plan: SwitchPlan, user: String, in table: StateArea.Table) throws -> RestorePoint {
        let time = Timestamp.now().seconds
        return RestorePoint(
            id: try Self.randomIdentifier(), name: Self.freeName("before-rollback.\(Self.timeName(time))", in: table),
            time: time, user: user, host: HostFacts.hostName, message: "what \(plan.verb) to \(plan.target.name) left",
            tags: [:], origin: .beforeRollback, isFactory: false, isPinned: false, handle: "",
            kernel: HostFacts.kernelRelease)
    }

    /// Does what a plan says, which fits: to its end, or until it waits for the next boot.
    func begin(
        _ plan: SwitchPlan, leaving left: RestorePoint, _ table: inout StateArea.Table
    ) throws -> Switched {
        var before = left
        try boot.check(plan.target.boot ?? [])
        // Until it is in the table: a crash, or a rollback that is taken back, leaves what the next command takes away.
        try area.write(StateArea.Unfinished(left: [before.id]))
        before.boot = try boot.keep(table.points, name: before.id)
        var discards = plan.discards.map(\.id)
        if !plan.keepsBefore { discards.append(before.id) }
        var journal = StateArea.SwitchRecord(
            stage: .preparing, verb: plan.verb, target: plan.target, before: before, discards: discards,
            change: nil, keeps: plan.keeps.isEmpty ? nil : plan.keeps.map { hexadecimal($0.bytes) },
            boot: HostFacts.bootIdentifier)
        if backend.appliesAtBoot {
            try backend.check(target: plan.target.handle)
            journal.stage = .scheduled
            try area.write(journal)
            try bringBoot(&journal)
            return Switched(verb: plan.verb, target: plan.target, before: nil, isPending: true, findings: 0)
        }
        // A crash from here to `committing` leaves the old state, and things that nobody knows, which the next call clears.
        try area.write(journal)
        do {
            journal.change = try backend.prepare(
                target: plan.target.handle, before: before.id, keeping: plan.keeps)
        } catch {
            // What cannot be taken away now goes with the next command: the journal names it until then.
            if (try? backend.discardPreparation(of: before.id)) != nil { try area.removeSwitch() }
            throw error
        }
        journal.stage = .committing
        // From here on the target is to be the live state; whoever finds this goes on.
        try area.write(journal)
        return try proceed(&journal, &table)
    }

    /// Goes on with a switch. One whose step failed is taken back at once: carried out later by another command, it would come when nobody
    /// expects it, and one that can never succeed would be in the way of everything.
    private func proceed(_ journal: inout StateArea.SwitchRecord, _ table: inout StateArea.Table) throws -> Switched {
        do { return try goOn(&journal, &table) } catch {
            // Whoever interrupts it has the next command go on.
            if !(error is Interrupted) { try takeBack(journal) }
            throw error
        }
    }

    /// One that has happened stays, and what cannot be taken back now stays under way.
    private func takeBack(_ journal: StateArea.SwitchRecord) throws {
        guard journal.stage == .committing, let change = journal.change else { return }
        // Somebody may have written to the new state since; where it cannot be told, the next command asks again.
        if backend.isSwitchedInOneStep, (try? backend.isCommitted(change) && backend.isEffective(change)) != false {
            return
        }
        // The next command tries again where this fails, too.
        guard (try? backend.abandon(change)) != nil else { return }
        _ = try? boot.bring(to: journal.before.boot ?? [])
        try area.removeSwitch()
    }

    /// Takes a switch from `committing` to its end, or to the point where it waits for the next boot.
    private func goOn(_ journal: inout StateArea.SwitchRecord, _ table: inout StateArea.Table) throws -> Switched {
        guard let change = journal.change else {
            throw PointError.damagedState(file: area.folder, reason: "the journal says nothing of the change")
        }
        // The kernel first: one that is there and not started yet does no harm.
        try bringBoot(&journal)
        if journal.stage == .committing {
            journal.findings = try backend.commit(change).findings
            journal.stage = try backend.isEffective(change) ? .finishing : .pending
            // A boot that goes on with what a cut interrupted runs in the old state still: the next one has the new one.
            journal.boot = HostFacts.bootIdentifier
            try area.write(journal)
        }
        guard try journal.stage == .finishing || backend.isEffective(change) else {
            return Switched(
                verb: journal.verb, target: journal.target, before: nil, isPending: true, findings: journal.findings)
        }
        if journal.isKept != true { try keepLeft(&journal, change, &table) }
        if journal.bootIsBrought == false {
            // Not mounted yet while the machine starts; the next run goes on.
            return Switched(
                verb: journal.verb, target: journal.target, before: nil, isPending: true, findings: journal.findings)
        }
        try remove(Set(journal.discards), from: &table)
        // Repeated after a crash: they are in the table no more, and there still.
        if journal.isKept == true, area.hasUnfinished { try finishUnfinished() }
        // Nothing of the owner stays.
        if journal.discards.contains(journal.before.id) { try backend.forget() }
        try area.removeSwitch()
        // What it was to leave is in the table.
        if try area.readUnfinished().isEmpty { try area.removeUnfinished() }
        return Switched(
            verb: journal.verb, target: journal.target, before: table.points.first { $0.id == journal.before.id },
            isPending: false, findings: journal.findings)
    }

    /// Has the state that was left be a point, also where it goes at once.
    private func keepLeft(
        _ journal: inout StateArea.SwitchRecord, _ change: Switch, _ table: inout StateArea.Table
    ) throws {
        var before = journal.before
        before.handle = try backend.finish(change)
        // Repeated after a crash: the table may have it already.
        if !table.points.contains(where: { $0.id == before.id }) {
            table.points.append(before)
            table.undo = before.id
            table.base = journal.target.id
            try area.write(&table)
        }
        if journal.discards.isEmpty { return }
        // What goes from here on is not asked for again.
        journal.isKept = true
        journal.stage = .finishing
        try area.write(journal)
    }

    /// Brings a separate /boot, and an EFI system partition, into the target's state, as soon as they are there.
    private func bringBoot(_ journal: inout StateArea.SwitchRecord) throws {
        guard let kept = journal.target.boot, !kept.isEmpty, journal.bootIsBrought != true else { return }
        journal.bootIsBrought = try boot.bring(to: kept)
        try area.write(journal)
    }

    private func cancel(_ plan: SwitchPlan, holding lock: borrowing MachineLock) throws -> Switched {
        try check(lock)
        return try translated {
            guard let journal = try area.readSwitch(), journal.waits else { throw StalePlan(id: plan.id) }
            if let change = journal.change, try backend.isEffective(change) { throw StalePlan(id: plan.id) }
            try abandon(journal)
            var table = try area.readTable()
            _ = try settledTrial(&table)
            endCountingLater()
            return Switched(verb: plan.verb, target: journal.target, before: nil, isPending: false, findings: 0)
        }
    }

    /// Takes back a switch that waits for the next boot.
    func abandon(_ journal: StateArea.SwitchRecord) throws {
        if let change = journal.change { try backend.abandon(change) }
        _ = try boot.bring(to: journal.before.boot ?? [])
        try area.removeSwitch()
    }

    // MARK: Recovering

    /// What `recover` found and did.
    public enum Recovery: Sendable {
        case nothing
        /// What was left of points that were being made or destroyed is gone.
        case tidied
        /// An interrupted switch was taken back: it had not touched the live tree.
        case cleared(target: RestorePoint)
        case finished(Switched)
    }

    /// Finishes or clears what was under way. Every changing command begins with it, and so does the boot.
    /// - Parameter isBoot: nothing uses the tree yet, so that what waits for that can be done.
    @discardableResult
    public func recover(isBoot: Bool = false, holding lock: borrowing MachineLock) throws -> Recovery {
        try check(lock)
        return try translated {
            var table = try area.readTable()
            let recovery = try recover(&table, isBoot: isBoot)
            // At the start, whoever looks after it comes next.
            if !isBoot {
                _ = try settledTrial(&table)
                endCountingLater()
            }
            // At the start it waits for the first command: nothing is in its way.
            guard !isBoot, area.hasUnfinished else { return recovery }
            try finishUnfinished()
            if case .nothing = recovery { return .tidied }
            return recovery
        }
    }

    func recover(_ table: inout StateArea.Table, isBoot: Bool = false) throws -> Recovery {
        guard var journal = try area.readSwitch() else {
            try keepStray(&table)
            return .nothing
        }
        switch journal.stage {
        case .scheduled:
            guard isBoot else {
                return .finished(
                    Switched(
                        verb: journal.verb, target: journal.target, before: nil, isPending: true, findings: 0))
            }
            // A crash from here to `committing` leaves it scheduled, and all of this is done again.
            try backend.discardPreparation(of: journal.before.id)
            journal.change = try backend.prepare(
                target: journal.target.handle, before: journal.before.id, keeping: journal.keptPaths)
            journal.stage = .committing
            try area.write(journal)
            return .finished(try proceed(&journal, &table))
        case .preparing:
            try backend.discardPreparation(of: journal.before.id)
            if let change = journal.change { try backend.abandon(change) }
            try area.removeSwitch()
            return .cleared(target: journal.target)
        case .committing:
            journal.change?.facts["attempted"] = "yes"
            if let change = journal.change { try keepWhatCame(since: journal, change, &table) }
            return .finished(try proceed(&journal, &table))
        case .pending, .finishing: return .finished(try proceed(&journal, &table))
        }
    }
}
