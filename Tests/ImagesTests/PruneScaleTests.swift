// How long a plan takes, and what memory: for a store that is made first, by another process.
//
//     HOLDFAST_PRUNE_SCALE=FOLDER HOLDFAST_PRUNE_ROOTS=100000 swift test --filter PruneScaleTests     twice

import Cryptography
import Glibc
import Platform
import Reporting
import Stores
import Testing

@testable import Images

private let folder = getenv("HOLDFAST_PRUNE_SCALE").map { String(cString: $0) }

@Suite(.enabled(if: folder != nil)) struct PruneScaleTests {
    private static let machines = getenv("HOLDFAST_PRUNE_MACHINES").flatMap { Int(String(cString: $0)) } ?? 100
    private static let volumesNamed = 30

    @Test("A hundred thousand images are planned within ten minutes and 200 MB")
    func plan() throws {
        let path = BytePath(folder ?? "").appending("store")
        let keyFile = BytePath(folder ?? "").appending("steward")
        guard exists(keyFile) else { return try make(path, keyFile) }
        // `Tests/Benchmarks/prune` measures the program with it.
        let machine = MachineState(
            state: BytePath(folder ?? "").appending("desk/state"), cache: BytePath(folder ?? "").appending("desk/cache")
        )
        let steward = try StewardKey(decoding: readWhole(keyFile, limit: 1 << 16))
        let before = try peak()
        let clock = ContinuousClock()
        let began = clock.now
        let store = try Store.open(path, for: .prune, credentials: Credentials(steward: steward), machine: machine)
        let plan = try store.planPrune(
            PruneSettings(tool: "test"), progress: Progress(), choose: PruneYard.keep(23))
        print(
            "\(plan.going.count) of \(plan.going.count + plan.staying.count) images go, \(plan.sum(\.stored)): "
                + "\(clock.now - began), peak \(try peak()) kB, before \(before) kB")
        #expect(plan.remarks.isEmpty)
    }

    private func peak() throws -> Int {
        let text = String(decoding: try readWhole(BytePath("/proc/self/status"), limit: 1 << 16), as: UTF8.self)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("VmHWM") })
        return try #require(Int(line.split(separator: " ")[1]))
    }

    /// Each image names the last volumes of its machine, two of them its own, and an index object for each two.
    private func make(_ path: BytePath, _ keyFile: BytePath) throws {
        let count = getenv("HOLDFAST_PRUNE_ROOTS").flatMap { Int(String(cString: $0)) } ?? 1000
        let scratch = try Scratch()
        let owner = try AgeIdentity.generate()
        let office = scratch.machine("office")
        _ = try Store.create(
            FolderStore(path), recipients: [.age(owner.recipient)], JoinRequest(group: "office", series: ["office/"]),
            machine: office)
        let store = try Store.open(
            path, for: .read, credentials: Credentials(identities: [owner]), machine: office)
        let secret = try #require(store.keyring.secret), rootKey = try #require(secret.rootKey)
        let now = Timestamp.now().seconds
        for number in 0..<Self.machines {
            let key = try WriterKey.issue(
                from: secret, rootKey: rootKey, group: "group \(number / 10)", writer: "machine \(number)",
                series: ["machine \(number)/"])
            var named = NamedObjects()
            func add(_ kind: ObjectName.Kind) throws -> VolumeReference {
                let reference = VolumeReference(
                    writer: key.writer, id: try .random(), digest: try sha256([1]), length: 8)
                let name = reference.name(kind, group: key.group.id)
                try makeFolders(path.appending(name.folder))
                try writeNew(path.appending(name.text), [UInt8](repeating: 0, count: 8))
                return reference
            }
            for sequence in 1...max(1, count / Self.machines) {
                named.volumes = try named.volumes.suffix(Self.volumesNamed - 2) + [add(.volume), add(.volume)]
                named.indexes = try named.indexes.suffix(Self.volumesNamed / 2 - 1) + [add(.index)]
                var label = ImageLabel()
                label.series = "machine \(number)/plc"
                label.sequence = UInt64(sequence)
                // A day apart, the newest now.
                label.storeTime = now - Int64(max(1, count / Self.machines) - sequence) * 86_400
                label.contentBytes = UInt64(1_000_000 + sequence * 1000)
                let id = try ObjectID.random()
                let bytes = try makeObject(.image, id: id, run: .random(), writer: key) {
                    try $0.append(.label, label.encoded())
                    try $0.append(.volumes, named.encoded())
                    try $0.append(.body, ImageBody().encoded())
                }.bytes
                let name = ObjectName(.image, group: key.group.id, writer: key.writer, id: id)
                try makeFolders(path.appending(name.folder))
                for copy in name.both { try writeNew(path.appending(copy), bytes) }
            }
        }
        try writeNew(keyFile, store.issueSteward(name: "desk").encoded())
    }
}
