// Copies of images: whole volumes between replicas of one store, which needs no key; chunks between stores, or between a
// store and a single file, which needs an identity and never compresses again.

internal import Cryptography
public import Platform
public import Reporting

public struct CopyReport: Sendable {
    public var images: UInt64 = 0
    public var volumes: UInt64 = 0
    public var bytes: UInt64 = 0
    public var findings: UInt64 = 0
}

extension Store {
    /// Whether two folders hold the same store.
    public static func isReplica(_ a: BytePath, _ b: BytePath) throws -> Bool {
        try header(a) == header(b)
    }

    private static func header(_ path: BytePath) throws -> Identifier {
        let objects = DirectoryStore(path)
        return try readHeader(objects)
    }

    /// Makes `to` a replica of `from`, or brings it up to date: copies what it lacks, file by file, and changes nothing.
    ///
    /// Volumes come before the roots that name them, so an interrupted copy has only whole images; the next one goes on.
    /// - Parameter images: ids or prefixes of ids; all where there is none. Names need a key.
    public static func replicate(
        _ from: BytePath, to: BytePath, images: [String], credentials: Credentials, machine: MachineState,
        progress: Progress, findings: Findings
    ) throws -> CopyReport {
        do {
            let source = DirectoryStore(from)
            let target = DirectoryStore(to)
            let id = try readHeader(source)
            if let there = try? readHeader(target) {
                if there != id { throw ImageError.folderInUse(path: to.description) }
            } else {
                try checkFolder(to)
            }
            let all = try source.list("i")
            var wanted = all
            var volumes = try source.list("v")
            if !images.isEmpty {
                // Which volumes an image needs is in its root, sealed; so a choice needs a key.
                let store = try open(from, for: .list, credentials: credentials, machine: machine)
                let ids = try images.map(store.find)
                let names = Set(ids.flatMap { [StoreName.image($0), StoreName.image($0) + ".2"] })
                wanted = all.filter { names.contains($0.name) }
                let needed = Set(try ids.flatMap { try store.image($0).volumes.map(\.id) })
                volumes = volumes.filter { StoreName.volumeID($0.name).map { needed.contains($0.id) } ?? false }
            }
            let keys = try source.list("k")
            progress.expect(
                bytes: (volumes + wanted).saturatingSum(of: \.length), items: UInt64(volumes.count + wanted.count))
            var report = CopyReport()
            // The same steps as in making a store, and what an interrupted copy did not get to.
            for key in keys { try copyObject(key, from: source, to: target, progress, findings, &report) }
            try finishHeader(target, store: id)
            for volume in volumes {
                if try copyObject(volume, from: source, to: target, progress, findings, &report) { report.volumes += 1 }
            }
            // Second copies first, as everywhere: a root without its second copy is never the only one.
            for root in wanted.sorted(by: {
                ($0.name.hasSuffix(".2") ? 0 : 1, $0.name) < ($1.name.hasSuffix(".2") ? 0 : 1, $1.name)
            }) {
                if try isWholeRoot(root, in: source),
                    try copyObject(root, from: source, to: target, progress, findings, &report),
                    !root.name.hasSuffix(".2")
                {
                    report.images += 1
                }
            }
            report.findings = findings.count
            return report
        } catch { throw ImageError.wrapping(error, subject: to.description) }
    }

    /// Checkpoints and torn roots are the affair of the run that wrote them.
    private static func isWholeRoot(_ object: StoredObject, in source: DirectoryStore) throws -> Bool {
        guard let bytes = try source.read(object.name, limit: Format.maximumSmallFrameLength),
            let reader = try? ObjectReader(
                [MemorySource(bytes)], subject: object.name, keyring: Keyring(secret: nil, writer: nil))
        else { return false }
        return reader.header.type == .image && reader.trailer() != nil
    }

    /// Copies one object, unless the target has it.
    ///
    /// What exists in the target stays, whatever the source says: that may be a stick that was pulled while it was written, or
    /// somebody's forgery. Only what its own bytes prove torn is replaced, and only by something whole; that is what an interrupted
    /// copy leaves. Where both are whole and differ, both stay, and it is said.
    @discardableResult
    private static func copyObject(
        _ object: StoredObject, from source: DirectoryStore, to target: DirectoryStore, _ progress: Progress,
        _ findings: Findings, _ report: inout CopyReport
    ) throws -> Bool {
        progress.add(items: 1)
        if let there = try target.open(object.name) {
            guard let input = try source.open(object.name) else { return false }
            if try there.length == input.length && beginAlike(there, input) {
                progress.add(bytes: object.length)
                return false
            }
            guard try !isWhole(there, object.name), try isWhole(input, object.name) else {
                progress.add(bytes: object.length)
                // What is torn in the source is the affair of who wrote it; the target's own is as good or better.
                if try there.length == input.length || isWhole(input, object.name) {
                    findings.add(
                        Finding(
                            .damaged, BytePath(object.name),
                            "\(source.subject) and \(target.subject) hold different objects of this name; both stay as they are"
                        ))
                }
                return false
            }
            try target.remove(object.name)
        }
        guard let input = try source.open(object.name) else { return false }
        let sink = try target.create(object.name)
        do {
            var offset: UInt64 = 0
            while offset < input.length {
                try progress.checkStop()
                let bytes = try input.read(at: offset, count: Int(min(4 << 20, input.length - offset)))
                try bytes.withUnsafeBytes { try sink.append($0) }
                offset += UInt64(bytes.count)
                progress.add(bytes: UInt64(bytes.count))
            }
            try sink.commit()
            report.bytes += offset
            return true
        } catch {
            sink.abandon()
            throw error
        }
    }

