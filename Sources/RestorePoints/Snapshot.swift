// A view of the tree that nobody changes, for backups: one instant of a running machine.

public import Platform

/// A folder with the tree's state. It is there as long as this is.
public final class Snapshot {
    /// Where it can be read, by this process alone.
    public let path: BytePath
    private var folder: Descriptor?
    private let end: () -> Void

    init(_ folder: Descriptor, end: @escaping () -> Void = {}) {
        self.folder = folder
        self.end = end
        path = BytePath("/proc/self/fd/\(folder.raw)/.")
    }

    deinit {
        // What is still mounted cannot be destroyed.
        folder = nil
        end()
    }
}

extension ProtectedTree {
    /// The tree as it was at a point, or as it is now; nil where the backend has no snapshots.
    public func snapshot(of point: RestorePoint? = nil) throws -> Snapshot? {
        do {
            if backendKind == .tree { return nil }
            if let point { return try backend.snapshot(of: point.handle) }
            return try hooks.around("backup", root) { try backend.snapshot(of: nil) }
        } catch { throw PointError.wrapping(error) }
    }
}
