// When a job is due follows from what is known of it and from the time alone: nothing here sleeps.

import Testing

@testable import Stewardship

@Suite struct DuenessTests {
    /// What is known of the store of a job.
    private func known(
        success: Int64? = nil, failures: Int = 0, attempt: Int64? = nil, begun: Int64? = nil
    ) -> JobRecord {
        var record = JobRecord(job: "plant")
        var store = JobRecord.StoreRecord(isCopy: false)
        store.lastSuccess = success
        store.failuresInARow = failures
        store.lastAttempt = attempt ?? success
        record.stores["nas"] = store
        record.begun = begun
        return record
    }

    private func due(
        _ record: JobRecord, _ moment: Moment, every: Int64 = day, window: String? = nil, copies: [String] = []
    ) throws -> Dueness {
        let window = try window.map { try #require(Window($0)) } ?? Window()
        return Dueness(
            job: "plant", to: ["nas"], copies: copies, Timing(every: every, window: window), record, at: moment)
    }

    /// How much later than midnight, or the opening, this machine begins.
    private func delay(_ machine: String = "0123456789abcdef", window: String? = nil, every: Int64 = day) throws
        -> Int64
    {
        let opens = window == nil ? monday : monday + 22 * hour
        let next = try #require(
            due(known(success: opens - 12 * hour), moment(opens - 10 * hour, machine), every: every, window: window)
                .next)
        return (next - opens) % day
    }

    @Test("What was never done is due at once, but after a start not on all machines at the same time")
    func never() throws {
        let nothing = JobRecord(job: "plant")
        #expect(try due(nothing, moment(monday)).isDue)
        #expect(try due(nothing, moment(monday)).due.map(\.reason) == [.neverDone])
        let begins = try (0..<200).map { number -> Int64 in
            let next = try #require(due(nothing, moment(monday, upFor: 300, "machine \(number)")).next)
            return next - (monday - 300)
        }
        #expect(begins.allSatisfy { (0...1800).contains($0) } && Set(begins).count > 150)
    }

    private static let intervals: [(Int64, Int64, Bool)] = [
        // Hours since the last success, hours between two, whether it is due.
        (1, 24, false), (12, 24, false), (25, 24, true), (48, 24, true), (10_000, 24, true), (1, 4, false),
        (5, 4, true),
        (24 * 6, 24 * 7, false), (24 * 8, 24 * 7, true), (24 * 27, 24 * 28, false), (24 * 29, 24 * 28, true),
    ]

