// Puts an image into a store: chunks into volumes, records into the manifest, and at the very end the root. Nothing refers to
// what was written before it is durable; a crash at any point leaves what the next run recognises and clears.

internal import Cryptography
internal import Platform
internal import Synchronization

final class ImageWriter: PipelineOutput, @unchecked Sendable {
    /// A volume that is being written; a metadata volume is written to two files at once.
    private struct Open {
        var number: UInt32
        var writer: ObjectWriter
        var sinks: [any ObjectSink]
    }

    /// What a finished volume still needs: to become durable, then to be named by a checkpoint.
    private struct Closed: Sendable {
        var reference: VolumeReference
        var sinks: [any ObjectSink]
    }

    private let store: Store
    private let writerKey: WriterKey
    private let index: ChunkIndex
    private let run: RunRecord
    private let endedRuns: [RunRecord]
    private let machine: MachineState
    private let knownRoots: Set<ObjectID>

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
    private let cacheWriter: WalkCacheWriter?

    private let finisher: BoundedQueue<Closed>
    private var finisherThread: WorkerThread?
    private let finisherState = Monitor()
    private var finisherFailure: (any Error)?
    private var checkpoints: [ObjectID] = []
    /// What this run has created in the store so far, by name.
    private var created: [String] = []
    private var isRootBegun = false

    private(set) var newBytes: UInt64 = 0
    private(set) var storedBytes: UInt64 = 0

    /// Begins a run. What earlier runs of this machine left is taken over or removed.
    init(store: Store, machine: MachineState, level: Int, cache: BytePath?) throws {
        guard let writer = store.keyring.writer else { throw ImageError.noWriterKey(store: store.subject) }
        self.store = store
        self.machine = machine
        writerKey = writer
        (index, knownRoots) = try store.writerIndex(machine: machine)
        endedRuns = machine.adoptEndedRuns(store: store.id)
        run = try machine.beginRun(store: store.id)
        manifestEncoder = try ChunkEncoder(group: writer.group, level: max(3, level))
        manifestBuffer = .allocate(byteCount: ChunkEncoder.capacity(for: Format.maximumChunkLength), alignment: 64)
        do {
            cacheWriter = try cache.map { try WalkCacheWriter($0) }
        } catch let error as SystemError { throw ImageError(error) }
        finisher = BoundedQueue(capacity: 2)
        try takeOverEndedRuns()
        finisherThread = WorkerThread { [self] in makeDurable() }
    }

    deinit { manifestBuffer.deallocate() }

    // MARK: Earlier runs

    /// Volumes that a checkpoint of an ended run names are durable and can be cited; the others were never finished and go,
    /// unless the run got as far as its root. Where a root cannot be read now, nothing goes: it may name anything.
    private func takeOverEndedRuns() throws {
        if endedRuns.isEmpty { return }
        let named = try? volumesOfRoots()  // Only then is anything removed.
        for ended in endedRuns {
            var durable = named ?? []
            for (_, volumes) in try Self.checkpoints(of: ended.id, in: store) {
                try store.add(volumes, to: index)
                durable.formUnion(volumes.map(\.id))
            }
            if try isCommitted(ended) {
                try store.finishFirstCopy(Self.rootID(of: ended.id))
            } else if named != nil {
                try removeVolumes(of: ended.id, except: durable)
            }
        }
    }

    /// What the roots of this group name. A root that cannot be read now may name anything, so this throws.
    private func volumesOfRoots() throws -> Set<ObjectID> {
        var named: Set<ObjectID> = []
        for id in try store.rootIDs() where try !store.isLeftover(id) {
            let reader = try store.rootReader(id)
            guard reader.header.type == .image, reader.header.group == writerKey.group.id else { continue }
            named.formUnion(try ImageRoot(reader).volumes.map(\.id))
        }
        return named
    }

    /// Whether the run's root is there, whole or damaged: then its volumes are an image's.
    private func isCommitted(_ run: RunRecord) throws -> Bool {
        let id = try Self.rootID(of: run.id)
        return try !store.objects.copies(StoreName.image(id)).isEmpty && !store.isLeftover(id)
    }

