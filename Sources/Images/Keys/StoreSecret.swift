// The secret of a store: what an age file holds, and the keys that follow from it.

public import Cryptography
internal import Platform

/// The secret of one epoch of a store. Who has it can read what was written in it.
final class EpochSecret: Sendable {
    let store: Identifier
    let epoch: UInt32
    private let secret: Secret
    let sealing: SealingPrivateKey
    /// I_n: what the index keys of all groups follow from.
    let indexSecret: Secret

    init(store: Identifier, epoch: UInt32, secret: Secret) throws {
        self.store = store
        self.epoch = epoch
        self.secret = secret
        sealing = try SealingPrivateKey(raw: derive(secret, store, "sealing"))
        indexSecret = try derive(secret, store, "index")
    }

    func indexKey(_ group: Identifier) throws -> Secret { try indexKeyOfGroup(indexSecret, store, group) }

    /// What groups go by, of the first epoch for ever: a key that is removed costs no new upload.
    func groupID(named name: String) throws -> Identifier {
        let id = try derive(secret, store, "group/", Array(name.utf8), count: 16)
        return id.withUnsafeBytes { Identifier(first16: Array($0)[...]) }
    }

    func group(_ id: Identifier) throws -> GroupKeys {
        GroupKeys(id: id, chunkKey: try derive(secret, store, "chunk id/", id.bytes))
    }

    /// The lines for an age file.
    func withLines<R>(_ body: ([UInt8]) throws -> R) rethrows -> R {
        try secret.withUnsafeBytes { bytes in
            try body(Array("epoch \(epoch)\nsecret \(hexadecimal(bytes))\n".utf8))
        }
    }
}

private func derive(
    _ secret: Secret, _ store: Identifier, _ purpose: String, _ context: [UInt8] = [], count: Int = 32
) throws -> Secret {
    try KeyDerivation.hkdf(
        secret: secret, salt: store.bytes, info: Array("holdfast/1/\(purpose)".utf8) + context, count: count)
}

/// K_index of a group in one epoch.
func indexKeyOfGroup(_ indexSecret: Secret, _ store: Identifier, _ group: Identifier) throws -> Secret {
    try derive(indexSecret, store, "index/", group.bytes)
}

/// What the machines of a group share, for the store's life.
struct GroupKeys: Sendable {
    let id: Identifier
    /// K_id: makes chunk ids.
    let chunkKey: Secret

    func gearTable(store: Identifier) throws -> [UInt64] {
        let bytes = try derive(chunkKey, store, "gear", count: 2048)
        return bytes.withUnsafeBytes { bytes in
            (0..<256).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
        }
    }
}

/// A store's secrets of all epochs, and its root key for who governs it, opened with an identity.
public final class StoreSecret: Sendable {
    let store: Identifier
    /// nil for a reader, who governs nothing.
    let rootKey: SigningKey?
    /// At least one, in order.
    let epochs: [EpochSecret]

    init(store: Identifier, rootKey: SigningKey?, epochs: [EpochSecret]) {
        self.store = store
        self.rootKey = rootKey
        self.epochs = epochs
    }

    static func generate() throws -> StoreSecret {
        let store = try Identifier.random()
        return StoreSecret(
            store: store, rootKey: try .generate(),
            epochs: [try EpochSecret(store: store, epoch: 1, secret: try .random(count: 32))])
    }

    /// The same with one epoch more, and with a new root key where one is given.
    func withNewEpoch(rootKey: SigningKey? = nil) throws -> StoreSecret {
        guard newest.epoch < .max else { throw FormatError("a store has no more than 2^32 epochs") }
        let next = try EpochSecret(store: store, epoch: newest.epoch + 1, secret: try .random(count: 32))
        return StoreSecret(store: store, rootKey: rootKey ?? self.rootKey, epochs: epochs + [next])
    }

    private static let title = "holdfast store key 2"

    /// Reads the text in an age file.
    init(text: Secret) throws {
        let fields = try text.withUnsafeBytes { bytes -> [(name: String, value: [UInt8])] in
            var lines = bytes.split(separator: UInt8(ascii: "\n"))[...]
            guard let first = lines.popFirst(), first.elementsEqual(Self.title.utf8) else {
                throw FormatError("this is no store key of this version")
            }
            return try lines.map { line in
                guard let blank = line.firstIndex(of: UInt8(ascii: " ")) else {
                    throw FormatError("a store key has a line without a value")
                }
                return (String(decoding: line[..<blank], as: UTF8.self), Array(line[(blank + 1)...]))
            }
        }
        var store: Identifier?
        var rootKey: SigningKey?
        var epochs: [EpochSecret] = []
        var epoch: UInt32?
        for (name, value) in fields {
            let text = String(decoding: value, as: UTF8.self)
            switch name {
            case "store": store = Identifier(hexadecimal: text)
            case "root":
                guard let seed = decodeHexadecimal(text), seed.count == 32 else {
                    throw FormatError("a store key's root is malformed")
                }
                rootKey = try SigningKey(seed: Secret(seed))
            case "epoch":
                guard let number = UInt32(text), number > epochs.last?.epoch ?? 0 else {
                    throw FormatError("a store key's epoch is malformed")
                }
                epoch = number
            case "secret":
                guard let store, let number = epoch, let bytes = decodeHexadecimal(text), bytes.count == 32 else {
                    throw FormatError("a store key's epoch is malformed")
                }
                epochs.append(try EpochSecret(store: store, epoch: number, secret: Secret(bytes)))
                epoch = nil
            default: break
            }
        }
        guard let store, !epochs.isEmpty, epoch == nil else { throw FormatError("a store key is incomplete") }
        self.store = store
        self.rootKey = rootKey
        self.epochs = epochs
    }

