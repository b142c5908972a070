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

    /// What a finished volume still needs: to become durable, then to be named by a checkpoint and the index object.
    private struct Closed: Sendable {
        var part: IndexPart
        var number: UInt32
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

    private let finisher: BoundedQueue<Closed>
    private var finisherThread: WorkerThread?
    private let finisherState = Monitor()
    private var finisherFailure: (any Error)?
    private(set) var checkpoints: [ObjectName] = []
    /// Used by the finisher's thread, and after its end by the one that commits.
    private var indexWriter: IndexObjectWriter?
    /// The volumes of this run, by their numbers.
    private var own: Set<UInt32> = []
    /// What this run has created in the store so far, by name.
    private var created: [String] = []
    private var isRootBegun = false

    private(set) var newBytes: UInt64 = 0
    private(set) var storedBytes: UInt64 = 0

    /// Begins a run. What earlier runs of this machine left is taken over or removed.
    init(store: Store, level: Int, cache: BytePath?) throws {
        guard let writer = store.keyring.writer else { throw ImageError.noWriterKey(store: store.subject) }
        self.store = store
        writerKey = writer
        // Before the roots are listed: what such a run got to write is in that listing.
        endedRuns = store.machine.adoptEndedRuns(store: store.id)
        known = try store.writerIndex()
        index = known.index
        run = try store.machine.beginRun(writer)
        manifestEncoder = try ChunkEncoder(group: writer.group, level: max(3, level))
        manifestBuffer = .allocate(byteCount: ChunkEncoder.capacity(for: Format.maximumChunkLength), alignment: 64)
        // A cache costs only time: one that cannot be written is none.
        cacheWriter = cache.flatMap { try? WalkCacheWriter($0) }
        finisher = BoundedQueue(capacity: 2)
        try takeOverEndedRuns()
        finisherThread = WorkerThread { [self] in makeDurable() }
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
        try checkFinisher()
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
        let isFull = open.writer.isFull
        if isFull { try close(open) }
        if kind == .data { data = isFull ? nil : open } else { metadata = isFull ? nil : open }
    }

    private func begin(_ type: ObjectType) throws -> Open {
        let name = try run.volume(counter)
        counter += 1
        var uploads = [try create(name.text)]
        if type == .metadataVolume { uploads.append(try create(name.second)) }
        let writer = try ObjectWriter(type, id: name.id, run: run.id, writer: writerKey) { [uploads] bytes in
            for upload in uploads { try upload.append(bytes) }
        }
        let number = index.add(VolumeReference(writer: writerKey.writer, id: name.id, digest: .zero, length: 0))
        own.insert(number)
        return Open(number: number, writer: writer, uploads: uploads)
    }

    private func create(_ name: String) throws -> any ObjectUpload {
        let upload = try store.objects.create(name)
        finisherState.withLock { created.append(name) }
        return upload
    }

    private func close(_ open: Open) throws {
        let summary = try open.writer.finish()
        let reference = VolumeReference(
            writer: writerKey.writer, id: summary.id, digest: summary.digest, length: summary.length)
        index.complete(open.number, reference)
        finisher.push(
            Closed(part: IndexPart(volume: reference, rows: summary.rows), number: open.number, uploads: open.uploads))
    }

    // MARK: Durability

    private static let checkpointBytes: UInt64 = 1 << 30
    private static let checkpointSeconds: Int64 = 10

    /// Makes volumes durable while the next are computed, adds them to the index object, and from time to time writes a checkpoint
    /// that names them.
    private func makeDurable() {
        var unnamed: [VolumeReference] = []
        var last = Timestamp.now().seconds
        while let closed = finisher.pop() {
            do {
                for upload in closed.uploads { try upload.commit() }
                try addToIndexObject(closed.part)
                unnamed.append(closed.part.volume)
                let bytes = unnamed.reduce(UInt64(0)) { $0 &+ $1.length }
                let now = Timestamp.now().seconds
                if bytes >= Self.checkpointBytes || now &- last >= Self.checkpointSeconds {
                    try checkpoint(unnamed)
                    unnamed = []
                    last = now
                }
            } catch {
                finisherState.withLock { if finisherFailure == nil { finisherFailure = error } }
                finisher.close()
            }
        }
    }

    private func addToIndexObject(_ part: IndexPart) throws {
        if indexWriter == nil {
            indexWriter = try IndexObjectWriter(run.index, run: run.id, writer: writerKey, in: store.objects)
            finisherState.withLock { if let name = indexWriter?.name.text { created.append(name) } }
        }
        try indexWriter?.append(part)
    }

    private func checkpoint(_ volumes: [VolumeReference]) throws {
        let name = try run.checkpoint(finisherState.withLock { checkpoints.count })
        let (bytes, _) = try makeObject(.checkpoint, id: name.id, run: run.id, writer: writerKey) {
            try $0.append(.volumes, NamedObjects(volumes: volumes).encoded())
        }
        try store.objects.put(name.text, bytes)
        finisherState.withLock { checkpoints.append(name) }
    }

    private func checkFinisher() throws {
        if let failure = finisherState.withLock({ finisherFailure }) { throw failure }
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
        finisher.close()
        finisherThread?.join()
        try checkFinisher()

        var label = label
        label.newBytes = newBytes
        label.storedBytes = storedBytes
        try fillIn(&label)
        body.entries = label.entries
        body.contentBytes = label.contentBytes
        let numbers = neededLock.withLock { needed }.sorted()
        let named = try objectsToName(numbers)
        let name = try run.root
        let (bytes, summary) = try makeObject(.image, id: name.id, run: run.id, writer: writerKey) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, named.encoded())
            try $0.append(.body, body.encoded())
        }
        var looks = CommitLooks(store, group: writerKey.group.id, volumes: named.volumes)
        try looks.beforeRoot()
        // The commit point. A crash before it leaves volumes that the next run removes; between the two copies, an image that is
        // unfinished. Nobody can tell a failed write from one of which only the answer was lost: from the first byte of a root on, nothing
        // that it names is removed by this run. The next one sees what became of it.
        isRootBegun = true
        try store.objects.put(name.second, bytes)
        try looks.beforeRoot()
        try store.objects.put(name.text, bytes)
        let reference = RootReference(id: name.id, digest: summary.digest)
        try store.machine.remember(store.id) { memory in
            memory.ownRoots.insert(name.id)
            memory.see(reference, series: label.series, sequence: label.sequence)
        }
        try looks.afterRoot()

        // What follows only saves time and space; a failure here costs no image, and the next run makes it good.
        let isCleared = (try? clearEndedRuns()) != nil
        // As above.
        try? index.save(
            to: Store.indexPath(store.machine.cacheFolder(of: store.id), writerKey),
            roots: Array(known.roots) + [name.id])
        try? cacheWriter?.finish(sparse: sparse)  // As above.
        if isCleared { run.remove() }
        let seeded = named.volumes.filter { known.seeded.contains($0.id) }.count
        return ImageWriterResult(id: name.id, label: label, volumesOfOthers: seeded)
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
        // A store that cannot tell its time costs no image.
        if let time = try? store.objects.time(in: run.root.folder) {
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
            try addToIndexObject(IndexPart(volume: volume.reference, rows: rows))
            covered.insert(number)
        }
        var indexes: [VolumeReference] = []
        if let indexWriter {
            let reference = try indexWriter.finish()
            indexes.append(reference)
            for number in covered { index.note(reference, of: number) }
        }
        for reference in volumes.compactMap(\.index) where !indexes.contains(reference) { indexes.append(reference) }
        return NamedObjects(volumes: volumes.map(\.reference), indexes: indexes)
    }

    /// Ends without an image: removes what can be removed at once. What checkpoints name stays for the next run, and so does
    /// everything once a root was begun: it may be there.
    func abandon() {
        finisher.close()
        finisherThread?.join()
        let (durable, created) = finisherState.withLock { (checkpoints, self.created) }
        if durable.isEmpty && !isRootBegun {
            // What cannot be removed now is the next run's to remove; its record stays for that.
            let isClear = created.map { (try? store.objects.remove($0)) != nil }.allSatisfy { $0 }
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
