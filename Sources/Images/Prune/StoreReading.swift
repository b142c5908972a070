// A complete reading of a store for its prune: all roots, and what the lists show. Of a root of 8 KB only its label and numbers of what it
// names are kept, so that a hundred thousand of them fit into memory.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

/// What roots name: each reference once, by its number.
struct NamedTable {
    struct Named: Hashable {
        var reference: VolumeReference
        var kind: ObjectName.Kind
    }

    private(set) var all: [Named] = []
    private var numbers: [Named: UInt32] = [:]
    /// Whose roots are being read: one after the other, so that the numbers of one fit into memory. What another names, too, has two.
    private var writer: Identifier?

    mutating func number(of reference: VolumeReference, _ kind: ObjectName.Kind, in root: ObjectName) -> UInt32 {
        if writer != root.writer { numbers = [:] }
        writer = root.writer
        let named = Named(reference: reference, kind: kind)
        if let known = numbers[named] { return known }
        let number = UInt32(clamping: all.count)
        all.append(named)
        numbers[named] = number
        return number
    }
}

/// What a reading found in one group.
struct GroupReading {
    /// Of an image what a judgement of its group goes by.
    struct Mark {
        var id: PruneImage.Place
        var isUnread: Bool
        var counts: Bool
        var isComplete: Bool
        var isGoing = false
    }

    struct Stone {
        var object: ListedObject
        var content: Tombstone
    }

    var images: [PruneImage] = []
    /// What is kept of them once they are with those of all groups.
    var marks: [Mark] = []
    /// The names of the writers.
    var writers: [Identifier: String] = [:]
    /// For each image the numbers of what it names.
    var names: [[UInt32]] = []
    var table = NamedTable()
    /// Volumes and index objects that lists show, in the order of their names.
    var things: [ListedObject] = []
    var stones: [Stone] = []
    /// Torn roots.
    var tornRoots: [ListedObject] = []
    /// Of writers with no run under way.
    var endedCheckpoints: [ListedObject] = []
    /// What checkpoints of runs that may be under way name.
    var underWay: Set<ObjectName> = []
    /// Predecessors of each writer, as its certificates say.
    var predecessors: [Identifier: Set<Identifier>] = [:]
    var verdicts: [Verdict] = []
    /// Why nothing of the group is removed.
    var stop: String?

    /// The place of an object in the lists.
    func index(of name: ObjectName) -> Int? {
        var low = 0, high = things.count
        while low < high {
            let middle = low + (high - low) / 2  // safe: between the two
            if things[middle].name < name { low = middle + 1 } else { high = middle }  // safe: below `high`
        }
        return low < things.count && things[low].name == name ? low : nil
    }

    mutating func stand(still reason: String) { if stop == nil { stop = reason } }
}

/// What a reading found.
struct StoreReading {
    /// The store's clock before it began.
    var began: Int64?
    /// The clock of whoever reads.
    var localTime: Int64
    var groups: [Identifier: GroupReading] = [:]
}

extension Store {
    /// Reads what a prune has to know, in an order in which nothing is missed: the time and the tombstones before the roots, so that what a
    /// grace has run out for was unnamed all the time since; checkpoints before the roots that end their runs; volumes after the roots,
    /// whose volumes are there by then.
    func readForPrune(_ settings: PruneSettings, progress: Progress) throws -> StoreReading {
        var result = StoreReading(began: try storeTime(), localTime: machine.now())
        try readTombstones(into: &result)
        try readVerdicts(into: &result)
        try readCheckpoints(into: &result, settings)
        try readRoots(into: &result, settings, progress)
        // In the order of their names: `v` before `x`.
        for kind in [ObjectName.Kind.volume, .index] {
            var rest = try listed(kind)[...]
            while let group = rest.first?.name.group {
                let own = rest.prefix { $0.name.group == group }
                rest = rest.dropFirst(own.count)
                result.groups[group, default: GroupReading()].things += own
            }
        }
        return result
    }

    /// nil where it has none, or does not tell it to this key.
    private func storeTime() throws -> Int64? {
        do throws(StoreError) { return try objects.time(in: ObjectName.Kind.tombstone.rawValue) } catch {
            if error.reason == .refused { return nil }
            throw ImageError(error)
        }
    }

    /// One small object after the other, as many at once as are worth it. What fails makes its group stand still.
    private func readAll<Value: Sendable>(
        _ kind: ObjectName.Kind, into reading: inout StoreReading,
        _ read: @escaping @Sendable (ListedObject) throws -> Value?,
        _ take: (ListedObject, Value, inout GroupReading) -> Void
    ) throws {
        try inOrder(listed(kind), threads: objects.smallCalls) { object in
            Result<Value?, any Error> { try read(object) }
        } _: { object, outcome in
            do {
                guard let value = try outcome.get() else { return true }
                take(object, value, &reading.groups[object.name.group, default: GroupReading()])
            } catch {
                try ImageError.throwStop(error)
                // Another prune has removed it meanwhile.
                let now = try listed(object.name)
                if now.first == nil && now.second == nil { return true }
                reading.groups[object.name.group, default: GroupReading()].stand(
                    still: ImageError.wrapping(error, subject: describe(object.name)).sentence)
            }
            return true
        }
    }