    @Test(
        "What was done is due an interval later at the latest, by the last success and not the last attempt",
        arguments: intervals)
    func interval(since: Int64, every: Int64, isDue: Bool) throws {
        for start in 0..<24 {
            let success = monday + Int64(start) * hour
            let result = try due(known(success: success), moment(success + since * hour), every: every * hour)
            // A day has one time, which may come before the interval is over.
            if isDue || since < every * 7 / 24 || every > 24 { #expect(result.isDue == isDue, "from \(start) o'clock") }
            let next = try #require(try due(known(success: success), moment(success + 1), every: every * hour).next)
            #expect(next > success && next <= success + every * hour + hour, "from \(start) o'clock")
        }
    }

    @Test("A run that begins late by the timer does not have the next one begin later, in a year of them")
    func noDrift() throws {
        for (every, window) in [(day, nil), (day, "22:00-05:00"), (7 * day, "Sat 20:00-06:00"), (4 * hour, nil)] {
            let own = window == nil ? monday : monday + 22 * hour
            var (now, times) = (own, [Int64]())
            var record = JobRecord(job: "plant")
            while now < monday + 365 * day {
                if try due(record, moment(now), every: every, window: window).isDue {
                    times.append(now)
                    // It began then, and took a while.
                    record = known(success: now)
                    now += 40 * 60
                }
                now += 17 * 60
            }
            let gaps = zip(times, times.dropFirst()).map { $1 - $0 }.dropFirst()
            #expect(gaps.allSatisfy { $0 <= every + hour }, "\(every) \(gaps.max() ?? 0)")
            let expected = Int(365 * day / every)
            #expect(abs(times.count - expected) <= 2, "\(times.count) of \(expected)")
        }
    }

    @Test("A thousand machines begin over four hours, each always at its own time, in no shorter hours than there are")
    func jitter() throws {
        let delays = try (0..<1000).map { try delay("machine \($0)") }
        #expect(delays.allSatisfy { (0..<4 * hour).contains($0) } && Set(delays).count > 900)
        for quarter in 0..<4 {
            let begins = Int64(quarter) * hour
            #expect((200...300).contains(delays.filter { (begins..<begins + hour).contains($0) }.count))
        }
        #expect(try (0..<1000).map { try delay("machine \($0)") } == delays)
        let short = try (0..<1000).map { try delay("machine \($0)", window: "22:00-23:00") }
        #expect(short.allSatisfy { (0..<1800).contains($0) })
        let often = try (0..<100).map { try delay("machine \($0)", every: hour) % hour }
        #expect(often.allSatisfy { (0..<1800).contains($0) })
    }

    @Test("What was due while the machine was off is made up for within half an hour of its start")
    func catchingUp() throws {
        let record = known(success: monday)
        let after = monday + 7 * day + 10 * hour
        #expect(try !due(record, moment(after, upFor: 0)).isDue)
        let next = try #require(due(record, moment(after, upFor: 0)).next)
        #expect((after...after + 1800).contains(next))
        #expect(try due(record, moment(after, upFor: 1801)).isDue)
        // What was not due before the start keeps its time.
        let fresh = known(success: after - hour)
        #expect(try due(fresh, moment(after, upFor: 60)).next == due(fresh, moment(after)).next)
    }

    private static let backOffs: [(Int, Int64)] = [
        (1, 900), (2, 1800), (3, 3600), (4, 7200), (5, 14_400), (6, 14_400), (64, 14_400), (999_999_999, 14_400),
    ]

    @Test(
        "What failed is tried again after a quarter of an hour, then twice that, up to four hours", arguments: backOffs)
    func backOff(failures: Int, seconds: Int64) throws {
        for success in [nil, monday - 3 * day] {
            let record = known(success: success, failures: failures, attempt: monday)
            #expect(try !due(record, moment(monday + seconds - 1)).isDue)
            let result = try due(record, moment(monday + seconds))
            #expect(result.isDue && result.due.map(\.reason) == [.again])
        }
    }

    @Test("A clock that jumped by a year keeps nothing from being done, in either direction")
    func clock() throws {
        let year = 365 * day
        let ahead = try due(known(success: monday + year), moment(monday))
        #expect(ahead.isDue && ahead.due.map(\.reason) == [.clockWasSet])
        #expect(try due(known(success: monday), moment(monday + year)).isDue)
        // Failures of the future hold up nothing, and those of now do so there, too.
        #expect(try due(known(failures: 9, attempt: monday + year), moment(monday)).isDue)
        #expect(try !due(known(success: monday + year, failures: 1, attempt: monday - 60), moment(monday)).isDue)
        // A clock that is corrected by some seconds is none that jumped.
        #expect(try !due(known(success: monday + 60), moment(monday)).isDue)
        #expect(try due(known(success: monday + 60 * day), moment(monday, upFor: 400 * day)).isDue)
    }

    @Test("A run whose program was ended counts as one that failed, and one that a power cut ended does not")
    func ended() throws {
        let record = known(begun: monday)
        #expect(try !due(record, moment(monday + 600)).isDue)
        #expect(try due(record, moment(monday + 900)).isDue)
        #expect(try due(record, moment(monday + 2400, upFor: 2000)).isDue)
        // That store had its image already.
        #expect(try !due(known(success: monday, begun: monday), moment(monday + 2 * hour)).isDue)
    }

    @Test("Work begins in the hours that are allowed, over midnight and on the days on which they begin")
    func hours() throws {
        let night = "22:00-05:00"
        let own = try delay(window: night)
        #expect(own < 4 * hour)
        let old = known(success: monday - 10 * day)
        #expect(try !due(old, moment(monday + 12 * hour), window: night).isDue)
        #expect(try due(old, moment(monday + 12 * hour), window: night).next == monday + 22 * hour + own)
        #expect(try !due(old, moment(monday + 22 * hour + own - 1), window: night).isDue)
        #expect(try due(old, moment(monday + 22 * hour + own), window: night).isDue)
        #expect(try due(old, moment(monday + day + 5 * hour - 1), window: night).isDue)
        #expect(try !due(old, moment(monday + day + 5 * hour), window: night).isDue)
        // Friday's hours last until Saturday morning, and the next ones begin on Monday.
        let workdays = "Mon-Fri 22:00-05:00"
        #expect(try due(old, moment(monday + 5 * day + 4 * hour), window: workdays).isDue)
        #expect(try !due(old, moment(monday + 5 * day + 23 * hour), window: workdays).isDue)
        #expect(
            try due(old, moment(monday + 5 * day + 23 * hour), window: workdays).next == monday + 7 * day + 22 * hour
                + own)
        // What failed waits for them, too.
        let failed = known(failures: 1, attempt: monday + 4 * hour + 55 * 60)
        #expect(try due(failed, moment(monday + 5 * hour + 600), window: night).next == monday + 22 * hour + own)
    }

