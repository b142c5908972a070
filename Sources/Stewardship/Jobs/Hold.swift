// What the plant sets while it must not be disturbed: a file that is there, or a program that ends with 0. Nothing begins then, and what goes
// on rests at the next chunk until it is over.

internal import Glibc
public import Machine
public import Platform
public import Reporting

public enum Hold: Hashable, Sendable {
    case file(BytePath)
    /// Its words, the first an absolute path.
    case command([String])

    /// What it is, in words.
    public var words: String {
        switch self {
        case .file(let path): "\(path) is there"
        case .command(let words): "\(words.first ?? "") says so"
        }
    }

    /// Whether it is a file that is there: what anybody can see.
    public var isSeen: Bool { if case .file(let path) = self { exists(path) } else { false } }

    /// Why work is to rest now; nil where nothing says so. A program that cannot be asked has not said that work may go on.
    func reason(_ stop: Stop?) -> String? {
        switch self {
        case .file(let path):
            if exists(path) { return words }
            // What cannot be looked for may be there.
            let code = errno
            return code == ENOENT || code == ENOTDIR
                ? nil : "\(path) cannot be looked for: \(SystemError(code, "look for", path.description).reason)"
        case .command(let words):
            let result: ProgramResult
            do throws(SystemError) {
                result = try runProgram(words.map { ProgramWord($0) }, isHook: true, limit: Self.limit, stop: stop)
            } catch { return "\(words.first ?? "") could not be asked: \(error.reason)" }
            if result.status == 0 { return self.words }
            // By a signal, or the shell's words for what it could not run.
            return result.status >= 126
                ? "\(words.first ?? "") could not be asked: it ended with \(result.status)" : nil
        }
    }

    /// Seconds that the program may take to answer.
    private static let limit = 10

    /// Whether the program is one that may be run.
    public func check() throws {
        guard case .command(let words) = self, let program = words.first else { return }
        if let problem = ProgramOwner.problem(BytePath(program)) { throw StewardError.untrustedHold(reason: problem) }
    }
}

/// Looks at a hold as long as it lives, and has work rest meanwhile.
public final class HoldWatch: @unchecked Sendable {
    private final class State: @unchecked Sendable {
        let monitor = Monitor()
        var isEnding = false
    }

    private let state = State()
    private var thread: WorkerThread?

    /// - Parameters:
    ///   - places: where it is noted since when work rests.
    ///   - tell: what somebody should know, in a sentence.
    /// - Throws: `StewardError.held` where the plant wants rest already.
    public init(
        _ hold: Hold, _ stop: Stop, _ places: Places, tell: @escaping @Sendable (String) -> Void
    ) throws {
        try hold.check()
        let note = { @Sendable (reason: String) in
            if let problem = HeldWork.note(reason, places, now: Timestamp.now().seconds) { tell(problem) }
        }
        if let reason = hold.reason(stop) {
            note(reason)
            throw StewardError.held(by: reason)
        }
        HeldWork.end(places)
        thread = WorkerThread { [state] in
            var wasHeld = false
            while !state.monitor.withLock({ state.isEnding }), !stop.isStopRequested {
                let reason = hold.reason(stop)
                if stop.isStopRequested { break }
                stop.setHeld(reason != nil)
                if let reason, !wasHeld {
                    tell("work rests, since the plant holds it: \(reason)")
                    note(reason)
                }
                if reason == nil, wasHeld {
                    tell("work goes on")
                    HeldWork.end(places)
                }
                wasHeld = reason != nil
                usleep(Self.pause)
            }
            stop.setHeld(false)
        }
    }

    deinit { end() }

    /// From here on nothing rests any more.
    public func end() {
        state.monitor.withLock { state.isEnding = true }
        thread?.join()
    }

    /// In microseconds: with what a look takes, and the time between two chunks, it is less than a second until nothing is read any more.
    private static let pause: UInt32 = 400_000
}
