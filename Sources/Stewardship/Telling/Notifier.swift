// Tells somebody that a job began and how it ended: a server in the manner of Healthchecks, or a program. What goes wrong with that is said
// and counted, and changes nothing of what the job came to.

internal import FoundationEssentials
public import Machine
public import Platform
public import Stores

/// One event of a job.
public struct Notice: Codable, Hashable, Sendable {
    public enum Event: String, Codable, Sendable {
        case start
        /// With findings or without.
        case success
        case failure
    }

    public var version = 1
    public var event: Event
    public var job: String
    public var host: String
    /// The same in the events of one run.
    public var run: String
    /// Seconds since 1970.
    public var time: Int64
    public var attempt: JobRecord.JobAttempt?

    public init(_ event: Event, job: String, run: String, attempt: JobRecord.JobAttempt? = nil) {
        self.event = event
        self.job = job
        self.run = run
        self.attempt = attempt
        host = HostFacts.hostName
        time = Timestamp.now().seconds
    }

    /// A run has findings where it did all that could be done: that is no failure.
    public static func end(of attempt: JobRecord.JobAttempt, job: String, run: String) -> Notice {
        Notice([0, 3].contains(attempt.exitStatus) ? .success : .failure, job: job, run: run, attempt: attempt)
    }

    /// What a person reads.
    fileprivate var words: String {
        var lines = ["\(job) on \(host)"]
        if let attempt {
            lines.append(attempt.sentence)
            if attempt.findings > 0 { lines.append("findings: \(attempt.findings)") }
            lines.append("exit status \(attempt.exitStatus), \(attempt.durationSeconds) s")
        }
        return String(decoding: Array((lines.joined(separator: "\n") + "\n").utf8).prefix(8000), as: UTF8.self)
    }
}

public struct Notifier: Sendable {
    /// nil: nobody.
    public var ping: MessageAddress?
    public var command: BytePath?

    public init() {}

    /// Seconds that a program may take.
    static let limit = 30

    /// - Returns: what went wrong, in sentences.
    public func send(_ notice: Notice, _ places: Places) -> [String] {
        var problems: [String] = []
        if let ping {
            let path = [Notice.Event.start: "start", .failure: "fail"][notice.event] ?? ""
            if let problem = tell(
                ping, path: path, query: "rid=\(notice.run)", Array(notice.words.utf8),
                attempts: notice.event == .start ? 1 : 3)
            {
                problems.append(problem)
            }
        }
        if let command, let problem = run(command, notice) { problems.append(problem) }
        if !problems.isEmpty { count(problems.count, places) }
        return problems
    }

    private func run(_ command: BytePath, _ notice: Notice) -> String? {
        // As root it does what is written there; whoever can write there would be root.
        if HostFacts.isRoot, let problem = ProgramOwner.problem(command) {
            return "\(command) is not run: \(problem)"
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        do {
            let result = try runProgram(
                [ProgramWord(command)], input: Array(try encoder.encode(notice)) + [0x0a], isHook: true,
                limit: Self.limit, outputLimit: 1 << 16)
            return result.status == 0 ? nil : "\(command) ended with \(result.status): \(result.complaint)"
        } catch { return "\(command) was not run: \(error)" }
    }

    // MARK: How often it failed

    /// Messages that did not reach whom they were for, ever; what cannot be read counts as none.
    public static func failures(_ places: Places) -> UInt64 {
        guard let bytes = try? readRegular(places.lostNotices, limit: 64) else { return 0 }
        return UInt64(String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)) ?? 0
    }

    private func count(_ more: Int, _ places: Places) {
        let all = Self.failures(places).addingReportingOverflow(UInt64(more)).partialValue  // safe: two at most
        // A number for people: where it cannot be written nothing is lost but that.
        try? replaceFile(places.lostNotices, Array("\(all)\n".utf8), mode: 0o644)
    }

    /// A word that ties the events of one run together.
    public static func newRun() -> String { UUID().uuidString.lowercased() }
}
