// Images that somebody puts into a store who may not: they are refused, or named, and never taken for the real thing.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct ForeignImageTests {
    @Test("A writer's image in another machine's series is no image of it, whether of its group or not, and is named")
    func foreignSeries() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        var newest = try plant.backup(plant.tree(), on: a, series: "a/plc")
        for (name, group) in [("b", "line"), ("c", "other")] {
            let machine = try plant.machine(name, group: group)
            let own = try plant.backup(plant.tree("planted"), on: machine, series: "\(name)/plc")
            let forged = try plant.plantRoot(by: plant.key(of: machine), like: plant.root(own.id)) { label, _, _ in
                label.series = "a/plc"
                label.sequence = 1000
            }
            let images = try plant.owned().images()
            let found = try #require(images.first { $0.id == forged.id })
            #expect(!found.counts && found.isDamaged)
            #expect(found.problem?.contains("may not write the series a/plc") == true)
            #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id == newest.id)
            #expect(try plant.owned().find("latest", ImageFilter(series: "\(name)/plc")).id == own.id)
            #expect(status { _ = try plant.restore(forged.id.description) } == 3)
            #expect(try plant.verify().findings > 0)
            // Nor does the machine itself go on from it.
            let next = try plant.backup(plant.tree(), on: a, series: "a/plc")
            #expect(next.label.sequence == newest.label.sequence + 1 && next.label.parent == newest.id)
            newest = next
        }
    }

    @Test("An image that has another's id, or the beginning of it, as its name takes that one's place for nobody")
    func nameLikeID() throws {
        let plant = try Plant()
        let genuine = try plant.backup(plant.tree(), on: plant.machine("a", group: "line"))
        let other = try plant.machine("b", group: "other")
        let id = genuine.id.description
        let tree = try plant.tree("planted")
        for length in [4, 8, 32] {
            let request = BackupRequest(sources: [tree], name: String(id.prefix(length)))
            _ = try plant.opened(other).backup(request, progress: Progress(), findings: Findings())
        }
        for length in [4, 8] {
            #expect(status { _ = try plant.owned().find(String(id.prefix(length))) } == 2)
        }
        #expect(try plant.owned().find(id).id == genuine.id)
        #expect(try plant.owned().find(String(id.prefix(16))).id == genuine.id)
    }

    @Test("An image that lies where another writer's or another image's would is refused by its path")
    func foreignPlace() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let b = try plant.machine("b", group: "line")
        let genuine = try plant.backup(plant.tree(), on: a)
        let own = try plant.root(plant.backup(plant.tree("planted"), on: b).id)
        let bytes = try readWhole(plant.file(own.name.text), limit: 1 << 20)
        let victim = try plant.key(of: a)
        for place in [
            ObjectName(.image, group: victim.group.id, writer: victim.writer, id: own.id),
            ObjectName(.image, group: own.name.group, writer: own.name.writer, id: try .random()),
        ] {
            try plant.overwrite(place.text, bytes)
            let found = try #require(try plant.owned().images().first { $0.name == place })
            #expect(found.isDamaged && !found.counts)
            #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id == genuine.id)
            // It is no copied key either: the machine goes on.
            #expect(throws: Never.self) { try plant.backup(plant.tree(), on: a, series: "a/other") }
            try removeFile(plant.file(place.text))
        }
    }

    @Test("A machine whose key somebody else writes with is stopped")
    func clonedKey() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        try plant.backup(plant.tree(), on: a)
        run("/bin/cp", ["-a", plant.scratch.file("a").description, plant.scratch.file("clone").description])
        try plant.backup(plant.tree("other", seed: 3), on: plant.scratch.machine("clone"))
        #expect(status { try plant.backup(plant.tree(), on: a) } == 4)
        #expect(throws: Never.self) { try plant.opened(a, for: .list).images() }
    }

    @Test("Of two newest images of a series neither is the latest; both are named, and restore by their ids")
    func twoNewest() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let first = try plant.backup(plant.tree(), on: a)
        let twin = try plant.plantRoot(by: plant.key(of: a), like: plant.root(first.id)) { _, _, _ in }
        #expect(status { _ = try plant.restore("latest", of: "a/plc") } == 4)
        #expect(throws: ImageError.twoNewest(series: "a/plc", images: [first.id, twin.id].sorted().map(\.short))) {
            do { _ = try plant.owned().find("latest", ImageFilter(series: "a/plc")) } catch ImageError.twoNewest(
                let series, let images)
            {
                throw ImageError.twoNewest(series: series, images: images.sorted())
            }
        }
        for id in [first.id, twin.id] { #expect(try plant.restore(id.description).findings == 0) }
    }

    @Test("An image of which only the second copy is there is never the latest, and restores by its id with a finding")
    func unfinished() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let first = try plant.backup(plant.tree(), on: a)
        let second = try plant.backup(plant.tree(seed: 2), on: a)
        try removeFile(plant.file(plant.root(second.id).name.text))
        #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id == first.id)
        #expect(try plant.owned().find("plc").id == first.id)
        #expect(try plant.restore(second.id.description).findings == 1)
        try expectSameTree(plant.scratch.file("restored"), plant.scratch.file("tree"))
        #expect(try plant.owned().images().filter(\.isUnfinished).map(\.id) == [second.id])
    }

    @Test("An image that was there and is gone is named, and the numbers of its series are not used again")
    func removedImage() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let first = try plant.backup(plant.tree(), on: a)
        let second = try plant.backup(plant.tree(seed: 2), on: a)
        let store = try plant.owned()
        #expect(try store.lostImages(store.images()).isEmpty)
        for copy in try plant.root(second.id).name.both { try removeFile(plant.file(copy)) }
        for machine in [plant.office, a] {
            let store = try plant.opened(machine, for: .list, plant.credentials)
            let lost = try store.lostImages(store.images())
            #expect(lost.count == 1 && lost[0].subject == "series a/plc" && lost[0].reason.contains(second.id.short))
        }
        let third = try plant.backup(plant.tree(seed: 3), on: a)
        #expect(third.label.sequence == 3 && third.label.parent == second.id)
        #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id == third.id)
        #expect(first.label.sequence == 1)
    }

    @Test("Label and directory are no others under a signature that covers them, though their tags are the same")
    func sameTag() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let image = try plant.backup(plant.tree(), on: a)
        let root = try plant.root(image.id)
        // A member of the group has K_index, and so the key of every label and directory.
        let member = try plant.key(of: plant.machine("b", group: "line"))
        let keyring = Keyring(chain: try plant.owned().chain, writer: member)
        func forge(_ name: ObjectName, _ kind: FrameKind, block: Int, copies: [String]) throws {
            let bytes = try readWhole(plant.file(name.text), limit: 1 << 28)
            let reader = try ObjectReader(
                [MemorySource(bytes)], subject: "it", keyring: keyring, name: name)
            let frame = try #require(reader.scan().first { $0.kind == kind })
            let forged = try TagForgery(key: #require(reader.indexKey), reader.header, frame).changed(
                bytes, block: block)
            // It is authentic by its key and tag, and says something else.
            let changed = try ObjectReader(
                [MemorySource(forged)], subject: "it", keyring: keyring, name: name)
            #expect(try changed.content(of: frame) != reader.content(of: frame))
            #expect(throws: ImageError.self) { try changed.verifySignature() }
            for copy in copies { try plant.overwrite(copy, forged) }
        }
        let volume = try #require(
            try root.volumes.first {
                try plant.owned().volumeReader($0, group: root.name.group).header.type == .dataVolume
            })
        // The ids of the first rows; the index object goes, so that the directory is asked.
        for index in root.named.indexes {
            try removeFile(plant.file(index.name(.index, group: root.name.group).text))
        }
        let place = volume.name(.volume, group: root.name.group)
        try forge(place, .directory, block: 0, copies: [place.text])
        #expect(throws: ImageError.self) { try plant.owned().directory(of: volume, group: root.name.group) }
        // The frames are whole, and say themselves what they hold.
        #expect(try plant.restore(image.id.description).findings == 0)
        try expectSameTree(plant.scratch.file("restored"), plant.scratch.file("tree"))
        #expect(try plant.verify().findings > 0)

        let long = try plant.plantRoot(by: plant.key(of: a), like: root) { label, _, _ in
            label.name = String(repeating: "name of an image ", count: 8)
            label.sequence = 2
        }
        #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id == long.id)
        try forge(long, .label, block: 2, copies: long.both)
        run("/bin/rm", ["-rf", plant.scratch.file("office/cache").description])
        let found = try #require(try plant.owned().images().first { $0.id == long.id })
        #expect(found.isDamaged && found.label == nil)
        #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id == image.id)
    }

    @Test("A label that a member has forged into one copy is not believed because the other copy is signed")
    func forgedFirstCopy() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let member = try plant.key(of: plant.machine("b", group: "line"))
        let image = try plant.backup(plant.tree(), on: a)
        let name = String(repeating: "name of an image ", count: 8)
        let root = try plant.plantRoot(by: plant.key(of: a), like: plant.root(image.id)) { label, _, _ in
            label.name = name
            label.sequence = 2
        }
        let bytes = try readWhole(plant.file(root.text), limit: 1 << 20)
        let reader = try ObjectReader(
            [MemorySource(bytes)], subject: "it", keyring: Keyring(chain: try plant.owned().chain, writer: member),
            name: root)
        let frame = try #require(reader.scan().first { $0.kind == .label })
        let forged = try TagForgery(key: #require(reader.indexKey), reader.header, frame).changed(bytes, block: 2)
        for copy in root.both {
            try plant.overwrite(copy, forged)
            #expect(try plant.root(root.id).label.name == name)
            try plant.overwrite(copy, bytes)
        }
    }
}
