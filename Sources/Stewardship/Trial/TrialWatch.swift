// What is done about a trial while the machine runs in it: it is confirmed once it has held, or the machine starts anew, which returns.

public import Machine
public import Platform
public import Reporting
internal import RestorePoints

public struct TrialWatch: Sendable {
    private let state: BytePath
    private let checks: TrialChecks
    /// Whether the system has come up.
    private let isUp: @Sendable () -> Bool

    public init(
        state: BytePath, checks: TrialChecks = TrialChecks(), isUp: @escaping @Sendable () -> Bool = Self.isSystemUp
    ) {
        self.state = state
        self.checks = checks
        self.isUp = isUp
    }

    public enum Step: Sendable, Equatable {
        /// Nothing is on trial in this start, or not any more.
        case over
        /// For so many seconds at most.
        case wait(Int64)
        /// What everybody is told who is logged in.
        case warn(String)
        case confirm
        /// Why it does not hold.
        case returns(String)
    }

    /// How long before its end people are told, where the trial is long enough.
    private static let notice: Int64 = 300
    private static let pause: Int64 = 5

    /// What is to be done now.
    /// - Parameters:
    ///   - now: seconds since the machine started.
    ///   - isTold: whether people were told.
    public func step(now: Int64, isTold: Bool, boot: String = HostFacts.bootIdentifier, stop: Stop) throws -> Step {
        guard let trial = try ProtectedTree.trial(state: state), let deadline = trial.deadline(boot: boot) else {
            return .over
        }
        // A restart would lead nowhere; status says it.
        if trial.problem != nil { return .over }
        let left = deadline - now
        if left > 0 {
            let notice = min(Self.notice, trial.seconds / 2)
            if left > notice || isTold { return .wait(min(left, Self.pause)) }
            let minutes = "\((left + 59) / 60) minute\(left > 60 ? "s" : "")"
            return .warn(
                checks.areThere
                    ? "holdfast: \(trial.subject) is on trial: in \(minutes) the checks in \(checks.folder) decide. `holdfast confirm` keeps it now."
                    : "holdfast: \(trial.subject) is on trial: in \(minutes) this machine restarts and returns to \(trial.returnTo), unless `holdfast confirm` keeps it."
            )
        }
        if !checks.areThere { return .returns("nobody confirmed it within \(trial.seconds / 60) minutes") }
        if !isUp() {
            return .returns("the system did not come up (default.target) within \(trial.seconds / 60) minutes")
        }
        if let problem = try checks.run(stop: stop) { return .returns(problem) }
        return .confirm
    }

    /// Whether systemd has reached what it starts for.
    @Sendable public static func isSystemUp() -> Bool {
        // What cannot be told has not come up.
        (try? runProgram(["systemctl", "is-active", "--quiet", "default.target"], limit: 60))?.status == 0
    }
}

/// What a plant asks of a state before it is kept: programs, in the order of their names.
public struct TrialChecks: Sendable {
    public let folder: BytePath
    /// The seconds that each may take.
    private let limit: Int

    public init(folder: BytePath = Places.trialChecks, limit: Int = 120) {
        self.folder = folder
        self.limit = limit
    }

    /// The programs; files that nobody may execute are none.
    private func programs() throws(SystemError) -> [BytePath] {
        let opened: Descriptor
        do throws(SystemError) { opened = try Descriptor.open(folder, .directory) } catch {
            if error.isAbsent { return [] }
            throw error
        }
        let names = try DirectoryListing(of: opened)
        var found: [BytePath] = []
        for index in 0..<names.count where names[index].first != UInt8(ascii: ".") {
            let path = folder.appending(names[index])
            let status: FileStatus
            do throws(SystemError) { status = try Descriptor.open(path, .place).status() } catch {
                // A link that leads nowhere is a check that cannot succeed.
                if error.isAbsent { found.append(path); continue }
                throw error
            }
            if status.kind == .file, status.mode & 0o111 != 0 { found.append(path) }
        }
        return found.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    /// Whether there is anything that decides without a person. What cannot be looked at decides nothing good.
    public var areThere: Bool {
        do { return try !programs().isEmpty } catch { return true }
    }

    /// Those that are not run as they are, with the reason: such a check fails its trial.
    public func refused() -> [(program: BytePath, reason: String)] {
        // What cannot be read is told when they are to run.
        ((try? programs()) ?? []).compactMap { program in ProgramOwner.problem(program).map { (program, $0) } }
    }

    /// - Returns: what the first that failed complained of; nil where all have succeeded.
    public func run(stop: Stop) throws -> String? {
        let programs: [BytePath]
        do { programs = try self.programs() } catch { return "\(folder) cannot be read: \(error.reason)" }
        if programs.isEmpty { return "there is no check in \(folder) any more" }
        for program in programs {
            if let problem = ProgramOwner.problem(program) { return "\(program) is not run: \(problem)" }
            let result: ProgramResult
            do throws(SystemError) {
                result = try runProgram(
                    [ProgramWord(program)], isHook: true, limit: limit, outputLimit: 1 << 20, stop: stop)
            } catch {
                if stop.hasInterrupted { throw Interrupted() }
                return "\(program) did not succeed: \(error.reason)"
            }
            if result.status != 0 {
                return "\(program) ended with \(result.status)"
                    + (result.complaint.isEmpty ? "" : ": \(result.complaint)")
            }
        }
        return nil
    }
}

/// The end of the system's journal, for the record of a trial that did not hold.
public enum TrialJournal {
    private static let words: [ProgramWord] = ["journalctl", "-n", "20", "-o", "cat", "--no-pager", "-q"]
    private static let longest = 300

    /// Of this start.
    public static func now() -> [String] { lines(words + ["-b"]) }

    /// Of the last start, in whatever is in a root: its own program reads it, since the format is its own.
    /// - Parameter root: where `/` is; nil: here.
    public static func last(in root: BytePath?) -> [String] {
        guard let root else { return lines(words + ["-b", "-1"]) }
        return lines(["chroot", ProgramWord(root)] + words + ["-D", "/var/log/journal"])
    }

    /// None where there is no journal that stays, or nothing that reads it.
    private static func lines(_ words: [ProgramWord]) -> [String] {
        guard let result = try? runProgram(words, limit: 20, outputLimit: 1 << 20), result.status == 0 else {
            return []
        }
        return result.lines.suffix(20).map { String(printable(Array($0.utf8)).prefix(longest)) }
    }
}
