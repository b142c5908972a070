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
        let times = Times(job: job, timing, moment, ended: record.ended(at: moment))
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
        return Times(job: job.name, timing, then, ended: nil).allowed(since)
    }

    /// A store that is written to.
    private static func written(_ store: String, _ known: JobRecord.StoreRecord?, _ times: Times) -> OfStore {
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
        _ store: String, _ known: JobRecord.StoreRecord?, from source: JobRecord.StoreRecord?, _ times: Times
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

/// The times of a job on a machine.
private struct Times {
    let timing: Timing
    let moment: Moment
    /// How much later than others this machine begins.
    let delay: Int64
    /// When a run began whose program was ended before it was done; nil where there is none, or the machine was off since.
    let ended: Int64?

    init(job: String, _ timing: Timing, _ moment: Moment, ended: Int64?) {
        self.timing = timing
        self.moment = moment
        let range = min(4 * 3600, timing.window.length / 2, max(1, timing.every) / 2)
        self.ended = ended
        delay = Int64(Self.hash("\(moment.machine)\n\(job)") % UInt64(max(1, range)))
    }

    /// FNV-1a, and its halves mixed: stable over versions, unlike Swift's own.
    private static func hash(_ text: String) -> UInt64 {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
        value = (value ^ value >> 33) &* 0xff51_afd7_ed55_8ccd
        return value ^ value >> 33
    }

    func isAhead(_ time: Int64) -> Bool { moment.isAhead(time) }

    /// From when on something is done that was due before the machine started: after a power cut, a thousand machines start at once.
    var started: Int64 {
        guard let started = moment.started else { return moment.now }
        // Later by the same part of half an hour as of the whole range.
        return min(started, moment.now) + delay / 8
    }

    /// When something that is due at a time is done.
    func caughtUp(_ due: Int64) -> Int64 {
        let due = moment.started.map { due < $0 ? max(due, started) : due } ?? due
        return allowed(due)
    }

    /// The first time from `time` on at which work may begin. What is over is now.
    func allowed(_ time: Int64) -> Int64 {
        let time = max(time, moment.now)
        if timing.window.isAlways { return time }
        let (opens, closes) = timing.window.opening(at: time, moment.clock)
        if time >= opens + delay { return time }
        // Who was late for one opening is as late as others are for the next.
        return min(opens + delay, closes - 1)
    }

    /// Until when nothing is tried after failures; nil where none came since the last success, or it is in the future.
    func again(after known: JobRecord.StoreRecord?) -> Int64? {
        if let ended, known?.lastSuccess != ended { return ended + Dueness.backOff((known?.failuresInARow ?? 0) + 1) }
        guard let known, known.failuresInARow > 0, let last = known.lastAttempt, !isAhead(last) else { return nil }
        return last + Dueness.backOff(known.failuresInARow)
    }

    /// When the next image is due after one.
    func due(after success: Int64) -> Int64 {
        // How much later than its time a run may begin, by the timer, with the next one no further away.
        let slack = min(3600, timing.every / 8)
        let end = success + timing.every + slack
        return lastTime(notAfter: end, after: success) ?? firstTime(after: success)
    }

    /// The last of the job's times up to an end, if it is after a beginning.
    private func lastTime(notAfter end: Int64, after begin: Int64) -> Int64? {
        var found: Int64?
        // Whatever the interval is, the last opening is less than nine days back.
        var time = max(begin, end - 9 * 86400)
        while true {
            time = firstTime(after: time)
            if time > end { return found }
            found = time
        }
    }

    /// The first of the job's times after `time`.
    private func firstTime(after time: Int64) -> Int64 {
        let step = timing.every < 86400 ? timing.every : 86400
        if timing.window.isAlways {
            // Days of UTC: these have no hour twice.
            let past = time - delay
            let begin = past - ((past % 86400) + 86400) % 86400
            let steps = (past - begin) / step + 1
            // What does not divide a day begins anew with the next one.
            return min(begin + steps * step, begin + 86400) + delay
        }
        var from = time
        for _ in 0..<3 {
            let (opens, closes) = timing.window.opening(at: from, moment.clock)
            let first = min(opens + delay, closes - 1)
            if first > time { return first }
            let next = first + ((time - first) / step + 1) * step
            if next < closes { return next }
            from = closes
        }
        return from
    }
}
