// What a writer may build on: its own volumes, those of the writers whose place it took, and other machines' where an identity has
// verified them. A cache tells what an object contains, never that it is there: that is this medium's listing to say.

internal import Cryptography
internal import Platform
internal import Stores

struct WriterIndex {
    var index: ChunkIndex
    /// The roots that it covers.
    var roots: Set<ObjectID>
    /// The images of this writer and its predecessors that are listed.
    var listed: Set<ObjectID>
    /// The newest image of each series that this machine may go on with.
    var newest: ExactTable<StoreMemory.Newest>
    /// The highest sequence of each series, unfinished images included: no number is given twice.
    var highest = ExactTable<UInt64>()
    /// Volumes of other writers, which rest on what an identity has verified.
    var seeded: Set<ObjectID>
    /// Volumes that are damaged or condemned.
    var unusable: Set<ObjectID>
}

extension Store {
    /// The index of this machine, brought up to date with the store.
    /// - Throws: `.contradicted` where somebody else writes with this machine's key.
    func writerIndex() throws -> WriterIndex {
        guard let writer = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
        let folder = machine.cacheFolder(of: id)
        try? makeFolders(folder)  // Without it there is no cache, which costs time.
        let writers = [writer.writer] + writer.certificate.predecessors
        let group = writer.group.id
        let stated = Beside(objects.isFar) { try self.verdicts(group: group) }
        let condemned = Beside(objects.isFar) { try self.condemnedVolumes(group: group) }
        let volumes = Beside(objects.isFar) { try self.volumeLengths(group: group, writer: writer.writer) }
        var listed: [ListedObject] = []
        for own in writers { listed += try self.listed(.image, group: writer.group.id, writer: own) }
        try refuseCopiedKey(listed, writer)
        let verdicts = try stated.value()
        let seeds = verdicts.filter { $0.kind == .image && $0.result == .seed && !writers.contains($0.writer) }

        let all = Set(listed.map(\.name.id)).union(seeds.map(\.target.id))
        var (index, roots) =
            ChunkIndex.load(from: Self.indexPath(folder, writer), folder: folder) ?? (ChunkIndex(folder: folder), [])
        // A root that is gone may have been the last to name a volume: what it named is no longer citable.
        if !roots.isSubset(of: all) { (index, roots) = (ChunkIndex(folder: folder), []) }
        let unusable = Store.damaged(verdicts).union(try condemned.value())
        var result = WriterIndex(
            index: index, roots: roots, listed: Set(listed.map(\.name.id)), newest: ExactTable(), seeded: [],
            unusable: unusable)

        var there = VolumesThere(
            store: self, group: writer.group.id, unusable: unusable, own: (writer.writer, volumes))
        var labels = LabelCache(folder: folder, root: chain.newest.root)
        for object in listed {
            try result.add(object, own: writers, there: &there, cache: &labels, of: self)
        }
        labels.save()
        for seed in seeds where !result.roots.contains(seed.target.id) {
            try result.add(seed, there: &there, of: self, group: writer.group.id)
        }
        result.seeded = Set(index.volumes.map(\.reference).filter { !writers.contains($0.writer) }.map(\.id))
        try result.markAbsent(&there)
        return result
    }

    static func indexPath(_ folder: BytePath, _ writer: WriterKey) -> BytePath {
        folder.appending("\(writer.writer)-\(writer.newest.number).index")
    }

    /// A root under one's own id that one did not write: somebody has a copy of the key. The listing comes first, then what is known:
    /// another run of this machine that ends meanwhile is known by then.
    private func refuseCopiedKey(_ listed: [ListedObject], _ writer: WriterKey) throws {
        let runs = try machine.rootsOfRuns(store: id)
        let known = try machine.memory(of: id).ownRoots.union(runs)
        for object in listed where object.name.writer == writer.writer && !known.contains(object.name.id) {
            // What is torn or foreign to the key proves nothing; who has the medium can put it there.
            guard let root = try? image(object.name) else { continue }
            throw ImageError.contradicted(
                store: subject,
                detail: "image \(root.id.short) is signed with this machine's key, and this machine did not write it")
        }
    }

    /// Adds volumes that the index does not know, with the rows that index objects have of them, or else their own directories. One whose
    /// directory is damaged is left out: its chunks count as absent.
    /// - Parameter trusted: whether an index object of this writer may speak for a volume.
    func add(
        _ named: NamedObjects, group: Identifier, to index: ChunkIndex,
        trusted: (_ index: VolumeReference, _ volume: VolumeReference) -> Bool
    ) throws {
        var missing = Dictionary(
            named.volumes.filter { !index.contains($0.id) }.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first }
        )
        forEachIndexPart(of: named.indexes, group: group) { reference, part in
            guard missing[part.volume.id] == part.volume, trusted(reference, part.volume) else { return }
            let number = index.add(part.volume)
            try index.add(part.rows, volume: number)
            index.note(reference, of: number)
            missing[part.volume.id] = nil
        } isEnough: {
            missing.isEmpty
        }
        for volume in named.volumes where missing[volume.id] != nil {
            guard let rows = try? directory(of: volume, group: group) else { continue }  // Its chunks are stored anew.
            try index.add(rows, volume: index.add(volume))
        }
    }
}

