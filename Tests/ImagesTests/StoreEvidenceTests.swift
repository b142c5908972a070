// What a store shows to whoever checks a policy: only what is there, as a steward's key opens it, and nothing is changed by looking.

import Platform
import Reporting
import Stores
import TestSupport
import Testing

@testable import Images

@Suite struct StoreEvidenceTests {
    private func look(_ yard: PruneYard) throws -> StoreEvidence { try yard.opened().evidence(Progress()) }

    @Test(
        "Images by series, the newest that is whole, proofs and recipients; not a byte is written, and what is missing is seen"
    )
    func whole() throws {
        let yard = try PruneYard()
        let first = try yard.backup(1), second = try yard.backup(2)
        let report = try yard.plant.verify("\(first.id)")
        _ = try yard.plant.owned().share(report, tool: "test")
        let before = try FolderStore(yard.plant.path).list("").map(\.name)
        let evidence = try look(yard)
        #expect(try FolderStore(yard.plant.path).list("").map(\.name) == before)
        let series = try #require(evidence.series.first)
        #expect(evidence.series.count == 1 && series.images.map(\.id.image) == [first.id, second.id])
        #expect(series.whole?.id.image == second.id && series.broken.isEmpty)
        #expect(series.images[0].proof?.result == .seed && series.images[1].proof == nil)
        #expect(evidence.readers.count == 1 && evidence.lostReaders.isEmpty && evidence.others.isEmpty)
        #expect(series.sources == [yard.plant.scratch.file("tree")])
        // A volume that the second alone names.
        let own = try #require(second.volumes.first { !first.volumes.contains($0) })
        for copy in own.name(.volume, group: second.name.group).both {
            run("/bin/rm", ["-f", yard.plant.file(copy).description])
        }
        let broken = try look(yard)
        #expect(broken.series[0].whole?.id.image == first.id)
        #expect(broken.series[0].broken.map(\.id.image) == [second.id])
    }

    @Test("What was condemned is late a month after, and not before; what a prune has removed is not")
    func overdue() throws {
        let yard = try PruneYard()
        _ = try yard.backup(1)
        _ = try yard.backup(2)
        try yard.pass(days: 20)
        try yard.prune()
        func late(_ days: Int64) throws -> OverdueRemoval? {
            try yard.pass(days: days)
            return try look(yard).overdue
        }
        #expect(try late(0) == nil)
        #expect(try late(13) == nil)
        // The signed time is not dated by `pass`: nothing is late by one clock alone.
        let store = try yard.opened()
        let listed = try store.listed(.image)
        var stones = try store.statements(Progress()).stones
        for index in stones.indices { stones[index].content.time? -= 31 * PruneYard.day }
        try yard.pass(days: 31)
        stones = try zip(stones, store.statements(Progress()).stones).map { old, new in
            GroupReading.Stone(object: new.object, content: old.content)
        }
        let now = Timestamp.now().seconds
        let overdue = try #require(try store.overdue(stones, listed, now, Progress()))
        #expect(overdue.objects > 0 && overdue.bytes > 0 && overdue.since < now - 30 * PruneYard.day)
        for object in try store.listed(.volume)
        where stones.contains(where: { $0.content.volumes.contains { $0.id == object.name.id } }) {
            for copy in object.copies { try FolderStore(yard.plant.path).remove(copy) }
        }
        for object in try store.listed(.index)
        where stones.contains(where: { $0.content.indexes.contains { $0.id == object.name.id } }) {
            for copy in object.copies { try FolderStore(yard.plant.path).remove(copy) }
        }
        #expect(try store.overdue(stones, listed, now, Progress()) == nil)
    }

    @Test("Garbage among statements, images and volumes is passed over or named; it keeps nobody from looking")
    func garbage() throws {
        let yard = try PruneYard()
        let root = try yard.backup(1)
        let group = root.name.group, writer = root.name.writer
        for name in ["a/\(group)", "d/\(group)/\(writer)", "i/\(group)/\(writer)", "v/\(group)/\(writer)"] {
            try yard.plant.overwrite("\(name)/\(ObjectID.random())", SplitMix64.of(1, 5000))
        }
        let evidence = try look(yard)
        #expect(evidence.series.first?.whole?.id.image == root.id)
        #expect(evidence.overdue == nil)
    }

    @Test("A root of somebody's own making, of another machine's series, counts for nothing and is named")
    func forged() throws {
        let yard = try PruneYard()
        let root = try yard.backup(1)
        let thief = try yard.plant.machine("thief", group: "line")
        try yard.plant.plantRoot(by: yard.plant.key(of: thief), like: root) { label, _, _ in label.sequence = 99 }
        let evidence = try look(yard)
        #expect(evidence.series.map(\.whole?.id.image) == [root.id])
        #expect(
            evidence.others.count == 1 && evidence.others.first?.problem?.contains("may not write the series") == true)
    }
}
