// Objects beside a torn first copy: where nothing can be removed a copy puts the whole one there, and every reader takes it from there.

import Cryptography
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite struct SecondCopyTests {
    private let plant: Plant
    private let a: MachineState
    private let image: BackupReport
    private let root: ImageRoot
    private let replica: BytePath

    /// A store with an image that is a seed, and its replica.
    init() throws {
        plant = try Plant()
        a = try plant.machine("a", group: "line")
        image = try plant.backup(plant.tree(), on: a)
        #expect(try plant.owned().share(plant.verify(), tool: "test") == 1)
        root = try plant.root(image.id)
        replica = plant.scratch.file("replica")
        #expect(try copy(from: plant.path, to: replica, removable: true) == 0)
    }

    /// - Returns: the number of findings.
    private func copy(from source: BytePath, to target: BytePath, removable: Bool) throws -> UInt64 {
        let findings = Findings()
        let objects = WatchedStore(FolderStore(target)) { verb, name throws(StoreError) in
            if verb == .remove, !removable { throw StoreError(.refused, "remove", name) }
        }
        _ = try Store.replicate(
            FolderStore(source), to: objects, images: [], credentials: Credentials(), machine: plant.office,
            progress: Progress(), findings: findings)
        return findings.count
    }

    private func restored(from path: BytePath) throws -> UInt64 {
        let store = try Store.open(path, for: .read, credentials: plant.credentials, machine: plant.office)
        let target = plant.scratch.file("restored")
        run("/bin/rm", ["-rf", target.description])
        let report = try Images.restore(
            store.imageReader(image.id.description), RestoreRequest(target: target), progress: Progress(),
            findings: Findings())
        try expectSameTree(target, plant.scratch.file("tree"))
        return report.findings
    }

    /// All objects below a folder of the store that are first copies.
    private func firsts(_ folder: String) throws -> [String] {
        try FolderStore(plant.path).list(folder).map(\.name).filter { !ObjectName.isSecond($0) }
    }

    private func isData(_ name: String) throws -> Bool {
        let reader = try plant.owned().smallReader(#require(ObjectName(name)))
        return reader.header.type == .dataVolume
    }

    @Test("Where nothing can be removed, the whole object goes beside a torn one, and all is read from there")
    func beside() throws {
        let torn = try ["v", "x", "a", "i", "e"].flatMap(firsts) + firsts("k").filter { $0.hasSuffix(".age") }
        var added: [String] = []
        for (number, name) in torn.enumerated() {
            let path = replica.appending(name)
            let bytes = try readWhole(path, limit: 1 << 26)
            // By its length, or with its length and without its end, as file systems leave what was not written.
            let half = Array(bytes.prefix(bytes.count / 2))
            let isLong = number.isMultiple(of: 2) && ObjectName(name) != nil
            try put(path, isLong ? half + [UInt8](repeating: 0, count: bytes.count - half.count) : half)
            if !exists(replica.appending(name + ".2")) { added.append(name) }
        }
        #expect(try Set(added) == Set(firsts("x") + firsts("a") + firsts("v").filter(isData)))
        #expect(try copy(from: plant.path, to: replica, removable: false) == 0)
        for name in torn {
            let whole = try readWhole(plant.file(name), limit: 1 << 26)
            #expect(try readWhole(replica.appending(name + ".2"), limit: 1 << 26) == whole, "\(name)")
            #expect(try readWhole(replica.appending(name), limit: 1 << 26) != whole, "\(name)")
        }
        #expect(try restored(from: replica) == 0)
        // It is done once.
        let before = try look(at: replica)
        #expect(try copy(from: plant.path, to: replica, removable: false) == 0)
        #expect(try look(at: replica) == before)
        // A seed is one: its verdict is read, its index object and its volumes are there.
        let b = try plant.machine("b", group: "line")
        #expect(try copy(from: plant.path, to: replica, removable: false) == 0)
        let built = try Store.open(replica, for: .write, credentials: Credentials(), machine: b).backup(
            BackupRequest(sources: [plant.scratch.file("tree")], name: "plc"), progress: Progress(),
            findings: Findings())
        #expect(built.label.newBytes == 0 && built.volumesOfOthers > 0)
        // Whoever copies on from here has each whole, and nothing beside it.
        let third = plant.scratch.file("third")
        #expect(try copy(from: replica, to: third, removable: true) == 0)
        #expect(try restored(from: third) == 0)
        for name in torn {
            #expect(
                try readWhole(third.appending(name), limit: 1 << 26) == readWhole(plant.file(name), limit: 1 << 26))
            #expect(exists(third.appending(name + ".2")) == !added.contains(name), "\(name)")
        }
    }

    @Test("Of what has one copy by its kind nothing is damaged where the second stands for a torn first one")
    func verified() throws {
        for name in try firsts("v").filter(isData) + firsts("x") + firsts("a") {
            let bytes = try readWhole(plant.file(name), limit: 1 << 26)
            try plant.overwrite(name + ".2", bytes)
            try plant.overwrite(name, Array(bytes.prefix(bytes.count / 2)))
        }
        let report = try plant.verify()
        #expect(report.findings == 0 && report.damagedVolumes.isEmpty && report.chunks > 0)
        // Neither copy is whole: named.
        for name in try firsts("v").filter(isData) { try plant.overwrite(name + ".2", [1, 2, 3]) }
        #expect(try plant.verify().findings > 0)
    }

    @Test(
        "An index object of which the first copy is lost or torn is read from the second, without a look into any volume"
    )
    func indexObject() throws {
        for reference in root.named.indexes {
            let name = reference.name(.index, group: root.name.group)
            let bytes = try readWhole(plant.file(name.text), limit: 1 << 26)
            for torn in [nil, Array(bytes.prefix(700)), Array(bytes.dropLast(64)) + [UInt8](repeating: 0, count: 64)] {
                try plant.overwrite(name.second, bytes)
                if exists(plant.file(name.text)) { try removeFile(plant.file(name.text)) }
                if let torn { try plant.overwrite(name.text, torn) }
                let opened = try plant.owned()
                let volumes = try FolderStore(plant.path).list("v").map(\.name)
                // Nothing of them could be read.
                for volume in volumes {
                    try renameFile(plant.file(volume), to: plant.file(volume + ".away"), durably: false)
                }
                var parts = 0
                _ = try opened.forEachIndexPart(of: reference, group: root.name.group) { _ in parts += 1 }
                #expect(parts == root.volumes.count)
                for volume in volumes {
                    try renameFile(plant.file(volume + ".away"), to: plant.file(volume), durably: false)
                }
            }
        }
        #expect(try plant.restore(image.id.description).findings == 0)
    }

    @Test("What is torn and can be neither removed nor put beside is named")
    func named() throws {
        let key = try plant.key(of: a)
        let parcel = try #require(try firsts("k").first { $0.hasSuffix("\(key.writer)") })
        let bytes = try readWhole(replica.appending(parcel), limit: 1 << 16)
        try put(replica.appending(parcel), Array(bytes.prefix(40)))
        #expect(try copy(from: plant.path, to: replica, removable: false) == 1)
        #expect(try copy(from: plant.path, to: replica, removable: true) == 0)
        #expect(try readWhole(replica.appending(parcel), limit: 1 << 16) == bytes)
    }

    @Test(
        "What another copy puts into the same replica meanwhile is there; where that one was cut off, it is made whole"
    )
    func simultaneous() throws {
        let (path, source) = (plant.scratch.file("shared"), plant.path)
        for isSame in [false, true] {
            run("/bin/rm", ["-rf", path.description])
            let isOver = Atomic(false)
            let target = WatchedStore(FolderStore(path)) { verb, name throws(StoreError) in
                guard verb == .create, name.hasPrefix("v/") || name.hasPrefix("i/") && isSame,
                    isSame || !isOver.exchange(true, ordering: .relaxed)
                else { return }
                #expect(throws: Never.self) {
                    let bytes = try readWhole(source.appending(name), limit: 1 << 26)
                    try put(path.appending(name), isSame ? bytes : Array(bytes.prefix(bytes.count / 2)))
                }
            }
            let findings = Findings()
            let refused = status {
                _ = try Store.replicate(
                    FolderStore(source), to: target, images: [], credentials: Credentials(), machine: plant.office,
                    progress: Progress(), findings: findings)
            }
            #expect(refused == nil && findings.count == 0)
            #expect(try restored(from: path) == 0)
        }
    }
}
