// What is shown of the drills of a job, for people and for programs.

internal import Platform
internal import Stewardship

extension JobState {
    /// Whether there is anything to be shown of them.
    private var hasDrills: Bool { record.drill != nil || job.drill?.every != nil }

    /// A line of the table: of one in whose place nobody knows a store.
    func drillCells(at moment: Moment) -> [String]? {
        guard hasDrills else { return nil }
        let known = record.drill
        let success = known?.lastSuccess
        return [
            "", "(drill, \((job.drill?.kind ?? .sample).rawValue))",
            success.map { Text.localMinute(Timestamp(seconds: $0, nanoseconds: 0)) } ?? "never",
            success.map { Text.age(moment.now - $0) } ?? "", nextDrill(at: moment), Text.safe(trouble),
        ]
    }

    private func nextDrill(at moment: Moment) -> String {
        guard let every = job.drill?.every else { return "when asked" }
        if let drill {
            return drill.isDue ? "now" : Text.localMinute(Timestamp(seconds: drill.due, nanoseconds: 0))
        }
        if job.drill?.key != nil { return "after \(job.to[0])" }
        let due = record.drill?.lastSuccess.map { $0.adding(saturating: every) } ?? moment.now
        return "by hand" + (due > moment.now ? ", \(Text.localMinute(Timestamp(seconds: due, nanoseconds: 0)))" : "")
    }

    /// What the last one was, where it was not as it should be.
    private var trouble: String {
        guard let known = record.drill else { return "" }
        let times = known.failuresInARow > 1 ? "\(known.failuresInARow) × " : ""
        if let obstacle = known.obstacle { return times + obstacle }
        guard let last = known.last, last.verdict != .passed else { return "" }
        return "\(times)\(last.verdict.rawValue)" + (last.verdict == .failed ? ": \(last.reason)" : "")
    }
}

extension JSON {
    /// nil where there is nothing to be said of them.
    static func drill(_ state: JobState) -> JSON? {
        let (known, drill) = (state.record.drill, state.drill)
        if known == nil, state.job.drill?.every == nil { return nil }
        let last = known?.last
        return .object([
            ("due", .flag(drill?.isDue ?? false)), ("next", instant(drill?.due)),
            ("lastSuccess", instant(known?.lastSuccess)), ("lastAttempt", instant(known?.lastAttempt?.began)),
            ("failuresInARow", .number(UInt64(known?.failuresInARow ?? 0))),
            ("obstacle", known?.obstacle.map(JSON.text)),
            ("time", instant(last?.began)), ("ended", instant(last?.ended)),
            ("seconds", last.map { .seconds($0.durationSeconds) }), ("kind", last.map { .text($0.kind.rawValue) }),
            ("verdict", last.map { .text($0.verdict.rawValue) }), ("reason", last.map { .text($0.reason) }),
            ("report", last.map { .text($0.report) }), ("number", last.map { .text($0.number) }),
            ("measuredSeconds", last?.measuredSeconds.map(JSON.seconds)),
            ("projectedSeconds", last?.projectedSeconds.map(JSON.seconds)),
            ("damage", state.known.drillDamage.map(JSON.text)),
        ])
    }
}
