// `holdfast drill record`: a technician has restored by hand, and says what was seen.

internal import ArgumentParser
internal import AuditLog
internal import Images
internal import Machine
internal import Platform
internal import Stewardship

struct SeenArgument: WordArgument {
    var verdict: DrillReport.Verdict

    private static let words: [(String, DrillReport.Verdict)] = [
        ("passed", .passed), ("findings", .findings), ("failed", .failed), ("not-completed", .notCompleted),
    ]
    static var allValueStrings: [String] { words.map(\.0) }

    init?(argument: String) {
        guard let found = Self.words.first(where: { $0.0 == argument }) else { return nil }
        verdict = found.1
    }
}

struct DrillRecordCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "record", abstract: "Put on record what somebody has restored by hand.",
        discussion: discussion(
            """
            The report says what people have told, and is signed as that of any drill. With --from the image is looked up, so that \
            its number and its time are those of the store. Status 3 for what did not pass, as `holdfast drill run` has it.
            """,
            examples: """
                holdfast drill record 3f9a --from nas --verdict passed --by "A. Berg" \\
                    --began 2026-11-20T08:00:00Z --ended 2026-11-20T09:40:00Z \\
                    --seen "line 3 ran"
                """))

    @Argument(help: "The image that was restored.", completion: .images) var image: NameArgument

    @Option(help: ArgumentHelp("The store that it came from.", valueName: "store")) var from: StoreArgument?

    @Option(help: ArgumentHelp("Its series, where no store is given.", valueName: "series"), completion: .series)
    var series: NameArgument?

    @Option(help: ArgumentHelp("passed, findings, failed or not-completed.", valueName: "word"))
    var verdict: SeenArgument

    @Option(help: ArgumentHelp("Who restored.", valueName: "name")) var by: String
    @Option(help: ArgumentHelp("When it began (2026-11-20T08:00:00Z).", valueName: "time")) var began: TimeArgument
    @Option(help: ArgumentHelp("When it was done.", valueName: "time")) var ended: TimeArgument
    @Option(help: ArgumentHelp("What was seen.", valueName: "text")) var seen: String

    @Option(help: ArgumentHelp("The machine that it was restored to.", valueName: "name")) var machine: String?
    @Option(help: ArgumentHelp("Where that stands.", valueName: "text")) var place: String?
    @Option(
        name: .customLong("finding"),
        help: ArgumentHelp("What was not as it should be; may be repeated.", valueName: "text"))
    var findings: [String] = []
    @Option(
        name: .customLong("deviation"),
        help: ArgumentHelp("What was done otherwise than in earnest; may be repeated.", valueName: "text"))
    var deviations: [String] = []
    @Option(help: ArgumentHelp("Within which time the whole was to be there again (4h).", valueName: "span"))
    var rto: SpanArgument?

    @Option(help: ArgumentHelp("The report (default: in drills of the state).", valueName: "file"))
    var report: PathArgument?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if ended.seconds < began.seconds { throw ValidationError("--ended is before --began.") }
        if ended.seconds > Timestamp.now().seconds { throw ValidationError("--ended is not there yet.") }
        if by.allSatisfy(\.isWhitespace) || seen.allSatisfy(\.isWhitespace) {
            throw ValidationError("--by and --seen want words.")
        }
        if verdict.verdict == .passed, !findings.isEmpty {
            throw ValidationError("What has findings is recorded with --verdict findings or failed.")
        }
        if from == nil, series == nil {
            throw ValidationError("Give the store with --from, or the series with --series.")
        }
    }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let places = state.places(session)
        let file = try report?.absolute ?? places.newDrillReport()
        try DrillReport.checkPlace(file)
        var document = try DrillReport(.hands, tool: Version.tool)
        try describeImage(&document, session)
        document.verdict = verdict.verdict
        document.reason = seen
        document.who.name = by
        document.machine = DrillReport.Machine(statedBy: machine, place: place)
        document.identity.from = "the hands of who restored"
        document.started = Timestamp(seconds: began.seconds, nanoseconds: 0).text
        document.ended = Timestamp(seconds: ended.seconds, nanoseconds: 0).text
        document.recoveryTime.target = rto?.seconds
        if verdict.verdict.isProof { document.recoveryTime.measured = ended.seconds - began.seconds }
        for finding in findings { document.add(finding: finding) }
        if let rto, let measured = document.recoveryTime.measured, measured > rto.seconds {
            document.add(finding: "the restore took \(measured) s, and the goal is \(rto.seconds) s")
            if document.verdict == .passed { document.verdict = .findings }
        }
        document.deviations = deviations + ["what this report says was told by people, and not measured"]
        if let head = (try? AuditLog(folder: places.log).head())?.description { document.logHead = head }
        let digest = try document.write(file, key: DrillReport.key(state: places.drillState))
        session.show(
            JSON.drill(document, file, digest),
            summary: ["report \(file), SHA-256 \(digest)"] + DrillDisplay.lines(document))
        return document.verdict == .passed ? .done : .findings
    }

    /// What the store says of the image, or else what was told.
    private func describeImage(_ document: inout DrillReport, _ session: Session) throws {
        document.image.id = image.text
        if let series { document.image.series = series.text }
        guard let from else { return document.deviations.append("the image was not looked up in its store") }
        let store = try session.open(from, for: .list)
        let found = try store.find(image.text, ImageFilter(series: series?.text), forContent: false)
        guard let label = found.label else { throw Problem.usage("nothing is known of the image \(image.text)") }
        let made = min(label.storeTime ?? label.time.seconds, label.time.seconds)
        guard began.seconds >= made - 300 else {
            throw Problem.usage(
                "the image \(found.id.description.prefix(8)) was not there yet at \(Text.time(Timestamp(seconds: began.seconds, nanoseconds: 0)))",
                hint:
                    "it was made at \(Text.time(Timestamp(seconds: made, nanoseconds: 0))); name the image that was restored, and when"
            )
        }
        document.image = DrillReport.Image(label, id: found.id.description)
        document.store.place = try session.place(from).words
        document.store.id = store.identifier
        document.store.fingerprint = "\(store.fingerprint)"
        document.recoveryPoint.age = max(0, began.seconds - (label.storeTime ?? label.time.seconds))
    }
}
