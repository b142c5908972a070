// What a machine does about a steward who prunes while it writes: nothing counts as a success that names what is condemned.

import Cryptography
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite struct PruneTests {
    private let plant: Plant
    private let steward: StewardKey
    private let a: MachineState
    private let root: ImageRoot
    private var tree: BytePath { plant.scratch.file("tree") }

    /// A plant with a steward and a machine with one image.
    init() throws {
        plant = try Plant()
        steward = try plant.owned().issueSteward(name: "steward")
        a = try plant.machine("a", group: "line")
        root = try plant.root(plant.backup(plant.tree(), on: a).id)
    }

    private func condemn(_ volumes: [VolumeReference]) throws(StoreError) {
        do { try plant.condemn(volumes, by: steward, group: root.name.group) } catch {
            throw StoreError(.failed, "condemn", "volumes", "\(error)")
        }
    }

    /// Backs up into a store in which somebody acts before a call; how many roots' first copies there are afterwards.
    private func backup(
        _ machine: MachineState, before: @escaping @Sendable (StoreCall.Verb, String) throws(StoreError) -> Void
    ) throws -> (report: BackupReport, roots: [String]) {
        let store = try Store.open(
            WatchedStore(FolderStore(plant.path), before: before), for: .write, credentials: Credentials(),
            machine: machine)
        let report = try store.backup(
            BackupRequest(sources: [tree], name: "plc"), progress: Progress(), findings: Findings())
        return (report, try FolderStore(plant.path).list("i").map(\.name))
    }

    /// The image is whole, names nothing that was condemned, and is the latest.
    private func expectSound(_ report: BackupReport) throws {
        let new = try plant.root(report.id)
        #expect(Set(new.volumes.map(\.id)).isDisjoint(with: root.volumes.map(\.id)))
        #expect(report.label.newBytes > 0)
        #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id == report.id)
        #expect(try plant.restore(report.id.description).findings == 0)
        try expectSameTree(plant.scratch.file("restored"), tree)
        // What was stored anew is cited.
        #expect(try plant.backup(tree, on: a).label.newBytes == 0)
    }

    @Test("What was condemned before a run is cited by none, and stored anew")
    func condemnedBefore() throws {
        try condemn(root.volumes)
        try expectSound(plant.backup(tree, on: a))
    }

    @Test("What is condemned while a run reads is seen before its root, which is never written")
    func condemnedWhileReading() throws {
        try put(plant.scratch.file("tree/new"), [1, 2, 3])
        let isDone = Atomic(false)
        let (report, roots) = try backup(a) { verb, name throws(StoreError) in
            // The index object is begun once the run has read all that it cites, and ended before the root.
            guard verb == .create, name.hasPrefix("x/"), !isDone.exchange(true, ordering: .relaxed) else { return }
            try condemn(root.volumes)
        }
        let wasDone = isDone.load(ordering: .relaxed)
        #expect(wasDone)
        // The first image's, and the new one's.
        #expect(roots.count == 4)
        try expectSound(report)
    }

    @Test("What is condemned once the root is begun makes the run no success, whenever it is seen")
    func condemnedAtTheRoot() throws {
        for second in [true, false] {
            let plant = try PruneTests()
            let isDone = Atomic(false)
            let (report, _) = try plant.backup(plant.a) { verb, name throws(StoreError) in
                guard verb == .put, name.hasPrefix("i/"), ObjectName.isSecond(name) == second,
                    !isDone.exchange(true, ordering: .relaxed)
                else { return }
                try plant.condemn(plant.root.volumes)
            }
            let wasDone = isDone.load(ordering: .relaxed)
            #expect(wasDone)
            try plant.expectSound(report)
        }
    }

    @Test(
        "A machine that slept between its look and its root looks again, and writes no root on what was condemned meanwhile"
    )
    func slept() throws {
        let clock = Atomic<Int64>(1000)
        var machine = a
        machine.secondsSinceStart = { clock.load(ordering: .relaxed) }
        let first = Atomic(0)
        let (report, roots) = try backup(machine) { verb, name throws(StoreError) in
            guard verb == .put, name.hasPrefix("i/") else { return }
            if ObjectName.isSecond(name), first.add(1, ordering: .relaxed).newValue == 1 {
                try condemn(root.volumes)
                clock.add(61, ordering: .relaxed)
            }
        }
        try expectSound(report)
        // The first copy of that root was never written: nobody takes it for an image.
        let unfinished = try plant.owned().images().filter(\.isUnfinished)
        #expect(unfinished.count == 1 && roots.count == 5)
    }

    @Test(
        "While nothing is condemned a run looks at the tombstones before the root and after it, and before each of its copies if it slept"
    )
    func looks() throws {
        for (slept, count) in [(Int64(60), 2), (61, 3)] {
            let clock = Atomic<Int64>(1000)
            var machine = a
            machine.secondsSinceStart = { clock.load(ordering: .relaxed) }
            let looks = Atomic(0)
            _ = try backup(machine) { verb, name throws(StoreError) in
                if verb == .list, name.hasPrefix("d/") { looks.add(1, ordering: .relaxed) }
                guard verb == .put, name.hasPrefix("i/"), ObjectName.isSecond(name) else { return }
                // One look at its beginning, one just before this.
                let before = looks.exchange(1, ordering: .relaxed)
                #expect(before == 2)
                clock.add(slept, ordering: .relaxed)
            }
            let after = looks.load(ordering: .relaxed)
            #expect(after == count)
        }
    }
}
