// Restores the image of a disk: hands what is in it to whoever writes the disk. Where on the disk it belongs is not known here.

internal import Cryptography
public import Platform
public import Reporting

/// Whoever writes a disk.
public protocol DiskTarget: AnyObject {
    /// A disk begins, and nothing of its content has come yet.
    /// - Parameters:
    ///   - path: what it was called where the image was made.
    ///   - description: of it, as its image has it: somebody's word.
    func begin(_ path: BytePath, description: [UInt8]) throws
    /// One of its streams comes; nil where it is not wanted.
    func stream(named name: String, size: UInt64) throws -> (any DiskStreamTarget)?
    /// How long a stream is, of which the image has lost the beginning; nil where nobody knows.
    func size(ofStream name: String) -> UInt64?
    /// A tree comes that was read from a file system of the disk; nil where it is not wanted.
    /// - Returns: where it goes: a folder that is open.
    func tree(_ source: BytePath) throws -> RestoreRequest?
    /// What could not be read when the image was made, and is zeros in it.
    func unread(_ range: Range<UInt64>, of stream: String)
}

/// Where one stream goes. All of it comes, each byte in one of these calls, from several threads at once.
public protocol DiskStreamTarget: AnyObject, Sendable {
    func write(_ content: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError)
    /// What the image does not hold: zeros, or what nobody needs.
    func hole(_ range: Range<UInt64>) throws(SystemError)
    /// What the image should hold, and cannot be had.
    func lose(_ range: Range<UInt64>, reason: String) throws(SystemError)
}

public struct DiskRestoreReport: Sendable {
    public var label: ImageLabel?
    public var image: ObjectID?
    /// Bytes of content that were handed on.
    public var bytes: UInt64 = 0
    public var findings: UInt64 = 0
}

/// Reads an image of one disk, from its beginning to its end.
/// - Throws: `ImageError` where it is none, or where nothing more can be read; what `target` throws.
public func restoreDisk(
    _ reader: any ImageReader, to target: any DiskTarget, progress: Progress, findings: Findings
) throws -> DiskRestoreReport {
    guard let reader = reader as? any BatchedImageReader else { throw ImageError.library("an unknown kind of image") }
    if let label = reader.label {
        guard label.isOfDisk else { throw ImageError.notOfDisk(image: label.name) }
        progress.expect(bytes: label.contentBytes, items: label.entries)
    }
    return try DiskRestorer(reader, target, progress: progress, findings: findings).run()
}

private final class DiskRestorer {
    private let reader: any BatchedImageReader
    private let target: any DiskTarget
    private let progress: Progress
    private let findings: Findings
    private let queue: RestoreQueue
    private let state: RestoreState
    private var hasBegun = false
    /// The path of the disk.
    private var source: [UInt8] = []
    private var depth = 0
    /// A piece of the manifest is missing: the next one says where it goes on.
    private var isLost = false
    private var open: OpenStream?
    /// Names of those that nothing more comes of.
    private var ended: Set<[UInt8]> = []
    /// What could not be read when the image was made.
    private var unread: UnreadRanges?

    private struct OpenStream {
        var name: [UInt8]
        var size: UInt64
        var place: UInt64 = 0
        /// nil: it is not wanted.
        var target: (any DiskStreamTarget)?
    }

    init(
        _ reader: any BatchedImageReader, _ target: any DiskTarget, progress: Progress, findings: Findings
    ) throws {
        self.reader = reader
        self.target = target
        self.progress = progress
        self.findings = findings
        state = RestoreState()
        queue = try RestoreQueue(progress: progress, foresight: reader.foresight)
    }

    func run() throws -> DiskRestoreReport {
        // Who looked at the description has read the beginning.
        _ = reader.rewind()
        do { try walk() } catch {
            // What ended the workers is the cause, and the walk's error may be its echo.
            queue.finish()
            throw state.failure ?? error
        }
        queue.finish()
        if let failure = state.failure { throw failure }
        for problem in reader.problems() { findings.add(problem) }
        guard hasBegun else { throw ImageError.notOfDisk(image: reader.label?.name ?? "") }
        // The signature is there, and covers all that came: else it is no image, and the disk is to stay none that starts.
        guard reader.imageID != nil else {
            throw ImageError.truncated(subject: reader.restoredSubject)
        }
        if let unread { unread.tell(target) }
        return DiskRestoreReport(
            label: reader.label, image: reader.imageID, bytes: state.bytes, findings: findings.count)
    }

