// Turns the volumes of a disk into records and chunks. They are cut into blocks from their beginning on, wherever on the disk that is: machines
// that were made from one master share what is the same.

internal import Platform
internal import Reporting

final class DiskReader {
    /// Bytes of a chunk. Of clones of one master with a tenth of their files rewritten 9 % are new with 256 KiB, 8 % with 64 KiB and 12 % with
    /// 1 MiB.
    static let blockLength: UInt64 = 256 << 10
    /// What a device that does not answer is asked for at last.
    private static let smallestRead = 4096
    /// So many of these in a row, and the rest of the block is given up: each may take half a minute.
    private static let patience = 4
    /// Ranges that are named one by one.
    private static let namedRanges = 20

    private let pipeline: Pipeline
    private let progress: Progress
    private let findings: Findings
    /// Content after which the records so far are handed on.
    private let contentPerPiece: Int
    private(set) var counts = BackupCounts()
    private var piece = ManifestPiece()
    private var pieceContent = 0
    /// What could not be read, by the stream's name.
    private var unread: [(stream: String, range: Range<UInt64>)] = []

    init(pipeline: Pipeline, contentPerPiece: Int, progress: Progress, findings: Findings) {
        self.pipeline = pipeline
        self.contentPerPiece = contentPerPiece
        self.progress = progress
        self.findings = findings
    }

    /// - Parameter needs: what the first source says is needed to restore the machine.
    func read(_ disk: DiskSource, needs: [UInt8]) throws {
        guard disk.description.count <= Format.maximumNeedsLength else {
            throw ImageError.library("the description of \(disk.path) is longer than an image holds")
        }
        unread = []
        var payload: [UInt8] = []
        payload.append(field: 1, disk.path.bytes)
        if !needs.isEmpty, needs.count <= Format.maximumNeedsLength {
            payload.append(field: RecordKind.needsOfSource, needs)
        }
        payload.append(field: RecordKind.diskOfSource, disk.description)
        piece.bytes.append(record: .source, payload)
        let name = disk.path.lastComponent.isEmpty ? Array("disk".utf8) : disk.path.lastComponent
        piece.bytes.append(record: .enter, entry(name, .directory).encoded())
        for stream in disk.streams { try read(stream, of: disk) }
        if !unread.isEmpty { try tellUnread(of: disk) }
        piece.bytes.append(record: .leave, [])
        counts.entries.add(saturating: 1)
        try flush()
    }

    private func entry(_ name: [UInt8], _ kind: FileKind) -> Entry {
        var entry = Entry()
        entry.name = name
        entry.kind = kind
        entry.mode = kind == .directory ? 0o700 : 0o600
        return entry
    }

    /// Begins a file whose content follows.
    private func begin(_ name: String, size: UInt64) {
        var entry = entry(Array(name.utf8), .file)
        entry.size = size
        entry.contentFollows = true
        piece.bytes.append(record: .entry, entry.encoded())
    }

    private func end(size: UInt64) {
        var payload: [UInt8] = []
        payload.append(field: 1, integer: 0)
        payload.append(field: 2, integer: size)
        piece.bytes.append(record: .finish, payload)
        counts.entries.add(saturating: 1)
        counts.files.add(saturating: 1)
        counts.filesRead.add(saturating: 1)
        counts.contentBytes.add(saturating: size)
        progress.add(items: 1)
    }

    // MARK: One stream

    private func read(_ stream: any DiskStream, of disk: DiskSource) throws {
        guard stream.size <= UInt64(Int64.max) else {
            throw ImageError.library("\(disk.path) says that it is larger than any disk")
        }
        begin(stream.name, size: stream.size)
        var used = try stream.usedParts()
        var next = try used.next()
        /// All before is in the records.
        var place: UInt64 = 0
        while let part = next {
            guard part.lowerBound >= place, part.upperBound <= stream.size, !part.isEmpty else {
                throw ImageError.library("the parts of \(disk.path) that are used are out of order")
            }
            // The block that it begins in, with all that is used in that.
            let start = max(place, part.lowerBound / Self.blockLength * Self.blockLength)
            let end = min(stream.size, start - start % Self.blockLength + Self.blockLength)  // safe: sizes below 2^63
            hole(place..<start)
            place = end
            let block = start..<end
            let job = try pipeline.buffer()
            let buffer = UnsafeMutableRawBufferPointer(rebasing: job.input[..<Int(end - start)])  // safe: of a block
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            do {
                try progress.checkStop()
                while let part = next, part.lowerBound < end {
                    let range = part.clamped(to: block)
                    try fill(
                        UnsafeMutableRawBufferPointer(  // safe: within the block
                            rebasing: buffer[Int(range.lowerBound - start)..<Int(range.upperBound - start)]),
                        with: range, of: stream)
                    next = part.upperBound > end ? end..<part.upperBound : try used.next()
                }
            } catch {
                pipeline.discard(job)
                throw error
            }
            if stream.holesAreZeros, isAllZero(UnsafeRawBufferPointer(buffer)) {
                pipeline.discard(job)
                hole(block)
                continue
            }
            try submit(job, length: buffer.count)
        }
        hole(place..<stream.size)
        end(size: stream.size)
    }

