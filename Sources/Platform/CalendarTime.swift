// The calendar in UTC: the time of a date, for what arrives as text, and for what reckons with months.

/// The years 0 to 9999, in seconds since 1970: what a label or a record says beyond that nobody reckons with.
public let calendarRange: ClosedRange<Int64> = -62_167_219_200...253_402_300_799

/// Seconds since 1970 of a date and a time of day in UTC.
/// - Returns: nil for what no calendar has: a thirteenth month, the 30th of February, 24:00:00, a year beyond 0 to 9999. Second 60 is a leap
///   second, and the same as the next minute's first.
public func calendarSeconds(
    year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64
) -> Int64? {
    guard (0...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
        (0...59).contains(minute), (0...60).contains(second)
    else { return nil }
    let first = calendarDays(year: year, month: month, day: 1)
    let next = calendarDays(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
    // A day that its month does not have.
    guard day <= next - first else { return nil }
    let midnight = (first + day - 1) * 86_400
    return midnight + hour * 3600 + minute * 60 + second
}

/// Days since 1970 of a date. A day that its month does not have is one of the months beside it.
/// - Parameters:
///   - year: any with which one can reckon.
///   - month: 1 to 12.
public func calendarDays(year: Int64, month: Int64, day: Int64) -> Int64 {
    // Eras of 400 years that begin with March, so that a leap day is the last of its year.
    let shifted = month <= 2 ? year - 1 : year
    let era = flooredQuotient(shifted, 400)
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}

/// The quotient, rounded down where `/` rounds to zero.
public func flooredQuotient(_ number: Int64, _ divisor: Int64) -> Int64 {
    number / divisor - (number % divisor < 0 ? 1 : 0)
}
