// How a job stands, judged from what this machine knows of it: no store is asked, no key is needed. A monitor, a page of status and a PLC are
// told the same.

public import Machine
internal import Platform

/// A monitor's four answers, worst last but for `unknown`, which a monitor gets where nothing could be judged.
public enum Verdict: Int32, Sendable, Comparable, Codable {
    case fine = 0
    case warning = 1
    case critical = 2
    case unknown = 3

    /// For people and programs.
    public var word: String {
        switch self {
        case .fine: "ok"
        case .warning: "warning"
        case .critical: "critical"
        case .unknown: "unknown"
        }
    }

    public static func < (a: Verdict, b: Verdict) -> Bool { a.rawValue < b.rawValue }
}

/// Ages of the last success, in seconds, from which on a job is told.
public struct AgeLimits: Hashable, Sendable {
    public var warning: Int64?
    public var critical: Int64?

    public init(warning: Int64? = nil, critical: Int64? = nil) {
        self.warning = warning
        self.critical = critical
    }

    /// One interval and what a run and its place in the window take, or two: 26 and 50 hours of a day's job.
    func filled(every interval: Int64) -> AgeLimits {
        let slack = max(3600, interval / 12)
        let warning = self.warning ?? interval.addingReportingOverflow(slack).partialValue
        let critical = self.critical ?? max(2 * interval + slack, warning)
        return AgeLimits(warning: warning, critical: critical)
    }
}

public struct JobHealth: Sendable {
    public let job: String
    /// Seconds between two images; nil: it is done when somebody asks for it.
    public let every: Int64?
    public let record: JobRecord
    public private(set) var verdict = Verdict.fine
    /// What is not right, worst first.
    public private(set) var objections: [Objection] = []
    public var reasons: [String] { objections.map(\.reason) }
    /// When it is due for the first time, in seconds since 1970, where that is not over with what a run may be late.
    public private(set) var firstDue: Int64?
    /// Seconds since the last success; nil where there is none.
    public private(set) var age: Int64?
    public let limits: AgeLimits

    public struct Objection: Sendable, Hashable {
        public let verdict: Verdict
        public let reason: String
    }

    /// - Parameters:
    ///   - firstDue: when a job that was never done was due for the first time; nil: nobody knows.
    ///   - unended: since when a run goes on that is not at work any more, in seconds since 1970; nil where there is none.
    ///   - held: that the plant holds work, where it does.
    ///   - since: when the job became known, in seconds since 1970; nil: nobody can tell.
    ///   - now: seconds since 1970.
    public init(
        _ job: Job, _ known: JobRecord.Known, limits: AgeLimits = AgeLimits(), firstDue: Int64? = nil,
        unended: Int64? = nil, held: HeldWork? = nil, since: Int64? = nil, now: Int64
    ) {
        self.job = job.name
        record = known.record
        every = job.timing?.every
        self.limits = job.timing.map { limits.filled(every: $0.every) } ?? limits
        age = record.lastSuccess.map { max(0, now - $0) }
        let found =
            (known.damage.map { [Objection(verdict: .critical, reason: $0)] }
                ?? Self.objections(job, record, self.limits, firstDue: firstDue, unended: unended, held, now))
            + Self.drillObjections(job, known, since: since, now)
        // The order in which they were found is kept among those of one verdict.
        objections = found.enumerated().sorted { ($1.element.verdict, $0.offset) < ($0.element.verdict, $1.offset) }
            .map(\.element)
        verdict = objections.map(\.verdict).max() ?? .fine
        if verdict == .fine, record.lastSuccess == nil { self.firstDue = firstDue }
    }

    /// What a person has to know first comes first: which store is late, what was not as it should be there, and then what the last run said.
    private static func objections(
        _ job: Job, _ record: JobRecord, _ limits: AgeLimits, firstDue: Int64?, unended: Int64?, _ held: HeldWork?,
        _ now: Int64
    ) -> [Objection] {
        let places = job.to + job.copies
        func success(_ place: String) -> Int64? {
            let store = record.stores[place]
            return store?.isCopy == true ? store?.covers ?? store?.lastSuccess : store?.lastSuccess
        }
        var found: [Objection] = []
        func add(_ verdict: Verdict, _ reason: String) { found.append(Objection(verdict: verdict, reason: reason)) }
        if places.allSatisfy({ success($0) == nil }) {
            let verdict = neverDone(job, limits, firstDue, now)
            if verdict > .fine { add(verdict, "it has not been done yet") }
        } else {
            let late = places.map { place in
                objections(
                    to: success(place), of: place, never: "\(place) has nothing of it yet", isDue: job.timing != nil,
                    limits, now)
            }
            // A job that is late itself is late everywhere.
            let isWhole = late.allSatisfy { !$0.isEmpty } && record.lastSuccess != nil
            found +=
                isWhole
                ? objections(to: record.lastSuccess, of: "it", never: "", isDue: true, limits, now)
                : late.flatMap { $0 }
        }
        if job.integrity != nil, let compared = record.integrity { found += objections(compared, job) }
        if let reason = held?.objection(every: job.timing?.every, now: now) { add(.warning, reason) }
        if let unended {
            let time = Timestamp(seconds: unended, nanoseconds: 0).text
            add(.warning, "the run of \(time) did not come to its end: the program was ended")
        }
        for place in places {
            guard let store = record.stores[place] else { continue }
            switch store.verifyStatus {
            case nil, 0?: break
            case 3?:
                add(
                    .critical,
                    "what was checked last in \(place) is damaged; `holdfast verify --from \(place)` names it")
            default: if store.verifyObstacle == nil { add(.warning, "\(place) could not be checked: \(noKey)") }
            }
            if let obstacle = store.verifyObstacle, job.verify != nil { add(.warning, "\(place): \(obstacle)") }
            if let status = store.pruneStatus, status != 0 {
                add(
                    .warning,
                    "\(place) was not thinned out: `holdfast prune --from \(place) --dry-run` with the job's rules says why"
                )
            }
        }
        if let attempt = record.lastAttempt, attempt.exitStatus != 0, attempt.exitStatus != 130 {
            let times = record.failuresInARow > 1 ? " (\(record.failuresInARow) times in a row)" : ""
            add(.warning, "the last run: \(attempt.sentence)\(times)")
        }
        return found
    }

