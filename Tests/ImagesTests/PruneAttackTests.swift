// Somebody with the key of a machine, who may write and no more, against whoever prunes: nothing of others goes, and what he can hold up ends
// with his right.

import Cryptography
import Platform
import Reporting
import Stores
import TestSupport
import Testing

@testable import Images

@Suite struct PruneAttackTests {
    private let yard: PruneYard
    private let roots: [ImageRoot]
    private let thief: WriterKey

    /// Three images of one machine, ten days old, and the key of another one of its group.
    init() throws {
        yard = try PruneYard()
        roots = try (1...3).map { [yard] in try yard.backup($0) }
        let b = try yard.plant.machine("b", group: "line")
        _ = try yard.backup(9, on: b)
        thief = try yard.plant.key(of: b)
        try yard.pass(days: 10)
    }

    private var group: Identifier { roots[0].name.group }

    /// A statement, signed with the machine's key.
    private func state(_ result: Verdict.Result, on root: ImageRoot) throws {
        var verdict = Verdict(
            .image, writer: root.name.writer, target: root.reference, result: result, extent: .everyChunk, tool: "his")
        verdict.time += PruneYard.day
        let object = try makeObject(.verdict, id: .random(), run: .random(), writer: thief) {
            try $0.append(.verdict, verdict.encoded())
        }
        try yard.plant.overwrite("a/\(group)/\(object.summary.id)", object.bytes)
    }

    @Test("His tombstone condemns nothing, removes nothing, and holds up neither machines nor whoever prunes")
    func tombstone() throws {
        var stone = Tombstone()
        stone.volumes = roots.flatMap(\.volumes)
        stone.indexes = roots.flatMap(\.named.indexes)
        stone.removed = roots.map { Tombstone.Removed(writer: $0.name.writer, root: $0.reference) }
        stone.time = Timestamp.now().seconds
        stone.horizon = stone.time
        let object = try makeObject(.tombstone, id: .random(), run: .random(), writer: thief) {
            try $0.append(.tombstone, stone.encoded())
        }
        try yard.plant.overwrite("d/\(group)/\(thief.writer)/\(object.summary.id)", object.bytes)
        // What a cut run left of an image that such a word names stays as well.
        try FolderStore(yard.plant.path).remove(roots[0].name.text)
        for _ in 0..<2 {
            try yard.pass(days: 15)
            let report = try yard.prune(
                nil, on: nil, PruneSettings(tool: "test"), PruneYard.keep(9, others: false))
            #expect(report.findings.isEmpty && report.removed.objects == 0 && report.images == 0, "\(report)")
        }
        #expect(try yard.plant.owned().images().count == 4)
        // The machine builds on what it stored.
        #expect(try yard.backup(3).label.newBytes == 0)
    }

    @Test("His word neither pins an image, nor ends a pin, nor proves anything")
    func verdicts() throws {
        let owned = try yard.plant.owned()
        try yard.opened().pin(owned.find("\(roots[0].id)"), tool: "test")
        try state(.unpinned, on: roots[0])
        try state(.pinned, on: roots[1])
        try state(.whole, on: roots[1])
        #expect(try owned.pinned() == [roots[0].id])
        let plan = try yard.plan()
        #expect(plan.remarks.isEmpty)
        #expect((plan.going + plan.staying).allSatisfy { $0.proof == nil })
        #expect((plan.going + plan.staying).filter(\.isPinned).map(\.id.image) == [roots[0].id])
        try yard.prune()
        #expect(Set(try owned.images().filter { $0.label?.series == "a/plc" }.map(\.id)) == [roots[0].id, roots[2].id])
    }

    @Test("Torn and foreign bytes among the statements say nothing, and hold nobody up")
    func garbage() throws {
        for bytes in [[], [1, 2, 3], [UInt8](repeating: 7, count: 5000)] {
            try yard.plant.overwrite("a/\(group)/\(ObjectID.random())", bytes)
        }
        let other = try #require(try FolderStore(yard.plant.path).read(roots[0].name.text, limit: 1 << 20))
        try yard.plant.overwrite("a/\(group)/\(ObjectID.random())", other)
        #expect(try yard.plant.owned().pinned().isEmpty)
        #expect(try yard.prune().findings.isEmpty)
        try yard.expectImages()
    }

    @Test(
        "With an image that names what is not there he makes his group stand still, which is said, until his right ends"
    )
    func standingStill() throws {
        let now = Timestamp.now().seconds
        try yard.plant.plantRoot(by: thief) { label, named, _ in
            label.series = "b/plc"
            label.sequence = 100
            label.time.seconds = now + 100
            var volume = self.roots[0].volumes[0]
            volume.length += 1
            named.volumes = [volume]
        }
        let before = try FolderStore(yard.plant.path).list("v").count
        let report = try yard.prune()
        #expect(report.images == 0 && report.removed.objects == 0 && report.findings.count == 1)
        #expect(report.findings[0].reason.contains("of \(thief.certificate.name) lacks"), "\(report.findings)")
        #expect(try FolderStore(yard.plant.path).list("v").count == before)
        try yard.plant.owned().revoke(writer: "\(thief.writer)", since: now + 50) { nil }
        let steward = try yard.plant.owned().issueSteward(name: "next")
        func prune() throws -> PruneReport {
            let store = try Store.open(
                FolderStore(yard.plant.path), for: .prune, credentials: Credentials(steward: steward),
                machine: yard.desk("next"))
            let plan = try store.planPrune(
                PruneSettings(tool: "test"), progress: Progress(), choose: PruneYard.keep(1, others: false))
            return try store.prune(plan, progress: Progress())
        }
        #expect(try prune().images == 2)
        try yard.pass(days: 15)
        #expect(try prune().removed.objects > 0)
        #expect(try yard.plant.restore("\(roots[2].id)").findings == 0)
    }

    @Test("His checkpoint holds things back while he writes, and no longer")
    func checkpoint() throws {
        let named = roots[0].named
        let object = try makeObject(.checkpoint, id: .random(), run: .random(), writer: thief) {
            try $0.append(.volumes, named.encoded())
        }
        try yard.plant.overwrite("c/\(group)/\(thief.writer)/\(object.summary.id)", object.bytes)
        try yard.prune()
        try yard.settle()
        try yard.pass(days: 15)
        try yard.prune()
        try yard.expectNothingElse()
        try yard.expectImages()
    }
}
