// Verification: is everything there, is it what was signed, and can it be opened. It never stops at damage and never writes.

internal import Cryptography
internal import Platform
public import Reporting

public struct VerifyReport: Sendable {
    public var images: UInt64 = 0
    public var volumes: UInt64 = 0
    public var chunks: UInt64 = 0
    public var bytesRead: UInt64 = 0
    public var entries: UInt64 = 0
    public var findings: UInt64 = 0
    /// Volumes of which a copy is damaged.
    public var damagedVolumes: [ObjectID] = []
}

extension Store {
    /// Checks the whole store, or what one image needs.
    /// - Parameter readData: opens, decompresses and hashes every chunk; otherwise content is only known to be listed.
    public func verify(
        image name: String?, readData: Bool, progress: Progress, findings: Findings
    ) throws -> VerifyReport {
        do {
            let verifier = Verifier(store: self, progress: progress, findings: findings)
            return try verifier.run(image: try name.map(find), readData: readData)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}

private final class Verifier: @unchecked Sendable {
    private let store: Store
    private let progress: Progress
    private let findings: Findings
    private let monitor = Monitor()
    private var report = VerifyReport()
    /// Chunks of which some copy is good, and those of which one is bad.
    private var bad: Set<Digest> = []

    init(store: Store, progress: Progress, findings: Findings) {
        self.store = store
        self.progress = progress
        self.findings = findings
    }

    private func damaged(_ name: String, _ reason: String) {
        findings.add(Finding(.damaged, subject: name, reason))
    }

    func run(image: ObjectID?, readData: Bool) throws -> VerifyReport {
        if image == nil { try checkPlainFiles() }
        let roots = try image.map { [try root($0)].compactMap { $0 } } ?? allRoots()
        let index = ChunkIndex.temporary()
        var volumes: [ObjectID: VolumeReference] = [:]
        for root in roots { for volume in root.volumes { volumes[volume.id] = volume } }
        let inOrder = volumes.values.sorted { $0.id < $1.id }
        if readData { progress.expect(bytes: inOrder.saturatingSum(of: \.length), items: 0) }
        try check(inOrder, index: index, readData: readData)
        try check(roots, index: index)
        report.findings = findings.count
        return report
    }

    // MARK: What everything hangs on

    private func checkPlainFiles() throws {
        for name in [StoreName.header, StoreName.header + ".2"] {
            do {
                guard let bytes = try store.objects.read(name, limit: 1 << 16) else {
                    throw FormatError("it is missing")
                }
                let header = try StoreHeader(decoding: bytes, subject: name)
                guard header.store == store.id else { throw FormatError("it names another store") }
            } catch { damaged(name, "\(error)") }
        }
        for file in try store.objects.list("k") where file.name.hasSuffix(".age") {
            let first = try? store.objects.read(file.name, limit: 1 << 20)
            let second = try? store.objects.read(file.name + ".2", limit: 1 << 20)
            if first == nil || first != second { damaged(file.name, "its two copies differ") }
        }
    }

    private func allRoots() throws -> [ImageRoot] { try store.rootIDs().compactMap { try root($0) } }

    /// A root, each copy checked for itself.
    private func root(_ id: ObjectID) throws -> ImageRoot? {
        let name = StoreName.image(id)
        do {
            let reader = try store.rootReader(id)
            guard reader.header.type == .image else { return nil }
            if reader.objectKey == nil && reader.indexKey == nil { return nil }
            let root = try ImageRoot(reader)
            for copy in [name, name + ".2"] where try copy != name || !store.isFirstCopyUnfinished(id) {
                guard let bytes = try? store.objects.read(copy, limit: Format.maximumSmallFrameLength) else {
                    damaged(copy, "this copy is missing; the other one is whole")
                    continue
                }
                do {
                    let alone = try ObjectReader([MemorySource(bytes)], subject: copy, keyring: store.keyring)
                    _ = try ImageRoot(alone)
                    try checkEnds(MemorySource(bytes), alone)
                } catch { damaged(copy, "\(error); the other copy is whole") }
            }
            report.images += 1
            return root
        } catch {
            // Where nobody can tell, it is named.
            if (try? store.isLeftover(id)) == true { return nil }
            damaged(name, "\(error)")
            return nil
        }
    }

    /// Header, header again, trailer.
    private func checkEnds(_ copy: any ByteSource, _ reader: ObjectReader) throws {
        let tail = UInt64(Format.headerLength + Format.trailerLength)
        guard copy.length >= tail else { throw FormatError("it ends too early") }
        for offset in [0, copy.length - tail] {
            _ = try ObjectHeader(decoding: copy.read(at: offset, count: Format.headerLength), subject: reader.subject)
        }
        let trailer = try ObjectTrailer(
            decoding: copy.read(at: copy.length - UInt64(Format.trailerLength), count: Format.trailerLength))
        guard trailer.length == copy.length else { throw FormatError("it is longer or shorter than it says") }
    }

    // MARK: Volumes

    private struct Job: Sendable {
        var reader: ObjectReader
        var row: DirectoryRow
        var name: String
        var volume: ObjectID
    }

    private func note(_ volume: ObjectID) {
        monitor.withLock {
            if !report.damagedVolumes.contains(volume) { report.damagedVolumes.append(volume) }
        }
    }

    private func check(_ volumes: [VolumeReference], index: ChunkIndex, readData: Bool) throws {
        let queue = BoundedQueue<Job>(capacity: 4 * processorCount)
        let workers = try (0..<processorCount).map { _ in
            let workspace = try ChunkWorkspace()
            return WorkerThread { [self] in
                while let job = queue.pop() { open(job, workspace) }
            }
        }
        defer {
            queue.close()
            workers.forEach { $0.join() }
        }
        let workspace = try ChunkWorkspace()
        for volume in volumes {
            try progress.checkStop()
            report.volumes += 1
            let name = StoreName.volume(volume.id)
            let copies: [any ByteSource]
            do { copies = try store.objects.readableCopies(name) } catch {
                damaged(name, "\(error)")
                continue
            }
            guard let whole = try? ObjectReader(copies, subject: name, keyring: store.keyring) else {
                damaged(name, copies.isEmpty ? "it is missing" : "neither of its headers is whole")
                continue
            }
            // What a restore would find, damage and all.
            let rows = whole.directory() ?? whole.rowsByScanning(workspace: workspace)
            try index.add(rows, volume: index.add(volume))
            let names = whole.header.type == .metadataVolume ? [name, name + ".2"] : [name]
            for name in names {
                do {
                    guard let copy = try store.objects.open(name) else { throw FormatError("it is missing") }
                    let alone = try ObjectReader([copy], subject: name, keyring: store.keyring)
                    try checkEnds(copy, alone)
                    guard try alone.verifySignature() == volume.digest, copy.length == volume.length else {
                        throw FormatError("it is not the volume that the image names")
                    }
                } catch {
                    damaged(name, "\(error)")
                    note(volume.id)
                }
                if readData, let copy = try? store.objects.open(name),
                    let alone = try? ObjectReader([copy], subject: name, keyring: store.keyring)
                {
                    for row in rows { queue.push(Job(reader: alone, row: row, name: name, volume: volume.id)) }
                }
            }
        }
    }

    private func open(_ job: Job, _ workspace: ChunkWorkspace) {
        do {
            guard let frame = job.reader.frame(at: job.row.offset), frame.length == job.row.sealedLength else {
                throw FormatError("a frame is damaged at offset \(job.row.offset)")
            }
            try job.reader.readChunk(frame, id: job.row.id, workspace: workspace)
            let count = UInt64(workspace.content.count)
            monitor.withLock {
                report.chunks += 1
                report.bytesRead += count
            }
        } catch {
            monitor.withLock { _ = bad.insert(job.row.id) }
            note(job.volume)
            damaged(job.name, "\(error)")
        }
        progress.add(bytes: UInt64(job.row.sealedLength))
    }

    // MARK: Manifests

    private func check(_ roots: [ImageRoot], index: ChunkIndex) throws {
        let chunks = VolumeChunks(store: store, index: index)
        let workspace = try ChunkWorkspace()
        var checked: Set<Digest> = []
        for root in roots {
            guard let body = root.body else { continue }
            for (number, piece) in body.pieces.enumerated() {
                try progress.checkStop()
                // Pieces that an earlier image shares have been looked at.
                guard checked.insert(piece.id).inserted else { continue }
                do {
                    try chunks.read(piece.id, into: workspace)
                    try check(Array(workspace.content), of: root, index: index)
                } catch {
                    damaged("image \(root.id)", "part \(number + 1) of its manifest is lost: \(error)")
                }
            }
        }
    }

    /// Looks for each chunk that the entries cite, and names the files that lack one.
    private func check(_ records: [UInt8], of root: ImageRoot, index: ChunkIndex) throws {
        var reader = RecordReader(records)
        var path: [[UInt8]] = []
        var file: [UInt8] = []
        var reported: [UInt8]?
        func check(_ slices: [Slice]) throws {
            for slice in slices {
                guard let id = slice.chunk, reported != file else { continue }
                let isLost = monitor.withLock { bad.contains(id) }
                if try isLost || index.locate(id) == nil {
                    reported = file
                    let name = Array((path + [file]).joined(separator: [UInt8(ascii: "/")]))
                    findings.add(
                        Finding(
                            .damaged, BytePath(name), "its content in image \(root.label.name) (\(root.id)) is lost"))
                }
            }
        }
        while let item = try reader.next() {
            guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
            switch record {
            case .position(let position):
                path = position.path.split(separator: UInt8(ascii: "/")).map(Array.init)
                if position.depth > 0 { path.insert(BytePath(position.source).lastComponent, at: 0) }
                file = position.file ?? []
            case .enter(let entry):
                path.append(entry.name)
                report.entries += 1
            case .leave: _ = path.popLast()
            case .entry(let entry):
                file = entry.name
                reported = nil
                report.entries += 1
                try check(entry.slices)
            case .content(let slices): try check(slices)
            case .source, .restart, .finish: break
            }
        }
    }
}
