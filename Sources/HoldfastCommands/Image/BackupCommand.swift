// `holdfast backup`: makes an image of folders or files.

internal import ArgumentParser
internal import Disks
internal import Images
internal import Platform
internal import Reporting
internal import Stewardship
internal import Stores

struct BackupCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Make an image of folders or files, or of a disk.",
        discussion: discussion(
            """
            A backup stays on the file system that it started on and says what it left out. The first backup to a new \
            or empty folder that somebody makes at a terminal makes a store of it; otherwise `holdfast store init` does. A btrfs subvolume that has restore points is read from a snapshot, so that \
            the image is one instant of the running machine.
            """,
            examples: "holdfast backup /opt/plc --to nas",
            "holdfast backup /opt/plc --output /mnt/usb/plc.hf --passphrase # one file",
            "holdfast backup --disk /dev/sdb --to nas # a whole disk"))

    @Argument(help: ArgumentHelp("What to back up; with --point the protected tree.", valueName: "path"))
    var sources: [PathArgument] = []

    @Option(
        help: ArgumentHelp(
            "Make an image of a disk, as /dev/sda, or of a file that is an image of one: what makes it start, and all that is on it.",
            valueName: "device"))
    var disk: PathArgument?

    @Flag(help: "With --disk: show what would be read, and how; make no image.")
    var dryRun = false

    @Flag(help: ArgumentHelp("With --dry-run: look for what was changed last, too.", visibility: .hidden))
    var newestChange = false

    @Option(
        help: ArgumentHelp("Back up the protected tree as it was at this restore point.", valueName: "name"),
        completion: .points)
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

    @Flag(help: "Read every file anew, not only those whose times, size or number have changed.")
    var reread = false

    @OptionGroup var recipients: RecipientOptions
    @OptionGroup var pace: RateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if newestChange && !dryRun { throw ValidationError("--newest-change goes with --dry-run.") }
        if dryRun && disk == nil { throw ValidationError("--dry-run goes with --disk.") }
        if !dryRun { try target.check() }
        if disk != nil && (!sources.isEmpty || point != nil) {
            throw ValidationError("--disk stands for the path to back up.")
        }
        if disk != nil && !excludes.isEmpty { throw ValidationError("Of a disk nothing is left out: no --exclude.") }
        if !sources.isEmpty && point != nil { throw ValidationError("--point stands for the path to back up.") }
        if sources.isEmpty && point == nil && disk == nil {
            throw ValidationError("Give at least one path to back up, or a disk with --disk.")
        }
        try refuseWord(name)
        guard (1...19).contains(compression) else { throw ValidationError("--compression goes from 1 to 19.") }
        try refuseMixedOutput(target.output, global)
    }

    func isRecorded(in session: Session) -> Bool { !dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let places = state.places(session)
        try disk?.refuseMistypedDisk(otherwise: "a file is given by its path")
        let survey = try disk.map { try DiskSurvey(SourceDisk($0.absolute)) }
        if let survey, dryRun {
            let newest = newestChange ? survey.newestChange(session.progress.stop) : nil
            session.show(
                [("disks", .list([survey.document(newestChange: newest)]))],
                summary: survey.lines() + [
                    "what can be read and what not shows when it is read: a plan reads no contents"
                ])
            return .done
        }
        if let survey {
            if session.console.isJSON {
                session.console.planJSON(survey.document())
            } else {
                survey.lines().forEach { session.console.note($0) }
            }
        }
        if target.output?.isStandard == true { session.console.leaveProgressToReader() }
        var job = BackupJob(
            sources: try sources.map { try $0.absolute }, point: point, to: try destination(session),
            places: places)
        try survey.map { try job.take($0) }
        job.name = name?.text
        job.series = series?.text
        job.excludes = excludes.map(\.bytes)
        job.level = compression
        job.rereads = reread
        job.tool = Version.tool
        job.hooks = session.configuration.hooks
        job.secrets = session.keyFilePaths
        // Of a disk that is in use nobody knows beforehand what its files come to.
        job.countsAhead = session.console.showsProgress && survey?.trees.isEmpty != false
        let asked = job
        let report = try session.working { try asked.run(reporting: session.reporter) }
        session.show(
            document(report, session), summary: summary(report, isVerbose: session.console.isVerbose),
            outputIsData: target.output?.isStandard == true)
        return session.outcome(report.findings)
    }

    private func destination(_ session: Session) throws -> BackupJob.Target {
        guard let output = target.output else { return .store { try openStore(session) } }
        let file = try SingleFileOutput(output, partSize: target.partSize)
        return .file(file) {
            try session.recipients(recipients, of: output.isStandard ? "the file" : "\(output.path)")
        }
    }

    /// Opens the store. A folder that is new or empty becomes one where somebody is there who sees it.
    private func openStore(_ session: Session) throws -> Store {
        guard let to = target.to.map(pace.pacing) else { throw Problem.usage("give --to STORE or --output FILE") }
        let place = try session.place(to)
        try session.refuseFile(place)
        let objects = try session.objects(place, writing: true)
        try session.knownStores.check(place.location, objects)
        if try Store.exists(objects) {
            if recipients.isGiven {
                throw Problem.usage(
                    "\(place.words) has its recipients already",
                    hint: "add one with `holdfast key add RECIPIENT --to STORE`")
            }
            return try session.openToWrite(to)
        }
        // The folder of a configured store is empty when its disk or share is not mounted: no place for a new one.
        guard place.mayBecomeStore, place.location.folder.map(isFree) ?? true else {
            throw session.absence(of: place)
        }
        try session.refuseUnmounted(place)
        guard session.hasTerminal else { throw session.noStore(at: place) }
        do {
            let store = try Store.create(
                objects, recipients: session.recipients(recipients, of: place.words),
                JoinRequest(), machine: session.machine(for: place))
            session.remember(store, at: place)
            session.note(store.fingerprint)
            session.console.note("made a new store, \(place.words), with the fingerprint \(store.fingerprint)")
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
        // Keys, a record and a part of HOLDFAST are what an interrupted creation left.
        return (0..<names.count).allSatisfy { ["k", "e", "HOLDFAST", "lost+found"].contains(BytePath(names[$0])) }
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
