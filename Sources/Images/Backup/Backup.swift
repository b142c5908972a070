// A backup into a store: what the caller asks for, what comes out, and the steps between.

internal import Cryptography
public import Platform
public import Reporting
internal import Stores

public struct BackupRequest: Sendable {
    public var sources: [BytePath]
    public var name: String
    /// The series of the image; nil: the machine's own of this name.
    public var series: String?
    public var excludes: [PathPattern] = []
    /// What of the source is read; nil: all of it.
    public var parts: TreeParts?
    /// What is Holdfast's own on this machine and left out, beside a store's keys, its cache and the store itself.
    public var own: [BytePath] = []
    /// Disks, which come before the trees.
    public var disks: [DiskSource] = []
    /// Sources that are read somewhere else, as from a snapshot of them, and restored as if they had been read in their place.
    public var views: [BytePath: BytePath] = [:]
    /// The restore point or snapshot of which this is the image; empty for the live tree.
    public var point = ""
    /// Where the machine's audit log ends, so that a log that was put back can be told from here; empty where there is none.
    public var logHead = ""
    /// Counts what there is beside the work, so that progress has a total.
    public var countsAhead = false
    /// Reads every file, whatever the last run has noted of it: a change that times and sizes do not show is found.
    public var rereads = false
    /// What is needed to restore the machine beside its files, as the image is to carry it: a JSON document; empty where there is none.
    public var needs: [UInt8] = []
    /// zstd's level, 1 to 19.
    public var level = 2
    /// Program and version, for the label.
    public var tool = "holdfast"

    /// - Parameter sources: absolute paths.
    public init(sources: [BytePath], name: String) {
        self.sources = sources
        self.name = name
    }

    /// The label before anything has been counted.
    func label() -> ImageLabel {
        var label = ImageLabel()
        label.name = name
        label.host = HostFacts.hostName
        label.hardware = HostFacts.hardwareSeries
        label.sources = disks.map(\.path) + sources
        label.time = Timestamp.now()
        label.tool = tool
        label.point = point
        label.logHead = logHead
        if sources.contains("/") { label.roles = [ImageLabel.systemRole] }
        if !disks.isEmpty { label.roles.append(ImageLabel.diskRole) }
        label.disks = Array(disks.flatMap(\.summary).prefix(ImageLabel.mostDiskLines))
        return label
    }
}

public struct BackupReport: Sendable {
    public var id: ObjectID
    public var label: ImageLabel
    /// Regular files in the tree.
    public var files: UInt64
    /// Files that were opened.
    public var filesRead: UInt64
    public var skipped: [(path: BytePath, reason: String)]
    public var findings: UInt64
    /// Patterns that nothing matched: mistyped, most likely.
    public var unmatchedExcludes: [PathPattern] = []
    /// Volumes of other machines of the group that the image needs: it rests on what an identity has verified.
    public var volumesOfOthers = 0
}

/// Counts of one backup.
struct BackupCounts: Sendable {
    var entries: UInt64 = 0
    var files: UInt64 = 0
    /// Files that were opened, since they were new or changed.
    var filesRead: UInt64 = 0
    var contentBytes: UInt64 = 0
    var newestChange: Int64 = 0
    var skipped: [(path: BytePath, reason: String)] = []
    /// Segments that the tree leaves mostly unused.
    var sparse: [Digest] = []
    var unmatchedExcludes: [PathPattern] = []

    mutating func add(_ disks: BackupCounts) {
        entries.add(saturating: disks.entries)
        files.add(saturating: disks.files)
        filesRead.add(saturating: disks.filesRead)
        contentBytes.add(saturating: disks.contentBytes)
    }
}

