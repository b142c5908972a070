// A fresh backup before packages are changed. The package manager waits for it, and never longer than was said: a machine that cannot be updated
// is not safer than one without a backup of today.
//
//     <state>/jobs/package-run     for which run of the package manager it was made, or tried in vain

internal import Glibc
public import Machine
public import Platform
public import Reporting

public struct PackageBackup: Hashable, Sendable {
    /// The job that makes it.
    public var job: String
    /// Seconds that the package manager waits at most.
    public var limit: Int64 = 600
    /// Whether no package is changed without it.
    public var isRequired = false

    public init(job: String) { self.job = job }

    public enum Outcome: Hashable, Sendable {
        /// This run of the package manager had its own already; packages are changed in several steps.
        case hadItsOwn
        case made
        /// Why there is none, in a clause.
        case missing(String)
    }

    /// Has the job done by a program of its own, so that whatever it waits for ends with the limit.
    /// - Parameters:
    ///   - words: that program, which does the job and puts what comes of it on record.
    ///   - caller: the run of the package manager; a test has its own.
    public func make(
        _ job: Job, _ places: Places, by words: [ProgramWord], caller: String = RunningProcess.caller, stop: Stop
    ) -> Outcome {
        if Self.isNoted(caller, places) { return .hadItsOwn }
        let outcome = attempt(job, places, words, stop)
        // Who was refused may ask again. Everybody else waits once: fifty steps of one run are not to wait fifty times.
        if outcome == .made || !isRequired {
            // Without the note the next step tries it again.
            try? makeFolders(places.jobs, mode: 0o755)
            let note = "\(caller)\n\(Timestamp.now().seconds)"
            try? replaceFile(places.packageRun, Array(note.utf8), mode: 0o644)  // As above.
        }
        return outcome
    }

    /// Seconds: some package managers are one process for days, and change packages many times.
    private static let longestRun: Int64 = 4 * 3600

    private static func isNoted(_ caller: String, _ places: Places) -> Bool {
        guard let note = try? readRegular(places.packageRun, limit: 1 << 12) else { return false }
        let lines = String(decoding: note, as: UTF8.self).split(separator: "\n")
        guard lines.count == 2, lines[0] == caller, let time = Int64(lines[1]) else { return false }
        return (0...longestRun).contains(Timestamp.now().seconds.subtracting(saturating: time))
    }

    private func attempt(_ job: Job, _ places: Places, _ words: [ProgramWord], _ stop: Stop) -> Outcome {
        let begun = Timestamp.now().seconds
        let end = HostFacts.secondsSinceStart + limit
        var left: Int { Int(clamping: max(0, end - HostFacts.secondsSinceStart)) }
        var complaint = ""
        while true {
            // A run that goes on may be of another job, or have begun long ago.
            while ScheduleLock.isHeld(places) {
                if stop.isStopRequested { return .missing("it was interrupted") }
                if left == 0 { return .missing("another run was not at its end within \(JobHealth.words(limit))") }
                usleep(200_000)
            }
            do throws(SystemError) {
                let result = try runProgram(
                    words, variables: Self.variables, limit: max(1, left), grace: Self.grace,
                    outputLimit: Self.outputLimit, stop: stop)
                // Another one was faster.
                if result.status == 4, left > 0, !stop.isStopRequested, ScheduleLock.isHeld(places) { continue }
                complaint = Self.complaint(result)
            } catch {
                complaint =
                    error.code == ETIMEDOUT
                    ? "it was not done within \(JobHealth.words(limit)), and was stopped; its next run goes on"
                    : error.reason
            }
            break
        }
        if stop.isStopRequested { return .missing("it was interrupted") }
        // The record has the word, whatever the program ended with: with a store that is away there is an image in another.
        let known = JobRecord.read(job.name, places).record
        if job.to.contains(where: { (known.stores[$0]?.lastSuccess ?? .min) >= begun }) { return .made }
        if let attempt = known.lastAttempt, attempt.began >= begun, attempt.exitStatus != 130 {
            return .missing(attempt.sentence)
        }
        return .missing(complaint)
    }

    /// The sentence that a program ends with, without what stands before it.
    private static func complaint(_ result: ProgramResult) -> String {
        let lines = String(decoding: result.errors, as: UTF8.self).split(separator: "\n")
        let last = lines.last { $0.hasPrefix("error: ") }?.dropFirst("error: ".count)
        return printable(Array((last ?? lines.first ?? "it ended with \(result.status)").utf8).prefix(500))
    }

    /// Seconds that the job has to end in order, once it is asked to.
    private static let grace = 20
    private static let outputLimit: UInt64 = 1 << 20
    /// What says where the program has its things.
    private static let variables = [
        "HOME", "HOLDFAST_STATE", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "SUDO_USER", "DOAS_USER",
    ]
}
