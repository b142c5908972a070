// Puts an image into a store: chunks into volumes, records into the manifest, and at the very end the root. Nothing refers to
// what was written before it is durable; a crash at any point leaves what the next run recognises and clears.

internal import Cryptography
internal import Platform
internal import Stores
internal import Synchronization

final class ImageWriter: PipelineOutput, @unchecked Sendable {
    /// A volume that is being written; a metadata volume is written to two objects at once.
    private struct Open {
        var number: UInt32
        var writer: ObjectWriter
        var uploads: [any ObjectUpload]
    }

    let store: Store
    let writerKey: WriterKey
    let index: ChunkIndex
    var known: WriterIndex
    private let run: RunRecord
    let endedRuns: [RunRecord]

    private var data: Open?
    private var metadata: Open?
    private var counter: UInt32 = 0
    /// Which volumes of the index the image needs.
    private var needed: Set<UInt32> = []
    private let neededLock = Monitor()

    private var cutter = ManifestCutter()
    private let manifestEncoder: ChunkEncoder
    private let manifestBuffer: UnsafeMutableRawBufferPointer
    private var body = ImageBody()
    private var cacheWriter: WalkCacheWriter?

    private let finisher: VolumeFinisher
    private let storeClock: StoreClock
    var checkpoints: [ObjectName] { finisher.checkpoints }
    /// The volumes of this run, by their numbers.
    private var own: Set<UInt32> = []
    private var isRootBegun = false

    private(set) var newBytes: UInt64 = 0
    private(set) var storedBytes: UInt64 = 0

    /// Begins a run. What earlier runs of this machine left is taken over or removed.
    init(store: Store, level: Int, cache: BytePath?) throws {
        guard let writer = store.keyring.writer else { throw ImageError.noWriterKey(store: store.subject) }
        self.store = store
        writerKey = writer
        storeClock = StoreClock(store.objects, writer)
        // Before the roots are listed: what such a run got to write is in that listing.
        endedRuns = store.machine.adoptEndedRuns(store: store.id)
        known = try store.writerIndex()
        index = known.index
        run = try store.machine.beginRun(writer)
        manifestEncoder = try ChunkEncoder(group: writer.group, level: max(3, level))
        manifestBuffer = .allocate(byteCount: ChunkEncoder.capacity(for: Format.maximumChunkLength), alignment: 64)
        // A cache costs only time: one that cannot be written is none.
        cacheWriter = cache.flatMap { try? WalkCacheWriter($0) }
        finisher = VolumeFinisher(store.objects, run: run, writer: writer)
        do { try takeOverEndedRuns() } catch {
            finisher.end()
            throw error
        }
    }

    deinit { manifestBuffer.deallocate() }

    // MARK: Chunks

    /// Whether the store has a chunk that may be cited; if so its volume belongs to the image.
    func cite(_ id: Digest) throws -> Bool {
        guard let location = try index.locate(id) else { return false }
        neededLock.withLock { _ = needed.insert(location.volume) }
        return true
    }

    /// What a chunk takes in the store; 0 where it is not there.
    // safe: 32 bits
    func storedLength(of id: Digest) throws -> UInt64 { try index.locate(id).map { UInt64($0.sealedLength) } ?? 0 }

    func isKnown(_ id: Digest) throws -> Bool { try index.locate(id) != nil }

    func take(_ job: ChunkJob) throws {
        if try cite(job.id) { return }
        // Known a moment ago, and gone: a worker saw it in a volume that was dropped. It cannot happen without a bug.
        guard !job.isKnown else { throw FormatError("a chunk vanished from the index") }
        try take(job.prepared)
    }

    /// A chunk of content that the index does not have.
    func take(_ chunk: PreparedChunk) throws {
        newBytes.add(saturating: UInt64(chunk.contentLength))  // safe: of a buffer
        try append(chunk, kind: .data)
    }

    private func append(_ chunk: PreparedChunk, kind: FrameKind) throws {
        try finisher.check()
        let open = try (kind == .data ? data : metadata) ?? begin(kind == .data ? .dataVolume : .metadataVolume)
        let offset = open.writer.length
        try open.writer.append(chunk, kind: kind)
        storedBytes.add(saturating: open.writer.length - offset)
        // safe: a chunk is at most 5 MiB
        let sealedLength = UInt32(chunk.plain.count + Format.tagLength)
        try index.add(
            chunk.id,
            at: ChunkIndex.Location(
                volume: open.number, offset: offset, sealedLength: sealedLength))
        neededLock.withLock { _ = needed.insert(open.number) }
        let isFull = open.writer.isFull(at: store.objects.objectLength)
        if isFull { try close(open) }
        if kind == .data { data = isFull ? nil : open } else { metadata = isFull ? nil : open }
    }