    private func readTombstones(into reading: inout StoreReading) throws {
        try readAll(.tombstone, into: &reading) { object in
            // Nobody can have read a torn one: it condemns nothing, and nothing goes by it.
            if object.isTooShort { return nil }
            return try self.unlessTorn(object) { try self.tombstone(object.name, isWhole: true) }
        } _: { object, stone, group in
            group.stones.append(GroupReading.Stone(object: object, content: stone))
        }
    }

    /// nil where it is damaged because it is torn: it ended with whoever wrote it.
    private func unlessTorn<R>(_ object: ListedObject, _ body: () throws -> R?) throws -> R? {
        do { return try body() } catch {
            if ImageError.storeFailure(error) == nil, try isLeftover(object) { return nil }
            throw error
        }
    }

    private func readVerdicts(into reading: inout StoreReading) throws {
        try readAll(.verdict, into: &reading) {
            try self.verdict($0.name)
        } _: { _, verdict, group in
            if verdict.kind == .image { group.verdicts.append(verdict) }
        }
    }

    /// Of a writer whose newest checkpoint is young a run is under way, however long it takes: what its checkpoints name stays.
    private func readCheckpoints(into reading: inout StoreReading, _ settings: PruneSettings) throws {
        var newest: [ObjectName.Folder: Int64] = [:]
        var all: [ListedObject] = []
        for object in try listed(.checkpoint) {
            all.append(object)
            let written = object.written?.upperBound ?? .max
            newest[object.name.place, default: .min] = max(newest[object.name.place] ?? .min, written)
        }
        let limit = reading.began.map { $0.subtracting(saturating: settings.condemnedAge) } ?? .min
        for object in all {
            let group = object.name.group
            if newest[object.name.place] ?? .max < limit {
                reading.groups[group, default: GroupReading()].endedCheckpoints.append(object)
                continue
            }
            do {
                let names = try checkpointNames(object)
                reading.groups[group, default: GroupReading()].underWay.formUnion(names)
            } catch {
                try ImageError.throwStop(error)
                reading.groups[group, default: GroupReading()].stand(
                    still: ImageError.wrapping(error, subject: describe(object.name)).sentence)
            }
        }
    }

    /// What a checkpoint names; nothing where it is torn, as the last one of a cut run may be, or gone by now.
    private func checkpointNames(_ object: ListedObject) throws -> [ObjectName] {
        let named = try unlessDamaged { () -> NamedObjects in
            let reader = try smallReader(object.name)
            let proof = try reader.verifySignature()
            guard let frame = proof.frames.first(where: { $0.kind == .volumes }) else { return NamedObjects() }
            return try NamedObjects(decoding: reader.content(of: frame))
        }
        guard let named else { return [] }
        let group = object.name.group
        return named.volumes.map { $0.name(.volume, group: group) }
            + named.indexes.map { $0.name(.index, group: group) }
    }

    private func readRoots(
        into reading: inout StoreReading, _ settings: PruneSettings, _ progress: Progress
    ) throws {
        let roots = try listed(.image)
        progress.expect(bytes: 0, items: UInt64(roots.count))
        var texts = Texts()
        try inOrder(roots, threads: objects.smallCalls) {
            self.rootReading($0)
        } _: { object, outcome in
            try progress.checkStop()
            progress.add(items: 1)
            try take(outcome, object, settings, &texts, &reading.groups[object.name.group, default: GroupReading()])
            return true
        }
    }

    private func take(
        _ outcome: RootReading, _ object: ListedObject, _ settings: PruneSettings, _ texts: inout Texts,
        _ group: inout GroupReading
    ) throws {
        switch outcome {
        case .gone: break
        case .leftover: group.tornRoots.append(object)
        case .interrupted(let stop): throw stop
        case .stop(let reason): group.stand(still: reason)
        case .unread(let reason):
            var image = PruneImage(object)
            image.problem = reason
            image.isUnread = true
            group.images.append(image)
            group.names.append([])
        case .image(let root):
            var image = PruneImage(root, object, problem: objection(to: root), settings, texts: &texts)
            image.isRevoked = revokes(object.name, digest: root.reference.digest)
            group.images.append(image)
            group.names.append(
                root.named.volumes.map { group.table.number(of: $0, .volume, in: object.name) }
                    + root.named.indexes.map { group.table.number(of: $0, .index, in: object.name) }
                    + root.named.parity.map { group.table.number(of: $0, .volume, in: object.name) })
            group.writers[root.name.writer] = texts.one(root.certificate.name)
            group.predecessors[root.name.writer, default: []].formUnion(root.certificate.predecessors)
        }
    }
}

extension ObjectName {
    /// One writer's folder.
    struct Folder: Hashable {
        var group: Identifier
        var writer: Identifier
    }

    var place: Folder { Folder(group: group, writer: writer) }
}

extension PruneSettings {
    /// How old is what nothing names before it is condemned.
    var condemnedAge: Int64 { Self.condemnAge.adding(saturating: longestRun) }
}
