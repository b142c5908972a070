// What the rules never remove, whatever they say, and what a stranger's images cannot do to those of the machine.

import Images
import Testing

@testable import Stewardship

@Suite struct RetentionTests {
    private static let day: Int64 = 86_400
    /// A Monday, 2025-11-17 at noon.
    private static let monday: Int64 = 1_763_380_800

    private func rules(_ words: (String, String)...) throws -> KeepRules {
        var rules = KeepRules()
        for (word, value) in words { try rules.set(word, to: value) }
        return rules
    }

    private func kept(_ decisions: [KeepDecision]) -> [String] { decisions.filter(\.isKept).map(\.state.id) }

    /// A state a day, `0` the newest.
    private func days(_ count: Int, series: String = "press-01:/") -> [KeepState] {
        (0..<count).map { number in
            KeepState(
                id: "\(series)\(number)", series: series, time: Self.monday - Int64(number) * Self.day,
                order: UInt64(count - number))
        }
    }

    @Test("Without a rule nothing goes")
    func noRule() {
        let decisions = KeepRules().decide(days(50), now: .max)
        #expect(decisions.allSatisfy { $0.reasons == [.guarded(.noRule)] })
    }

    @Test("The newest of a series stays where no rule keeps it, of each series its own")
    func newest() throws {
        let states = days(5) + days(3, series: "press-02:/")
        let decisions = try rules(("tag", "nobody-has-it")).decide(states, now: .max)
        #expect(kept(decisions) == ["press-01:/0", "press-02:/0"])
        #expect(decisions.filter(\.isKept).allSatisfy { $0.reasons == [.guarded(.newest)] })
    }

    @Test("Two series whose names are one to the eye are two")
    func spelling() throws {
        let states = days(3, series: "caf\u{e9}") + days(3, series: "cafe\u{301}")
        #expect(kept(try rules(("last", "1")).decide(states, now: .max)).count == 2)
    }

    @Test("What `latest` would restore stays, where a clock that was wrong made it look old")
    func newestBySequence() throws {
        var states = days(5)
        states[4].order = 100
        let decisions = try rules(("last", "1")).decide(states, now: .max)
        #expect(kept(decisions) == ["press-01:/0", "press-01:/4"])
    }

    @Test("A state of a clock that was ahead is kept, and takes nothing from `within`")
    func future() throws {
        var states = days(5)
        states.append(KeepState(id: "ahead", series: "press-01:/", time: Self.monday + 4000 * Self.day))
        let decisions = try rules(("within", "50h")).decide(states, now: Self.monday + 60)
        #expect(kept(decisions) == ["ahead", "press-01:/0", "press-01:/1", "press-01:/2"])
    }

    @Test(
        "Pinned ones, factory points, the one the tree stands on and the one of undo stay",
        arguments: [KeepGuard.pinned, .factory, .standing, .undo])
    func guarded(by guarded: KeepGuard) throws {
        var states = days(9)
        states[7].guards = [guarded]
        let decisions = try rules(("last", "2")).decide(states, now: .max)
        #expect(kept(decisions) == ["press-01:/0", "press-01:/1", "press-01:/7"])
        #expect(decisions[7].reasons == [.guarded(guarded)])
    }

    @Test("The newest one that was proven stays, and of the proven ones that alone")
    func proven() throws {
        var states = days(9)
        for number in [5, 7] { states[number].isProven = true }
        let decisions = try rules(("last", "1")).decide(states, now: .max)
        #expect(kept(decisions) == ["press-01:/0", "press-01:/5"])
        #expect(decisions[5].reasons.map(\.description) == ["newest that was proven"])
    }

    @Test(
        "A label that is more than a day off the store's time counts by the store's",
        arguments: [
            (86_400, false), (-86_400, false), (86_401, true), (-86_401, true), (Int64.max, true), (Int64.min, true),
        ])
    func storeTime(difference: Int64, isOff: Bool) {
        let state = KeepState(
            id: "a", series: "s", time: Self.monday.addingReportingOverflow(difference).partialValue,
            storeTime: Self.monday)
        #expect(state.isTimedByStore == isOff && (state.ruledTime == Self.monday) == isOff)
    }

