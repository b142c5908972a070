// What a prune removes, and when: nothing that an image needs, and in the end all that none does.

import Cryptography
import Machine
import Platform
import Reporting
import Stores
import TestSupport
import Testing

@testable import Images

@Suite struct PruneEngineTests {
    private let yard: PruneYard
    private let roots: [ImageRoot]

    /// Three images of one machine, of which no two are alike, ten days old.
    init() throws {
        yard = try PruneYard()
        roots = try (1...3).map { [yard] in try yard.backup($0) }
        try yard.pass(days: 10)
    }

    private func files(_ folder: String) throws -> [String] {
        try FolderStore(yard.plant.path).list(folder).map(\.name)
    }

    @Test("Images go at once, what they alone need a grace later, and nothing else")
    func wholeWay() throws {
        let volumes = try files("v")
        let plan = try yard.plan()
        #expect(plan.going.map(\.id.image) == roots.dropLast().map(\.id))
        #expect(plan.staying.map(\.id.image) == [roots[2].id] && plan.remarks.isEmpty)
        let freed = plan.sum(\.freed)
        #expect(freed.objects > 0 && plan.sum(\.condemnedNow) == freed && plan.sum(\.removable).objects == 0)
        #expect(try files("d").isEmpty)

        let first = try yard.prune()
        #expect(first.images == 2 && first.condemned == freed && first.removed.objects == 0 && first.findings.isEmpty)
        #expect(try files("v") == volumes)
        try yard.expectImages([roots[2].id])

        try yard.pass(days: 13)
        let waiting = try yard.plan()
        #expect(waiting.sum(\.waiting) == freed && waiting.isEmpty)
        let time = try #require(waiting.time), end = try #require(waiting.groups.compactMap(\.waitsUntil).min())
        #expect((PruneYard.day - 60...PruneYard.day + 60).contains(end - time))
        #expect(try yard.prune().removed.objects == 0)

        try yard.pass(days: 2)
        let last = try yard.prune()
        #expect(last.removed == freed && last.images == 0 && last.findings.isEmpty)
        try yard.expectImages([roots[2].id])
        try yard.expectNothingElse()
        #expect(try yard.plan().isEmpty)

        // After four hundred days nobody needs the tombstones.
        #expect(try files("d").count == 2)
        try yard.pass(days: 400)
        #expect(try yard.prune().tombstones == 2)
        #expect(try files("d").isEmpty)
    }

    @Test("Nobody misses an image that a steward removed: neither the machine that wrote it nor who has seen it")
    func nobodyMissesIt() throws {
        let office = try yard.plant.owned()
        #expect(try office.lostImages(office.images()).isEmpty)
        try yard.prune()
        #expect(try yard.plant.backup(yard.plant.scratch.file("tree"), on: yard.a).findings == 0)
        #expect(try office.lostImages(office.images()).isEmpty)
        // One that somebody else took away is missed.
        let name = ObjectName(.image, group: roots[2].name.group, writer: roots[2].name.writer, id: roots[2].id)
        for copy in name.both { try FolderStore(yard.plant.path).remove(copy) }
        #expect(try office.lostImages(office.images()).count == 1)
    }

    @Test("An image that was removed in a copy comes back to that by its id alone, and its machine goes on in both")
    func copies() throws {
        let other = yard.plant.scratch.file("other")
        func copy(_ images: [String] = []) throws {
            _ = try Store.replicate(
                FolderStore(yard.plant.path), to: FolderStore(other), images: images,
                credentials: Credentials(steward: yard.steward), machine: yard.desk(), progress: Progress(),
                findings: Findings())
        }
        func there(_ kind: String) throws -> Set<String> { Set(try FolderStore(other).list(kind).map(\.name)) }
        try copy()
        #expect(try there("i").count == 6)
        let store = try yard.opened(FolderStore(other))
        #expect(try store.prune(yard.plan(store), progress: Progress()).images == 2)
        let volumes = try there("v")
        try copy()
        #expect(try there("i").count == 2)
        #expect(try there("v") == volumes)
        try copy(["\(roots[0].id)"])
        #expect(try there("i").count == 4)

        // The machine sees the copy, misses nothing there, and knows its own images in the store still.
        let seen = try Store.open(FolderStore(other), for: .list, credentials: Credentials(), machine: yard.a)
        #expect(try seen.lostImages(seen.images()).isEmpty)
        let next = try yard.backup(4)
        #expect(next.label.sequence == 4)
    }

