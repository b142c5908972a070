// When a drill is due follows from what is known of it and from the time alone: nothing here sleeps.

import Platform
import Testing

@testable import Stewardship

@Suite struct DrillDuenessTests {
    private func job(every: Int64? = 30 * day, window: String? = nil, _ change: (inout Job) -> Void = { _ in }) throws
        -> Job
    {
        var job = Job(name: "plant", source: .paths(["/srv"]), to: ["nas"])
        job.timing = Timing(every: day, window: try window.map { try #require(Window($0)) } ?? Window())
        var drill = DrillSettings()
        drill.every = every
        drill.key = .credential("drill-key")
        job.drill = drill
        change(&job)
        return job
    }

    /// With an image, and what is known of drills.
    private func known(
        success: Int64? = nil, failures: Int = 0, attempt: Int64? = nil, isLasting: Bool = false, begun: Int64? = nil
    ) -> JobRecord {
        var record = JobRecord(job: "plant")
        var store = JobRecord.StoreRecord(isCopy: false)
        (store.lastSuccess, store.series) = (monday, "press-01/plant")
        record.stores["nas"] = store
        var drill = DrillRecord(job: "plant")
        (drill.lastSuccess, drill.failuresInARow, drill.begun) = (success, failures, begun)
        drill.lastAttempt = (attempt ?? success).map { DrillRecord.Attempt(began: $0, isLasting: isLasting) }
        record.drill = drill
        return record
    }

    @Test("No drill is due without a key, without an interval, and before there is an image")
    func never() throws {
        let moment = moment(monday)
        #expect(try job().drillDueness(known(), at: moment)?.isDue == true)
        #expect(try job().drillDueness(known(), at: moment)?.reason == .neverDone)
        #expect(try job().drillDueness(JobRecord(job: "plant"), at: moment) == nil)
        #expect(try job(every: nil).drillDueness(known(), at: moment) == nil)
        #expect(try job { $0.drill?.key = nil }.drillDueness(known(), at: moment) == nil)
        #expect(try job { $0.drill = nil }.drillDueness(known(), at: moment) == nil)
        // One whose images another machine makes.
        let other = try job {
            $0.timing = nil
            $0.series = "press-01/plant"
        }
        #expect(other.drillDueness(JobRecord(job: "plant"), at: moment)?.isDue == true)
    }

    @Test(
        "It is due once its interval since the last that passed is over, and no day sooner",
        arguments: [(1, 30, false), (28, 30, false), (31, 30, true), (400, 30, true), (5, 7, false), (8, 7, true)])
    func interval(_ age: Int64, _ every: Int64, _ isDue: Bool) throws {
        let now = monday + 100 * day
        let due = try job(every: every * day).drillDueness(known(success: now - age * day), at: moment(now))
        #expect(due?.isDue == isDue && due?.reason == .interval, "\(age) \(String(describing: due))")
        let last = now - age * day
        // Not later than the interval and what a run may be late.
        if !isDue { #expect((last + (every - 1) * day...last + every * day + hour).contains(due?.due ?? 0)) }
    }

    @Test("Machines that start together after it was due begin at different times, and each in the job's hours")
    func starts() throws {
        let now = monday + 100 * day
        let begins = try (0..<100).map { number in
            try #require(
                job().drillDueness(
                    known(success: now - 60 * day), at: moment(now, upFor: 300, "machine \(number)"))
            ).due
        }
        #expect(Set(begins).count > 50 && begins.allSatisfy { (now...now + 1800).contains($0) })
        let night = try job(window: "22:00-04:00")
        let due = try #require(night.drillDueness(known(success: now - 60 * day), at: moment(now + 12 * hour)))
        #expect(!due.isDue && (now + 22 * hour..<now + 28 * hour).contains(due.due))
        let inside = try #require(night.drillDueness(known(success: now - 60 * day), at: moment(now + 27 * hour)))
        #expect(inside.isDue)
    }

    @Test("A clock that was put forward or back makes a drill due at once, and a failure in the future holds up none")
    func clock() throws {
        let now = monday + 100 * day
        let ahead = try #require(job().drillDueness(known(success: now + 400 * day), at: moment(now)))
        #expect(ahead.isDue && ahead.reason == .clockWasSet)
        // Some seconds are none.
        #expect(try job().drillDueness(known(success: now + 60), at: moment(now))?.isDue == false)
        let failed = try job().drillDueness(
            known(success: now - 40 * day, failures: 3, attempt: now + 400 * day), at: moment(now))
        #expect(failed?.isDue == true)
    }

    @Test(
        "What failed is tried again after a quarter of an hour, then ever later, up to a day; what would come to the same, after a day"
    )
    func backOff() throws {
        let now = monday + 100 * day
        func wait(_ failures: Int, isLasting: Bool = false, every: Int64 = 30 * day, begun: Int64? = nil) throws
            -> Int64
        {
            let record = known(
                success: now - 40 * day, failures: failures, attempt: now, isLasting: isLasting, begun: begun)
            return try #require(job(every: every).drillDueness(record, at: moment(now))).due - now
        }
        #expect(
            try [1, 2, 3, 4, 5, 6, 7, 8, 1000].map { try wait($0) } == [
                900, 1800, 3600, 7200, 14400, 28800, 57600, day, day,
            ])
        #expect(try wait(1, isLasting: true) == day && wait(50, isLasting: true) == day)
        #expect(try wait(1, isLasting: true, every: 6 * hour) == 6 * hour)
        // One whose program was ended is a failure; one that the machine stopped is none.
        #expect(try wait(0, begun: now) == 900)
        #expect(try wait(0, begun: now - 31 * day) <= 0)
    }
}
