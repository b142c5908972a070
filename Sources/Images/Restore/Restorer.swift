// Restores an image: what a restore is asked for and reports, its beginning and end, and what all parts of it share.
// Every step is taken from the descriptor of a folder to a single name in it, without following links, so that nothing in an
// image leads outside of the target.

internal import Cryptography
internal import Glibc
public import Platform
public import Reporting

public struct RestoreRequest: Sendable {
    public var target: BytePath
    /// The target's folder, where its path leads elsewhere, as below a write filter; nil: what the path leads to, made where nothing is there.
    public var folder: Descriptor?
    /// Only what one of these selects; everything where there is none.
    public var only: [PathPattern] = []
    /// Of an image with one source, only these; everything where there are none.
    public var parts: TreeParts?
    /// What the names of attributes begin with that stay in the target as they are.
    public var keptAttributes: String?
    /// Opens and checks everything and writes nothing.
    public var isDryRun = false
    /// Makes device nodes.
    public var devices = false
    /// Takes a file with the same size and time of modification for unchanged, without comparing its content.
    public var trustTimes = false
    /// Takes away what is in the target and not in the image, so that the target is what the source was.
    public var isExact = false
    /// What the target is known to hold: entries that are the same in the image are left alone, unseen.
    public var known: KnownEntries?
    /// Folders below the target that are neither replaced nor taken away.
    public var own: [BytePath] = []
    /// Which models are one series.
    public var series = HardwareSeries()
    /// Restores a whole system on hardware of another series.
    public var otherHardware = false
    public var listPaths: (@Sendable (BytePath) -> Void)?
    /// The source had owners and permissions of its mount alone, as FAT has: where the target does not take them, nothing is lost.
    public var hasOwnersOfMount = false

    public init(target: BytePath) { self.target = target }
}

public struct RestoreReport: Sendable {
    public var label: ImageLabel?
    public var image: ObjectID?
    /// Those that are in the image, or are selected.
    public var entries: UInt64 = 0
    /// Those of them that were not restored.
    public var failed: UInt64 = 0
    /// Entries of the image that nobody can name, since a part of its manifest is lost.
    public var lost: UInt64 = 0
    /// Whether there were more entries that nobody can name, and nobody can count: the end of the image is lost, which says how many.
    public var isCountLost = false
    public var filesWritten: UInt64 = 0
    /// Of these: those in whose place there was something else.
    public var filesReplaced: UInt64 = 0
    /// Files that were there with the same content.
    public var filesUnchanged: UInt64 = 0
    public var bytesWritten: UInt64 = 0
    /// Entries that were in the target and not in the image.
    public var removed: UInt64 = 0
    public var contentBytes: UInt64 = 0
    public var findings: UInt64 = 0

    /// Entries that are what the image says.
    public var restored: UInt64 { entries > failed ? entries - failed : 0 }
}

/// Restores an image into a folder, or onto what is there already.
///
/// Each file is whole or not there; damage costs the files that it hit, each of which is a finding.
/// - Throws: `ImageError`; what was restored so far stays, and the same call goes on from there.
public func restore(
    _ reader: any ImageReader, _ request: RestoreRequest, progress: Progress, findings: Findings
) throws -> RestoreReport {
    guard let reader = reader as? any BatchedImageReader else { throw ImageError.library("an unknown kind of image") }
    if let label = reader.label {
        // It may be one step of several.
        progress.expect(
            bytes: progress.bytesDone &+ label.contentBytes, items: progress.itemsDone &+ label.entries)
        if label.sources.contains("/"), !request.otherHardware, !request.isDryRun,
            !request.series.isSame(label.hardware, HostFacts.hardwareSeries)
        {
            throw ImageError.otherHardware(
                image: label.name, series: label.hardware, here: HostFacts.hardwareSeries)
        }
    }
    do {
        return try Restorer(reader, request, progress: progress, findings: findings).run()
    } catch {
        throw ImageError.wrapping(error, subject: request.target.description)
    }
}

final class Restorer: @unchecked Sendable {
    let reader: any BatchedImageReader
    let request: RestoreRequest
    private let progress: Progress
    let findings: Findings
    var isDryRun: Bool { request.isDryRun }
    /// The target did not exist: nothing needs to be compared.
    private(set) var isFresh = false

