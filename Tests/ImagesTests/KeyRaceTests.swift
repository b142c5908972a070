// Two who govern a store and change its keys at once: one wins, the other is told, and the store has one record of each number.

import Cryptography
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite struct KeyRaceTests {
    private let plant: Plant
    private let other: AgeIdentity

    /// A store that two govern.
    init() throws {
        plant = try Plant()
        other = try AgeIdentity.generate()
        try plant.owned().add(.age(other.recipient), governs: true)
    }

    /// The store as the other one sees it.
    private func others() throws -> Store {
        try Store.open(
            FolderStore(plant.path), for: .read, credentials: Credentials(identities: [other]),
            machine: plant.scratch.machine("other"))
    }

    /// The store as its owner sees it, in a folder in which somebody acts before a call.
    private func owned(
        before: @escaping @Sendable (StoreCall.Verb, String) throws(StoreError) -> Void
    ) throws -> Store {
        try Store.open(
            WatchedStore(FolderStore(plant.path), before: before), for: .read, credentials: plant.credentials,
            machine: plant.office)
    }

    private func recipient() throws -> StoreRecipient { .age(try AgeIdentity.generate().recipient) }

    private var names: [String] { get throws { try FolderStore(plant.path).list("e").map(\.name) } }

    private func expectOneChain(_ count: Int) throws {
        #expect(try plant.owned().chain.records.count == count)
        #expect(try names.count == 2 * count)
        // No claim is left.
        #expect(try !FolderStore(plant.path).list("k").contains { $0.name.contains("next-") })
    }

    @Test(
        "Who comes while another one is about to announce announces nothing, and nobody is in the other's way",
        arguments: ["k/", "e/"])
    func beaten(folder: String) throws {
        let isDone = Atomic(false)
        let late = try recipient()
        let first = try recipient()
        let store = try owned { verb, name throws(StoreError) in
            guard verb == .put, name.hasPrefix(folder), folder == "e/" || name.contains("next-"),
                !isDone.exchange(true, ordering: .relaxed)
            else { return }
            let status = status { try others().add(late, governs: false) }
            // Before the claim the other one is the first; behind it he is the second.
            #expect(status == (folder == "e/" ? 1 : nil))
        }
        let own = status { try store.add(first, governs: false) }
        #expect(own == (folder == "e/" ? nil : 1))
        try expectOneChain(3)
        let readers = try Set(Store.readers(FolderStore(plant.path)).map(\.name))
        #expect(readers.contains(first.name) == (folder == "e/") && readers.contains(late.name) == (folder == "k/"))
        // Whoever lost repeats.
        if folder == "e/" {
            try others().add(late, governs: false)
        } else {
            try plant.owned().add(first, governs: false)
        }
        try expectOneChain(4)
    }

    @Test(
        "A change that was cut behind its claim is announced by who comes next, whole or in part as it was",
        arguments: 0..<3)
    func cut(puts: Int) throws {
        let machine = try plant.machine("a", group: "line")
        let done = Atomic(0)
        let store = try owned { verb, name throws(StoreError) in
            guard verb == .put, name.hasPrefix("e/") else { return }
            if done.add(1, ordering: .relaxed).newValue > puts { throw StoreError(.unreachable, "put", name) }
        }
        let removed = status { try store.remove(recipient: other.recipient.string) { nil } }
        #expect((removed == nil) == (puts >= 1))
        if puts < 2 {
            // One copy of a record is the record.
            #expect(try plant.owned().chain.records.count == 2 + puts)
            #expect(status { try plant.owned().add(recipient(), governs: false) } == (puts == 0 ? 1 : nil))
        }
        #expect(try Store.readers(FolderStore(plant.path)).contains { $0.name == other.recipient.string } == false)
        // The new keys are whole: the machine takes its own, the owner opens all.
        #expect(try plant.root(plant.backup(plant.tree(), on: machine).id).header.epoch == 2)
        try plant.owned().add(recipient(), governs: false)
    }

    @Test("The same change, made again after it was cut behind its claim, is done", arguments: [false, true])
    func again(isRevocation: Bool) throws {
        let machine = try plant.machine("a", group: "line")
        _ = try plant.backup(plant.tree(), on: machine)
        let writer = try plant.key(of: machine).writer
        let other = other.recipient.string
        func change(_ store: Store) throws {
            if isRevocation {
                try store.revoke(writer: "\(writer)", since: nil) { nil }
            } else {
                try store.remove(recipient: other) { nil }
            }
        }
        let cut = try owned { verb, name throws(StoreError) in
            if verb == .put, name.hasPrefix("e/") { throw StoreError(.unreachable, "put", name) }
        }
        #expect(status { try change(cut) } == 1)
        #expect(throws: Never.self) { try change(plant.owned()) }
        let newest = try plant.owned().chain.newest
        #expect(newest.epoch == 2)
        #expect((newest.revocation(of: writer)?.kept.count == 1) == isRevocation)
        #expect(newest.recipients.contains { $0.name == other } == isRevocation)
        // Another one is not.
        let next = try owned { verb, name throws(StoreError) in
            if verb == .put, name.hasPrefix("e/") { throw StoreError(.unreachable, "put", name) }
        }
        #expect(status { try next.add(recipient(), governs: false) } == 1)
        #expect(status { try plant.owned().add(recipient(), governs: false) } == 1)
    }

    @Test("A claim that was cut itself says nothing, and is in the way once")
    func tornClaim() throws {
        let store = try owned { verb, name throws(StoreError) in
            if verb == .put, name.hasPrefix("e/") { throw StoreError(.unreachable, "put", name) }
        }
        #expect(status { try store.add(recipient(), governs: false) } != nil)
        let claim = try #require(try FolderStore(plant.path).list("k").first { $0.name.contains("next-") })
        let bytes = try readWhole(plant.file(claim.name), limit: 1 << 16)
        try plant.overwrite(claim.name, Array(bytes.prefix(100)))
        #expect(status { try plant.owned().add(recipient(), governs: false) } == 1)
        try plant.owned().add(recipient(), governs: false)
        try expectOneChain(3)
    }

    @Test("Who holds the medium and no root key cannot know the place of a claim, and announces nothing by one")
    func planted() throws {
        let store = try owned { verb, name throws(StoreError) in
            if verb == .put, name.hasPrefix("e/") { throw StoreError(.unreachable, "put", name) }
        }
        #expect(status { try store.add(recipient(), governs: false) } != nil)
        let claim = try #require(try FolderStore(plant.path).list("k").first { $0.name.contains("next-") })
        let foreign = try StoreRecord(
            after: plant.owned().chain.newest, store: plant.owned().id, rootKey: .generate(), epoch: 1,
            sealing: plant.owned().chain.newest.sealing, time: 0, revoked: [], recipients: [])
        try plant.overwrite(claim.name, foreign.encoded)
        #expect(status { try plant.owned().add(recipient(), governs: false) } == 1)
        try plant.owned().add(recipient(), governs: false)
        try expectOneChain(3)
    }

    @Test("Many changes by two at once leave one record of each number")
    func many() throws {
        let wins = Atomic(0)
        let stores = try [plant.owned(), others()]
        let threads = stores.map { store in
            WorkerThread {
                for _ in 0..<4 {
                    do {
                        try store.add(.age(AgeIdentity.generate().recipient), governs: false)
                        wins.add(1, ordering: .relaxed)
                    } catch { #expect(explained(error).exitStatus == 1, "\(error)") }
                }
            }
        }
        for thread in threads { thread.join() }
        let count = wins.load(ordering: .relaxed)
        #expect(count >= 4)
        try expectOneChain(2 + count)
    }

    @Test("Copies whose keys were changed apart are not mixed, and two records of one number are named with what to do")
    func apart() throws {
        let replica = plant.scratch.file("replica")
        func copy() throws {
            _ = try Store.replicate(
                FolderStore(plant.path), to: FolderStore(replica), images: [], credentials: Credentials(),
                machine: plant.scratch.machine("stranger"), progress: Progress(), findings: Findings())
        }
        try copy()
        try plant.owned().add(recipient(), governs: false)
        try Store.open(
            FolderStore(replica), for: .read, credentials: Credentials(identities: [other]),
            machine: plant.scratch.machine("other")
        ).add(recipient(), governs: false)
        let before = try look(at: replica)
        #expect(status { try copy() } == 4)
        #expect(try look(at: replica) == before)
        for name in try FolderStore(replica).list("e").map(\.name) where !exists(plant.file(name)) {
            try plant.overwrite(name, readWhole(replica.appending(name), limit: 1 << 16))
        }
        do {
            _ = try plant.owned()
            Issue.record("a store with two records of one number was opened")
        } catch {
            let sentence = explained(error).sentence
            #expect(explained(error).exitStatus == 4)
            for name in try names where name.contains("/00000003-") && !ObjectName.isSecond(name) {
                #expect(sentence.contains(name), "\(sentence)")
            }
        }
    }
}