    var oldest: EpochSecret { epochs[0] }
    var newest: EpochSecret { epochs[epochs.count - 1] }

    func epoch(_ number: UInt32) -> EpochSecret? { epochs.first { $0.epoch == number } }

    /// What of it the records of the store confirm: a secret whose P no record has is somebody else's, and a root key whose place another
    /// has taken governs nothing.
    func confirmed(by chain: RecordChain) -> StoreSecret? {
        let epochs = epochs.filter { chain.sealing(epoch: $0.epoch) == $0.sealing.publicKey }
        guard !epochs.isEmpty, store == chain.newest.store,
            rootKey.map({ chain.roots.contains($0.verifyingKey) }) ?? true
        else { return nil }
        return StoreSecret(
            store: store, rootKey: rootKey?.verifyingKey == chain.newest.root ? rootKey : nil, epochs: epochs)
    }

    /// The length of the text is a multiple of this: it says little, and a torn age file is known by its length.
    static let textUnit = 1024

    /// The age file of this secret for one recipient.
    /// - Parameter governs: whether the recipient gets the root key, too.
    func wrapped(for recipient: StoreRecipient, governs: Bool = true) throws -> [UInt8] {
        var text: [UInt8] = []
        // All the room at once: growing would leave copies behind.
        text.reserveCapacity(((epochs.count * 96 + 256) / Self.textUnit + 1) * Self.textUnit)
        text += Array("\(Self.title)\nstore \(store)\n".utf8)
        if governs, let rootKey { rootKey.seed.withUnsafeBytes { text += Array("root \(hexadecimal($0))\n".utf8) } }
        for epoch in epochs { epoch.withLines { text += $0 } }
        text += [UInt8](
            repeating: UInt8(ascii: "\n"), count: (Self.textUnit - text.count % Self.textUnit) % Self.textUnit)
        let secret = Secret(text)
        _ = text.withUnsafeMutableBytes { $0.initializeMemory(as: UInt8.self, repeating: 0) }
        return switch recipient {
        case .age(let recipient): try Age.encrypt(secret, to: [recipient])
        case .passphrase(let passphrase): try Age.encrypt(secret, passphrase: passphrase)
        }
    }
}

/// For whom a store's secret is wrapped.
public enum StoreRecipient: Sendable {
    case age(AgeRecipient)
    case passphrase(Secret)

    /// Its name in the store.
    public var name: String {
        switch self {
        case .age(let recipient): recipient.string
        case .passphrase: "passphrase"
        }
    }
}

/// What a person can open a store with.
public struct Credentials: Sendable {
    public var identities: [AgeIdentity]
    /// Asked only where a store has a passphrase and no identity opens it.
    public var passphrase: @Sendable () throws -> Secret?
    /// Asked where keys are made anew for a store that has a passphrase: it has to open those, too. The other one unless it is set.
    public var keptPassphrase: @Sendable () throws -> Secret?
    /// A steward's key, which opens labels and lists.
    public var steward: StewardKey?
    /// Which store it has to be.
    public var trust: StoreTrust

    public init(
        identities: [AgeIdentity] = [], steward: StewardKey? = nil, trust: StoreTrust = StoreTrust(),
        passphrase: @escaping @Sendable () throws -> Secret? = { nil }
    ) {
        self.identities = identities
        self.steward = steward
        self.trust = trust
        self.passphrase = passphrase
        keptPassphrase = passphrase
    }

    /// The same without asking for a passphrase.
    var silent: Credentials { Credentials(identities: identities, steward: steward, trust: trust) }

    /// The names under which one's own age files may lie, for looking there first.
    var recipientNames: [String] { identities.map(\.recipient.string) }

    /// Opens the first of the age files that can be opened and whose secret is `accepted`.
    /// - Throws: `ImageError.noIdentity`, `.wrongIdentity` or `.wrongPassphrase` with `subject` in its text.
    func open(
        _ files: [[UInt8]], subject: String, accepted: (StoreSecret) throws -> StoreSecret?
    ) throws -> StoreSecret {
        var damage: (any Error)?
        func parse(_ text: Secret) -> StoreSecret? {
            do {
                guard let secret = try accepted(StoreSecret(text: text)) else {
                    throw FormatError("no record of the store confirms the secret in it")
                }
                return secret
            } catch {
                damage = error
                return nil
            }
        }
        if !identities.isEmpty {
            // One that is for very many is none of a store's, and costs a calculation for each of them.
            let own = files.filter { 1...Format.maximumStanzas ~= Age.stanzaCount($0) ?? 0 }
            for file in own where !Age.isPassphraseEncrypted(file) {
                // One that does not open is for somebody else.
                if let text = try? Age.decrypt(file, identities: identities), let secret = parse(text) { return secret }
            }
        }
        // A passphrase takes a second a file, by design: one in two copies is what a store has.
        // One that asks for more work than any that we make is somebody's trap.
        let locked = files.filter { Age.workFactor($0).map { $0 <= Format.maximumWorkFactor } ?? false }.prefix(2)
        var isLocked = false
        if !locked.isEmpty, let passphrase = try passphrase() {
            isLocked = true
            for file in locked {
                // wrong
                if let text = try? Age.decrypt(file, passphrase: passphrase), let secret = parse(text) { return secret }
            }
        }
        if let damage { throw ImageError.damaged(subject: "the key of \(subject)", detail: "\(damage)") }
        if files.isEmpty { throw ImageError.damaged(subject: subject, detail: "it holds no key file") }
        if isLocked { throw ImageError.wrongPassphrase(store: subject, identities: !identities.isEmpty) }
        throw identities.isEmpty
            ? ImageError.noIdentity(store: subject, passphrase: !locked.isEmpty)
            : ImageError.wrongIdentity(store: subject)
    }
}
