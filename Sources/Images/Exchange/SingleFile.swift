// A single-file image: the same objects as in a store, one after the other, so that both sides of a pipe can work as they go.

internal import Cryptography
internal import Platform
public import Reporting

/// Puts a tree, or an image that is read, into a single file.
final class SingleFileWriter: PipelineOutput, @unchecked Sendable {
    private let sink: SingleFileSink
    private let key: WriterKey
    private let run: ObjectID
    private let encoder: ChunkEncoder
    private let buffer: UnsafeMutableRawBufferPointer
    private var place = ManifestPosition()
    private var body = ImageBody()
    private var counter: UInt32 = 0
    private(set) var newBytes: UInt64 = 0
    private(set) var storedBytes: UInt64 = 0

    /// The chunks of the batch so far, laid out but not sealed.
    private struct Held {
        var id: Digest
        var plain: [UInt8]
        var contentLength: Int
    }
    private var held: [Held] = []
    private var heldIDs: Set<Digest> = []

    /// Begins the file: keys, twice, with a label that has no counts yet.
    init(
        to output: SingleFileOutput, key: WriterKey, header: StoreHeader, records: [StoreRecord],
        keyFiles: [(name: String, bytes: [UInt8])], label: ImageLabel, level: Int
    ) throws {
        self.key = key
        sink = try SingleFileSink(output)
        run = try ObjectID.random()
        encoder = try ChunkEncoder(group: key.group, level: max(3, level))
        buffer = .allocate(byteCount: ChunkEncoder.capacity(for: Format.maximumChunkLength), alignment: 64)
        let keys = try makeObject(.keys, id: .derived(run: run, number: 0), run: run, writer: key) {
            try $0.append(.storeHeader, header.encoded())
            for record in records { try $0.append(.record, record.encoded) }
            for file in keyFiles { try $0.append(.keyFile, Array(file.name.utf8) + [0] + file.bytes) }
            try $0.append(.label, label.encoded())
        }
        try sink.append(keys.bytes + keys.bytes)
    }

    deinit { buffer.deallocate() }

    func isKnown(_ id: Digest) -> Bool { false }

    func take(_ job: ChunkJob) throws {
        newBytes.add(saturating: UInt64(job.inputLength))  // safe: of a buffer
        hold(job.prepared)
    }

    /// Adds a chunk to the batch, unless it has it.
    func hold(_ chunk: PreparedChunk) {
        guard heldIDs.insert(chunk.id).inserted else { return }
        held.append(Held(id: chunk.id, plain: Array(chunk.plain), contentLength: chunk.contentLength))
    }

    var heldBytes: Int { held.saturatingSum { $0.plain.count } }
    func holds(_ id: Digest) -> Bool { heldIDs.contains(id) }

    func take(_ piece: ManifestPiece) throws { try batch(records: piece.bytes) }

    /// Writes the chunks held so far, and the records that cite them.
    func batch(records: [UInt8]) throws {
        var manifest: [UInt8] = []
        manifest.append(record: .position, place.position.encoded())
        var reader = RecordReader(records)
        while let item = try reader.next() {
            if item.kind == .state || item.kind == .position { continue }
            manifest += records[item.record]
            try place.advance(item.kind, records, item.payload.position..<item.payload.end)
        }
        let bytes = try manifest.withUnsafeBytes { content -> [UInt8] in
            guard content.count <= Format.maximumChunkLength else {
                throw FormatError("a batch's manifest is too long")
            }
            try checkManifest(manifest)
            let id = try encoder.digest(of: content)
            body.pieces.append(ImageBody.Piece(id: id, length: content.count))
            let count = try encoder.prepare(content, id: id, into: buffer)
            let piece = PreparedChunk(
                id: id, plain: UnsafeRawBufferPointer(rebasing: buffer[..<count]), contentLength: content.count)
            counter += 1
            return try makeObject(.batch, id: .derived(batch: counter, run: run), run: run, writer: key) { object in
                try object.append(piece, kind: .manifest)
                for chunk in held {
                    try chunk.plain.withUnsafeBytes {
                        try object.append(PreparedChunk(id: chunk.id, plain: $0, contentLength: chunk.contentLength))
                    }
                }
                try object.append(piece, kind: .manifest)
            }.bytes
        }
        held.removeAll(keepingCapacity: true)
        heldIDs.removeAll(keepingCapacity: true)
        storedBytes.add(saturating: UInt64(bytes.count))
        try sink.append(bytes)
    }

