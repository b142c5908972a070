// The root key's word on who may write what.

internal import Cryptography
internal import Platform

/// What a certified key may do.
struct CertificateRoles: OptionSet, Sendable, Hashable {
    let rawValue: UInt64
    /// Write images of its series.
    static let write = CertificateRoles(rawValue: 1)
    /// Prune, report, check the policy: over all groups, without content.
    static let steward = CertificateRoles(rawValue: 2)
    /// State what was verified.
    static let attest = CertificateRoles(rawValue: 4)
}

/// A key, certified by the store's root key. It has no end of its own; a record of the store ends it.
struct Certificate: Sendable {
    let encoded: [UInt8]
    let key: VerifyingKey
    /// What parcels for it are sealed to.
    let sealing: SealingPublicKey
    let store: Identifier
    let group: Identifier
    let name: String
    /// Seconds since 1970.
    let time: Int64
    let roles: CertificateRoles
    /// What the names of its series begin with.
    let series: [String]
    /// Writers whose volumes it may build on, and whose series it goes on with.
    let predecessors: [Identifier]
    /// The first 16 bytes of the SHA-256 of the key.
    let writer: Identifier

    private let signedLength: Int
    private let signature: [UInt8]

    static func issue(
        to key: VerifyingKey, sealing: SealingPublicKey, store: Identifier, rootKey: SigningKey, group: Identifier,
        name: String, time: Int64, roles: CertificateRoles, series: [String] = [], predecessors: [Identifier] = []
    ) throws -> Certificate {
        var bytes: [UInt8] = []
        bytes.append(field: 1, key.rawBytes)
        bytes.append(field: 2, sealing.rawBytes)
        bytes.append(field: 3, store.bytes)
        bytes.append(field: 4, group.bytes)
        bytes.append(field: 5, text: name)
        bytes.append(field: 6, signed: time)
        bytes.append(field: 7, integer: roles.rawValue)
        for prefix in series { bytes.append(field: 8, text: prefix) }
        for predecessor in predecessors { bytes.append(field: 9, predecessor.bytes) }
        bytes.append(field: 10, try rootKey.signature(for: try Self.message(bytes[...])))
        return try Certificate(decoding: bytes)
    }

    private static func message(_ fields: ArraySlice<UInt8>) throws -> [UInt8] {
        Array("holdfast/1/certificate".utf8) + (try sha256(Array(fields))).bytes
    }

    init(decoding bytes: [UInt8]) throws {
        guard bytes.count <= Format.maximumKeyLength else { throw FormatError("a certificate is too long") }
        var reader = WireReader(bytes)
        var key: VerifyingKey?
        var sealing: SealingPublicKey?
        var store: Identifier?
        var group: Identifier?
        var name = ""
        var time: Int64 = 0
        var roles = CertificateRoles()
        var series: [String] = []
        var predecessors: [Identifier] = []
        var signature: [UInt8]?
        var signedLength = 0
        while signature == nil {
            signedLength = reader.position
            guard let field = try reader.field() else { break }
            var value = field.value
            switch field.tag {
            case 1: key = try VerifyingKey(rawBytes: value.rest())
            case 2: sealing = try SealingPublicKey(rawBytes: value.rest())
            case 3: store = try value.identifier()
            case 4: group = try value.identifier()
            case 5: name = try value.text()
            case 6: time = try value.signed()
            case 7: roles = CertificateRoles(rawValue: try value.varint())
            case 8: series.append(try value.text())
            case 9: predecessors.append(try value.identifier())
            case 10: signature = value.rest()
            default: break
            }
        }
        guard let key, let sealing, let store, let group, let signature, reader.isAtEnd else {
            throw FormatError("a certificate is incomplete")
        }
        encoded = bytes
        self.key = key
        self.sealing = sealing
        self.store = store
        self.group = group
        self.name = name
        self.time = time
        self.roles = roles
        self.series = series
        self.predecessors = predecessors
        self.signature = signature
        self.signedLength = signedLength
        writer = Identifier(first16: try sha256(key.rawBytes).bytes[...])
    }

    /// SHA-256 of the encoded certificate.
    var digest: Digest { get throws { try sha256(encoded) } }

    /// The same of another root key.
    func reissued(by rootKey: SigningKey) throws -> Certificate {
        let fields = encoded[..<signedLength]
        var bytes = Array(fields)
        bytes.append(field: 10, try rootKey.signature(for: try Self.message(fields)))
        return try Certificate(decoding: bytes)
    }

    /// Whether the store with this key issued it.
    func isIssued(by root: VerifyingKey) throws -> Bool {
        root.isValid(signature, for: try Self.message(encoded[..<signedLength]))
    }

    /// Whether an image of this series may be its own. Bytes are compared, as every reader can: to `String` two spellings are one.
    func covers(series name: String) -> Bool { series.contains { !$0.isEmpty && ExactText(name).hasPrefix($0) } }

    /// Whether it certifies whoever wrote an object with this header, and for that.
    func covers(_ header: ObjectHeader) -> Bool {
        let role: CertificateRoles =
            switch header.type {
            case .verdict: .attest
            case .tombstone: .steward
            default: .write
            }
        // A steward belongs to no group and states things about each.
        let isOfEveryGroup = group == .zero && roles.contains(.steward) && role != .write
        return store == header.store && (group == header.group || isOfEveryGroup) && writer == header.writer
            && roles.contains(role)
    }
}

extension WireReader {
    /// What is left, as text; other bytes are an error.
    mutating func text() throws(FormatError) -> String {
        guard let text = String(validating: rest(), as: UTF8.self) else { throw FormatError("a text is not UTF-8") }
        return text
    }
}
