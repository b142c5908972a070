// A backup into a store: what the caller asks for, what comes out, and the steps between.

internal import Cryptography
public import Platform
public import Reporting

public struct BackupRequest: Sendable {
    public var sources: [BytePath]
    public var name: String
    public var excludes: [PathPattern] = []
    /// Folders of Holdfast's own that are left out, beside those that every backup leaves out.
    public var own: [BytePath] = []
    /// Sources that are read somewhere else, as from a snapshot of them, and restored as if they had been read in their place.
    public var views: [BytePath: BytePath] = [:]
    /// The restore point or snapshot of which this is the image; empty for the live tree.
    public var point = ""
    /// Where the machine's audit log ends, so that a log that was put back can be told from here; empty where there is none.
    public var logHead = ""
    /// Counts what there is beside the work, so that progress has a total.
    public var countsAhead = false
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
        label.series = HostFacts.hardwareSeries
        label.sources = sources
        label.time = Timestamp.now()
        label.tool = tool
        label.point = point
        label.logHead = logHead
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
}

extension Store {
    /// Backs up trees into this store.
    ///
    /// The image exists when this returns. Whatever ends it earlier leaves no image, and what was durable is used by the next
    /// run.
    /// - Throws: `ImageError`; `Interrupted` after `progress.requestStop()`.
    public func backup(
        _ request: BackupRequest, machine: MachineState, progress: Progress, findings: Findings
    ) throws -> BackupReport {
        guard let writer = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
        let cachePath = machine.cacheFolder(of: id).appending(try request.cacheName(group: writer.group.id))
        let output = try ImageWriter(store: self, machine: machine, level: request.level, cache: cachePath)
        do {
            let cache = WalkCacheReader(cachePath)
            let counts = try request.readTrees(
                into: output, group: writer.group, store: id,
                options: TreeReader.Options(excludes: request.excludes, own: ownFiles(request, machine: machine)),
                cache: cache,
                progress: progress, findings: findings, isStored: output.cite, storedLength: output.storedLength)
            var label = request.label()
            label.add(counts, findings: findings.count)
            label.parent = cache?.parent
            let (id, finished) = try output.commit(label, sparse: counts.sparse)
            return BackupReport(
                id: id, label: finished, files: counts.files, filesRead: counts.filesRead, skipped: counts.skipped,
                findings: findings.count, unmatchedExcludes: counts.unmatchedExcludes)
        } catch {
            output.abandon()
            throw ImageError.wrapping(error, subject: subject)
        }
    }

    /// The store itself, and what this machine keeps about stores: never part of an image.
    private func ownFiles(_ request: BackupRequest, machine: MachineState) -> Set<FileIdentity> {
        var own = machine.ownFiles.union(request.own.compactMap { FileIdentity($0) })
        if let directory = objects as? DirectoryStore, let identity = FileIdentity(directory.path) {
            own.insert(identity)
        }
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
        let counter =
            countsAhead ? TreeCounter(sources, views: views, options: options, progress: progress) : nil
        defer { counter?.finish() }
        let pipeline = try Pipeline(group: group, level: level, output: output)
        do {
            let reader = TreeReader(
                pipeline: pipeline, options: options, gearTable: try group.gearTable(store: store), cache: cache,
                progress: progress, findings: findings, isStored: isStored)
            for source in sources { try reader.read(source, at: views[source] ?? source) }
            try reader.finish()
            try pipeline.finish()
            return try reader.countsAtEnd(storedLength)
        } catch {
            pipeline.cancel()
            // What failed on another thread is the cause; the walk only met its closed queues.
            try pipeline.check(unless: error)
            throw error
        }
    }

    /// The cache of the last backup of the same sources.
    fileprivate func cacheName(group: Identifier) throws -> String {
        var bytes = group.bytes
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

extension ImageError {
    /// Any error as one that knows its sentence and exit status.
    static func wrapping(_ error: any Error, subject: String) -> any Explained {
        switch error {
        case let error as ImageError: error
        case let error as Interrupted: error
        case let error as SystemError: ImageError(error, on: subject)
        case let error as FormatError: ImageError.damaged(subject: subject, detail: error.description)
        default: ImageError.library("\(error)")
        }
    }
}
