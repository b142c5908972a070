// Who can open a store and who may write to it: adding, removing, revoking. Whatever takes a right away makes a new epoch: new keys, for
// those who stay. What was written before stays readable to who could read it.

public import Cryptography
internal import Platform
public import Stores

/// Somebody whose identity, or passphrase, opens a store.
public struct StoreReader: Sendable, Hashable {
    /// `age1…` or `passphrase`.
    public var name: String
    /// false: it reads and changes no keys.
    public var governs: Bool

    var fileName: String { governs ? "\(name).age" : "\(name).reader.age" }

    init(name: String, governs: Bool) {
        self.name = name
        self.governs = governs
    }
}

/// A machine that may write to a store.
public struct StoreWriter: Sendable {
    /// 32 hexadecimal digits.
    public var id: String
    /// The name of its host when it joined.
    public var name: String
    public var series: [String]
}

extension Store {
    /// Who can open the store in its newest epoch. Needs no key.
    public static func readers(_ objects: any ObjectStore) throws -> [StoreReader] {
        do {
            return try Opening.readRecords(objects, StoreHeader.read(objects)).newest.recipients
        } catch { throw ImageError.wrapping(error, subject: objects.subject) }
    }

    /// The machines that may write in the newest epoch.
    public func writers() throws -> [StoreWriter] {
        try reopened(isWriting: false).writers().map {
            StoreWriter(id: "\($0.writer)", name: $0.name, series: $0.series)
        }
    }

    /// The store as it is now.
    private func reopened(isWriting: Bool = true) throws -> Opening {
        try Opening(
            objects, credentials: Credentials(trust: StoreTrust(expected: fingerprint)), machine: machine,
            isWriting: isWriting)
    }

    /// The keys of who governs, and the store's newest record as it is now.
    private func governing() throws -> (secret: StoreSecret, rootKey: SigningKey, opening: Opening) {
        guard let secret = keyring.secret else { throw ImageError.noIdentity(store: subject) }
        let opening = try reopened()
        guard let rootKey = secret.rootKey, secret.newest.epoch == opening.chain.newest.epoch else {
            throw ImageError.notGoverning(store: subject)
        }
        return (secret, rootKey, opening)
    }

