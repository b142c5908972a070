// The records of a store as a chain: which of those that were found belong to it, and which root key they end with.
//
// A new root key is a record like any other: it names the record before it, which the old root key signed, and the old one agrees to it
// with a second signature. So HOLDFAST stays as it was made, and nothing is replaced. Whoever knows the new key goes back from its records
// by their digests, and what the old key signs beside them is nothing to him; whoever knows the old key alone sees that another has taken
// its place, and follows neither.

internal import Cryptography
internal import Platform

/// What was found of a store's records: those of the root key that HOLDFAST names, and of the keys that took its place.
struct StoreRecords: Sendable {
    let store: Identifier
    /// The store's first root key.
    let first: VerifyingKey
    private(set) var records: [StoreRecord] = []
    /// All root keys that the records name, the first one first. Of two that took one's place one is forged.
    private(set) var roots: [VerifyingKey]
    private var known: Set<VerifyingKey>
    private var replacements: [VerifyingKey: Set<VerifyingKey>] = [:]
    private var signatures = 0

    init(_ header: StoreHeader) {
        store = header.store
        first = header.root
        roots = [first]
        known = [first]
    }

    /// Takes a record that was found, if it is one of this store: to be called in the order of their numbers, once for each.
    ///
    /// Who has the medium can put any number of others beside them: signatures are checked of what says that it is this store's, and of
    /// no more than a store can have.
    /// - Returns: whether it was taken.
    @discardableResult
    mutating func add(_ record: StoreRecord, subject: String) throws -> Bool {
        guard record.store == store, known.contains(record.replaced ?? record.root) else { return false }
        signatures += 1
        guard signatures <= 2 * Format.maximumRecords else {
            throw ImageError.damaged(subject: subject, detail: "it has more than \(Format.maximumRecords) records")
        }
        guard try record.isAuthentic else { return false }
        records.append(record)
        if known.insert(record.root).inserted { roots.append(record.root) }
        if let replaced = record.replaced { replacements[replaced, default: []].insert(record.root) }
        return true
    }

    /// The root keys whose place no other has taken, of all or of those that came after one: one, unless somebody forges.
    func newestRoots(after key: VerifyingKey? = nil) -> [VerifyingKey] {
        var reached: Set<VerifyingKey> = [key ?? first]
        var next = Array(reached)
        while let root = next.popLast() {
            for later in replacements[root] ?? [] where reached.insert(later).inserted { next.append(later) }
        }
        return roots.filter { reached.contains($0) && replacements[$0] == nil }
    }

    func chain(of root: VerifyingKey, subject: String) throws -> RecordChain {
        try RecordChain(records, store: store, first: first, root: root, subject: subject)
    }
}

/// The records of a store, in order: those of one root key, and what they name before them.
struct RecordChain: Sendable {
    let records: [StoreRecord]
    /// All root keys that the store has had.
    let roots: Set<VerifyingKey>

    var newest: StoreRecord { records[records.count - 1] }

    /// Of certificates that earlier root keys have signed: the digests of those that go on counting.
    var certificates: Set<Digest> { Set(records.last { $0.replaced != nil }?.certificates ?? []) }

    /// The number of the newest record that took a right from somebody, or keys from everybody; 0 where none did.
    var newestWithdrawal: UInt32 {
        let index = records.indices.dropFirst().last { index in
            let (before, after) = (records[index - 1], records[index])  // safe: from the second on
            let rights = Dictionary(after.recipients.map { ($0.name, $0.governs) }, uniquingKeysWith: { $1 })
            return before.epoch != after.epoch || Set(before.revoked) != Set(after.revoked)
                || before.recipients.contains { reader in rights[reader.name].map { !$0 && reader.governs } ?? true }
        }
        return index.map { records[$0].number } ?? 0
    }

    /// P of an epoch, as the root key has said it.
    func sealing(epoch: UInt32) -> SealingPublicKey? { records.last { $0.epoch == epoch }?.sealing }

    /// An epoch with its P and the root key of its time: a new root key begins a new epoch.
    typealias Epoch = (number: UInt32, sealing: SealingPublicKey, root: VerifyingKey)

    /// All of them, in order.
    var epochs: [Epoch] {
        var result: [Epoch] = []
        for record in records where record.epoch != result.last?.number {
            result.append((record.epoch, record.sealing, record.root))
        }
        return result
    }

    /// - Parameters:
    ///   - found: what was found in a store, in any order, doubled or not.
    ///   - first: the root key that HOLDFAST names.
    ///   - root: the one that counts.
    /// - Throws: `ImageError.contradicted` for two records of one number, `.damaged` where one is missing.
    init(
        _ found: [StoreRecord], store: Identifier, first: VerifyingKey, root: VerifyingKey, subject: String
    ) throws {
        let all = Dictionary(found.filter { $0.store == store }.map { ($0.digest, $0) }, uniquingKeysWith: { $1 })
        let own = all.values.filter { $0.root == root }
        guard let newest = own.max(by: { $0.number < $1.number }) else {
            throw ImageError.damaged(subject: subject, detail: "it has no record of its root key")
        }
        var backwards = [newest]
        var last = newest
        while last.number > 1 {
            guard let before = all[last.previous], before.number == last.number - 1 else {
                throw ImageError.damaged(
                    subject: subject, detail: "record \(last.number - 1) of its chain is missing")
            }
            try Self.check(last, after: before, subject: subject)
            backwards.append(before)
            last = before
        }
        guard last.root == first, last.replaced == nil, last.previous == .zero else {
            throw ImageError.damaged(subject: subject, detail: "record 1 of its chain is missing")
        }
        // What an earlier root key has signed beside them may be anybody's who had it, and says nothing.
        let chain = Set(backwards)
        if let other = own.filter({ !chain.contains($0) }).min(by: { $0.number < $1.number }) {
            let names = own.filter { $0.number == other.number }.map(StoreName.record).sorted()
            throw ImageError.contradicted(
                store: subject,
                detail:
                    "it has two records of number \(other.number), \(names.joined(separator: " and ")). If two who govern "
                    + "changed the keys of two copies of it, they remove one of the two from all copies, with its .2 and all that "
                    + "follows it, and repeat that change")
        }
        records = backwards.reversed()
        roots = Set(records.map(\.root))
    }

    private static func check(_ record: StoreRecord, after before: StoreRecord, subject: String) throws {
        // A new root key has the old one's consent, and an epoch of its own.
        let isSameRoot = record.root == before.root && record.replaced == nil
        let isNewRoot = record.root != before.root && record.replaced == before.root && record.epoch > before.epoch
        guard isSameRoot || isNewRoot, record.epoch >= before.epoch else {
            throw ImageError.damaged(
                subject: subject, detail: "record \(record.number) of its chain does not go on from the one before")
        }
        if record.epoch == before.epoch, record.sealing != before.sealing {
            throw ImageError.contradicted(
                store: subject, detail: "its records give two keys for epoch \(record.epoch)")
        }
    }
}