extension WriterIndex {
    /// Adds what an image of one's own names.
    fileprivate mutating func add(
        _ object: ListedObject, own writers: [Identifier], there: inout VolumesThere, cache labels: inout LabelCache,
        of store: Store
    ) throws {
        let name = object.name
        var root: ImageRoot?
        if labels.entries[name]?.length != object.length || !roots.contains(name.id) {
            // A damaged one names nothing that may be cited.
            root = try? store.image(name)
            if let root { labels.keep(root, length: object.length) }
        }
        guard let entry = labels.entries[name],
            store.objection(
                writer: name.writer, reference: entry.reference, series: entry.label.series, isCovered: entry.isCovered)
                == nil
        else { return }
        highest[entry.label.series] = max(highest[entry.label.series] ?? 0, entry.label.sequence)
        if object.first != nil, newest[entry.label.series]?.sequence ?? 0 <= entry.label.sequence {
            newest[entry.label.series] = StoreMemory.Newest(root: entry.reference, sequence: entry.label.sequence)
        }
        guard let root, !roots.contains(name.id) else { return }
        var named = root.named
        named.volumes = try named.volumes.filter { try writers.contains($0.writer) && there.holds($0) }
        try store.add(named, group: name.group, to: index) { index, volume in writers.contains(index.writer) }
        roots.insert(name.id)
    }

    /// Adds what an image names that an identity has verified.
    fileprivate mutating func add(
        _ seed: Verdict, there: inout VolumesThere, of store: Store, group: Identifier
    ) throws {
        let name = ObjectName(.image, group: group, writer: seed.writer, id: seed.target.id)
        // A seed that is gone or damaged is none.
        guard let root = try? store.image(name), root.reference == seed.target, store.objection(to: root) == nil else {
            return
        }
        let verified = Set(seed.indexes)
        var named = root.named
        named.volumes = try named.volumes.filter { try there.holds($0) }
        try store.add(named, group: group, to: index) { index, _ in verified.contains(index) }
        roots.insert(name.id)
    }

    /// A volume that has vanished, become shorter, been marked as damaged or condemned holds nothing.
    fileprivate func markAbsent(_ there: inout VolumesThere) throws {
        for (number, volume) in index.volumes.enumerated() {
            index.set(UInt32(number), isPresent: try there.holds(volume.reference))  // safe: numbers of the index
        }
    }
}

/// Which volumes may be cited: those that this medium's listing shows at their length, and that nobody has marked or condemned. The chunks
/// of any other are not even indexed: they would hide those that were stored again since.
private struct VolumesThere {
    let store: Store
    let group: Identifier
    let unusable: Set<ObjectID>
    private var lengths: [Identifier: [ObjectID: UInt64]] = [:]
    /// What is being listed already.
    private let own: (writer: Identifier, volumes: Beside<[ObjectID: UInt64]>)

    init(
        store: Store, group: Identifier, unusable: Set<ObjectID>,
        own: (writer: Identifier, volumes: Beside<[ObjectID: UInt64]>)
    ) {
        self.store = store
        self.group = group
        self.unusable = unusable
        self.own = own
    }

    mutating func holds(_ volume: VolumeReference) throws -> Bool {
        if unusable.contains(volume.id) { return false }
        if lengths[volume.writer] == nil {
            lengths[volume.writer] =
                try volume.writer == own.writer
                ? own.volumes.value() : store.volumeLengths(group: group, writer: volume.writer)
        }
        return lengths[volume.writer]?[volume.id] == volume.length
    }
}

extension Store {
    /// The volumes of one writer that are there, with their lengths.
    fileprivate func volumeLengths(group: Identifier, writer: Identifier) throws -> [ObjectID: UInt64] {
        var result: [ObjectID: UInt64] = [:]
        for object in try listed(.volume, group: group, writer: writer) {
            result[object.name.id] = max(object.first ?? 0, object.second ?? 0)
        }
        return result
    }

    /// Which of these volumes are condemned, or not there at their length, and which of these index objects are condemned.
    func vanished(
        _ volumes: [VolumeReference], _ indexes: [VolumeReference] = [], group: Identifier
    ) throws -> [VolumeReference] {
        if volumes.isEmpty { return [] }
        let looked = Beside(objects.isFar) { try self.condemnedVolumes(group: group) }
        var lengths: [ObjectID: UInt64] = [:]
        for writer in Set(volumes.map(\.writer)) {
            lengths.merge(try volumeLengths(group: group, writer: writer)) { max($0, $1) }
        }
        let condemned = try looked.value()
        return volumes.filter { condemned.contains($0.id) || lengths[$0.id] != $0.length }
            + indexes.filter { condemned.contains($0.id) }
    }
}
