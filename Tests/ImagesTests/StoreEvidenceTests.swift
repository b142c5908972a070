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
        let before = shell("cd \(yard.plant.path); find . -type f | sort | xargs sha256sum")
        let evidence = try look(yard)
        #expect(shell("cd \(yard.plant.path); find . -type f | sort | xargs sha256sum") == before && !before.isEmpty)
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

    @Test("Who reads an image again proves it anew: the newest of its series, and not each time")
    func provenAnew() throws {
        let yard = try PruneYard()
        let first = try yard.backup(1), second = try yard.backup(2)
        for root in [first, second] {
            var old = Verdict(
                .image, writer: root.name.writer, target: root.reference, result: .seed, extent: .everyChunk,
                tool: "test", indexes: root.named.indexes)
            old.time -= 10 * 86_400
            try yard.plant.owned().state([old], group: root.name.group)
        }
        let before = Timestamp.now().seconds
        func statements() -> String { shell("find \(yard.plant.path)/a -type f | wc -l") }
        #expect(try yard.plant.owned().share(yard.plant.verify(), tool: "test") == 0)
        let images = try #require(try look(yard).series.first?.images)
        #expect((images[1].proof?.time ?? 0) >= before && (images[0].proof?.time ?? .max) < before)
        let count = statements()
        #expect(try yard.plant.owned().share(yard.plant.verify(), tool: "test") == 0 && statements() == count)
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
        let overdue = try #require(try late(31))
        #expect(overdue.objects > 0 && overdue.bytes > 0)
        // As who prunes removes it; what images name stays.
        try yard.prune()
        #expect(try look(yard).overdue == nil)
        #expect(try look(yard).series.first?.whole != nil)
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
