// A new root key that is cut short: the store is the old one or the new one, and the same command again ends it.

import Cryptography
import Platform
import Reporting
import Stores
import TestSupport
import Testing

@testable import Images

@Suite struct RekeyCutTests {
    @Test(
        "Wherever a new root key is cut short, the store is the old one or the new one, and the same command again ends it",
        arguments: FlakyStore.Moment.allCases, [false, true])
    func cuts(moment: FlakyStore.Moment, isLasting: Bool) throws {
        let coup = try Coup()
        let plant = coup.plant
        let b = try plant.machine("b", group: "line")
        let image = try plant.backup(plant.tree(), on: coup.a)
        #expect(try plant.owned().share(plant.verify(), tool: "test") == 1)
        let folders = ["store", "office", "a", "b"]
        func keep(_ from: String, _ to: String) {
            for folder in folders {
                let (source, target) = (plant.scratch.file(folder + from), plant.scratch.file(folder + to))
                run("/bin/rm", ["-rf", target.description])
                run("/bin/cp", ["-a", source.description, target.description])
            }
        }
        keep("", ".kept")
        func rekey(_ objects: any ObjectStore) throws -> StoreFingerprint {
            try Store.open(objects, for: .read, credentials: plant.credentials, machine: plant.office)
                .rekey(without: [coup.gone.recipient.string], writers: []) { nil }
        }
        var outcomes: [Bool: Int] = [:]
        var call = 1
        while true {
            keep(".kept", "")
            let flaky = FlakyStore(FolderStore(plant.path), failing: call, moment, isLasting: isLasting)
            // What fails is said, or another way around it was found.
            var made: StoreFingerprint?
            do { made = try rekey(flaky) } catch {}
            if !flaky.hasFailed { break }
            // Whoever governs and was not at this machine sees one or the other, whole.
            let other = plant.scratch.machine("other \(call)")
            let seen = try plant.opened(other, for: .read, plant.credentials)
            let isNew = seen.fingerprint != coup.before
            outcomes[isNew, default: 0] += 1
            #expect(seen.chain.newest.recipients.count == (isNew ? 1 : 2), "call \(call)")
            #expect(try seen.images().filter(\.counts).map(\.id) == [image.id], "call \(call)")
            // A machine goes on in the old one, and is told of the new one.
            if isNew {
                #expect(status { _ = try plant.opened(b, for: .write) } == 4, "call \(call)")
            } else {
                #expect(throws: Never.self, "call \(call)") { try plant.backup(plant.tree(seed: 2), on: b) }
            }
            #expect(made == nil || isNew, "call \(call)")
            // Cut behind its claim, it is announced first, and that is said.
            func again() throws -> StoreFingerprint {
                do { return try rekey(FolderStore(plant.path)) } catch ImageError.keysChanging {
                    return try rekey(FolderStore(plant.path))
                }
            }
            let fingerprint = try made ?? again()
            #expect(fingerprint != coup.before && (!isNew || fingerprint == seen.fingerprint), "call \(call)")
            let store = try plant.owned()
            #expect(store.fingerprint == fingerprint && store.readers.count == 1, "call \(call)")
            #expect(try plant.office.memory(of: store.id).announced == nil)
            try coup.renew(coup.a, fingerprint)
            #expect(try plant.backup(plant.tree(), on: coup.a).label.newBytes == 0, "call \(call)")
            // One copy of a record is the record; that the other one is missing is named.
            let isWhole = exists(plant.file(StoreName.record(store.chain.newest)))
            #expect(try plant.verify().findings == (isWhole ? 0 : 1), "call \(call)")
            call += runsAll || call < 4 ? 1 : 3
        }
        #expect(call > 20 && outcomes[false] ?? 0 > 3, "\(outcomes)")
        #expect(outcomes[true] ?? 0 > 0 || !runsAll, "\(outcomes)")
    }

    @Test(
        "The announcement is cut at each step: before, between its two copies, before the machine has noted it"
    )
    func cutAnnouncement() throws {
        for (copies, isNoted) in [([], false), ([".2"], false), (["", ".2"], false), (["", ".2"], true)] {
            let coup = try Coup()
            let plant = coup.plant
            try plant.backup(plant.tree(), on: coup.a)
            let state = plant.scratch.file("office.kept")
            let before = try plant.office.memory(of: plant.owned().id)
            run("/bin/cp", ["-a", plant.scratch.file("office").description, state.description])
            let announced = try coup.rekey()
            let root = try plant.owned().chain.newest
            // The machine's memory as it was when the record was put.
            try plant.office.remember(root.store) { memory in
                if !isNoted { memory = before }
                memory.announced = root.root
            }
            for copy in ["", ".2"] where !copies.contains(copy) {
                try removeFile(plant.file(StoreName.record(root) + copy))
            }
            let fingerprint = try coup.rekey()
            #expect((fingerprint == announced) == !copies.isEmpty)
            #expect(try plant.owned().fingerprint == fingerprint)
            #expect(try plant.verify().findings == 0)
            try coup.renew(coup.a, fingerprint)
            #expect(throws: Never.self) { try plant.backup(plant.tree(seed: 2), on: coup.a) }
        }
    }
}
