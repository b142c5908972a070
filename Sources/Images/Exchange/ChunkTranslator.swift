// Carries images between stores and files: opens each chunk, gives it its id in the new group, and seals it again as it is. Nothing is
// compressed a second time.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

/// Carries an image over: opens each chunk, gives it its id in the new group, and seals it again as it is.
final class ChunkTranslator {
    private let group: GroupKeys
    private let store: ImageWriter?
    private let file: SingleFileWriter?
    private let workspace: ChunkWorkspace
    private let buffer: UnsafeMutableRawBufferPointer
    /// New ids of chunks that were carried over, as many as may be cited again soon.
    private var ids: [Digest: Digest] = [:]

    /// Into one of the two.
    init(group: GroupKeys, store: ImageWriter? = nil, file: SingleFileWriter? = nil) throws {
        self.group = group
        self.store = store
        self.file = file
        workspace = try ChunkWorkspace()
        buffer = .allocate(byteCount: ChunkEncoder.capacity(for: Format.maximumChunkLength), alignment: 64)
    }

    deinit { buffer.deallocate() }

    /// Returns how many files were left out since their content is damaged.
    func run(_ reader: any BatchedImageReader, progress: Progress, findings: Findings) throws -> UInt64 {
        if let label = reader.label { progress.expect(bytes: label.contentBytes, items: label.entries) }
        var lost: UInt64 = 0
        var piece = ManifestPiece()
        while let batch = try reader.nextBatch() {
            try progress.checkStop()
            for problem in reader.problems() { findings.add(problem) }
            guard let records = batch.records else {
                throw ImageError.damaged(
                    subject: reader.restoredSubject,
                    detail: "a part of its manifest is lost; restore what is left of it")
            }
            var items = RecordReader(records)
            while let item = try items.next() {
                switch item.kind {
                case .position, .state: continue
                case .entry:
                    progress.add(items: 1)
                    try entry(item, records, batch.chunks, &piece, progress, findings, &lost)
                case .content:
                    let slices = try Slice.decode(item.payload)
                    piece.bytes.append(record: .content, try translate(slices, batch.chunks, progress))
                default:
                    if item.kind == .enter { progress.add(items: 1) }
                    piece.bytes += records[item.record]
                }
                if piece.bytes.count >= 256 << 10 || (file?.heldBytes ?? 0) >= SingleFile.batchLength {
                    try flush(&piece)
                }
            }
        }
        try progress.checkStop()
        for problem in reader.problems() {
            findings.add(problem)
            if problem.kind == .note { continue }
            throw ImageError.damaged(subject: reader.restoredSubject, detail: problem.reason)
        }
        try flush(&piece)
        return lost
    }

    private func flush(_ piece: inout ManifestPiece) throws {
        try store?.take(piece)
        try file?.batch(records: piece.bytes)
        piece = ManifestPiece()
        if ids.count > 4096 || file != nil { ids.removeAll() }
    }

    private func entry(
        _ item: RecordReader.Item, _ records: [UInt8], _ chunks: any ChunkProvider, _ piece: inout ManifestPiece,
        _ progress: Progress, _ findings: Findings, _ lost: inout UInt64
    ) throws {
        var entry = try Entry(decoding: item.payload)
        var payload: [UInt8]
        do {
            let content = try translate(entry.slices, chunks, progress)
            payload = entry.encoded()
            if !content.isEmpty { payload.append(field: 11, content) }
        } catch let error as ImageError {
            guard case .damaged(_, let detail) = error else { throw error }
            findings.add(Finding(.damaged, BytePath(entry.name), detail))
            lost += 1
            entry.remarks.insert(.unreadable)
            payload = entry.encoded()
        }
        piece.bytes.append(record: .entry, payload)
    }

    private func translate(
        _ slices: [Slice], _ chunks: any ChunkProvider, _ progress: Progress
    ) throws -> [UInt8] {
        var content: [UInt8] = []
        for slice in slices {
            guard let id = slice.chunk else {
                Slice.append(hole: slice.length, to: &content)
                continue
            }
            let new = try carry(id, chunks)
            let place = Slice.append(length: slice.length, offset: slice.offset, to: &content)
            content.replaceSubrange(place..<place + 32, with: new.bytes)
            progress.add(bytes: slice.length)
        }
        return content
    }

    private func carry(_ id: Digest, _ chunks: any ChunkProvider) throws -> Digest {
        if let known = ids[id], file?.holds(known) ?? true { return known }
        try chunks.read(id, into: workspace)
        let new = try workspace.digest(of: workspace.content, group: group)
        ids[id] = new
        if try store?.cite(new) == true || file?.holds(new) == true { return new }
        // The opened frame still lies in the workspace: the same stored bytes under the new id.
        let stored = workspace.opened
        UnsafeMutableRawBufferPointer(rebasing: buffer[Format.chunkHeadLength...]).copyMemory(from: stored.bytes)
        let count = ChunkEncoder.layOut(
            id: new, codec: stored.codec, stored: stored.bytes.count, content: workspace.content.count, in: buffer)
        let chunk = PreparedChunk(
            id: new, plain: UnsafeRawBufferPointer(rebasing: buffer[..<count]), contentLength: workspace.content.count)
        try store?.take(chunk)
        file?.hold(chunk)
        return new
    }
}
