// Reads a single-file image from front to end, one object at a time, through damage and to an early end.

internal import Cryptography
internal import Glibc
public import Platform
public import Reporting

/// The objects in a stream of bytes. Holds one at a time.
final class ObjectStream {
    private let input: Input
    private var buffer: [UInt8] = []
    private(set) var position: UInt64 = 0
    /// Stretches of bytes that belong to no object that could be recognised.
    private(set) var gaps: [UInt64] = []
    let subject: String

    /// No object of a single file is longer: 4 MiB of content and one chunk more, the manifest twice, and the root.
    private static let maximumLength = 64 << 20

    /// A file, its parts joined, or a pipe.
    private final class Input {
        private var file: Descriptor
        private let path: BytePath?
        private var part = 1

        init(_ path: BytePath) throws {
            if path.bytes == Array("-".utf8) {
                self.path = nil
                file = Descriptor(owning: dup(0))
            } else {
                self.path = path
                do throws(SystemError) { file = try Descriptor.open(path) } catch { throw ImageError(error) }
            }
        }

        func read(_ count: Int, into bytes: inout [UInt8]) throws {
            var missing = count
            while missing > 0 {
                let start = bytes.count
                bytes += [UInt8](repeating: 0, count: min(missing, 1 << 20))
                let want = bytes.count - start
                let got: Int
                do throws(SystemError) {
                    got = try bytes.withUnsafeMutableBytes { buffer in
                        Result { () throws(SystemError) in
                            try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
                        }
                    }.get()
                } catch { throw ImageError(error, on: path?.description ?? "standard input") }
                bytes.removeLast(want - got)
                missing -= got
                if got < want {
                    guard let path else { return }
                    part += 1
                    guard let next = try? Descriptor.open(BytePath(path.bytes + Array(".\(part)".utf8))) else { return }
                    file = next
                }
            }
        }
    }

    init(_ path: BytePath) throws {
        subject = path.bytes == Array("-".utf8) ? "standard input" : path.description
        input = try Input(path)
    }

    private func fill(_ count: Int) throws {
        if buffer.count < count { try input.read(count - buffer.count, into: &buffer) }
    }

    private func take(_ count: Int) -> [UInt8] {
        let bytes = Array(buffer[..<count])
        buffer.removeSubrange(..<count)
        position += UInt64(count)
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
                try fill(Int(header.length))
                return take(min(buffer.count, Int(header.length)))
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
                        let trailer = try? ObjectTrailer(
                            decoding: Array(buffer[searched + Format.headerLength..<end])),
                        trailer.length == header.length
                    {
                        // The end of an object; if its start is here too, it is whole but for its first header.
                        if header.length <= UInt64(end) {
                            let start = end - Int(header.length)
                            if start > 0 { _ = take(start) }
                            return take(Int(header.length))
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
    private(set) var keyring: Keyring
    private let stream: ObjectStream
    private let workspace: ChunkWorkspace
    private var root: ImageRoot?
    private var pieces: [Digest] = []
    private var losses: [Finding] = []
    private var isAtEnd = false
    private var reportedGaps = 0
    /// An object that was read while looking for the keys.
    private var ahead: [UInt8]?
    /// The age files, for whoever copies the image.
    private(set) var keyFiles: [(name: String, bytes: [UInt8])] = []

    var restoredSubject: String { stream.subject }
    var rootID: ObjectID? { root?.id }

    init(_ path: BytePath, credentials: Credentials) throws {
        stream = try ObjectStream(path)
        workspace = try ChunkWorkspace()
        let empty = Keyring(secret: nil, writer: nil)
        var store: Identifier?
        var label: ObjectReader?
        // Keys come twice; either copy, or parts of both, will do.
        while let bytes = try stream.next() {
            guard let reader = try? ObjectReader([MemorySource(bytes)], subject: stream.subject, keyring: empty),
                reader.header.type == .keys
            else {
                ahead = bytes
                break
            }
            label = label ?? reader
            for frame in reader.scan() {
                guard let content = try? reader.content(of: frame) else { continue }
                if frame.kind == .storeHeader, store == nil {
                    store = try? StoreHeader(decoding: content, subject: stream.subject).store
                }
                if frame.kind == .keyFile, let zero = content.firstIndex(of: 0) {
                    let name = String(decoding: content[..<zero], as: UTF8.self)
                    let bytes = Array(content[(zero + 1)...])
                    if !keyFiles.contains(where: { $0.name == name && $0.bytes == bytes }) {
                        keyFiles.append((name, bytes))
                    }
                }
            }
        }
        if keyFiles.isEmpty {
            if stream.position == 0 { throw ImageError.truncated(subject: stream.subject) }
            throw ImageError.damaged(subject: stream.subject, detail: "it holds no keys, or is no image")
        }
        let secret = try credentials.open(keyFiles.map(\.bytes), store: store, subject: stream.subject)
        keyring = Keyring(secret: secret, writer: nil)
        if let label {
            let opened = try? ObjectReader(label.copies, subject: stream.subject, keyring: keyring)
            if let opened, let frame = opened.scan().first(where: { $0.kind == .label }),
                let content = try? opened.content(of: frame)
            {
                self.label = try? ImageLabel(decoding: content)
            }
        }
    }

    private func lose(_ reason: String) {
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
                if case .newerFormat = error { throw error }
                lose("\(error)")
                continue
            }
            switch reader.header.type {
            case .batch: return batch(reader)
            case .image:
                do {
                    if root == nil {
                        root = try ImageRoot(reader)
                        label = root?.label
                    }
                } catch { lose("\(error)") }
            case .keys: continue
            default: lose("it holds an object that does not belong there")
            }
        }
        return nil
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
        guard let body = root?.body else { return lose("\(ImageError.truncated(subject: stream.subject))") }
        if body.pieces.map(\.id) != pieces { lose("batches are missing or repeated") }
    }

    func problems() -> [Finding] {
        defer { losses = [] }
        return losses
    }
}

extension SingleFile {
    /// Opens a single-file image; `-` is standard input.
    public static func imageReader(_ path: BytePath, credentials: Credentials) throws -> any ImageReader {
        try SingleFileImageReader(path, credentials: credentials)
    }

    /// The image in a file, as a list of one.
    public static func images(_ path: BytePath, credentials: Credentials) throws -> [ImageSummary] {
        let reader = try SingleFileImageReader(path, credentials: credentials)
        while try reader.nextBatch() != nil {}
        let problem = reader.problems().first
        return [
            ImageSummary(
                id: reader.rootID ?? ObjectID(0), label: reader.label, problem: problem?.reason,
                isDamaged: problem != nil)
        ]
    }

    /// Opens and checks everything in a single-file image.
    public static func verify(
        _ path: BytePath, credentials: Credentials, progress: Progress, findings: Findings
    ) throws -> VerifyReport {
        var request = RestoreRequest(target: path)
        request.isDryRun = true
        let report = try restore(
            SingleFileImageReader(path, credentials: credentials), request, progress: progress, findings: findings)
        var result = VerifyReport()
        result.images = 1
        result.entries = report.entries
        result.bytesRead = report.contentBytes
        result.findings = report.findings
        return result
    }
}
