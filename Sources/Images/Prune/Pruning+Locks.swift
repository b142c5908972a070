// Where a server locks what is put there, what stays is locked on, by whoever prunes: machines have no right to it, so that nobody with their
// keys can fill a store with what nobody may remove.

internal import Platform
internal import Stores

extension Pruning {
    /// So many refusals, one after the other, and no success: this key has no right to it, and the rest is not asked for.
    private static let enough = 64

    /// Prolongs what may be locked for less than half the time, before anything is removed. Records and keys, without which no image can be
    /// read, and what was stated of images belong to it.
    mutating func prolongLocks(of work: [GroupWork]) throws {
        guard let lock = plan.settings.lock, let now = plan.time, let bound = plan.settings.lockBound(now) else {
            return
        }
        let until = now.adding(saturating: lock)
        let enough = now.adding(saturating: lock / 2)
        var names = [StoreName.header, StoreName.header + ".2"]
        for folder in ["e", "k", ObjectName.Kind.verdict.rawValue] {
            names += try store.objects.list(folder).filter { $0.modified.map { $0 <= bound } ?? true }.map(\.name)
        }
        try prolong(names, until, enough)
        let all = plan.images
        for group in work {
            try prolong(group.lockedImages.flatMap { all[$0].copies }, until, enough)
            try prolong(group.locked.flatMap(\.copies), until, enough)
        }
    }

    private mutating func prolong(_ names: [String], _ until: Int64, _ enough: Int64) throws {
        for batch in names.batches(of: Self.batch) {
            if report.prolonged == 0 && report.notProlonged >= Self.enough {
                report.notProlonged += batch.count
                continue
            }
            try look()
            try inOrder(batch, threads: store.objects.smallCalls) { [store] name in
                Result<Bool, StoreError> { () throws(StoreError) in
                    do throws(StoreError) {
                        return try store.objects.prolongLock(of: name, until: until, unlessUntil: enough)
                    } catch {
                        // Removed meanwhile, or never there.
                        if error.reason == .absent { return false }
                        throw error
                    }
                }
            } _: { _, outcome in
                do throws(StoreError) {
                    if try outcome.get() { report.prolonged += 1 }
                } catch {
                    // A result: what is locked as before is there as before.
                    if error.reason != .refused { throw error }
                    report.notProlonged += 1
                    if report.lockRefusal == nil { report.lockRefusal = error.description }
                }
                return true
            }
        }
    }
}
