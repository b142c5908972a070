// Reads a single-file image from front to end, one object at a time, through damage and to an early end. A batch is in memory as a whole: its
// signature is checked before anything of it is placed, on a pipe, too.

internal import Cryptography
public import Platform
public import Reporting
internal import Stores

/// The chunks of one batch, which its signed directory names.
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
            do { return try reader.readChunk(frame, id: id, workspace: workspace) } catch { problem = error }
        }
        throw problem
    }
}

final class SingleFileImageReader: BatchedImageReader {
    private(set) var label: ImageLabel?
    private let stream: ObjectStream
    let path: BytePath
    let opening: SingleFileOpening
    private let workspace: ChunkWorkspace
    private var root: ImageRoot?
    /// Of a revoked writer's image that counts all the same: nothing else that it may have signed does.
    private let keptRoot: ImageRoot?
    private var pieces: [Digest] = []
    private var losses: [Finding]
    private var isAtEnd = false
    /// Since the last batch that was read.
    private var hasSeenDamage = false
    private var reportedGaps = 0
    private var reportedUnreadable: UInt64 = 0
    /// An object that was read while looking for the keys.
    private var ahead: [UInt8]?
    /// The number of the batch that comes next, from 1: its id follows from it.
    private var nextBatchNumber: UInt32 = 1
    /// Where each byte is looked at.
    private var audit: SingleFileAudit?

    var restoredSubject: String { stream.subject }
    var rootID: ObjectID? { root?.id }
    /// What a person compares.
    var fingerprint: StoreFingerprint { opening.fingerprint }

    /// - Parameter isAudited: whether damage that costs nothing is a finding, too.
    init(
        _ path: BytePath, credentials: Credentials, machine: MachineState, stop: Stop, isAudited: Bool = false
    ) throws {
        self.path = path
        stream = try ObjectStream(path, stop)
        workspace = try ChunkWorkspace()
        do {
            opening = try SingleFileOpening(stream, path, credentials: credentials, machine: machine)
            keptRoot = try opening.keptRoot(path, stop)
        } catch ImageError.damaged(let subject, let detail) {
            throw ImageError.damagedFile(subject: subject, detail: detail)
        }
        label = opening.label
        losses = opening.findings
        ahead = opening.ahead
        if isAudited {
            audit = try SingleFileAudit(
                keys: opening.copies.map(\.bytes), subject: stream.subject, keyring: opening.keyring)
        }
    }

    private func lose(_ reason: String) {
        hasSeenDamage = true
        losses.append(Finding(.damaged, subject: stream.subject, reason))
    }