    private static func checkpointID(of run: ObjectID, number: Int) throws -> ObjectID {
        try .derived(run: run, number: .max - 1 - UInt32(number))
    }

    /// The checkpoints of a run, in order. The last may be torn and names nothing then.
    private static func checkpoints(
        of run: ObjectID, in store: Store
    ) throws -> [(id: ObjectID, volumes: [VolumeReference])] {
        var result: [(id: ObjectID, volumes: [VolumeReference])] = []
        while true {
            let id = try checkpointID(of: run, number: result.count)
            if try store.objects.copies(StoreName.image(id)).isEmpty { return result }
            var volumes: [VolumeReference] = []
            if let reader = try? store.rootReader(id), reader.header.type == .checkpoint,
                (try? reader.verifySignature()) != nil,
                let frame = reader.scan().first(where: { $0.kind == .volumes }),
                let content = try? reader.content(of: frame)
            {
                volumes = (try? VolumeReference.decode(content)) ?? []
            }
            result.append((id, volumes))
        }
    }

    /// The names of a run's volumes follow from its id, so its leftovers are found without reading the store.
    ///
    /// A volume of another group or epoch stays: roots that this machine can no longer read may name it.
    private func removeVolumes(of run: ObjectID, except kept: Set<ObjectID>) throws {
        var missing = 0
        var number: UInt32 = 0
        // Two volumes are open at a time, so a gap of a few numbers is the end.
        while missing < 8 {
            let id = try ObjectID.derived(run: run, number: number)
            let name = StoreName.volume(id)
            let copies = try [name, name + ".2"].filter { try store.objects.open($0) != nil }
            missing = copies.isEmpty ? missing + 1 : 0
            number += 1
            if kept.contains(id) { continue }
            if let header = try? store.volumeReader(id).header,
                header.group != writerKey.group.id || header.epoch != writerKey.epoch
            {
                continue
            }
            for copy in copies { try store.objects.remove(copy) }
        }
    }

    /// After the root: checkpoints have served, and so have volumes of ended runs that no root names.
    private func clearEndedRuns(newRoot: [VolumeReference]) throws {
        for checkpoint in checkpoints { try store.objects.remove(StoreName.image(checkpoint)) }
        guard !endedRuns.isEmpty else { return }
        let named = try volumesOfRoots().union(newRoot.map(\.id))
        for ended in endedRuns {
            for (id, _) in try Self.checkpoints(of: ended.id, in: store) {
                try store.objects.remove(StoreName.image(id))
            }
            if try !isCommitted(ended) {
                try removeTornRoot(of: ended.id)
                try removeVolumes(of: ended.id, except: named)
            }
            ended.remove()
        }
    }

    /// A root of which not even the header was written cannot say whose it is; its name can.
    private func removeTornRoot(of run: ObjectID) throws {
        let id = try Self.rootID(of: run)
        if try store.isLeftover(id) { try store.objects.remove(StoreName.image(id) + ".2") }
    }

    private static func rootID(of run: ObjectID) throws -> ObjectID { try .derived(run: run, number: .max) }

    // MARK: Chunks

    /// Whether the store has a chunk that may be cited; if so its volume belongs to the image.
    func cite(_ id: Digest) throws -> Bool {
        guard let location = try index.locate(id) else { return false }
        neededLock.withLock { _ = needed.insert(location.volume) }
        return true
    }