    private static func objections(_ compared: JobRecord.IntegrityRecord, _ job: Job) -> [Objection] {
        let obstacle = compared.obstacle.map {
            Objection(verdict: .warning, reason: "the machine was not compared with its past: \($0)")
        }
        // What was found stays until a comparison finds nothing: one that came to nothing is none.
        return deviations(compared, job) + [obstacle].compactMap { $0 }
    }

    private static func deviations(_ compared: JobRecord.IntegrityRecord, _ job: Job) -> [Objection] {
        guard compared.deviations > 0, let base = compared.base else { return [] }
        let names = compared.names.prefix(3).joined(separator: ", ")
        let more = compared.deviations > 3 ? " and \(compared.deviations - 3) more" : ""
        return [
            Objection(
                verdict: .critical,
                reason:
                    "\(compared.deviations == 1 ? "a file is" : "files are") not as in the \(base): \(names)\(more); \(JobRecord.IntegrityRecord.mend(of: job))"
            )
        ]
    }

    /// Of a job that was never done: as if it had been done an interval before it was due for the first time. Until then nothing is late.
    private static func neverDone(_ job: Job, _ limits: AgeLimits, _ firstDue: Int64?, _ now: Int64) -> Verdict {
        guard let timing = job.timing else { return job.isForDrillsAlone ? .fine : .warning }
        guard let firstDue else { return .critical }
        if now < firstDue { return .fine }
        let age = (now - firstDue).adding(saturating: timing.every)
        if let limit = limits.critical, age >= limit { return .critical }
        if let limit = limits.warning, age >= limit { return .warning }
        return .fine
    }

    private static let noKey = "that wants an identity, for which `identity` of the configuration is"

    private static func objections(
        to success: Int64?, of what: String, never: String, isDue: Bool, _ limits: AgeLimits, _ now: Int64
    ) -> [Objection] {
        func objection(_ verdict: Verdict, _ reason: String) -> [Objection] {
            [Objection(verdict: verdict, reason: reason)]
        }
        guard let success else { return isDue ? objection(.critical, never) : [] }
        let age = now - success
        // A clock that is set back by a summer time or by a second is none that was wrong.
        if age < -86_400 {
            return objection(.warning, "\(what) was done at a time that is not there yet: a clock was wrong")
        }
        let text = "\(what) was last done \(words(age)) ago"
        if let limit = limits.critical, age >= limit { return objection(.critical, text) }
        if let limit = limits.warning, age >= limit { return objection(.warning, text) }
        return []
    }

    /// `3 h`, `12 d`
    public static func words(_ seconds: Int64) -> String {
        switch seconds {
        case ..<60: "less than a minute"
        case ..<7200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86_400) d"
        }
    }

    /// All jobs of a configuration.
    /// - Parameter configured: when the configuration was written, in seconds since 1970; a job is known since then that nothing has looked at yet.
    public static func all(
        _ jobs: [Job], _ places: Places, limits: AgeLimits = AgeLimits(), configured: Int64?,
        at moment: Moment = .current()
    ) -> [JobHealth] {
        all(
            jobs.map { ($0, JobRecord.read($0.name, places)) }, places, limits: limits, configured: configured,
            at: moment)
    }

    /// The same of what was read already.
    public static func all(
        _ jobs: [(job: Job, known: JobRecord.Known)], _ places: Places, limits: AgeLimits = AgeLimits(),
        configured: Int64?, at moment: Moment
    ) -> [JobHealth] {
        let ended = jobs.map { $0.known.record.ended(at: moment) }
        // Whoever looks at the lock holds it for a moment: only where a run may be at work. It has the lock, whichever job it is at.
        let isRunning = ended.contains { $0 != nil } && ScheduleLock.isHeld(places)
        let held = HeldWork.read(places)
        return zip(jobs, ended).map { entry, ended in
            let since = entry.known.record.since ?? configured
            return JobHealth(
                entry.job, entry.known, limits: limits, firstDue: Dueness.first(entry.job, since: since, at: moment),
                unended: isRunning ? nil : ended, held: held, since: since, now: moment.now)
        }
    }
}

extension [JobHealth] {
    /// The worst; without a job nothing is known.
    public var verdict: Verdict { map(\.verdict).max() ?? .unknown }
}