    /// Names what of the medium was passed over since the last time.
    private func loseGaps() {
        for range in stream.unreadable where range.upperBound > reportedUnreadable {
            let start = max(range.lowerBound, reportedUnreadable)
            lose("the medium does not give its bytes \(start) to \(range.upperBound)")
            reportedUnreadable = range.upperBound
        }
        for gap in stream.gaps.dropFirst(reportedGaps) { lose("a header is damaged at byte \(gap)") }
        reportedGaps = stream.gaps.count
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
                loseGaps()
                end()
                break
            }
            loseGaps()
            let reader: ObjectReader
            do {
                reader = try ObjectReader([MemorySource(bytes)], subject: stream.subject, keyring: opening.keyring)
            } catch let error as ImageError {
                if case .otherFormat = error { throw error }
                lose("\(error)")
                continue
            }
            switch reader.header.type {
            case .batch:
                guard try isNext(reader.header) else { break }
                let lost = losses.count
                let result = try batch(reader)
                if losses.count == lost, let found = audit?.problem(ofBatch: bytes, before: stream.position) {
                    losses.append(found)
                }
                return result
            case .image:
                take(root: reader)
                audit?.take(.image, bytes)
            case .keys where reader.header.id == opening.head.id: audit?.take(.keys, bytes)
            default: lose("it holds an object that does not belong there")
            }
        }
        return nil
    }

    /// Whether a batch is of this file and the next one. Only damage that was seen explains a gap; else somebody has taken batches out,
    /// put in others, or changed their order: nothing more is placed.
    private func isNext(_ header: ObjectHeader) throws -> Bool {
        let isOwn = opening.isOwn(header)
        var number = nextBatchNumber
        let last = hasSeenDamage ? number &+ 4096 : number
        while isOwn, number <= last {
            if try header.id == .derived(batch: number, run: opening.head.run) {
                nextBatchNumber = number &+ 1
                hasSeenDamage = false
                return true
            }
            number &+= 1
        }
        stop(
            isOwn
                ? "a batch is missing or out of place before byte \(stream.position)"
                : "it holds a batch of another image")
        return false
    }

    /// Somebody has changed the file on purpose: nothing more of it is placed.
    private func stop(_ reason: String) {
        lose("\(reason): nothing from there on is used")
        isAtEnd = true
    }

    private func take(root reader: ObjectReader) {
        if root != nil { return }
        do {
            let found = try ImageRoot(reader)
            guard opening.isOwn(found.header), found.certificate.covers(series: found.label.series),
                keptRoot.map({ $0.reference == found.reference }) ?? true
            else { return lose("it ends with the root of another image") }
            root = found
            label = found.label
        } catch { lose("\(error)") }
    }

    /// A batch that its writer has signed as it is here. Of one that is damaged where the signature would be checked nothing is placed; one
    /// that is whole, and not what its writer signed, is somebody's work.
    private func batch(_ reader: ObjectReader) throws -> ManifestBatch? {
        do {
            if let rows = reader.directory() {
                if try reader.provenSignature(rows: rows) != nil { return batch(reader, rows) }
                stop("the batch before byte \(stream.position) is not what its writer has signed")
                return nil
            }
            if let rows = try reader.rebuiltDirectory(workspace: workspace) {
                lose("the directory of a batch is damaged; its chunks are whole")
                return batch(reader, rows)
            }
            lose("the batch before byte \(stream.position) is lost: its directory is damaged, and more of it")
        } catch { lose("the batch before byte \(stream.position) is lost: \(error)") }
        return ManifestBatch(records: nil, chunks: BatchChunks(reader, rows: []))
    }

    private func batch(_ reader: ObjectReader, _ rows: [DirectoryRow]) -> ManifestBatch? {
        let chunks = BatchChunks(reader, rows: rows)
        guard let manifest = rows.first(where: { $0.kind == .manifest }) else {
            lose("a batch has no manifest")
            return ManifestBatch(records: nil, chunks: chunks)
        }
        let number = Int(nextBatchNumber) - 1  // safe: 32 bits
        if let kept = keptRoot?.body?.pieces, number > kept.count || kept[number - 1].id != manifest.id {
            stop("it holds a batch of another image")
            return nil
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
        losses += audit?.end() ?? []
    }

    func problems() -> [Finding] {
        defer { losses = [] }
        return losses
    }

    fileprivate func summary(problem: String?) -> ImageSummary {
        let id = root?.id ?? .zero
        var summary = ImageSummary(
            id: id, label: label,
            name: ObjectName(.image, group: opening.head.group, writer: opening.head.writer, id: id))
        summary.problem = problem
        summary.isDamaged = problem != nil
        return summary
    }
}

extension SingleFile {
    /// Opens a single-file image; `-` is standard input.
    public static func imageReader(
        _ path: BytePath, credentials: Credentials, machine: MachineState, stop: Stop = Stop()
    ) throws -> any ImageReader {
        try SingleFileImageReader(path, credentials: credentials, machine: machine, stop: stop)
    }

    /// Whether a file begins as an image does; false where it cannot be read.
    public static func isImage(_ path: BytePath) -> Bool {
        var first = [UInt8](repeating: 0, count: Format.headerMagic.count)
        // For a message: whoever wants the image reads it, and hears why that fails.
        guard let file = try? Descriptor.open(path, .nonBlocking), (try? file.read(intoArray: &first)) == first.count
        else { return false }
        return first == Format.headerMagic
    }

    /// The image in a file, as a list of one.
    /// - Parameter findings: gets what is wrong with the file, and not with the image.
    public static func images(
        _ path: BytePath, credentials: Credentials, machine: MachineState, progress: Progress, findings: Findings
    ) throws -> [ImageSummary] {
        let reader = try SingleFileImageReader(
            path, credentials: credentials, machine: machine, stop: progress.stop)
        reader.problems().forEach(findings.add)
        while try reader.nextBatch() != nil {}
        try progress.checkStop()
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
            SingleFileImageReader(
                path, credentials: credentials, machine: machine, stop: progress.stop, isAudited: true), request,
            progress: progress, findings: findings)
        var result = VerifyReport()
        result.images = 1
        result.entries = report.entries
        result.bytesRead = report.contentBytes
        result.findings = report.findings
        return result
    }
}
