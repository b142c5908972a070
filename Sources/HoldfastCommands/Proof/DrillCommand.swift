// `holdfast drill`: restores to prove that it works, and says in a report what came of it.

internal import ArgumentParser
internal import AuditLog
internal import Cryptography
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship

struct DrillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Restore to prove that it works; record what was restored by hand.",
        discussion: discussion(
            "Without the word of another command it is `holdfast drill run`.",
            examples: "holdfast drill plant # some files",
            "holdfast drill latest --from nas --kind full # all of it",
            "holdfast drill verify drill.json"),
        subcommands: [DrillRunCommand.self, DrillRecordCommand.self, DrillVerifyCommand.self],
        defaultSubcommand: DrillRunCommand.self)
}

struct DrillKindArgument: WordArgument {
    var kind: DrillReport.Kind

    static var allValueStrings: [String] { [DrillReport.Kind.sample, .full, .boot].map(\.rawValue) }

    init?(argument: String) {
        guard Self.allValueStrings.contains(argument), let kind = DrillReport.Kind(rawValue: argument) else {
            return nil
        }
        self.kind = kind
    }
}

struct DrillRunCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Restore an image, or a part of it, and compare it with its manifest.",
        discussion: discussion(
            """
            A sample is some files that chance chooses and all that the start needs; full is the whole tree, or the whole disk; boot starts it, of an image of / or of a disk, in a virtual machine without network. A disk is restored to a file as by \
            `holdfast restore --disk ./FILE`, and starts by its own loader; a sample of it is one of the files that were taken as files. What is restored goes to \
            a new folder and is gone afterwards. Whatever comes of it there is a signed report: 0 passed, 3 with findings or failed. A time of the whole \
            that a sample tells is projected, never measured.
            """,
            examples: "holdfast drill plant # some files",
            "holdfast drill latest --from nas --kind full --rto 4h # all, in 4 h",
            "holdfast drill 3f9a --from nas --paper-key # key from paper"))

    @Argument(
        help: "A job of the configuration; with --from an image (default: the newest).", completion: .pointsOrImages)
    var what: NameArgument?

    @Option(help: ArgumentHelp("The store of the image.", valueName: "store")) var from: StoreArgument?

    @Option(help: ArgumentHelp("Only images of this series.", valueName: "series"), completion: .series)
    var series: NameArgument?

    @Option(help: ArgumentHelp("sample, full or boot (default: that of the job, or sample).", valueName: "kind"))
    var kind: DrillKindArgument?

    @Option(
        help: ArgumentHelp("How many files chance chooses (default: \(DrillRequest.standardFiles)).", valueName: "n"))
    var files: Int?

    @Option(
        help: ArgumentHelp("Choose the files again that the drill of this number chose.", valueName: "number"))
    var repeating: String?

    @Option(
        help: ArgumentHelp(
            "The report, with .sig and .html beside it (default: in drills of the state).", valueName: "file"))
    var report: PathArgument?

    @Option(help: ArgumentHelp("Within which time the whole is to be there again (4h).", valueName: "span"))
    var rto: SpanArgument?

    @Option(help: ArgumentHelp("How old an image may be (26h).", valueName: "span")) var rpo: SpanArgument?

    @Option(
        help: ArgumentHelp(
            "The folder in which a new one is made for what is restored (default: /var/tmp).", valueName: "dir"),
        completion: .directory)
    var scratch: PathArgument?

    @Option(
        help: ArgumentHelp(
            "With boot: what a shell in it runs, for 0 (default: whether systemd is at its end).", valueName: "command")
    )
    var health: String?

    @Option(help: ArgumentHelp("With boot: within which time it has to answer (default: 10m).", valueName: "span"))
    var within: SpanArgument?

    @Flag(help: "The key is typed from its sheet.") var paperKey = false

    @OptionGroup var pace: RateOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if from == nil, what == nil { throw ValidationError("Give a job, or --from STORE.") }
        if let files, !(0...100_000).contains(files) { throw ValidationError("--files wants 0 to 100000.") }
        if paperKey, !global.identities.isEmpty {
            throw ValidationError("--paper-key and --identity exclude each other.")
        }
        if let repeating, repeating.utf8.count > 64 {
            throw ValidationError("--repeating wants the number of a drill.")
        }
    }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let job = from == nil ? try what.map { try session.configuration.job(named: $0.text) } : nil
        let places = state.places(session)
        var request = try request(job, session)
        let file = try place(of: places)
        try DrillReport.checkPlace(file)
        let key = try DrillReport.key(state: places.drillState)
        let head = (try? AuditLog(folder: places.log).head())?.description
        // A key that cannot be had is what the report says, too.
        var failure: (any Error)?
        do { try takeKey(job, &request, session) } catch { failure = error }
        let kindOfKey = request.identity
        var drill = try Drill(request, tool: Version.tool, logHead: head, session.reporter, tell: session.console.note)
        let open = { () throws -> DrillSource in
            if let failure { throw failure }
            return try source(job, places, session)
        }
        do {
            failure = try session.working { drill.run(open) }
        } catch { failure = failure ?? error }
        var report = drill.report
        report.identity = recipients(kindOfKey, session)
        let digest = try report.write(file, key: key)
        return try conclude(report, file, digest, failure, session)
    }

    private func request(_ job: Job?, _ session: Session) throws -> DrillRequest {
        let settings = job?.drill ?? DrillSettings()
        var request = DrillRequest()
        request.kind = kind?.kind ?? settings.kind
        request.files = files ?? settings.files
        request.repeated = repeating
        request.recoveryTime = rto?.seconds ?? settings.recoveryTime
        request.recoveryPoint = rpo?.seconds ?? settings.recoveryPoint
        request.every = settings.every
        // Programs that are called for it work in /.
        request.scratch = try scratch?.absolute ?? settings.scratch
        request.job = job?.name
        request.health = health ?? settings.health
        request.within = within?.seconds
        request.scan = session.configuration.scan.map { RestoreScan($0) }
        request.isAllowedHere = settings.isAllowedHere
        return request
    }

    private func place(of places: Places) throws -> BytePath {
        try report?.absolute ?? places.newDrillReport()
    }

    // MARK: The key

    /// Has the key at hand with which the drill is made.
    private func takeKey(_ job: Job?, _ request: inout DrillRequest, _ session: Session) throws {
        if paperKey {
            session.use(try session.typedIdentities())
            request.identity.from = "its sheet of paper, typed"
        } else if !global.identities.isEmpty {
            request.identity.from = "--identity"
        } else if let job, let key = job.drill?.key {
            var bytes = try key.read(job: job.name)
            defer { erase(&bytes) }
            session.use(try IdentityFile.keys(&bytes, named: key.words))
            request.identity.from = key.words
            request.isUnattended = true
        } else {
            request.identity.from = "the user's own or the configuration's"
        }
    }

    /// Its public half, or that it was a passphrase.
    private func recipients(_ identity: DrillReport.Identity, _ session: Session) -> DrillReport.Identity {
        var identity = identity
        // What could not be read is what the drill failed with.
        let known = (try? session.identities().map(\.recipient.string)) ?? []
        identity.recipients = known.isEmpty ? ["passphrase, or none"] : known
        return identity
    }

    // MARK: The image

    private func source(_ job: Job?, _ places: Places, _ session: Session) throws -> DrillSource {
        let (argument, filter) = try store(job, places)
        let place = try session.place(pace.pacing(argument))
        if try !Store.exists(session.objects(place)) { throw session.absence(of: place) }
        let store = try session.open(pace.pacing(argument), for: .read)
        let image = from == nil ? "latest" : what?.text ?? "latest"
        let told = ToldFindings(session.findings)
        let reader = try store.imageReader(image, filter, findings: told.findings)
        let findings = store.findings.filter { $0.kind != .note }.map(\.description) + told.all
        return DrillSource(store: store, place: place.words, reader: reader, findings: findings)
    }

    private func store(_ job: Job?, _ places: Places) throws -> (StoreArgument, ImageFilter) {
        if let from { return (from, ImageFilter(series: series?.text)) }
        guard let job, let name = job.drill?.store ?? job.to.first, let argument = StoreArgument(argument: name) else {
            throw Problem.usage("give a job, or --from STORE")
        }
        let known = JobRecord.read(job.name, places).record.stores
        let series = series?.text ?? job.series ?? known[name]?.series ?? job.to.compactMap { known[$0]?.series }.first
        guard let series else { throw DrillError.noImageOfJob(job: job.name, store: name) }
        return (argument, ImageFilter(series: series))
    }

    // MARK: The end

    private func conclude(
        _ report: DrillReport, _ file: BytePath, _ digest: String, _ failure: (any Error)?, _ session: Session
    ) throws -> Outcome {
        let written = "report \(file), SHA-256 \(digest)"
        if let failure {
            let problem = Problem(failure)
            throw Problem("\(problem.message); \(written)", hint: problem.hint, status: problem.status)
        }
        // The log has the beginning of it at least.
        var lines = DrillDisplay.lines(report)
        lines.insert(written, at: 1)
        session.show(JSON.drill(report, file, digest), summary: lines)
        return report.verdict == .passed && session.findings.count == 0 ? .done : .findings
    }
}

/// Findings in words, and handed on.
private final class ToldFindings: @unchecked Sendable {
    private let monitor = Monitor()
    private var words: [String] = []
    private(set) var findings = Findings()

    init(_ outer: Findings) {
        findings = Findings { [weak self] finding in
            if finding.kind != .note { self?.add(finding.description) }
            outer.add(finding)
        }
    }

    private func add(_ text: String) { monitor.withLock { words.append(text) } }
    var all: [String] { monitor.withLock { words } }
}
