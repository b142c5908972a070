// What a run has removed: images, and points that it was made from, that the job's rules do not keep.

internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints

extension JobRun {
    /// Thinned out at most so often, in seconds: what a run adds in between goes the next time.
    private static let pruneInterval: Int64 = 20 * 3600

    /// Has what the rules do not keep removed, of the stores that this run has served, and of the points that it was made from.
    mutating func thinOut(_ start: Moment) throws {
        guard let rules = job.keep else { return }
        for store in job.to + job.copies {
            guard var known = record.stores[store], let success = known.lastSuccess, success >= start.now,
                let series = known.series, Self.isPruneDue(known.lastPruned, start)
            else { continue }
            let counted = counter()
            do {
                let done = try stores.prune(
                    series, in: store, rules, rate: job.rate,
                    Reporter(progress: reporter.progress, findings: counted, warn: reporter.warn))
                if counted.areCutShort { throw Interrupted() }
                known.lastPruned = start.now
                known.pruneStatus = counted.count > 0 ? 3 : 0
                if let done {
                    sentences.append("\(store): \(done)")
                } else {
                    reporter.warn(
                        "\(store): nothing is removed by this machine: that wants the key of a steward, which `holdfast key steward` makes, "
                            + "as one of `identity` in the configuration; or somebody else runs `holdfast prune`")
                }
            } catch {
                if error is Interrupted || reporter.progress.stop.hasInterrupted { throw Interrupted() }
                // The image is there all the same.
                known.pruneStatus = explained(error).exitStatus
                let mend = explained(error).mend.map { "; \($0)" } ?? ""
                let sentence = "\(store): nothing was removed: \(explained(error).sentence)\(mend)"
                reporter.warn(sentence)
                sentences.append(sentence)
                findings += 1
            }
            findings += counted.count
            record.stores[store] = known
        }
        if case .newPoint = job.source { try thinOutPoints(rules) }
    }

    private static func isPruneDue(_ last: Int64?, _ start: Moment) -> Bool {
        guard let last else { return true }
        // A time that is not there yet was that of a wrong clock.
        return last > start.now || start.now - last >= pruneInterval
    }

    /// Of the points that were made for this job, and of no others.
    private mutating func thinOutPoints(_ rules: KeepRules) throws {
        do {
            let tree = try ProtectedTree.open(
                state: places.state, progress: reporter.progress, findings: reporter.findings)
            let plan = try tree.planPrune(rules, ofJob: job.name)
            if plan.goes.isEmpty { return }
            try plan.summary.check(plan: plan.id, isNamed: false)
            let lock = try tree.lock()
            try tree.prune(plan, holding: lock)
            sentences.append("\(plan.goes.count) \(plan.goes.count == 1 ? "point" : "points") destroyed")
        } catch {
            if error is Interrupted || reporter.progress.stop.hasInterrupted { throw Interrupted() }
            reporter.warn("no point was destroyed: \(explained(error).sentence)")
            findings += 1
        }
    }
}
