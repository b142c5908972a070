// Walks a tree and turns it into records and chunks. The tree is alive: what changes while it is read is read again, and
// what cannot be read is named; the walk goes on.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

final class TreeReader {
    struct Options {
        var excludes: [PathPattern] = []
        /// Left out, and said.
        var own: Set<FileIdentity> = []
        /// Content after which the records so far are handed on: a single-file image wants them close to their content.
        var contentPerPiece = Int.max

        func isExcluded(_ name: [UInt8], at below: [UInt8]) -> Bool {
            excludes.contains { $0.matches(path: below, name: name) }
        }
    }

    let pipeline: Pipeline
    let options: Options
    private let cache: WalkCacheReader?
    /// Whether the store has a chunk; if not, whatever cites it is read again.
    private let isStored: (Digest) throws -> Bool
    let progress: Progress
    let findings: Findings
    /// Files that changed after this moment may change again without another time of change.
    private let trustedBefore: Timestamp

    var counts = BackupCounts()
    var owners = OwnerNames()
    var chunker: Chunker
    var piece = ManifestPiece()
    var pieceContent = 0
    var segment: ChunkJob?
    private var links: [FileIdentity: (path: [UInt8], left: UInt32)] = [:]
    private var lastChecked: (id: Digest, isStored: Bool)?
    /// Segments that the last run left mostly unused: their files are read again.
    private let sparse: Set<Digest>
    private(set) var segmentUse = SegmentUse()

    /// One folder on the way down.
    private struct Level {
        var folder: Descriptor
        var names: DirectoryListing
        var next = 0
        var name: [UInt8]
        /// Length of the path before this folder's name was added.
        var pathLength: Int
        var isCached: Bool
    }

    init(
        pipeline: Pipeline, options: Options, gearTable: [UInt64], cache: WalkCacheReader?, progress: Progress,
        findings: Findings, isStored: @escaping (Digest) throws -> Bool
    ) {
        self.pipeline = pipeline
        self.options = options
        self.cache = cache
        self.isStored = isStored
        sparse = Set(cache?.sparse ?? [])
        self.progress = progress
        self.findings = findings
        chunker = Chunker(table: gearTable)
        // A file system's clock ticks every few milliseconds (FAT's every two seconds, but it has no inodes to trust).
        let now = Timestamp.now()
        trustedBefore =
            now.nanoseconds >= 50_000_000
            ? Timestamp(seconds: now.seconds, nanoseconds: now.nanoseconds - 50_000_000)
            : Timestamp(seconds: now.seconds - 1, nanoseconds: now.nanoseconds + 950_000_000)
    }

    private var source = BytePath([])
    var path: [UInt8] = []
    private var border: TreeBorder?

    func fullPath(_ name: [UInt8]) -> BytePath {
        let below = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        return below.isEmpty ? source : source.appending(below)
    }

    // MARK: Sources

    /// Reads one source, whole.
    /// - Parameter view: where it is read; its paths are those of the source.
    func read(_ source: BytePath, at view: BytePath) throws {
        self.source = source
        path = []
        links = [:]
        var payload: [UInt8] = []
        payload.append(field: 1, source.bytes)
        let place: Descriptor
        let status: FileStatus
        do throws(SystemError) {
            place = try Descriptor.open(view, [.place])
            status = try place.status()
        } catch { throw ImageError(error) }
        border = TreeBorder(status)
        piece.bytes.append(record: .source, payload)
        let cachedRoot = try cache?.enterSource()
        let name = source.lastComponent.isEmpty ? Array("root".utf8) : source.lastComponent
        do {
            if status.kind == .directory {
                try readTree(
                    Descriptor.open(view, .directory), name: name, status: status, cached: cachedRoot)
            } else {
                if let cachedRoot { try cache?.pass(cachedRoot) }
                try entry(
                    source.lastComponent, status, in: Descriptor.open(view.parent, .directory), cached: nil)
            }
        } catch let error as SystemError { throw ImageError(error, on: source.description) }
    }

    private func readTree(
        _ folder: Descriptor, name: [UInt8], status: FileStatus, cached: WalkCacheReader.Item?
    ) throws {
        var levels: [Level] = []
        try enter(folder, name: name, status: status, cached: cached, levels: &levels)
        while var level = levels.popLast() {
            try progress.checkStop()
            guard level.next < level.names.count else {
                if level.isCached { try cache?.leave() }
                piece.bytes.append(record: .leave, [])
                path.removeSubrange(level.pathLength...)
                continue
            }
            let name = level.names[level.next]
            level.next += 1
            let (current, isCached) = (level.folder, level.isCached)
            levels.append(level)
            try child(name, in: current, isCached: isCached, levels: &levels)
        }
    }

