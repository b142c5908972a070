// When work may begin: days of the week and hours, as the clock on the wall shows them.

internal import Platform

/// What the clock on the wall shows: how far it is ahead of UTC at a time. The machine's own, or one of a test.
public struct WallClock: Sendable {
    /// Seconds ahead of UTC, at so many seconds since 1970.
    let offset: @Sendable (Int64) -> Int64

    public init(offset: @escaping @Sendable (Int64) -> Int64) { self.offset = offset }

    /// The machine's own.
    public static let machine = WallClock { Timestamp(seconds: $0, nanoseconds: 0).secondsAheadOfUTC }

    /// The day since 1970 and the minute of it.
    func day(_ time: Int64) -> (day: Int64, second: Int64) {
        let local = time + offset(time)
        let day = local >= 0 ? local / 86400 : (local - 86399) / 86400
        return (day, local - day * 86400)
    }

    /// When the clock shows a second of a day. Where it is put forward over that, or shows it twice, one of the times beside it.
    func time(day: Int64, second: Int64) -> Int64 {
        let local = day * 86400 + second
        let first = local - offset(local)
        return local - offset(first)
    }
}

/// Days and hours in which work may begin.
public struct Window: Hashable, Sendable {
    /// 0 is Monday. The day is the one on which the hours begin.
    public var days: Set<Int> = Set(0...6)
    /// Seconds of the day. Where the end is not after the beginning, it is of the next day.
    public var from: Int64 = 0
    public var to: Int64 = 86400

    public init() {}

    static let dayNames = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    /// `22:00-05:00`, `Mon-Fri 22:00-05:00`, `Sat,Sun`.
    public init?(_ text: String) {
        let words = text.lowercased().split(separator: " ")
        guard (1...2).contains(words.count) else { return nil }
        var hasHours = false
        for (index, word) in words.enumerated() {
            if let first = word.utf8.first, (0x30...0x39).contains(first) {
                guard !hasHours, let hours = Self.hours(word) else { return nil }
                (from, to) = hours
                hasHours = true
            } else {
                guard index == 0, let days = Self.days(word) else { return nil }
                self.days = days
            }
        }
        if words.count == 2 && !hasHours { return nil }
    }

    private static func hours(_ word: Substring) -> (Int64, Int64)? {
        let ends = word.split(separator: "-", omittingEmptySubsequences: false).map(second)
        guard ends.count == 2, let from = ends[0], let to = ends[1], from < 86400, from != to else { return nil }
        return (from, to)
    }

    /// `05:00`, up to `24:00`.
    private static func second(_ word: Substring) -> Int64? {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2,
            parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let hour = Int64(parts[0]), let minute = Int64(parts[1]), minute < 60, hour * 60 + minute <= 1440
        else { return nil }
        return hour * 3600 + minute * 60
    }

    /// `mon`, `mon-fri`, `sat,sun`.
    private static func days(_ word: Substring) -> Set<Int>? {
        var result: Set<Int> = []
        for part in word.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map {
                dayNames.firstIndex(of: String($0))
            }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else { return nil }
            var day = first
            result.insert(day)
            while day != last {
                day = (day + 1) % 7
                result.insert(day)
            }
        }
        return result
    }

    /// How long it is open each time.
    public var length: Int64 { to > from ? to - from : to + 86400 - from }

    /// Whether it is always open.
    public var isAlways: Bool { days.count == 7 && length == 86400 }

    /// Weekdays are counted from Monday; 1970-01-01 was a Thursday.
    private func isOf(_ day: Int64) -> Bool { days.contains(Int(((day + 3) % 7 + 7) % 7)) }

    /// The opening that a time lies in, or the next one, as what it begins and ends with.
    func opening(at time: Int64, _ clock: WallClock) -> (opens: Int64, closes: Int64) {
        let today = clock.day(time).day
        // The days of yesterday may last until now; a week further on there is one of any day.
        for day in (today - 1)...(today + 8) where isOf(day) {
            let opens = clock.time(day: day, second: from)
            let closes = clock.time(day: to > from ? day : day + 1, second: to)
            if closes > time, closes > opens { return (opens, closes) }
        }
        // No day at all: nobody can have set that.
        return (time, time + length)
    }
}