    private func hole(_ range: Range<UInt64>) {
        if range.isEmpty { return }
        let length = range.upperBound - range.lowerBound
        var slice: [UInt8] = []
        Slice.append(hole: length, to: &slice)
        piece.bytes.append(record: .content, slice)
        progress.add(bytes: length)
    }

    private func submit(_ job: ChunkJob, length: Int) throws {
        piece.append(contentOf: job, length: length)
        pieceContent += length
        progress.add(bytes: UInt64(length))  // safe: of a block
        pipeline.submit(job)
        if piece.bytes.count >= TreeReader.pieceLength || pieceContent >= contentPerPiece { try flush() }
    }

    private func flush() throws {
        try pipeline.submit(piece)
        piece = ManifestPiece()
        pieceContent = 0
    }

    // MARK: What cannot be read

    /// Reads a range; what of it cannot be read is zeros, and noted.
    private func fill(
        _ buffer: UnsafeMutableRawBufferPointer, with range: Range<UInt64>, of stream: any DiskStream
    ) throws {
        do throws(SystemError) { try stream.read(into: buffer, at: range.lowerBound) } catch {
            guard error.isBadPlace else { throw ImageError(error) }
            try fillPiecemeal(buffer, with: range, of: stream)
        }
    }

    private func fillPiecemeal(
        _ buffer: UnsafeMutableRawBufferPointer, with range: Range<UInt64>, of stream: any DiskStream
    ) throws {
        var inRow = 0
        var offset = 0
        while offset < buffer.count {
            try progress.checkStop()
            let count = min(Self.smallestRead, buffer.count - offset)
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + count])
            let place = range.lowerBound + UInt64(offset)  // safe: within the range
            var isRead = false
            if inRow < Self.patience {
                do throws(SystemError) {
                    try stream.read(into: piece, at: place)
                    isRead = true
                } catch {
                    guard error.isBadPlace else { throw ImageError(error) }
                }
            }
            inRow = isRead ? 0 : inRow + 1
            if !isRead {
                piece.initializeMemory(as: UInt8.self, repeating: 0)
                note(place..<place + UInt64(count), of: stream.name)  // safe: within the range
            }
            offset += count
        }
    }

    private func note(_ range: Range<UInt64>, of stream: String) {
        if let last = unread.last, last.stream == stream, last.range.upperBound == range.lowerBound {
            unread[unread.count - 1].range = last.range.lowerBound..<range.upperBound
        } else {
            unread.append((stream, range))
        }
    }

    /// Names what could not be read, here and in the image.
    private func tellUnread(of disk: DiskSource) throws {
        for (stream, range) in unread.prefix(Self.namedRanges) {
            findings.add(
                Finding(
                    .unreadable, disk.path.appending(stream),
                    "bytes \(range.lowerBound) to \(range.upperBound - 1) could not be read, and are zeros in the image"
                ))
        }
        if unread.count > Self.namedRanges {
            findings.add(
                Finding(
                    .unreadable, disk.path,
                    "\(unread.count - Self.namedRanges) more ranges could not be read, and are zeros in the image"))
        }
        for stream in disk.streams { try tellFiles(of: stream, disk) }
        let lines = unread.prefix(Self.keptRanges).map {
            "\($0.stream) \($0.range.lowerBound) \($0.range.upperBound)\n"
        }
        let text = Array(lines.joined().utf8)
        begin(DiskReader.unreadName, size: UInt64(text.count))
        let job = try pipeline.buffer()
        text.withUnsafeBytes { job.input.copyMemory(from: $0) }
        try submit(job, length: text.count)
        end(size: UInt64(text.count))
    }

    /// Names the files that lie in what could not be read.
    private func tellFiles(of stream: any DiskStream, _ disk: DiskSource) throws {
        let parts = unread.filter { $0.stream == stream.name }.map(\.range)
        if parts.isEmpty { return }
        let path = disk.path.appending(stream.name)
        guard let files = try stream.files(in: parts, checkStop: { try progress.checkStop() }) else {
            return findings.add(Finding(.note, path, "which files lie in what could not be read is not known"))
        }
        for file in files.prefix(Self.namedFiles) {
            findings.add(
                Finding(
                    .unreadable, path.appending(file.bytes), "a part of it could not be read, and is zeros in the image"
                ))
        }
        if files.count > Self.namedFiles {
            findings.add(
                Finding(
                    .unreadable, path,
                    "\(files.count - Self.namedFiles) more files have parts that could not be read"))
        }
        if files.isEmpty {
            findings.add(
                Finding(
                    .note, path,
                    "no file lies in what could not be read: it is of the file system itself, which is to be checked where it was restored"
                ))
        }
    }

    /// Files that are named one by one.
    private static let namedFiles = 200

    /// The file that says what could not be read: a line for each range, with the stream and where it begins and ends.
    static let unreadName = "unread"
    /// As many as fit into a chunk, whatever they are called.
    private static let keptRanges = 10_000
}
