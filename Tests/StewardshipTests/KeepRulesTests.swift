// Rules as they are written: restic's words, and a sentence that says what is allowed where there is a mistake.

import Testing

@testable import Stewardship

@Suite struct KeepRulesTests {
    @Test(
        "A span is written as restic's, with weeks beside that, and shown in restic's form",
        arguments: [
            ("30d", "30d", 0, 0, 30, 0), ("1y5m7d2h", "1y5m7d2h", 1, 5, 7, 2), ("2w", "14d", 0, 0, 14, 0),
            ("1w2d", "9d", 0, 0, 9, 0), ("2h1y", "1y2h", 1, 0, 0, 2), ("0d", "", 0, 0, 0, 0),
            ("100000h", "100000h", 0, 0, 0, 100_000),
        ] as [(String, String, Int64, Int64, Int64, Int64)])
    func duration(text: String, shown: String, years: Int64, months: Int64, days: Int64, hours: Int64) throws {
        let duration = try KeepDuration(text)
        #expect(duration == KeepDuration(years: years, months: months, days: days, hours: hours))
        #expect(duration.description == shown && duration.isZero == shown.isEmpty)
    }

    @Test(
        "What is no span is refused with the reason and with what is allowed",
        arguments: [
            ("", "it is empty"), ("30", "30 has no unit"), ("d", "a number is missing before d"),
            ("1d2", "2 has no unit"), ("-1d", "a number is missing before -1d"), ("1.5d", ". is no unit"),
            ("1d1d", "it has d twice"), ("3M", "M is no unit"), ("100001d", "100001 is more than 100000"),
            ("99999999999999999999y", "99999999999999999999 is more than 100000"), ("1 d", "is no unit"),
            ("٣d", "a number is missing before"), ("unlimited", "a number is missing before unlimited"),
        ])
    func badDuration(text: String, reason: String) {
        let error = #expect(throws: KeepError.self) { try KeepDuration(text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.mend?.contains("30d, 2w, 1y5m7d2h") == true && error?.exitStatus == 2)
    }

    @Test(
        "A number of states is a whole one, 0 for none, or unlimited",
        arguments: [("0", nil), ("7", "7"), ("unlimited", "unlimited")])
    func count(text: String, shown: String?) throws {
        var rules = KeepRules()
        try rules.set("daily", to: text)
        #expect(rules.description == (shown.map { "--keep-daily \($0)" } ?? ""))
        #expect(rules.isEmpty == (shown == nil))
    }

    @Test(
        "What is no number of states is refused with what is allowed",
        arguments: ["", "-1", "+1", "1.5", "7d", "all", "Unlimited", "99999999999999999999", "１", "7\u{1b}[2J"])
    func badCount(text: String) {
        for period in KeepPeriod.allCases {
            var rules = KeepRules()
            let error = #expect(throws: KeepError.self) { try rules.set(period.rawValue, to: text) }
            #expect(error?.mend == "give a whole number from 0 on, or `unlimited`" && error?.exitStatus == 2)
            #expect(error?.description.contains("\u{1b}") == false && rules.isEmpty)
        }
    }

    @Test(
        "An empty tag is refused, and so is a rule that is none",
        arguments: [("tag", "a,,b"), ("tag", ""), ("tag", ",a")])
    func badTags(word: String, value: String) {
        var rules = KeepRules()
        #expect(throws: KeepError.badTags(value)) { try rules.set(word, to: value) }
    }

    @Test(
        "A word that names no rule is refused with those that do",
        arguments: ["", "weeks", "Daily", "within-last", "within-", "withindaily", "within-secondly", "tags"])
    func unknown(word: String) {
        var rules = KeepRules()
        let error = #expect(throws: KeepError.unknownRule(word)) { try rules.set(word, to: "1") }
        #expect(error?.mend?.contains("daily, weekly") == true && error?.exitStatus == 2)
    }

    @Test("Every word of a rule is taken, and shown as it would be typed")
    func words() throws {
        for word in KeepRules.words {
            var rules = KeepRules()
            let value = word == "tag" ? "a,b" : word.hasPrefix("within") ? "1m" : "3"
            try rules.set(word, to: value)
            #expect(rules.description == "--keep-\(word) \(value)" && !rules.isEmpty)
        }
    }

    @Test(
        "A month before the end of a longer one is in the next month, as the calendar of restic has it",
        arguments: [
            // 2025-03-31, 2024-03-31, 2024-02-29, 2024-01-01 00:00:00 UTC, 1969-12-31 23:59:59
            (1_743_379_200, KeepDuration(months: 1), 1_740_960_000),  // 2025-03-03
            (1_711_843_200, KeepDuration(months: 1), 1_709_337_600),  // 2024-03-02
            (1_709_164_800, KeepDuration(years: 1), 1_677_628_800),  // 2023-03-01
            (1_704_067_200, KeepDuration(days: 1, hours: 1), 1_703_977_200),
            (-1, KeepDuration(years: 1), -31_536_001),
        ] as [(Int64, KeepDuration, Int64)])
    func monthEnds(time: Int64, span: KeepDuration, expected: Int64) {
        #expect(span.before(CalendarMoment(time)) == expected)
    }

    @Test(
        "A time that no calendar has is as good as the end of the calendar, and traps nothing",
        arguments: [Int64.min, .max, -1 << 40, 1 << 60])
    func hostileTime(time: Int64) throws {
        var rules = KeepRules()
        for word in KeepRules.words where word != "tag" {
            try rules.set(word, to: word.hasPrefix("within") ? "100000y100000m" : "1")
        }
        let states = [
            KeepState(id: "a", series: "s", time: time), KeepState(id: "b", series: "s", time: 0, storeTime: time),
            KeepState(id: "c", series: "s", time: time, storeTime: 0),
        ]
        for now in [Int64.min, 0, .max] { #expect(rules.decide(states, now: now).count == 3) }
    }
}