    @Test("What a kept image names stays, also where a removed one named it; a machine that comes back is served")
    func shared() throws {
        try yard.settle()
        let next = try yard.backup(4)
        #expect(!Set(next.volumes.map(\.id)).isDisjoint(with: roots[2].volumes.map(\.id)))
        try yard.expectImages([roots[2].id, next.id])
    }

    @Test("The newest image of a series and a pinned one stay, whatever is chosen; a retired series may end")
    func kept() throws {
        let all: @Sendable ([PruneImage]) -> PruneChoice = { images in
            var choice = PruneChoice()
            choice.removed = Set(images.map(\.id))
            return choice
        }
        let store = try yard.opened()
        try store.pin(store.images()[0], tool: "test")
        #expect(try store.pinned() == [roots[0].id])
        #expect(try yard.plant.opened(yard.a).pinned() == [roots[0].id])
        let plan = try yard.plan(nil, PruneSettings(tool: "test"), all)
        #expect(plan.going.map(\.id.image) == [roots[1].id])
        #expect(plan.staying.map { plan.reasons[$0.id] } == [["pinned"], ["the newest of its series"]])
        try yard.prune(nil, on: nil, PruneSettings(tool: "test"), all)
        try yard.expectImages([roots[0].id, roots[2].id])

        try store.unpin(store.images()[0], tool: "test")
        var settings = PruneSettings(tool: "test")
        settings.retired = [ExactText("a/plc")]
        #expect(try yard.plan(nil, settings, all).id != plan.id)
        try yard.prune(nil, on: nil, settings, all)
        #expect(try yard.plant.owned().images().isEmpty)
        try yard.settle()
        #expect(try files("v").isEmpty)
        #expect(try files("x").isEmpty)
    }

    @Test("A plan is stale once other images would go, and not for an image more that changes none of that")
    func stale() throws {
        let store = try yard.opened()
        let plan = try yard.plan(store, PruneSettings(tool: "test"), PruneYard.keep(2))
        _ = try yard.backup(4, series: "a/other")
        #expect(try yard.plan(store, PruneSettings(tool: "test"), PruneYard.keep(2)).id == plan.id)
        _ = try yard.backup(5)
        #expect(throws: StalePlan.self) { try store.prune(plan, progress: Progress()) }
        #expect(try yard.plan(store, PruneSettings(tool: "test", grace: 1), PruneYard.keep(2)).id != plan.id)
        #expect(try yard.plant.owned().images().count == 5)
    }

