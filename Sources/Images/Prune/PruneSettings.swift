// What a prune goes by: how long it waits, which series may end, and what was chosen of the images.

public import Machine
internal import Platform

/// How a store is pruned. The same settings go with a plan and with what carries it out.
public struct PruneSettings: Sendable {
    /// Where the fence is proven no root can appear later than a quarter of an hour after its writer has looked.
    public static let fencedGrace: Int64 = 7 * 86_400
    public static let unfencedGrace: Int64 = 14 * 86_400
    /// How old is what nothing names before it is condemned, apart from the longest run.
    static let condemnAge: Int64 = 48 * 3600
    /// Longer no tombstone counts, and none is kept.
    static let tombstoneLife: Int64 = 400 * 86_400

    /// Seconds between a tombstone and the removal of what it condemns.
    public var grace: Int64
    /// Seconds that a run may take between two of its checkpoints.
    public var longestRun: Int64 = 24 * 3600
    /// Whether machines write to this store themselves; false for a replica, whose objects are dated by the copying. There a label that
    /// differs from its object by more than a day does not count.
    public var isWrittenDirectly = false
    /// For how many seconds the store locks what is put into it; nil: nothing is locked. The locks of what stays are prolonged where less than
    /// half of that may be left.
    public var lock: Int64?
    /// Series that may become empty: of all others the newest image stays, whatever is chosen.
    public var retired: Set<ExactText> = []
    /// The series of which it is done: what stands still in groups that have no image of it is told to others. nil: of all.
    public var series: ExactText?
    /// Whether images that do not count, since their writer was revoked, go as well.
    public var endsRevoked = false
    /// The program, for tombstones and verdicts.
    public var tool: String

    /// What was written until then may be locked for less than half the time; nil: nothing is locked.
    func lockBound(_ now: Int64?) -> Int64? {
        guard let lock, let now else { return nil }
        return now.subtracting(saturating: lock / 2)
    }

    /// - Parameter grace: by default the one for a store of which nothing is proven; see `Store.pruneSettings`.
    public init(tool: String, grace: Int64 = unfencedGrace) {
        self.tool = tool
        self.grace = grace
    }
}

/// Which images go, as rules chose them.
public struct PruneChoice: Sendable {
    /// The images that go. The newest of a series stays all the same, unless the series is retired, and so does a pinned one.
    public var removed: Set<PruneImage.Place> = []
    /// Why others stay, for people: `daily 2026-11-03`.
    public var reasons: [PruneImage.Place: [String]] = [:]
    /// What it was chosen by, a word each: with other rules it is another plan.
    public var basis: [String] = []
    /// What stands in the way, or ought to be known.
    public var findings: [Preflight] = []

    public init() {}
}
