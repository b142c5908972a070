// `holdfast restore`: brings an image back.

internal import ArgumentParser
internal import Disks
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship
internal import WriteFilter

struct RestoreCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Bring an image, or a part of it, back.",
        discussion: discussion(
            """
            An image of one folder restores as DIR itself, a single file into DIR, an image of several sources below \
            DIR. What is there and not in the image stays. An interrupted restore goes on when it is repeated.
            """,
            examples: "holdfast restore --from nas --to ./found # asks",
            "holdfast restore 3f9a --from nas --to ./found --only etc/network",
            "holdfast restore latest --from nas --disk /dev/sdb # a whole disk"))

    @Argument(help: "The image; without one it asks, by a numbered list. Not needed with --input.", completion: .images)
    var image: NameArgument?

    @OptionGroup var source: SourceOptions

    @Option(help: ArgumentHelp("Where to; not needed with --dry-run.", valueName: "dir"), completion: .directory)
    var to: PathArgument?

    @Option(
        help: ArgumentHelp(
            "Write the image of a disk to this one, as /dev/sdb, or to a file (a new one as ./NAME); in place of --to. Its serial number has to be typed.",
            valueName: "device"))
    var disk: PathArgument?

    @Option(
        name: .customLong("only"),
        help: ArgumentHelp(
            "Only what matches, with all below it: a name, a path below the source, or an absolute one as it was; may be repeated.",
            valueName: "pattern"))
    var only: [PatternArgument] = []

    @Flag(
        help:
            "Read and check everything, write nothing; with --verbose list the paths. With --disk: show what would be done."
    )
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "With --disk: write what came of it into a new file, too, as --json prints it.", valueName: "file",
            visibility: .hidden))
    var report: PathArgument?

    @Flag(help: "Copy the image to this machine first, and check the copy; a medium may then be pulled.")
    var copyFirst = false

    @Flag(help: "Make device nodes, too.")
    var devices = false

    @Flag(help: "Take a file of the same size and time for unchanged without reading it.")
    var trustTimes = false

    @Flag(help: "Restore a whole system on hardware of another series.")
    var otherHardware = false

    @OptionGroup var pace: RateOptions
    @OptionGroup(title: "With --disk") var onDisk: DiskTargetOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        try source.check()
        if copyFirst && source.from == nil { throw ValidationError("--copy-first is for a store.") }
        if disk != nil && (to != nil || !only.isEmpty || devices || trustTimes) {
            throw ValidationError("--disk goes without --to, --only, --devices and --trust-times.")
        }
        if disk == nil && onDisk.areGiven {
            throw ValidationError(
                "--confirm, --no-read-back, --exact, --new-identity, --same-identity, --no-firmware and --incomplete go with --disk."
            )
        }
        if report != nil && (disk == nil || dryRun) { throw ValidationError("--report goes with --disk.") }
        try onDisk.check()
        if to == nil && disk == nil && !dryRun { throw ValidationError("Give --to DIR, --disk DEVICE, or --dry-run.") }
    }

    func isRecorded(in session: Session) -> Bool { !dryRun }

    func perform(_ session: Session) throws -> Outcome {
        if let disk { try disk.refuseMistypedDisk(otherwise: "a new file is given as `./\(disk.path)`") }
        var request = RestoreRequest(target: to?.path ?? ".")
        if let to, !dryRun, FilterMounts.forgets(try to.absolute) != nil {
            throw FilterError.active(what: "what is restored to \(to.path)")
        }
        let scan = dryRun || disk != nil ? nil : session.configuration.scan.map { RestoreScan($0) }
        // A look that cannot be made is told before hours of work, not after.
        if let scan {
            request.target = try Descriptor.place(of: request.target).path
            try scan.check(request.target)
        }
        // `--dry-run --verbose` lists paths from here on.
        request.only = only.map {
            PathPattern(Array($0.bytes.starts(with: [0x2e, 0x2f]) ? $0.bytes.dropFirst(2) : $0.bytes[...]))
        }
        request.isDryRun = dryRun
        request.devices = devices
        request.trustTimes = trustTimes
        request.otherHardware = otherHardware
        request.series = try HardwareSeries(file: session.configuration.series)
        let paths = PathCollector()
        let console = session.console
        if console.isVerbose && console.isJSON {
            request.listPaths = { paths.add($0) }
        } else if console.isVerbose && dryRun {
            request.listPaths = { console.result($0.description + "\n") }
        } else if console.isVerbose {
            request.listPaths = { console.note($0.description) }
        }
        let asked = request
        let first = CopyFirst(isAsked: copyFirst, asks: !dryRun && !global.yes)
        // However it ends: the room is needed, and a copy is made again.
        defer { first.finish(session) }
        let reader = try source.reader(image, pace, session, copyFirst: first)
        if !dryRun, disk == nil { try confirmRoot(reader, session) }
        if let label = reader.label, !session.console.isJSON {
            session.console.note("restoring " + describe(label, reader.imageID))
        }
        if let disk {
            let restore = DiskRestore(disk: try disk.absolute, asked: onDisk, isDryRun: dryRun)
            let outcome = try restore.perform(reader, session)
            first.finish(session)
            if let report { try writeNew(report.absolute, Array((session.document + "\n").utf8)) }
            return outcome
        }
        let report = try session.working {
            try restore(reader, asked, progress: session.progress, findings: session.findings)
        }
        first.finish(session)
        let scanned = try scan.map { try look($0, at: asked.target, session) }
        session.show(
            document(report, session, listed: request.listPaths == nil ? nil : paths.all)
                + [("scan", scanned.map(document))],
            summary: (scanned.map { [$0.sentence] } ?? []) + summary(report, isUsable: scanned?.isClean ?? true))
        guard let scanned, !scanned.isClean else { return session.outcome(report.findings) }
        // Whatever else was found: the tree is not to be used. Said last, and also where nobody wants to hear of what went well.
        session.console.error(
            .refused(
                "what was restored to \(asked.target) is not to be used: \(scanned.sentence)",
                hint: "it is there for whoever looks into that; repeated, `holdfast restore` scans it anew"))
        return .refused
    }

    /// Has the plant's own program look at what is there now, in the folder as a whole: where it held something before, that is looked at, too.
    private func look(_ scan: RestoreScan, at folder: BytePath, _ session: Session) throws -> RestoreScan.Report {
        session.console.note("\(scan.program) looks at \(folder)")
        let report = try scan.look(at: folder, verb: "restore", stop: session.progress.stop)
        if !report.isClean { report.lines.forEach { session.console.warning("\(scan.program): \($0)") } }
        return report
    }

    private var target: BytePath {
        get throws { try to?.absolute ?? HostFacts.workingFolder }
    }

    private func document(_ report: RestoreScan.Report) -> JSON {
        let verdict =
            switch report.verdict {
            case .clean: "clean"
            case .found: "found"
            case .failed: "failed"
            }
        return .object([
            ("program", .text(report.program.description)), ("verdict", .text(verdict)),
            ("sentence", .text(report.sentence)), ("lines", .list(report.lines.map(JSON.text))),
        ])
    }

    /// An image that is not of `/` would lay its own folders over those of the system.
    private func confirmRoot(_ reader: any ImageReader, _ session: Session) throws {
        guard let to, let target = FileIdentity(to.path), target == FileIdentity("/") else { return }
        let sources = reader.label?.sources ?? []
        // An image of several sources goes below its target, each to its own place.
        if sources.count > 1 || sources == ["/"] { return }
        let place = sources.first.map(\.description) ?? "its source"
        session.console.warning(
            "the image is of \(place), and would become / itself; it is put back with `--to \(place)`")
        let top = try Descriptor.open("/", .directory)
        for entry in try firstEntries(of: reader, limit: 8) {
            let name = BytePath("/").appending(entry.name)
            let there: FileStatus
            do throws(SystemError) { there = try top.status(of: entry.name) } catch {
                guard error.isAbsent else { throw error }
                session.console.warning("\(name) would be new")
                continue
            }
            session.console.warning(
                there.kind == entry.kind
                    ? "\(name) would be changed" : "\(name) is of another kind here than in the image")
        }
        try session.confirm("Restore it over / all the same?")
    }

    private func document(_ report: RestoreReport, _ session: Session, listed: [BytePath]?) -> [(String, JSON?)] {
        // The number of entries restored stands for that of the label.
        JSON.label(report.label).filter { !["entries", "contentBytes", "bytesNew", "bytesStored"].contains($0.0) }
            + [("image", report.image.map(JSON.id)), ("dryRun", .flag(dryRun))]
            + JSON.report(report)
            + (listed.map { JSON.paths($0, key: "paths") } ?? [])
            + session.console.findingMembers
    }

    /// Why nobody is told what is missing.
    private func unnamed(_ lost: UInt64, of missing: UInt64) -> String {
        if lost == 0 { return "" }
        let names = lost == missing ? "their names" : "the names of \(Text.number(lost)) of them"
        return "; \(names) stood in what is missing of the image"
    }

    /// - Parameter isUsable: whether nobody has said of what is there now that it is not to be used.
    private func summary(_ report: RestoreReport, isUsable: Bool) -> [String] {
        let what = report.label.map { describe($0, report.image) } ?? "of unknown name"
        let missing = report.failed &+ report.lost
        let whole = Text.counted(report.entries, "entry", "entries")
        let entries =
            missing == 0
            ? whole
            : "\(Text.number(report.restored)) of \(Text.counted(report.entries &+ report.lost, "entry", "entries"))"
        var lines: [String]
        if dryRun {
            lines = ["image \(what): \(entries), \(Text.size(report.contentBytes)) read and checked, nothing written"]
        } else {
            let done = isUsable ? "restored to" : "NOT to be used, though it is there, in"
            lines = [
                "image \(what) \(done) \(to?.path.description ?? "."): \(entries), \(Text.size(report.contentBytes))",
                "written \(Text.size(report.bytesWritten)) in \(Text.counted(report.filesWritten, "file", "files"))"
                    + (report.filesReplaced > 0 ? " (\(Text.number(report.filesReplaced)) replaced), " : ", ")
                    + "\(Text.number(report.filesUnchanged)) unchanged",
            ]
        }
        if missing > 0 {
            lines.append("missing: \(Text.counted(missing, "entry", "entries"))" + unnamed(report.lost, of: missing))
        }
        if report.isCountLost {
            lines.append("how many more there were is not known: their names stood in what is missing of the file")
        }
        if report.findings > 0 {
            lines.append("not complete: \(Text.counted(report.findings, "finding", "findings")), listed above")
        }
        return lines
    }
}

extension JSON {
    static func report(_ report: RestoreReport) -> [(String, JSON?)] {
        [
            ("entries", .number(report.restored)), ("missing", .number(report.failed &+ report.lost)),
            ("filesWritten", .number(report.filesWritten)),
            ("filesReplaced", .number(report.filesReplaced)), ("filesUnchanged", .number(report.filesUnchanged)),
            ("bytesWritten", .number(report.bytesWritten)),
            ("contentBytes", .number(report.contentBytes)),
        ]
    }
}

/// Paths for a JSON document, from several threads.
private final class PathCollector: @unchecked Sendable {
    private let monitor = Monitor()
    private var paths: [BytePath] = []

    func add(_ path: BytePath) { monitor.withLock { paths.append(path) } }
    var all: [BytePath] { monitor.withLock { paths } }
}
