// How the drills of a job stand: whether one failed, could not be made, or is overdue.

internal import Platform

extension JobHealth {
    static func drillObjections(
        _ job: Job, _ known: JobRecord.Known, since: Int64?, _ now: Int64
    ) -> [Objection] {
        var found: [Objection] = []
        func add(_ verdict: Verdict, _ reason: String) { found.append(Objection(verdict: verdict, reason: reason)) }
        let again = "`holdfast drill \(job.name)` makes one at once"
        if let damage = known.drillDamage { add(.warning, "\(damage); \(again)") }
        let drill = known.record.drill
        if let last = drill?.last, last.verdict == .failed {
            let time = Timestamp(seconds: last.began, nanoseconds: 0).text
            add(
                .critical,
                "the \(last.kind.rawValue) drill of \(time) failed: \(last.reason); its report is \(last.report), and \(again)"
            )
        }
        if let obstacle = drill?.obstacle, job.drill?.isUnattended == true {
            add(.warning, "its drill could not be made: \(obstacle); \(again)")
        }
        if let reason = overdue(job, known.record, since: since, now) { add(.warning, "\(reason); \(again)") }
        return found
    }

    /// Later than an interval and what a drill and its place in the window take. A drill that is late says nothing bad of the images.
    private static func overdue(_ job: Job, _ record: JobRecord, since: Int64?, _ now: Int64) -> String? {
        guard let every = job.drill?.every else { return nil }
        let limit = every.adding(saturating: max(3600, every / 12))
        if let success = record.drill?.lastSuccess {
            let age = now.subtracting(saturating: success)
            if age < -86_400 { return "its last drill was made at a time that is not there yet: a clock was wrong" }
            return age >= limit ? "it was last drilled \(words(age)) ago, and is to be each \(words(every))" : nil
        }
        // Without an image there is nothing to restore, which is told already.
        let hasImage = job.isForDrillsAlone || job.to.contains { record.stores[$0]?.lastSuccess != nil }
        guard hasImage, since.map({ now.subtracting(saturating: $0) >= limit }) ?? true else { return nil }
        return "no drill of it has passed yet, and one is to be made each \(words(every))"
    }
}
