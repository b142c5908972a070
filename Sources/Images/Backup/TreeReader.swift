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
        /// nil: all of it.
        var parts: TreeParts?
        /// What the first source says is needed to restore the machine; empty where it says nothing.
        var needs: [UInt8] = []
        /// Content after which the records so far are handed on: a single-file image wants them close to their content.
        var contentPerPiece = Int.max
        /// Names files that were written since the first source began: of a whole system, what belongs together is to come from one moment.
        var namesWrittenMeanwhile = false

        func isExcluded(_ name: [UInt8], at below: [UInt8], in source: BytePath) -> Bool {
            parts?.leadsTo(below) == false || excludes.contains { $0.matches(path: below, name: name, in: source) }
        }
    }

    let pipeline: Pipeline
    let options: Options
    private var hasSource = false
    let cache: WalkCacheReader?
    /// Whether the store has a chunk; if not, whatever cites it is read again.
    let isStored: (Digest) throws -> Bool
    let progress: Progress
    let findings: Findings
    /// Files that changed after this moment may change again without another time of change.
    let trustedBefore: Timestamp

    var counts = BackupCounts()
    var owners = OwnerNames()
    var chunker: Chunker
    var piece = ManifestPiece()
    var pieceContent = 0
    var segment: ChunkJob?
    /// First names of files that have several, and how many are still to come.
    var links: [FileIdentity: (path: [UInt8], left: UInt32)] = [:]
    /// Those of earlier sources of which more names are to come: a link leads nowhere out of its source.
    private var linksOfEarlier: [FileIdentity: BytePath] = [:]
    private var splitLinks: (count: UInt64, first: (name: BytePath, other: BytePath)?) = (0, nil)
    /// Excludes that nothing has matched, by their place.
    private var unmatched: Set<Int>
    var lastChecked: (id: Digest, isStored: Bool)?
    /// Segments that the last run left mostly unused: their files are read again.
    let sparse: Set<Digest>
    var segmentUse = SegmentUse()
    /// Whether the entry under way is all that the file is. If not, the next run looks again, and says so again.
    var isWhole = true
    /// Whether `reuse` has taken the item's content from the cache, so that it need not be passed over.
    var wasPassed = false

    /// One folder on the way down.
    private struct Level {
        var names: DirectoryListing
        var next = 0
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
        unmatched = Set(options.excludes.indices)
        self.cache = cache
        self.isStored = isStored
        sparse = Set(cache?.sparse ?? [])
        self.progress = progress
        self.findings = findings
        chunker = Chunker(table: gearTable)
        // A file system's clock ticks every few milliseconds (FAT's every two seconds, but it has no inodes to trust).
        trustedBefore = Self.tickBefore(Timestamp.now())
    }

    private static func tickBefore(_ now: Timestamp) -> Timestamp {
        now.nanoseconds >= 50_000_000
            ? Timestamp(seconds: now.seconds, nanoseconds: now.nanoseconds - 50_000_000)
            : Timestamp(seconds: now.seconds - 1, nanoseconds: now.nanoseconds + 950_000_000)
    }

    /// Notes a file that has been read if it may be of a later moment than those before it.
    func noteIfWrittenMeanwhile(_ file: Descriptor, _ name: [UInt8]) {
        // What cannot be looked at any more was read all the same.
        guard let meanwhile, let status = try? file.status(), status.changed >= meanwhile else { return }
        writtenMeanwhile.count += 1
        if writtenMeanwhile.first.count < Self.shownMeanwhile { writtenMeanwhile.first.append(fullPath(name)) }
    }

    private static let shownMeanwhile = 12

    /// One note a source, as nothing is wrong with any of them by itself.
    private func nameWrittenMeanwhile() {
        if writtenMeanwhile.count == 0 { return }
        let (count, first) = writtenMeanwhile
        let more = count > UInt64(first.count) ? " and \(count - UInt64(first.count)) more" : ""
        findings.add(
            Finding(
                .note, source,
                "written while the image was made, each as it was when it was read: \(first.map(\.description).joined(separator: ", "))\(more); "
                    + "files that belong together, as those of a database, may be of different moments"))
        writtenMeanwhile = (0, [])
    }

    private var source = BytePath([])
    var path: [UInt8] = []
    private var border: TreeBorder?
    private var folders: FolderStack?

    /// Since when files are written while the sources are read.
    private var meanwhile: Timestamp?
    private var writtenMeanwhile: (count: UInt64, first: [BytePath]) = (0, [])

    /// Whether the entry under way is the source itself.
    private var isAtSource = true

    func fullPath(_ name: [UInt8]) -> BytePath {
        if isAtSource { return source }
        let below = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        let full = below.isEmpty ? source : source.appending(below)
        // For people: a tree can be made of which each line would be a page.
        if full.bytes.count <= Self.shownLength { return full }
        let half = Self.shownLength / 2
        return BytePath(full.bytes.prefix(half) + Array("/…/".utf8) + full.bytes.suffix(half))
    }

    private static let shownLength = 1024

    /// Why a folder of this path below the source is not entered: a reader would not, either.
    private func problem(ofFolder below: [UInt8], depth: Int) -> String? {
        if depth >= Format.maximumDepth {
            return "it lies deeper than the \(Format.maximumDepth) folders that an image holds one in the other"
        }
        // What is in it has a path that fits, whatever its name.
        if below.count + 1 + Format.maximumNameLength > Format.maximumPathLength {
            return "its path has \(below.count) bytes, and what is in it would have more than an image holds"
        }
        return nil
    }

    // MARK: Sources

    /// Reads one source, whole.
    /// - Parameter view: where it is read; its paths are those of the source.
    func read(_ source: BytePath, at view: BytePath) throws {
        guard source.bytes.count <= Format.maximumPathLength else {
            throw ImageError.system(SystemError(ENAMETOOLONG, "back up", "a path of \(source.bytes.count) bytes"))
        }
        for (file, known) in links {
            linksOfEarlier[file] = isAtSource ? self.source : self.source.appending(known.path)
        }
        links = [:]
        self.source = source
        path = []
        isAtSource = true
        if options.namesWrittenMeanwhile, meanwhile == nil { meanwhile = Self.tickBefore(Timestamp.now()) }
        var payload: [UInt8] = []
        payload.append(field: 1, source.bytes)
        if !hasSource, !options.needs.isEmpty, options.needs.count <= Format.maximumNeedsLength {
            payload.append(field: RecordKind.needsOfSource, options.needs)
        }
        hasSource = true
        let place: Descriptor
        let status: FileStatus
        do throws(SystemError) {
            place = try Descriptor.open(view, [.place])
            status = try place.status()
        } catch { throw ImageError(error) }
        guard status.kind == .directory || status.kind == .file else {
            throw ImageError.library(
                "\(source) is neither a folder nor a file, and what comes out of it is no content of an image")
        }
        border = TreeBorder(status)
        piece.bytes.append(record: .source, payload)
        let cachedRoot = cache?.enterSource()
        let name = source.lastComponent.isEmpty ? Array("root".utf8) : source.lastComponent
        if let problem = Entry.problem(ofName: name) {
            throw ImageError.library("\(source) cannot be backed up: \(problem)")
        }
        do {
            if status.kind == .directory {
                try readTree(
                    Descriptor.open(view, .directory), name: name, status: status, cached: cachedRoot)
            } else {
                if let cachedRoot { cache?.pass(cachedRoot) }
                try entry(
                    source.lastComponent, status, in: Descriptor.open(view.parent, .directory), cached: nil)
            }
        } catch let error as SystemError { throw ImageError(error, on: source.description) }
        nameSplitLinks()
        nameWrittenMeanwhile()
    }

    /// Notes a name of a file that has another one in an earlier source.
    func noteSplit(_ name: [UInt8], _ status: FileStatus) {
        guard !linksOfEarlier.isEmpty, let other = linksOfEarlier[FileIdentity(status)] else { return }
        splitLinks.count += 1
        splitLinks.first = splitLinks.first ?? (fullPath(name), other)
    }

    /// One finding a source: there may be any number of them.
    private func nameSplitLinks() {
        guard let first = splitLinks.first else { return }
        let more = splitLinks.count > 1 ? ", and \(splitLinks.count - 1) more like it" : ""
        findings.add(
            Finding(
                .inconsistent, first.name,
                "is a hard link to \(first.other)\(more): in an image such names of different sources come back as files of "
                    + "their own; back up a folder that holds both"))
        splitLinks = (0, nil)
    }

    private func readTree(
        _ folder: Descriptor, name: [UInt8], status: FileStatus, cached: WalkCacheReader.Item?
    ) throws {
        var levels: [Level] = []
        try enter(folder, name: name, status: status, cached: cached, levels: &levels)
        while var level = levels.popLast() {
            try progress.checkStop()
            guard level.next < level.names.count else {
                if level.isCached { cache?.leave() }
                piece.bytes.append(record: .leave, [])
                path.removeSubrange(level.pathLength...)
                do throws(SystemError) {
                    try folders?.leave()
                } catch {
                    // Moved while what is in it was read: its names are of no use any more.
                    findings.add(Finding(.unreadable, source.appending(path), "what is left of it: \(error.reason)"))
                    if let last = levels.indices.last { levels[last].next = levels[last].names.count }
                }
                continue
            }
            let name = level.names[level.next]
            level.next += 1
            levels.append(level)
            guard let folder = folders?.current else { continue }
            try child(name, in: folder, isCached: level.isCached, levels: &levels)
        }
    }

    private func child(_ name: [UInt8], in folder: Descriptor, isCached: Bool, levels: inout [Level]) throws {
        let below = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        let cached = isCached ? cache?.find(name) : nil
        func pass() { if let cached { cache?.pass(cached) } }
        if isExcluded(name, at: below) { return pass() }
        if let problem = Entry.problem(ofName: name) {
            pass()
            return findings.add(Finding(.unreadable, fullPath(name), "left out: \(problem)"))
        }
        let status: FileStatus
        do throws(SystemError) {
            status = try folder.status(of: name)
        } catch {
            pass()
            if error.code == ENOENT { return }  // gone since the folder was listed
            return findings.add(Finding(.unreadable, fullPath(name), error.reason))
        }
        if options.own.contains(FileIdentity(status)) {
            counts.skipped.append((fullPath(name), "Holdfast's own"))
            return pass()
        }
        let isElsewhere = border?.isCrossed(by: status) ?? false
        if isElsewhere {
            counts.skipped.append((fullPath(name), "another file system"))
            // The place itself belongs to this one: a restore makes it again, empty, to mount on.
            if status.kind != .directory { return pass() }
        }
        guard status.kind == .directory else { return try entry(name, status, in: folder, cached: cached) }
        if let problem = problem(ofFolder: below, depth: levels.count) {
            pass()
            return findings.add(Finding(.unreadable, fullPath(name), "left out with all that is in it: \(problem)"))
        }
        let child: Descriptor
        do throws(SystemError) {
            child = try folder.open(name, .directory)
        } catch {
            pass()
            findings.add(Finding(.unreadable, fullPath(name), error.reason))
            return try emptyDirectory(nil, name: name, status: status)
        }
        if isElsewhere {
            pass()
            return try emptyDirectory(child, name: name, status: status)
        }
        try enter(child, name: name, status: status, cached: cached, levels: &levels)
    }

    /// Each pattern that nothing has matched so far is asked, so that those of no use can be named.
    private func isExcluded(_ name: [UInt8], at below: [UInt8]) -> Bool {
        if options.parts?.leadsTo(below) == false { return true }
        var isFound = false
        for (index, exclude) in options.excludes.enumerated() where !isFound || unmatched.contains(index) {
            if exclude.matches(path: below, name: name, in: source) {
                unmatched.remove(index)
                isFound = true
            }
        }
        return isFound
    }

    private func enter(
        _ folder: Descriptor, name: [UInt8], status: FileStatus, cached: WalkCacheReader.Item?, levels: inout [Level]
    ) throws {
        let isCached = cached?.isDirectory ?? false
        if let cached, !isCached { cache?.pass(cached) }
        let names: DirectoryListing
        do throws(SystemError) {
            names = try DirectoryListing(of: folder)
        } catch {
            if isCached { cache?.leave() }
            findings.add(Finding(.unreadable, fullPath(name), error.reason))
            return try emptyDirectory(folder, name: name, status: status)
        }
        count(status)
        if let cached, isCached, cached.state == FileState(status) {
            piece.bytes += cached.records
        } else {
            directoryRecord(folder, name: name, status: status)
        }
        let length = path.count
        isAtSource = false
        if !levels.isEmpty { path += path.isEmpty ? name : [UInt8(ascii: "/")] + name }
        if levels.isEmpty {
            folders = FolderStack(folder, status: status)
        } else {
            folders?.enter(folder, name: name, status: status)
        }
        levels.append(Level(names: names, pathLength: length, isCached: isCached))
        try flushIfLarge()
    }

    private func directoryRecord(_ folder: Descriptor?, name: [UInt8], status: FileStatus) {
        var entry = newEntry(name, status)
        if let folder { addAttributes(of: folder, to: &entry) } else { isWhole = false }
        state(status)
        piece.bytes.append(record: .enter, entry.encoded())
    }

    private func emptyDirectory(_ folder: Descriptor?, name: [UInt8], status: FileStatus) throws {
        count(status)
        directoryRecord(folder, name: name, status: status)
        piece.bytes.append(record: .leave, [])
        try flushIfLarge()
    }

    // MARK: Pieces

    /// Bytes of records after which they are handed on.
    static let pieceLength = 256 << 10

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
        counts.unmatchedExcludes = unmatched.sorted().map { options.excludes[$0] }
        counts.sparse = try segmentUse.sparse(contentBytes: counts.contentBytes, storedLength: storedLength)
        return counts
    }
}