    private func begin(_ type: ObjectType) throws -> Open {
        let name = try run.volume(counter)
        counter += 1
        let uploads = try finisher.create(type == .metadataVolume ? name.both : [name.text])
        let writer = try ObjectWriter(type, id: name.id, run: run.id, writer: writerKey) { [uploads] bytes in
            for upload in uploads { try upload.append(bytes) }
        }
        let number = index.add(VolumeReference(writer: writerKey.writer, id: name.id, digest: .zero, length: 0))
        own.insert(number)
        return Open(number: number, writer: writer, uploads: uploads)
    }

    private func close(_ open: Open) throws {
        let summary = try open.writer.finish()
        let reference = VolumeReference(
            writer: writerKey.writer, id: summary.id, digest: summary.digest, length: summary.length)
        index.complete(open.number, reference)
        try finisher.push(
            FinishedVolume(part: IndexPart(volume: reference, rows: summary.rows), uploads: open.uploads))
    }

    // MARK: Manifest

    func take(_ piece: ManifestPiece) throws {
        var reader = RecordReader(piece.bytes)
        while let item = try reader.next() {
            cacheWriter?.append(piece.bytes[item.record])
            if item.kind == .state { continue }
            try cutter.add(
                item.kind, piece.bytes, record: item.record, payload: item.payload.position..<item.payload.end,
                emit: appendManifest)
        }
    }

    private func appendManifest(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { content in
            let id = try manifestEncoder.digest(of: content)
            body.pieces.append(ImageBody.Piece(id: id, length: content.count))
            if try cite(id) { return }
            try checkManifest(bytes)
            let count = try manifestEncoder.prepare(content, id: id, into: manifestBuffer)
            try append(
                PreparedChunk(
                    id: id, plain: UnsafeRawBufferPointer(rebasing: manifestBuffer[..<count]),
                    contentLength: content.count), kind: .manifest)
        }
    }

    func finish() throws {}

    // MARK: The end

