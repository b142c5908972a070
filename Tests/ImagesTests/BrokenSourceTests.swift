// A store that lacks something, copied: whoever keeps the replica is told.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct BrokenSourceTests {
    private let plant: Plant
    private let a: MachineState
    private let root: ImageRoot
    private let replica: BytePath

    init() throws {
        plant = try Plant()
        a = try plant.machine("a", group: "line")
        root = try plant.root(plant.backup(plant.tree(), on: a).id)
        replica = plant.scratch.file("replica")
    }

    private final class Said: @unchecked Sendable { var findings: [Finding] = [] }

    private func replicate(
        on machine: MachineState, _ credentials: Credentials = Credentials(), readData: Bool = false
    ) throws -> (findings: [Finding], report: CopyReport) {
        let said = Said()
        let report = try Store.replicate(
            FolderStore(plant.path), to: FolderStore(replica), images: [], readData: readData, credentials: credentials,
            machine: machine, progress: Progress(), findings: Findings { said.findings.append($0) })
        return (said.findings, report)
    }

    private func data() throws -> VolumeReference {
        try #require(
            root.volumes.first { !exists(plant.file($0.name(.volume, group: root.name.group).second)) })
    }

    @Test("A volume that is missing is named where a key at hand opens the images; else it is said that nobody looked")
    func missing() throws {
        let name = try data().name(.volume, group: root.name.group).text
        try removeFile(plant.file(name))
        // The second time as well.
        for _ in 0..<2 {
            for (machine, credentials) in [
                (a, Credentials()), (plant.scratch.machine("stranger"), plant.credentials),
            ] {
                let (findings, report) = try replicate(on: machine, credentials)
                #expect(findings.map(\.subject) == [name] && findings.allSatisfy { $0.reason.contains("missing") })
                #expect(report.uncheckedImages == 0)
            }
        }
        let (findings, report) = try replicate(on: plant.scratch.machine("another"))
        #expect(findings.isEmpty && report.uncheckedImages == 1)
    }

    @Test("An object that is torn in the source, with no whole copy, is named with a key and without one")
    func torn() throws {
        let name = try data().name(.volume, group: root.name.group).text
        let whole = try readWhole(plant.file(name), limit: 1 << 26)
        try plant.overwrite(name, Array(whole.dropLast(1000)))
        for _ in 0..<2 {
            for machine in [a, plant.scratch.machine("stranger")] {
                let (findings, _) = try replicate(on: machine)
                #expect(findings.map(\.subject) == [name] && findings.allSatisfy { $0.reason.contains("torn") })
            }
        }
        // A good source mends it.
        try plant.overwrite(name, whole)
        #expect(try replicate(on: a).findings.isEmpty)
        #expect(try readWhole(replica.appending(name), limit: 1 << 26) == whole)
    }

    @Test("Of two copies the torn one is not copied, whichever it is", arguments: [0, 1])
    func tornCopy(which: Int) throws {
        for folder in ["v", "i", "k", "e"] {
            for second in try FolderStore(plant.path).list(folder).map(\.name) where ObjectName.isSecond(second) {
                let first = String(ObjectName.withoutSecond(second))
                let name = which == 0 ? first : second
                try plant.overwrite(name, Array(readWhole(plant.file(name), limit: 1 << 26).dropLast(20)))
            }
        }
        #expect(try replicate(on: a).findings.isEmpty)
        let store = try Store.open(replica, for: .read, credentials: plant.credentials, machine: plant.office)
        let report = try store.verify(image: nil, readData: true, progress: Progress(), findings: Findings())
        #expect(report.findings == 0 && report.images == 1)
    }

    @Test("An image of which both copies are torn is named, since it is not copied")
    func tornRoot() throws {
        for name in root.name.both {
            try plant.overwrite(name, Array(readWhole(plant.file(name), limit: 1 << 20).dropLast(9)))
        }
        let (findings, report) = try replicate(on: plant.scratch.machine("stranger"))
        #expect(findings.map(\.subject) == [root.name.text] && report.images == 0)
    }

    @Test("What a run left that was cut off is a note where a key tells that no image needs it")
    func leftover() throws {
        let name = "v/\(root.name.group)/\(root.name.writer)/\(try ObjectID.random())"
        try plant.overwrite(name, Array("HOLDFAST".utf8) + [UInt8](repeating: 0, count: 500))
        #expect(try replicate(on: a).findings.map(\.kind) == [.note])
        #expect(try replicate(on: plant.scratch.machine("stranger")).findings.map(\.kind) == [.damaged])
    }

    @Test("What is damaged in a replica is made anew by a copy that reads it; what no key can judge stays and is named")
    func flippedByte() throws {
        _ = try replicate(on: plant.office)
        for name in try ["v", "x", "i"].flatMap({ try FolderStore(plant.path).list($0) }).map(\.name) {
            let whole = try readWhole(plant.file(name), limit: 1 << 26)
            var bytes = whole
            bytes[bytes.count / 2] ^= 1
            try put(replica.appending(name), bytes)
            let isLong = bytes.count > 64 << 10
            let stranger = plant.scratch.machine("stranger")
            let (named, _) = try replicate(on: stranger, readData: true)
            #expect(named.map(\.subject) == [name] && named.allSatisfy { $0.kind == .damaged }, "\(named)")
            #expect(try readWhole(replica.appending(name), limit: 1 << 26) == bytes)
            if isLong { #expect(try replicate(on: stranger, plant.credentials).findings.isEmpty) }
            // It is the source that is damaged: the replica stays.
            try plant.overwrite(name, bytes)
            try put(replica.appending(name), whole)
            #expect(
                try replicate(on: plant.office, plant.credentials, readData: true).findings.map(\.kind) == [.damaged])
            #expect(try readWhole(replica.appending(name), limit: 1 << 26) == whole)
            try plant.overwrite(name, whole)
            try put(replica.appending(name), bytes)
            let (mended, _) = try replicate(on: plant.office, plant.credentials, readData: true)
            #expect(mended.map(\.kind) == [.note] && mended.map(\.subject) == [name], "\(mended)")
        }
        try expectSameObjects()
    }

    @Test("A damaged file of keys, records or headers in a replica is made anew from the store that has it whole")
    func flippedKeys() throws {
        _ = try replicate(on: plant.office)
        let files = try ["k", "e"].flatMap { try FolderStore(plant.path).list($0) }.map(\.name)
        for name in ["HOLDFAST", "HOLDFAST.2"] + files {
            let whole = try readWhole(plant.file(name), limit: 1 << 16)
            var bytes = whole
            bytes[bytes.count / 2] ^= 1
            try put(replica.appending(name), bytes)
            let (findings, _) = try replicate(on: plant.office, plant.credentials)
            #expect(findings.allSatisfy { $0.kind == .note }, "\(findings)")
            #expect(try readWhole(replica.appending(name), limit: 1 << 16) == whole, "\(name)")
        }
    }

    @Test("What is no file in the place of an object costs that object alone, and is named")
    func noFile() throws {
        func names(_ path: BytePath) throws -> [String] {
            try ["k", "e", "v", "x", "i"].flatMap { try FolderStore(path).list($0) }.map(\.name)
        }
        let all = try names(plant.path)
        for folder in ["k/", "e/", "v/", "x/", "i/"] {
            let name = try #require(all.first { $0.hasPrefix(folder) })
            run("/bin/rm", ["-rf", replica.description])
            try makeFolders(replica.appending(name))
            let (findings, _) = try replicate(on: plant.office)
            #expect(Set(findings.map(\.subject)) == [name])
            #expect(try Set(all).subtracting(names(replica)) == [name])
        }
    }

    /// A store of which one object lies on bad sectors.
    private final class BadStore: ForwardingStore, @unchecked Sendable {
        private let bad: String
        private let reason: StoreError.Reason

        init(_ store: any ObjectStore, _ bad: String, _ reason: StoreError.Reason = .failed) {
            self.bad = bad
            self.reason = reason
            super.init(store)
        }

        override func around<R>(
            _ call: StoreCall, _ body: () throws(StoreError) -> R
        ) throws(StoreError) -> R {
            if call.verb == .read, call.name == bad { throw StoreError(reason, "read", bad, "as the test wants it") }
            return try body()
        }
    }

    private func expectSameObjects() throws {
        for folder in ["k", "e", "v", "x", "i"] {
            let (source, copy) = (FolderStore(plant.path), FolderStore(replica))
            // Each has times of its own.
            #expect(
                try source.list(folder).map { "\($0.name) \($0.length)" }
                    == copy.list(folder).map { "\($0.name) \($0.length)" })
            for object in try source.list(folder) {
                let isSame = try source.read(object.name, limit: 1 << 26) == copy.read(object.name, limit: 1 << 26)
                #expect(isSame, "\(object.name)")
            }
        }
    }

    @Test(
        "An object that cannot be read, in the source or in the target, costs that object, is named, and ends nothing")
    func badSectors() throws {
        let all = try ["k", "e", "v", "x", "i"].flatMap { try FolderStore(plant.path).list($0) }.map(\.name)
        let source = FolderStore(plant.path)
        for bad in all {
            run("/bin/rm", ["-rf", replica.description])
            let said = Said()
            let findings = Findings { said.findings.append($0) }
            func copy(_ source: any ObjectStore, _ target: any ObjectStore) throws {
                _ = try Store.replicate(
                    source, to: target, images: [], credentials: plant.credentials, machine: plant.office,
                    progress: Progress(), findings: findings)
            }
            try copy(BadStore(source, bad), FolderStore(replica))
            let hasOther = all.contains(bad + ".2") || ObjectName.isSecond(bad)
            let copied = try ["k", "e", "v", "x", "i"].flatMap { try FolderStore(replica).list($0) }.map(\.name)
            #expect(Set(all).subtracting(copied) == (hasOther ? [] : [bad]), "\(bad)")
            #expect(said.findings.isEmpty == hasOther && said.findings.allSatisfy { $0.subject == bad }, "\(bad)")
            // Read again, it is brought.
            said.findings = []
            try copy(source, FolderStore(replica))
            #expect(said.findings.isEmpty, "\(bad)")
            try expectSameObjects()
            // The target's own: what is there stays.
            try copy(source, BadStore(FolderStore(replica), bad))
            #expect(said.findings.map(\.subject) == [bad], "\(bad)")
            try expectSameObjects()
        }
    }

    @Test(
        "One copy that cannot be read costs nothing where there is another: the store opens, lists, restores, and takes images"
    )
    func oneCopy() throws {
        let all =
            try ["HOLDFAST", "HOLDFAST.2"]
            + ["k", "e", "v", "x", "i"].flatMap { try FolderStore(plant.path).list($0) }.map(\.name)
        let pairs = all.filter { all.contains($0 + ".2") }
        #expect(pairs.count >= 4)
        for bad in (pairs + pairs.map { $0 + ".2" }) {
            let objects = BadStore(FolderStore(plant.path), bad)
            let store = try Store.open(objects, for: .read, credentials: plant.credentials, machine: plant.office)
            #expect(try store.images().filter(\.counts).count == 1, "\(bad)")
            let target = plant.scratch.file("target")
            let report = try restore(
                store.imageReader(root.id.description), RestoreRequest(target: target), progress: Progress(),
                findings: Findings())
            #expect(report.findings == 0, "\(bad)")
            try expectSameTree(target, plant.scratch.file("tree"))
            run("/bin/rm", ["-rf", target.description])
        }
        for bad in pairs {
            let objects = BadStore(FolderStore(plant.path), bad)
            let store = try Store.open(objects, for: .write, credentials: Credentials(), machine: a)
            let report = try store.backup(
                BackupRequest(sources: [plant.scratch.file("tree")], name: "plc"), progress: Progress(),
                findings: Findings())
            #expect(report.label.newBytes == 0, "\(bad)")
        }
    }

    @Test("A volume that somebody has no right to read is named, and is no damaged one", arguments: [true, false])
    func refused(isRefused: Bool) throws {
        let name = try data().name(.volume, group: root.name.group).text
        let store = try Store.open(
            BadStore(FolderStore(plant.path), name, isRefused ? .refused : .failed), for: .verify,
            credentials: plant.credentials, machine: plant.office)
        let report = try store.verify(image: nil, readData: true, progress: Progress(), findings: Findings())
        #expect(report.findings > 0 && report.damagedVolumes.isEmpty == isRefused)
    }

    @Test("A source that cannot be read at all ends the copy with one error")
    func gone() throws {
        final class Gone: ForwardingStore, @unchecked Sendable {
            override func around<R>(
                _ call: StoreCall, _ body: () throws(StoreError) -> R
            ) throws(StoreError) -> R {
                if call.verb == .read, call.name.hasPrefix("v/") { isGone = true }
                if isGone { throw StoreError(.failed, "read", call.name, "Input/output error") }
                return try body()
            }
            private var isGone = false
        }
        let findings = Findings()
        let error = try #require(throws: ImageError.self) {
            try Store.replicate(
                Gone(FolderStore(plant.path)), to: FolderStore(replica), images: [], credentials: Credentials(),
                machine: a, progress: Progress(), findings: findings)
        }
        #expect(error.exitStatus == 1 && findings.count == 0)
    }
}
