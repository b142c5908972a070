// What is used, where a file system has a bit or an entry for each unit of it.

internal import Platform

/// Units of one size that are used or not, in their order, with what comes before and behind them.
struct UnitRuns {
    private let first: UInt64
    private let unit: UInt64
    private let end: UInt64
    /// How many units have been told of.
    private var count: UInt64 = 0
    /// What is used and not given out yet.
    private var open: Range<UInt64>?
    private var done: Range<UInt64>?

    /// - Parameters:
    ///   - first: where the first unit begins; what is before is used.
    ///   - end: of the volume.
    init(first: UInt64, unit: UInt64, end: UInt64) {
        self.first = min(first, end)
        self.unit = unit
        self.end = end
        open = first > 0 ? 0..<self.first : nil
    }

    /// Tells of the next units, which are alike.
    mutating func add(_ units: UInt64, isUsed: Bool) {
        let start = place(count)
        count.add(saturating: units)
        if isUsed { use(start..<place(count)) }
    }

    /// All units were told of: what is behind them is used.
    mutating func finish() {
        let start = place(count)
        if start < end { use(start..<end) }
    }

    /// A part that nothing will be added to. To be asked after each `add`.
    mutating func takeFinished() -> Range<UInt64>? { done.take() }

    /// The part that is left after `finish`.
    mutating func takeLast() -> Range<UInt64>? { open.take() }

    private func place(_ unit: UInt64) -> UInt64 {
        min(first.adding(saturating: unit.multiplied(saturating: self.unit)), end)
    }

    private mutating func use(_ range: Range<UInt64>) {
        if range.isEmpty { return }
        if let before = open, before.upperBound == range.lowerBound {
            open = before.lowerBound..<range.upperBound
        } else {
            done = open
            open = range
        }
    }
}
