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

        /// What goes of it apart from its last day.
        var old: Int { removed - recent }
        /// Whether half or more of it goes, apart from its last day. One that goes alone is what a rule that keeps one does every time.
        public var isHalved: Bool { old > 1 && old >= kept }
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

    /// The series of which half or more goes.
    public var halved: [Series] { series.filter(\.isHalved) }

    /// Refuses what a mistyped rule or a wrong clock would do.
    /// - Parameters:
    ///   - plan: the id of what is about to be done.
    ///   - isNamed: whether somebody has seen it and named it by its id.
    /// - Throws: `KeepError`, where a series would be empty, or where half or more would go of one series. Neither what goes of each series'
    ///   last day counts, nor one state alone.
    public func check(plan: String, isNamed: Bool) throws(KeepError) {
        if let empty = series.first(where: { $0.kept == 0 && $0.removed > 0 }) {
            throw .emptiesSeries(empty.name.text)
        }
        let halved = halved
        if !isNamed, !halved.isEmpty {
            throw .removesTooMuch(removed: removed, states: removed + kept, halved: halved, plan: plan)
        }
    }
}
