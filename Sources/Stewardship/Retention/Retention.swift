// Which states are kept, and why. It knows nothing of stores and points: what is to be decided on is told, and what comes of it is carried out
// elsewhere.
//
// The words and their meaning are restic's (doc/060_forget.rst): rules are joined by OR, the last state of a period stands for it, N counts
// periods that have one, the oldest state is kept while a rule is not full, and `within` reaches back from the newest. The guards are ours.

public import Images
internal import Platform

/// What keeps a state whatever the rules say.
public enum KeepGuard: String, CaseIterable, Sendable {
    case newest = "newest of its series"
    case proven = "newest that was proven"
    case pinned
    case factory = "factory point"
    case standing = "the tree stands on it"
    case undo = "undo returns to it"
    case trial = "a trial returns to it"
    case onTrial = "it is on trial"
    /// Nothing was said of what is to go.
    case noRule = "no rule is given"
}

/// A point or an image, as far as rules ask for it.
public struct KeepState: Sendable, Hashable {
    /// What the caller knows it by.
    public var id: String
    /// What belongs together: each series is decided on its own.
    public var series: ExactText
    /// As whoever made it says, in seconds since 1970.
    public var time: Int64
    /// As the place says where it is; nil: there is no such clock.
    public var storeTime: Int64?
    /// The place in its series where times are the same, and what `latest` goes by.
    public var order: UInt64
    public var tags: Set<String>
    /// Whether its time may be made up: then it pushes no other out.
    public var isDoubtful = false
    /// Whether it was restored or read as a whole, and was right.
    public var isProven: Bool
    /// What keeps it for reasons that the rules do not know.
    public var guards: Set<KeepGuard>

    public init(
        id: String, series: String, time: Int64, storeTime: Int64? = nil, order: UInt64 = 0, tags: Set<String> = [],
        isProven: Bool = false, guards: Set<KeepGuard> = []
    ) {
        self.id = id
        self.series = ExactText(series)
        self.time = time
        self.storeTime = storeTime
        self.order = order
        self.tags = tags
        self.isProven = isProven
        self.guards = guards
    }

    /// More than clocks that are kept differ.
    private static let mostOff: Int64 = 86_400

    /// Whether its maker's clock was so far off that the store's counts.
    public var isTimedByStore: Bool {
        guard let storeTime else { return false }
        let (difference, isBeyond) = time.subtractingReportingOverflow(storeTime)
        return isBeyond || !(-Self.mostOff...Self.mostOff).contains(difference)
    }

    /// The time that rules go by.
    public var ruledTime: Int64 { isTimedByStore ? storeTime ?? time : time }
}

public enum KeepReason: Hashable, Sendable, CustomStringConvertible {
    /// In restic's words: `daily snapshot`, `within 30d`.
    case rule(String)
    case guarded(KeepGuard)

    public var description: String {
        switch self {
        case .rule(let words): words
        case .guarded(let guarded): guarded.rawValue
        }
    }
}

public struct KeepDecision: Sendable, Hashable {
    public var state: KeepState
    /// None: it goes.
    public var reasons: [KeepReason]

    public var isKept: Bool { !reasons.isEmpty }
}

extension KeepRules {
    /// Decides on all of these, each series on its own.
    /// - Parameter now: what is later than this is of a clock that was wrong, and nothing reaches back from it.
    /// - Returns: series by series, the newest first.
    public func decide(_ states: [KeepState], now: Int64) -> [KeepDecision] {
        Dictionary(grouping: states, by: \.series).sorted { $0.key < $1.key }
            .flatMap { decideSeries($0.value, now: now) }
    }

    /// Whoever can write may add states of any time, which fill the rules. What would stay without those of a doubtful time stays with them.
    private func decideSeries(_ states: [KeepState], now: Int64) -> [KeepDecision] {
        let decisions = decideAll(states, now: now)
        let certain = states.filter { !$0.isDoubtful }
        if certain.count == states.count || certain.isEmpty { return decisions }
        let kept = Dictionary(decideAll(certain, now: now).map { ($0.state.id, $0.reasons) }) { first, _ in first }
        return decisions.map { decision in
            var decision = decision
            if !decision.isKept { decision.reasons = kept[decision.state.id] ?? [] }
            return decision
        }
    }

