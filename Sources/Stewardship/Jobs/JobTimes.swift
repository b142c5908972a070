// The times at which a job is done on a machine: fixed ones of a day, later by what is this machine's own (`Dueness` says why).

internal import Platform

/// The times of a job on a machine.
struct JobTimes {
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

    /// The same after drills.
    func again(after known: DrillRecord) -> Int64? {
        if let ended { return ended + known.pause(afterFailures: known.failuresInARow + 1, every: timing.every) }
        guard known.failuresInARow > 0, let last = known.lastAttempt?.began, !isAhead(last) else { return nil }
        return last + known.pause(afterFailures: known.failuresInARow, every: timing.every)
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