    private func walk() throws {
        var rest: ManifestBatch?
        while let batch = try rest.take() ?? reader.nextBatch() {
            try check()
            for problem in reader.problems() { findings.add(problem) }
            if let records = batch.records {
                do { rest = try walk(records, batch.chunks) } catch let error as FormatError {
                    findings.add(Finding(.damaged, subject: reader.restoredSubject, error.description))
                    isLost = true
                }
            } else {
                isLost = true
            }
            // What a pipe gave is gone with the next batch.
            if !batch.chunks.isRandomAccess { queue.waitUntilIdle() }
        }
        try check()
        try loseRest()
    }

    private func check() throws {
        try progress.checkStop()
        if let failure = state.failure { throw failure }
    }

    /// - Returns: what is left of it behind a tree, which somebody else restores.
    private func walk(_ records: [UInt8], _ chunks: any ChunkProvider) throws -> ManifestBatch? {
        var items = RecordReader(records)
        while let item = try items.next() {
            if item.kind == .source {
                let source = try DiskSourceFields(item.payload)
                if source.disk == nil, hasBegun {
                    try loseRest()
                    queue.waitUntilIdle()
                    let records = Array(records[item.record.lowerBound...])
                    return try restoreTree(BytePath(source.path), ManifestBatch(records: records, chunks: chunks))
                }
                try begin(source)
                continue
            }
            guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
            switch record {
            case .position(let position):
                guard isLost || hasBegun && position.source != source else { continue }
                isLost = false
                if hasBegun, !position.source.isEmpty, position.source != source {
                    try loseRest()
                    queue.waitUntilIdle()
                    return try restoreTree(
                        BytePath(position.source), ManifestBatch(records: records, chunks: chunks), isAfterLoss: true)
                }
                try resume(position)
            case .source: break
            case .enter: depth += 1
            case .leave: depth -= 1
            case .entry(let entry): try take(entry)
            case .content(let slices): for slice in slices { try take(slice, chunks) }
            case .restart: throw FormatError("the content of a disk begins anew")
            case .finish(_, let size):
                if let open, size != open.size || open.place != size {
                    findings.add(
                        Finding(
                            .damaged, subject: printable(open.name), "its content does not add up to its size"))
                }
                try loseRest()
            }
        }
        return nil
    }

    private func begin(_ source: DiskSourceFields) throws {
        try loseRest()
        guard let description = source.disk else {
            throw ImageError.notOfDisk(image: reader.label?.name ?? "")
        }
        guard !hasBegun else {
            throw ImageError.library("the image is of several disks, which are restored one by one")
        }
        hasBegun = true
        self.source = source.path
        try target.begin(BytePath(source.path), description: description)
    }

    /// Goes on after a loss where the next piece says that it is: only what is between is lost.
    private func resume(_ position: Position) throws {
        depth = position.depth
        guard hasBegun, depth == 1, let name = position.file, let offset = position.offset else {
            return try loseRest()
        }
        if open.map({ $0.name != name }) ?? true {
            try loseRest()
            let text = printable(name)
            // Of one that the description does not know nothing is wanted.
            guard let size = target.size(ofStream: text), !ended.contains(name) else { return }
            open = OpenStream(name: name, size: size, target: try target.stream(named: text, size: size))
        }
        guard var stream = open, offset >= stream.place, offset <= stream.size else { return try loseRest() }
        try lose(stream.place..<offset, of: stream)
        stream.place = offset
        open = stream
    }

    /// - Returns: what comes behind it.
    private func restoreTree(
        _ path: BytePath, _ first: ManifestBatch, isAfterLoss: Bool = false
    ) throws -> ManifestBatch? {
        let tree = TreeOfDisk(
            path, first, of: reader, left: progress.bytesExpected &- progress.bytesDone, isAfterLoss: isAfterLoss)
        guard let request = try target.tree(path) else {
            while try tree.nextBatch() != nil { try check() }
            return tree.rest
        }
        let report = try restore(tree, request, progress: progress, findings: findings)
        state.add(Int(clamping: report.bytesWritten))
        return tree.rest
    }

    private func take(_ entry: Entry) throws {
        try loseRest()
        guard hasBegun, entry.kind == .file, depth == 1 else {
            throw FormatError("there is something else in a disk than its streams")
        }
        if entry.name == Array(DiskReader.unreadName.utf8) {
            let ranges = UnreadRanges()
            unread = ranges
            open = OpenStream(name: entry.name, size: entry.size, target: ranges)
        } else {
            open = OpenStream(
                name: entry.name, size: entry.size,
                target: try target.stream(named: printable(entry.name), size: entry.size))
        }
        guard entry.slices.isEmpty else { throw FormatError("a stream has its content beside it") }
        if !entry.contentFollows, entry.size > 0 { throw FormatError("a stream has no content") }
    }

