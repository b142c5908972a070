// The 32-byte identifier of content: four machine words, since millions of them live in tables.

/// A hash value of 32 bytes.
///
/// The order is that of the bytes, so a sorted table of digests is the same on every machine.
public struct Digest: Hashable, Comparable, Sendable, BitwiseCopyable, CustomStringConvertible {
    /// The length in bytes.
    public static let length = 32
    /// Thirty-two zero bytes.
    public static let zero = Digest(0, 0, 0, 0)

    // The words hold the bytes as they lie in memory, whatever the machine's byte order.
    private var word0: UInt64
    private var word1: UInt64
    private var word2: UInt64
    private var word3: UInt64

    private init(_ word0: UInt64, _ word1: UInt64, _ word2: UInt64, _ word3: UInt64) {
        (self.word0, self.word1, self.word2, self.word3) = (word0, word1, word2, word3)
    }

    /// Reads the 32 bytes of `bytes`; another length is an error in the program and ends it.
    public init(bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Digest.length, "a digest has 32 bytes")
        self.init(
            bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
    }

    /// Reads 64 hexadecimal digits of either case; nil for anything else.
    public init?(hex: String) {
        guard let bytes = [UInt8](hexadecimal: hex), bytes.count == Digest.length else { return nil }
        self = bytes.withUnsafeBytes { Digest(bytes: $0) }
    }

    /// Calls `body` with the 32 bytes.
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try Swift.withUnsafeBytes(of: self) { (buffer) throws(E) -> R in try body(buffer) }
    }

    /// Writes the 32 bytes to `destination`, which needs no alignment.
    public func store(to destination: UnsafeMutableRawPointer) {
        destination.storeBytes(of: word0, as: UInt64.self)
        destination.storeBytes(of: word1, toByteOffset: 8, as: UInt64.self)
        destination.storeBytes(of: word2, toByteOffset: 16, as: UInt64.self)
        destination.storeBytes(of: word3, toByteOffset: 24, as: UInt64.self)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// 64 lower-case hexadecimal digits.
    public var hex: String { bytes.hexadecimal }

    public var description: String { hex }

    /// Feeds one word: a digest is uniform already.
    public func hash(into hasher: inout Hasher) { hasher.combine(word0) }

    public static func < (left: Digest, right: Digest) -> Bool {
        if left.word0 != right.word0 { return left.word0.bigEndian < right.word0.bigEndian }
        if left.word1 != right.word1 { return left.word1.bigEndian < right.word1.bigEndian }
        if left.word2 != right.word2 { return left.word2.bigEndian < right.word2.bigEndian }
        return left.word3.bigEndian < right.word3.bigEndian
    }
}

extension [UInt8] {
    /// Reads pairs of hexadecimal digits of either case; nil for anything else.
    init?(hexadecimal text: String) {
        let digits = [UInt8](text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        self.init()
        reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.value(ofDigit: digits[index]), let low = Self.value(ofDigit: digits[index + 1])
            else { return nil }
            append(high << 4 | low)
        }
    }

    /// The bytes as lower-case hexadecimal digits.
    var hexadecimal: String {
        let digits = [UInt8]("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(count * 2)
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func value(ofDigit digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
