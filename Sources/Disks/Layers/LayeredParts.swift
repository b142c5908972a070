// The used parts of a volume that others are in: what it needs for itself, and of each of those what it uses.

internal import Images
internal import Platform

/// A stretch of a volume.
struct Layer: Sendable {
    /// Bytes of the volume.
    var range: Range<UInt64>
    /// Which parts of it are used, from its own beginning on; nil: all.
    var parts: (@Sendable () throws -> any UsedParts)?
}

struct LayeredParts: UsedParts {
    private var layers: ArraySlice<Layer>
    private var open: (parts: any UsedParts, range: Range<UInt64>)?
    private var last: Range<UInt64>?

    /// - Parameter layers: in their order, none over another; what is in none is free.
    init(_ layers: [Layer]) { self.layers = layers[...] }

    mutating func next() throws -> Range<UInt64>? {
        while let part = try nextPiece() {
            guard let before = last else {
                last = part
                continue
            }
            if before.upperBound == part.lowerBound {
                last = before.lowerBound..<part.upperBound
            } else {
                last = part
                return before
            }
        }
        return last.take()
    }

    private mutating func nextPiece() throws -> Range<UInt64>? {
        while true {
            if var current = open {
                let part = try current.parts.next()
                open = part == nil ? nil : current
                guard let part else { continue }
                let start = current.range.lowerBound.adding(saturating: part.lowerBound)
                let end = min(current.range.lowerBound.adding(saturating: part.upperBound), current.range.upperBound)
                if start < end { return start..<end }
                continue
            }
            guard let layer = layers.popFirst() else { return nil }
            guard let parts = layer.parts else {
                if layer.range.isEmpty { continue }
                return layer.range
            }
            open = (try parts(), layer.range)
        }
    }
}
