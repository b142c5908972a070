// What a machine keeps so that it can write to a store without being able to read it.

internal import Cryptography
internal import Platform

/// A machine's right to write to one group of a store. It opens labels and directories of its group, and no content.
public final class WriterKey: Sendable {
    let store: Identifier
    let epoch: UInt32
    /// P: what object keys are sealed to. Pinned here when the machine joins.
    let sealing: SealingPublicKey
    /// Tells certified writers from others.
    let storeVerifying: VerifyingKey
    let group: GroupKeys
    public let groupName: String
    let signing: SigningKey
    let certificate: Certificate

    private init(
        store: Identifier, epoch: UInt32, sealing: SealingPublicKey, storeVerifying: VerifyingKey, group: GroupKeys,
        groupName: String, signing: SigningKey, certificate: Certificate
    ) {
        self.store = store
        self.epoch = epoch
        self.sealing = sealing
        self.storeVerifying = storeVerifying
        self.group = group
        self.groupName = groupName
        self.signing = signing
        self.certificate = certificate
    }

    /// Issues a key for a new writer.
    static func issue(from secret: EpochSecret, group name: String, writer: String) throws -> WriterKey {
        let group = try secret.group(named: name)
        let signing = try SigningKey.generate()
        return WriterKey(
            store: secret.store, epoch: secret.epoch, sealing: secret.sealing.publicKey,
            storeVerifying: secret.signing.verifyingKey, group: group, groupName: name, signing: signing,
            certificate: try Certificate.issue(
                to: signing.verifyingKey, store: secret, group: group.id, name: writer, time: Timestamp.now().seconds))
    }

    var writer: Identifier { certificate.writer }

    private static let magic = "holdfast writer key 1\n"

    /// The file's bytes; they are secret.
    func encoded() -> [UInt8] {
        var bytes = Array(Self.magic.utf8)
        bytes.append(field: 1, store.bytes)
        bytes.append(field: 2, integer: UInt64(epoch))
        bytes.append(field: 3, sealing.rawBytes)
        bytes.append(field: 4, storeVerifying.rawBytes)
        bytes.append(field: 5, group.id.bytes)
        bytes.append(field: 6, text: groupName)
        group.chunkKey.withUnsafeBytes { bytes.append(field: 7, $0) }
        group.indexKey.withUnsafeBytes { bytes.append(field: 8, $0) }
        signing.seed.withUnsafeBytes { bytes.append(field: 9, $0) }
        bytes.append(field: 10, certificate.encoded)
        return bytes
    }

    init(decoding encoded: [UInt8]) throws {
        let magic = Array(Self.magic.utf8)
        guard encoded.starts(with: magic) else { throw FormatError("it is no writer key of version 1") }
        var reader = WireReader(encoded, magic.count..<encoded.count)
        var values: [UInt64: WireReader] = [:]
        while let (tag, value) = try reader.field() { values[tag] = value }
        func value(_ tag: UInt64) throws -> WireReader {
            guard let value = values[tag] else { throw FormatError("a writer key lacks its field \(tag)") }
            return value
        }
        func bytes(_ tag: UInt64) throws -> [UInt8] {
            var reader = try value(tag)
            return reader.rest()
        }
        func identifier(_ tag: UInt64) throws -> Identifier {
            var reader = try value(tag)
            return try reader.identifier()
        }
        func secret(_ tag: UInt64) throws -> Secret {
            let bytes = try bytes(tag)
            guard bytes.count == 32 else { throw FormatError("a key has 32 bytes") }
            return Secret(bytes)
        }
        store = try identifier(1)
        var epochReader = try value(2)
        epoch = UInt32(truncatingIfNeeded: try epochReader.varint())
        sealing = try SealingPublicKey(rawBytes: bytes(3))
        storeVerifying = try VerifyingKey(rawBytes: bytes(4))
        group = GroupKeys(id: try identifier(5), chunkKey: try secret(7), indexKey: try secret(8))
        groupName = String(decoding: try bytes(6), as: UTF8.self)
        signing = try SigningKey(seed: secret(9))
        certificate = try Certificate(decoding: bytes(10))
    }
}

/// The store's word that a signing key belongs to a writer of a group.
struct Certificate: Sendable {
    let encoded: [UInt8]
    let key: VerifyingKey
    let store: Identifier
    let epoch: UInt32
    let group: Identifier
    let name: String
    let writer: Identifier

    static func issue(
        to key: VerifyingKey, store: EpochSecret, group: Identifier, name: String, time: Int64
    ) throws -> Certificate {
        var bytes: [UInt8] = []
        bytes.append(field: 1, key.rawBytes)
        bytes.append(field: 2, store.store.bytes)
        bytes.append(field: 3, integer: UInt64(store.epoch))
        bytes.append(field: 4, group.bytes)
        bytes.append(field: 5, text: name)
        bytes.append(field: 6, integer: UInt64(max(0, time)))
        bytes.append(field: 7, try store.signing.signature(for: try Self.message(bytes[...])))
        return try Certificate(decoding: bytes)
    }

    private static func message(_ fields: ArraySlice<UInt8>) throws -> [UInt8] {
        Array("holdfast/1/certificate".utf8) + (try fields.withUnsafeBytes { try SHA256.digest(of: $0) }).bytes
    }

    private let signedLength: Int
    private let signature: [UInt8]

    init(decoding bytes: [UInt8]) throws {
        var reader = WireReader(bytes)
        var key: VerifyingKey?
        var store: Identifier?
        var group: Identifier?
        var epoch: UInt32 = 0
        var name = ""
        var signature: [UInt8]?
        var signedLength = 0
        while signature == nil {
            signedLength = reader.position
            guard let field = try reader.field() else { break }
            var value = field.value
            switch field.tag {
            case 1: key = try VerifyingKey(rawBytes: value.rest())
            case 2: store = try value.identifier()
            case 3: epoch = UInt32(truncatingIfNeeded: try value.varint())
            case 4: group = try value.identifier()
            case 5: name = String(decoding: value.rest(), as: UTF8.self)
            case 7: signature = value.rest()
            default: break
            }
        }
        guard let key, let store, let group, let signature, reader.isAtEnd else {
            throw FormatError("a certificate is incomplete")
        }
        encoded = bytes
        self.key = key
        self.store = store
        self.group = group
        self.epoch = epoch
        self.name = name
        self.signature = signature
        self.signedLength = signedLength
        writer = try Self.writerID(of: key)
    }

    static func writerID(of key: VerifyingKey) throws -> Identifier {
        let digest = try key.rawBytes.withUnsafeBytes { try SHA256.digest(of: $0) }
        guard let id = Identifier(Array(digest.bytes.prefix(16))) else { throw FormatError("no writer id") }
        return id
    }

    /// Whether the store with this key issued it.
    func isIssued(by storeKey: VerifyingKey) throws -> Bool {
        storeKey.isValid(signature, for: try Self.message(encoded[..<signedLength]))
    }
}
