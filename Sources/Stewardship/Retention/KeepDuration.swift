// A span of the calendar, as restic writes it: `1y5m7d2h`. A month is a month, and not thirty days.

internal import Platform

/// Years, months, days and hours; weeks are seven days each.
public struct KeepDuration: Hashable, Sendable, CustomStringConvertible {
    public var years: Int64 = 0
    public var months: Int64 = 0
    public var days: Int64 = 0
    public var hours: Int64 = 0

    /// More than anybody means, and little enough to reckon with.
    private static let mostOfOne: Int64 = 100_000

    public init(years: Int64 = 0, months: Int64 = 0, days: Int64 = 0, hours: Int64 = 0) {
        (self.years, self.months, self.days, self.hours) = (years, months, days, hours)
    }

    public init(_ text: String) throws(KeepError) {
        var rest = text[...]
        var units: Set<Character> = []
        if rest.isEmpty { throw .badDuration(text, reason: "it is empty") }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            guard !digits.isEmpty else {
                throw .badDuration(text, reason: "a number is missing before \(printable(rest.utf8))")
            }
            guard let unit = rest.popFirst() else { throw .badDuration(text, reason: "\(digits) has no unit") }
            guard let number = Int64(digits), number <= Self.mostOfOne else {
                throw .badDuration(text, reason: "\(digits) is more than \(Self.mostOfOne)")
            }
            // Restic takes the last of two, which nobody sees.
            if !units.insert(unit).inserted { throw .badDuration(text, reason: "it has \(unit) twice") }
            switch unit {
            case "y": years = number
            case "m": months = number
            case "w": days += 7 * number
            case "d": days += number
            case "h": hours = number
            default: throw .badDuration(text, reason: "\(printable(String(unit).utf8)) is no unit")
            }
        }
    }

    /// As restic's `0d`: no rule.
    public var isZero: Bool { self == KeepDuration() }

    /// In restic's order of units, without those that are zero.
    public var description: String {
        [(years, "y"), (months, "m"), (days, "d"), (hours, "h")].filter { $0.0 != 0 }.map { "\($0.0)\($0.1)" }.joined()
    }

    /// The time that lies so far before another one. A day that its month does not have is one of the next month: a month before the
    /// 31st of March is the 31st of February, and so the 3rd of March, as restic reckons.
    func before(_ time: CalendarMoment) -> Int64 {
        let month = (time.year - years) * 12 + time.month - 1 - months
        let first = calendarDays(
            year: flooredQuotient(month, 12), month: month - flooredQuotient(month, 12) * 12 + 1, day: 1)
        return (first + time.day - 1 - days) * 86_400 + time.secondOfDay - hours * 3600
    }
}

/// A time taken apart in UTC.
struct CalendarMoment {
    let seconds: Int64
    let year: Int64
    let month: Int64
    let day: Int64
    let secondOfDay: Int64

    /// - Parameter time: since 1970, from wherever.
    init(_ time: Int64) {
        seconds = min(max(time, calendarRange.lowerBound), calendarRange.upperBound)
        let days = flooredQuotient(seconds, 86_400)
        secondOfDay = seconds - days * 86_400
        // Eras of 400 years that begin with March, so that a leap day is the last of its year.
        let shifted = days + 719_468
        let era = flooredQuotient(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// What the times of one period have in common. A week is that of ISO 8601: it begins on Monday.
    func number(of period: KeepPeriod) -> Int64? {
        switch period {
        case .last: nil
        case .hourly: flooredQuotient(seconds, 3600)
        case .daily: flooredQuotient(seconds, 86_400)
        case .weekly: flooredQuotient(flooredQuotient(seconds, 86_400) + 3, 7)
        case .monthly: year * 12 + month
        case .yearly: year
        }
    }
}
