// When the drill of a job is due that nobody has to make. It is reckoned as an image's time is (`Dueness`), from the last drill that proved
// something: in the hours in which the job may begin, later by what is this machine's own, and with the same care where a clock was set.

internal import Platform

public struct DrillDueness: Hashable, Sendable {
    public var reason: Dueness.Reason
    /// When; not after now where it is due.
    public var due: Int64
    public var now: Int64

    public var isDue: Bool { due <= now }
}

extension DrillSettings {
    /// Whether drills are made with nobody there: how often is said, and a key is named.
    public var isUnattended: Bool { every != nil && key != nil }
}

extension Job {
    /// Whether it is there for its drills alone: its images, of a series that it names, are made by another machine.
    var isForDrillsAlone: Bool { timing == nil && series != nil && drill?.every != nil }

    /// When its drill is due, of what is known of it; nil: nobody makes one by itself, or there is no image yet.
    public func drillDueness(_ record: JobRecord, at moment: Moment) -> DrillDueness? {
        guard let drill, let every = drill.every, drill.isUnattended, hasImage(record) else { return nil }
        let known = record.drill ?? DrillRecord(job: name)
        let times = JobTimes(
            // Another time of the day than that of the images, where there is one.
            job: "\(name)\ndrill", Timing(every: every, window: timing?.window ?? Window()), moment,
            ended: moment.ended(known.begun))
        func due(_ reason: Dueness.Reason, _ time: Int64) -> DrillDueness {
            DrillDueness(reason: reason, due: time, now: moment.now)
        }
        let again = times.again(after: known)
        guard let success = known.lastSuccess else {
            return due(again == nil ? .neverDone : .again, times.allowed(max(times.started, again ?? times.started)))
        }
        if times.isAhead(success) { return due(.clockWasSet, times.allowed(again ?? moment.now)) }
        if let again { return due(.again, times.allowed(again)) }
        return due(.interval, times.caughtUp(times.due(after: success)))
    }

    /// Whether there is something to restore, as far as is known here.
    private func hasImage(_ record: JobRecord) -> Bool {
        // What is made elsewhere nobody knows here.
        if isForDrillsAlone { return true }
        let hasSuccess = to.contains { record.stores[$0]?.lastSuccess != nil }
        return hasSuccess && (try? drillImage(record)) != nil
    }
}
