// What a plan of keeping comes to, and whether it is more than anybody can have meant who has not seen it.

public import Images
internal import Platform

public struct KeepSummary: Sendable, Hashable {
    public struct Series: Sendable, Hashable {
        public var name: ExactText
        public var kept: Int
        public var removed: Int
        /// Of what goes, what is less than a day older than the newest: of several runs on one day only one has to stay.
        public var recent = 0

        /// Whether more than half of it goes, apart from its last day.
        var isCut: Bool { removed - recent > kept }
        /// Whether that is more than a series loses that is thinned out every few weeks.
        var isGutted: Bool { isCut && removed - recent > 20 }
    }

    static let lastDay: Int64 = 86_400

    /// By their names.
    public let series: [Series]

    public init(_ decisions: [KeepDecision]) {
        series = Dictionary(grouping: decisions, by: \.state.series).sorted { $0.key < $1.key }.map { name, decisions in
            let kept = decisions.count(where: \.isKept)
            let newest = decisions.map(\.state.ruledTime).max() ?? .min
            return Series(
                name: name, kept: kept, removed: decisions.count - kept,
                recent: decisions.count {
                    !$0.isKept && newest.subtracting(saturating: $0.state.ruledTime) < Self.lastDay
                })
        }
    }

    public var removed: Int { series.reduce(0) { $0 + $1.removed } }
    public var kept: Int { series.reduce(0) { $0 + $1.kept } }

    /// Refuses what a mistyped rule or a wrong clock would do.
    /// - Parameters:
    ///   - plan: the id of what is about to be done.
    ///   - isNamed: whether somebody has seen it and named it by its id.
    /// - Throws: `KeepError`, where a series would be empty, or where more than half of the states of more than a tenth of the series would go, of which
    ///   those of each series' last day do not count; or more than half of one, and more than 20 of it. Of series that lose nothing anybody can
    ///   have made any number.
    public func check(plan: String, isNamed: Bool) throws(KeepError) {
        if let empty = series.first(where: { $0.kept == 0 && $0.removed > 0 }) {
            throw .emptiesSeries(empty.name.text)
        }
        let cut = series.count(where: \.isCut)
        if !isNamed, cut * 10 > series.count(where: { $0.removed > 0 }) || series.contains(where: \.isGutted) {
            throw .removesTooMuch(
                removed: removed, states: removed + kept, cutSeries: cut, series: series.count, plan: plan)
        }
    }
}
