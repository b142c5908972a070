// What the root key has said of a store: its epochs, and who may no longer write. Records form a chain; each is signed.

internal import Cryptography
internal import Platform

/// One record of a store.
struct StoreRecord: Sendable, Hashable {
    struct Revocation: Sendable, Hashable {
        var writer: Identifier
        /// Its images that still count; all others of it do not.
        var kept: [RootReference]
    }

    /// From 1 on, without gaps.
    var number: UInt32
    /// The digest of the record before; zero for the first.
    var previous: Digest
    var store: Identifier
    var root: VerifyingKey
    var epoch: UInt32
    /// P: what object keys of the epoch are sealed to.
    var sealing: SealingPublicKey
    /// Seconds since 1970.
    var time: Int64
    /// All that were ever revoked, this record's own included.
    var revoked: [Revocation]
    /// Who can open the store, and who of them governs it. A change of keys goes by this, never by the names of key files: anybody who
    /// has the medium can put a file there.
    var recipients: [StoreReader]
    /// The root key whose place this record's takes; nil in all records but those that begin with a new one.
    let replaced: VerifyingKey?
    /// Of certificates that earlier root keys have signed: the digests of those that go on counting.
    let certificates: [Digest]

    let encoded: [UInt8]
    /// SHA-256 of the encoded record.
    let digest: Digest
    private let signature: [UInt8]
    private let signedLength: Int
    /// By the replaced root key, over what stands before it.
    private let consent: (signature: [UInt8], signedLength: Int)?

    private static let magic = Array("holdfast record 2\n".utf8)

    /// Makes and signs a record.
    /// - Parameters:
    ///   - previous: the record before it; nil for a store's first.
    ///   - replaced: the root key until now, where `rootKey` is a new one; with the digests of its certificates that go on counting.
    init(
        after previous: StoreRecord?, store: Identifier, rootKey: SigningKey, epoch: UInt32, sealing: SealingPublicKey,
        time: Int64, revoked: [Revocation], recipients: [StoreReader],
        replacing replaced: (rootKey: SigningKey, certificates: Set<Digest>)? = nil
    ) throws {
        guard previous?.number ?? 0 < UInt32(Format.maximumRecords) else {
            throw FormatError("a store has no more than \(Format.maximumRecords) records")
        }
        var bytes = Self.magic
        bytes.append(field: 1, integer: UInt64(previous?.number ?? 0) + 1)  // safe: 32 bits
        bytes.append(field: 2, (previous?.digest ?? .zero).bytes)
        bytes.append(field: 3, store.bytes)
        bytes.append(field: 4, rootKey.verifyingKey.rawBytes)
        bytes.append(field: 5, integer: UInt64(epoch))
        bytes.append(field: 6, sealing.rawBytes)
        bytes.append(field: 7, signed: time)
        for revocation in revoked {
            var value = revocation.writer.bytes
            for root in revocation.kept { value += root.encoded }
            bytes.append(field: 8, value)
        }
        for recipient in recipients.sorted(by: { $0.name < $1.name }) {
            bytes.append(field: 10, [recipient.governs ? 1 : 0] + Array(recipient.name.utf8))
        }
        for recipient in recipients.sorted(by: { $0.name < $1.name }) where !recipient.label.isEmpty {
            if let objection = StoreReader.objection(toLabel: recipient.label) {
                throw FormatError("the label of \(recipient.name) cannot be kept: \(objection)")
            }
            bytes.append(field: 13, Array(recipient.name.utf8) + [0] + Array(recipient.label.utf8))
        }
        if let replaced {
            for certificate in replaced.certificates.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
                bytes.append(field: 12, certificate.bytes)
            }
            let consent = try replaced.rootKey.signature(for: try Self.message(bytes[...], "rekey"))
            bytes.append(field: 11, replaced.rootKey.verifyingKey.rawBytes + consent)
        }
        bytes.append(field: 9, try rootKey.signature(for: try Self.message(bytes[...])))
        try self.init(decoding: bytes)
    }

    private static func message(_ fields: ArraySlice<UInt8>, _ purpose: String = "record") throws -> [UInt8] {
        Array("holdfast/1/\(purpose)".utf8) + (try sha256(Array(fields))).bytes
    }

    /// Reads a record and checks its signature with the key that it names; whose that is, the caller compares.
    init(decoding bytes: [UInt8]) throws {
        try self.init(unchecked: bytes)
        guard try isAuthentic else { throw FormatError("its signature is not that of its root key") }
    }

    /// Whether the key that it names has signed it, and the one whose place that takes, too. That takes a tenth of a millisecond: who
    /// looks at what anybody can have put there compares the key first.
    var isAuthentic: Bool {
        get throws {
            guard root.isValid(signature, for: try Self.message(encoded[..<signedLength])) else { return false }
            guard let replaced, let consent else { return true }
            return replaced.isValid(consent.signature, for: try Self.message(encoded[..<consent.signedLength], "rekey"))
        }
    }

    static func == (left: StoreRecord, right: StoreRecord) -> Bool { left.digest == right.digest }

    func hash(into hasher: inout Hasher) { hasher.combine(digest) }

    init(unchecked bytes: [UInt8]) throws {
        guard bytes.count <= Format.maximumStoreRecordLength, bytes.starts(with: Self.magic) else {
            throw FormatError("it is no record of this version")
        }
        var reader = WireReader(bytes, Self.magic.count..<bytes.count)
        var number: UInt64 = 0
        var previous: Digest?
        var store: Identifier?
        var root: VerifyingKey?
        var epoch: UInt64 = 0
        var sealing: SealingPublicKey?
        var signature: [UInt8]?
        var signedLength = 0
        time = 0
        revoked = []
        recipients = []
        var replaced: VerifyingKey?
        var certificates: [Digest] = []
        var consent: (signature: [UInt8], signedLength: Int)?
        var labels: [String: String] = [:]
        while signature == nil {
            signedLength = reader.position
            guard let field = try reader.field() else { break }
            var value = field.value
            switch field.tag {
            case 1: number = try value.varint()
            case 2: previous = try value.digest()
            case 3: store = try value.identifier()
            case 4: root = try VerifyingKey(rawBytes: value.rest())
            case 5: epoch = try value.varint()
            case 6: sealing = try SealingPublicKey(rawBytes: value.rest())
            case 7: time = try value.signed()
            case 8:
                var revocation = Revocation(writer: try value.identifier(), kept: [])
                while !value.isAtEnd { revocation.kept.append(try value.rootReference()) }
                revoked.append(revocation)
            case 9: signature = value.rest()
            case 10:
                let governs = try value.byte() != 0
                recipients.append(StoreReader(name: try value.text(), governs: governs))
            case 11:
                replaced = try VerifyingKey(rawBytes: try value.array(32))
                consent = (value.rest(), signedLength)
            case 12: certificates.append(try value.digest())
            case 13:
                let (name, label) = try value.recipientLabel()
                labels[name] = label
            default: break
            }
        }
        guard let previous, let store, let root, let sealing, let signature, reader.isAtEnd,
            let number = UInt32(exactly: number), number > 0, let epoch = UInt32(exactly: epoch), epoch > 0
        else { throw FormatError("a record is incomplete") }
        if replaced == root { throw FormatError("a root key does not take its own place") }
        self.replaced = replaced
        self.certificates = certificates
        self.consent = consent
        for index in recipients.indices { recipients[index].label = labels[recipients[index].name] ?? "" }
        self.number = number
        self.previous = previous
        self.store = store
        self.root = root
        self.epoch = epoch
        self.sealing = sealing
        encoded = bytes
        digest = try sha256(bytes)
        self.signature = signature
        self.signedLength = signedLength
    }

    func revocation(of writer: Identifier) -> Revocation? { revoked.last { $0.writer == writer } }
}

