// A new root key ends the power of who had the old one, loses nothing that was there, and is taken for the store's by nobody unasked.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct RekeyTests {
    @Test(
        "After a new root key who was removed opens nothing that is written, all images from before restore, and nothing is stored anew"
    )
    func endsPower() throws {
        let coup = try Coup()
        let plant = coup.plant
        let tree = try plant.tree()
        let old = try plant.backup(tree, on: coup.a)
        let fingerprint = try coup.rekey()
        #expect(fingerprint != coup.before)
        #expect(try plant.owned().fingerprint == fingerprint)
        #expect(try plant.owned().readers.map(\.name) == [plant.owner.recipient.string])
        #expect(try plant.restore(old.id.description).findings == 0)
        try expectSameTree(tree, plant.scratch.file("restored"))
        try coup.renew(coup.a, fingerprint)
        #expect(try plant.backup(plant.tree(), on: coup.a).label.newBytes == 0)
        let new = try plant.backup(plant.tree(seed: 2), on: coup.a)
        #expect(new.label.parent != nil && new.label.sequence == 3)
        #expect(try plant.root(new.id).header.epoch == 2)
        #expect(try plant.restore(new.id.description).findings == 0)
        #expect(try plant.verify().findings == 0)

        // What was written before he reads, and no more; and he governs nothing.
        let his = try coup.seenByGone("his")
        #expect(his.keyring.secret?.rootKey == nil && his.keyring.secret?.epochs.map(\.epoch) == [1])
        #expect(throws: Never.self) { try his.imageReader(old.id.description) }
        #expect(throws: ImageError.self) { try his.imageReader(new.id.description) }
        #expect(status { try his.add(.age(coup.gone.recipient), governs: true) } == 4)
        #expect(status { _ = try his.rekey(without: [], writers: []) { nil } } == 4)
        #expect(status { _ = try his.issueSteward(name: "x") } == 4)
    }

    @Test(
        "A machine that remembers the old fingerprint refuses all until it is given the new one, and then goes on"
    )
    func refusesUntilRenewed() throws {
        let coup = try Coup()
        let plant = coup.plant
        let b = try plant.machine("b", group: "line")
        let image = try plant.backup(plant.tree(), on: coup.a)
        let fingerprint = try coup.rekey()
        let before = try look(at: plant.path)
        for purpose in [Store.Purpose.read, .list, .write] {
            let found = ImageError.rekeyed(
                store: plant.path.description, pinned: "\(coup.before)", found: ["\(fingerprint)"])
            #expect(throws: found) { try plant.opened(coup.a, for: purpose, plant.credentials) }
            // Nor does the old one help that somebody types.
            #expect(status { _ = try plant.opened(coup.a, for: purpose, coup.typed(coup.before)) } == 4)
        }
        #expect(status { _ = try Store.readers(FolderStore(plant.path), machine: coup.a) } == 4)
        let replica = plant.scratch.file("replica")
        #expect(status { try coup.replicate(to: replica, on: coup.a) } == 4)
        // An identity that is noted for it is a pin as well.
        let noted = Credentials(identities: [plant.owner], trust: StoreTrust(noted: [coup.before]))
        #expect(status { _ = try plant.opened(plant.scratch.machine("noted"), for: .read, noted) } == 4)
        #expect(try look(at: plant.path) == before)

        try coup.renew(coup.a, fingerprint)
        let key = try plant.key(of: coup.a)
        #expect(try plant.root(image.id).header.writer == key.writer)
        #expect(try key.certificate.isIssued(by: plant.rootKey().verifyingKey))
        #expect(try plant.backup(plant.tree(seed: 2), on: coup.a).label.parent == image.id)
        // By joining, too, without an identity; somebody has to say yes.
        func join(_ trust: StoreTrust) throws -> Store {
            try Store.join(FolderStore(plant.path), JoinRequest(), credentials: Credentials(trust: trust), machine: b)
        }
        let writer = try plant.key(of: b).writer
        struct No: Error {}
        #expect(throws: (any Error).self) { try join(StoreTrust { _ in throw No() }) }
        let asked = Asked()
        _ = try join(StoreTrust { asked.stores.append($0) })
        #expect(asked.stores.map(\.fingerprint) == [fingerprint] && asked.stores.map(\.replaced) == [coup.before])
        #expect(try plant.key(of: b).writer == writer)
        #expect(throws: Never.self) { try plant.backup(plant.tree(), on: b) }
    }

    private final class Asked: @unchecked Sendable { var stores: [StoreTrust.Unpinned] = [] }

    @Test("What the old root key signs afterwards is nothing to who knows the new one: records, keys, images, verdicts")
    func oldKeySigns() throws {
        let coup = try Coup()
        let plant = coup.plant
        let chain = try plant.owned().chain
        let secret = try #require(try plant.owned().keyring.secret)
        let image = try plant.backup(plant.tree(), on: coup.a)
        let fingerprint = try coup.rekey()
        try coup.renew(coup.a, fingerprint)
        try plant.backup(plant.tree(seed: 2), on: coup.a)
        let now = try plant.owned().chain

        // Beside the chain, behind it, and as another new root key.
        try coup.forge(after: chain.newest)
        try coup.forge(after: now.newest)
        try coup.forge(after: coup.forge(after: chain.newest, epoch: 2))
        let foreign = try SigningKey.generate()
        try coup.forge(after: chain.newest, by: foreign, epoch: 2, replacing: (coup.oldRoot, []))
        try coup.forge(after: now.newest, by: foreign, epoch: 3, replacing: (coup.oldRoot, []))
        for machine in [plant.office, coup.a] {
            #expect(try plant.opened(machine, for: .list, plant.credentials).chain.newest == now.newest)
        }
        // A machine of his own in the group, whose image and parcel look as they would have done before.
        let minted = try WriterKey.issue(
            from: secret, rootKey: coup.oldRoot, group: "line", writer: "a", series: ["a/"])
        let planted = try plant.plantRoot(by: minted, like: plant.root(image.id)) { label, _, _ in label.sequence = 99 }
        let folder = try StoreName.keys(epoch: 2, sealing: now.newest.sealing)
        try plant.overwrite(
            "\(folder)/\(minted.writer)",
            Parcel.make(for: minted.certificate, epoch: 2, indexKey: .random(count: 32), rootKey: coup.oldRoot))
        let found = try #require(try plant.owned().images().first { $0.id == planted.id })
        #expect(!found.counts && found.isDamaged)
        #expect(throws: ImageError.self) { try plant.restore(planted.id.description) }
        #expect(try !plant.owned().writers().contains { $0.id == "\(minted.writer)" })
        #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id != planted.id)
        #expect(throws: Never.self) { try plant.backup(plant.tree(seed: 3), on: coup.a) }
        // Who knows neither is asked by nobody's word: two keys say that they are the new one.
        let stranger = plant.scratch.machine("stranger")
        #expect(status { _ = try plant.opened(stranger, for: .read, plant.credentials) } == 4)
        #expect(throws: Never.self) {
            try plant.opened(stranger, for: .read, coup.typed(fingerprint, [plant.owner]))
        }
    }

    @Test("A new root key without the consent of the old one is nothing, whoever puts it there")
    func withoutConsent() throws {
        let coup = try Coup()
        let plant = coup.plant
        let stranger = try SigningKey.generate()
        let chain = try plant.owned().chain
        try coup.forge(after: chain.newest, by: stranger, epoch: 2)
        #expect(throws: FormatError.self) {
            try coup.forge(after: chain.newest, by: stranger, epoch: 2, replacing: (stranger, []))
        }
        try coup.forge(after: chain.newest, by: stranger, epoch: 2, replacing: (.generate(), []))
        // The consent to another one.
        let other = try coup.forge(after: chain.newest, by: .generate(), epoch: 2, replacing: (coup.oldRoot, []))
        for copy in ["", ".2"] { try removeFile(plant.file(StoreName.record(other) + copy)) }
        var bytes = other.encoded
        let key = try #require(bytes.firstRange(of: other.root.rawBytes))
        bytes.replaceSubrange(key, with: stranger.verifyingKey.rawBytes)
        var signed = Array(bytes.dropLast(66))
        signed.append(
            field: 9,
            try stranger.signature(for: Array("holdfast/1/record".utf8) + sha256(signed).bytes))
        let forged = try StoreRecord(unchecked: signed)
        #expect(try !forged.isAuthentic)
        try plant.overwrite(StoreName.record(forged), signed)
        #expect(try plant.owned().fingerprint == coup.before)
        #expect(throws: Never.self) { try plant.backup(plant.tree(), on: coup.a) }
    }

    @Test(
        "Machines that are not listed write no more; their images from before count, later ones do not"
    )
    func notListed() throws {
        let coup = try Coup()
        let plant = coup.plant
        let b = try plant.machine("b", group: "line")
        try plant.backup(plant.tree(), on: coup.a)
        let kept = try plant.backup(plant.tree("other", seed: 9), on: b)
        let key = try plant.key(of: b)
        #expect(status { _ = try coup.rekey(writers: ["nobody"]) } == 2)
        let fingerprint = try coup.rekey(writers: ["\(plant.key(of: coup.a).writer)"])
        #expect(try plant.owned().writers().map(\.id) == ["\(plant.key(of: coup.a).writer)"])
        #expect(status { try coup.renew(b, fingerprint) } == 4)
        let later = try plant.plantRoot(by: key, like: plant.root(kept.id)) { label, _, _ in label.sequence = 2 }
        #expect(try plant.owned().images().filter(\.counts).count == 2)
        #expect(try plant.restore(kept.id.description).findings == 0)
        #expect(status { _ = try plant.restore(later.id.description) } == 3)
        // It may join again, as after any revocation, and builds on what it had.
        let credentials = coup.typed(fingerprint, [plant.owner])
        _ = try Store.join(FolderStore(plant.path), JoinRequest(), credentials: credentials, machine: b)
        #expect(try plant.backup(plant.tree("other", seed: 9), on: b, series: "b/plc").label.newBytes == 0)
    }

    @Test(
        "Several new root keys keep everything; a machine that slept through them is told the last"
    )
    func several() throws {
        let coup = try Coup()
        let plant = coup.plant
        let first = try plant.backup(plant.tree(), on: coup.a)
        try coup.renew(coup.a, coup.rekey())
        try plant.owned().revoke(writer: "\(plant.key(of: plant.office).writer)", since: nil) { nil }
        let second = try plant.backup(plant.tree(seed: 2), on: coup.a)
        let sleeping = plant.scratch.machine("sleeping")
        run("/bin/cp", ["-a", plant.scratch.file("a").description, plant.scratch.file("sleeping").description])
        _ = try plant.owned().rekey(without: [], writers: []) { nil }
        let last = try plant.owned().rekey(without: [], writers: []) { nil }
        let key = try plant.key(of: sleeping)
        let stale = try StoreFingerprint(store: key.store, root: key.root)
        let told = ImageError.rekeyed(store: plant.path.description, pinned: "\(stale)", found: ["\(last)"])
        #expect(throws: told) { try plant.opened(sleeping, for: .write) }
        try coup.renew(coup.a, last)
        #expect(try plant.backup(plant.tree(seed: 2), on: coup.a).label.newBytes == 0)
        for id in [first.id, second.id] { #expect(try plant.restore(id.description).findings == 0) }
        #expect(try plant.verify().findings == 0)
        #expect(try plant.owned().chain.roots.count == 4)
    }

    @Test("Which volumes are damaged is stated anew; what was shared is shared again once it was read")
    func verdicts() throws {
        let coup = try Coup()
        let plant = coup.plant
        let b = try plant.machine("b", group: "line")
        let image = try plant.backup(plant.tree(), on: coup.a)
        let report = try plant.verify()
        #expect(try plant.owned().share(report, tool: "test") == 1)
        let root = try plant.root(image.id)
        let volume = try #require(root.volumes.first { $0.length > 100_000 })
        let name = volume.name(.volume, group: root.name.group)
        let whole = try readWhole(plant.file(name.text), limit: 1 << 28)
        var torn = whole
        torn[70_000] ^= 1
        try plant.overwrite(name.text, torn)
        try plant.owned().mark(plant.verify(), tool: "test")
        #expect(try Store.damaged(plant.owned().verdicts(group: root.name.group)) == [volume.id])
        let fingerprint = try coup.rekey()
        #expect(try Store.damaged(plant.owned().verdicts(group: root.name.group)) == [volume.id])
        #expect(try plant.owned().verdicts(group: root.name.group).allSatisfy { $0.result == .damaged })
        // So the content is stored anew, by its own machine and by another one.
        for machine in [coup.a, b] {
            try coup.renew(machine, fingerprint)
            #expect(try plant.backup(plant.tree(), on: machine).label.newBytes > 0)
        }
        try plant.overwrite(name.text, whole)
        try plant.owned().mark(plant.verify(), tool: "test")
        #expect(try Store.damaged(plant.owned().verdicts(group: root.name.group)).isEmpty)
        #expect(try plant.owned().share(plant.verify(), tool: "test") == 3)
    }

    @Test("A steward's key is certified anew, and is a pin itself")
    func steward() throws {
        let coup = try Coup()
        let plant = coup.plant
        try plant.backup(plant.tree(), on: coup.a)
        let steward = try StewardKey(decoding: plant.owned().issueSteward(name: "steward").encoded())
        let fingerprint = try coup.rekey()
        try coup.renew(coup.a, fingerprint)
        try plant.backup(plant.tree(seed: 2), on: coup.a)
        let machine = plant.scratch.machine("steward")
        #expect(status { _ = try plant.opened(machine, for: .list, Credentials(steward: steward)) } == 4)
        let typed = Credentials(steward: steward, trust: StoreTrust(expected: fingerprint))
        for credentials in [typed, Credentials(steward: steward)] {
            let store = try plant.opened(machine, for: .list, credentials)
            #expect(try store.images().filter(\.counts).count == 2)
        }
    }

    @Test("A copy carries the new root key to a replica; from a copy that does not know it nothing goes back")
    func replicas() throws {
        let coup = try Coup()
        let plant = coup.plant
        let replica = plant.scratch.file("replica")
        let image = try plant.backup(plant.tree(), on: coup.a)
        try coup.replicate(to: replica, on: plant.office)
        run("/bin/cp", ["-a", plant.path.description, plant.scratch.file("stale").description])
        let fingerprint = try coup.rekey()
        try coup.renew(coup.a, fingerprint)
        // A copy that has not heard is another store to who knows the new key.
        #expect(
            status { _ = try Store.open(replica, for: .read, credentials: plant.credentials, machine: plant.office) }
                == 4)
        let new = try plant.backup(plant.tree(seed: 2), on: coup.a)
        try coup.replicate(to: replica, on: plant.office)
        for machine in [plant.office, plant.scratch.machine("rescue")] {
            let store = try Store.open(replica, for: .read, credentials: plant.credentials, machine: machine)
            #expect(store.fingerprint == fingerprint)
            let report = try store.verify(image: nil, readData: true, progress: Progress(), findings: Findings())
            #expect(report.findings == 0 && report.images == 2)
            for id in [image.id, new.id] { #expect(throws: Never.self) { try store.imageReader(id.description) } }
        }
        // Somebody who has not heard either copies his state over it.
        let stale = FolderStore(plant.scratch.file("stale"))
        let before = try look(at: replica)
        for machine in [plant.scratch.machine("unaware"), plant.office] {
            #expect(
                status {
                    _ = try Store.replicate(
                        stale, to: FolderStore(replica), images: [], credentials: Credentials(), machine: machine,
                        progress: Progress(), findings: Findings())
                } == 4)
        }
        #expect(try look(at: replica) == before)
    }

    @Test("A replica whose keys were changed apart takes no new root key: what was written to it since counts there")
    func changedApart() throws {
        let coup = try Coup()
        let plant = coup.plant
        try plant.backup(plant.tree(), on: coup.a)
        let replica = plant.scratch.file("replica")
        try coup.replicate(to: replica, on: plant.office)
        let other = plant.scratch.machine("other office")
        let reader = try AgeIdentity.generate().recipient
        try Store.open(replica, for: .read, credentials: plant.credentials, machine: other)
            .add(.age(reader), governs: false)
        try coup.rekey()
        let before = try look(at: replica)
        for machine in [plant.office, plant.scratch.machine("unaware")] {
            #expect(status { try coup.replicate(to: replica, on: machine) } == 4)
        }
        #expect(try look(at: replica) == before)
    }

    @Test(
        "A single file of a rekeyed store is checked like it, one from before by the old fingerprint alone")
    func singleFiles() throws {
        let coup = try Coup()
        let plant = coup.plant
        let image = try plant.backup(plant.tree(), on: coup.a)
        func export(_ name: String) throws -> BytePath {
            let path = plant.scratch.file(name)
            _ = try plant.owned().copy(
                image: image.id.description, to: .file(path, partLength: nil), progress: Progress(),
                findings: Findings())
            return path
        }
        let old = try export("old.holdfast")
        let fingerprint = try coup.rekey()
        let new = try export("new.holdfast")
        func open(_ path: BytePath, _ credentials: Credentials, _ machine: MachineState) throws {
            _ = try SingleFile.images(
                path, credentials: credentials, machine: machine, progress: Progress(), findings: Findings())
        }
        #expect(throws: Never.self) { try open(new, plant.credentials, plant.office) }
        #expect(status { try open(old, plant.credentials, plant.office) } == 4)
        #expect(throws: Never.self) { try open(old, coup.typed(coup.before, [plant.owner]), plant.office) }
        #expect(status { try open(new, plant.credentials, coup.a) } == 4)
        #expect(throws: Never.self) { try open(old, plant.credentials, coup.a) }
        #expect(throws: Never.self) { try open(new, coup.typed(fingerprint, [plant.owner]), coup.a) }
    }

    @Test("A list that was cached under the old root key is read anew under the new one")
    func cachedLabels() throws {
        let coup = try Coup()
        let plant = coup.plant
        let secret = try #require(try plant.owned().keyring.secret)
        let image = try plant.backup(plant.tree(), on: coup.a)
        let replica = plant.scratch.file("replica")
        try coup.replicate(to: replica, on: plant.office)
        let fingerprint = try coup.rekey()
        // On a copy that has not heard, and then on the store: an image of a machine that the old key alone has certified.
        let minted = try WriterKey.issue(
            from: secret, rootKey: coup.oldRoot, group: "line", writer: "x", series: ["x/"])
        let planted = try plant.plantRoot(by: minted, like: plant.root(image.id)) { label, _, _ in
            label.series = "x/plc"
        }
        run("/bin/cp", ["-a", plant.file("i").description, replica.description])
        let stale = try Store.open(
            replica, for: .read, credentials: coup.typed(coup.before, [plant.owner]), machine: coup.a)
        #expect(try stale.images().contains { $0.id == planted.id && $0.counts })
        let store = try plant.opened(coup.a, for: .read, coup.typed(fingerprint, [plant.owner]))
        #expect(try !store.images().contains { $0.id == planted.id && $0.counts })
    }

    @Test("Nobody is left without who governs, and who is no recipient is not removed")
    func refusals() throws {
        let coup = try Coup()
        let store = try coup.plant.owned()
        let before = try look(at: coup.plant.path)
        let own = coup.plant.owner.recipient.string
        #expect(status { _ = try store.rekey(without: [own, coup.gone.recipient.string], writers: []) { nil } } == 4)
        #expect(status { _ = try store.rekey(without: ["age1nobody"], writers: []) { nil } } == 2)
        #expect(status { _ = try store.rekey(without: [], writers: ["nobody"]) { nil } } == 2)
        #expect(try look(at: coup.plant.path) == before)
        #expect(try store.fingerprint == coup.plant.owned().fingerprint)
    }
}
