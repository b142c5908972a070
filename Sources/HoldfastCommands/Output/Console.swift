// What goes to the two standard streams. Results go to standard output; messages, findings and the progress line share
// standard error, so one object writes both there: a message goes above the line, which is drawn anew below it.

internal import Glibc
internal import Platform
internal import Reporting

final class Console: @unchecked Sendable {
    /// Findings on a terminal before the rest is only counted, and in a JSON document.
    private static let findingsShown = 100
    /// Findings of one cause before the rest is only counted, wherever they are shown.
    private static let findingsShownOfCause = 20
    private static let findingsKept = 10_000

    let isJSON: Bool
    let isQuiet: Bool
    let isVerbose: Bool
    let isErrorTerminal = isatty(2) == 1
    /// Whether anybody watches long work.
    var showsProgress: Bool { !isQuiet && (isJSON || isErrorTerminal && !isBesideAnother) }
    /// Another program in the same pipe has the line of the terminal.
    private var isBesideAnother = false
    private let isColoured: Bool
    private let named: NamedCommands?
    private let monitor = Monitor()
    private var line = ""
    private var isPaused = false
    private var findings: [Finding] = []
    private var findingCount = 0
    /// Of each cause how many findings there were.
    private var causes: [String: Int] = [:]
    /// How many were left out for their cause.
    private var heldBack = 0
    private var outputFailure: CInt = 0

    init(isJSON: Bool, isQuiet: Bool = false, isVerbose: Bool = false, named: NamedCommands? = nil) {
        self.named = named
        self.isJSON = isJSON
        self.isQuiet = isQuiet
        self.isVerbose = isVerbose
        isColoured =
            isErrorTerminal && HostFacts.environment("NO_COLOR") == nil
            && HostFacts.environment("TERM") != "dumb"
    }

    /// A text whose commands can be typed as they stand.
    func completing(_ text: String) -> String { named?.completing(text) ?? text }

    /// What is made goes into a pipe: who reads it shows how far it is, on the same terminal as a rule. Whoever asks for more gets both.
    func leaveProgressToReader() {
        var status = stat()
        // A descriptor that says nothing of itself is no pipe.
        isBesideAnother = !isVerbose && fstat(1, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }

    // MARK: Standard output

    /// Writes to standard output as it is.
    func result(_ text: String) {
        monitor.withLock {
            if outputFailure != 0 { return }
            // On a terminal the line would otherwise stand in the middle of the result.
            if !line.isEmpty { write("\r\u{1b}[K", to: 2) }
            outputFailure = write(text, to: 1)
            if !line.isEmpty { write(line, to: 2) }
        }
    }

    func document(_ document: JSON) { result(document.encoded + "\n") }

    /// errno of the write to standard output that failed, or nil. A reader that had enough (`| head`) is no failure.
    var failureOfOutput: CInt? {
        monitor.withLock { outputFailure == 0 || outputFailure == EPIPE ? nil : outputFailure }
    }

    // MARK: Standard error

    /// What one wants to know and need not: silent with `--quiet`.
    func note(_ text: String) {
        if !isQuiet { message("", text) }
    }

    /// What has to be known although the work goes on.
    func warning(_ text: String) { message("warning: ", text, colour: "33") }

    func error(_ problem: Problem) {
        message("error: ", problem.message, colour: "31")
        if let hint = problem.hint { message("hint: ", hint) }
    }

    /// Counts a finding, and shows or keeps it.
    func finding(_ finding: Finding) {
        if finding.kind == .note { return warning(finding.description) }
        let isShown = monitor.withLock {
            findingCount += 1
            if isJSON {
                if findings.count < Self.findingsKept { findings.append(finding) }
                return false
            }
            if let cause = finding.cause, !isVerbose {
                let count = (causes[cause] ?? 0) + 1
                causes[cause] = count
                if count > Self.findingsShownOfCause {
                    heldBack += 1
                    return false
                }
            }
            return !isErrorTerminal || isVerbose || findingCount <= Self.findingsShown
        }
        if isShown { message("\(finding.kind.words): ", finding.description) }
    }

    /// Says how many findings were not shown.
    func finishFindings() {
        let (hidden, large) = monitor.withLock {
            let limit = Self.findingsShownOfCause
            let large = causes.filter { $0.value > limit }.map { (cause: $0.key, more: $0.value - limit) }
            // They are told once.
            causes = causes.mapValues { min($0, limit) }
            let rest = findingCount - heldBack
            return (
                isJSON || !isErrorTerminal || isVerbose ? 0 : max(0, rest - Self.findingsShown),
                large.sorted { $0.cause < $1.cause }
            )
        }
        for (cause, more) in large.prefix(Self.findingsShownOfCause) {
            message("", "\(cause): … and \(Text.number(UInt64(more))) more; --verbose lists all")
        }
        if large.count > Self.findingsShownOfCause {
            let more = large.dropFirst(Self.findingsShownOfCause).reduce(0) { $0 + $1.more }
            message("", "… and \(Text.number(UInt64(more))) more of other causes; --verbose lists all")
        }
        if hidden > 0 { message("", "… and \(Text.number(UInt64(hidden))) more; --verbose lists all") }
    }

    /// The findings as members of a JSON document.
    var findingMembers: [(String, JSON?)] {
        monitor.withLock {
            let omitted = UInt64(findingCount - findings.count)
            return [
                ("findings", .list(findings.map(JSON.finding))),
                ("findingsOmitted", omitted > 0 ? .number(omitted) : nil),
            ]
        }
    }

    private func message(_ label: String, _ text: String, colour: String? = nil) {
        let start = if isColoured, let colour { "\u{1b}[\(colour)m\(label)\u{1b}[0m" } else { label }
        _ = monitor.withLock {
            write((line.isEmpty ? "" : "\r\u{1b}[K") + start + Text.safe(completing(text)) + "\n" + line, to: 2)
        }
    }

    // MARK: Progress

    /// Draws the progress line in the place of the one before; an empty one takes it away.
    func draw(_ text: String) {
        monitor.withLock {
            if isPaused || (text.isEmpty && line.isEmpty) { return }
            line = text
            write("\r\u{1b}[K" + text, to: 2)
        }
    }

    /// A line of its own that programs read.
    func drawJSON(_ document: JSON) { monitor.withLock { _ = write(document.encoded + "\n", to: 2) } }

    /// What is about to be done, as a line of its own.
    func planJSON(_ plan: JSON) { if !isQuiet { drawJSON(.object([("plan", plan)])) } }

    /// Keeps the line away while `body` asks something.
    func pausing<R>(_ body: () throws -> R) rethrows -> R {
        draw("")
        monitor.withLock { isPaused = true }
        defer { monitor.withLock { isPaused = false } }
        return try body()
    }

    /// Returns errno, or 0.
    @discardableResult
    private func write(_ text: String, to descriptor: CInt) -> CInt {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&ready, 1, 1000)
            } else if count < 0 && errno != EINTR {
                return errno
            } else if count > 0 {
                rest = rest.dropFirst(count)
            }
        }
        return 0
    }
}

extension Finding.Kind {
    var words: String { self == .notRestored ? "not restored" : rawValue }
}
