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
        on machine: MachineState, _ credentials: Credentials = Credentials()
    ) throws -> (findings: [Finding], report: CopyReport) {
        let said = Said()
        let report = try Store.replicate(
            FolderStore(plant.path), to: FolderStore(replica), images: [], credentials: credentials, machine: machine,
            progress: Progress(), findings: Findings { said.findings.append($0) })
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
}
