// The rules of keeping, with restic's words: what is said with `--keep-daily 7` on a command line, or by a job's table.

internal import Platform

/// What rules count: each state, or the last of an hour, a day, an ISO week, a month or a year, in UTC.
public enum KeepPeriod: String, CaseIterable, Sendable {
    case last, hourly, daily, weekly, monthly, yearly
}

public enum KeepCount: Hashable, Sendable, CustomStringConvertible {
    /// So many periods that have a state; 0: there is no such rule.
    case newest(UInt64)
    case unlimited

    public init(_ text: String) throws(KeepError) {
        if text == "unlimited" {
            self = .unlimited
        } else if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(text) {
            self = .newest(number)
        } else {
            throw .badCount(text)
        }
    }

    public var description: String {
        switch self {
        case .newest(let number): "\(number)"
        case .unlimited: "unlimited"
        }
    }
}

/// All of them hold at once: what one of them keeps is kept.
public struct KeepRules: Hashable, Sendable, CustomStringConvertible {
    /// Without those of 0.
    public private(set) var counts: [KeepPeriod: KeepCount] = [:]
    /// What lies so far back from the newest; `.last` stands for all of that.
    public private(set) var within: [KeepPeriod: KeepDuration] = [:]
    /// One of these lists is to be had as a whole.
    public private(set) var tags: [[String]] = []

    public init() {}

    public var isEmpty: Bool { counts.isEmpty && within.isEmpty && tags.isEmpty }

    /// The words that name a rule: `daily` of `--keep-daily`.
    public static let words =
        KeepPeriod.allCases.map(\.rawValue)
        + KeepPeriod.allCases.map { $0 == .last ? "within" : "within-\($0.rawValue)" } + ["tag"]

    /// Takes one rule as it is written.
    /// - Parameters:
    ///   - word: one of `words`.
    ///   - value: a number or `unlimited`, a duration, or tags with commas between them; tags may come several times.
    public mutating func set(_ word: String, to value: String) throws(KeepError) {
        if let period = KeepPeriod(rawValue: word) {
            let count = try KeepCount(value)
            counts[period] = count == .newest(0) ? nil : count
        } else if word == "within" || word.hasPrefix("within-") {
            let period = word == "within" ? .last : KeepPeriod(rawValue: String(word.dropFirst("within-".count)))
            guard let period, word == "within" || period != .last else { throw .unknownRule(word) }
            let duration = try KeepDuration(value)
            within[period] = duration.isZero ? nil : duration
        } else if word == "tag" {
            let list = value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            if list.contains("") { throw .badTags(value) }
            tags.append(list)
        } else {
            throw .unknownRule(word)
        }
    }

    /// As they would be typed.
    public var description: String {
        let counted = KeepPeriod.allCases.compactMap { period in
            counts[period].map { "--keep-\(period.rawValue) \($0)" }
        }
        let spans = KeepPeriod.allCases.compactMap { period in
            within[period].map { "--keep-within\(period == .last ? "" : "-\(period.rawValue)") \($0)" }
        }
        return (counted + spans + tags.map { "--keep-tag \(printable($0.joined(separator: ",").utf8))" })
            .joined(separator: " ")
    }
}
