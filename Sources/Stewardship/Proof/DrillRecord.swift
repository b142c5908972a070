// What is known of the drills of a job: what the last one came to, whoever made it, and why there could be none. It has a file of its own, so that
// a drill by hand may go on beside a run, and neither writes over what the other has noted.
//
//     <state>/jobs/<name>.drill     replaced whole and durably, so that a crash leaves the record of before or the new one
//
// A record that cannot be read is worth as much as none: a drill is due.

internal import FoundationEssentials
public import Machine
internal import Platform
internal import Reporting

public struct DrillRecord: Codable, Hashable, Sendable {
    public static let version = 1
    /// A record is short. What is longer is none of ours, and is not taken into memory.
    static let limit = 1 << 16

    public internal(set) var version = DrillRecord.version
    public internal(set) var job: String
    /// When one began by itself that is not at its end: it goes on, or did not come to its end.
    public internal(set) var begun: Int64?
    /// The last that came to its end.
    public internal(set) var last: Completed?
    /// The last that was made, whatever came of it.
    public internal(set) var lastAttempt: Attempt?
    /// When the last one began that proved what the job asks for.
    public internal(set) var lastSuccess: Int64?
    /// Those in a row that did not.
    public internal(set) var failuresInARow = 0
    /// Why the last one could not be made, with what mends it, until one was.
    public internal(set) var obstacle: String?

    /// Of a job of which no drill is known.
    public init(job: String) { self.job = job }

    /// What a drill came to. Times are in seconds since 1970.
    public struct Completed: Codable, Hashable, Sendable {
        public internal(set) var began: Int64
        public internal(set) var ended: Int64
        /// Measured by a clock that nobody sets.
        public internal(set) var durationSeconds: Int64
        public internal(set) var kind: DrillReport.Kind
        public internal(set) var verdict: DrillReport.Verdict
        /// What decided it, in a sentence.
        public internal(set) var reason: String
        /// Where its report was written, and its number.
        public internal(set) var report: String
        public internal(set) var number: String
        /// Seconds that a restore of the whole took, or would take at the rate of what was restored.
        public internal(set) var measuredSeconds: Int64?
        public internal(set) var projectedSeconds: Int64?
    }

    public struct Attempt: Codable, Hashable, Sendable {
        public internal(set) var began: Int64
        /// Whether it would come to the same as long as nobody changes anything.
        public internal(set) var isLasting: Bool
        /// Where its report was written; nil: there is none.
        public internal(set) var report: String?
    }

    // MARK: What came of one

    /// Takes note of one that came to its end, with a proof or without.
    mutating func take(_ done: DrillWork.Done, began: Int64, ended: Int64) {
        let report = done.report
        lastAttempt = Attempt(began: began, isLasting: !report.verdict.isProof, report: "\(done.file)")
        last = Completed(
            began: began, ended: ended, durationSeconds: done.durationSeconds, kind: report.kind,
            verdict: report.verdict, reason: JobRecord.short(report.reason), report: "\(done.file)", number: report.id,
            measuredSeconds: report.recoveryTime.measured, projectedSeconds: report.recoveryTime.projected)
        obstacle = nil
        if report.verdict.isProof {
            lastSuccess = began
            failuresInARow = 0
        } else {
            countFailure()
        }
    }

    /// Takes note of one that could not be made. What the last one came to stands.
    mutating func take(obstacle error: any Error, report: String?, began: Int64) {
        lastAttempt = Attempt(began: began, isLasting: Self.isLasting(error), report: report)
        let error = explained(error)
        obstacle = JobRecord.short(error.sentence + (error.mend.map { "; \($0)" } ?? ""))
        countFailure()
    }

    /// Takes note of one whose program was ended before it was done.
    mutating func takeEnd(of begun: Int64) {
        lastAttempt = Attempt(began: begun, isLasting: false, report: nil)
        obstacle =
            "the program was ended before the drill of \(Timestamp(seconds: begun, nanoseconds: 0).text) was done"
        countFailure()
    }

    private mutating func countFailure() { failuresInARow = min(failuresInARow, 1_000_000) + 1 }