/// A root, told from every other by what its writer signed.
struct RootReference: Sendable, Hashable {
    var id: ObjectID
    var digest: Digest

    var encoded: [UInt8] { id.bytes + digest.bytes }
}

extension WireReader {
    mutating func rootReference() throws(FormatError) -> RootReference {
        RootReference(id: try identifier(), digest: try digest())
    }

    /// A recipient's name, a zero byte, and its label.
    fileprivate mutating func recipientLabel() throws(FormatError) -> (name: String, label: String) {
        let parts = rest().split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count <= Format.maximumRecipientLabelLength,
            let name = String(validating: parts[0], as: UTF8.self),
            let label = String(validating: parts[1], as: UTF8.self),
            !label.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw FormatError("the label of a recipient is too long, or no text") }
        return (name, label)
    }
}

/// What a person compares: twenty bytes of store id and root key.
public struct StoreFingerprint: Hashable, Sendable, CustomStringConvertible {
    private let bytes: [UInt8]

    init(store: Identifier, root: VerifyingKey) throws {
        bytes = Array(
            try sha256(Array("holdfast/1/fingerprint".utf8) + store.bytes + root.rawBytes).bytes.prefix(20))
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    /// Reads what a person typed: base32 in any case, with blanks or dashes anywhere; nil for anything else.
    public init?(_ text: String) {
        var digits: [UInt8] = []
        for character in text.uppercased().utf8 where character != 0x20 && character != 0x2d && character != 0x09 {
            guard let digit = Self.alphabet.firstIndex(of: character) else { return nil }
            digits.append(UInt8(digit))
        }
        guard digits.count == 32 else { return nil }
        // Eight digits are five bytes.
        bytes = stride(from: 0, to: digits.count, by: 8).flatMap { start -> [UInt8] in
            let part = digits[start..<start + 8].reduce(UInt64(0)) { $0 << 5 | UInt64($1) }
            return stride(from: 32, through: 0, by: -8).map { UInt8(truncatingIfNeeded: part >> UInt64($0)) }
        }
    }

    /// Base32 (RFC 4648) in groups of four.
    public var description: String {
        var digits: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 5) {
            let part = bytes[start..<start + 5].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            for shift in stride(from: 35, through: 0, by: -5) {
                digits.append(Self.alphabet[Int(part >> UInt64(shift) & 31)])
            }
        }
        return stride(from: 0, to: digits.count, by: 4)
            .map { String(decoding: digits[$0..<$0 + 4], as: UTF8.self) }.joined(separator: "-")
    }
}
