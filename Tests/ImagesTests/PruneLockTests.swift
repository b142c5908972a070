// A store that locks what is put into it: whoever prunes keeps the locks of what stays from running out, and those of nothing else.

import Cryptography
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Images

/// Locks for so long what it is asked to, and says of what.
private final class LockingFolder: ForwardingStore, @unchecked Sendable {
    let ends = Mutex<[String: Int64]>([:])
    let isRefused: Bool

    init(_ path: BytePath, isRefused: Bool = false) {
        self.isRefused = isRefused
        super.init(FolderStore(path))
    }

    override func prolongLock(
        of name: String, until time: Int64, unlessUntil enough: Int64
    ) throws(StoreError) -> Bool {
        guard try contains(name) else { throw StoreError(.absent, "lock", name) }
        if isRefused { throw StoreError(.refused, "lock", name, "not with this key") }
        return ends.withLock { ends in
            if ends[name] ?? 0 >= enough { return false }
            ends[name] = time
            return true
        }
    }
}

@Suite struct PruneLockTests {
    private let yard: PruneYard
    private let roots: [ImageRoot]
    private let settings: PruneSettings

    init() throws {
        yard = try PruneYard()
        roots = try (1...3).map { [yard] in try yard.backup($0) }
        var settings = PruneSettings(tool: "test")
        settings.lock = 12 * PruneYard.day
        self.settings = settings
    }

    /// All that is there, apart from what the first image alone needs.
    private func needed() throws -> Set<String> {
        let store = FolderStore(yard.plant.path)
        let kept = Set(roots[1...].flatMap(\.allNames)).union(roots[1...].map(\.name))
        let gone = Set(roots[0].allNames + [roots[0].name]).subtracting(kept)
        let names = try ["v", "x", "i", "e", "k", "a"].flatMap { try store.list($0).map(\.name) }
        return Set(names).subtracting(gone.flatMap(\.both)).union(["HOLDFAST", "HOLDFAST.2"])
    }

    @Test(
        "What stays is locked on once half the time is over, whole with its keys and statements, and what goes is not")
    func prolonged() throws {
        let store = LockingFolder(yard.plant.path)
        try yard.opened().pin(yard.plant.owned().find("\(roots[1].id)"), tool: "test")
        let keep = PruneYard.keep(2)
        // Only what has no time of its own is looked at while all is young.
        #expect(try yard.prune(store, on: nil, settings, keep).prolonged == 2)
        try yard.pass(days: 7)
        for folder in ["e", "k"] {
            for object in try FolderStore(yard.plant.path).list(folder) {
                try yard.date(object.name, try #require(object.modified) - 7 * PruneYard.day)
            }
        }
        let needed = try needed()
        let report = try yard.prune(store, on: nil, settings, keep)
        #expect(report.findings.isEmpty && report.notProlonged == 0)
        let locked = store.ends.withLock { Set($0.keys) }
        #expect(locked == needed, "\(locked.symmetricDifference(needed).sorted())")
        // Nothing is asked for twice, and nothing that waits for its removal at all.
        #expect(try yard.prune(store, on: nil, settings, keep).prolonged == 0)
        try yard.pass(days: 15)
        try yard.prune(store, on: nil, settings, keep)
        try yard.expectNothingElse()
        try yard.expectImages([roots[1].id, roots[2].id])
    }

    @Test(
        "A plan that removes nothing is carried out for the locks, and a key without the right is told so and no more")
    func refused() throws {
        try yard.pass(days: 7)
        let store = LockingFolder(yard.plant.path, isRefused: true)
        let keep = PruneYard.keep(3)
        let plan = try yard.plan(yard.opened(store), settings, keep)
        #expect(!plan.isEmpty && plan.going.isEmpty)
        let report = try yard.prune(store, on: nil, settings, keep)
        #expect(report.findings.isEmpty && report.prolonged == 0 && report.notProlonged > 4)
        #expect(report.lockRefusal?.contains("not with this key") == true)
        #expect(try yard.plan(yard.opened(store), PruneSettings(tool: "test"), keep).isEmpty)
    }

    @Test("Of a group that stands still everything is locked on")
    func standsStill() throws {
        try yard.giveUnknownFeature(to: roots[0].name)
        try yard.pass(days: 7)
        let store = LockingFolder(yard.plant.path)
        let report = try yard.prune(store, on: nil, settings, PruneYard.keep(1))
        #expect(report.findings.count == 1 && report.images == 0)
        let locked = store.ends.withLock { Set($0.keys) }
        let volumes = Set(try FolderStore(yard.plant.path).list("v").map(\.name))
        #expect(locked.isSuperset(of: volumes))
    }
}