    let partialNames = PartialNames()
    let queue: RestoreQueue
    let counting = Monitor()
    var report = RestoreReport()
    var notPermitted = 0

    // The walk's own state.
    var target: RestoreFolder?
    private(set) var isTargetNew = false
    /// What the target was before anything was put into it.
    private(set) var targetBefore: (status: FileStatus, flags: UInt32?)?
    var source: [UInt8] = []
    /// `names` are those that the image has in it; nil where some of them may have been lost.
    var folders: [(folder: RestoreFolder, isSelected: Bool, names: Set<[UInt8]>?)] = []
    let own: Set<FileIdentity>
    var below: [[UInt8]] = []
    var file: RestoreFile?
    /// A volume of a disk of which a part is lost, as long as nobody knows where it goes on.
    var lostFile: RestoreFile?
    var job: RestoreJob?
    /// A file whose content follows, and which may turn out to be known already.
    var waiting: (entry: Entry, folder: RestoreFolder, slices: [Slice])?
    var links: [(folder: RestoreFolder, entry: Entry, path: [UInt8])] = []
    /// Names of files whose first name is not selected.
    var orphans: [OrphanedLink] = []
    /// Those that something was restored onto, by their devices.
    var fileSystems: [UInt64: TargetFileSystem] = [:]
    private var stopped: ImageError?
    private var failedPaths: Set<BytePath> = []
    private var linked: Set<FileIdentity> = []
    var isLost = false
    private var hasLosses = false
    var matched: Set<Int> = []
    /// Whether only what the image does not have is taken away, and nothing is made.
    var isClearing = false

    init(
        _ reader: any BatchedImageReader, _ request: RestoreRequest, progress: Progress, findings: Findings
    ) throws {
        self.reader = reader
        self.request = request
        self.progress = progress
        self.findings = findings
        own = Set(request.own.compactMap { FileIdentity($0) })
        queue = try RestoreQueue(progress: progress, foresight: reader.foresight)
    }

    // MARK: Running

    func run() throws -> RestoreReport {
        do {
            if !isDryRun { try openTarget() }
        } catch {
            queue.finish()
            throw error
        }
        var failure: (any Error)?
        do {
            try clearFirst()
            try checkRoom()
            while let batch = try reader.nextBatch() {
                try checkStop()
                for problem in reader.problems() { findings.add(problem) }
                guard let records = batch.records else {
                    hasLosses = true
                    loseTrack()
                    continue
                }
                do {
                    try walk(records, batch.chunks)
                } catch let error as FormatError {
                    findings.add(Finding(.damaged, subject: reader.restoredSubject, error.description))
                    hasLosses = true
                    loseTrack()
                }
                // What a pipe gave is gone with the next batch.
                if !batch.chunks.isRandomAccess { submitJob() }
            }
            // Who wrote into the pipe was stopped, too.
            try checkStop()
            for problem in reader.problems() { findings.add(problem) }
            loseTrack()
            try restoreOrphans()
        } catch { failure = error }
        loseTrack()
        endLost(isWanted: failure == nil)
        makeLinks()
        for orphan in orphans { orphan.folder.release() }
        orphans = []
        queue.finish()
        earlySync?.end()
        earlySync = nil
        target?.release()
        if failure == nil || failure is ImageError, let stopped = counting.withLock({ stopped }) { failure = stopped }
        let targetDescriptor = opened
        // Folders know the restore, and it knows this one: neither would go, nor their descriptors.
        target = nil
        opened = nil
        if failure == nil, notPermitted > 0 {
            findings.add(
                Finding(
                    .notRestored, request.target,
                    "owners or attributes of \(notPermitted) entries could not be set without being root"))
        }
        if failure == nil { addLosses() }
        for (index, pattern) in request.only.enumerated() where failure == nil && !matched.contains(index) {
            failure = ImageError.noSuchPath(pattern: pattern.description)
        }
        // Files have their names now, and their content may still be in memory only.
        do { try targetDescriptor?.synchronizeFileSystem() } catch { if failure == nil { throw error } }
        if let failure { throw failure }
        report.label = reader.label
        report.image = reader.imageID
        let isEndLost = reader.imageID == nil
        if hasLosses || isEndLost, request.only.isEmpty, let label = reader.label {
            // A file's first label has counts only where it is a copy.
            report.isCountLost = isEndLost && label.entries == 0
            if label.entries > report.entries { report.lost = label.entries - report.entries }
        }
        report.findings = findings.count
        return report
    }

