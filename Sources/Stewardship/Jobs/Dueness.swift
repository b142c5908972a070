// When a job is due. It follows from what the job is to be, from what is known of it, and from the time alone: nothing here looks at a clock,
// a file or a store.
//
// Times of a day, rather than spans since the last run, decide: a run that begins some minutes late, by the timer or since the machine was
// off, has the next one begin no later. From the beginning of an opening (or of the day, in UTC, where work may begin always) one such time
// follows another at the job's interval, all of them later by what is this machine's own: so that a thousand machines do not come at once.
// What is due is the last of these times before the interval since the last success is over.

internal import Platform

/// What the machine knows of time.
public struct Moment: Sendable {
    /// Seconds since 1970.
    public var now: Int64
    /// When the machine started; nil where nobody knows.
    public var started: Int64?
    /// What tells this machine from others.
    public var machine: String
    public var clock: WallClock

    public init(now: Int64, started: Int64?, machine: String, clock: WallClock = .machine) {
        self.now = now
        self.started = started
        self.machine = machine
        self.clock = clock
    }

    /// What a clock that is corrected in passing may differ by.
    private static let tolerance: Int64 = 300

    /// Whether a time is not there yet.
    func isAhead(_ time: Int64) -> Bool { time > now + Self.tolerance }

    /// When something began whose program was ended before it was done, unless it is still at work; nil where there is none, or the machine was
    /// off since, which is nobody's fault.
    /// - Parameter begun: what is noted of it.
    func ended(_ begun: Int64?) -> Int64? {
        begun.flatMap { begun in isAhead(begun) || started.map { begun < $0 } ?? false ? nil : begun }
    }

    /// Of this machine.
    public static func current() -> Moment {
        let now = Timestamp.now().seconds
        return Moment(
            now: now, started: now - HostFacts.secondsSinceStart,
            machine: HostFacts.machineIdentifier ?? HostFacts.hostName)
    }
}

/// What is asked of a job when it comes to time.
public struct Timing: Hashable, Sendable {
    /// Seconds between two images.
    public var every: Int64
    public var window: Window
    /// Seconds after which everything is read anew; nil: never of itself.
    public var reread: Int64?

    public init(every: Int64, window: Window = Window(), reread: Int64? = nil) {
        self.every = every
        self.window = window
        self.reread = reread
    }

    /// Openings of less than this, and intervals, would be over before anybody looked.
    public static let least: Int64 = 900
}

public struct Dueness: Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        case neverDone
        case interval
        /// It failed, and the time to try again has come.
        case again
        /// The store that it is copied from has something that is not there.
        case behind
        /// What is known was done at a time that is not there yet: a clock was wrong, then or now.
        case clockWasSet
    }

    /// What is to be done about one store.
    public struct OfStore: Hashable, Sendable {
        public var store: String
        public var isCopy: Bool
        public var reason: Reason
        /// When; not after now where it is due.
        public var due: Int64
    }

    /// Every store for which something is to be done, now or later.
    public var stores: [OfStore]
    public var now: Int64

    public var due: [OfStore] { stores.filter { $0.due <= now } }
    public var isDue: Bool { !due.isEmpty }
    /// When something is due next; nil: nothing will be, as with a copy of what is not there yet.
    public var next: Int64? { stores.map(\.due).min() }

    /// - Parameters:
    ///   - to: the stores that are written to, and `copies` those that are copied to from the first of them.
    public init(job: String, to: [String], copies: [String], _ timing: Timing, _ record: JobRecord, at moment: Moment) {
        let times = JobTimes(job: job, timing, moment, ended: record.ended(at: moment))
        now = moment.now
        var stores: [OfStore] = []
        for store in to { stores.append(Self.written(store, record.stores[store], times)) }
        for store in copies {
            if let copied = Self.copied(
                store, record.stores[store], from: to.first.flatMap { record.stores[$0] }, times)
            {
                stores.append(copied)
            }
        }
        self.stores = stores
    }

    /// When a job that was never done was due for the first time.
    /// - Parameter since: when it became known.
    /// - Returns: nil: nobody can tell, or it is due when somebody asks for it.
    static func first(_ job: Job, since: Int64?, at moment: Moment) -> Int64? {
        guard let timing = job.timing, let since, !moment.isAhead(since) else { return nil }
        var then = moment
        (then.now, then.started) = (since, nil)
        return JobTimes(job: job.name, timing, then, ended: nil).allowed(since)
    }

    /// A store that is written to.
    private static func written(_ store: String, _ known: JobRecord.StoreRecord?, _ times: JobTimes) -> OfStore {
        func of(_ reason: Reason, _ due: Int64) -> OfStore {
            OfStore(store: store, isCopy: false, reason: reason, due: due)
        }
        guard let known, let success = known.lastSuccess else {
            let again = times.again(after: known)
            return of(again == nil ? .neverDone : .again, times.allowed(max(times.started, again ?? times.started)))
        }
        let again = times.again(after: known)
        if times.isAhead(success) { return of(.clockWasSet, times.allowed(again ?? times.moment.now)) }
        if let again { return of(.again, times.allowed(again)) }
        return of(.interval, times.caughtUp(times.due(after: success)))
    }

    /// A store that is copied to; nil where there is nothing that could be copied.
    private static func copied(
        _ store: String, _ known: JobRecord.StoreRecord?, from source: JobRecord.StoreRecord?, _ times: JobTimes
    ) -> OfStore? {
        guard let made = source?.lastSuccess else { return nil }
        // Whether the clock went forward or back: another success than the one that is there.
        if let covers = known?.covers, covers == made { return nil }
        let again = times.again(after: known)
        return OfStore(
            store: store, isCopy: true, reason: again == nil ? .behind : .again,
            due: times.allowed(max(times.moment.now, again ?? times.moment.now)))
    }

    /// How long nothing is tried after so many failures: a quarter of an hour, doubled up to four hours.
    public static func backOff(_ failures: Int) -> Int64 {
        failures < 1 ? 0 : min(900 << Int64(min(failures - 1, 10)), 4 * 3600)
    }
}
