// What differs between two trees.

internal import Cryptography
public import Images
public import Platform
internal import Reporting

/// One entry that is not the same in two trees.
public struct Difference: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        case added, removed, changed
        /// The content is the same; owner, mode, time, attributes or flags are not.
        case metadata
        /// It is in the old tree, below a folder over which another file system is mounted now: nobody looked at what is there.
        case uncompared
    }
    public var kind: Kind
    public var path: BytePath
    /// The folder on this machine that was compared, where the path is absolute; nil where that is below the tree.
    public internal(set) var source: BytePath?

    /// Whether one of these selects it, by a name or by a path: below the folder that was compared, and with a slash in front also on the machine.
    public func isExpected(by patterns: [PathPattern]) -> Bool {
        patterns.contains { pattern in
            pattern.selects(path) || !pattern.isAbsolute && (source.map { pattern.selects(path, of: $0) } ?? false)
        }
    }

    /// How trees are compared.
    struct Comparison {
        /// Whether every file that is in both is read, and attributes: size and time are not trusted.
        var content: Bool
        /// Whether another time alone is none.
        var ignoresTimes = false
        /// Whether the new tree is in use: a file that goes away while it is looked at is another than it was.
        var isLive = false
        /// Whether what the old tree has below a border of the new one is told.
        var tellsUncompared = false
    }

    /// Compares two trees by kinds, owners, modes, sizes and times.
    /// - Parameter content: reads every file that is in both, and attributes: size and time are not trusted.
    static func between(
        _ old: any TreeListing, _ new: any TreeListing, content: Bool, progress: Progress
    ) throws -> [Difference] {
        try between(old, new, Comparison(content: content), progress)
    }

    static func between(
        _ old: any TreeListing, _ new: any TreeListing, _ comparison: Comparison, _ progress: Progress
    ) throws -> [Difference] {
        var result: [Difference] = []
        var (left, right) = (0, 0)
        let (before, after) = (old.entries, new.entries)
        while left < before.count || right < after.count {
            try progress.checkStop()
            if right == after.count || left < before.count && isBefore(before[left].path, after[right].path) {
                result.append(Difference(kind: .removed, path: before[left].path))
                left += 1
            } else if left == before.count || isBefore(after[right].path, before[left].path) {
                result.append(Difference(kind: .added, path: after[right].path))
                right += 1
            } else {
                let (a, b) = (before[left], after[right])
                if let kind = try compare(a, in: old, b, in: new, comparison) {
                    result.append(Difference(kind: kind, path: a.path))
                }
                left += 1
                right += 1
                if a.isBorder || b.isBorder || a.isUnseen || b.isUnseen {
                    // What lies below is not seen in one of them: something is mounted there, or nobody could look.
                    while left < before.count, before[left].path.isBelow(a.path) {
                        if b.isBorder, comparison.tellsUncompared {
                            result.append(Difference(kind: .uncompared, path: before[left].path))
                        }
                        left += 1
                    }
                    while right < after.count, after[right].path.isBelow(a.path) { right += 1 }
                }
            }
        }
        return result
    }

    /// The order of a walk: by components, so that a folder's entries come before its next sibling.
    private static func isBefore(_ left: BytePath, _ right: BytePath) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes) {
            ($0 == UInt8(ascii: "/") ? 0 : $0) < ($1 == UInt8(ascii: "/") ? 0 : $1)
        }
    }

    private static func compare(
        _ a: ListedEntry, in old: any TreeListing, _ b: ListedEntry, in new: any TreeListing, _ comparison: Comparison
    ) throws -> Kind? {
        if a.isBorder || b.isBorder { return a.kind == b.kind ? nil : .changed }
        // What was not seen is not known to be the same.
        if a.isUnseen || b.isUnseen { return .changed }
        if a.kind != b.kind || a.target != b.target || a.nodeMajor != b.nodeMajor || a.nodeMinor != b.nodeMinor {
            return .changed
        }
        if a.kind == .file {
            if a.size != b.size { return .changed }
            // A time that differs says nothing of the content, and one that is the same proves nothing.
            if comparison.content || a.modified != b.modified {
                let before = try ContentDigest.of(a, in: old)
                do { if try before != ContentDigest.of(b, in: new) { return .changed } } catch let error as SystemError
                {
                    guard comparison.isLive else { throw error }
                    return .changed
                }
            }
        }
        if a.mode != b.mode || a.user != b.user || a.group != b.group { return .metadata }
        if a.modified != b.modified, !comparison.ignoresTimes { return .metadata }
        if let x = a.attributes, let y = b.attributes, x != y { return .metadata }
        if let x = a.flags, let y = b.flags, x != y { return .metadata }
        return nil
    }
}

/// The hash of a file's content, the same whether zeros are stored or are a hole.
private final class ContentDigest {
    private static let blockLength = 1 << 16
    private static let zeros = [UInt8](repeating: 0, count: blockLength)
    private var stream: SHA256Stream?
    private var block: [UInt8] = []
    private var number: UInt64 = 0

    private init() throws {
        stream = try SHA256Stream()
        block.reserveCapacity(Self.blockLength)
    }

    static func of(_ entry: ListedEntry, in tree: any TreeListing) throws -> Digest {
        let digest = try ContentDigest()
        try tree.readContent(of: entry) { bytes, length in
            if let bytes { try digest.add(bytes) } else { try digest.add(zeros: length) }
        }
        return try digest.finish()
    }

    private func add(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, Self.blockLength - block.count)
            block.append(contentsOf: rest.prefix(count))
            rest = rest.dropFirst(count)
            if block.count == Self.blockLength { try endBlock() }
        }
    }

    private func add(zeros length: UInt64) throws {
        var left = length
        while left > 0 {
            if block.isEmpty, left >= UInt64(Self.blockLength) {
                // Whole blocks of zeros have no part in the hash; their number tells where the next one stands.
                number += left / UInt64(Self.blockLength)
                left %= UInt64(Self.blockLength)
                continue
            }
            let count = min(left, UInt64(Self.blockLength - block.count))
            block.append(contentsOf: repeatElement(0, count: Int(count)))
            left -= count
            if block.count == Self.blockLength { try endBlock() }
        }
    }

    private func endBlock() throws {
        if block != Self.zeros {
            var place: [UInt8] = []
            for shift in stride(from: 0, to: 64, by: 8) {
                place.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
            }
            try place.withUnsafeBytes { (bytes) throws(CryptographyError) in try stream?.update(bytes) }
            try block.withUnsafeBytes { (bytes) throws(CryptographyError) in try stream?.update(bytes) }
        }
        number += 1
        block.removeAll(keepingCapacity: true)
    }

    private func finish() throws -> Digest {
        if !block.isEmpty { try endBlock() }
        guard let stream = stream.take() else { preconditionFailure("a digest is finished once") }
        return try stream.finish()
    }
}