extension Store {
    /// Backs up trees into this store.
    ///
    /// The image exists when this returns. Whatever ends it earlier leaves no image, and what was durable is used by the next
    /// run.
    /// - Throws: `ImageError`; `Interrupted` after `progress.requestStop()`.
    public func backup(_ request: BackupRequest, progress: Progress, findings: Findings) throws -> BackupReport {
        guard let writer = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
        do {
            let series = try self.series(of: request, writer.certificate)
            let lostKeys = Beside(objects.isFar) { try self.lostKeyFiles() }
            // Whoever asks at once is told at once; a failure costs no image that is there already.
            if !objects.isFar { _ = try lostKeys.value() }
            var lostImages: Finding??
            var report = try repeatingRun(into: self) {
                try backupOnce(
                    request, series, writer, progress: progress, findings: findings,
                    listed: {
                        _ = try lostKeys.value()
                        if lostImages == nil { lostImages = .some(try lostOwnImages($0)) }
                    })
            }
            // After the image, in whose label it has no place.
            [try lostKeys.value(), lostImages ?? nil].compactMap { $0 }.forEach(findings.add)
            report.findings = findings.count
            return report
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    func series(of request: BackupRequest, _ certificate: Certificate) throws -> String {
        let series = request.series ?? (certificate.series.first ?? "") + request.name
        guard certificate.covers(series: series) else {
            throw ImageError.seriesNotCovered(series: series, prefixes: certificate.series)
        }
        return series
    }

    private func backupOnce(
        _ request: BackupRequest, _ series: String, _ writer: WriterKey, progress: Progress, findings: Findings,
        listed: (Set<ObjectID>) throws -> Void
    ) throws -> BackupReport {
        let cachePath = machine.cacheFolder(of: id).appending(try request.cacheName(writer: writer.writer))
        let output = try ImageWriter(store: self, level: request.level, cache: cachePath)
        do {
            try listed(output.known.listed)
            let cache = request.rereads ? nil : WalkCacheReader(cachePath)
            let counts = try request.readTrees(
                into: output, group: writer.group, store: id,
                options: TreeReader.Options(excludes: request.excludes, own: ownFiles(request)), cache: cache,
                progress: progress, findings: findings, isStored: output.cite, storedLength: output.storedLength)
            var label = request.label()
            label.series = series
            label.add(counts, findings: findings.count)
            let result = try output.commit(label, sparse: counts.sparse)
            return BackupReport(
                id: result.id, label: result.label, files: counts.files, filesRead: counts.filesRead,
                skipped: counts.skipped, findings: findings.count, unmatchedExcludes: counts.unmatchedExcludes,
                volumesOfOthers: result.volumesOfOthers)
        } catch {
            output.abandon()
            throw error
        }
    }

    /// The store itself, and what this machine keeps about stores: never part of an image.
    private func ownFiles(_ request: BackupRequest) -> Set<FileIdentity> {
        var own = machine.ownFiles.union(request.own.compactMap { FileIdentity($0) })
        if let folder = objects.localFolder { own.insert(folder) }
        return own
    }
}

extension BackupRequest {
    /// Reads the sources through a pipeline into `output`.
    func readTrees(
        into output: any PipelineOutput & Sendable, group: GroupKeys, store: Identifier, options: TreeReader.Options,
        cache: WalkCacheReader?, progress: Progress, findings: Findings, isStored: @escaping (Digest) throws -> Bool,
        storedLength: (Digest) throws -> UInt64 = { _ in 0 }
    ) throws -> BackupCounts {
        var options = options
        options.own.formUnion(own.compactMap { FileIdentity($0) })
        options.parts = parts
        options.needs = disks.isEmpty ? needs : []
        options.namesWrittenMeanwhile = !disks.isEmpty
        for stream in disks.flatMap(\.streams) where countsAhead {
            progress.expect(bytes: progress.bytesExpected &+ stream.size, items: 0)
        }
        let counter =
            countsAhead && !sources.isEmpty
            ? TreeCounter(sources, views: views, options: options, progress: progress) : nil
        defer { counter?.finish() }
        let pipeline = try Pipeline(group: group, level: level, output: output)
        do {
            let reader = TreeReader(
                pipeline: pipeline, options: options, gearTable: try group.gearTable(store: store), cache: cache,
                progress: progress, findings: findings, isStored: isStored)
            let disksRead = try readDisks(through: pipeline, options: options, progress: progress, findings: findings)
            for source in sources { try reader.read(source, at: views[source] ?? source) }
            try reader.finish()
            try pipeline.finish()
            var counts = try reader.countsAtEnd(storedLength)
            counts.add(disksRead)
            return counts
        } catch {
            pipeline.cancel()
            // What failed on another thread is the cause; the walk only met its closed queues.
            try pipeline.check(unless: error)
            throw error
        }
    }

    private func readDisks(
        through pipeline: Pipeline, options: TreeReader.Options, progress: Progress, findings: Findings
    ) throws -> BackupCounts {
        let reader = DiskReader(
            pipeline: pipeline, contentPerPiece: options.contentPerPiece, progress: progress, findings: findings)
        for (index, disk) in disks.enumerated() { try reader.read(disk, needs: index == 0 ? needs : []) }
        return reader.counts
    }

    /// The cache of the last backup of the same sources.
    fileprivate func cacheName(writer: Identifier) throws -> String {
        var bytes = writer.bytes
        for source in sources { bytes.append(field: 1, source.bytes) }
        for exclude in excludes {
            bytes.append(field: 2, exclude.bytes)
            if let source = exclude.source { bytes.append(field: 3, source.bytes) }
        }
        return "walk-" + hexadecimal(try bytes.withUnsafeBytes { try SHA256.digest(of: $0) }.bytes.prefix(8))
    }
}

extension ImageLabel {
    mutating func add(_ counts: BackupCounts, findings: UInt64) {
        entries = counts.entries
        contentBytes = counts.contentBytes
        newestChange = counts.newestChange
        self.findings = findings
    }
}

extension Pipeline {
    /// Throws the failure of another thread, unless it is only the echo of `error`.
    func check(unless error: any Error) throws {
        do {
            try check()
        } catch is Interrupted {
            return
        }
    }
}
