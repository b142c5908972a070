// The names of things on a medium.

internal import Cryptography
internal import Platform

/// Sixteen bytes that name a store, a group, a writer, or an object: 32 hexadecimal digits for people.
public struct Identifier: Hashable, Comparable, Sendable, CustomStringConvertible {
    // Big-endian, so that numbers are in the order of the digits.
    private let high: UInt64
    private let low: UInt64

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    static let zero = Identifier(high: 0, low: 0)

    init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(first16: bytes[...])
    }

    /// The first 16 of at least as many bytes.
    init(first16 bytes: ArraySlice<UInt8>) {
        self.init(
            high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
            low: bytes.dropFirst(8).prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Lower-case digits only: a name has one spelling.
    init?(hexadecimal text: some StringProtocol) {
        guard text.utf8.count == 32, !text.utf8.contains(where: { (0x41...0x5a).contains($0) }),
            let bytes = decodeHexadecimal(text)
        else { return nil }
        self.init(bytes)
    }

    static func random() throws -> Identifier { Identifier(first16: try SecureRandom.bytes(16)[...]) }

    /// The first half of the SHA-256 of a text and what follows it.
    static func derived(_ label: String, _ parts: [UInt8]...) throws -> Identifier {
        Identifier(first16: try sha256(Array(label.utf8) + parts.joined()).bytes[...])
    }

    /// The `number`th object of a run: so a run's leftovers can be found when all that is known is the run.
    static func derived(run: Identifier, number: UInt32) throws -> Identifier {
        var bytes: [UInt8] = []
        bytes.append(integer: number)
        return try derived("holdfast/1/run", run.bytes, bytes)
    }

    /// The `number`th batch of a single file.
    static func derived(batch number: UInt32, run: Identifier) throws -> Identifier {
        var bytes: [UInt8] = []
        bytes.append(integer: number)
        return try derived("holdfast/1/batch", run.bytes, bytes)
    }

    var bytes: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
    }

    public var description: String { hexadecimal(bytes) }

    /// As many digits as people compare; lists and prompts show these.
    public var short: String { String(description.prefix(8)) }

    /// Whether a text is the beginning that somebody gives for the whole. Fewer than four digits are none: too many names look like that.
    func begins(with text: String) -> Bool { text.utf8.count >= 4 && description.hasPrefix(text) }

    public static func < (left: Identifier, right: Identifier) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// An object's id: a volume's, an image's, a checkpoint's.
public typealias ObjectID = Identifier

extension WireReader {
    mutating func identifier() throws(FormatError) -> Identifier {
        let range = try range(16)
        return Identifier(first16: bytes[range])
    }

    mutating func digest() throws(FormatError) -> Digest {
        let range = try range(32)
        return bytes.withUnsafeBytes { Digest(bytes: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}

func sha256(_ bytes: [UInt8]) throws -> Digest { try bytes.withUnsafeBytes { try SHA256.digest(of: $0) } }