    @Test(
        "An image of a wrong clock takes the place of no other: years ahead or back, it counts when the store got it",
        arguments: [4000, -4000] as [Int64])
    func wrongClock(days off: Int64) throws {
        var states = days(10).map { state in
            var state = state
            state.storeTime = state.time
            return state
        }
        states[3].time += off * Self.day
        let decisions = try rules(("within", "100h")).decide(states, now: Self.monday + 60)
        #expect(kept(decisions) == (0...4).map { "press-01:/\($0)" })
        #expect(decisions.filter(\.state.isTimedByStore).map(\.state.id) == ["press-01:/3"])
    }

    /// The machine's own image of each of eight weeks, on Monday, and what somebody adds who has its writer key: an empty one, an hour later.
    private func attacked(weeks: Int) -> [KeepState] {
        let own = (0..<8).map { week in
            let time = Self.monday - Int64(week) * 7 * Self.day
            return KeepState(
                id: "own-\(week)", series: "s", time: time, storeTime: time, order: UInt64(100 - week))
        }
        // All of them reach the store on one day: labels lie, and the store's clock does not.
        let added = (0..<weeks).map { week in
            KeepState(
                id: "added-\(week)", series: "s", time: Self.monday - Int64(week) * 7 * Self.day + 3600,
                storeTime: Self.monday + 3600 + Int64(week), order: UInt64(200 + week))
        }
        return own + added
    }

    @Test(
        "Restic's own example: images with made-up times push the machine's out of keep-weekly; by the store's time they are one week's"
    )
    func attackOnWeekly() throws {
        let now = Self.monday + 2 * Self.day
        // As restic decides, where the label's time is all there is.
        let trusting = attacked(weeks: 3).map { state in
            var state = state
            state.storeTime = nil
            return state
        }
        let lost = try rules(("weekly", "3")).decide(trusting, now: now).filter { $0.state.id.hasPrefix("own") }
        #expect(lost.allSatisfy { !$0.isKept })
        // As it is here: of three weeks that the store saw, two are the machine's own.
        #expect(kept(try rules(("weekly", "3")).decide(attacked(weeks: 3), now: now)) == ["added-2", "own-1", "own-2"])
    }

    @Test(
        "Images of a doubtful time push none of the machine's out, whatever they say, of whichever rule",
        arguments: KeepRules.words.filter { $0 != "tag" }, [1, 8])
    func doubtful(word: String, weeks: Int) throws {
        let states = attacked(weeks: weeks).map { state in
            var state = state
            // What a replica knows: the label's word, and that the copy came later.
            state.storeTime = nil
            state.isDoubtful = state.id.hasPrefix("added")
            return state
        }
        let rules = try rules((word, word.hasPrefix("within") ? "22d" : "3"))
        let now = Self.monday + 2 * Self.day
        let alone = kept(rules.decide(attacked(weeks: 0), now: now))
        #expect(Set(kept(rules.decide(states, now: now))).isSuperset(of: alone))
    }

    @Test(
        "Who waits from week to week pushes them out all the same: `within` is what an attacker cannot fill",
        arguments: [("weekly", "3", 0), ("last", "1", 0), ("within", "22d", 4), ("within-weekly", "22d", 0)])
    func patientAttack(word: String, value: String, owned: Int) throws {
        let states = attacked(weeks: 8).map { state in
            var state = state
            state.storeTime = state.time
            return state
        }
        let decisions = try rules((word, value)).decide(states, now: Self.monday + 2 * Self.day)
        #expect(kept(decisions).filter { $0.hasPrefix("own") }.count == owned, "\(kept(decisions))")
    }

