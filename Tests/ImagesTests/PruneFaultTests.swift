// A prune that is killed, that fails, or that is not alone.

import Cryptography
import Machine
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite(.serialized) struct PruneFaultTests {
    private let yard: PruneYard
    private let kept: ImageRoot

    /// Five images, of which two go: one that was condemned a grace ago is to be removed, one just has been chosen.
    init() throws {
        yard = try PruneYard()
        _ = try yard.backup(1)
        _ = try yard.backup(2)
        try yard.pass(days: 5)
        try yard.prune()
        try yard.pass(days: 15)
        kept = try yard.backup(3)
        try yard.pass(days: 5)
        save()
    }

    private func copy(_ from: String, _ to: String) {
        run("/bin/rm", ["-rf", yard.plant.scratch.file(to).description])
        run("/bin/cp", ["-a", yard.plant.scratch.file(from).description, yard.plant.scratch.file(to).description])
    }
    private func save() { copy("store", "store.before") }

    /// Runs a prune again and again, each time with another call that fails, from the same beginning.
    private func forEachCall(
        _ moment: FlakyStore.Moment, isLasting: Bool, _ reason: StoreError.Reason = .failed,
        after check: (Int) throws -> Void
    ) throws -> Int {
        var call = 1
        while true {
            copy("store.before", "store")
            let flaky = FlakyStore(
                FolderStore(yard.plant.path), failing: call, moment, reason: reason, isLasting: isLasting)
            _ = try? yard.prune(flaky)  // What it left is looked at.
            guard flaky.hasFailed else { return call - 1 }
            try check(call)
            call += runsAll || call < 4 ? 1 : 11
        }
    }

    private func expectGoesOn() throws {
        try yard.expectImages()
        #expect(try yard.plant.owned().images().contains { $0.id == kept.id })
        // Another machine, with the same key or another one.
        for _ in 0..<2 {
            let report = try yard.prune(on: yard.desk("other desk"))
            #expect(report.findings.isEmpty, "\(report.findings)")
        }
        try yard.expectImages([kept.id])
    }

    @Test(
        "Whatever call of a prune fails, all images restore and the next one goes on",
        arguments: FlakyStore.Moment.allCases)
    func flaky(moment: FlakyStore.Moment) throws {
        let calls = try forEachCall(moment, isLasting: false) { _ in try expectGoesOn() }
        #expect(calls > 30)
    }

    @Test(
        "Killed at any call, another machine goes on, and in the end nothing else is there",
        arguments: FlakyStore.Moment.allCases)
    func killed(moment: FlakyStore.Moment) throws {
        let calls = try forEachCall(moment, isLasting: true) { call in
            try expectGoesOn()
            guard call % 22 == 4 || runsAll else { return }
            copy("store", "store.cut")
            try yard.pass(days: 15)
            try yard.prune()
            try yard.expectNothingElse()
            try yard.expectImages([kept.id])
        }
        #expect(calls > 30)
    }

    @Test("A read that fails makes its group stand still, and nothing of it goes")
    func failedRead() throws {
        let before = try FolderStore(yard.plant.path).list("v").count
        for object in try yard.plant.owned().listed(.image) {
            copy("store.before", "store")
            let name = object.name
            let store = ReadFailing(FolderStore(yard.plant.path)) { $0 == name.text || $0 == name.second }
            let plan = try yard.plan(yard.opened(store))
            #expect(plan.remarks.count == 1 && plan.groups.contains { $0.standsStill != nil })
            let report = try yard.prune(store)
            #expect(report.findings.count == 1 && report.images == 0 && report.removed.objects == 0)
            #expect(try FolderStore(yard.plant.path).list("v").count == before)
        }
    }

    @Test("Two prunes at once, whenever the second comes, remove what one of them would")
    func two() throws {
        var call = 1
        while true {
            copy("store.before", "store")
            let number = Atomic(0)
            let other = yard.desk("other desk")
            let hasCome = Atomic(false)
            let wanted = call
            let store = WatchedStore(FolderStore(yard.plant.path)) { [yard] _, _ throws(StoreError) in
                guard number.add(1, ordering: .relaxed).newValue == wanted else { return }
                hasCome.store(true, ordering: .relaxed)
                do { try yard.prune(on: other) } catch {
                    throw StoreError(.failed, "prune", "it", "\(error)")
                }
            }
            do { try yard.prune(store) } catch is StalePlan {}  // The other one has done it.
            guard hasCome.load(ordering: .relaxed) else { break }
            try expectGoesOn()
            call += runsAll ? 1 : 4
        }
        #expect(call > 10)
        try yard.pass(days: 15)
        try yard.prune()
        try yard.expectNothingElse()
    }

    /// Backs up into a store in which somebody acts right before a copy of a root is written.
    private func backup(
        beforeSecond: Bool, sleeps: Int64, act: @escaping @Sendable () throws -> Void
    ) throws -> BackupReport {
        let clock = Atomic<Int64>(1000)
        var machine = yard.a
        machine.secondsSinceStart = { clock.load(ordering: .relaxed) }
        let isDone = Atomic(false)
        let store = WatchedStore(FolderStore(yard.plant.path)) { verb, name throws(StoreError) in
            guard verb == .put, name.hasPrefix("i/"), ObjectName.isSecond(name) == beforeSecond,
                !isDone.exchange(true, ordering: .relaxed)
            else { return }
            do { try act() } catch { throw StoreError(.failed, "act", "it", "\(error)") }
            clock.add(sleeps, ordering: .relaxed)
        }
        let opened = try Store.open(store, for: .write, credentials: Credentials(), machine: machine)
        return try opened.backup(
            BackupRequest(sources: [yard.plant.scratch.file("tree")], name: "other"), progress: Progress(),
            findings: Findings())
    }

    @Test(
        "A writer that slept longer than the grace before either copy of its root has an image that restores",
        arguments: [0, 61] as [Int64], [true, false])
    func slept(seconds: Int64, beforeSecond: Bool) throws {
        // All that it cites goes while it sleeps: the series ends.
        var settings = PruneSettings(tool: "test")
        settings.retired = [ExactText("a/plc")]
        let ending: @Sendable ([PruneImage]) -> PruneChoice = { images in
            var choice = PruneChoice()
            choice.removed = Set(images.filter { $0.series == "a/plc" }.map(\.id))
            return choice
        }
        let report = try backup(beforeSecond: beforeSecond, sleeps: seconds) { [yard, settings] in
            for _ in 0..<3 {
                try yard.prune(nil, on: nil, settings, ending)
                try yard.pass(days: 15)
            }
            #expect(try yard.plant.owned().images().filter(\.counts).isEmpty)
        }
        // Where its second copy was there, that kept what it names.
        #expect((report.label.newBytes > 0) == beforeSecond)
        let tree = yard.plant.scratch.file("tree")
        run("/bin/cp", ["-a", tree.description, yard.plant.scratch.file("tree of \(report.id)").description])
        // What it may have left on the way goes like anything else.
        try yard.settle()
        try yard.expectImages([report.id])
        try yard.expectNothingElse()
    }
}

/// A store in which some objects cannot be read.
private final class ReadFailing: ForwardingStore, @unchecked Sendable {
    private let fails: @Sendable (String) -> Bool

    init(_ store: any ObjectStore, _ fails: @escaping @Sendable (String) -> Bool) {
        self.fails = fails
        super.init(store)
    }

    override func around<R>(_ call: StoreCall, _ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        if (call.verb == .open || call.verb == .read) && fails(call.name) {
            throw StoreError(.failed, "read", call.name, "as the test wants it")
        }
        return try body()
    }
}
