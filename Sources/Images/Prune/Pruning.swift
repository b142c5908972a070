// Carrying out a plan in one group after the other. What is said is durable before it is done: the tombstone that names the images, then
// the images; the tombstone that condemns, and a grace later what it condemned. A crash leaves a tombstone that says more than was done,
// which the next prune does, or an image with one copy, which it takes away.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

struct Pruning {
    let store: Store
    let plan: PrunePlan
    private let progress: Progress
    var report = PruneReport()
    /// When it was last seen that the keys are still those of the reading, in seconds since the machine started.
    private var lookedAt: Int64

    /// How many objects are removed between two looks at the time.
    static let batch = 256

    init(_ store: Store, _ plan: PrunePlan, _ progress: Progress) {
        self.store = store
        self.plan = plan
        self.progress = progress
        lookedAt = store.machine.secondsSinceStart()
        report.findings = plan.remarks
        report.waiting = plan.sum(\.waiting)
        report.waitsUntil = plan.groups.compactMap(\.waitsUntil).min()
    }

    mutating func carryOut(_ work: GroupWork) throws {
        var isLocked = false
        if !work.images.isEmpty {
            let all = plan.images
            try say(work) { stone, part in
                stone.removed = part
            } of: {
                // What an earlier one has said is said.
                work.images.lazy.map { all[$0] }.filter { !$0.isSaid }.map {
                    // Of one that cannot be read nobody knows the digest.
                    Tombstone.Removed(
                        writer: $0.id.writer, root: $0.root ?? RootReference(id: $0.id.image, digest: .zero))
                }
            }
            isLocked = try remove(work.images)
        }
        // What an image names that could not be removed is named still.
        let condemned = work.condemned + (isLocked ? [] : work.freed)
        if !condemned.isEmpty {
            try say(work) { stone, part in
                stone.volumes = part.filter { $0.kind == .volume }.map(\.reference)
                stone.indexes = part.filter { $0.kind == .index }.map(\.reference)
            } of: {
                condemned
            }
            for group in plan.groups where group.id == work.group {
                if condemned.count == work.condemned.count + work.freed.count {
                    report.condemned.add(group.condemnedNow)
                } else {
                    report.condemned.objects += condemned.count
                }
            }
        }
        try remove(work.removable) { $0.removed.add($1) }
        try remove(work.leftovers) { $0.leftovers.add($1) }
        try remove(work.oldTombstones) { report, _ in report.tombstones += 1 }
    }

    /// Writes tombstones; each is durable when this returns.
    private mutating func say<Part>(
        _ work: GroupWork, _ fill: (inout Tombstone, [Part]) -> Void, of parts: () -> [Part]
    ) throws {
        try look(isForced: true)
        let steward = try store.attester(work.group, for: .steward)
        var rest = parts()[...]
        while !rest.isEmpty {
            var stone = Tombstone()
            stone.horizon = work.horizon
            stone.time = store.machine.now()
            fill(&stone, Array(rest.prefix(Tombstone.limit)))
            rest = rest.dropFirst(Tombstone.limit)
            let object = try makeObject(.tombstone, id: .random(), run: .random(), writer: steward) {
                try $0.append(.tombstone, stone.encoded())
            }
            let name = ObjectName(
                .tombstone, group: work.group, writer: steward.certificate.writer, id: object.summary.id)
            try store.objects.put(name.text, object.bytes)
        }
    }

    /// The first copies first: one that is left alone is no image any more, and what it names stays until it is gone, too.
    /// - Returns: whether one of them could not be removed.
    private mutating func remove(_ images: [Int]) throws -> Bool {
        var isLocked = false
        for batch in images.batches(of: Self.batch) {
            try look()
            try inOrder(batch.map { plan.images[$0] }, threads: store.objects.smallCalls) { [store] image in
                Result<StoreError?, StoreError> { () throws(StoreError) in
                    for copy in image.copies {
                        if let refusal = try store.objects.refusal(toRemove: copy) { return refusal }
                    }
                    return nil
                }
            } _: { image, outcome in
                if let refusal = try outcome.get() {
                    isLocked = true
                    note(refusal)
                } else {
                    report.images += 1
                    // Forgotten last: until then the tombstone says why it is not there.
                    store.remember { $0.forgetSeen([image.id.image]) }
                }
                return true
            }
        }
        return isLocked
    }

    private mutating func remove(
        _ objects: [ListedObject], _ count: (inout PruneReport, UInt64) -> Void
    ) throws {
        for batch in objects.batches(of: Self.batch) {
            try look()
            try inOrder(batch, threads: store.objects.smallCalls) { [store] object in
                Result<StoreError?, StoreError> { () throws(StoreError) in
                    for copy in object.copies {
                        if let refusal = try store.objects.refusal(toRemove: copy) { return refusal }
                    }
                    return nil
                }
            } _: { object, outcome in
                if let refusal = try outcome.get() {
                    note(refusal)
                } else {
                    count(&report, object.bytes)
                }
                return true
            }
        }
    }

    /// A lock is a result: the next prune tries again.
    private mutating func note(_ refusal: StoreError) {
        report.locked += 1
        if report.lock == nil { report.lock = refusal.description }
    }

    /// Whoever slept looks again: a steward's tombstones condemn nothing once its right has ended, and a writer may have built on what they
    /// named. So nothing more is removed once the keys are others than those of the reading.
    mutating func look(isForced: Bool = false) throws {
        try progress.checkStop()
        let now = store.machine.secondsSinceStart()
        if !isForced && now.subtracting(saturating: lookedAt) <= CommitLooks.validity { return }
        lookedAt = now
        let chain = try Opening.readRecords(store.objects, store.header).chain(
            of: store.chain.newest.root, subject: store.subject)
        guard chain.newest.digest == store.chain.newest.digest else {
            throw ImageError.keysChanging(store: store.subject)
        }
    }
}

extension Array {
    func batches(of size: Int) -> [[Element]] {
        // safe: below `count`
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
