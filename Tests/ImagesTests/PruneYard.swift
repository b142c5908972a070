// A store with machines, a steward who prunes it, and time that passes: every object becomes older, and every clock goes on.

import Cryptography
import Glibc
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Images

final class PruneYard: Sendable {
    let plant: Plant
    let steward: StewardKey
    let a: MachineState
    private let passed = Mutex<Int64>(0)

    static let day: Int64 = 86_400

    init() throws {
        plant = try Plant()
        steward = try plant.owned().issueSteward(name: "steward")
        a = try plant.machine("a", group: "line")
    }

    /// Where a steward sits: a machine that writes nothing.
    func desk(_ name: String = "desk", ahead: Int64 = 0) -> MachineState {
        var machine = plant.scratch.machine(name)
        let passed = self.passed.withLock { $0 }
        machine.now = { Timestamp.now().seconds + passed + ahead }
        return machine
    }

    /// As if everything there were older by so many days.
    func pass(days: Int64) throws {
        passed.withLock { $0 += days * Self.day }
        for kind in ["v", "x", "i", "c", "d", "a"] {
            for object in try FolderStore(plant.path).list(kind) {
                try date(object.name, #require(object.modified) - days * Self.day)
            }
        }
    }

    func date(_ name: String, _ seconds: Int64) throws {
        let time = timespec(tv_sec: Int(seconds), tv_nsec: 0)
        try #require(utimensat(AT_FDCWD, plant.file(name).description, [time, time], 0) == 0)
    }

    /// A tree of its own content for each number, with something that all of them have.
    func backup(_ number: UInt64, on machine: MachineState? = nil, series: String? = nil) throws -> ImageRoot {
        let tree = plant.scratch.file("tree")
        try put(tree.appending("common"), SplitMix64.of(77, 400_000))
        try put(tree.appending("own"), SplitMix64.of(number, 60_000))
        let report = try plant.backup(tree, on: machine ?? a, series: series)
        run("/bin/cp", ["-a", tree.description, plant.scratch.file("tree of \(report.id)").description])
        return try plant.root(report.id)
    }

    func opened(_ objects: (any ObjectStore)? = nil, on machine: MachineState? = nil) throws -> Store {
        try Store.open(
            objects ?? FolderStore(plant.path), for: .prune, credentials: Credentials(steward: steward),
            machine: machine ?? desk())
    }

    /// Of each series so many of the newest stay, of those that count; what does not count goes where that is wanted.
    static func keep(_ count: Int, others: Bool = true) -> @Sendable ([PruneImage]) -> PruneChoice {
        { images in
            var choice = PruneChoice()
            choice.basis = ["keep-last \(count)"]
            // They come in the order of series and sequence; where there are a hundred thousand none is copied.
            var left = count
            var series: String?
            for image in images.reversed() {
                guard image.counts else {
                    if others { choice.removed.insert(image.id) }
                    continue
                }
                if series.map({ !ExactText($0).text.utf8.elementsEqual(image.series.utf8) }) ?? true { left = count }
                series = image.series
                if left == 0 { choice.removed.insert(image.id) } else { left -= 1 }
            }
            return choice
        }
    }

    func plan(
        _ store: Store? = nil, _ settings: PruneSettings = PruneSettings(tool: "test"),
        _ choose: @escaping @Sendable ([PruneImage]) -> PruneChoice = keep(1)
    ) throws -> PrunePlan { try (store ?? opened()).planPrune(settings, progress: Progress(), choose: choose) }

    /// Has both copies of an object want a feature that nobody knows, with checks that are right.
    func giveUnknownFeature(to name: ObjectName) throws {
        for copy in name.both {
            var bytes = try #require(try FolderStore(plant.path).read(copy, limit: 1 << 20))
            for start in [0, bytes.count - 320] {
                bytes[start + 103] = 0x80
                let check = try sha256(Array(bytes[start..<start + 224])).bytes
                bytes.replaceSubrange(start + 224..<start + 256, with: check)
            }
            try plant.overwrite(copy, bytes)
        }
    }

    @discardableResult
    func prune(
        _ objects: (any ObjectStore)? = nil, on machine: MachineState? = nil,
        _ settings: PruneSettings = PruneSettings(tool: "test"),
        _ choose: @escaping @Sendable ([PruneImage]) -> PruneChoice = keep(1)
    ) throws -> PruneReport {
        let store = try opened(objects, on: machine)
        return try store.prune(plan(store, settings, choose), progress: Progress())
    }

    /// All images that count restore bit for bit.
    func expectImages(_ ids: [ObjectID]? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let images = try plant.owned().images().filter(\.counts)
        if let ids { #expect(Set(images.map(\.id)) == Set(ids), sourceLocation: sourceLocation) }
        for image in images {
            #expect(try plant.restore("\(image.id)").findings == 0, sourceLocation: sourceLocation)
            try expectSameTree(
                plant.scratch.file("restored"), plant.scratch.file("tree of \(image.id)"),
                sourceLocation: sourceLocation)
        }
    }

    func expectNothingElse(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try plant.owned().expectNothingElse(sourceLocation: sourceLocation)
    }

    /// Prunes until there is nothing to do.
    func settle(_ choose: @escaping @Sendable ([PruneImage]) -> PruneChoice = keep(1)) throws {
        for _ in 0..<3 {
            let report = try prune(choose)
            #expect(report.findings.isEmpty, "\(report.findings)")
            try pass(days: 15)
        }
    }

    @discardableResult
    private func prune(_ choose: @escaping @Sendable ([PruneImage]) -> PruneChoice) throws -> PruneReport {
        try prune(nil, on: nil, PruneSettings(tool: "test"), choose)
    }
}

extension Store {
    /// Nothing is there but what roots name, and tombstones.
    func expectNothingElse(sourceLocation: SourceLocation = #_sourceLocation) throws {
        var named: Set<ObjectName> = []
        for object in try listed(.image) {
            let root = try image(object.name)
            named.formUnion(root.named.volumes.map { $0.name(.volume, group: root.name.group) })
            named.formUnion(root.named.indexes.map { $0.name(.index, group: root.name.group) })
            #expect(object.first != nil && object.second != nil, sourceLocation: sourceLocation)
        }
        let there = try listed(.volume).map(\.name) + listed(.index).map(\.name)
        #expect(Set(there) == named, sourceLocation: sourceLocation)
        #expect(try listed(.checkpoint).isEmpty, sourceLocation: sourceLocation)
    }
}

extension SplitMix64 {
    static func of(_ seed: UInt64, _ count: Int) -> [UInt8] {
        var random = SplitMix64(seed: seed)
        return random.bytes(count)
    }
}
