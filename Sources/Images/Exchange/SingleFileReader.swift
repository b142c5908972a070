// Reads a single-file image from front to end, one object at a time, through damage and to an early end.

internal import Cryptography
public import Platform
public import Reporting
internal import Stores

/// The objects in a stream of bytes. Holds one at a time.
final class ObjectStream {
    private let input: PartedInput
    /// Of the first object: all parts are of its run.
    private var first: ObjectHeader?
    private var buffer: [UInt8] = []
    private(set) var position: UInt64 = 0
    /// Stretches of bytes that belong to no object that could be recognised.
    private(set) var gaps: [UInt64] = []
    let subject: String

    /// No object of a single file is longer: 4 MiB of content and one chunk more, the manifest twice, and the root.
    private static let maximumLength = 64 << 20

    init(_ path: BytePath) throws {
        subject = path.bytes == Array("-".utf8) ? "standard input" : path.description
        input = try PartedInput(path)
    }

    private func fill(_ count: Int) throws {
        while buffer.count < count {
            try input.read(count - buffer.count, into: &buffer)
            if buffer.count < count, try !input.goOn(run: first, isBetweenObjects: buffer.isEmpty) { return }
        }
    }

    /// A file that has the name of a part and is none.
    var foreignPart: BytePath? { input.foreignPart }

    private func take(_ count: Int) -> [UInt8] {
        let bytes = Array(buffer[..<count])
        buffer.removeSubrange(..<count)
        position.add(saturating: UInt64(count))
        return bytes
    }

    /// The bytes of the next object; nil at the end.
    func next() throws -> [UInt8]? {
        while true {
            try fill(Format.headerLength)
            if buffer.isEmpty { return nil }
            if let header = try header(at: 0), header.length <= UInt64(Self.maximumLength),
                header.length >= UInt64(Format.headerLength)
            {
                if first == nil { first = header }
                let length = Int(header.length)  // safe: compared
                try fill(length)
                return take(min(buffer.count, length))
            }
            if let object = try resynchronize() { return object }
        }
    }

    private func header(at offset: Int) throws -> ObjectHeader? {
        guard buffer.count >= offset + Format.headerLength else { return nil }
        do {
            return try ObjectHeader(
                decoding: Array(buffer[offset..<offset + Format.headerLength]), subject: subject)
        } catch is FormatError { return nil }
    }

    /// The header here is damaged: looks for the next one, which is either this object's own at its end or the next object's.
    /// Returns the object if its start is here too; otherwise the next object is at the front of the buffer, or nothing is.
    private func resynchronize() throws -> [UInt8]? {
        gaps.append(position)
        var searched = 1
        while true {
            let last = buffer.count - Format.headerLength
            while searched <= last {
                if buffer[searched] == Format.headerMagic[0], let header = try header(at: searched) {
                    let end = searched + Format.headerLength + Format.trailerLength
                    try fill(end)
                    if buffer.count >= end,
                        // What is no trailer is none, and an object begins here.
                        let trailer = try? ObjectTrailer(
                            decoding: Array(buffer[searched + Format.headerLength..<end])),
                        trailer.length == header.length
                    {
                        // The end of an object; if its start is here too, it is whole but for its first header.
                        if header.length <= UInt64(end) {
                            let length = Int(header.length)  // safe: compared
                            if end > length { _ = take(end - length) }
                            return take(length)
                        }
                        _ = take(end)
                        return nil
                    }
                    _ = take(searched)
                    return nil
                }
                searched += 1
            }
            // What has been searched is let go before there is too much of it.
            if buffer.count > Self.maximumLength {
                _ = take(buffer.count - Format.headerLength)
                searched = 0
            }
            let before = buffer.count
            try fill(before + (1 << 20))
            if buffer.count == before {
                _ = take(before)
                return nil
            }
        }
    }
}

/// The chunks of one batch.
private final class BatchChunks: ChunkProvider {
    private let reader: ObjectReader
    private let frames: [Digest: [FrameHead]]
    var isRandomAccess: Bool { false }

    init(_ reader: ObjectReader, rows: [DirectoryRow]) {
        self.reader = reader
        frames = Dictionary(grouping: rows, by: \.id).mapValues { $0.map(\.frame) }
    }

    func read(_ id: Digest, into workspace: ChunkWorkspace) throws {
        var problem: any Error = ImageError.damaged(subject: reader.subject, detail: "a chunk is missing")
        for frame in frames[id] ?? [] {
            do {
                guard let head = reader.frame(at: frame.offset) else { throw FormatError("a frame is damaged") }
                return try reader.readChunk(head, id: id, workspace: workspace)
            } catch { problem = error }
        }
        throw problem
    }
}