    @Test("Neither a machine's key nor an identity that only reads removes anything; one that governs does")
    func rights() throws {
        #expect(
            status {
                _ = try Store.open(yard.plant.path, for: .prune, credentials: Credentials(), machine: yard.a)
            } != nil)
        let reader = try AgeIdentity.generate()
        try yard.plant.owned().add(.age(reader.recipient), governs: false)
        let reads = try Store.open(
            yard.plant.path, for: .prune, credentials: Credentials(identities: [reader]), machine: yard.a)
        #expect(status { _ = try yard.plan(reads) } == 4)
        let governs = try Store.open(
            yard.plant.path, for: .prune, credentials: yard.plant.credentials, machine: yard.desk())
        #expect(try governs.prune(yard.plan(governs), progress: Progress()).images == 2)
        try yard.pass(days: 15)
        // Another steward goes on.
        #expect(try yard.prune().removed.objects > 0)
        try yard.expectNothingElse()
        try yard.expectImages([roots[2].id])
    }

    @Test("What runs left that were cut goes; what may belong to one under way stays, however old")
    func leftovers() throws {
        let store = try yard.plant.opened(yard.a)
        let key = try yard.plant.key(of: yard.a)
        let cut = try makeObject(.dataVolume, id: .random(), run: .random(), writer: key) { _ in }
        let volume = VolumeReference(
            writer: key.writer, id: cut.summary.id, digest: .zero, length: UInt64(cut.bytes.count))
        let name = volume.name(.volume, group: key.group.id)
        let checkpoint = try makeObject(.checkpoint, id: .random(), run: .random(), writer: key) {
            try $0.append(.volumes, NamedObjects(volumes: [volume]).encoded())
        }
        let place = ObjectName(.checkpoint, group: key.group.id, writer: key.writer, id: checkpoint.summary.id)
        try yard.plant.overwrite(name.text, cut.bytes)
        let torn = ObjectName(.image, group: key.group.id, writer: key.writer, id: try .random())
        let whole = try #require(try FolderStore(yard.plant.path).read(roots[0].name.text, limit: 1 << 20))
        try yard.plant.overwrite(torn.second, Array(whole.prefix(300)))
        try yard.pass(days: 10)
        // The run goes on: its newest checkpoint is young.
        try yard.plant.overwrite(place.text, checkpoint.bytes)
        #expect(try yard.plan().sum(\.young).objects == 1)
        try yard.prune()
        #expect(try store.condemnedVolumes(group: key.group.id).contains(volume.id) == false)
        #expect(try files("c").count == 1)
        try yard.settle()
        try yard.expectNothingElse()
        try yard.expectImages([roots[2].id])
    }

    @Test("What is of a later version's type is left alone, and so is what is none of the store's")
    func unknownTypes() throws {
        let key = try yard.plant.key(of: yard.a)
        var object = try makeObject(.dataVolume, id: .random(), run: .random(), writer: key) { _ in }.bytes
        object[11] = 7
        let names = try [
            "v/\(key.group.id)/\(key.writer)/\(ObjectID.random())", "v/note.txt", "d/\(key.group.id)/other",
        ]
        for name in names { try yard.plant.overwrite(name, object) }
        try yard.pass(days: 10)
        try yard.settle()
        for name in names { #expect(try FolderStore(yard.plant.path).contains(name)) }
    }

    @Test("What a store does not let go is a result, and goes later; what such an image names stays")
    func locked() throws {
        let lock: @Sendable (StoreCall.Verb, String) throws(StoreError) -> Void = { verb, name throws(StoreError) in
            if verb == .remove { throw StoreError(.refused, "remove", name, "it is locked until June") }
        }
        let store = WatchedStore(FolderStore(yard.plant.path), before: lock)
        let report = try yard.prune(store)
        #expect(report.locked == 2 && report.images == 0 && report.condemned.objects == 0)
        #expect(report.findings.isEmpty && report.lock?.contains("June") == true)
        // It is said once, however often it is tried.
        try yard.prune(store)
        #expect(try files("d").count == 1)
        try yard.expectImages(roots.map(\.id))
        try yard.prune()
        try yard.pass(days: 15)
        #expect(try yard.prune(store).locked > 0)
        try yard.settle()
        try yard.expectNothingElse()
    }

    @Test(
        "An image that goes while a copy is under way is no damage to that, whenever it goes",
        arguments: [nil, "a/plc"]
    )
    func goesWhileCopied(series: String?) throws {
        var place = 1
        var isOver = false
        while !isOver {
            let source = PruningStore(FolderStore(yard.plant.path), before: place) { [yard] in try yard.prune() }
            let target = yard.plant.scratch.file("copy \(place)")
            func copy(_ source: any ObjectStore) throws -> UInt64 {
                try Store.replicate(
                    source, to: FolderStore(target), images: [], ImageFilter(series: series),
                    credentials: yard.plant.credentials, machine: yard.desk(), progress: Progress(),
                    findings: Findings()
                ).findings
            }
            #expect(try copy(source) == 0, "before call \(place)")
            isOver = source.calls < place
            #expect(try copy(FolderStore(yard.plant.path)) == 0)
            let images = try yard.opened(FolderStore(target)).images().filter(\.counts)
            #expect(try images.map(\.id).contains(#require(yard.plant.owned().images().last).id))
            // As much is there each time.
            try yard.settle()
            _ = try yard.backup(UInt64(10 + place))
            place += runsAll ? 1 : 7
        }
        #expect(place > 20)
    }
}

/// A store that a steward prunes before one of the calls.
private final class PruningStore: InterposedStore, @unchecked Sendable {
    private let place: Int
    private let prune: () throws -> PruneReport

    init(_ store: any ObjectStore, before place: Int, _ prune: @escaping () throws -> PruneReport) {
        self.place = place
        self.prune = prune
        super.init(store)
    }

    override func around<R>(
        _ number: Int, _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        if number == place {
            do { _ = try prune() } catch { throw StoreError(.failed, "prune", "the store", "\(error)") }
        }
        return try body()
    }
}
