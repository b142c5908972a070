// Patterns of people: which paths to leave out, which to restore.

internal import Glibc
internal import Platform

/// A shell pattern. With a slash it is compared with the whole path below the source, where `*` stays within one name; without
/// one, with each name. What it selects includes everything below.
public struct PathPattern: Sendable, Hashable, CustomStringConvertible {
    let bytes: [UInt8]
    private let isPath: Bool

    public init(_ pattern: [UInt8]) {
        var trimmed = pattern[...]
        isPath = trimmed.dropLast().contains(UInt8(ascii: "/"))
        while trimmed.first == UInt8(ascii: "/") { trimmed.removeFirst() }
        while trimmed.last == UInt8(ascii: "/") { trimmed.removeLast() }
        bytes = Array(trimmed)
    }

    public var description: String { printable(bytes) }

    /// Whether it selects this very entry, given its path below the source and its name.
    func matches(path: [UInt8], name: [UInt8]) -> Bool {
        withNullTerminated(bytes) { pattern in
            withNullTerminated(isPath ? path : name) { fnmatch(pattern, $0, FNM_PATHNAME) == 0 }
        }
    }
}
