// Pruning a store to which many write: no lock on anybody, a tombstone, a grace by the store's own clock, a second reading of all roots,
// and only then a removal. A crash anywhere leaves what the next prune goes on with: nothing is kept on the machine.

internal import Machine
internal import Platform
public import Reporting
internal import Stores

extension Store {
    /// Reads all roots of every group, lets `choose` say which images go, and tells what would be done. Nothing is changed.
    ///
    /// The store is opened for `.prune`: with a steward's key, or with an identity that governs.
    /// - Parameter choose: gets all that lies among the images, also what does not count and what cannot be read, in the order of series and
    ///   sequence. It is called again when the plan is carried out.
    public func planPrune(
        _ settings: PruneSettings, progress: Progress,
        choose: @escaping @Sendable ([PruneImage]) throws -> PruneChoice
    ) throws -> PrunePlan {
        do { return try makePlan(settings, progress, choose).plan } catch {
            throw ImageError.wrapping(error, subject: subject)
        }
    }

    /// Carries a plan out, as far as it can be at this time; what has to wait the next prune does, also another machine's. Killed anywhere,
    /// the same goes on. Two at once remove nothing that one of them would not.
    /// - Throws: `StalePlan`, where other images would go now.
    public func prune(_ plan: PrunePlan, progress: Progress) throws -> PruneReport {
        do {
            // This is the second reading, of all that was condemned in a grace that had run out before it began.
            let (now, work) = try makePlan(plan.settings, progress, plan.choose)
            try plan.check(isStill: now)
            var pruning = Pruning(self, now, progress)
            try pruning.prolongLocks(of: work)
            for group in work { try pruning.carryOut(group) }
            return pruning.report
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// What this store needs, which is tried: the shorter grace where it refuses what was signed too long ago, and its lock.
    public func pruneSettings(tool: String) throws -> PruneSettings {
        let promises = try promises()
        var settings = PruneSettings(
            tool: tool,
            grace: promises?.checksDates == true ? PruneSettings.fencedGrace : PruneSettings.unfencedGrace)
        // Bounds, since a server said it: not below a day, nor above a hundred years.
        settings.lock = promises?.lockDays.flatMap { (1...36_500).contains($0) ? Int64($0) * 86_400 : nil }
        return settings
    }
}
