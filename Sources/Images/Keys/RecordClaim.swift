// Which record comes next. Of several who govern a store and change its keys at once one wins, and the others are told before anything of
// theirs is announced: from two records of one number no store recovers.
//
// A record's own name has its digest in it, so two records never meet under one name. Therefore each is claimed first, under a name that
// follows from the record before it and the root key's seed: those who govern all come to the same one, where only one can create it, and
// nobody else can guess it. The claim is the whole record. So one that somebody was cut behind is no obstacle: whoever finds it announces
// what it says. Readers know nothing of it.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Stores

struct RecordClaim {
    private let objects: any ObjectStore
    private let previous: StoreRecord
    private let name: String

    /// - Parameter previous: the newest record of the store.
    init(after previous: StoreRecord, rootKey: SigningKey, in objects: any ObjectStore) throws {
        self.objects = objects
        self.previous = previous
        let place = try KeyDerivation.hkdf(
            secret: rootKey.seed, salt: previous.store.bytes,
            info: Array("holdfast/1/next record".utf8) + previous.digest.bytes, count: 16)
        let folder = try StoreName.keys(epoch: previous.epoch, sealing: previous.sealing)
        name = "\(folder)/\(Self.prefix)" + place.withUnsafeBytes { hexadecimal($0) }
    }

    private static let prefix = "next-"

    /// Whether a key file is a claim, perhaps one that somebody was cut behind.
    static func isName(_ fileName: String) -> Bool {
        fileName.hasPrefix(prefix) && Identifier(hexadecimal: fileName.dropFirst(prefix.utf8.count)) != nil
    }

    /// Claims the place behind the newest record. Durable on return.
    /// - Throws: `ImageError.keysChanging` where somebody else has it. What he was cut at is announced by then.
    func take(_ record: StoreRecord) throws {
        do throws(StoreError) {
            try objects.put(name, record.encoded)
        } catch {
            guard error.reason == .exists else { throw error }
            try giveWay()
        }
        // Somebody who took it for a cut one may have removed it.
        guard try objects.read(name, limit: Format.maximumStoreRecordLength) == record.encoded else { throw changing }
    }

    /// Ends the claim: the record is there, or is not to be.
    func release() { try? objects.remove(name) }  // It is in nobody's way: the next record has another place.

    private var changing: ImageError { .keysChanging(store: objects.subject) }

    /// Where somebody has the place already: he is let through, or what he was cut at is announced for him.
    /// - Throws: `ImageError.keysChanging` then.
    func giveWayIfTaken() throws {
        if try objects.openIfPresent(name) != nil { try giveWay() }
    }

    private func giveWay() throws -> Never {
        // Whoever is at it needs a moment.
        usleep(1_000_000)
        guard let bytes = try objects.read(name, limit: Format.maximumStoreRecordLength) else { throw changing }
        // What does not decode was cut before it was whole: nothing has followed from it.
        if let record = try? StoreRecord(decoding: bytes),
            (record.replaced ?? record.root) == previous.root,
            record.store == previous.store, record.number == previous.number &+ 1, record.previous == previous.digest
        {
            try objects.announce(record)
        }
        release()
        throw changing
    }
}

extension ObjectStore {
    /// Writes a record, twice. What is there of it already, whole or cut, is its own.
    ///
    /// With one copy it is announced. Where only the other one fails, the change is made all the same: a verification names what is missing,
    /// and the next change of the keys writes it.
    func announce(_ record: StoreRecord) throws {
        try announce(record, as: StoreName.record(record) + ".2")
        do { try announce(record, as: StoreName.record(record)) } catch is StoreError {}
    }

    private func announce(_ record: StoreRecord, as copy: String) throws {
        do throws(StoreError) {
            try put(copy, record.encoded)
        } catch {
            guard error.reason == .exists, let there = try read(copy, limit: Format.maximumStoreRecordLength)
            else { throw error }
            if there == record.encoded { return }
            guard try removeIfAllowed(copy) else { throw error }
            try put(copy, record.encoded)
        }
    }
}