    /// A store that is away may be back in an hour; a rule that refuses it, or a program that is missing, is the same until somebody acts.
    private static func isLasting(_ error: any Error) -> Bool {
        switch error as? DrillError {
        case .noFiles, .noRight, .keyOnMachine, .badKey, .cannotStart, .cannotAsk: return true
        case .noImageOfJob: return false
        case nil:
            if case .noScan? = error as? StewardError { return true }
            return false
        }
    }

    /// How long none is tried after so many that proved nothing: a quarter of an hour, doubled up to a day; at once a day where it would come to the
    /// same. A restore of everything is no light work.
    /// - Parameter every: seconds between two; nothing waits longer than that.
    func pause(afterFailures failures: Int, every: Int64) -> Int64 {
        let longest = max(Timing.least, min(every, 86_400))
        if lastAttempt?.isLasting == true { return longest }
        return min(Timing.least << Int64(min(max(failures, 1) - 1, 10)), longest)
    }

    // MARK: Where it lies

    static func path(_ job: String, _ places: Places) -> BytePath { places.jobs.appending("\(job).drill") }

    /// Never fails: what cannot be read is not known, and that is said.
    /// - Returns: no record where there is none.
    static func read(_ job: String, _ places: Places) -> (record: DrillRecord?, damage: String?) {
        let path = path(job, places)
        let unknown = "so nothing is known of the drills of the job \(job)"
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readRegular(path, limit: limit) } catch {
            return (nil, error.isAbsent ? nil : "\(path) cannot be read, \(unknown): \(error.reason)")
        }
        guard let record = try? JSONDecoder().decode(DrillRecord.self, from: Data(bytes)) else {
            return (nil, "\(path) is damaged, \(unknown)")
        }
        guard record.version == version else { return (nil, "\(path) is of another version of Holdfast, \(unknown)") }
        guard record.job == job, record.isPlausible else {
            return (nil, "\(path) is not what Holdfast wrote, \(unknown)")
        }
        return (record, nil)
    }

    /// Whether one can reckon with it: times lie within what a calendar has, counts are counts.
    private var isPlausible: Bool {
        let times = [begun, last?.began, last?.ended, lastAttempt?.began, lastSuccess]
        return times.allSatisfy { $0.map(calendarRange.contains) ?? true }
            && (0...1_000_000_000).contains(failuresInARow)
    }

    /// Durable on return; a crash leaves the record of before.
    func write(_ places: Places) throws { try writeRecord(self, to: Self.path(job, places)) }

    /// Changes what is on record now. One that cannot be read begins anew.
    static func change(
        _ job: String, _ places: Places, _ body: (inout DrillRecord) -> Void
    ) throws(StewardError) {
        var record = read(job, places).record ?? DrillRecord(job: job)
        body(&record)
        do { try record.write(places) } catch {
            throw StewardError.noRecord(job: job, reason: "\(explained(error))")
        }
    }
}

// MARK: - By hand

extension DrillRecord {
    /// Takes note of a drill of a job that somebody has made.
    /// - Returns: why it does not count for the job, in a sentence; nil where it does.
    public static func note(
        _ done: DrillWork.Done, of job: Job, _ places: Places, began: Int64, ended: Int64
    ) throws -> String? {
        let (kind, wanted) = (done.report.kind, job.drill?.kind ?? .sample)
        switch done.report.verdict {
        case .notCompleted: return nil
        case .passed, .findings:
            guard kind.proves(wanted) else {
                return
                    "that does not count for \(job.name), whose drill is of the kind \(wanted.rawValue): it is as due as it was"
            }
        case .failed: break
        }
        try change(job.name, places) { $0.take(done, began: began, ended: ended) }
        return nil
    }
}

extension DrillReport.Kind {
    /// Whether one of this kind shows all that one of the other shows.
    func proves(_ other: DrillReport.Kind) -> Bool { rank >= other.rank }

    private var rank: Int {
        switch self {
        case .sample: 0
        case .full: 1
        case .boot: 2
        case .hands: 0
        }
    }
}
