// Making a store, and giving machines the right to write to it.

internal import Cryptography
public import Platform
public import Stores

/// As what a machine joins a store.
public struct JoinRequest: Sendable, Equatable {
    /// The group whose content it shares; nil: this machine alone.
    public var group: String?
    /// What the names of its series begin with; none: its host's name.
    public var series: [String]
    /// The writer whose place it takes, by its name or id; it may be revoked already.
    public var replaces: String?

    public init(group: String? = nil, series: [String] = [], replaces: String? = nil) {
        self.group = group
        self.series = series
        self.replaces = replaces
    }
}

extension Store {
    /// Makes a store in an empty or new folder and joins this machine to it.
    public static func create(
        _ path: BytePath, recipients: [StoreRecipient], group: String?, machine: MachineState
    ) throws -> Store {
        try create(FolderStore(path), recipients: recipients, JoinRequest(group: group), machine: machine)
    }

    /// Makes a store where there is none and joins this machine to it.
    ///
    /// The file HOLDFAST makes it one, and only one of two who make one at once can create that; the other removes what it had made.
    /// A crash before it leaves files under names that nobody else uses and nothing refers to.
    public static func create(
        _ objects: any ObjectStore, recipients: [StoreRecipient], _ request: JoinRequest, machine: MachineState
    ) throws -> Store {
        do {
            if try exists(objects) { throw ImageError.alreadyAStore(path: objects.subject) }
            if try !isFree(objects) { throw ImageError.folderInUse(path: objects.subject) }
            try StoreHeader.removeCut(from: objects)
            var names: Set<String> = []
            let recipients = recipients.filter { names.insert($0.name).inserted }
            let secret = try StoreSecret.generate()
            guard let rootKey = secret.rootKey else { throw FormatError("a new store has a root key") }
            let record = try StoreRecord(
                after: nil, store: secret.store, rootKey: rootKey, epoch: 1, sealing: secret.newest.sealing.publicKey,
                time: Timestamp.now().seconds, revoked: [],
                recipients: recipients.map { StoreReader(name: $0.name, governs: true) })
            let key = try WriterKey.issue(
                from: secret, rootKey: rootKey, group: request.group ?? defaultGroup(), writer: HostFacts.hostName,
                series: request.series.isEmpty ? [defaultSeries] : request.series)
            var made: [String] = []
            do {
                let folder = try StoreName.keys(epoch: 1, sealing: record.sealing)
                for recipient in recipients {
                    try putTwice("\(folder)/\(recipient.name).age", secret.wrapped(for: recipient), in: objects, &made)
                }
                try put(
                    "\(folder)/\(key.writer)",
                    Parcel.make(for: key.certificate, epoch: 1, indexKey: key.indexKey, rootKey: rootKey),
                    in: objects, &made)
                try putTwice(StoreName.record(record), record.encoded, in: objects, &made)
                // Before there is a store: a machine that could not keep its key must not leave one that it cannot write to.
                try machine.save(key)
                // The commit point.
                let header = try StoreHeader(store: secret.store, root: rootKey.verifyingKey).encoded()
                do throws(StoreError) { try objects.put(StoreName.header, header) } catch {
                    // Another one's, which alone has this name; all others have the new store's keys in theirs.
                    if error.reason == .exists { throw ImageError.alreadyAStore(path: objects.subject) }
                    throw error
                }
            } catch {
                for name in made { try? objects.remove(name) }  // Nothing refers to it.
                throw error
            }
            let opening = try Opening(
                objects, credentials: Credentials(), machine: machine, isWriting: true)
            try opening.finishHeader()
            try machine.remember(secret.store) { $0.see(opening.chain) }
            let store = try Store(
                opening, keyring: Keyring(chain: opening.chain, secret: secret, writer: key))
            try store.makeOwnFolders()
            return store
        } catch { throw ImageError.wrapping(error, subject: objects.subject) }
    }

    private static func put(
        _ name: String, _ bytes: [UInt8], in objects: any ObjectStore, _ made: inout [String]
    ) throws {
        made.append(name)
        try objects.put(name, bytes)
        // Without its keys nobody ever opens a store: of a server it is seen whether it has kept them.
        guard objects.isFar else { return }
        guard try objects.uncached.read(name, limit: Format.maximumStoreRecordLength) == bytes else {
            throw ImageError.damaged(
                subject: "\(name) of \(objects.subject)", detail: "the server does not give back what was sent")
        }
    }

