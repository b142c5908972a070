// A drill that is due, with nobody there: begun, made and noted as a run of the job is. What it comes to changes nothing of any image.

public import Machine
internal import Platform
internal import Reporting

public struct DrillRun {
    private let job: Job
    private let stores: any JobStores
    private let places: Places
    private let tool: String
    private let scan: RestoreScan?
    private let moment: () -> Moment
    private let reporter: Reporter
    private let tell: (String) -> Void

    /// - Parameters:
    ///   - scan: what looks at what was restored.
    ///   - moment: what the machine knows of time; a test has its own.
    ///   - tell: what is being done, in words.
    public init(
        _ job: Job, _ stores: any JobStores, _ places: Places, tool: String, scan: RestoreScan? = nil,
        moment: @escaping () -> Moment = Moment.current, _ reporter: Reporter,
        tell: @escaping (String) -> Void = { _ in }
    ) {
        self.job = job
        self.stores = stores
        self.places = places
        self.tool = tool
        self.scan = scan
        self.moment = moment
        self.reporter = reporter
        self.tell = tell
    }

    /// What came of it.
    public struct Outcome: Sendable {
        /// As a run: 0 where all is as the image says, 3 where something has to be known.
        public var attempt: JobRecord.JobAttempt
        /// nil: there is not even a report.
        public var done: DrillWork.Done?
    }

    /// Makes it.
    /// - Parameter lock: that of the schedule: nobody else runs a job.
    /// - Throws: `Interrupted`; `StewardError.noRecord`. Whatever else goes wrong is in the outcome.
    public func run(holding lock: borrowing ScheduleLock) throws -> Outcome {
        let start = moment()
        try begin(start)
        let monotonic = HostFacts.secondsSinceStart
        var done: DrillWork.Done?
        var failure: (any Error)?
        do {
            done = try work()
            failure = done?.failure
        } catch { failure = error }
        let end = moment()
        if failure is Interrupted || failure != nil && reporter.progress.stop.hasInterrupted {
            // It stays due.
            try DrillRecord.change(job.name, places) { $0.begun = nil }
            throw Interrupted()
        }
        try DrillRecord.change(job.name, places) { record in
            record.begun = nil
            if let failure {
                record.take(obstacle: failure, report: done.map { "\($0.file)" }, began: start.now)
            } else if let done {
                record.take(done, began: start.now, ended: end.now)
            }
        }
        return conclude(done, failure, start, end, duration: max(0, HostFacts.secondsSinceStart - monotonic))
    }

    /// Where that cannot be put on record it would be made over and over, and is not begun.
    private func begin(_ start: Moment) throws {
        try DrillRecord.change(job.name, places) { record in
            if let ended = start.ended(record.begun) {
                record.takeEnd(of: ended)
                if let obstacle = record.obstacle { reporter.warn("\(job.name): \(obstacle)") }
            }
            record.begun = start.now
        }
    }

    private func work() throws -> DrillWork.Done {
        var request = DrillRequest(job)
        request.isUnattended = true
        request.scan = scan
        let name = job.name
        return try DrillWork(places, tool: tool, reporter, tell: tell).run(request) { request in
            guard let key = job.drill?.key else { throw DrillError.badKey(job: name, reason: "it names none") }
            request.identity.from = key.words
            let keys = try stores.drillKeys(key, of: name)
            request.identity.recipients = keys.recipients
            return keys
        } open: { keys in
            let image = try job.drillImage(JobRecord.read(name, places).record)
            return try keys.newest(of: image.series, in: image.store, rate: job.rate)
        }
    }

    private func conclude(
        _ done: DrillWork.Done?, _ failure: (any Error)?, _ start: Moment, _ end: Moment, duration: Int64
    ) -> Outcome {
        var sentence: String
        if let failure {
            let error = explained(failure)
            sentence = "no drill was made: \(error.sentence)"
            reporter.warn("\(job.name): \(sentence)" + (error.mend.map { "; \($0)" } ?? ""))
        } else {
            sentence = done?.report.sentence ?? ""
            if let verdict = done?.report.verdict, verdict != .passed { reporter.warn("\(job.name): \(sentence)") }
        }
        if let done { sentence += "; \(done.place)" }
        let attempt = JobRecord.JobAttempt(
            began: start.now, ended: end.now, durationSeconds: duration,
            exitStatus: done?.report.verdict == .passed ? 0 : 3, sentence: JobRecord.short(sentence),
            findings: failure == nil ? done?.report.findingCount ?? 0 : 1)
        return Outcome(attempt: attempt, done: done)
    }
}
