// Clocks that are wrong, roots that cannot be trusted, and what is missing: where anything is in doubt, nothing goes.

import Cryptography
import Machine
import Platform
import Reporting
import Stores
import TestSupport
import Testing

@testable import Images

@Suite struct PruneDoubtTests {
    private let yard: PruneYard
    private let roots: [ImageRoot]
    private static let year: Int64 = 365 * PruneYard.day

    /// Two images of one machine, ten days old.
    init() throws {
        yard = try PruneYard()
        roots = try (1...2).map { [yard] in try yard.backup($0) }
        try yard.pass(days: 10)
    }

    private func count(_ folder: String) throws -> Int { try FolderStore(yard.plant.path).list(folder).count }

    /// The prunes of a month, each on this desk; what they ended with.
    private func month(_ desk: () -> MachineState) throws -> [PruneReport] {
        var reports: [PruneReport] = []
        for _ in 0..<5 {
            reports.append(try yard.prune(on: desk()))
            try yard.pass(days: 8)
        }
        return reports
    }

    @Test(
        "A steward's clock that is wrong makes nothing go early, and nothing stay for ever",
        arguments: [-year, year, 3 * year])
    func stewardsClock(ahead: Int64) throws {
        let volumes = try count("v")
        // Wrong when it condemns, and right from then on.
        try yard.prune(on: yard.desk(ahead: ahead))
        #expect(try count("v") == volumes)
        let first = try yard.prune()
        // What was signed in the future, or too long ago, goes nothing by.
        #expect(first.findings.isEmpty == (ahead == -Self.year))
        #expect(try count("v") == volumes)
        try yard.pass(days: 13)
        try yard.prune()
        #expect(try count("v") == volumes)
        try yard.pass(days: 2)
        #expect(try yard.prune().findings.isEmpty)
        try yard.expectNothingElse()
        try yard.expectImages([roots[1].id])
    }

    @Test("A store's clock that is wrong for a while makes nothing go early", arguments: [-year, year, 3 * year])
    func storesClock(ahead: Int64) throws {
        let volumes = try count("v")
        try yard.prune()
        let wrong = WatchedStore(FolderStore(yard.plant.path), secondsAhead: ahead)
        let report = try yard.prune(wrong)
        #expect(report.removed.objects == 0 && report.findings.isEmpty == (ahead == Self.year))
        #expect(try count("v") == volumes)
        try yard.pass(days: 13)
        #expect(try yard.prune(wrong).removed.objects == 0)
        #expect(try count("v") == volumes)
        try yard.pass(days: 16)
        try yard.prune()
        try yard.pass(days: 15)
        #expect(try yard.prune().findings.isEmpty)
        try yard.expectNothingElse()
        try yard.expectImages([roots[1].id])
    }

