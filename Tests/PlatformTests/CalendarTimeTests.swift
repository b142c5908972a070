// A date that arrives as text is the second that it names, or none.

import Glibc
import Platform
import Testing

@Suite struct CalendarTimeTests {
    @Test("Every second's date gives that second again")
    func roundTrip() {
        var generator = SystemRandomNumberGenerator()
        let ends: [Int64] = [-62_167_219_200, -1, 0, 951_782_399, 951_782_400, 4_107_542_399, 253_402_300_799]
        for second in ends + (0..<2000).map({ _ in Int64.random(in: ends[0]...ends[6], using: &generator) }) {
            var time = time_t(second)
            var parts = tm()
            gmtime_r(&time, &parts)
            let found = calendarSeconds(
                year: Int64(parts.tm_year) + 1900, month: Int64(parts.tm_mon) + 1, day: Int64(parts.tm_mday),
                hour: Int64(parts.tm_hour), minute: Int64(parts.tm_min), second: Int64(parts.tm_sec))
            #expect(found == second)
        }
    }

    @Test(
        "What no calendar has is no time",
        arguments: [
            [2026, 0, 1, 0, 0, 0], [2026, 13, 1, 0, 0, 0], [2026, 2, 29, 0, 0, 0], [2026, 2, 30, 0, 0, 0],
            [2026, 4, 31, 0, 0, 0], [2026, 1, 0, 0, 0, 0], [2026, 1, 32, 0, 0, 0], [2026, 1, 1, 24, 0, 0],
            [2026, 1, 1, 0, 60, 0], [2026, 1, 1, 0, 0, 61], [2026, 1, 1, -1, 0, 0], [10000, 1, 1, 0, 0, 0],
            [-1, 1, 1, 0, 0, 0], [.max, .max, .max, .max, .max, .max], [.min, .min, .min, .min, .min, .min],
        ] as [[Int64]])
    func none(_ parts: [Int64]) {
        let found = calendarSeconds(
            year: parts[0], month: parts[1], day: parts[2], hour: parts[3], minute: parts[4], second: parts[5])
        #expect(found == nil)
    }

    @Test("A leap second is the next minute's first")
    func leapSecond() {
        let found = calendarSeconds(year: 2016, month: 12, day: 31, hour: 23, minute: 59, second: 60)
        #expect(found == calendarSeconds(year: 2017, month: 1, day: 1, hour: 0, minute: 0, second: 0))
    }
}
