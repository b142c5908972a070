// Times as people and files read them.

internal import Glibc

extension Timestamp {
    /// `2026-11-20T08:56:14Z`, the proleptic Gregorian calendar in UTC.
    public var text: String {
        // Beyond the years 0 to 9999 no form is agreed upon.
        guard (-62_167_219_200...253_402_300_799).contains(seconds) else { return "@\(seconds)" }
        let day = Int((seconds >= 0 ? seconds : seconds - 86399) / 86400)
        let second = Int(seconds) - day * 86400
        // Years that begin in March put the leap day last; 719468 days lie between 0000-03-01 and 1970-01-01.
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let digits = String(year)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            + "-\(Self.padded(month))-\(Self.padded(dayOfYear - (153 * march + 2) / 5 + 1))"
            + "T\(Self.padded(second / 3600)):\(Self.padded(second / 60 % 60)):\(Self.padded(second % 60))Z"
    }

    /// Reads `2026-11-20T08:56:14Z`; nil for what is no such time.
    public init?(text: String) {
        let digits = text.split(whereSeparator: { "-T:Z".contains($0) }).map { Int64($0) }
        guard text.utf8.count == 20, text.hasSuffix("Z"), digits.count == 6, let year = digits[0],
            let month = digits[1], let day = digits[2], let hour = digits[3], let minute = digits[4],
            let second = digits[5],
            let seconds = calendarSeconds(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        else { return nil }
        self.init(seconds: seconds, nanoseconds: 0)
    }

    /// `2026-11-26 13:39:02 CET`: as the clock on the wall shows it.
    public var localText: String { local("%Y-%m-%d %H:%M:%S %Z") }

    /// As the clock on the wall shows it, in a format of strftime(3).
    public func local(_ format: String) -> String {
        var seconds = time_t(self.seconds)
        var parts = tm()
        var buffer = [CChar](repeating: 0, count: 64)
        // What no calendar has is shown in the one form that knows it.
        guard (-62_167_219_200...253_402_300_799).contains(self.seconds), localtime_r(&seconds, &parts) != nil else {
            return text
        }
        let count = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// How far the clock on the wall is ahead of UTC then.
    public var secondsAheadOfUTC: Int64 {
        var seconds = time_t(self.seconds)
        var parts = tm()
        guard (-62_167_219_200...253_402_300_799).contains(self.seconds), localtime_r(&seconds, &parts) != nil else {
            return 0
        }
        return Int64(parts.tm_gmtoff)
    }

    private static func padded(_ value: some BinaryInteger) -> String { (value < 10 ? "0" : "") + "\(value)" }
}
