// What a machine keeps so that it can write to a store without being able to read it.

internal import Cryptography
internal import Platform

/// The group that a writer shares content with.
struct WriterGroup {
    var id: Identifier
    /// For people: who took another one's place knows that group by its id alone.
    var name: String

    init(id: Identifier, name: String) {
        self.id = id
        self.name = name
    }

    init(named name: String, of secret: StoreSecret) throws {
        self.init(id: try secret.oldest.groupID(named: name), name: name)
    }
}

/// A machine's right to write to one group of a store. It opens labels and directories of its group, and no content.
public final class WriterKey: Sendable {
    /// What a writer knows of an epoch.
    struct Epoch: Sendable {
        var number: UInt32
        /// P: what object keys are sealed to.
        var sealing: SealingPublicKey
        /// K_index of the group.
        var indexKey: Secret
    }

    let store: Identifier
    /// The store's root key, pinned when the machine joined, or took the certificate of a new one.
    let root: VerifyingKey
    let group: GroupKeys
    public let groupName: String
    let certificate: Certificate
    let signing: SigningKey
    /// Opens the parcels of new epochs.
    let unsealing: SealingPrivateKey
    /// At least one, in order.
    let epochs: [Epoch]

    var writer: Identifier { certificate.writer }
    var newest: Epoch { epochs[epochs.count - 1] }

    private init(
        root: VerifyingKey, group: GroupKeys, groupName: String, certificate: Certificate, signing: SigningKey,
        unsealing: SealingPrivateKey, epochs: [Epoch]
    ) {
        store = certificate.store
        self.root = root
        self.group = group
        self.groupName = groupName
        self.certificate = certificate
        self.signing = signing
        self.unsealing = unsealing
        self.epochs = epochs
    }

    /// Issues a key for a new writer.
    /// - Parameter rootKey: the store's; the secret of a reader has none.
    static func issue(
        from secret: StoreSecret, rootKey: SigningKey, group name: String, writer: String, series: [String],
        predecessors: [Identifier] = []
    ) throws -> WriterKey {
        try issue(
            from: secret, rootKey: rootKey, group: WriterGroup(named: name, of: secret), writer: writer, series: series,
            predecessors: predecessors)
    }

    static func issue(
        from secret: StoreSecret, rootKey: SigningKey, group place: WriterGroup, writer: String, series: [String],
        predecessors: [Identifier] = []
    ) throws -> WriterKey {
        let group = try secret.oldest.group(place.id)
        let signing = try SigningKey.generate()
        let unsealing = try SealingPrivateKey.generate()
        return WriterKey(
            root: rootKey.verifyingKey, group: group, groupName: place.name,
            certificate: try .issue(
                to: signing.verifyingKey, sealing: unsealing.publicKey, store: secret.store, rootKey: rootKey,
                group: group.id, name: writer, time: Timestamp.now().seconds, roles: .write, series: series,
                predecessors: predecessors),
            signing: signing, unsealing: unsealing,
            epochs: try secret.epochs.map {
                Epoch(number: $0.epoch, sealing: $0.sealing.publicKey, indexKey: try $0.indexKey(group.id))
            })
    }

    /// The same with one epoch more, under the root key of its time.
    func adding(_ epoch: Epoch, root: VerifyingKey, certificate: Certificate) -> WriterKey {
        WriterKey(
            root: root, group: group, groupName: groupName, certificate: certificate, signing: signing,
            unsealing: unsealing, epochs: epochs.filter { $0.number < epoch.number } + [epoch])
    }

    func epoch(_ number: UInt32) -> Epoch? { epochs.first { $0.number == number } }

    private static let magic = "holdfast writer key 2\n"

    /// The file's bytes; they are secret.
    func encoded() -> [UInt8] {
        var bytes = Array(Self.magic.utf8)
        bytes.append(field: 1, root.rawBytes)
        bytes.append(field: 2, text: groupName)
        group.chunkKey.withUnsafeBytes { bytes.append(field: 3, $0) }
        signing.seed.withUnsafeBytes { bytes.append(field: 4, $0) }
        unsealing.raw.withUnsafeBytes { bytes.append(field: 5, $0) }
        bytes.append(field: 6, certificate.encoded)
        for epoch in epochs {
            var value: [UInt8] = []
            value.append(integer: epoch.number)
            value += epoch.sealing.rawBytes
            epoch.indexKey.withUnsafeBytes { value += $0 }
            bytes.append(field: 7, value)
        }
        return bytes
    }

    init(decoding encoded: [UInt8]) throws {
        let magic = Array(Self.magic.utf8)
        guard encoded.starts(with: magic) else { throw FormatError("it is no writer key of this version") }
        var reader = WireReader(encoded, magic.count..<encoded.count)
        var root: VerifyingKey?
        var name = ""
        var secrets: [UInt64: Secret] = [:]
        var certificate: Certificate?
        var epochs: [Epoch] = []
        while let (tag, field) = try reader.field() {
            var value = field
            switch tag {
            case 1: root = try VerifyingKey(rawBytes: value.rest())
            case 2: name = try value.text()
            case 3, 4, 5:
                let bytes = value.rest()
                guard bytes.count == 32 else { throw FormatError("a key has 32 bytes") }
                secrets[tag] = Secret(bytes)
            case 6: certificate = try Certificate(decoding: value.rest())
            case 7:
                let number = try value.integer(UInt32.self)
                guard number > epochs.last?.number ?? 0 else { throw FormatError("its epochs are out of order") }
                epochs.append(
                    Epoch(
                        number: number, sealing: try SealingPublicKey(rawBytes: try value.array(32)),
                        indexKey: Secret(try value.array(32))))
            default: break
            }
        }
        guard let root, let certificate, let chunkKey = secrets[3], let seed = secrets[4], let raw = secrets[5],
            !epochs.isEmpty
        else { throw FormatError("a writer key is incomplete") }
        self.root = root
        groupName = name
        self.certificate = certificate
        store = certificate.store
        group = GroupKeys(id: certificate.group, chunkKey: chunkKey)
        signing = try SigningKey(seed: seed)
        unsealing = try SealingPrivateKey(raw: raw)
        self.epochs = epochs
        guard signing.verifyingKey == certificate.key, unsealing.publicKey == certificate.sealing else {
            throw FormatError("its certificate is that of another key")
        }
    }
}

