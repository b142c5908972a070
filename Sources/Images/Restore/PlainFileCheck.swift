// What a verification looks at beside the objects: HOLDFAST, records, age files and parcels, and what lies among them that is none of the
// store's. Anybody who has the medium can put a file there: it decides nothing, and it is named.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

struct PlainFileCheck {
    let store: Store
    /// Open their own age files.
    let identities: [AgeIdentity]
    /// Called with the name of a file, and what is wrong with it.
    let report: (String, String) -> Void

    /// Files of one kind that are named; of the others only how many there are.
    private static let maximumNamed = 20

    /// - Returns: how many key files lie in folders that no record names. Who may write can put them there, as a change of keys does that is
    ///   cut off before its record: they open nothing, and nobody looks at them.
    func run() throws -> UInt64 {
        checkHeaders()
        try checkRecords()
        return try checkKeys()
    }

    private func checkHeaders() {
        for name in [StoreName.header, StoreName.header + ".2"] {
            do {
                guard let bytes = try store.objects.read(name, limit: Format.maximumKeyLength) else {
                    throw FormatError("it is missing")
                }
                guard try StoreHeader(decoding: bytes, subject: name) == store.header else {
                    throw FormatError("it names another store")
                }
            } catch { report(name, explained(error).sentence) }
        }
    }

    private func checkCopies(_ name: String) {
        do {
            let first = try store.objects.read(name, limit: Format.maximumStoreRecordLength)
            let second = try store.objects.read(name + ".2", limit: Format.maximumStoreRecordLength)
            if first == nil && second == nil {
                report(name, "both copies are missing")
            } else if first == nil || first != second {
                report(name, "its two copies differ")
            }
        } catch { report(name, explained(error).sentence) }
    }

    private func reportStrangers(_ names: [String], in folder: String, _ reason: String) {
        for name in names.prefix(Self.maximumNamed) { report(name, reason) }
        let others = names.count - min(names.count, Self.maximumNamed)
        if others > 0 { report(folder, "\(others) more files of which the same is true") }
    }

    // MARK: Records

    private func checkRecords() throws {
        let names = Set(store.chain.records.map(StoreName.record))
        names.sorted().forEach(checkCopies)
        let others = try store.objects.list("e").map(\.name).filter {
            !names.contains(String(ObjectName.withoutSecond($0)))
        }
        // Somebody may have changed the keys since the store was opened.
        let strangers = others.isEmpty ? [] : others.filter(try notNewer())
        reportStrangers(strangers, in: "e", "it is no record that the root key of this store has signed")
    }

    /// Whether a file is no record that has come since.
    private func notNewer() throws -> (String) -> Bool {
        let now = try Opening.readRecords(store.objects, store.header).chain(
            of: store.chain.newest.root, subject: store.subject)
        let names = Set(now.records.map(StoreName.record))
        return { !names.contains(String(ObjectName.withoutSecond($0))) }
    }

    // MARK: Keys

    private func checkKeys() throws -> UInt64 {
        var known: Set<String> = []
        let files = Dictionary(grouping: try store.objects.list("k").map(\.name)) { name in
            String(name.prefix(name.utf8.count - (name.split(separator: "/").last?.utf8.count ?? 0)))
        }
        for epoch in store.chain.epochs {
            let folder = try StoreName.keys(epoch: epoch.number, sealing: epoch.sealing) + "/"
            known.insert(folder)
            // Whoever is to open the store finds a file.
            let isNewest = epoch.number == store.chain.newest.epoch
            let expected = isNewest ? store.chain.newest.recipients.map { folder + $0.fileName } : []
            try checkKeys(of: epoch, files[folder] ?? [], expected: expected)
        }
        return UInt64(files.filter { !known.contains($0.key) }.values.map(\.count).reduce(0, +))  // safe: of a list
    }

    private func checkKeys(of epoch: RecordChain.Epoch, _ files: [String], expected: [String]) throws {
        // A recipient may have been given another right within the epoch. Records that name none say nothing of any.
        let recipients = Set(
            store.chain.records.filter { $0.epoch == epoch.number }.flatMap(\.recipients).map(\.fileName))
        var strangers: [String] = []
        var ages = Set(expected)
        for name in files {
            let last = String(name.split(separator: "/").last ?? "")
            if Identifier(hexadecimal: last) != nil {
                checkParcel(name, epoch)
            } else if recipients.contains(String(ObjectName.withoutSecond(last))) || recipients.isEmpty {
                ages.insert(String(ObjectName.withoutSecond(name)))
            } else if !RecordClaim.isName(last), epoch.number == store.chain.newest.epoch {
                strangers.append(name)
            }
        }
        reportStrangers(
            strangers, in: "k",
            "no record of this store names its recipient: `holdfast key remove RECIPIENT` makes keys that it does not have"
        )
        for name in ages.sorted() {
            // Of older epochs nobody needs to find one: the newest one's have all secrets.
            if expected.contains(name) { checkCopies(name) }
            for copy in [name, name + ".2"] { checkSecret(copy, epoch) }
        }
    }

    /// Who has no parcel gets no keys at the next change of them.
    private func checkParcel(_ name: String, _ epoch: RecordChain.Epoch) {
        do {
            let bytes = try store.objects.read(name, limit: Format.maximumKeyLength) ?? []
            let parcel = try Parcel(decoding: bytes)
            guard name.hasSuffix("/\(parcel.certificate.writer)"),
                try parcel.isIssued(by: epoch.root, epoch: epoch.number)
            else { throw FormatError("it is no parcel that the root key has signed") }
        } catch { report(name, explained(error).sentence) }
    }

    /// Whether the file of one of the identities at hand gives the secret of its epoch. Others' nobody here can open.
    private func checkSecret(_ name: String, _ epoch: RecordChain.Epoch) {
        let last = name.split(separator: "/").last ?? ""
        guard identities.contains(where: { last.hasPrefix("\($0.recipient.string).") }) else { return }
        do {
            // One that is missing was named with its other copy.
            guard let bytes = try store.objects.read(name, limit: Format.maximumKeyLength) else { return }
            // What does not open is torn, or not for whom its name says.
            guard let text = try? Age.decrypt(bytes, identities: identities) else {
                throw FormatError("it does not open with the identity of its recipient")
            }
            let secret = try StoreSecret(text: text)
            guard secret.store == store.id, secret.epoch(epoch.number)?.sealing.publicKey == epoch.sealing,
                secret.rootKey.map({ $0.verifyingKey == epoch.root }) ?? true
            else { throw FormatError("its secret is not the one that the record of its epoch names") }
        } catch { report(name, explained(error).sentence) }
    }
}
