// Parts of a tree, for images that hold some of it: what of a tree is read, and what of an image is put back.

/// What is taken of a tree, each part with all that is in it or alone; the folders on the way to it are not taken themselves.
public struct TreeParts: Sendable {
    private let whole: Set<[UInt8]>
    private let alone: Set<[UInt8]>
    private let ways: Set<[UInt8]>

    /// - Parameters:
    ///   - whole: paths below the root of the tree, names joined by `/`, taken with what is in them.
    ///   - alone: folders whose owner, mode, attributes and time alone are taken; empty for the root.
    public init(whole: Set<[UInt8]>, alone: Set<[UInt8]> = []) {
        self.whole = whole
        self.alone = alone
        var ways: Set<[UInt8]> = [[]]
        for path in whole.union(alone) {
            for (index, byte) in path.enumerated() where byte == UInt8(ascii: "/") {
                ways.insert(Array(path[..<index]))
            }
        }
        self.ways = ways
    }

    /// Whether it is a part, or in one that is taken whole.
    public func takes(_ path: [UInt8]) -> Bool {
        if alone.contains(path) || whole.contains(path) { return true }
        if whole.isEmpty { return false }
        return path.indices.contains { path[$0] == UInt8(ascii: "/") && whole.contains(Array(path[..<$0])) }
    }

    /// Whether it is taken, or is on the way to what is.
    public func leadsTo(_ path: [UInt8]) -> Bool { ways.contains(path) || takes(path) }
}
