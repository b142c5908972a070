// What a program is called with. Programs get the bytes of a path; the text that people are shown of it doubles backslashes and spells out
// what is no text, so as a file name it names another file or none.

/// One word of a command line. A path in it, written alone or inside of other text, is its bytes: what is shown cannot get in by
/// interpolation, since only what is listed here can be interpolated.
public struct ProgramWord: Hashable, Sendable, ExpressibleByStringInterpolation {
    public var bytes: [UInt8]

    public init(_ path: BytePath) { bytes = path.bytes }
    public init(_ text: String) { bytes = Array(text.utf8) }
    /// What was typed, byte for byte.
    public init(bytes: [UInt8]) { self.bytes = bytes }
    public init(stringLiteral value: String) { bytes = Array(value.utf8) }
    public init(stringInterpolation: StringInterpolation) { bytes = stringInterpolation.bytes }

    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var bytes: [UInt8] = []

        public init(literalCapacity: Int, interpolationCount: Int) { bytes.reserveCapacity(literalCapacity) }
        public mutating func appendLiteral(_ literal: String) { bytes += literal.utf8 }
        public mutating func appendInterpolation(_ path: BytePath) { bytes += path.bytes }
        public mutating func appendInterpolation(_ text: String) { bytes += text.utf8 }
        public mutating func appendInterpolation(_ number: some BinaryInteger) { bytes += String(number).utf8 }
    }

    /// For messages.
    public var shown: String { printable(bytes) }
}

/// A word as it is typed in a shell: in quotes where that reads it otherwise.
public func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "@%+=:,./-_~".utf8.contains(byte)
    }
    return isPlain && !text.isEmpty
        ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