    @Test("A tombstone that the medium calls older than it is, or younger, removes nothing before its signed time")
    func touched() throws {
        let volumes = try count("v")
        try yard.prune()
        for object in try FolderStore(yard.plant.path).list("d") {
            try yard.date(object.name, try #require(object.modified) - 100 * PruneYard.day)
        }
        #expect(try yard.prune().removed.objects == 0)
        #expect(try count("v") == volumes)
    }

    @Test("What a copy brought back after it was condemned is not what was condemned: it waits anew")
    func cameBack() throws {
        try yard.prune()
        let volumes = try FolderStore(yard.plant.path).list("v").map(\.name)
        run("/bin/cp", ["-a", yard.plant.file("v").description, yard.plant.scratch.file("elsewhere").description])
        try yard.pass(days: 15)
        try yard.prune()
        #expect(try count("v") < volumes.count)
        for name in volumes where try !FolderStore(yard.plant.path).contains(name) {
            let bytes = try readWhole(yard.plant.scratch.file("elsewhere/\(name.dropFirst(2))"), limit: 1 << 28)
            try yard.plant.overwrite(name, bytes)
        }
        let report = try yard.prune()
        #expect(report.removed.objects == 0 && report.condemned.objects == 0)
        try yard.settle()
        try yard.pass(days: 15)
        try yard.prune()
        try yard.expectNothingElse()
        try yard.expectImages([roots[1].id])
    }

    @Test(
        "A list that lacks what was there condemns nothing: all images hidden, from a steward who has never been there, or one from one who has",
        arguments: [true, false])
    func hidden(_ all: Bool) throws {
        let volumes = try count("v")
        func prune() throws -> PruneReport {
            try yard.prune(on: yard.desk("newcomer"), PruneSettings(tool: "test"), PruneYard.keep(2))
        }
        if !all { #expect(try prune().findings.isEmpty) }
        let hidden = yard.plant.path.appending(all ? "i" : roots[1].name.text)
        let place = yard.plant.scratch.file("hidden")
        let second = yard.plant.scratch.file("hidden.2")
        try renameFile(hidden, to: place)
        if !all { try renameFile(BytePath(hidden.bytes + Array(".2".utf8)), to: second) }
        let report = try prune()
        #expect(!report.findings.isEmpty && report.condemned.objects == 0 && report.removed.objects == 0)
        #expect(
            report.findings[0].reason.contains(all ? "no image of it is listed" : "which this machine has seen"),
            "\(report.findings)")
        try yard.pass(days: 15)
        #expect(try prune().removed.objects == 0)
        #expect(try count("v") == volumes)
        try renameFile(place, to: hidden)
        if !all { try renameFile(second, to: BytePath(hidden.bytes + Array(".2".utf8))) }
        try yard.expectImages(roots.map(\.id))
        // And all is as it was.
        #expect(try prune().findings.isEmpty)
    }

    @Test("A store that tells no time removes nothing")
    func noClock() throws {
        let store = WatchedStore(FolderStore(yard.plant.path), secondsAhead: nil)
        let report = try yard.prune(store)
        #expect(!report.findings.isEmpty && report.images == 0)
        try yard.expectImages(roots.map(\.id))
    }

    @Test("Who gives his images times to come, or higher numbers, has them at the store's time, beside all others")
    func attacker() throws {
        let key = try yard.plant.key(of: yard.a)
        let now = Timestamp.now().seconds
        for number in 1...5 as ClosedRange<UInt64> {
            try yard.plant.plantRoot(by: key, like: roots[1]) { label, _, _ in
                label.sequence = 100 + number
                label.storeTime = now + Int64(number) * 30 * PruneYard.day
                label.time.seconds = now + Int64(number) * 30 * PruneYard.day
            }
        }
        let plan = try yard.plan(nil, PruneSettings(tool: "test")) { _ in PruneChoice() }
        let planted = plan.staying.filter { $0.sequence > 100 }
        #expect(planted.count == 5)
        for image in planted {
            let time = try #require(image.time)
            #expect(image.isTimeDoubtful && (now - 5...now + 60).contains(time))
        }
        // The others have the time of their objects, which became older than their labels say.
        for image in plan.staying where image.sequence < 100 {
            let time = try #require(image.time)
            #expect((now - 11 * PruneYard.day...now - 9 * PruneYard.day).contains(time))
        }
        // One with a time long past: where machines write themselves, its object's counts.
        try yard.plant.plantRoot(by: key, like: roots[1]) { label, _, _ in
            label.sequence = 200
            label.storeTime = now - Self.year
        }
        var settings = PruneSettings(tool: "test")
        settings.isWrittenDirectly = true
        let direct = try yard.plan(nil, settings) { _ in PruneChoice() }.staying.first { $0.sequence == 200 }
        #expect(try #require(direct?.time) >= now - 5)
        // Whoever writes another's series is no image, and nothing of the other is pushed out.
        let b = try yard.plant.machine("b", group: "line")
        try yard.plant.plantRoot(by: yard.plant.key(of: b), like: roots[1]) { label, _, _ in label.sequence = 1000 }
        let foreign = try yard.plan(nil, settings) { _ in PruneChoice() }.staying.filter { $0.sequence == 1000 }
        #expect(foreign.count == 1 && foreign.allSatisfy { !$0.counts && !$0.isNewest })
    }

    @Test("A root that nobody can read holds back what its writer stored, until a plan names it")
    func invalidRoot() throws {
        let name = roots[0].name
        let b = try yard.plant.machine("b", group: "line")
        let other = try yard.backup(9, on: b)
        _ = try yard.backup(10, on: b)
        try yard.pass(days: 10)
        for copy in name.both {
            var bytes = try #require(try FolderStore(yard.plant.path).read(copy, limit: 1 << 20))
            bytes[400] ^= 1
            let date = try #require(try FolderStore(yard.plant.path).list("i").first { $0.name == copy }?.modified)
            try yard.plant.overwrite(copy, bytes)
            try yard.date(copy, date)
        }
        let mine = roots[0].volumes.map { $0.name(.volume, group: name.group).text }
        let keep = PruneYard.keep(1, others: false)
        for _ in 0..<3 {
            let report = try yard.prune(nil, on: nil, PruneSettings(tool: "test"), keep)
            #expect(report.findings.count == 1)
            try yard.pass(days: 15)
        }
        for volume in mine { #expect(try FolderStore(yard.plant.path).contains(volume)) }
        // The other writer's go all the same.
        #expect(try !yard.plant.owned().listed(.image).contains { $0.name.id == other.id })
        try yard.settle()
        try yard.expectNothingElse()
        try yard.expectImages()
    }

    @Test("A root with a feature that nobody knows, or of an epoch without a key, makes its group stand still")
    func unknownFeature() throws {
        try yard.giveUnknownFeature(to: roots[0].name)
        let report = try yard.prune()
        #expect(report.findings.count == 1 && report.images == 0 && report.condemned.objects == 0)
    }

    @Test("Where a kept image lacks a volume nothing of its group goes; where that one goes, too, the rest does")
    func missingVolume() throws {
        let third = try yard.backup(3)
        try yard.pass(days: 10)
        let volume = try #require(roots[1].volumes.first { !third.volumes.contains($0) })
        for copy in volume.name(.volume, group: third.name.group).both {
            try FolderStore(yard.plant.path).remove(copy)
        }
        let before = try count("v")
        let keepTwo = PruneYard.keep(2)
        for _ in 0..<2 {
            let report = try yard.prune(nil, on: nil, PruneSettings(tool: "test"), keepTwo)
            #expect(report.findings.count == 1 && report.images == 0)
            #expect(report.findings.first?.reason.contains(roots[1].id.short) == true)
            try yard.pass(days: 15)
        }
        #expect(try count("v") == before)
        #expect(try count("i") == 6)
        try yard.settle()
        try yard.expectImages([third.id])
        try yard.expectNothingElse()
    }

    @Test("Once a steward's right has ended nothing goes by its tombstones: another one condemns anew, and waits anew")
    func endedSteward() throws {
        try yard.prune()
        try yard.pass(days: 15)
        try yard.plant.owned().revoke(writer: "steward", since: nil) { nil }
        #expect(status { try yard.prune() } == 4)
        let next = try yard.plant.owned().issueSteward(name: "next")
        func prune() throws -> PruneReport {
            let store = try Store.open(
                yard.plant.path, for: .prune, credentials: Credentials(steward: next), machine: yard.desk())
            return try store.prune(yard.plan(store), progress: Progress())
        }
        let first = try prune()
        #expect(first.removed.objects == 0 && first.condemned.objects > 0)
        try yard.pass(days: 15)
        #expect(try prune().removed.objects > 0)
        try yard.expectNothingElse()
        try yard.expectImages([roots[1].id])
    }

    @Test("A tombstone that condemns and says no more still condemns, and nothing goes by it")
    func oldTombstone() throws {
        try yard.plant.condemn(roots[0].volumes, by: yard.steward, group: roots[0].name.group)
        try yard.pass(days: 20)
        #expect(try yard.prune().removed.objects == 0)
        try yard.settle()
        try yard.expectNothingElse()
    }
}
