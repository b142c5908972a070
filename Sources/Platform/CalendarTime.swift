// The time of a date, for what arrives as text.

internal import Glibc

/// Seconds since 1970 of a date and a time of day in UTC.
/// - Returns: nil for what no calendar has: a thirteenth month, the 30th of February, 24:00:00, a year beyond 0 to 9999. Second 60 is a leap
///   second, and the same as the next minute's first.
public func calendarSeconds(
    year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64
) -> Int64? {
    guard (0...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
        (0...59).contains(minute), (0...60).contains(second)
    else { return nil }
    var parts = tm()
    let asked = Int32(day)  // safe: all are small, see above
    (parts.tm_year, parts.tm_mon, parts.tm_mday) = (Int32(year - 1900), Int32(month - 1), asked)
    let midnight = Int64(timegm(&parts))
    // A day that its month does not have was moved to the next one.
    if parts.tm_mday != asked { return nil }
    return midnight + hour * 3600 + minute * 60 + second
}
