// What is used, where a file system says what is free.

internal import Images

/// The free parts of a volume, in order. They may overlap, and reach beyond its end: who asks trusts none of it.
protocol FreeParts {
    mutating func nextFree() throws -> Range<UInt64>?
}

/// All that lies between free parts, and what is kept whatever is said of it.
struct Complement<Free: FreeParts>: UsedParts {
    private var free: Free
    private let end: UInt64
    /// In order.
    private var kept: ArraySlice<Range<UInt64>>
    /// What is behind a kept part in a free one.
    private var rest: Range<UInt64>?
    /// How far is told.
    private var place: UInt64 = 0

    init(_ free: Free, end: UInt64, keeping kept: [Range<UInt64>] = []) {
        self.free = free
        self.end = end
        self.kept = kept[...]
    }

    mutating func next() throws -> Range<UInt64>? {
        while place < end {
            let gap = try nextGap() ?? end..<end
            let used = place..<gap.lowerBound
            place = gap.upperBound
            if !used.isEmpty { return used }
        }
        return nil
    }

    /// The next part behind `place` that is free and not kept.
    private mutating func nextGap() throws -> Range<UInt64>? {
        while let part = try rest.take() ?? free.nextFree() {
            let start = max(part.lowerBound, place)
            var stop = min(part.upperBound, end)
            if start >= stop { continue }
            while let before = kept.first, before.upperBound <= start { kept.removeFirst() }
            if let next = kept.first, next.lowerBound < stop {
                if next.upperBound < stop { rest = next.upperBound..<stop }
                stop = next.lowerBound
            }
            if start < stop { return start..<stop }
        }
        return nil
    }
}
