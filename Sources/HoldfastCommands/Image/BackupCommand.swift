// `holdfast backup`: makes an image of folders or files.

internal import ArgumentParser
internal import Images
internal import Platform

struct BackupCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Make an image of folders or files.",
        discussion: """
            A backup stays on the file system that it started on and says what it left out. The first backup to a new \
            or empty folder makes a store of it.
            """)

    @Argument(help: ArgumentHelp("What to back up.", valueName: "path"))
    var sources: [PathArgument]

    @OptionGroup var target: TargetOptions

    @Option(help: "The image's name (default: the last part of the path).")
    var name: NameArgument?

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
        if sources.isEmpty { throw ValidationError("Give at least one path to back up.") }
        guard (1...19).contains(compression) else { throw ValidationError("--compression goes from 1 to 19.") }
        try refuseMixedOutput(target.output, global)
    }

    func perform(_ session: Session) throws -> Outcome {
        var request = BackupRequest(sources: sources.map(\.absolute), name: "")
        request.name = name?.text ?? defaultName(request.sources)
        request.excludes = excludes.map { $0.pattern(below: request.sources) }
        request.level = compression
        request.tool = Session.tool
        let asked = request
        let report: BackupReport
        if let output = target.output {
            let destination = try SingleFileOutput(output, partSize: target.partSize)
            let wanted = try session.recipients(
                recipients, of: output.isStandard ? "the file" : output.path.description)
            report = try session.working {
                try SingleFile.backup(
                    asked, to: destination, recipients: wanted, progress: session.progress, findings: session.findings)
            }
        } else {
            let store = try openStore(session)
            report = try session.working {
                try store.backup(
                    asked, machine: session.machine, progress: session.progress, findings: session.findings)
            }
        }
        session.show(
            document(report, session), summary: summary(report, isVerbose: session.console.isVerbose),
            outputIsData: target.output?.isStandard == true)
        return session.outcome(report.findings)
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
        if Store.exists(place.path) {
            if recipients.isGiven {
                throw Problem.usage(
                    "\(place.path) has its recipients already",
                    hint: "add one with `holdfast key add RECIPIENT --to STORE`")
            }
            return try session.open(to, for: .write)
        }
        // The folder of a configured store is empty when its disk or share is not mounted: no place for a new one.
        guard !place.isConfigured, isFree(place.path) else { throw ImageError.notAStore(path: place.path.description) }
        let store = try Store.create(
            place.path, recipients: session.recipients(recipients, of: place.path.description), group: nil,
            machine: session.machine)
        session.console.note("made a new store, \(place.path)")
        return store
    }

    private func isFree(_ path: BytePath) -> Bool {
        guard exists(path) else { return true }
        guard let folder = try? Descriptor.open(path, .directory), let names = try? DirectoryListing(of: folder) else {
            return false
        }
        // `k` alone is what an interrupted creation left.
        return (0..<names.count).allSatisfy { ["k", "lost+found"].contains(BytePath(names[$0])) }
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
        if report.findings > 0 {
            lines.append("not complete: \(Text.counted(report.findings, "finding", "findings")), listed above")
        }
        return lines
    }
}
