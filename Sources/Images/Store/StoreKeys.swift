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
    /// Whose it is, in people's words; may be empty.
    public var label: String

    /// The name of whoever knows the store's passphrase.
    static let passphrase = "passphrase"

    var fileName: String { governs ? "\(name).age" : "\(name).reader.age" }

    init(name: String, governs: Bool, label: String = "") {
        self.name = name
        self.governs = governs
        self.label = label
    }

    /// Why a text cannot be a label; nil where it can.
    public static func objection(toLabel label: String) -> String? {
        if label.utf8.count > Format.maximumRecipientLabelLength {
            return "it has more than \(Format.maximumRecipientLabelLength) bytes"
        }
        // A backslash alone is printable, and shown doubled all the same.
        let isPrintable = label.split(separator: "\\").allSatisfy { printable($0.utf8) == $0 }
        return isPrintable ? nil : "it has control characters, or others that cannot be shown"
    }
}

/// A machine that may write to a store, or a steward's key.
public struct StoreWriter: Sendable {
    /// 32 hexadecimal digits.
    public var id: String
    /// The name of its host when it joined.
    public var name: String
    /// None for a steward's key, which writes no images.
    public var series: [String]
    public var isSteward: Bool

    init(_ certificate: Certificate) {
        id = "\(certificate.writer)"
        name = certificate.name
        series = certificate.series
        isSteward = certificate.roles.contains(.steward)
    }
}

/// What a new epoch is made for.
struct KeyTurn {
    /// The recipients that it has no key for.
    var without: Set<String> = []
    /// A recipient as it is from now on: one that governed, or a passphrase that takes the place of the one before.
    var changed: StoreReader?
    /// That passphrase.
    var passphrase: Secret?
    /// The writers that it has no key for.
    var revoking: [StoreRecord.Revocation] = []
    /// A root key that takes the place of the store's, and which certificates of those before go on counting.
    var newRoot: (key: SigningKey, certificates: Set<Digest>)?
    /// Makes the key of a writer that comes in with the new epoch.
    var admitting: ((StoreSecret, SigningKey) throws -> WriterKey)?
}

extension Store {
    /// Who can open the store in its newest epoch. Needs no key, and asks nobody.
    /// - Parameter machine: whose pins hold; nil: nobody's.
    public static func readers(
        _ objects: any ObjectStore, trust: StoreTrust = StoreTrust(), machine: MachineState? = nil
    ) throws -> [StoreReader] {
        do {
            let header = try StoreHeader.read(objects)
            let records = try Opening.readRecords(objects, header)
            let pinned = try machine?.memory(of: header.store).pins(nil, among: records) ?? []
            let root = try StoreTrust(expected: trust.expected, noted: trust.noted)
                .root(of: records, pinned: pinned, subject: objects.subject).key
            return try records.chain(of: root, subject: objects.subject).newest.recipients
        } catch { throw ImageError.wrapping(error, subject: objects.subject) }
    }

    /// Who could open the store in its newest epoch when it was opened.
    public var readers: [StoreReader] { chain.newest.recipients }

    /// The machines that may write in the newest epoch.
    public func writers() throws -> [StoreWriter] {
        try reopened(isWriting: false).writers().map(StoreWriter.init)
    }

    /// The machines that may write no more, and whose place no other one has taken.
    public func revokedWriters() throws -> [StoreWriter] {
        try reopened(isWriting: false).revokedWriters().map(StoreWriter.init)
    }

    /// The machine that somebody means, by its name or the beginning of its id.
    public func writer(named name: String) throws -> StoreWriter {
        do { return StoreWriter(try reopened(isWriting: false).writer(named: name)) } catch {
            throw ImageError.wrapping(error, subject: subject)
        }
    }

    /// The store as it is now.
    func reopened(isWriting: Bool = true) throws -> Opening {
        try Opening(
            objects, credentials: Credentials(trust: StoreTrust(expected: fingerprint)), machine: machine,
            isWriting: isWriting)
    }

    /// The keys of who governs, and the store's newest record as it is now.
    func governing() throws -> (secret: StoreSecret, rootKey: SigningKey, opening: Opening) {
        let opening = try reopened()
        let (secret, rootKey) = try governing(opening)
        try opening.finishRecords()
        return (secret, rootKey, opening)
    }