    /// Whether an object ends as its kind does: with a trailer, or as an age file that holds something.
    private static func isWhole(_ object: any ByteSource, _ name: String) throws -> Bool {
        if !name.hasPrefix("k/") { return try object.isWhole() }
        return Age.textLength(try object.read(at: 0, count: Int(min(object.length, 1 << 16)))) ?? 0 > 0
    }

    /// Whether two objects of one length begin alike: their heads hold what was made at random.
    private static func beginAlike(_ a: any ByteSource, _ b: any ByteSource) throws -> Bool {
        let count = Int(min(a.length, b.length, UInt64(Format.headerLength)))
        return try a.read(at: 0, count: count) == b.read(at: 0, count: count)
    }

    /// Copies images into another store; their chunks keep their compression and get new ids and keys.
    public func copy(
        images: [String], to target: Store, machine: MachineState, progress: Progress, findings: Findings
    ) throws -> CopyReport {
        do {
            let names = images.isEmpty ? try self.images().filter { $0.label != nil }.map(\.id) : try images.map(find)
            var report = CopyReport()
            for id in names {
                let reader = try StoreImageReader(store: self, root: image(id))
                try target.take(reader, machine: machine, progress: progress, findings: findings, report: &report)
            }
            report.findings = findings.count
            return report
        } catch { throw ImageError.wrapping(error, subject: target.subject) }
    }

    /// Puts an image that is read into this store.
    fileprivate func take(
        _ reader: any BatchedImageReader, machine: MachineState, progress: Progress, findings: Findings,
        report: inout CopyReport
    ) throws {
        guard let key = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
        let output = try ImageWriter(store: self, machine: machine, level: 3, cache: nil)
        do {
            let translator = try ChunkTranslator(group: key.group, store: output)
            let counts = try translator.run(reader, progress: progress, findings: findings)
            guard var label = reader.label else { throw ImageError.truncated(subject: reader.restoredSubject) }
            // Another store's image cannot be the parent here, nor is it new content that counts.
            label.parent = nil
            label.findings &+= counts
            let (_, finished) = try output.commit(label)
            report.images += 1
            report.bytes += finished.storedBytes
        } catch {
            output.abandon()
            throw error
        }
    }

    /// Copies an image into a single file, for the recipients of this store.
    public func copy(
        image name: String, to output: SingleFileOutput, progress: Progress, findings: Findings
    ) throws -> CopyReport {
        do {
            guard let secret = keyring.secret else { throw ImageError.noIdentity(store: subject) }
            let reader = try StoreImageReader(store: self, root: image(find(name)))
            let key = try WriterKey.issue(
                from: secret.newest, group: Self.defaultGroup(), writer: HostFacts.hostName)
            let files = try Self.keyFiles(objects).compactMap { file -> (name: String, bytes: [UInt8])? in
                guard file.name.hasSuffix(".age"), let bytes = try? objects.read(file.name, limit: 1 << 20) else {
                    return nil
                }
                return (String(file.lastComponent), bytes)
            }
            guard var label = reader.label else { throw FormatError("an image has no label") }
            let writer = try SingleFileWriter(to: output, key: key, keyFiles: files, label: label, level: 3)
            do {
                let translator = try ChunkTranslator(group: key.group, file: writer)
                label.findings &+= try translator.run(reader, progress: progress, findings: findings)
                let (_, finished) = try writer.commit(label)
                return CopyReport(images: 1, volumes: 0, bytes: finished.storedBytes, findings: findings.count)
            } catch {
                writer.abandon()
                throw error
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}

extension SingleFile {
    /// Copies the image in a single file into a store.
    public static func copy(
        _ path: BytePath, credentials: Credentials, to store: Store, machine: MachineState, progress: Progress,
        findings: Findings
    ) throws -> CopyReport {
        do {
            var report = CopyReport()
            let reader = try SingleFileImageReader(path, credentials: credentials)
            try store.take(reader, machine: machine, progress: progress, findings: findings, report: &report)
            report.findings = findings.count
            return report
        } catch { throw ImageError.wrapping(error, subject: path.description) }
    }
}

/// Carries an image over: opens each chunk, gives it its id in the new group, and seals it again as it is.
private final class ChunkTranslator {
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
        for problem in reader.problems() {
            findings.add(problem)
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
