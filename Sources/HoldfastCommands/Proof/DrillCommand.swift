// `holdfast drill`: restores to prove that it works, and says in a report what came of it.

internal import ArgumentParser
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
            that a sample tells is projected, never measured. Of a job it counts as the one that was due, where it is of the job's kind or of more; \
            `holdfast schedule run` makes it by itself where the job names a key.
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
        let (work, began) = (
            DrillWork(places, tool: Version.tool, session.reporter, tell: session.console.note),
            Timestamp.now().seconds
        )
        var done: DrillWork.Done?
        do {
            try session.working {
                done = try work.run(
                    request(job, session), to: report?.absolute,
                    takeKey: { try takeKey(job, &$0, session) }, open: { _ in try source(job, places, session) })
            }
        } catch { if done == nil { throw error } }
        guard let done else { throw Interrupted() }
        if let job { note(done, of: job, places, since: began, session) }
        return try conclude(done, session)
    }

    private func request(_ job: Job?, _ session: Session) throws -> DrillRequest {
        var request = DrillRequest(job)
        if let kind { request.kind = kind.kind }
        if let files { request.files = files }
        if let rto { request.recoveryTime = rto.seconds }
        if let rpo { request.recoveryPoint = rpo.seconds }
        // Programs that are called for it work in /.
        if let scratch { request.scratch = try scratch.absolute }
        if let health { request.health = health }
        request.repeated = repeating
        request.within = within?.seconds
        request.scan = session.configuration.scan.map { RestoreScan($0) }
        return request
    }

    // MARK: The key

    /// Has the key at hand with which the drill is made.
    private func takeKey(_ job: Job?, _ request: inout DrillRequest, _ session: Session) throws {
        // Or that it was a passphrase.
        request.identity.recipients = ["passphrase, or none"]
        if paperKey {
            request.identity.from = "its sheet of paper, typed"
            session.use(try session.typedIdentities())
        } else if !global.identities.isEmpty {
            request.identity.from = "--identity"
        } else if let job, let key = job.drill?.key {
            request.identity.from = key.words
            request.isUnattended = true
            session.use(try session.keys(of: key, for: job.name))
        } else {
            request.identity.from = "the user's own or the configuration's"
        }
        let known = try session.identities().map(\.recipient.string)
        if !known.isEmpty { request.identity.recipients = known }
    }

    // MARK: The image

    private func source(_ job: Job?, _ places: Places, _ session: Session) throws -> DrillSource {
        let (argument, filter) = try store(job, places)
        return try session.drillSource(
            from == nil ? "latest" : what?.text ?? "latest", filter, in: pace.pacing(argument))
    }

    private func store(_ job: Job?, _ places: Places) throws -> (StoreArgument, ImageFilter) {
        if let from { return (from, ImageFilter(series: series?.text)) }
        guard var job else { throw Problem.usage("give a job, or --from STORE") }
        if let series { job.series = series.text }
        let image = try job.drillImage(JobRecord.read(job.name, places).record)
        guard let argument = StoreArgument(argument: image.store) else { throw Problem.usage("a store has no name") }
        return (argument, ImageFilter(series: image.series))
    }

    // MARK: The end

    /// Has it count for the job, whose next one is due so much later.
    private func note(
        _ done: DrillWork.Done, of job: Job, _ places: Places, since began: Int64, _ session: Session
    ) {
        // One of another series says nothing of this job.
        if let series, let own = try? job.drillImage(JobRecord.read(job.name, places).record).series,
            ExactText(own) != ExactText(series.text)
        {
            return
        }
        do {
            let remark = try DrillRecord.note(done, of: job, places, began: began, ended: Timestamp.now().seconds)
            if let remark { session.console.note(remark) }
        } catch { session.console.warning("\(Problem(error).message)") }
    }

    private func conclude(_ done: DrillWork.Done, _ session: Session) throws -> Outcome {
        if let failure = done.failure {
            let problem = Problem(failure)
            throw Problem("\(problem.message); \(done.place)", hint: problem.hint, status: problem.status)
        }
        // The log has the beginning of it at least.
        var lines = DrillDisplay.lines(done.report)
        lines.insert(done.place, at: 1)
        session.show(JSON.drill(done.report, done.file, done.digest), summary: lines)
        return done.report.verdict == .passed && session.findings.count == 0 ? .done : .findings
    }
}
