// What is known of a store before keys are needed: its header, its records, and whether it is the one that it should be.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

/// A store up to the point where keys are needed: its header, its records, compared with everything that is known of it.
struct Opening {
    let objects: any ObjectStore
    let header: StoreHeader
    let chain: RecordChain
    let machine: MachineState
    /// This machine's key, as it lies there; its epochs may be old.
    let writer: WriterKey?
    private(set) var findings: [Finding] = []
    /// Whether anything says that it is the right store.
    private let isConfirmed: Bool

    var subject: String { objects.subject }

    /// - Parameter isWriting: what is only said to a reader is refused to a writer.
    init(
        _ objects: any ObjectStore, credentials: Credentials, machine: MachineState, isWriting: Bool,
        isJoining: Bool = false
    ) throws {
        self.objects = objects
        self.machine = machine
        let listed = Beside(objects.isFar) { try objects.list("e") }
        // Asked of a server twice it costs a round trip; on a disk it costs nothing, and is looked at as a whole.
        header = try StoreHeader.read(objects) { header in
            // What cannot be read now is read below, and told.
            objects.isFar && (try? machine.memory(of: header.store).root) != nil
        }
        let memory = try machine.memory(of: header.store)
        writer = try machine.writerKey(of: header.store)
        let records = try Self.readRecords(objects, header, listed: listed.value())
        let root: VerifyingKey
        (root, isConfirmed) = try credentials.trust.root(
            of: records, pinned: memory.pins(writer, credentials.steward, among: records),
            isJoining: isJoining || isWriting && writer == nil, subject: objects.subject)
        chain = try records.chain(of: root, subject: objects.subject)
        if let finding = try memory.compare(chain, isWriting: isWriting, subject: objects.subject) {
            findings.append(finding)
        }
    }

    /// All records there are, both copies taken together, as far as they are records of this store.
    ///
    /// Who has the medium can put any number of others beside them, and as long ones as he likes.
    /// - Parameter listed: their names and lengths, where they were asked for already.
    static func readRecords(
        _ objects: any ObjectStore, _ header: StoreHeader, listed: [StoredObject]? = nil
    ) throws -> StoreRecords {
        var records = StoreRecords(header)
        // As much again for what is torn or none.
        var budget = 2 * UInt64(Format.maximumRecordsLength)
        var found: Set<Substring> = []
        // A copy that cannot be read costs nothing where the other one can.
        var unread: [Substring: StoreError] = [:]
        // In the order of their numbers, which their names begin with.
        for file in try (listed ?? objects.list("e")).sorted(by: { $0.name < $1.name }) {
            let name = ObjectName.withoutSecond(file.name)
            if found.contains(name) { continue }
            // What is longer than any record is none, or a copy that something was put behind: a missing one is noticed by its number.
            if file.length > UInt64(Format.maximumStoreRecordLength) { continue }
            guard file.length <= budget else {
                throw ImageError.damaged(
                    subject: objects.subject,
                    detail: "its records are too long, up to e/\(printable(Array(file.name.utf8)))")
            }
            budget -= file.length
            let bytes: [UInt8]?
            do { bytes = try objects.read(file.name, limit: Format.maximumStoreRecordLength) } catch {
                if error.reason != .failed { throw error }
                unread[name] = error
                continue
            }
            guard let bytes,
                // A torn copy; a missing record is noticed by its number.
                let record = try? StoreRecord(unchecked: bytes),
                StoreName.record(record) == name, try records.add(record, subject: objects.subject)
            else { continue }
            found.insert(name)
        }
        if let failure = unread.first(where: { !found.contains($0.key) })?.value { throw failure }
        return records
    }

    /// Pins the store, if somebody has confirmed it.
    func remember() {
        guard isConfirmed else { return }
        // An old copy, of a root key that another one has replaced, is read by who says so, and no more: else who was removed would count again.
        if let pinned = try? machine.memory(of: header.store).root, !chain.roots.contains(pinned) { return }
        try? machine.remember(header.store) { $0.see(chain) }  // A rescue system may remember nothing.
    }

    func finishHeader() throws { try Self.finishHeader(objects, header) }

    /// Writes the copies of the header that an interrupted creation did not get to, or left torn.
    static func finishHeader(_ objects: any ObjectStore, _ header: StoreHeader) throws {
        let bytes = try header.encoded()
        for name in [StoreName.header + ".2", StoreName.header] {
            let there: [UInt8]?
            // One that cannot be read is verify's to tell: the other one could.
            do throws(StoreError) { there = try objects.read(name, limit: Format.maximumKeyLength) } catch { continue }
            if let there {
                if there == bytes { continue }
                // Another one that is whole stays; who opens the store is told.
                if try unlessDamaged({ try StoreHeader(decoding: there, subject: name) }) != nil { continue }
                // Where nothing can be removed the other copy has to do.
                guard try objects.removeIfAllowed(name) else { continue }
            }
            do throws(StoreError) { try objects.put(name, bytes) } catch {
                // A second copy that cannot be written is verify's to tell; another writer may have been faster.
                if error.reason != .exists && name == StoreName.header { throw error }
            }
        }
    }

    /// Writes the copies of records that an interrupted change of keys did not get to, or left torn.
    func finishRecords() throws {
        let there = Dictionary(try objects.list("e").map { ($0.name, $0.length) }, uniquingKeysWith: { $1 })
        for record in chain.records {
            let name = StoreName.record(record)
            for copy in [name + ".2", name] {
                // The name has the digest: what is shorter is this one, cut.
                if let length = there[copy] {
                    if length >= UInt64(record.encoded.count) { continue }
                    try objects.remove(copy)
                }
                try objects.put(copy, record.encoded)
            }
        }
    }