    private static func putTwice(
        _ name: String, _ bytes: [UInt8], in objects: any ObjectStore, _ made: inout [String]
    ) throws {
        try put(name + ".2", bytes, in: objects, &made)
        try put(name, bytes, in: objects, &made)
    }

    /// What a machine has after it joined a store.
    public struct Joined {
        public var store: Store
        /// false: its key was good, and it goes on with it.
        public var isNew: Bool
        /// Where the group that was named is one that no machine is in, or was: the machines of each other group, by their names. nil: it is none.
        public var otherGroups: [[String]]?
    }

    /// Gives this machine a key that writes.
    public static func join(
        _ objects: any ObjectStore, _ request: JoinRequest, credentials: Credentials, machine: MachineState
    ) throws -> Store {
        try join(objects, request, isRenewal: true, credentials: credentials, machine: machine).store
    }

    /// Gives this machine a key that writes.
    /// - Parameter isRenewal: whether a machine that has joined already gets another key, as after its own was copied.
    public static func join(
        _ objects: any ObjectStore, _ request: JoinRequest, isRenewal: Bool, credentials: Credentials,
        machine: MachineState
    ) throws -> Joined {
        do {
            let opening = try Opening(
                objects, credentials: credentials, machine: machine, isWriting: true, isJoining: true)
            // Before this machine is one of them.
            let others = request.group == nil ? nil : try opening.writers() + opening.revokedWriters()
            let known = try joined(opening, request, isRenewal: isRenewal)
            let store = try known ?? join(opening, request, credentials)
            try store.makeOwnFolders()
            try machine.remember(opening.header.store) { $0.see(opening.chain) }
            return Joined(store: store, isNew: known == nil, otherGroups: others.flatMap(store.otherGroups))
        } catch { throw ImageError.wrapping(error, subject: objects.subject) }
    }

