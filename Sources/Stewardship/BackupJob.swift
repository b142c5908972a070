// What a backup of this machine is, whoever asks for it: of protected trees a snapshot where the file system makes one, under a write
// filter what is protected, never Holdfast's own folders, with the end of the audit log in the label and the hooks around it.

internal import AuditLog
public import Disks
public import Images
public import Machine
public import Platform
public import Reporting
public import RestorePoints

/// Whom work tells what it does.
public struct Reporter: Sendable {
    public let progress: Progress
    public let findings: Findings
    /// What somebody should know, in a sentence.
    public let warn: @Sendable (String) -> Void

    public init(progress: Progress, findings: Findings, warn: @escaping @Sendable (String) -> Void) {
        self.progress = progress
        self.findings = findings
        self.warn = warn
    }
}

public struct BackupJob {
    /// Where the image goes. What it takes to open that is done when it is wanted.
    public enum Target {
        case store(() throws -> Store)
        case file(SingleFileOutput, recipients: () throws -> [StoreRecipient])
    }

    /// Absolute paths; none where a point is backed up.
    public var sources: [BytePath]
    private var disks: [DiskSource] = []
    /// Holds what of the disk is read.
    private var survey: DiskSurvey?
    private var views: [BytePath: BytePath] = [:]
    /// A point of the protected tree, in place of sources.
    public var point: String?
    public var target: Target
    public var places: Places
    /// nil: after the sources.
    public var name: String?
    /// nil: this machine's, of the image's name.
    public var series: String?
    /// Patterns as they were typed.
    public var excludes: [[UInt8]] = []
    public var level = 2
    public var tool = "holdfast"
    public var hooks = Hooks()
    /// Files of keys that are somewhere else than in the places.
    public var secrets: [BytePath] = []
    public var countsAhead = false
    /// Whether the image says what is needed to restore the machine, though `/` is not among its sources.
    public var isOfMachine = false
    /// Everything is read anew, whatever the last run has noted of it.
    public var rereads = false

    public init(sources: [BytePath], point: String? = nil, to target: Target, places: Places) {
        self.sources = sources
        self.point = point
        self.target = target
        self.places = places
    }

    /// A disk is backed up: what of it is mounted comes as files.
    public mutating func take(_ survey: DiskSurvey) throws {
        disks.append(try survey.source())
        for tree in survey.trees {
            sources.append(tree.source)
            views[tree.source] = tree.view
        }
        self.survey = survey
    }

    public func run(reporting reporter: Reporter) throws -> BackupReport {
        var request = BackupRequest(sources: sources, name: "")
        request.disks = disks
        request.views = views
        let snapshot = try view(for: &request, reporter)
        defer { withExtendedLifetime(snapshot) {} }
        lookBelowFilters(&request, reporter)
        request.series = series
        request.name = name ?? Self.defaultName(disks.isEmpty ? request.sources : disks.map(\.path))
        let patterns = excludes.map { PathPattern.typed($0, below: request.sources) }
        request.excludes = patterns.flatMap { $0 }
        request.level = level
        request.tool = tool
        request.own = places.ownFiles() + secrets
        request.logHead = (try? AuditLog(folder: places.log).head())?.description ?? ""
        request.countsAhead = countsAhead
        request.rereads = rereads
        if isOfMachine || request.sources.contains("/") { request.needs = needs(request, reporter) }
        // A snapshot has had its hooks already: what writes need not rest for as long as the backup lasts.
        let around = snapshot == nil ? hooks : Hooks()
        let asked = request
        var report = try around.around(
            "backup", (asked.disks.map(\.path) + asked.sources).first ?? "/", reporter.progress, reporter.findings
        ) { try backUp(asked, reporter) }
        // What is mounted in one of the disk's file systems, or is a subvolume in it, is another of its trees.
        if let survey { report.skipped.removeAll { survey.places.contains($0.path) } }
        for (exclude, itsOwn) in zip(excludes, patterns) where itsOwn.allSatisfy(report.unmatchedExcludes.contains) {
            reporter.warn("nothing matched --exclude \(printable(exclude))")
        }
        return report
    }

    /// What the files of the machine do not tell. No backup fails for want of it.
    private func needs(_ request: BackupRequest, _ reporter: Reporter) -> [UInt8] {
        let gathering = NeedsGathering(
            sources: request.sources, tree: request.views["/"] ?? "/", excludes: excludes, own: request.own,
            stop: reporter.progress.stop)
        do { return try gathering.gather().encoded() } catch {
            reporter.warn("the image does not say what is needed to restore the machine: \(explained(error).sentence)")
            return []
        }
    }

    private func backUp(_ request: BackupRequest, _ reporter: Reporter) throws -> BackupReport {
        switch target {
        case .store(let open):
            let store = try open()
            try survey?.refuse(store.openFolder, "the store \(store.subject)")
            return try store.backup(request, progress: reporter.progress, findings: reporter.findings)
        case .file(let output, let recipients):
            try survey?.refuse(output.openPlace, "the file")
            return try SingleFile.backup(
                request, to: output, recipients: recipients(),
                machine: MachineState(state: places.keys, cache: places.cache), progress: reporter.progress,
                findings: reporter.findings)
        }
    }

    /// A snapshot of what is protected, where it is among the sources and the file system makes snapshots.
    private func view(for request: inout BackupRequest, _ reporter: Reporter) throws -> Snapshot? {
        if point == nil {
            // What is wrong with the state of a tree stops no backup of another.
            guard HostFacts.isRoot, let root = try? ProtectedTree.facts(state: places.state).root,
                request.sources.contains(root)
            else { return nil }
        }
        let tree = try ProtectedTree.open(
            state: places.state, progress: reporter.progress, findings: reporter.findings)
        tree.hooks = hooks
        if let name = point {
            request.sources = [tree.root]
            guard let snapshot = try tree.snapshot(of: tree.point(named: name)) else {
                throw StewardError.pointsAreImages(
                    root: tree.root, store: places.pointStore, identity: places.pointIdentity)
            }
            request.point = name
            request.views[tree.root] = snapshot.path
            return snapshot
        }
        guard let snapshot = try tree.snapshot() else { return nil }
        request.point = "snapshot"
        request.views[tree.root] = snapshot.path
        return snapshot
    }

    /// Under a write filter the image holds what is protected and the exceptions, never what the next start forgets.
    private func lookBelowFilters(_ request: inout BackupRequest, _ reporter: Reporter) {
        for source in request.sources where request.views[source] == nil {
            guard let below = FilterMounts.below(source) else { continue }
            reporter.warn("a write filter covers \(source): the image holds what is protected, and the exceptions")
            request.views[source] = below
            if request.point.isEmpty { request.point = "write filter" }
        }
    }

    private static func defaultName(_ sources: [BytePath]) -> String {
        let names = sources.map { $0.lastComponent.isEmpty ? "root" : printable($0.lastComponent) }
        let joined = names.joined(separator: "+")
        return names.count == 1 || joined.utf8.count <= 64 ? joined : HostFacts.hostName
    }
}
