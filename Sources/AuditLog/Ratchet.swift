// The signing key, which turns with every record: the next one follows from it, the one before does not. Who takes over the
// machine today can write what comes, and cannot rewrite what was.

internal import Cryptography
internal import Platform

/// The key for one record.
struct Ratchet {
    /// Number of the record that it signs.
    let sequence: UInt64
    let key: SigningKey

    /// A key that follows from nothing.
    static func fresh(_ sequence: UInt64) throws -> Ratchet {
        Ratchet(sequence: sequence, key: try .generate())
    }

    func next() throws -> Ratchet {
        let seed = try KeyDerivation.hkdf(
            secret: key.seed, salt: [], info: Array("holdfast audit log: next key".utf8), count: 32)
        return Ratchet(sequence: sequence + 1, key: try SigningKey(seed: seed))
    }

    var publicKey: String { hexadecimal(key.verifyingKey.rawBytes) }
}

/// The file with the key: a mark, the number and the seed.
struct RatchetFile {
    private static let mark = Array("HFAUDIT1".utf8)
    let path: BytePath

    /// nil where there is none, or none that can be read as one: then a new chain has to begin.
    func read() throws -> Ratchet? {
        var bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readRegular(path, limit: 4096)
        } catch {
            if error.isAbsent { return nil }
            throw error
        }
        defer { erase(&bytes) }
        guard bytes.count == Self.mark.count + 40, bytes.starts(with: Self.mark) else { return nil }
        let sequence = bytes[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard sequence <= AuditRecord.lastSequence else { return nil }
        let seed = bytes[16...].withUnsafeBytes { Secret(copying: $0) }
        return Ratchet(sequence: sequence, key: try SigningKey(seed: seed))
    }

    /// Writes the key over the one before, in the same place, so that where a medium overwrites at all the old one is gone. The
    /// 48 bytes lie in one sector: a crash leaves the old key, from which the new one follows, or the new one.
    func write(_ ratchet: Ratchet) throws {
        var bytes = Self.mark + (0..<8).map { UInt8(truncatingIfNeeded: ratchet.sequence >> (8 * UInt64($0))) }
        bytes += ratchet.key.seed.withUnsafeBytes { Array($0) }
        defer { erase(&bytes) }
        if !exists(path) { return try writeNew(path, bytes) }
        let file = try Descriptor.open(path, .write)
        try file.write(bytes)
        try file.synchronize()
    }
}
