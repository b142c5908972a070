// Keys, records and headers that somebody else made: no store is opened with them, and no machine writes for them.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct ForeignKeyTests {
    /// Keys that somebody made for a store of this id.
    private func forged(_ plant: Plant, epoch: UInt32) throws -> StoreSecret {
        let store = try StoreHeader.read(FolderStore(plant.path)).store
        return StoreSecret(
            store: store, rootKey: try .generate(),
            epochs: [try EpochSecret(store: store, epoch: epoch, secret: .random(count: 32))])
    }

    private func record(of secret: StoreSecret, number: Int, recipients: [StoreReader] = []) throws -> StoreRecord {
        var record: StoreRecord?
        for _ in 0..<number {
            record = try StoreRecord(
                after: record, store: secret.store, rootKey: #require(secret.rootKey), epoch: secret.newest.epoch,
                sealing: secret.newest.sealing.publicKey, time: 0, revoked: [], recipients: recipients)
        }
        return try #require(record)
    }

    @Test(
        "A secret that somebody wraps for a known recipient as a new epoch is used by nobody, with or without a record of his own",
        arguments: [false, true])
    func newEpoch(withRecord: Bool) throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        try plant.backup(plant.tree(), on: a)
        let secret = try forged(plant, epoch: 2)
        let folder = try StoreName.keys(epoch: 2, sealing: secret.newest.sealing.publicKey)
        for copy in ["", ".2"] {
            try plant.overwrite(
                "\(folder)/\(plant.owner.recipient.string).age\(copy)",
                secret.wrapped(for: .age(plant.owner.recipient)))
            // A parcel for the machine, too.
            let key = try plant.key(of: a)
            try plant.overwrite(
                "\(folder)/\(key.writer)",
                Parcel.make(
                    for: key.certificate, epoch: 2, indexKey: .random(count: 32), rootKey: #require(secret.rootKey)))
            if withRecord {
                for number in 1...2 {
                    let record = try record(of: secret, number: number)
                    try plant.overwrite(StoreName.record(record) + copy, record.encoded)
                }
            }
        }
        let image = try plant.backup(plant.tree(seed: 2), on: a)
        #expect(try plant.root(image.id).header.epoch == 1)
        #expect(try plant.restore(image.id.description).findings == 0)
        #expect(try Store.readers(FolderStore(plant.path)).map(\.name) == [plant.owner.recipient.string])
    }

    @Test("A key file with a secret that no record confirms opens nothing, and the other copy still does")
    func replacedKeyFile() throws {
        let plant = try Plant()
        let secret = try forged(plant, epoch: 1)
        let name = try plant.owned().chain.newest
        let folder = try StoreName.keys(epoch: 1, sealing: name.sealing)
        let file = "\(folder)/\(plant.owner.recipient.string).age"
        try plant.overwrite(file, secret.wrapped(for: .age(plant.owner.recipient)))
        #expect(throws: Never.self) { try plant.owned() }
        #expect(try plant.verify().findings > 0)
        try plant.overwrite(file + ".2", secret.wrapped(for: .age(plant.owner.recipient)))
        #expect(status { _ = try plant.owned() } == 3)
    }

    @Test("A store of the same id with another root key is refused for every purpose, and nothing in it is changed")
    func otherRoot() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        try plant.backup(plant.tree(), on: a)
        // The whole store anew, as somebody would make it who wants to be read.
        let secret = try forged(plant, epoch: 1)
        let header = StoreHeader(store: secret.store, root: try #require(secret.rootKey).verifyingKey)
        let record = try record(
            of: secret, number: 1,
            recipients: [StoreReader(name: plant.owner.recipient.string, governs: true)])
        let folder = try StoreName.keys(epoch: 1, sealing: secret.newest.sealing.publicKey)
        for copy in ["", ".2"] {
            try plant.overwrite("HOLDFAST\(copy)", header.encoded())
            try plant.overwrite(StoreName.record(record) + copy, record.encoded)
            try plant.overwrite(
                "\(folder)/\(plant.owner.recipient.string).age\(copy)",
                secret.wrapped(for: .age(plant.owner.recipient)))
        }
        let before = try look(at: plant.path)
        for machine in [plant.office, a] {
            for purpose in [Store.Purpose.read, .list, .write] {
                #expect(
                    status { _ = try plant.opened(machine, for: purpose, plant.credentials) } == 4, "\(purpose)")
            }
            #expect(
                status {
                    _ = try Store.join(
                        FolderStore(plant.path), JoinRequest(), credentials: plant.credentials, machine: machine)
                } == 4)
            #expect(
                status {
                    _ = try Store.replicate(
                        FolderStore(plant.path), to: FolderStore(plant.scratch.file("replica")), images: [],
                        credentials: Credentials(), machine: machine, progress: Progress(), findings: Findings())
                } == 4)
        }
        #expect(try look(at: plant.path) == before)
        // A machine that has never seen the store is asked, with what its identity is noted for.
        final class Asked: @unchecked Sendable { var stores: [StoreTrust.Unpinned] = [] }
        let asked = Asked()
        let genuine = try #require(StoreFingerprint(String(repeating: "A", count: 32)))
        let noted = StoreTrust(noted: [genuine]) {
            asked.stores.append($0)
            throw ImageError.foreignStore(store: $0.store, found: "\($0.fingerprint)", pinned: "\(genuine)")
        }
        let rescue = plant.scratch.machine("rescue")
        #expect(
            status {
                _ = try plant.opened(rescue, for: .read, Credentials(identities: [plant.owner], trust: noted))
            } == 4)
        #expect(asked.stores.count == 1 && asked.stores.allSatisfy { $0.isForeign && !$0.isJoining })
        #expect(try rescue.memory(of: secret.store) == StoreMemory())
        // What somebody wrote down for it outweighs everything.
        let expected = Credentials(identities: [plant.owner], trust: StoreTrust(expected: genuine))
        #expect(status { _ = try plant.opened(rescue, for: .list, expected) } == 4)
    }

    @Test(
        "A store whose two headers differ is refused: nobody knows which is forged",
        arguments: ["HOLDFAST", "HOLDFAST.2"])
    func twoHeaders(name: String) throws {
        let plant = try Plant()
        let header = StoreHeader(
            store: try StoreHeader.read(FolderStore(plant.path)).store, root: try SigningKey.generate().verifyingKey)
        try plant.overwrite(name, header.encoded())
        for purpose in [Store.Purpose.read, .list, .write] {
            #expect(status { _ = try plant.opened(plant.office, for: purpose, plant.credentials) } == 4)
        }
    }

    @Test("Two records of one number, both of the root key, are refused for every purpose")
    func twoRecords() throws {
        let plant = try Plant()
        let chain = try plant.owned().chain
        for time in [1, 2] as [Int64] {
            let record = try StoreRecord(
                after: chain.newest, store: chain.newest.store, rootKey: plant.rootKey(), epoch: 1,
                sealing: chain.newest.sealing, time: time, revoked: [], recipients: chain.newest.recipients)
            try plant.overwrite(StoreName.record(record), record.encoded)
            if time == 1 { #expect(throws: Never.self) { try plant.owned() } }
        }
        for purpose in [Store.Purpose.read, .list, .write] {
            #expect(status { _ = try plant.opened(plant.office, for: purpose, plant.credentials) } == 4)
        }
    }

    @Test("A record that goes missing, with the epoch that it announced, is said to readers and stops writers")
    func missingRecord() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        try plant.backup(plant.tree(), on: a)
        let second = try AgeIdentity.generate()
        try plant.owned().add(.age(second.recipient), governs: true)
        try plant.owned().remove(recipient: second.recipient.string) { nil }
        try plant.backup(plant.tree(), on: a)
        let chain = try plant.owned().chain
        #expect(chain.records.map(\.number) == [1, 2, 3])
        for copy in ["", ".2"] { try removeFile(plant.file(StoreName.record(chain.newest) + copy)) }
        for machine in [plant.office, a] {
            let reading = try plant.opened(machine, for: .read, plant.credentials)
            #expect(reading.findings.count == 1 && reading.findings[0].reason.contains("this machine has seen 3"))
            #expect(status { _ = try plant.opened(machine, for: .write, plant.credentials) } == 4)
        }
        // From the middle: that is no state the store ever had.
        try plant.overwrite(StoreName.record(chain.newest), chain.newest.encoded)
        for copy in ["", ".2"] { try removeFile(plant.file(StoreName.record(chain.records[1]) + copy)) }
        #expect(status { _ = try plant.owned() } == 3)
    }

    @Test("Reading a store that nobody has confirmed pins nothing: who joins it then is asked all the same")
    func readingPinsNothing() throws {
        struct Asked: Error {}
        let plant = try Plant()
        try plant.backup(plant.tree(), on: plant.machine("a", group: "line"))
        let stranger = plant.scratch.machine("stranger")
        for purpose in [Store.Purpose.list, .read] {
            #expect(try plant.opened(stranger, for: purpose, plant.credentials).images().count == 1)
        }
        #expect(try stranger.memory(of: plant.owned().id).root == nil)
        let careful = Credentials(
            identities: [plant.owner], trust: StoreTrust(unpinned: { store in if store.isJoining { throw Asked() } }))
        let refused = status {
            _ = try Store.join(
                FolderStore(plant.path), JoinRequest(group: "x", series: ["x/"]), credentials: careful,
                machine: stranger)
        }
        #expect(try refused != nil && stranger.writerKey(of: plant.owned().id) == nil)
    }
}