    /// - Parameter others: who may write to the store, or could.
    private func otherGroups(_ others: [Certificate]) -> [[String]]? {
        let writers = others.filter { $0.roles.contains(.write) }
        guard let own = keyring.writer?.certificate, !writers.contains(where: { $0.group == own.group }) else {
            return nil
        }
        // Its own place in another group is none of others.
        let rest = writers.filter { !own.predecessors.contains($0.writer) }
        return Dictionary(grouping: rest, by: \.group).values.map { Set($0.map(\.name)).sorted() }
            .sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The store, where this machine has joined it already and needs no other key. One that a new root key has certified is never renewed:
    /// its certificate is in its parcel.
    private static func joined(_ opening: Opening, _ request: JoinRequest, isRenewal: Bool) throws -> Store? {
        guard request == JoinRequest(), let key = opening.writer, opening.chain.roots.contains(key.root),
            !isRenewal || key.root != opening.chain.newest.root
        else { return nil }
        do {
            return try Store(opening, keyring: Keyring(chain: opening.chain, writer: opening.currentWriter()))
        } catch ImageError.leftOut, ImageError.revokedWriter { return nil }
    }

    static func join(_ opening: Opening, _ request: JoinRequest, _ credentials: Credentials) throws -> Store {
        let secret: StoreSecret
        do {
            secret = try opening.secret(credentials)
        } catch let error as ImageError {
            guard case .noIdentity = error else { throw error }
            guard let key = opening.writer, opening.chain.roots.contains(key.root) else {
                throw ImageError.noWriterKey(store: opening.subject)
            }
            // It has one: why that does not do, or, where it does, what another one needs.
            _ = try opening.currentWriter()
            throw error
        }
        guard let rootKey = secret.rootKey, secret.newest.epoch == opening.chain.newest.epoch else {
            throw ImageError.notGoverning(store: opening.subject)
        }
        let writers = try opening.writers()
        // A join that was cut off after the store had heard of it.
        let begun = try opening.machine.joiningKey(of: opening.header.store).flatMap { key in
            writers.contains { $0.writer == key.writer } ? key : nil
        }
        if let begun,
            request.series.isEmpty
                || request.series.map(ExactText.init) == begun.certificate.series.map(ExactText.init)
        {
            try opening.machine.save(begun)
            return try Store(opening, keyring: Keyring(chain: opening.chain, secret: secret, writer: begun))
        }
        // This machine's own earlier key needs no name: it lies here.
        let own = begun ?? opening.writer
        let replaced = try request.replaces.map { try opening.writer(named: $0, orRevoked: true) } ?? own?.certificate
        if let name = request.replaces, let replaced, !replaced.roles.contains(.write) {
            throw ImageError.unknownWriter(name: name, store: opening.subject)
        }
        let series = request.series.isEmpty ? replaced?.series ?? [defaultSeries] : request.series
        for other in writers where other.writer != replaced?.writer && other.roles.contains(.write) {
            if replaced?.predecessors.contains(other.writer) == true { continue }
            for taken in other.series {
                for prefix in series
                where ExactText(taken).hasPrefix(prefix) || ExactText(prefix).hasPrefix(taken) {
                    throw ImageError.seriesTaken(
                        prefix: taken, writer: other.name, id: "\(other.writer.short)", store: opening.subject)
                }
            }
        }
        let predecessors = replaced.map { [$0.writer] + $0.predecessors } ?? []
        func issue(_ secret: StoreSecret, _ rootKey: SigningKey) throws -> WriterKey {
            let group = try group(request, replacing: replaced, opening, secret)
            let key = try WriterKey.issue(
                from: secret, rootKey: rootKey, group: group, writer: HostFacts.hostName, series: series,
                predecessors: Array(predecessors.prefix(64)))
            try opening.machine.saveJoining(key)
            return key
        }
        // One that may still write.
        if let replaced, writers.contains(where: { $0.writer == replaced.writer }) {
            let governed = try Store(opening, keyring: Keyring(chain: opening.chain, secret: secret))
            return try governed.replace(replaced, by: issue, passphrase: credentials.keptPassphrase)
        }
        let key = try issue(secret, rootKey)
        // A parcel without its key is no more than a name; the key lies here as one that is joining.
        try putParcel(for: key.certificate, of: secret, rootKey, in: opening.objects)
        try opening.machine.save(key)
        return try Store(opening, keyring: Keyring(chain: opening.chain, secret: secret, writer: key))
    }

    /// The group that a machine joins: the one that it was told, or that of the writer whose place it takes.
    private static func group(
        _ request: JoinRequest, replacing replaced: Certificate?, _ opening: Opening, _ secret: StoreSecret
    ) throws -> WriterGroup {
        if let name = request.group { return try WriterGroup(named: name, of: secret) }
        let own = opening.writer
        // A certificate has no more than the group's id.
        if let replaced, replaced.group != own?.group.id {
            return WriterGroup(id: replaced.group, name: "that of \(replaced.name)")
        }
        if let own { return WriterGroup(id: own.group.id, name: own.groupName) }
        return try WriterGroup(named: defaultGroup(), of: secret)
    }

    /// Ends a writer and lets this machine take its place, with one record: its series never have two who may write them. Its images count as
    /// before.
    ///
    /// A crash after the record and before the key is kept here is ended by the same command: the key lies here as one that is joining.
    private func replace(
        _ writer: Certificate, by issue: @escaping (StoreSecret, SigningKey) throws -> WriterKey,
        passphrase: () throws -> Secret?
    ) throws -> Store {
        let (secret, key) = try turn(
            KeyTurn(revoking: [revocation(of: writer)], admitting: issue), passphrase: passphrase)
        guard let key else { throw FormatError("a writer was admitted and has no key") }
        try machine.save(key)
        let opening = try reopened()
        return try Store(opening, keyring: Keyring(chain: opening.chain, secret: secret, writer: key))
    }

    /// The group of a machine alone: named after the machine, not its host name, so that a second machine of the same
    /// name does not share its content by accident.
    static func defaultGroup() throws -> String {
        "machine " + (try HostFacts.machineIdentifier ?? ObjectID.random().description)
    }

    /// What the series of a machine begin with, unless it was told otherwise.
    static var defaultSeries: String { HostFacts.hostName + "/" }
}
