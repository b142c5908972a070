// Pruning a store to which many write: no lock on anybody, a tombstone, a grace by the store's own clock, a second reading of all roots,
// and only then a removal.

public import Reporting

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
        throw ImageError.library("prune is not there yet")
    }

    /// Carries a plan out, as far as it can be at this time; what has to wait the next prune does, also another machine's. Killed anywhere,
    /// the same goes on.
    /// - Throws: `StalePlan`, where other images would go now.
    public func prune(_ plan: PrunePlan, progress: Progress) throws -> PruneReport {
        throw ImageError.library("prune is not there yet")
    }

    /// The grace that this store needs: the shorter one where it refuses what was signed too long ago, which is tried.
    public func provenGrace() throws -> Int64 { PruneSettings.unfencedGrace }

    /// Keeps an image, whatever rules say. Needs a steward's key, or an identity that governs.
    public func pin(_ image: ImageSummary, tool: String) throws { throw ImageError.library("prune is not there yet") }

    /// Ends that.
    public func unpin(_ image: ImageSummary, tool: String) throws { throw ImageError.library("prune is not there yet") }

    /// The images that are pinned, by their ids; of a server that lets a machine list its own group alone, of that.
    public func pinned() throws -> Set<ObjectID> { [] }
}