    private func openTarget() throws {
        try refuseOwnStore()
        let descriptor: Descriptor
        if let folder = request.folder {
            descriptor = folder
        } else {
            isFresh = !exists(request.target)
            isTargetNew = isFresh
            // One source that is a plain file goes into the target; everything else is, or goes below, the target itself.
            try makeFolders(request.target, mode: 0o755)
            descriptor = try Descriptor.open(request.target, .directory)
        }
        if !isFresh { isFresh = try DirectoryListing(of: descriptor).count == 0 }
        targetBefore = (try descriptor.status(), descriptor.flags)
        _ = try liftProtection(of: descriptor)
        opened = descriptor
        border = TreeBorder(try descriptor.status())
        earlySync = EarlySync(descriptor) { [self] error in
            stop(ifFatal: error)
            stop(ImageError(error, on: request.target.description))
        }
    }

    var opened: Descriptor?
    private(set) var earlySync: EarlySync?
    /// Where the target ends.
    private(set) var border: TreeBorder?

    func checkStop() throws {
        try progress.checkStop()
        if let error = counting.withLock({ stopped }) { throw error }
    }

    var isStopped: Bool { counting.withLock { stopped != nil } }

    /// Ends the restore: one error instead of a finding for each entry that is left.
    func stop(_ error: ImageError) { counting.withLock { if stopped == nil { stopped = error } } }

    /// Ends it where the target is full, or gone.
    func stop(ifFatal error: any Error) {
        guard let error = error as? SystemError else { return }
        if error.isFull {
            let full = opened.flatMap { FullFileSystem(error, holding: $0, place: request.target) }
            stop(.full(subject: full?.name ?? request.target.description))
        } else if error.isUnreachable || error.code == EIO && isTargetGone {
            stop(.gone(subject: request.target.description))
        }
    }

    /// Whether the target itself does not answer any more, or only a place of it is bad: then its folder can be read, and something can be
    /// written to it.
    private var isTargetGone: Bool {
        guard let opened else { return true }
        do {
            _ = try DirectoryListing(of: opened.open([UInt8(ascii: ".")], .directory))
            let probe = try PartialFile(in: opened, partialNames)
            defer { probe.discard() }
            try probe.file.write([0])
            try probe.file.synchronize()
            return false
        } catch { return (error as? SystemError)?.isFull != true }
    }

    func submitJob() {
        guard let job else { return }
        self.job = nil
        queue.submit(job)
    }

    func waitUntilIdle() {
        submitJob()
        queue.waitUntilIdle()
    }

    func count(_ isSelected: Bool, _ path: @autoclosure () -> BytePath) {
        if isClearing { return }
        progress.add(items: 1)
        guard isSelected else { return }
        counting.withLock { report.entries += 1 }
        request.listPaths?(path())
    }

    func countFile(written: Bool, isReplaced: Bool = false, bytes: UInt64) {
        counting.withLock {
            if written { report.filesWritten += 1 } else { report.filesUnchanged += 1 }
            if isReplaced { report.filesReplaced += 1 }
            report.bytesWritten &+= bytes
        }
    }

    func countFailed() { counting.withLock { report.failed += 1 } }

    /// An entry could not be restored: what has its name in the target, if anything has, is not the image's.
    func fail(_ finding: Finding, _ name: [UInt8], in folder: RestoreFolder?) {
        let path = folder?.path.appending(name)
        let isStopped = counting.withLock {
            report.failed += 1
            if let path { failedPaths.insert(path) }
            return stopped != nil
        }
        if !isStopped { findings.add(finding) }
    }

    /// Whether a first name, from the source on, is not what the image says, or is in a folder that is another one.
    func hasFailed(_ names: [[UInt8]]) -> Bool {
        var path = sourceNames.reduce(request.target) { $0.appending($1) }
        return counting.withLock {
            names.contains { name in
                path = path.appending(name)
                return failedPaths.contains(path)
            }
        }
    }

    /// Takes a file of the target that has several names for one of the image; false where another has taken it.
    func takeLinked(_ identity: FileIdentity) -> Bool { counting.withLock { linked.insert(identity).inserted } }

    func countRemoved() { counting.withLock { report.removed += 1 } }
}
