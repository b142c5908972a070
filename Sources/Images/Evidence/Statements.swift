// What whoever has the right has stated of a store's images, read as a whole: what was proven, what is pinned, what was condemned.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

struct Statements {
    var pinned: Set<Tombstone.Removed> = []
    /// Of each image the newest verdict.
    var proofs: [Tombstone.Removed: Verdict] = [:]
    /// When each volume was called damaged that still is; the later of several groups.
    var damaged: [ObjectID: Int64] = [:]
    var stones: [GroupReading.Stone] = []
}

extension Store {
    func statements(_ progress: Progress) throws -> Statements {
        var result = Statements()
        var verdicts: [Verdict] = []
        var ofVolumes: [Verdict] = []
        try inOrder(listedForReading(.verdict), threads: objects.smallCalls) { object in
            Result { try self.unlessUnreadable { try self.verdict(object.name) } }
        } _: { _, verdict in
            try progress.checkStop()
            if let verdict = try verdict.get() {
                if verdict.kind == .image { verdicts.append(verdict) } else { ofVolumes.append(verdict) }
            }
            return true
        }
        result.damaged = Dictionary(
            Self.standing(ofVolumes).map { ($0.target.id, $0.time) }, uniquingKeysWith: max)
        result.pinned = Set(Self.pins(verdicts).map { Tombstone.Removed(writer: $0.writer, root: $0.target) })
        result.proofs = Self.proofs(verdicts)
        try inOrder(listedForReading(.tombstone), threads: objects.smallCalls) { object in
            Result {
                object.isTooShort ? nil : try self.unlessUnreadable { try self.tombstone(object.name, isWhole: false) }
            }
        } _: { object, stone in
            try progress.checkStop()
            if let stone = try stone.get() { result.stones.append(GroupReading.Stone(object: object, content: stone)) }
            return true
        }
        return result
    }

    /// What cannot be read because of its bytes says nothing here; `verify` names it. Else who puts garbage there would keep anybody from looking.
    private func unlessUnreadable<R>(_ body: () throws -> R?) throws -> R? {
        do { return try body() } catch {
            try ImageError.throwStop(error)
            if ImageError.storeFailure(error) != nil { throw error }
            return nil
        }
    }

    /// How long after its grace what is condemned may still be there: prunes run by the week, and some by the month.
    static let removalLeeway: Int64 = 16 * 86_400

    /// What was condemned so long ago that it ought to be gone, and is there. What an image that stays names is not meant: somebody has brought it
    /// back, and nothing removes it.
    func overdue(
        _ stones: [GroupReading.Stone], _ roots: [ListedObject], _ now: Int64, _ progress: Progress
    ) throws -> OverdueRemoval? {
        let bound = now.subtracting(saturating: PruneSettings.unfencedGrace.adding(saturating: Self.removalLeeway))
        var since: [ObjectName: Int64] = [:]
        for stone in stones {
            // The later of the two clocks: one that was wrong makes nothing late.
            guard let written = stone.object.written, let signed = stone.content.time else { continue }
            let said = max(written.upperBound, signed)
            guard said < bound else { continue }
            for name in stone.content.condemned(group: stone.object.name.group) {
                since[name] = min(since[name] ?? said, said)
            }
        }
        if since.isEmpty { return nil }
        let things = try listedForReading(.volume) + listedForReading(.index)
        var late = things.filter { thing in
            // What came there later was brought back by a copy.
            since[thing.name].map { said in (thing.written?.upperBound ?? .max) <= said } ?? false
        }
        if late.isEmpty { return nil }
        let named = try namedObjects(roots, progress)
        late.removeAll { named.contains($0.name) }
        guard let first = late.compactMap({ since[$0.name] }).min() else { return nil }
        return OverdueRemoval(since: first, objects: late.count, bytes: late.saturatingSum(of: \.bytes))
    }

    /// All that any root names.
    private func namedObjects(_ roots: [ListedObject], _ progress: Progress) throws -> Set<ObjectName> {
        var result: Set<ObjectName> = []
        for object in roots where !object.isTooShort {
            try progress.checkStop()
            // One that nobody can read keeps nothing from being late.
            guard let root = try unlessDamaged({ try image(object.name, length: object.first) }) else { continue }
            result.formUnion(root.allNames)
        }
        return result
    }
}

extension PruneImage {
    /// As a list of images shows it.
    init(_ summary: ImageSummary, _ object: ListedObject, texts: inout Texts) {
        self.init(object)
        root = summary.reference
        problem = summary.problem
        isSealed = summary.isSealed
        isUnread = summary.label == nil
        writerName = texts.one(summary.writer)
        if let label = summary.label { take(label, object, isWrittenDirectly: false, texts: &texts) }
    }
}
