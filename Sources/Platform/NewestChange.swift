// When something of a tree was changed last, as the times of its files say.

internal import Glibc
public import Reporting

public enum NewestChange {
    /// Whoever waits for that has better things to do.
    private static let patience = Duration.seconds(90)

    /// The newest time of a file; one of the future is a clock that was wrong, and does not count.
    /// - Parameter staying: whether it stays on the file system of the root.
    /// - Returns: nil where there is no file, or where the tree could not be looked at as a whole, or not in reasonable time.
    public static func below(_ root: Descriptor, staying: Bool, stop: Stop) throws -> Timestamp? {
        let device = try root.status().fileSystemNumber
        var rules = TreeWalk.Rules()
        if staying { rules.isBorder = { $0.fileSystemNumber != device } }
        let walk = try TreeWalk(root, rules: rules)
        let deadline = ContinuousClock.now + patience
        let latest = Timestamp.now().seconds + 86_400
        var newest: Timestamp?
        var seen = 0
        while let step = walk.next() {
            seen += 1
            if seen % 1024 == 0 {
                try stop.checkStop()
                if ContinuousClock.now > deadline { return nil }
            }
            switch step {
            case .entry(let entry) where entry.status.kind == .file && entry.status.modified.seconds <= latest:
                if newest.map({ $0 < entry.status.modified }) ?? true { newest = entry.status.modified }
            case .unreadable: return nil
            default: break
            }
        }
        return newest
    }
}