    private func child(_ name: [UInt8], in folder: Descriptor, isCached: Bool, levels: inout [Level]) throws {
        let below = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        let cached = isCached ? try cache?.find(name) : nil
        func pass() throws { if let cached { try cache?.pass(cached) } }
        if options.isExcluded(name, at: below) { return try pass() }
        let status: FileStatus
        do throws(SystemError) {
            status = try folder.status(of: name)
        } catch {
            try pass()
            if error.code == ENOENT { return }  // gone since the folder was listed
            return findings.add(Finding(.unreadable, fullPath(name), error.reason))
        }
        if options.own.contains(FileIdentity(status)) {
            counts.skipped.append((fullPath(name), "Holdfast's own"))
            return try pass()
        }
        let isElsewhere = border?.isCrossed(by: status) ?? false
        if isElsewhere {
            counts.skipped.append((fullPath(name), "another file system"))
            // The place itself belongs to this one: a restore makes it again, empty, to mount on.
            if status.kind != .directory { return try pass() }
        }
        guard status.kind == .directory else { return try entry(name, status, in: folder, cached: cached) }
        let child: Descriptor
        do throws(SystemError) {
            child = try folder.open(name, .directory)
        } catch {
            try pass()
            findings.add(Finding(.unreadable, fullPath(name), error.reason))
            return try emptyDirectory(nil, name: name, status: status)
        }
        if isElsewhere {
            try pass()
            return try emptyDirectory(child, name: name, status: status)
        }
        try enter(child, name: name, status: status, cached: cached, levels: &levels)
    }

    private func enter(
        _ folder: Descriptor, name: [UInt8], status: FileStatus, cached: WalkCacheReader.Item?, levels: inout [Level]
    ) throws {
        let isCached = cached?.isDirectory ?? false
        if let cached, !isCached { try cache?.pass(cached) }
        let names: DirectoryListing
        do throws(SystemError) {
            names = try DirectoryListing(of: folder)
        } catch {
            if isCached { try cache?.leave() }
            findings.add(Finding(.unreadable, levels.isEmpty ? source : fullPath(name), error.reason))
            return try emptyDirectory(folder, name: name, status: status)
        }
        count(status)
        if let cached, isCached, cached.state == FileState(status) {
            piece.bytes += cached.records
        } else {
            directoryRecord(folder, name: name, status: status)
        }
        let length = path.count
        if !levels.isEmpty { path += path.isEmpty ? name : [UInt8(ascii: "/")] + name }
        levels.append(
            Level(folder: folder, names: names, name: name, pathLength: length, isCached: isCached))
        try flushIfLarge()
    }

    private func directoryRecord(_ folder: Descriptor?, name: [UInt8], status: FileStatus) {
        var entry = Entry(name: name, status: status, owners: &owners)
        if let folder {
            addAttributes(of: folder, to: &entry)
        }
        state(status)
        piece.bytes.append(record: .enter, entry.encoded())
    }

    private func emptyDirectory(_ folder: Descriptor?, name: [UInt8], status: FileStatus) throws {
        count(status)
        directoryRecord(folder, name: name, status: status)
        piece.bytes.append(record: .leave, [])
    }

    func count(_ status: FileStatus) {
        counts.entries += 1
        counts.newestChange = max(counts.newestChange, status.changed.seconds)
        progress.add(items: 1)
    }

    func addAttributes(of file: Descriptor, to entry: inout Entry) {
        do throws(SystemError) {
            entry.attributes = try file.extendedAttributes()
        } catch { findings.add(Finding(.unreadable, fullPath(entry.name), "its attributes: \(error.reason)")) }
        entry.flags = file.flags ?? 0
    }

    /// Notes the state by which the next run knows the file, unless it may change again within the same tick.
    func state(_ status: FileStatus) {
        guard status.changed < trustedBefore else { return }
        piece.bytes.append(record: .state, FileState(status).encoded())
    }

    // MARK: Entries that are no directories

    private func entry(
        _ name: [UInt8], _ status: FileStatus, in folder: Descriptor, cached: WalkCacheReader.Item?
    ) throws {
        count(status)
        if status.kind != .directory, status.linkCount > 1, let first = firstLink(name, status) {
            if let cached { try cache?.pass(cached) }
            var entry = Entry(name: name, status: status, owners: &owners)
            entry.kind = .hardLink
            entry.size = 0
            entry.target = first
            piece.bytes.append(record: .entry, entry.encoded())
            return try flushIfLarge()
        }
        if let cached {
            wasPassed = false
            if !cached.isDirectory, cached.state == FileState(status), try reuse(cached, status) { return }
            if cached.isDirectory || !wasPassed { try cache?.pass(cached) }
        }
        switch status.kind {
        case .file: try file(name, status, in: folder)
        case .symbolicLink, .characterDevice, .blockDevice, .fifo, .socket: try special(name, status, in: folder)
        case .directory, .hardLink: break
        }
        try flushIfLarge()
    }