    func finish() throws {}

    /// Ends the file: root, twice.
    func commit(_ label: ImageLabel) throws -> (id: ObjectID, label: ImageLabel) {
        var label = label
        label.newBytes = newBytes
        label.storedBytes = storedBytes
        body.entries = label.entries
        body.contentBytes = label.contentBytes
        body.batches = UInt64(counter)
        let root = try makeObject(.image, id: .derived(run: run, number: .max), run: run, writer: key) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, NamedObjects().encoded())
            try $0.append(.body, body.encoded())
        }
        try sink.append(root.bytes + root.bytes)
        try sink.commit()
        return (root.summary.id, label)
    }

    func abandon() { sink.abandon() }

    /// What is written, as far as it has been begun.
    var outputFiles: Set<FileIdentity> { sink.files }
}

public enum SingleFile {
    /// Content after which a batch ends: what a reader holds in memory at once.
    static let batchLength = 4 << 20

    /// Backs up trees into a single file with a secret of its own, which the recipients can open.
    public static func backup(
        _ request: BackupRequest, to output: SingleFileOutput, recipients: [StoreRecipient], machine: MachineState,
        progress: Progress, findings: Findings
    ) throws -> BackupReport {
        do {
            let secret = try StoreSecret.generate()
            guard let rootKey = secret.rootKey else { throw FormatError("a new store has a root key") }
            let series = request.series ?? Store.defaultSeries + request.name
            let key = try WriterKey.issue(
                from: secret, rootKey: rootKey, group: Store.defaultGroup(), writer: HostFacts.hostName,
                series: [series])
            let record = try StoreRecord(
                after: nil, store: secret.store, rootKey: rootKey, epoch: 1, sealing: secret.newest.sealing.publicKey,
                time: Timestamp.now().seconds, revoked: [],
                recipients: recipients.map { StoreReader(name: $0.name, governs: true) })
            let keyFiles = try recipients.map { ($0.name + ".age", try secret.wrapped(for: $0)) }
            var label = request.label()
            label.series = series
            label.sequence = 1
            let writer = try SingleFileWriter(
                to: output, key: key, header: StoreHeader(store: secret.store, root: rootKey.verifyingKey),
                records: [record], keyFiles: keyFiles, label: label, level: request.level)
            do {
                let counts = try request.readTrees(
                    into: writer, group: key.group, store: key.store,
                    options: TreeReader.Options(
                        excludes: request.excludes, own: ownFiles(request, writer.outputFiles, machine),
                        contentPerPiece: batchLength),
                    cache: nil, progress: progress, findings: findings, isStored: { _ in false })
                label.add(counts, findings: findings.count)
                let (id, finished) = try writer.commit(label)
                return BackupReport(
                    id: id, label: finished, files: counts.files, filesRead: counts.filesRead, skipped: counts.skipped,
                    findings: findings.count, unmatchedExcludes: counts.unmatchedExcludes)
            } catch {
                writer.abandon()
                throw error
            }
        } catch { throw ImageError.wrapping(error, subject: output.path?.description ?? "standard output") }
    }

    private static func ownFiles(
        _ request: BackupRequest, _ outputFiles: Set<FileIdentity>, _ machine: MachineState
    ) -> Set<FileIdentity> {
        machine.ownFiles.union(request.own.compactMap { FileIdentity($0) }).union(outputFiles)
    }
}
