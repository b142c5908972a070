// Sums of numbers from outside. Sizes can be anything: three sparse files of nearly 2^63 bytes are three files. What people are shown
// stops at the largest number there is, and nothing traps.

extension FixedWidthInteger {
    /// The sum, or the number nearest to it.
    public func adding(saturating other: Self) -> Self {
        let (sum, isBeyond) = addingReportingOverflow(other)
        return isBeyond ? (other < 0 ? .min : .max) : sum
    }

    /// Subtracts; what would be below the smallest number, or above the largest, is that.
    public func subtracting(saturating other: Self) -> Self {
        let (result, isOver) = subtractingReportingOverflow(other)
        return isOver ? (other > 0 ? .min : .max) : result
    }

    public mutating func add(saturating other: Self) { self = adding(saturating: other) }

    /// The product of numbers that are not negative, or the largest there is.
    public func multiplied(saturating other: Self) -> Self {
        let (product, isBeyond) = multipliedReportingOverflow(by: other)
        return isBeyond ? .max : product
    }
}

extension Sequence {
    public func saturatingSum<Number: FixedWidthInteger>(of number: (Element) -> Number) -> Number {
        reduce(0) { $0.adding(saturating: number($1)) }
    }
}
