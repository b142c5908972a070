// A plan is data: what a switch would do, shown before it is done, with an id by which the very same can be asked for later.

internal import Cryptography
public import Platform

/// What a rollback, an undo or a factory reset is going to do.
public struct Plan: Sendable {
    /// `rollback`, `undo`, `factory-reset`, or `cancel` for a rollback that waits for the next boot.
    public var verb: String
    public var target: RestorePoint
    /// Points that go.
    public var discards: [RestorePoint]
    /// Whether the state that is left stays as a point.
    public var keepsBefore: Bool
    /// What of the state of now is kept in the new one, below the root.
    public var keeps: [BytePath] = []
    /// What stands in the way, or ought to be known.
    public var findings: [Preflight]
    /// The table of points for which it was made.
    var revision: Int
    var tree: String

    /// 16 hexadecimal digits over everything that the plan rests on: another table of points is another plan.
    public var id: String {
        let words =
            [tree, "\(revision)", verb, target.id, "\(keepsBefore)"] + discards.map(\.id)
            + keeps.map { hexadecimal($0.bytes) }
        let bytes = Array(words.joined(separator: "\n").utf8)
        let digest = try? bytes.withUnsafeBytes { try SHA256.digest(of: $0) }
        return hexadecimal(digest?.bytes.prefix(8) ?? [])
    }
}