    private func governing(_ opening: Opening) throws -> (secret: StoreSecret, rootKey: SigningKey) {
        guard let secret = keyring.secret else { throw ImageError.noIdentity(store: subject) }
        guard let rootKey = secret.rootKey, secret.newest.epoch == opening.chain.newest.epoch else {
            throw ImageError.notGoverning(store: subject)
        }
        return (secret, rootKey)
    }

    /// Refuses whoever only reads the store, before he is told or asked anything else. Writes nothing.
    public func checkGoverning() throws {
        do { _ = try governing(reopened(isWriting: false)) } catch {
            throw ImageError.wrapping(error, subject: subject)
        }
    }

    /// Lets another recipient open the store. Its key files come first; the record that makes it one is the commit point.
    /// - Parameters:
    ///     A passphrase takes the place of the one that the store has, with new keys.
    ///   - governs: whether it may also change who else can.
    ///   - label: nil: the one that it has, if it is there already.
    ///   - passphrase: the store's, asked for where somebody else opens it with one and there are new keys.
    public func add(
        _ recipient: StoreRecipient, governs: Bool, label: String? = nil,
        passphrase: () throws -> Secret? = { nil }
    ) throws {
        do {
            let (secret, rootKey, opening) = try governing()
            let known = opening.chain.newest.recipients.first { $0.name == recipient.name }
            let added = StoreReader(name: recipient.name, governs: governs, label: label ?? known?.label ?? "")
            if let known, known.governs, !governs {
                // A right that is taken takes new keys: its old file has the root key, and copies of the store have that file.
                try turn(KeyTurn(changed: added)) {
                    if case .passphrase(let own) = recipient { return own }
                    return try passphrase()
                }
                return
            }
            var isThere = false
            if case .passphrase(let given) = recipient, let known {
                if try !opening.isOpened(by: given) {
                    // In the keys of now copies of the store would keep the file of the one before.
                    try turn(KeyTurn(changed: added, passphrase: given)) { nil }
                    return
                }
                isThere = known.governs == governs
            }
            let folder = try StoreName.keys(epoch: chain.newest.epoch, sealing: chain.newest.sealing)
            let name = "\(folder)/\(added.fileName)"
            if let known, known.governs == governs, !isThere {
                // Made anew, it would differ from that in copies of the store for ever.
                let copies = try [name, name + ".2"].map { try objects.read($0, limit: Format.maximumKeyLength) }
                isThere = copies[0] != nil && copies[0] == copies[1]
            }
            // Once: sealed anew, the second copy would be another file.
            let bytes = try secret.wrapped(for: recipient, governs: governs)
            for copy in isThere ? [] : [name + ".2", name] {
                // The same person's file from before, damaged: it holds the same.
                try objects.remove(copy)
                try objects.put(copy, bytes)
            }
            let newest = opening.chain.newest
            if newest.recipients.contains(added) { return }
            do {
                try announce(added, after: newest, rootKey)
            } catch {
                try withdraw(name, of: added)
                throw error
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Takes the key files of somebody back whom no record lists: they would open the store all the same.
    private func withdraw(_ file: String, of reader: StoreReader) throws {
        let chain = try Opening.readRecords(objects, header).chain(of: self.chain.newest.root, subject: subject)
        if chain.newest.recipients.contains(where: { $0.fileName == reader.fileName }) { return }
        for copy in [file, file + ".2"] { _ = try objects.removeIfAllowed(copy) }
    }

    /// Whether there are key files of somebody whom no record lists: of a change that was cut off.
    private func isUnlisted(_ name: String) throws -> Bool {
        let folder = try StoreName.keys(epoch: chain.newest.epoch, sealing: chain.newest.sealing)
        return try [true, false].contains { governs in
            let file = "\(folder)/\(StoreReader(name: name, governs: governs).fileName)"
            return try objects.contains(file) || objects.contains(file + ".2")
        }
    }

    /// Says anew whose a recipient is, and changes nothing else of it.
    public func setLabel(_ label: String, of recipient: String) throws {
        do {
            let (_, rootKey, opening) = try governing()
            let newest = opening.chain.newest
            guard var labelled = newest.recipients.first(where: { $0.name == recipient }) else {
                throw ImageError.unknownRecipient(recipient: recipient, store: subject)
            }
            if labelled.label == label { return }
            labelled.label = label
            try announce(labelled, after: newest, rootKey)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Refuses to take what some recipients may do where that cannot be done: before anybody is asked whether he means it.
    /// - Parameter orEarlier: whether they may have been removed before.
    public func checkRemoval(of names: [String], orEarlier: Bool = false) throws {
        let newest = try reopened(isWriting: false).chain.newest
        _ = try recipients(of: newest, after: KeyTurn(without: Set(names)), orEarlier: orEarlier)
    }

    func recipients(
        of newest: StoreRecord, after change: KeyTurn, orEarlier: Bool = false
    ) throws -> [StoreReader] {
        for name in change.without
        where try !newest.recipients.contains(where: { $0.name == name }) && !isUnlisted(name) {
            if orEarlier, chain.records.contains(where: { $0.recipients.contains { $0.name == name } }) { continue }
            throw ImageError.unknownRecipient(recipient: name, store: subject)
        }
        let staying = newest.recipients.filter { !change.without.contains($0.name) }
            .map { reader in change.changed.flatMap { $0.name == reader.name ? $0 : nil } ?? reader }
        if !staying.contains(where: \.governs) { throw ImageError.lastRecipient(store: subject) }
        return staying
    }

    /// Takes a recipient's right to open what is written from now on: a new epoch, with keys for everybody else.
    /// - Parameter passphrase: the store's, asked for where somebody opens it with one and stays.
    func remove(recipient: String, passphrase: () throws -> Secret?) throws {
        do { _ = try turn(KeyTurn(without: [recipient]), passphrase: passphrase) } catch ImageError.keysChanging {
            // What was cut off, and is announced now, may have been this very change.
            let (before, now) = (chain.newest, try reopened().chain.newest)
            guard before.recipients.contains(where: { $0.name == recipient }),
                now.epoch > before.epoch, !now.recipients.contains(where: { $0.name == recipient })
            else { throw ImageError.keysChanging(store: subject) }
        }
    }

    /// Makes a new epoch. Age files and parcels come first; the record is the commit point. A crash before it leaves files of an epoch
    /// that nobody has announced.
    /// - Returns: the store's secrets, the new one among them, and the key of the writer that came in with it.
    @discardableResult
    func turn(
        _ change: KeyTurn, passphrase: () throws -> Secret?
    ) throws -> (secret: StoreSecret, admitted: WriterKey?) {
        do {
            let (secret, rootKey, opening) = try governing()
            let newest = opening.chain.newest
            // Before anything is made that would be of no use.
            try RecordClaim(after: newest, rootKey: rootKey, in: objects).giveWayIfTaken()
            // Whose key was taken already has the old root key all the same.
            let staying = try recipients(of: newest, after: change, orEarlier: change.newRoot != nil)
            // Another one would take its place, and whoever knows the store's would find that it opens nothing any more.
            let isPassphraseKept = staying.contains { $0.name == StoreReader.passphrase }
            let kept = isPassphraseKept ? try change.passphrase ?? opening.passphrase(passphrase) : nil
            let next = try secret.withNewEpoch(rootKey: change.newRoot?.key)
            try putKeys(next, for: staying, passphrase: kept)
            let ended = Set(change.revoking.map(\.writer))
            let signer = change.newRoot?.key ?? rootKey
            for certificate in try opening.writers() where !ended.contains(certificate.writer) {
                try Self.putParcel(
                    for: change.newRoot == nil ? certificate : certificate.reissued(by: signer), of: next, signer,
                    in: objects)
            }
            if let newRoot = change.newRoot {
                try restateDamage(with: next, rootKey: newRoot.key)
                try machine.remember(id) { $0.announced = newRoot.key.verifyingKey }
            }
            let admitted = try change.admitting?(next, signer)
            if let admitted { try Self.putParcel(for: admitted.certificate, of: next, signer, in: objects) }
            try announce(
                after: newest, epoch: next.newest.epoch, sealing: next.newest.sealing.publicKey,
                revoked: newest.revoked + change.revoking, recipients: staying, rootKey: signer,
                replacing: change.newRoot.map { (rootKey, $0.certificates) })
            return (next, admitted)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// The age files of the newest epoch of these secrets.
    private func putKeys(
        _ secret: StoreSecret, for readers: [StoreReader], passphrase: Secret?
    ) throws {
        let folder = try StoreName.keys(epoch: secret.newest.epoch, sealing: secret.newest.sealing.publicKey)
        for reader in readers {
            let recipient: StoreRecipient
            if reader.name == StoreReader.passphrase {
                guard let passphrase else { throw ImageError.passphraseNeeded(store: subject) }
                recipient = .passphrase(passphrase)
            } else {
                recipient = .age(try AgeRecipient(reader.name))
            }
            let bytes = try secret.wrapped(for: recipient, governs: reader.governs)
            try objects.put("\(folder)/\(reader.fileName).2", bytes)
            try objects.put("\(folder)/\(reader.fileName)", bytes)
        }
    }

    /// What a writer or a steward finds of the newest epoch.
    static func putParcel(
        for certificate: Certificate, of secret: StoreSecret, _ rootKey: SigningKey, in objects: any ObjectStore
    ) throws {
        let epoch = secret.newest
        let key =
            certificate.roles.contains(.steward) ? epoch.indexSecret : try epoch.indexKey(certificate.group)
        let folder = try StoreName.keys(epoch: epoch.epoch, sealing: epoch.sealing.publicKey)
        try objects.put(
            "\(folder)/\(certificate.writer)",
            Parcel.make(for: certificate, epoch: epoch.epoch, indexKey: key, rootKey: rootKey))
    }

    /// A record that lists a recipient, or lists him anew, and changes nothing else.
    private func announce(_ reader: StoreReader, after newest: StoreRecord, _ rootKey: SigningKey) throws {
        try announce(
            after: newest, epoch: newest.epoch, sealing: newest.sealing, revoked: newest.revoked,
            recipients: newest.recipients.filter { $0.name != reader.name } + [reader], rootKey: rootKey)
    }

    /// Writes the store's next record, which is the commit point of every change of rights.
    private func announce(
        after newest: StoreRecord, epoch: UInt32, sealing: SealingPublicKey, revoked: [StoreRecord.Revocation],
        recipients: [StoreReader], rootKey: SigningKey,
        replacing replaced: (rootKey: SigningKey, certificates: Set<Digest>)? = nil
    ) throws {
        let record = try StoreRecord(
            after: newest, store: id, rootKey: rootKey, epoch: epoch, sealing: sealing, time: Timestamp.now().seconds,
            revoked: revoked, recipients: recipients, replacing: replaced)
        // What would be read by nobody is written by nobody.
        let length = try reopened().chain.records.reduce(record.encoded.count) { $0 + $1.encoded.count }
        guard length <= Format.maximumRecordsLength else {
            throw FormatError("its records have no room for another one")
        }
        // The root key of now names the place: a new one is nobody else's yet.
        let claim = try RecordClaim(after: newest, rootKey: replaced?.rootKey ?? rootKey, in: objects)
        try claim.take(record)
        // Whoever had the claim before has announced his by now.
        guard try reopened().chain.newest == newest else {
            claim.release()
            throw ImageError.keysChanging(store: subject)
        }
        try objects.announce(record)
        claim.release()
        // Where a server lets two create one name there can be two all the same; that is said at once.
        let chain = try Opening.readRecords(objects, header).chain(of: record.root, subject: subject)
        try machine.remember(id) { $0.see(chain) }
    }

    /// Issues a steward's key: for pruning, reports and policy, over all groups. It opens no content.
    public func issueSteward(name: String) throws -> StewardKey {
        do {
            let (secret, rootKey, _) = try governing()
            let key = try StewardKey.issue(from: secret, rootKey: rootKey, name: name)
            try Self.putParcel(for: key.certificate, of: secret, rootKey, in: objects)
            return key
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