    private func decideAll(_ states: [KeepState], now: Int64) -> [KeepDecision] {
        let states = states.sorted { left, right in
            if left.ruledTime != right.ruledTime { return left.ruledTime > right.ruledTime }
            return left.order != right.order ? left.order > right.order : left.id > right.id
        }
        var rules = RunningRules(self, newest: states.first { $0.ruledTime < now }?.ruledTime)
        let guards = Self.guards(states, now: now)
        return states.indices.map { index in
            let state = states[index]
            if isEmpty { return KeepDecision(state: state, reasons: [.guarded(.noRule)]) }
            let ruled = rules.reasons(state, isOldest: index == states.count - 1).map(KeepReason.rule)
            let held = KeepGuard.allCases.filter { state.guards.contains($0) || guards[index].contains($0) }
            return KeepDecision(state: state, reasons: ruled + held.map(KeepReason.guarded))
        }
    }

    /// What keeps a state for its place in the series.
    private static func guards(_ states: [KeepState], now: Int64) -> [Set<KeepGuard>] {
        var guards = [Set<KeepGuard>](repeating: [], count: states.count)
        // By its time, and by the number that `latest` goes by: an image of a wrong clock is no reason to lose either.
        let inTime = states.firstIndex { $0.ruledTime <= now } ?? states.startIndex
        let last = states.indices.max { states[$0].order < states[$1].order } ?? inTime
        for index in [inTime, states[last].order > states[inTime].order ? last : inTime] where index < states.count {
            guards[index].insert(.newest)
        }
        if let proven = states.firstIndex(where: \.isProven) { guards[proven].insert(.proven) }
        return guards
    }
}

/// The rules on their way from the newest state of a series to the oldest.
private struct RunningRules {
    private let rules: KeepRules
    /// What later states than this are within, of each span.
    private var bounds: [KeepPeriod: Int64] = [:]
    /// What is left of each count.
    private var left: [KeepPeriod: KeepCount]
    /// The period that was counted last.
    private var counted: [KeepPeriod: Int64] = [:]
    private var spanned: [KeepPeriod: Int64] = [:]

    /// - Parameter newest: what `within` reaches back from; nil: everything is of a wrong clock, and within.
    init(_ rules: KeepRules, newest: Int64?) {
        self.rules = rules
        left = rules.counts
        for (period, span) in rules.within {
            bounds[period] = newest.map { span.before(CalendarMoment($0)) } ?? .min
        }
    }

    /// In restic's order: tags, the span of all, counts, spans of periods.
    mutating func reasons(_ state: KeepState, isOldest: Bool) -> [String] {
        let moment = CalendarMoment(state.ruledTime)
        var reasons = rules.tags.filter { $0.allSatisfy(state.tags.contains) }.map {
            "has tags [\($0.joined(separator: ", "))]"
        }
        if let span = rules.within[.last], isWithin(moment, .last) { reasons.append("within \(span)") }
        for period in KeepPeriod.allCases {
            guard let rest = left[period], rest != .newest(0) else { continue }
            guard let words = Self.next(moment, period, &counted, isOldest) else { continue }
            if case .newest(let number) = rest { left[period] = .newest(number - 1) }
            reasons.append("\(words) snapshot")
        }
        for period in KeepPeriod.allCases where period != .last {
            guard let span = rules.within[period], isWithin(moment, period) else { continue }
            guard let words = Self.next(moment, period, &spanned, isOldest) else { continue }
            reasons.append("\(words) within \(span)")
        }
        return reasons
    }

    private func isWithin(_ moment: CalendarMoment, _ period: KeepPeriod) -> Bool {
        bounds[period].map { moment.seconds > $0 } ?? false
    }

    /// - Returns: what the state is to the period: its last one, or the oldest of all; nil: neither.
    private static func next(
        _ moment: CalendarMoment, _ period: KeepPeriod, _ seen: inout [KeepPeriod: Int64], _ isOldest: Bool
    ) -> String? {
        let number = moment.number(of: period)
        let isNew = number == nil || seen[period] != number
        guard isNew || isOldest else { return nil }
        seen[period] = number
        return isNew ? period.rawValue : "oldest \(period.rawValue)"
    }
}
