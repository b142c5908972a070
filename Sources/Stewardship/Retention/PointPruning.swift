// Thins out the points of a protected tree: what the rules do not keep is destroyed, as `destroy` does it.

public import Machine
internal import Platform
public import RestorePoints

/// What a thinning of points is going to do.
public struct PointPrunePlan: Plan, Sendable {
    public var verb: String { "prune" }
    public let rules: KeepRules
    /// Of the points that were made for this job alone; nil: of all.
    let job: String?
    /// All points in the order of their making, and what was decided of each.
    public let decided: [(point: RestorePoint, reasons: [KeepReason])]
    /// nil: nothing goes.
    let destruction: DestroyPlan?
    let decisions: [KeepDecision]

    public var goes: [RestorePoint] { decided.filter(\.reasons.isEmpty).map(\.point) }
    public var summary: KeepSummary { KeepSummary(decisions) }
    public var basis: [String] { [rules.description, job ?? ""] + (destruction?.basis ?? []) }
}

extension ProtectedTree {
    /// What these rules remove of the points, and why the others stay.
    /// - Parameter job: only points that were made for it are decided on.
    public func planPrune(_ rules: KeepRules, ofJob job: String? = nil) throws -> PointPrunePlan {
        // All of one moment.
        let overview = try ProtectedTree.overview(state: state)
        if let obstacle = overview.obstacle { throw obstacle }
        // Where the tree will stand is not decided on before it stands there.
        if let pending = overview.pending {
            let target = pending.target.name
            throw pending.isWaiting ? PointError.pending(target: target) : StewardError.rollbackUnderWay(target: target)
        }
        let meant = overview.points.enumerated().filter { job == nil || $0.element.tags["job"] == job }
        let states = meant.map { number, point in
            KeepState(
                id: point.id, series: "\(root)", time: point.time, order: UInt64(number), tags: Self.tags(of: point),
                guards: Self.guards(of: point, overview))
        }
        let decisions = rules.decide(states, now: Timestamp.now().seconds)
        let reasons = Dictionary(decisions.map { ($0.state.id, $0.reasons) }) { first, _ in first }
        // What nothing was decided of stays.
        let decided = overview.points.map { ($0, reasons[$0.id] ?? [.guarded(.noRule)]) }
        let names = decided.filter(\.1.isEmpty).map(\.0.name)
        return PointPrunePlan(
            rules: rules, job: job, decided: decided,
            destruction: names.isEmpty ? nil : try planDestroy(names, factory: false), decisions: decisions)
    }

    /// Destroys what a plan says, if it still says the same.
    public func prune(_ plan: PointPrunePlan, holding lock: borrowing MachineLock) throws {
        try plan.check(isStill: { try planPrune(plan.rules, ofJob: plan.job) }, unless: PointError.self)
        if let destruction = plan.destruction { try destroy(destruction, holding: lock) }
    }

    /// `commissioning` is one, and so is `line=3`.
    private static func tags(of point: RestorePoint) -> Set<String> {
        Set(point.tags.flatMap { [$0.key, "\($0.key)=\($0.value)"] })
    }

    private static func guards(of point: RestorePoint, _ overview: Overview) -> Set<KeepGuard> {
        var guards: Set<KeepGuard> = []
        if point.isPinned { guards.insert(.pinned) }
        if point.isFactory { guards.insert(.factory) }
        if point.id == overview.base?.id { guards.insert(.standing) }
        if point.id == overview.undo?.id { guards.insert(.undo) }
        if let trial = overview.trial, trial.isOpen {
            if trial.returnTo == point.name { guards.insert(.trial) }
            if trial.target == point.name { guards.insert(.onTrial) }
        }
        return guards
    }
}