    /// What a chunk takes in the store; 0 where it is not there.
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
        newBytes += UInt64(chunk.contentLength)
        try append(chunk, kind: .data)
    }

    private func append(_ chunk: PreparedChunk, kind: FrameKind) throws {
        try checkFinisher()
        let open = try (kind == .data ? data : metadata) ?? begin(kind == .data ? .dataVolume : .metadataVolume)
        let offset = open.writer.length
        try open.writer.append(chunk, kind: kind)
        storedBytes += open.writer.length - offset
        try index.add(
            chunk.id,
            at: ChunkIndex.Location(
                volume: open.number, offset: offset, sealedLength: UInt32(chunk.plain.count + Format.tagLength)))
        neededLock.withLock { _ = needed.insert(open.number) }
        let isFull = open.writer.length >= Format.volumeLength
        if isFull { try close(open) }
        if kind == .data { data = isFull ? nil : open } else { metadata = isFull ? nil : open }
    }

    private func begin(_ type: ObjectType) throws -> Open {
        let id = try ObjectID.derived(run: run.id, number: counter)
        counter += 1
        let name = StoreName.volume(id)
        var sinks = [try store.objects.create(name)]
        created.append(name)
        if type == .metadataVolume {
            let second = try store.objects.create(name + ".2")
            sinks.append(second)
            created.append(name + ".2")
        }
        let writer = try ObjectWriter(type, id: id, run: run.id, writer: writerKey) { [sinks] bytes in
            for sink in sinks { try sink.append(bytes) }
        }
        let number = index.add(VolumeReference(id: id, digest: .zero, length: 0))
        return Open(number: number, writer: writer, sinks: sinks)
    }

    private func close(_ open: Open) throws {
        let summary = try open.writer.finish()
        let reference = VolumeReference(id: summary.id, digest: summary.digest, length: summary.length)
        index.complete(open.number, reference)
        finisher.push(Closed(reference: reference, sinks: open.sinks))
    }

    // MARK: Durability

    private static let checkpointBytes: UInt64 = 1 << 30
    private static let checkpointSeconds: Int64 = 10

    /// Makes volumes durable while the next are computed, and from time to time writes a checkpoint that names them.
    private func makeDurable() {
        var unnamed: [VolumeReference] = []
        var last = Timestamp.now().seconds
        while let closed = finisher.pop() {
            do {
                for sink in closed.sinks { try sink.commit() }
                unnamed.append(closed.reference)
                let bytes = unnamed.reduce(0) { $0 + $1.length }
                let now = Timestamp.now().seconds
                if bytes >= Self.checkpointBytes || now - last >= Self.checkpointSeconds {
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

    private func checkpoint(_ volumes: [VolumeReference]) throws {
        let id = try Self.checkpointID(of: run.id, number: finisherState.withLock { checkpoints.count })
        let (bytes, _) = try makeObject(.checkpoint, id: id, run: run.id, writer: writerKey) {
            try $0.append(.volumes, VolumeReference.encode(volumes))
        }
        try store.objects.put(StoreName.image(id), bytes)
        finisherState.withLock { checkpoints.append(id) }
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
    func commit(_ label: ImageLabel, sparse: [Digest] = []) throws -> (id: ObjectID, label: ImageLabel) {
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
        body.entries = label.entries
        body.contentBytes = label.contentBytes
        let volumes = neededLock.withLock { needed }.sorted().map { index.volumes[Int($0)].reference }
        let id = try Self.rootID(of: run.id)
        let (bytes, _) = try makeObject(.image, id: id, run: run.id, writer: writerKey) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, VolumeReference.encode(volumes))
            try $0.append(.body, body.encoded())
        }
        // The commit point. A crash before it leaves volumes that the next run removes; between the two copies, an image.
        // Nobody can tell a failed write from one of which only the answer was lost: from the first byte of a root on, nothing that
        // it names is removed by this run. The next one sees what became of it.
        isRootBegun = true
        try store.objects.putTwice(StoreName.image(id), bytes)

        // What follows only saves time and space; a failure here costs no image.
        try? clearEndedRuns(newRoot: volumes)
        try? index.save(
            to: Store.indexPath(machine.cacheFolder(of: store.id), writerKey), roots: Array(knownRoots) + [id])
        try? cacheWriter?.finish(parent: id, sparse: sparse)
        run.remove()
        return (id, label)
    }

    /// Ends without an image: removes what can be removed at once. What checkpoints name stays for the next run, and so does
    /// everything once a root was begun: it may be there.
    func abandon() {
        finisher.close()
        finisherThread?.join()
        let durable = finisherState.withLock { checkpoints }
        if durable.isEmpty && !isRootBegun {
            for name in created { try? store.objects.remove(name) }
            if endedRuns.isEmpty { run.remove() }
        }
    }
}