    @Test(
        "A plan that takes half or more of one series is refused with its name, however many others lose little, unless it is named by its id",
        arguments: [
            (there: 4, isRefused: true), (5, true), (3, false), (2, false), (100, true),
        ])
    func tooMuch(there: Int, isRefused: Bool) throws {
        // Of the others a third goes each.
        let states = (0..<40).flatMap { days(3, series: "s\($0)") } + days(there, series: "cut\u{1b}")
        let summary = KeepSummary(try rules(("last", "2")).decide(states, now: .max))
        #expect(summary.series.count == 41 && summary.removed == 40 + there - 2)
        var refusal: KeepError?
        do { try summary.check(plan: "0123", isNamed: false) } catch { refusal = error }
        #expect((refusal != nil) == isRefused && summary.halved.map(\.name.text) == (isRefused ? ["cut\u{1b}"] : []))
        if let refusal {
            #expect(refusal.exitStatus == 4 && refusal.mend?.contains("--plan 0123") == true)
            #expect(refusal.description.contains(/of the series .*cut.* \(\d+ of \d+\)/), "\(refusal.description)")
            #expect(!refusal.description.contains("\u{1b}"))
        }
        #expect(throws: Never.self) { try summary.check(plan: "0123", isNamed: true) }
    }

    @Test("A rule that keeps one of a series is no mistake, however many series lose one by it")
    func oneOfEach() throws {
        let decisions = try rules(("last", "1")).decide((0..<20).flatMap { days(2, series: "s\($0)") }, now: .max)
        #expect(throws: Never.self) { try KeepSummary(decisions).check(plan: "0123", isNamed: false) }
    }

    @Test("Of many series that lose half or more three are named, and the rest are counted")
    func manyHalved() throws {
        let states = (0..<9).flatMap { days(9, series: "s\($0)") }
        let summary = KeepSummary(try rules(("last", "2")).decide(states, now: .max))
        let error = #expect(throws: KeepError.self) { try summary.check(plan: "0", isNamed: false) }
        #expect(error?.description.hasSuffix("(7 of 9), and of 6 more") == true, "\(error?.description ?? "")")
    }

    @Test("What goes of a series' last day does not count: several runs of one day thin out to one")
    func firstDay() throws {
        func states(_ hours: [Int64]) -> [KeepState] {
            hours.enumerated().map {
                KeepState(id: "\($0)", series: "own", time: Self.monday + $1 * 3600, order: UInt64($0))
            }
        }
        func isRefused(_ hours: [Int64]) throws -> Bool {
            let summary = KeepSummary(try rules(("last", "1")).decide(states(hours), now: .max))
            do { try summary.check(plan: "0", isNamed: false) } catch { return true }
            return false
        }
        #expect(try !isRefused([0, 1, 2, 3, 23]))
        // Only those of the first hour are older than a day.
        #expect(try !isRefused([0, 1, 2, 24]))
        #expect(try isRefused([0, 0, 1, 2, 24]))
        #expect(try isRefused([0, 24, 48, 72]))
    }

    @Test("A plan that empties a series is refused even where it is named")
    func empties() {
        let decisions =
            days(1, series: "gone\u{1b}").map { KeepDecision(state: $0, reasons: []) }
            + days(9).map { KeepDecision(state: $0, reasons: [.guarded(.newest)]) }
        let error = #expect(throws: KeepError.self) { try KeepSummary(decisions).check(plan: "0", isNamed: true) }
        #expect(error?.exitStatus == 4 && error?.mend?.contains("holdfast retire") == true)
        #expect(error?.description.contains("\u{1b}") == false)
    }

    @Test("The order in which states are told changes nothing")
    func order() throws {
        let rules = try rules(("daily", "3"), ("monthly", "2"), ("within-weekly", "1m"))
        let states = days(60)
        #expect(rules.decide(states, now: .max) == rules.decide(states.reversed(), now: .max))
        #expect(rules.decide(states, now: .max) == rules.decide(states.shuffled(), now: .max))
    }

    @Test(
        "A machine that was off keeps old days, and one that is silent keeps all that is within: nothing counts from today"
    )
    func silent() throws {
        let states = days(5)
        let later = Self.monday + 3000 * Self.day
        #expect(kept(try rules(("daily", "5")).decide(states, now: later)).count == 5)
        #expect(kept(try rules(("within", "50h")).decide(states, now: later)).count == 3)
        // What is just as old as the span is not within.
        #expect(kept(try rules(("within", "48h")).decide(states, now: later)).count == 2)
    }
}
