// File names are bytes. Swift strings would replace what is not UTF-8, so names and paths are kept as bytes
// throughout and become text only where a person reads them.

public import Reporting

/// A path as the bytes that the kernel gets.
public struct BytePath: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    public var bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public init(_ text: String) { bytes = Array(text.utf8) }
    public init(stringLiteral value: String) { bytes = Array(value.utf8) }

    public var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }

    /// The components between slashes, empty ones and `.` left out.
    public var components: [ArraySlice<UInt8>] {
        bytes.split(separator: UInt8(ascii: "/")).filter { $0 != [UInt8(ascii: ".")] }
    }

    public var lastComponent: [UInt8] { components.last.map(Array.init) ?? [] }

    public func appending(_ name: some Collection<UInt8>) -> BytePath {
        var result = bytes
        if let last = result.last, last != UInt8(ascii: "/") { result.append(UInt8(ascii: "/")) }
        result.append(contentsOf: name)
        return BytePath(result)
    }

    public func appending(_ name: String) -> BytePath { appending(Array(name.utf8)) }

    /// The folder that holds it; `.` where there is none in the path.
    public var parent: BytePath {
        var trimmed = bytes[...]
        while trimmed.count > 1, trimmed.last == UInt8(ascii: "/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == 0 ? "/" : BytePath(Array(trimmed[..<slash]))
    }

    /// Whether it leads to something inside of the folder `other`, going by the bytes alone.
    public func isBelow(_ other: BytePath) -> Bool {
        bytes.count > other.bytes.count && bytes.starts(with: other.bytes)
            && (other.bytes.last == UInt8(ascii: "/") || bytes[other.bytes.count] == UInt8(ascii: "/"))
    }

    /// What comes after this folder in a path that is in it; empty for the folder itself.
    public func remainder(of path: BytePath) -> ArraySlice<UInt8> {
        path.bytes.dropFirst(self == "/" ? 1 : bytes.count + 1)
    }

    /// Absolute and without `.`, `..` or double slashes, by its text alone: symbolic links are not looked up.
    public func normalized(relativeTo base: BytePath) -> BytePath {
        var result: [ArraySlice<UInt8>] = []
        for component in (isAbsolute ? self : base.appending(bytes)).components {
            if component == Array("..".utf8)[...] {
                if !result.isEmpty { result.removeLast() }
            } else {
                result.append(component)
            }
        }
        return BytePath(result.isEmpty ? [UInt8(ascii: "/")] : result.flatMap { [UInt8(ascii: "/")] + $0 })
    }

    public func withCString<R, E: Error>(_ body: (UnsafePointer<CChar>) throws(E) -> R) throws(E) -> R {
        try withNullTerminated(bytes, body)
    }

    /// For messages alone: it is another text than the name where that has a backslash or is no text. Programs get a `ProgramWord`.
    public var description: String { printable(bytes) }

    /// A name that is text by its nature, such as that of a dataset.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Calls `body` with the bytes as a C string. Bytes after a 0 are lost, so callers refuse names that hold one.
@inline(__always)
public func withNullTerminated<R, E: Error>(
    _ bytes: [UInt8], _ body: (UnsafePointer<CChar>) throws(E) -> R
) throws(E) -> R {
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer throws(E) -> R in
        for index in 0..<bytes.count { buffer[index] = CChar(bitPattern: bytes[index]) }
        buffer[bytes.count] = 0
        guard let start = buffer.baseAddress else { preconditionFailure("a temporary allocation without an address") }
        return try body(UnsafePointer(start))
    }
}

/// Text of a name for people: what is not UTF-8, and control characters, as `\x0a`, so that a name cannot
/// play tricks on a terminal and two different names never look the same.
public func printable(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    var result = ""
    var index = 0
    func escape(_ byte: UInt8) {
        result += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    while index < bytes.count {
        let first = bytes[index]
        let length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0
        guard length > 0, index + length <= bytes.count,
            let text = String(validating: bytes[index..<index + length], as: UTF8.self),
            let scalar = text.unicodeScalars.first
        else {
            escape(first)
            index += 1
            continue
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
            bytes[index..<index + length].forEach(escape)
        default:
            if scalar == "\\" { result += "\\\\" } else { result += text }
        }
        index += length
    }
    return result
}

extension Finding {
    /// About a path.
    public init(_ kind: Kind, _ path: BytePath, _ reason: String) {
        self.init(kind, subject: path.description, path: path.bytes, reason)
    }
}
