// `holdfast backup`: makes an image of folders or files.

internal import ArgumentParser
internal import AuditLog
internal import Images
internal import Machine
internal import Platform
internal import RestorePoints

struct BackupCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Make an image of folders or files.",
        discussion: """
            A backup stays on the file system that it started on and says what it left out. The first backup to a new \
            or empty folder makes a store of it. A btrfs subvolume that has restore points is read from a snapshot, so that \
            the image is one instant of the running machine.
            """)

    @Argument(help: ArgumentHelp("What to back up; with --point the protected tree.", valueName: "path"))
    var sources: [PathArgument] = []

    @Option(help: ArgumentHelp("Back up the protected tree as it was at this restore point.", valueName: "name"))
    var point: String?

    @OptionGroup var state: StateOptions

    @OptionGroup var target: TargetOptions

    @Option(help: "The image's name (default: the last part of the path).")
    var name: NameArgument?

    @Option(help: "The series that the image belongs to (default: this machine's, of the image's name).")
    var series: NameArgument?

    @Option(
        name: .customLong("exclude"),
        help: ArgumentHelp(
            "Leave out what matches: a name (*.tmp), or with a slash a path below the source; may be repeated.",
            valueName: "pattern"))
    var excludes: [PatternArgument] = []

    @Option(help: ArgumentHelp("zstd's level, 1 (fast) to 19 (small).", valueName: "level"))
    var compression = 2

    @OptionGroup var recipients: RecipientOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func validate() throws {
        if !sources.isEmpty && point != nil { throw ValidationError("--point stands for the path to back up.") }
        if sources.isEmpty && point == nil { throw ValidationError("Give at least one path to back up.") }
        guard (1...19).contains(compression) else { throw ValidationError("--compression goes from 1 to 19.") }
        try refuseMixedOutput(target.output, global)
    }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        var request = BackupRequest(sources: try sources.map { try $0.absolute }, name: "")
        let snapshot = try view(for: &request, session)
        lookBelowFilters(&request, session)
        defer { withExtendedLifetime(snapshot) {} }
        request.name = name?.text ?? defaultName(request.sources)
        request.series = series?.text
        let patterns = excludes.map { $0.patterns(below: request.sources) }
        request.excludes = patterns.flatMap { $0 }
        request.level = compression
        request.tool = Session.tool
        request.own = state.places(session).ownFiles() + session.configuration.identities
        request.logHead = (try? AuditLog(folder: state.places(session).log).head())?.description ?? ""
        request.countsAhead = session.console.showsProgress
        let asked = request
        // A snapshot has had its hooks already: what writes need not rest for as long as the backup lasts.
        let hooks = snapshot == nil ? session.configuration.hooks : Hooks()
        let report = try hooks.around("backup", asked.sources.first ?? "/") { try back(up: asked, session) }
        for (exclude, itsOwn) in zip(excludes, patterns) where itsOwn.allSatisfy(report.unmatchedExcludes.contains) {
            session.console.warning("nothing matched --exclude \(printable(exclude.bytes))")
        }
        session.show(
            document(report, session), summary: summary(report, isVerbose: session.console.isVerbose),
            outputIsData: target.output?.isStandard == true)
        return session.outcome(report.findings)
    }

    private func back(up request: BackupRequest, _ session: Session) throws -> BackupReport {
        if let output = target.output {
            let destination = try SingleFileOutput(output, partSize: target.partSize)
            let wanted = try session.recipients(
                recipients, of: output.isStandard ? "the file" : output.path.description)
            return try session.working {
                try SingleFile.backup(
                    request, to: destination, recipients: wanted, machine: session.machine, progress: session.progress,
                    findings: session.findings)
            }
        }
        let store = try openStore(session)
        return try session.working {
            try store.backup(request, progress: session.progress, findings: session.findings)
        }
    }

    /// A snapshot of what is protected, where it is among the sources and the file system makes snapshots.
    private func view(for request: inout BackupRequest, _ session: Session) throws -> Snapshot? {
        let folder = state.places(session).state
        if point == nil {
            // What is wrong with the state of a tree stops no backup of another.
            guard HostFacts.isRoot, let root = try? ProtectedTree.facts(state: folder).root,
                request.sources.contains(root)
            else { return nil }
        }
        let tree = try state.open(session)
        if let name = point {
            request.sources = [tree.root]
            guard let snapshot = try tree.snapshot(of: tree.point(named: name)) else {
                throw Problem.refused(
                    "the points of \(tree.root) are images already, in \(folder)/store",
                    hint:
                        "`holdfast copy --from \(folder)/store --identity \(folder)/identity.txt` takes them elsewhere")
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
    private func lookBelowFilters(_ request: inout BackupRequest, _ session: Session) {
        for source in request.sources where request.views[source] == nil {
            guard let below = FilterMounts.below(source) else { continue }
            session.console.warning(
                "a write filter covers \(source): the image holds what is protected, and the exceptions")
            request.views[source] = below
            if request.point.isEmpty { request.point = "write filter" }
        }
    }

    private func defaultName(_ sources: [BytePath]) -> String {
        let names = sources.map { $0.lastComponent.isEmpty ? "root" : printable($0.lastComponent) }
        let joined = names.joined(separator: "+")
        return names.count == 1 || joined.utf8.count <= 64 ? joined : HostFacts.hostName
    }

    /// Opens the store; a folder that is new or empty becomes one.
    private func openStore(_ session: Session) throws -> Store {
        guard let to = target.to else { throw Problem.usage("give --to STORE or --output FILE") }
        let place = try session.place(to)
        if try Store.exists(place.path) {
            if recipients.isGiven {
                throw Problem.usage(
                    "\(place.path) has its recipients already",
                    hint: "add one with `holdfast key add RECIPIENT --to STORE`")
            }
            return try session.open(to, for: .write)
        }
        // The folder of a configured store is empty when its disk or share is not mounted: no place for a new one.
        guard !place.isConfigured, isFree(place.path) else { throw ImageError.notAStore(path: place.path.description) }
        do {
            let store = try Store.create(
                place.path, recipients: session.recipients(recipients, of: place.path.description), group: nil,
                machine: session.machine)
            session.console.note("made a new store, \(place.path), with the fingerprint \(store.fingerprint)")
            session.note(store.fingerprint)
            return store
        } catch ImageError.alreadyAStore {
            // Another backup was faster.
            return try session.open(to, for: .write)
        }
    }

    private func isFree(_ path: BytePath) -> Bool {
        guard exists(path) else { return true }
        guard let folder = try? Descriptor.open(path, .directory), let names = try? DirectoryListing(of: folder) else {
            return false
        }
        // Keys and a record are what an interrupted creation left.
        return (0..<names.count).allSatisfy { ["k", "e", "lost+found"].contains(BytePath(names[$0])) }
    }

    private func document(_ report: BackupReport, _ session: Session) -> [(String, JSON?)] {
        [("image", .id(report.id))] + JSON.label(report.label)
            + [("files", .number(report.files)), ("filesRead", .number(report.filesRead))]
            + session.console.findingMembers
            + [
                (
                    "leftOut",
                    .list(report.skipped.map { .object(JSON.path($0.path) + [("reason", .text($0.reason))]) })
                )
            ]
    }

    private func summary(_ report: BackupReport, isVerbose: Bool) -> [String] {
        let label = report.label
        let shared = label.contentBytes - min(label.contentBytes, label.newBytes)
        var lines = [
            "image \(report.id) \(describe(label)): \(Text.counted(label.entries, "entry", "entries")), "
                + Text.size(label.contentBytes),
            "new \(Text.size(label.newBytes)) in \(Text.counted(report.filesRead, "file", "files")) "
                + "(stored as \(Text.size(label.storedBytes))), shared \(Text.size(shared))",
        ]
        let shown = isVerbose ? report.skipped.count : 20
        lines += report.skipped.prefix(shown).map { "left out: \($0.path) (\($0.reason))" }
        if report.skipped.count > shown { lines.append("left out: … and \(report.skipped.count - shown) more") }
        if report.volumesOfOthers > 0 {
            lines.append(
                "rests on \(Text.counted(UInt64(report.volumesOfOthers), "volume", "volumes")) of other machines of the group, which an identity has verified"
            )
        }
        if report.findings > 0 {
            lines.append("not complete: \(Text.counted(report.findings, "finding", "findings")), listed above")
        }
        return lines
    }
}
