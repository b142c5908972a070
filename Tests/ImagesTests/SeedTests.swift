// Machines of a group build on each other's content only where an identity has read it.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct SeedTests {
    /// Volumes of a member that claim all chunks of this image and hold something else, and an image that names them.
    private func plantPoison(_ plant: Plant, _ member: WriterKey, like root: ImageRoot) throws -> ObjectName {
        let store = try plant.owned()
        let encoder = try ChunkEncoder(group: member.group, level: 3)
        var poisoned: [VolumeReference] = []
        for volume in root.volumes {
            let type = try store.volumeReader(volume, group: root.name.group).header.type
            let id = try ObjectID.random()
            let object = try makeObject(type, id: id, run: .random(), writer: member) { object in
                for row in try store.directory(of: volume, group: root.name.group) {
                    let garbage = [UInt8](repeating: 0x55, count: 100)
                    let room = UnsafeMutableRawBufferPointer.allocate(
                        byteCount: ChunkEncoder.capacity(for: garbage.count), alignment: 64)
                    defer { room.deallocate() }
                    let count = try garbage.withUnsafeBytes { try encoder.prepare($0, id: row.id, into: room) }
                    try object.append(
                        PreparedChunk(
                            id: row.id, plain: UnsafeRawBufferPointer(rebasing: room[..<count]),
                            contentLength: garbage.count), kind: row.kind)
                }
            }
            let reference = VolumeReference(
                writer: member.writer, id: id, digest: object.summary.digest, length: object.summary.length)
            for copy in reference.name(.volume, group: member.group.id).both {
                if type == .metadataVolume || !ObjectName.isSecond(copy) { try plant.overwrite(copy, object.bytes) }
            }
            poisoned.append(reference)
        }
        return try plant.plantRoot(by: member, like: root) { label, named, _ in
            label.series = "\(label.series)".replacing("honest/", with: "member/")
            label.sequence = 50
            named = NamedObjects(volumes: poisoned)
        }
    }

    @Test("Where two machines hold the same content, a verification blames the image whose own volume is damaged alone")
    func blame() throws {
        let plant = try Plant()
        let images = try ["a", "b"].map { try plant.backup(plant.tree(), on: plant.machine($0, group: "line")) }
        for (hit, other) in [(images[0], images[1]), (images[1], images[0])] {
            let root = try plant.root(hit.id)
            let volume = try #require(root.volumes.first { $0.length > 100_000 })
            let file = volume.name(.volume, group: root.name.group).text
            let whole = try readWhole(plant.file(file), limit: 1 << 28)
            var torn = whole
            torn[70_000] ^= 1
            try plant.overwrite(file, torn)
            nonisolated(unsafe) var said: [String] = []
            let report = try plant.owned().verify(
                image: nil, readData: true, progress: Progress(), findings: Findings { said.append($0.description) })
            #expect(said.contains { $0.contains("(\(hit.id.short)) is lost") }, "\(said)")
            #expect(!said.contains { $0.contains(other.id.short) }, "\(said)")
            #expect(report.whole.map(\.id) == [other.id])
            try plant.overwrite(file, whole)
        }
        #expect(try plant.verify().findings == 0)
    }

    @Test("What a member of the group claims to hold is cited by nobody, seed or not, and what is verified is")
    func poisoned() throws {
        let plant = try Plant()
        let honest = try plant.machine("honest", group: "line")
        let member = try plant.machine("member", group: "line")
        let a = try plant.machine("a", group: "line")
        let b = try plant.machine("b", group: "line")
        let tree = try plant.tree()
        let model = try plant.backup(tree, on: honest)
        let poison = try plantPoison(plant, plant.key(of: member), like: plant.root(model.id))
        #expect(try plant.owned().find(poison.id.description).counts)
        // Nothing is shared yet: all is stored again.
        let own = try plant.backup(tree, on: a)
        #expect(own.label.newBytes == own.label.contentBytes && own.volumesOfOthers == 0)
        #expect(try plant.restore(own.id.description).findings == 0)
        try expectSameTree(plant.scratch.file("restored"), tree)
        // The poison cannot be read, so nobody shares it.
        let store = try plant.owned()
        let report = try store.verify(
            image: poison.id.description, readData: true, progress: Progress(), findings: Findings())
        #expect(report.findings > 0)
        #expect(try store.share(report, tool: "test") == 0)
        #expect(try plant.backup(tree, on: b, series: "b/before").label.newBytes > 0)
        // A verdict that the member signs itself is none.
        let key = try plant.key(of: member)
        let verdict = try makeObject(.verdict, id: .random(), run: .random(), writer: key) {
            try $0.append(
                .verdict,
                Verdict(
                    .image, writer: key.writer, target: plant.root(poison.id).reference, result: .seed,
                    extent: .everyChunk, tool: "test"
                ).encoded())
        }
        try plant.overwrite("a/\(key.group.id)/\(verdict.summary.id)", verdict.bytes)
        let c = try plant.machine("c", group: "line")
        #expect(try plant.backup(tree, on: c).label.newBytes > 0)
        // Whole images are shared, and built on.
        let whole = try store.verify(
            image: model.id.description, readData: true, progress: Progress(), findings: Findings())
        #expect(whole.findings == 0)
        #expect(try store.share(whole, tool: "test") == 1)
        let d = try plant.machine("d", group: "line")
        let built = try plant.backup(tree, on: d)
        #expect(built.label.newBytes == 0 && built.volumesOfOthers > 0)
        #expect(try plant.restore(built.id.description).findings == 0)
        try expectSameTree(plant.scratch.file("restored"), tree)
        // Another group has other ids, and shares nothing.
        let e = try plant.machine("e", group: "elsewhere")
        let apart = try plant.backup(tree, on: e)
        #expect(apart.label.newBytes == apart.label.contentBytes)
    }

    @Test("An index object that says of a volume what its directory does not is found, and its image shared by nobody")
    func lyingIndex() throws {
        let plant = try Plant()
        let member = try plant.machine("member", group: "line")
        let image = try plant.backup(plant.tree(), on: member)
        let root = try plant.root(image.id)
        let key = try plant.key(of: member)
        let store = try plant.owned()
        // Each chunk where the next one is: every id is one of the image's.
        let writer = try IndexObjectWriter(
            ObjectName(.index, group: key.group.id, writer: key.writer, id: .random()), run: .random(), writer: key,
            in: FolderStore(plant.path))
        for volume in root.volumes {
            var rows = try store.directory(of: volume, group: key.group.id)
            let ids = rows.map(\.id)
            for index in rows.indices { rows[index].id = ids[(index + 1) % ids.count] }
            try writer.append(IndexPart(volume: volume, rows: rows))
        }
        let lie = try writer.finish()
        let lying = try plant.plantRoot(by: key, like: root) { label, named, _ in
            label.sequence = 2
            named.indexes = [lie]
        }
        let report = try plant.verify(lying.id.description)
        #expect(report.findings > 0 && report.whole.isEmpty)
        #expect(try plant.owned().share(report, tool: "test") == 0)
        #expect(try plant.owned().share(plant.verify(image.id.description), tool: "test") == 1)
    }

    @Test("A seed that is removed, or whose volume is, is cited no more")
    func vanishedSeed() throws {
        let plant = try Plant()
        let honest = try plant.machine("honest", group: "line")
        let a = try plant.machine("a", group: "line")
        let tree = try plant.tree()
        let model = try plant.backup(tree, on: honest)
        #expect(try plant.owned().share(plant.verify(), tool: "test") == 1)
        #expect(try plant.owned().share(plant.verify(), tool: "test") == 0)
        #expect(try plant.backup(tree, on: a).volumesOfOthers > 0)
        for volume in try plant.root(model.id).volumes {
            let name = volume.name(
                .volume,
                group: volume.writer == (try plant.key(of: honest)).writer ? try plant.key(of: honest).group.id : .zero)
            for copy in name.both where exists(plant.file(copy)) { try removeFile(plant.file(copy)) }
        }
        let again = try plant.backup(tree, on: a)
        #expect(again.label.newBytes > 0 && again.volumesOfOthers == 0)
        #expect(try plant.restore(again.id.description).findings == 0)
    }
}
