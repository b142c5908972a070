// What runs of this machine left that ended before they were done: a root of which only the second copy is there is finished, what
// checkpoints name is cited, and what nothing names is removed.

internal import Cryptography
internal import Platform
internal import Stores

extension ImageWriter {
    /// Volumes that a checkpoint of an ended run names are durable and can be cited; the others were never finished and go,
    /// unless the run got as far as its root. Where a root cannot be read now, nothing goes: it may name anything.
    func takeOverEndedRuns() throws {
        if endedRuns.isEmpty { return }
        let named = try? objectsOfRoots()  // Only then is anything removed.
        for ended in endedRuns {
            var durable = named ?? []
            for (_, listed) in try checkpoints(of: ended) {
                var objects = listed
                objects.volumes.removeAll { known.unusable.contains($0.id) }
                if ended.group == writerKey.group.id && ended.writer == writerKey.writer {
                    try store.add(objects, group: ended.group, to: index) { _, _ in false }
                }
                durable.formUnion(listed.volumes.map(\.id))
            }
            if try isCommitted(ended) {
                try finishRoot(of: ended)
            } else if named != nil {
                try removeObjects(of: ended, except: durable)
            }
        }
    }

    /// Writes the first copy of a root of which a run got no further than the second, or no further than a part of the first. That is no
    /// damage; the run ended there.
    ///
    /// One that nobody has taken for an image so far becomes one only where nothing has happened since that speaks against it: all that it
    /// names is there and nothing of it condemned, and its series has not gone on. Else it stays unfinished, and is listed as that.
    private func finishRoot(of run: RunRecord) throws {
        let object = try listedRoot(of: run)
        guard let second = try store.objects.read(object.name.second, limit: Format.maximumRootLength),
            try MemorySource(second).isWhole()
        else { return }
        if object.first != nil {
            guard let first = try store.objects.openIfPresent(object.name.text), try !first.isWhole(),
                first.length < UInt64(second.count), try store.objects.removeIfAllowed(object.name.text)
            else { return }
            return try store.objects.put(object.name.text, second)
        }
        // One that is damaged, or of a group whose keys this machine has no more, is not this machine's to judge.
        guard let root = try? store.image(object.name), store.objection(to: root) == nil else { return }
        let label = root.label
        guard known.newest[label.series]?.sequence ?? 0 < label.sequence,
            known.highest[label.series] ?? 0 <= label.sequence,
            try store.vanished(root.volumes, root.named.indexes, group: object.name.group).isEmpty
        else { return }
        try store.objects.put(object.name.text, second)
        known.newest[label.series] = StoreMemory.Newest(root: root.reference, sequence: label.sequence)
    }

    /// What the roots of this group name. A root that cannot be read now may name anything, so this throws.
    private func objectsOfRoots() throws -> Set<ObjectID> {
        var named: Set<ObjectID> = []
        for group in Set(endedRuns.map(\.group)) {
            for object in try store.listed(.image, group: group) where try !store.isLeftover(object) {
                let root = try store.image(object.name)
                named.formUnion((root.named.volumes + root.named.indexes).map(\.id))
            }
        }
        return named
    }

    /// Whether the run's root is there, whole or damaged: then its volumes are an image's.
    private func isCommitted(_ run: RunRecord) throws -> Bool {
        let object = try listedRoot(of: run)
        guard object.first != nil || object.second != nil else { return false }
        return try !store.isLeftover(object)
    }

    private func listedRoot(of run: RunRecord) throws -> ListedObject { try store.listed(run.root) }

    /// The checkpoints of a run, in order. The last may be torn and names nothing then.
    private func checkpoints(of run: RunRecord) throws -> [(name: ObjectName, objects: NamedObjects)] {
        var result: [(name: ObjectName, objects: NamedObjects)] = []
        while true {
            let name = try run.checkpoint(result.count)
            let copies = try name.both.compactMap { try store.objects.read($0, limit: Format.maximumRootLength) }
            if copies.isEmpty { return result }
            var objects = NamedObjects()
            // A damaged checkpoint costs what it would have saved: the volumes of a run without a root are nobody else's.
            if let reader = try? ObjectReader(
                copies.map(MemorySource.init), subject: store.describe(name), keyring: store.keyring, name: name),
                let proof = try? reader.verifySignature(),  // As above.
                let frame = proof.frames.first(where: { $0.kind == .volumes }),
                let content = try? reader.content(of: frame)  // As above.
            {
                objects = (try? NamedObjects(decoding: content)) ?? NamedObjects()  // As above.
            }
            result.append((name, objects))
        }
    }

    /// The names of what a run writes follow from its id, so its leftovers are found without reading the store.
    private func removeObjects(of run: RunRecord, except kept: Set<ObjectID>) throws {
        let index = try run.index
        if !kept.contains(index.id) { _ = try store.objects.removeIfAllowed(index.text) }
        // Listed, not opened: a machine may be allowed to write volumes and not to read them.
        let listed = try store.listed(.volume, group: run.group, writer: run.writer)
        let there = Dictionary(listed.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        var missing = 0
        var number: UInt32 = 0
        // Two volumes are open at a time, so a gap of a few numbers is the end.
        while missing < 8 {
            let name = try run.volume(number)
            let copies = [
                there[name]?.first.map { _ in name.text }, there[name]?.second.map { _ in name.second },
            ].compactMap { $0 }
            missing = copies.isEmpty ? missing + 1 : 0
            number += 1
            if kept.contains(name.id) { continue }
            for copy in copies { _ = try store.objects.removeIfAllowed(copy) }
        }
    }

    /// After the root: checkpoints have served, and so have volumes of ended runs that no root names.
    /// - Parameter own: what the root names that was just written; a server's list may not show it yet.
    func clearEndedRuns(own: NamedObjects) throws {
        for checkpoint in checkpoints { _ = try store.objects.removeIfAllowed(checkpoint.text) }
        guard !endedRuns.isEmpty else { return }
        let named = try objectsOfRoots().union((own.volumes + own.indexes).map(\.id))
        for ended in endedRuns {
            for (name, _) in try checkpoints(of: ended) { _ = try store.objects.removeIfAllowed(name.text) }
            if try isCommitted(ended) {
                // Its image is this machine's own, also where it was cut before it could take note of it.
                try store.machine.remember(store.id) { $0.ownRoots.insert(try ended.root.id) }
            } else {
                let root = try listedRoot(of: ended)
                if try store.isLeftover(root) {
                    for copy in root.name.both { _ = try store.objects.removeIfAllowed(copy) }
                }
                try removeObjects(of: ended, except: named)
            }
            ended.remove()
        }
    }
}
