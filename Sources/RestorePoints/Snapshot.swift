// A view of the tree that nobody changes, for backups: one instant of a running machine.

internal import Glibc
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

    /// Whether a name is that of a view of a backup that runs no more: one that was killed leaves it to the next change of a point.
    static func isLeft(view name: String, prefix: String) -> Bool {
        guard name.hasPrefix(prefix), let process = Int32(name.dropFirst(prefix.count)) else { return false }
        return process == getpid() || !exists(BytePath("/proc/\(process)"))
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
            return try hooks.around("backup", root, progress, findings) { try backend.snapshot(of: nil) }
        } catch { throw PointError.wrapping(error) }
    }
}