    // MARK: Keys

    /// The store's secret, with an identity: from the newest epoch's files, else from those of an older one, for who was removed since.
    func secret(_ credentials: Credentials) throws -> StoreSecret {
        var failure: (any Error)?
        for (index, epoch) in chain.epochs.reversed().enumerated() {
            let folder = try StoreName.keys(epoch: epoch.number, sealing: epoch.sealing)
            do {
                return try secret(in: folder, index == 0 ? credentials : credentials.silent)
            } catch {
                if failure == nil { failure = error }
                guard !credentials.identities.isEmpty else { break }
            }
        }
        throw failure ?? ImageError.wrongIdentity(store: subject)
    }

    private func secret(in folder: String, _ credentials: Credentials) throws -> StoreSecret {
        let confirmed = { (secret: StoreSecret) in secret.confirmed(by: chain) }
        // One's own file first: nobody else's is read where that opens.
        let own = credentials.recipientNames.flatMap { name in
            ["\(name).age", "\(name).reader.age"].flatMap { ["\(folder)/\($0)", "\(folder)/\($0).2"] }
        }
        for name in own {
            // The whole list follows where none of them is there, or opens.
            if let file = try? objects.read(name, limit: Format.maximumKeyLength),
                let secret = try? credentials.silent.open([file], subject: subject, accepted: confirmed)  // As above.
            {
                return secret
            }
        }
        var failure: (any Error)?
        let files = try keyFiles(in: folder).compactMap { file -> [UInt8]? in
            do { return try objects.read(file.name, limit: Format.maximumKeyLength) } catch {
                failure = error
                return nil
            }
        }
        if files.isEmpty, let failure { throw failure }
        return try credentials.open(files, subject: subject, accepted: confirmed)
    }

    /// The age files of an epoch, both copies.
    func keyFiles(in folder: String) throws -> [StoredObject] {
        let files = try objects.list(folder).filter { ObjectName.withoutSecond($0.name).hasSuffix(".age") }
        guard files.count <= 2 * Format.maximumKeyFiles else {
            throw ImageError.damaged(subject: subject, detail: "it has more than \(Format.maximumKeyFiles) key files")
        }
        return files
    }

    /// The folder of the newest epoch's keys.
    var keyFolder: String {
        get throws { try StoreName.keys(epoch: chain.newest.epoch, sealing: chain.newest.sealing) }
    }

    /// This machine's key in the store's newest epoch. New keys are taken from the machine's parcel, and kept; with them the certificate of a
    /// new root key.
    /// - Throws: `.revokedWriter`, `.leftOut`.
    func currentWriter() throws -> WriterKey {
        guard let writer, chain.roots.contains(writer.root) else { throw ImageError.noWriterKey(store: subject) }
        if chain.newest.revocation(of: writer.writer) != nil { throw ImageError.revokedWriter(store: subject) }
        let newest = chain.newest
        if writer.newest.number == newest.epoch {
            guard writer.newest.sealing == newest.sealing else {
                throw ImageError.contradicted(
                    store: subject, detail: "epoch \(newest.epoch) has another key than before")
            }
            return writer
        }
        var next = writer
        // Those between, too: a verdict or a tombstone of their time counts, and has to be opened.
        for epoch in chain.epochs where epoch.number > writer.newest.number {
            guard let parcel = try parcel(of: writer.certificate, epoch) else { continue }
            guard let parcel else {
                throw ImageError.damaged(
                    subject: "the parcel of \(subject) for this machine", detail: "it is not authentic")
            }
            next = next.adding(
                WriterKey.Epoch(
                    number: epoch.number, sealing: epoch.sealing,
                    indexKey: try parcel.open(with: writer.unsealing, epoch: epoch.number)),
                root: epoch.root, certificate: parcel.certificate)
        }
        guard next.newest.number == newest.epoch else {
            throw ImageError.leftOut(store: subject, epoch: newest.epoch)
        }
        try machine.save(next)
        return next
    }

    /// A writer's or steward's parcel of an epoch; nil where there is none, and nil within where what is there is none of the root key's for it.
    private func parcel(
        of certificate: Certificate, _ epoch: (number: UInt32, sealing: SealingPublicKey, root: VerifyingKey)
    ) throws -> Parcel?? {
        let folder = try StoreName.keys(epoch: epoch.number, sealing: epoch.sealing)
        guard let bytes = try objects.read("\(folder)/\(certificate.writer)", limit: Format.maximumKeyLength) else {
            return nil
        }
        // What is no parcel is none of the root key's either.
        guard let parcel = try? Parcel(decoding: bytes), try parcel.isIssued(by: epoch.root, epoch: epoch.number),
            parcel.certificate.key == certificate.key, parcel.certificate.sealing == certificate.sealing,
            parcel.certificate.group == certificate.group
        else { return .some(nil) }
        return parcel
    }

    /// The steward's key that was given, if it is this store's, with what newer epochs hold for it.
    func currentSteward(_ credentials: Credentials) throws -> StewardKey? {
        guard var steward = credentials.steward, chain.roots.contains(steward.root),
            steward.certificate.store == header.store
        else { return nil }
        for epoch in chain.epochs where !steward.indexSecrets.contains(where: { $0.epoch == epoch.number }) {
            // What is not the root key's word for this key gives it nothing.
            guard let found = try parcel(of: steward.certificate, epoch), let parcel = found else { continue }
            steward = steward.adding(
                epoch.number, try parcel.open(with: steward.unsealing, epoch: epoch.number), root: epoch.root,
                certificate: parcel.certificate)
        }
        return steward
    }
}