final class SingleFileImageReader: BatchedImageReader {
    private(set) var label: ImageLabel?
    private let keyring: Keyring
    private let stream: ObjectStream
    private let workspace: ChunkWorkspace
    private var root: ImageRoot?
    private var pieces: [Digest] = []
    private var losses: [Finding] = []
    private var isAtEnd = false
    /// Since the last batch that was read.
    private var hasSeenDamage = false
    private var reportedGaps = 0
    /// An object that was read while looking for the keys.
    private var ahead: [UInt8]?
    /// The id that the next batch has, counted from 1, and the run and writer of all of them.
    private var nextBatchNumber: UInt32 = 1
    private let head: ObjectHeader
    private let chain: RecordChain

    var restoredSubject: String { stream.subject }
    var rootID: ObjectID? { root?.id }
    /// What a person compares.
    let fingerprint: StoreFingerprint

    init(_ path: BytePath, credentials: Credentials, machine: MachineState) throws {
        stream = try ObjectStream(path)
        workspace = try ChunkWorkspace()
        let subject = stream.subject
        // Keys come twice; either copy, or parts of both, will do.
        var copies: [MemorySource] = []
        var first: ObjectHeader?
        while copies.count < 2, let bytes = try stream.next() {
            let source = MemorySource(bytes)
            // What cannot be read is none of them.
            guard let reader = try? ObjectReader([source], subject: subject, keyring: Keyring(chain: nil)),
                reader.header.type == .keys, first.map({ $0.id == reader.header.id }) ?? true
            else {
                ahead = bytes
                break
            }
            first = reader.header
            copies.append(source)
        }
        guard let first else {
            if stream.position == 0 { throw ImageError.truncated(subject: subject) }
            throw ImageError.damaged(subject: subject, detail: "it holds no keys, or is no image")
        }
        head = first
        let keys = try SingleFileKeys(ObjectReader(copies, subject: subject, keyring: Keyring(chain: nil)))
        guard keys.header.store == head.store else {
            throw ImageError.damaged(subject: subject, detail: "its keys are another store's")
        }
        let writer = try machine.writerKey(of: keys.header.store)
        let root = try credentials.trust.root(
            of: keys.records, pinned: machine.memory(of: keys.header.store).pins(writer, among: keys.records),
            isFile: true, subject: subject)
        fingerprint = try StoreFingerprint(store: keys.header.store, root: root)
        let chain = try keys.records.chain(of: root, subject: subject)
        self.chain = chain
        let secret = try credentials.open(keys.files, subject: subject) { $0.confirmed(by: chain) }
        keyring = Keyring(chain: chain, secret: secret, writer: writer)
        let reader = try ObjectReader(copies, subject: subject, keyring: keyring)
        let proof = try reader.verifySignature()
        guard let frame = proof.frames.first(where: { $0.kind == .label }) else {
            throw ImageError.damaged(subject: subject, detail: "it has no label")
        }
        // Where things go depends on it, so it is there and authentic, or nothing is placed.
        let label = try ImageLabel(decoding: reader.content(of: frame))
        guard proof.certificate.covers(series: label.series) else {
            throw ImageError.damaged(subject: subject, detail: "its writer may not write the series \(label.series)")
        }
        if let revocation = chain.newest.revocation(of: head.writer), revocation.kept.isEmpty {
            throw ImageError.damaged(subject: subject, detail: "its writer's right to write has been revoked")
        }
        self.label = label
    }

    private func lose(_ reason: String) {
        hasSeenDamage = true
        losses.append(Finding(.damaged, subject: stream.subject, reason))
    }

    func nextBatch() throws -> ManifestBatch? {
        while !isAtEnd {
            let bytes: [UInt8]
            if let ahead {
                bytes = ahead
                self.ahead = nil
            } else if let next = try stream.next() {
                bytes = next
            } else {
                isAtEnd = true
                end()
                break
            }
            for gap in stream.gaps.dropFirst(reportedGaps) { lose("a header is damaged at byte \(gap)") }
            reportedGaps = stream.gaps.count
            let reader: ObjectReader
            do {
                reader = try ObjectReader([MemorySource(bytes)], subject: stream.subject, keyring: keyring)
            } catch let error as ImageError {
                if case .otherFormat = error { throw error }
                lose("\(error)")
                continue
            }
            switch reader.header.type {
            case .batch:
                guard try isNext(reader.header) else { break }
                return batch(reader)
            case .image: take(root: reader)
            case .keys where reader.header.id == head.id: continue
            default: lose("it holds an object that does not belong there")
            }
        }
        return nil
    }

    /// Whether a batch is of this file and the next one. Only damage that was seen explains a gap; else somebody has taken batches out,
    /// put in others, or changed their order: nothing more is placed.
    private func isNext(_ header: ObjectHeader) throws -> Bool {
        let isOwn = header.store == head.store && header.run == head.run && header.writer == head.writer
        var number = nextBatchNumber
        let last = hasSeenDamage ? number &+ 4096 : number
        while isOwn, number <= last {
            if try header.id == .derived(batch: number, run: head.run) {
                nextBatchNumber = number &+ 1
                hasSeenDamage = false
                return true
            }
            number &+= 1
        }
        lose(
            isOwn
                ? "a batch is missing or out of place before byte \(stream.position)"
                : "it holds a batch of another image")
        isAtEnd = true
        return false
    }