    /// Lets another recipient open the store. Its key files come first; the record that makes it one is the commit point.
    /// - Parameter governs: whether it may also change who else can.
    public func add(_ recipient: StoreRecipient, governs: Bool) throws {
        do {
            let (secret, rootKey, opening) = try governing()
            let added = StoreReader(name: recipient.name, governs: governs)
            let folder = try StoreName.keys(epoch: chain.newest.epoch, sealing: chain.newest.sealing)
            let name = "\(folder)/\(added.fileName)"
            // Once: sealed anew, the second copy would be another file.
            let bytes = try secret.wrapped(for: recipient, governs: governs)
            for copy in [name + ".2", name] {
                // The same person's file from before: it holds the same, and a passphrase may have changed.
                try objects.remove(copy)
                try objects.put(copy, bytes)
            }
            let newest = opening.chain.newest
            if newest.recipients.contains(added) { return }
            try announce(
                after: newest, epoch: newest.epoch, sealing: newest.sealing, revoked: newest.revoked,
                recipients: newest.recipients.filter { $0.name != added.name } + [added], rootKey: rootKey)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Takes a recipient's right to open what is written from now on: a new epoch, with keys for everybody else.
    /// - Parameter passphrase: the store's, asked for where somebody opens it with one and stays.
    public func remove(recipient: String, passphrase: () throws -> Secret?) throws {
        try turn(without: recipient, revoking: nil, passphrase: passphrase)
    }

    /// Takes a writer's right to write: a new epoch without it, and a record that says which of its images still count.
    /// - Parameters:
    ///   - writer: its name or the beginning of its id.
    ///   - since: seconds since 1970; images that say a later time count no more. nil: all that are there count.
    public func revoke(writer name: String, since: Int64?, passphrase: () throws -> Secret?) throws {
        do {
            let writers = try reopened().writers().filter {
                $0.name == name || name.count >= 4 && $0.writer.description.hasPrefix(name)
            }
            guard let writer = writers.first else { throw ImageError.unknownWriter(name: name, store: subject) }
            guard writers.count == 1 else {
                throw ImageError.ambiguousWriter(name: name, candidates: writers.map { "\($0.writer)" })
            }
            let own = try roots(ofGroup: writer.group, writer: writer.writer)
            let kept = own.compactMap { name -> RootReference? in
                // One that cannot be read now counts no more than a forged one.
                guard let root = try? image(name), root.label.time.seconds < since ?? .max else { return nil }
                return root.reference
            }
            try turn(
                without: nil, revoking: StoreRecord.Revocation(writer: writer.writer, kept: kept),
                passphrase: passphrase)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Makes a new epoch. Age files and parcels come first; the record is the commit point. A crash before it leaves files of an epoch
    /// that nobody has announced.
    private func turn(
        without recipient: String?, revoking: StoreRecord.Revocation?, passphrase: () throws -> Secret?
    ) throws {
        do {
            let (secret, rootKey, opening) = try governing()
            let readers = opening.chain.newest.recipients
            if let recipient, !readers.contains(where: { $0.name == recipient }) {
                throw ImageError.unknownRecipient(recipient: recipient, store: subject)
            }
            let staying = readers.filter { $0.name != recipient }
            if !staying.contains(where: \.governs) { throw ImageError.lastRecipient(store: subject) }
            let next = try secret.withNewEpoch()
            let folder = try StoreName.keys(epoch: next.newest.epoch, sealing: next.newest.sealing.publicKey)
            for reader in staying {
                let wrapped: StoreRecipient
                if reader.name == "passphrase" {
                    guard let passphrase = try passphrase() else {
                        throw ImageError.library(
                            "the passphrase of \(subject) is needed, so that it opens the new keys, too")
                    }
                    wrapped = .passphrase(passphrase)
                } else {
                    wrapped = .age(try AgeRecipient(reader.name))
                }
                let bytes = try next.wrapped(for: wrapped, governs: reader.governs)
                try objects.put("\(folder)/\(reader.fileName).2", bytes)
                try objects.put("\(folder)/\(reader.fileName)", bytes)
            }
            for certificate in try opening.writers() where certificate.writer != revoking?.writer {
                let key =
                    certificate.roles.contains(.steward)
                    ? next.newest.indexSecret : try next.newest.indexKey(certificate.group)
                try objects.put(
                    "\(folder)/\(certificate.writer)",
                    Parcel.make(for: certificate, epoch: next.newest.epoch, indexKey: key, rootKey: rootKey))
            }
            try announce(
                after: opening.chain.newest, epoch: next.newest.epoch, sealing: next.newest.sealing.publicKey,
                revoked: opening.chain.newest.revoked + [revoking].compactMap { $0 }, recipients: staying,
                rootKey: rootKey)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Writes the store's next record, which is the commit point of every change of rights.
    private func announce(
        after newest: StoreRecord, epoch: UInt32, sealing: SealingPublicKey, revoked: [StoreRecord.Revocation],
        recipients: [StoreReader], rootKey: SigningKey
    ) throws {
        // Read again just before: from two records of one number a store would not recover.
        let chain = try reopened().chain
        guard chain.newest == newest else {
            throw ImageError.library("somebody else is changing the keys of \(subject); nothing was announced")
        }
        let record = try StoreRecord(
            after: chain.newest, store: id, rootKey: rootKey, epoch: epoch, sealing: sealing,
            time: Timestamp.now().seconds, revoked: revoked, recipients: recipients)
        // What would be read by nobody is written by nobody.
        guard chain.records.reduce(record.encoded.count, { $0 + $1.encoded.count }) <= Format.maximumRecordsLength
        else {
            throw FormatError("its records have no room for another one")
        }
        let name = StoreName.record(record)
        try objects.put(name + ".2", record.encoded)
        try objects.put(name, record.encoded)
        try machine.remember(id) {
            $0.see(try RecordChain(chain.records + [record], store: id, root: header.root, subject: subject))
        }
    }

    /// Issues a steward's key: for pruning, reports and policy, over all groups. It opens no content.
    public func issueSteward(name: String) throws -> StewardKey {
        do {
            let (secret, rootKey, _) = try governing()
            let key = try StewardKey.issue(from: secret, rootKey: rootKey, name: name)
            let folder = try StoreName.keys(epoch: chain.newest.epoch, sealing: chain.newest.sealing)
            try objects.put(
                "\(folder)/\(key.certificate.writer)",
                Parcel.make(
                    for: key.certificate, epoch: chain.newest.epoch, indexKey: secret.newest.indexSecret,
                    rootKey: rootKey))
            return key
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
