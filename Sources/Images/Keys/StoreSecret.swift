// The secret of a store: what an age file holds, and the keys that follow from it.

public import Cryptography
internal import Platform

/// The secret of one epoch of a store. Who has it can do everything.
final class EpochSecret: Sendable {
    let store: Identifier
    let epoch: UInt32
    private let secret: Secret
    let sealing: SealingPrivateKey
    let signing: SigningKey

    init(store: Identifier, epoch: UInt32, secret: Secret) throws {
        self.store = store
        self.epoch = epoch
        self.secret = secret
        sealing = try SealingPrivateKey(raw: Self.derive(secret, store, "sealing"))
        signing = try SigningKey(seed: Self.derive(secret, store, "signing"))
    }

    private static func derive(
        _ secret: Secret, _ store: Identifier, _ purpose: String, _ context: [UInt8] = [], count: Int = 32
    ) throws -> Secret {
        try KeyDerivation.hkdf(
            secret: secret, salt: store.bytes, info: Array("holdfast/1/\(purpose)".utf8) + context, count: count)
    }

    func group(named name: String) throws -> GroupKeys {
        let id = try Self.derive(secret, store, "group/", Array(name.utf8), count: 16)
        guard let id = Identifier(id.withUnsafeBytes { Array($0) }) else { throw FormatError("no group id") }
        return try group(id)
    }

    func group(_ id: Identifier) throws -> GroupKeys {
        GroupKeys(
            id: id, chunkKey: try Self.derive(secret, store, "chunk id/", id.bytes),
            indexKey: try Self.derive(secret, store, "index/", id.bytes))
    }

    /// The lines for an age file.
    func withLines<R>(_ body: ([UInt8]) throws -> R) rethrows -> R {
        try secret.withUnsafeBytes { bytes in
            try body(Array("epoch \(epoch)\nsecret \(hexadecimal(bytes))\n".utf8))
        }
    }
}

/// What the machines of a group share.
struct GroupKeys: Sendable {
    let id: Identifier
    /// K_id: makes chunk ids.
    let chunkKey: Secret
    /// K_index: opens directories and labels.
    let indexKey: Secret

    func gearTable(store: Identifier) throws -> [UInt64] {
        let bytes = try KeyDerivation.hkdf(
            secret: chunkKey, salt: store.bytes, info: Array("holdfast/1/gear".utf8), count: 2048)
        return bytes.withUnsafeBytes { bytes in
            (0..<256).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
        }
    }

    /// The key of one object's directory or label.
    func objectKey(salt: [UInt8]) throws -> Secret {
        try KeyDerivation.hkdf(
            secret: indexKey, salt: salt, info: Array("holdfast/1/object index".utf8), count: 32)
    }
}

/// A store's secrets of all epochs, opened with an identity.
public final class StoreSecret: Sendable {
    let store: Identifier
    let epochs: [EpochSecret]

    init(store: Identifier, epochs: [EpochSecret]) {
        self.store = store
        self.epochs = epochs
    }

    static func generate() throws -> StoreSecret {
        let store = try Identifier.random()
        return StoreSecret(
            store: store, epochs: [try EpochSecret(store: store, epoch: 1, secret: try .random(count: 32))])
    }

    /// Reads the text in an age file.
    init(text: Secret) throws {
        var lines = text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }.split(separator: "\n").map {
            $0.split(separator: " ", maxSplits: 1).map(String.init)
        }[...]
        guard lines.popFirst() == ["holdfast", "store key 1"], let line = lines.popFirst(), line.first == "store",
            let store = line.last.flatMap({ Identifier(hexadecimal: $0) })
        else { throw FormatError("this is no store key of version 1") }
        var epochs: [EpochSecret] = []
        while let epochLine = lines.popFirst() {
            guard let secretLine = lines.popFirst(), epochLine.first == "epoch", secretLine.first == "secret",
                let epoch = epochLine.last.flatMap({ UInt32($0) }),
                let bytes = secretLine.last.flatMap({ decodeHexadecimal($0) }), bytes.count == 32,
                epoch > epochs.last?.epoch ?? 0
            else { throw FormatError("a store key's epoch is malformed") }
            epochs.append(try EpochSecret(store: store, epoch: epoch, secret: Secret(bytes)))
        }
        guard !epochs.isEmpty else { throw FormatError("a store key without an epoch") }
        self.store = store
        self.epochs = epochs
    }

    var newest: EpochSecret { epochs[epochs.count - 1] }

    func epoch(_ number: UInt32) -> EpochSecret? { epochs.first { $0.epoch == number } }

    /// The age file of this secret for one recipient.
    func wrapped(for recipient: StoreRecipient) throws -> [UInt8] {
        var text = Array("holdfast store key 1\nstore \(store)\n".utf8)
        for epoch in epochs { epoch.withLines { text += $0 } }
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

    public init(identities: [AgeIdentity] = [], passphrase: @escaping @Sendable () throws -> Secret? = { nil }) {
        self.identities = identities
        self.passphrase = passphrase
    }

    /// Opens the first of the age files that can be opened.
    /// - Throws: `ImageError.noIdentity` or `.wrongIdentity` with `subject` in its text.
    func open(_ files: [[UInt8]], store: Identifier?, subject: String) throws -> StoreSecret {
        var damage: (any Error)?
        func parse(_ text: Secret) -> StoreSecret? {
            do {
                let secret = try StoreSecret(text: text)
                // A secret of another store, wrapped to a recipient of this one, must not be taken for it.
                guard store == nil || secret.store == store else { throw FormatError("the key is of another store") }
                return secret
            } catch {
                damage = error
                return nil
            }
        }
        if !identities.isEmpty {
            for file in files where !Age.isPassphraseEncrypted(file) {
                if let text = try? Age.decrypt(file, identities: identities), let secret = parse(text) { return secret }
            }
        }
        let locked = files.filter { Age.isPassphraseEncrypted($0) }
        var tried = !identities.isEmpty
        if !locked.isEmpty, let passphrase = try passphrase() {
            tried = true
            for file in locked {
                if let text = try? Age.decrypt(file, passphrase: passphrase), let secret = parse(text) { return secret }
            }
        }
        if let damage { throw ImageError.damaged(subject: "the key of \(subject)", detail: "\(damage)") }
        if files.isEmpty { throw ImageError.damaged(subject: subject, detail: "it holds no key file") }
        throw tried ? ImageError.wrongIdentity(store: subject) : ImageError.noIdentity(store: subject)
    }
}