    /// Writes the root, once everything that it names is durable.
    /// - Parameter sparse: segments of which the next run reads the files again.
    /// - Throws: `Repeat` where what the image names went away meanwhile: the run is to be made once more.
    func commit(_ label: ImageLabel, sparse: [Digest] = []) throws -> ImageWriterResult {
        try cutter.flush(appendManifest)
        for open in [data, metadata].compactMap({ $0 }) { try close(open) }
        data = nil
        metadata = nil
        // On a server the index object is sent beside the last volumes.
        let volumes = Beside(store.objects.isFar) { [finisher] in try finisher.finish() }
        if !store.objects.isFar { try volumes.value() }

        var label = label
        label.newBytes = newBytes
        label.storedBytes = storedBytes
        try fillIn(&label)
        body.entries = label.entries
        body.contentBytes = label.contentBytes
        let numbers = neededLock.withLock { needed }.sorted()
        let named = try objectsToName(numbers)
        try volumes.value()
        let name = try run.root
        let (bytes, summary) = try makeObject(.image, id: name.id, run: run.id, writer: writerKey) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, named.encoded())
            try $0.append(.body, body.encoded())
        }
        var looks = CommitLooks(store, group: writerKey.group.id, named: named)
        // The commit point. A crash before it leaves volumes that the next run removes; between the two copies, an image that is
        // unfinished. Nobody can tell a failed write from one of which only the answer was lost: from the first byte of a root on, nothing
        // that it names is removed by this run. The next one sees what became of it.
        try looks.put(name, bytes) { isRootBegun = true }
        let reference = RootReference(id: name.id, digest: summary.digest)
        try store.machine.remember(store.id) { memory in
            memory.ownRoots.insert(name.id)
            memory.see(reference, series: label.series, sequence: label.sequence)
        }
        try looks.afterRoot(name, length: UInt64(bytes.count))
        keepLabel(name, bytes)

        // What follows only saves time and space; a failure here costs no image, and the next run makes it good.
        let isCleared = (try? clearEndedRuns(own: named)) != nil
        // As above.
        try? index.save(
            to: Store.indexPath(store.machine.cacheFolder(of: store.id), writerKey),
            roots: Array(known.roots) + [name.id])
        try? cacheWriter?.finish(sparse: sparse)  // As above.
        if isCleared { run.remove() }
        let seeded = named.volumes.filter { known.seeded.contains($0.id) }.count
        return ImageWriterResult(id: name.id, label: label, volumesOfOthers: seeded)
    }

    /// Notes the label of an image that was just written, so that nobody reads it again for that.
    private func keepLabel(_ name: ObjectName, _ bytes: [UInt8]) {
        guard
            // A cache that lacks it costs time.
            let reader = try? ObjectReader(
                [MemorySource(bytes)], subject: store.describe(name), keyring: store.keyring, name: name),
            let root = try? ImageRoot(reader)  // As above.
        else { return }
        var labels = LabelCache(folder: store.machine.cacheFolder(of: store.id), root: store.chain.newest.root)
        labels.keep(root, length: UInt64(bytes.count))
        labels.save()
    }

    /// What the writer knows of series, time and store.
    private func fillIn(_ label: inout ImageLabel) throws {
        let listed = known.newest[label.series]
        let remembered = try store.machine.memory(of: store.id).series[label.series]
        let newest = [listed, remembered].compactMap { $0 }.max { $0.sequence < $1.sequence }
        // A number beyond all counting is a forger's or a fault's: two newest images are said, a small one would hide the new one.
        let last = max(newest?.sequence ?? 0, known.highest[label.series] ?? 0)
        label.sequence = last == .max ? last : last + 1
        label.parent = newest?.root.id
        label.parentDigest = newest?.root.digest
        label.record = StoreMemory.Record(number: store.chain.newest.number, digest: store.chain.newest.digest)
        if let time = storeClock.now {
            label.storeTime = time
            label.clockOffset = time &- Timestamp.now().seconds
        }
        label.clock = HostFacts.clockIsSynchronised ? .synchronized : .notSynchronized
    }

    /// The volumes that the image needs, and index objects that have the rows of all of them: those of volumes that lost theirs, or
    /// never had one, are added to this run's.
    private func objectsToName(_ numbers: [UInt32]) throws -> NamedObjects {
        let volumes = numbers.map { index.volumes[Int($0)] }  // safe: numbers of the index
        var covered = own
        for (number, volume) in zip(numbers, volumes) where volume.index == nil && !own.contains(number) {
            // A reader looks into the volume itself, as this one just did in vain.
            guard let rows = try? store.directory(of: volume.reference, group: writerKey.group.id) else { continue }
            try finisher.addToIndexObject(IndexPart(volume: volume.reference, rows: rows))
            covered.insert(number)
        }
        var indexes: [VolumeReference] = []
        if let reference = try finisher.finishIndex() {
            indexes.append(reference)
            for number in covered { index.note(reference, of: number) }
        }
        for reference in volumes.compactMap(\.index) where !indexes.contains(reference) { indexes.append(reference) }
        return NamedObjects(volumes: volumes.map(\.reference), indexes: indexes)
    }

    /// Ends without an image: removes what can be removed at once. What checkpoints name stays for the next run, and so does
    /// everything once a root was begun: it may be there.
    func abandon() {
        finisher.end()
        if checkpoints.isEmpty && !isRootBegun {
            // What cannot be removed now is the next run's to remove; its record stays for that.
            let isClear = finisher.created.map { (try? store.objects.remove($0)) != nil }.allSatisfy { $0 }
            if endedRuns.isEmpty && isClear { run.remove() }
        }
    }
}

/// An image that was written.
struct ImageWriterResult {
    var id: ObjectID
    var label: ImageLabel
    /// Volumes of other machines that it needs.
    var volumesOfOthers: Int
}

/// A store's time. It takes turns of its own to learn it, so that is done while the run begins; from then on this machine counts, in seconds
/// since its start, which nobody sets.
private struct StoreClock {
    private let first: Beside<(time: Int64, at: Int64)?>

    init(_ objects: any ObjectStore, _ writer: WriterKey) {
        let folder = ObjectName.folder(.image, group: writer.group.id, writer: writer.writer)
        first = Beside(objects.isFar) {
            // A store that cannot tell its time costs no image.
            try? objects.time(in: folder).map { ($0, HostFacts.secondsSinceStart) }
        }
    }

    var now: Int64? {
        guard let first = try? first.value() else { return nil }  // It does not throw.
        return first.time &+ (HostFacts.secondsSinceStart &- first.at)
    }
}
