// Where on the disk is what the machine calls by a path: below a write filter that covers it, or, while the machine starts, where its `/` is
// mounted by then.

public import Platform

public struct Ground: Sendable, Hashable {
    /// Where `/` is mounted; nil where the machine runs.
    private let start: BytePath?
    /// Whether nothing of the machine runs, and another system looks after it.
    public let isAtRest: Bool

    public static let running = Ground(start: nil, isAtRest: false)

    /// While the machine starts, with its `/` mounted here.
    public static func starting(at root: BytePath) -> Ground { Ground(start: root, isAtRest: false) }

    /// While another system runs on the machine, as its recovery system, with its `/` mounted here.
    public static func resting(at root: BytePath) -> Ground { Ground(start: root, isAtRest: true) }

    public func place(of path: BytePath) -> BytePath {
        guard let start else { return FilterMounts.lower(of: path) ?? path }
        return path == "/" ? start : start.appending(BytePath("/").remainder(of: path))
    }
}