    /// The path of the entry that shares this inode and came before, if one did.
    private func firstLink(_ name: [UInt8], _ status: FileStatus) -> [UInt8]? {
        let identity = FileIdentity(status)
        if let known = links[identity] {
            // When all have been seen nobody asks again: the table holds only groups that are open.
            links[identity] = known.left > 1 ? (known.path, known.left - 1) : nil
            return known.path
        }
        links[identity] = (path.isEmpty ? name : path + [UInt8(ascii: "/")] + name, status.linkCount - 1)
        return nil
    }

    /// Whether `reuse` has taken the item's content from the cache, so that it need not be passed over.
    private var wasPassed = false

    /// Takes over an unchanged entry, if everything that it cites is still in the store.
    private func reuse(_ item: WalkCacheReader.Item, _ status: FileStatus) throws -> Bool {
        // A hard link's first path is the walk's affair, not the cache's.
        var reader = item.payload
        var slices: WireReader?
        while var field = try reader.field() {
            if field.tag == 2, try field.value.varint() == UInt64(FileKind.hardLink.rawValue) { return false }
            if field.tag == 11 { slices = field.value }
            if field.tag == 18 { return false }  // it was inconsistent or unreadable: look again
        }
        if let slices, !(try areStored(slices)) { return false }
        if let slices, !item.contentFollows { try noteUse(slices) }
        let start = piece.bytes.count
        piece.bytes += item.records
        if item.contentFollows {
            var isComplete = true
            try cache?.content { record, payload in
                piece.bytes += record
                if record.first == RecordKind.content.rawValue, isComplete { isComplete = try areStored(payload) }
                if record.first == RecordKind.finish.rawValue {
                    var reader = payload
                    while var field = try reader.field() {
                        if field.tag == 1, try field.value.varint() != 0 { isComplete = false }
                    }
                }
            }
            wasPassed = true
            if !isComplete {
                piece.bytes.removeSubrange(start...)
                return false
            }
        }
        if status.kind == .file {
            counts.files += 1
            counts.contentBytes += status.size
            progress.add(bytes: status.size)
        }
        try flushIfLarge()
        return true
    }

    /// A file of one slice may share its chunk with others.
    private func noteUse(_ payload: WireReader) throws {
        var reader = payload
        let head = try reader.varint()
        guard head & 1 == 0 else { return }
        let id = try reader.digest()
        let offset = try reader.varint()
        if reader.isAtEnd { segmentUse.add(id, offset: offset, length: head >> 1) }
    }

    private func areStored(_ payload: WireReader) throws -> Bool {
        var reader = payload
        while !reader.isAtEnd {
            if try reader.varint() & 1 == 1 { continue }
            let id = try reader.digest()
            _ = try reader.varint()
            // Neighbours share segments: most questions are the one before.
            if let last = lastChecked, last.id == id {
                if last.isStored { continue }
                return false
            }
            let answer = try !sparse.contains(id) && isStored(id)
            lastChecked = (id, answer)
            if !answer { return false }
        }
        return true
    }

    private func special(_ name: [UInt8], _ status: FileStatus, in folder: Descriptor) throws {
        var entry = Entry(name: name, status: status, owners: &owners)
        do throws(SystemError) {
            if status.kind == .symbolicLink { entry.target = try folder.readLink(name) }
            entry.attributes = try folder.extendedAttributes(of: name)
        } catch {
            if error.code == ENOENT { return }
            findings.add(Finding(.unreadable, fullPath(name), error.reason))
            if status.kind == .symbolicLink && entry.target.isEmpty { return }
        }
        state(status)
        piece.bytes.append(record: .entry, entry.encoded())
    }

    // MARK: Pieces

    private static let pieceLength = 256 << 10

    func flushIfLarge(_ isFlushed: inout Bool) throws {
        guard piece.bytes.count >= Self.pieceLength || pieceContent >= options.contentPerPiece else { return }
        isFlushed = true
        try flush()
    }

    func flushIfLarge() throws {
        var ignored = false
        try flushIfLarge(&ignored)
    }

    /// Hands on the records so far. What they cite has to be on its way first, so an open segment ends here.
    private func flush() throws {
        closeSegment()
        try pipeline.submit(piece)
        piece = ManifestPiece()
        piece.bytes.reserveCapacity(Self.pieceLength + 4096)
        pieceContent = 0
    }

    /// Everything has been read.
    func finish() throws {
        try flush()
    }

    /// What was counted, with the segments that the next run should gather anew.
    func countsAtEnd(_ storedLength: (Digest) throws -> UInt64) rethrows -> BackupCounts {
        counts.sparse = try segmentUse.sparse(contentBytes: counts.contentBytes, storedLength: storedLength)
        return counts
    }
}