/// A writer in its newest epoch, as it signs objects.
extension WriterKey: ObjectSigner {
    var epoch: UInt32 { newest.number }
    var sealing: SealingPublicKey { newest.sealing }
    var indexKey: Secret { newest.indexKey }
}

/// What prunes, reports and checks over all groups of a store, and opens no content.
public final class StewardKey: Sendable {
    let root: VerifyingKey
    let certificate: Certificate
    let signing: SigningKey
    let unsealing: SealingPrivateKey
    /// I of each epoch.
    let indexSecrets: [(epoch: UInt32, secret: Secret)]

    private static let magic = "holdfast steward key 2\n"

    static func issue(from secret: StoreSecret, rootKey: SigningKey, name: String) throws -> StewardKey {
        let signing = try SigningKey.generate()
        let unsealing = try SealingPrivateKey.generate()
        return StewardKey(
            root: rootKey.verifyingKey,
            certificate: try .issue(
                to: signing.verifyingKey, sealing: unsealing.publicKey, store: secret.store, rootKey: rootKey,
                group: .zero, name: name, time: Timestamp.now().seconds, roles: [.steward, .attest]),
            signing: signing, unsealing: unsealing,
            indexSecrets: secret.epochs.map { ($0.epoch, $0.indexSecret) })
    }

    private init(
        root: VerifyingKey, certificate: Certificate, signing: SigningKey, unsealing: SealingPrivateKey,
        indexSecrets: [(epoch: UInt32, secret: Secret)]
    ) {
        self.root = root
        self.certificate = certificate
        self.signing = signing
        self.unsealing = unsealing
        self.indexSecrets = indexSecrets
    }

    /// The same with one epoch more, under the root key of its time.
    func adding(
        _ epoch: UInt32, _ secret: Secret, root: VerifyingKey, certificate: Certificate
    ) -> StewardKey {
        StewardKey(
            root: root, certificate: certificate, signing: signing, unsealing: unsealing,
            indexSecrets: indexSecrets + [(epoch, secret)])
    }

    func indexKey(_ group: Identifier, epoch: UInt32) throws -> Secret? {
        guard let secret = indexSecrets.first(where: { $0.epoch == epoch })?.secret else { return nil }
        return try indexKeyOfGroup(secret, certificate.store, group)
    }

    /// Whether a file holds such a key.
    public static func isStewardKey(_ bytes: [UInt8]) -> Bool { bytes.starts(with: Array(magic.utf8)) }

    /// The file's bytes; they are secret.
    public func encoded() -> [UInt8] {
        var bytes = Array(Self.magic.utf8)
        bytes.append(field: 1, root.rawBytes)
        signing.seed.withUnsafeBytes { bytes.append(field: 2, $0) }
        unsealing.raw.withUnsafeBytes { bytes.append(field: 3, $0) }
        bytes.append(field: 4, certificate.encoded)
        for (epoch, secret) in indexSecrets {
            var value: [UInt8] = []
            value.append(integer: epoch)
            secret.withUnsafeBytes { value += $0 }
            bytes.append(field: 5, value)
        }
        return bytes
    }

    public init(decoding encoded: [UInt8]) throws {
        let magic = Array(Self.magic.utf8)
        guard encoded.starts(with: magic) else { throw FormatError("it is no steward key of this version") }
        var reader = WireReader(encoded, magic.count..<encoded.count)
        var root: VerifyingKey?
        var secrets: [UInt64: Secret] = [:]
        var certificate: Certificate?
        var indexSecrets: [(epoch: UInt32, secret: Secret)] = []
        while let (tag, field) = try reader.field() {
            var value = field
            switch tag {
            case 1: root = try VerifyingKey(rawBytes: value.rest())
            case 2, 3:
                let bytes = value.rest()
                guard bytes.count == 32 else { throw FormatError("a key has 32 bytes") }
                secrets[tag] = Secret(bytes)
            case 4: certificate = try Certificate(decoding: value.rest())
            case 5: indexSecrets.append((try value.integer(UInt32.self), Secret(try value.array(32))))
            default: break
            }
        }
        guard let root, let certificate, let seed = secrets[2], let raw = secrets[3], !indexSecrets.isEmpty,
            try certificate.isIssued(by: root), certificate.roles.contains(.steward)
        else { throw FormatError("a steward key is incomplete") }
        self.root = root
        self.certificate = certificate
        signing = try SigningKey(seed: seed)
        unsealing = try SealingPrivateKey(raw: raw)
        self.indexSecrets = indexSecrets
    }
}
