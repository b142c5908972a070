// Patterns of people: which paths to leave out, which to restore.

internal import Glibc
public import Platform

/// A shell pattern. With a slash it is compared with the whole path below the source, where `*` stays within one name; without
/// one, with each name. What it selects includes everything below.
public struct PathPattern: Sendable, Hashable, CustomStringConvertible {
    let bytes: [UInt8]
    private let isPath: Bool
    /// Whether it begins with a slash: then it may be meant from the root of the machine on.
    public let isAbsolute: Bool
    /// The only source that it is meant for; nil: each.
    let source: BytePath?

    public init(_ pattern: [UInt8], in source: BytePath? = nil) {
        self.source = source
        var trimmed = pattern[...]
        isPath = trimmed.dropLast().contains(UInt8(ascii: "/"))
        isAbsolute = trimmed.first == UInt8(ascii: "/")
        while trimmed.first == UInt8(ascii: "/") { trimmed.removeFirst() }
        while trimmed.last == UInt8(ascii: "/") { trimmed.removeLast() }
        bytes = Array(trimmed)
    }

    /// Patterns are compared below the sources of an image. Who types the whole path of something in one of them means that.
    public static func typed(_ bytes: [UInt8], below sources: [BytePath]) -> [PathPattern] {
        let own = sources.filter { BytePath(bytes).isBelow($0) }
        if own.isEmpty { return [PathPattern(bytes)] }
        return own.map { PathPattern([UInt8(ascii: "/")] + $0.remainder(of: BytePath(bytes)), in: $0) }
    }

    public var description: String { printable(bytes) }

    /// Whether it selects a path below a source, by itself or with a folder above it.
    public func selects(_ path: BytePath) -> Bool {
        var whole: [UInt8] = []
        for name in path.components {
            if !whole.isEmpty { whole.append(UInt8(ascii: "/")) }
            whole += name
            if matches(path: whole, name: Array(name)) { return true }
        }
        return false
    }

    /// Whether it selects what this source has at a path on the machine: what a backup of the source leaves out for it.
    public func selects(_ path: BytePath, of source: BytePath) -> Bool {
        (self.source == nil || self.source == source) && selects(BytePath(Array(source.remainder(of: path))))
    }

    /// Whether it selects this very entry of a source.
    func matches(path: [UInt8], name: [UInt8], in source: BytePath) -> Bool {
        (self.source == nil || self.source == source) && matches(path: path, name: name)
    }

    /// Whether it selects this very entry, given its path below the source and its name.
    func matches(path: [UInt8], name: [UInt8]) -> Bool {
        withNullTerminated(bytes) { pattern in
            withNullTerminated(isPath ? path : name) { fnmatch(pattern, $0, FNM_PATHNAME) == 0 }
        }
    }
}
