// The names of things on a medium.

internal import Cryptography
internal import Platform

/// An object's id: a volume's, an image's, a checkpoint's. Sixteen hexadecimal digits for people.
public struct ObjectID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: UInt64

    init(_ value: UInt64) { self.value = value }

    init?(hexadecimal text: some StringProtocol) {
        guard text.utf8.count == 16, let bytes = decodeHexadecimal(text) else { return nil }
        value = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func random() throws -> ObjectID {
        ObjectID(try SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// The `number`th object of a run: so a run's leftovers can be found when all that is known is the run.
    static func derived(run: ObjectID, number: UInt32) throws -> ObjectID {
        var input = Array("holdfast/1/run".utf8) + run.bytes
        input.append(integer: number)
        let digest = try input.withUnsafeBytes { try SHA256.digest(of: $0) }
        return ObjectID(digest.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Big-endian, so that the bytes read like the digits.
    var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) } }

    public var description: String { hexadecimal(bytes) }

    public static func < (left: ObjectID, right: ObjectID) -> Bool { left.value < right.value }
}

extension WireReader {
    mutating func objectID() throws(FormatError) -> ObjectID {
        ObjectID(try array(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    mutating func digest() throws(FormatError) -> Digest {
        let range = try range(32)
        return bytes.withUnsafeBytes { Digest(bytes: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}

/// Sixteen bytes that name a store, a group or a writer.
public struct Identifier: Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]

    init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    init?(hexadecimal text: some StringProtocol) {
        guard let bytes = decodeHexadecimal(text) else { return nil }
        self.init(bytes)
    }

    static func random() throws -> Identifier {
        guard let result = Identifier(try SecureRandom.bytes(16)) else { throw FormatError("no random bytes") }
        return result
    }

    public var description: String { hexadecimal(bytes) }
}

extension WireReader {
    mutating func identifier() throws(FormatError) -> Identifier {
        guard let result = Identifier(try array(16)) else { throw FormatError("an identifier has 16 bytes") }
        return result
    }
}