    private func take(_ slice: Slice, _ chunks: any ChunkProvider) throws {
        guard var stream = open else { return }
        guard slice.length <= stream.size - stream.place else { throw FormatError("a stream is longer than it says") }
        let offset = stream.place
        let range = offset..<offset + slice.length  // safe: compared
        stream.place = range.upperBound
        open = stream
        guard let target = stream.target else { return }
        guard let id = slice.chunk else {
            progress.add(bytes: slice.length)
            do throws(SystemError) { try target.hole(range) } catch { throw ImageError(error) }
            return
        }
        let job = RestoreJob(id, chunks)
        job.parts = [(StreamPart(target, range, state), slice, offset, false)]
        queue.submit(job)
        try check()
    }

    /// Ends the stream that is open; what has not come of it is lost.
    private func loseRest() throws {
        guard let stream = open else { return }
        open = nil
        ended.insert(stream.name)
        try lose(stream.place..<stream.size, of: stream)
    }

    private func lose(_ range: Range<UInt64>, of stream: OpenStream) throws {
        if range.isEmpty { return }
        progress.add(bytes: range.upperBound - range.lowerBound)  // safe: in order
        do throws(SystemError) {
            try stream.target?.lose(range, reason: "a part of the image's manifest is lost")
        } catch { throw ImageError(error) }
    }
}

/// What a *source* record says.
private struct DiskSourceFields {
    var path: [UInt8] = []
    /// How a disk is divided; nil: it is a tree.
    var disk: [UInt8]?

    init(_ payload: WireReader) throws(FormatError) {
        var reader = payload
        while let field = try reader.field() {
            var value = field.value
            if field.tag == 1 { path = value.rest() }
            if field.tag == RecordKind.diskOfSource {
                guard value.remaining <= Format.maximumNeedsLength else {
                    throw FormatError("the description of a disk is longer than any can be")
                }
                disk = value.rest()
            }
        }
    }
}

/// What the walk and the workers share.
private final class RestoreState: @unchecked Sendable {
    private let monitor = Monitor()
    private var first: ImageError?
    private var count: UInt64 = 0

    var failure: ImageError? { monitor.withLock { first } }
    var bytes: UInt64 { monitor.withLock { count } }
    func stop(_ error: ImageError) { monitor.withLock { if first == nil { first = error } } }
    func add(_ bytes: Int) { monitor.withLock { count.add(saturating: UInt64(bytes)) } }  // safe: of a buffer
}

/// One chunk on its way to its place.
private final class StreamPart: RestoredContent {
    private let target: any DiskStreamTarget
    private let range: Range<UInt64>
    private let state: RestoreState

    init(_ target: any DiskStreamTarget, _ range: Range<UInt64>, _ state: RestoreState) {
        self.target = target
        self.range = range
        self.state = state
    }

    func take(_ content: UnsafeRawBufferPointer, at offset: UInt64, isWhole: Bool) {
        do throws(SystemError) {
            try target.write(content, at: offset)
            state.add(content.count)
        } catch { state.stop(ImageError(error)) }
    }

    func fail(_ reason: String, _ part: Range<UInt64>) {
        // Once nothing more can be read or written, all that is left fails.
        if isStopped { return }
        do throws(SystemError) { try target.lose(range, reason: reason) } catch { state.stop(ImageError(error)) }
    }

    func release() {}
    var isStopped: Bool { state.failure != nil }
    func stop(_ error: ImageError) { state.stop(error) }
}

/// The file that says what could not be read when the image was made.
private final class UnreadRanges: DiskStreamTarget, @unchecked Sendable {
    private let monitor = Monitor()
    private var text: [UInt8] = []

    func write(_ content: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        // It is one chunk.
        monitor.withLock { if offset == 0 { text = Array(content) } }
    }

    func hole(_ range: Range<UInt64>) throws(SystemError) {}
    func lose(_ range: Range<UInt64>, reason: String) throws(SystemError) {}

    func tell(_ target: any DiskTarget) {
        for line in monitor.withLock({ text }).split(separator: UInt8(ascii: "\n")) {
            let words = printable(line).split(separator: " ")
            guard words.count == 3, let start = UInt64(words[1]), let end = UInt64(words[2]), start < end else {
                continue
            }
            target.unread(start..<end, of: String(words[0]))
        }
    }
}

/// What an image of a disk says of it, without restoring it.
/// - Returns: nil where it is none of a disk.
/// - Throws: `ImageError` where the first piece of the manifest is lost.
public func diskDescription(of reader: any ImageReader) throws -> [UInt8]? {
    try firstSource(of: reader, field: RecordKind.diskOfSource)
}