    @Test("A copy is due where its source has something that it has not, and is tried again like everything else")
    func copies() throws {
        var record = known(success: monday)
        func state() throws -> Dueness.OfStore? {
            try due(record, moment(monday + 60), copies: ["offsite"]).stores.first(where: \.isCopy)
        }
        #expect(try state()?.reason == .behind)
        var copy = JobRecord.StoreRecord(isCopy: true)
        copy.covers = monday
        record.stores["offsite"] = copy
        #expect(try state() == nil)
        copy.covers = monday - day
        copy.failuresInARow = 2
        copy.lastAttempt = monday
        record.stores["offsite"] = copy
        #expect(try state() == .init(store: "offsite", isCopy: true, reason: .again, due: monday + 1800))
        // Nothing is there yet that could be copied.
        record.stores["nas"] = nil
        #expect(try state() == nil)
    }

    @Test("Where the clock is put forward or back, each day has its run")
    func summerTime() throws {
        // On day 83 at 01:00 UTC one hour more, on day 300 one less.
        let offset: @Sendable (Int64) -> Int64 = { time in
            (monday + 83 * day + hour..<monday + 300 * day + hour).contains(time) ? 2 * hour : hour
        }
        for window in ["02:00-03:00", "02:30-02:45", "22:00-05:00", "00:00-24:00"] {
            var (now, count) = (monday, 0)
            var record = JobRecord(job: "plant")
            while now < monday + 364 * day {
                if try due(record, moment(now, offset: offset), window: window).isDue {
                    count += 1
                    record = known(success: now)
                }
                now += 600
            }
            #expect((362...366).contains(count), "\(window): \(count)")
        }
    }

    @Test("No record and no time, however absurd, brings it down or has it due never")
    func absurd() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            func time() -> Int64? {
                [
                    nil, monday, 0, -62_167_219_200, 253_402_300_799,
                    Int64.random(in: -62_167_219_200...253_402_300_799, using: &random),
                ]
                .randomElement(using: &random) ?? nil
            }
            let record = known(
                success: time(), failures: [0, 1, 1_000_000_000].randomElement(using: &random) ?? 0, attempt: time(),
                begun: time())
            let now = time() ?? monday
            let window = ["22:00-05:00", "Sun", "Mon-Fri 08:00-08:15", "00:00-24:00"].randomElement(using: &random)
            let every = [900, hour, day, 28 * day, 3_153_600_000].randomElement(using: &random) ?? day
            let result = try due(
                record, moment(now, upFor: Int64.random(in: 0...1_000_000, using: &random), offset: { $0 % 7200 }),
                every: every, window: window)
            let next = try #require(result.next)
            #expect(next >= now || result.isDue)
            // A year after the interval at the latest it is done.
            let last = max(now, (record.stores["nas"]?.lastSuccess ?? now) + every) + 366 * day
            #expect(next <= last, "\(record) at \(now)")
        }
    }
}

@Suite struct WindowTests {
    private static let windows: [(String, String, Int64, Int64, Int64)] = [
        ("22:00-05:00", "0123456", 79_200, 18_000, 25_200),
        ("Mon-Fri 22:00-05:00", "01234", 79_200, 18_000, 25_200),
        ("sat,sun", "56", 0, 86_400, 86_400), ("Fri-Mon 00:00-24:00", "0456", 0, 86_400, 86_400),
        ("Sun,Tue-Wed 06:30-06:45", "126", 23_400, 24_300, 900), ("00:00-00:15", "0123456", 0, 900, 900),
    ]

    @Test("Hours and days are read as people write them", arguments: windows)
    func right(text: String, days: String, from: Int64, to: Int64, length: Int64) throws {
        let window = try #require(Window(text))
        #expect(window.days.sorted().map(String.init).joined() == days)
        #expect((window.from, window.to) == (from, to) && window.length == length)
    }

    @Test(
        "What is no window is refused",
        arguments: [
            "", "22-5", "22:00", "22:00-25:00", "24:00-05:00", "22:60-05:00", "22:00-22:00", "2:00-05:00", "Mon-",
            "-Fri",
            "Mon,", "Montag", "Mon-Tue-Wed", "22:00-05:00 Mon", "Mon Tue", "Mon 22:00-05:00 x", "22:00–05:00",
            "٢٢:00-05:00",
            "+1:00-05:00", "Mon-Fri-22:00-05:00",
        ])
    func wrong(text: String) { #expect(Window(text) == nil) }
}