    private func take(root reader: ObjectReader) {
        if root != nil { return }
        do {
            let found = try ImageRoot(reader)
            guard found.header.run == head.run, found.header.writer == head.writer,
                found.certificate.covers(series: found.label.series)
            else { return lose("it ends with the root of another image") }
            root = found
            label = found.label
        } catch { lose("\(error)") }
    }

    private func batch(_ reader: ObjectReader) -> ManifestBatch {
        let directory = reader.directory()
        if directory == nil { lose("the directory of a batch is damaged") }
        do { _ = try reader.verifySignature(rows: directory) } catch { lose("\(error)") }
        let rows = directory ?? reader.rowsByScanning(workspace: workspace)
        return batch(reader, rows, BatchChunks(reader, rows: rows))
    }

    private func batch(_ reader: ObjectReader, _ rows: [DirectoryRow], _ chunks: BatchChunks) -> ManifestBatch {
        guard let manifest = rows.first(where: { $0.kind == .manifest }) else {
            lose("a batch has no manifest")
            return ManifestBatch(records: nil, chunks: chunks)
        }
        do {
            try chunks.read(manifest.id, into: workspace)
            pieces.append(manifest.id)
            return ManifestBatch(records: Array(workspace.content), chunks: chunks)
        } catch {
            lose("the manifest of a batch is lost: \(error)")
            return ManifestBatch(records: nil, chunks: chunks)
        }
    }

    /// Compares what came with what the root says.
    private func end() {
        guard let body = root?.body else {
            if let part = stream.foreignPart { lose("\(part) is no part of it, but of another image") }
            return lose("\(ImageError.truncated(subject: stream.subject))")
        }
        // safe: 32 bits
        if body.batches != UInt64(nextBatchNumber &- 1) || body.pieces.map(\.id) != pieces {
            lose("batches are missing or repeated")
        }
    }

    func problems() -> [Finding] {
        defer { losses = [] }
        return losses
    }

    fileprivate func summary(problem: String?) -> ImageSummary {
        let id = root?.id ?? .zero
        var summary = ImageSummary(
            id: id, label: label, name: ObjectName(.image, group: head.group, writer: head.writer, id: id))
        summary.problem = problem
        summary.isDamaged = problem != nil
        return summary
    }
}

/// What the keys object of a single file holds in the open.
private struct SingleFileKeys {
    var header: StoreHeader
    var records: StoreRecords
    var files: [[UInt8]] = []

    init(_ reader: ObjectReader) throws {
        var header: StoreHeader?
        var found: Set<StoreRecord> = []
        for frame in reader.scan() {
            guard let content = try? reader.content(of: frame) else { continue }  // The other copy may have it.
            switch frame.kind {
            // The other copy may have it; without one nothing is read.
            case .storeHeader: header = try? StoreHeader(decoding: content, subject: reader.subject)
            case .record:
                // One that is none is passed over; a missing one is noticed. Whose signatures they are, who knows the root key looks.
                guard let record = try? StoreRecord(unchecked: content) else { continue }
                found.insert(record)
            case .keyFile:
                guard let zero = content.firstIndex(of: 0), files.count < Format.maximumKeyFiles else { continue }
                files.append(Array(content[(zero + 1)...]))
            default: continue
            }
        }
        guard let header else {
            throw ImageError.damaged(subject: reader.subject, detail: "it does not say which store it is of")
        }
        self.header = header
        records = StoreRecords(header)
        for record in found.sorted(by: { $0.number < $1.number }) { try records.add(record, subject: reader.subject) }
    }
}

extension SingleFile {
    /// Opens a single-file image; `-` is standard input.
    public static func imageReader(
        _ path: BytePath, credentials: Credentials, machine: MachineState
    ) throws -> any ImageReader {
        try SingleFileImageReader(path, credentials: credentials, machine: machine)
    }

    /// The image in a file, as a list of one.
    public static func images(
        _ path: BytePath, credentials: Credentials, machine: MachineState
    ) throws -> [ImageSummary] {
        let reader = try SingleFileImageReader(path, credentials: credentials, machine: machine)
        while try reader.nextBatch() != nil {}
        let problem = reader.problems().first
        return [reader.summary(problem: problem?.reason)]
    }

    /// Opens and checks everything in a single-file image.
    public static func verify(
        _ path: BytePath, credentials: Credentials, machine: MachineState, progress: Progress, findings: Findings
    ) throws -> VerifyReport {
        var request = RestoreRequest(target: path)
        request.isDryRun = true
        let report = try restore(
            SingleFileImageReader(path, credentials: credentials, machine: machine), request, progress: progress,
            findings: findings)
        var result = VerifyReport()
        result.images = 1
        result.entries = report.entries
        result.bytesRead = report.contentBytes
        result.findings = report.findings
        return result
    }
}
