// Keys that open a part of a store: what they do not open is said, and nothing older is taken for it.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct PartialKeyTests {
    private let plant: Plant
    private let a: MachineState
    private let b: MachineState
    /// Removed after the first image of a.
    private let removed: Credentials
    private let old: BackupReport

    init() throws {
        plant = try Plant()
        let other = try AgeIdentity.generate()
        removed = Credentials(identities: [other])
        try plant.owned().add(.age(other.recipient), governs: false)
        a = try plant.machine("a", group: "line")
        b = try plant.machine("b", group: "line")
        old = try plant.backup(plant.tree(), on: a)
        try plant.owned().remove(recipient: other.recipient.string) { nil }
    }

    private func write(on machine: MachineState) throws -> BackupReport {
        try put(plant.scratch.file("tree/new"), [1, 2, 3])
        return try plant.backup(plant.scratch.file("tree"), on: machine)
    }

    @Test(
        "The latest image is refused where the keys at hand do not open one that may be newer; an id takes the older one"
    )
    func latest() throws {
        let stranger = plant.scratch.machine("stranger")
        _ = try write(on: b)
        // Another machine's images are of another series: its certificate says so.
        for machine in [stranger, b] {
            let store = try plant.opened(machine, for: .read, removed)
            #expect(try store.find("latest", ImageFilter(series: "a/plc")).id == old.id)
        }
        let new = try write(on: a)
        for machine in [stranger, a, b] {
            let store = try plant.opened(machine, for: .read, removed)
            for read in [
                { _ = try store.imageReader("latest", ImageFilter(series: "a/plc")) },
                {
                    _ = try store.export(
                        image: "latest", ImageFilter(series: "a/plc"), to: -1, progress: Progress(),
                        findings: Findings())
                },
            ] as [() throws -> Void] {
                #expect {
                    try read()
                } throws: {
                    "\($0)".contains("\(new.id.short), which may be newer than \(old.id.short)")
                        && explained($0).exitStatus == 4
                }
            }
            #expect(try store.find(old.id.description).id == old.id)
        }
        #expect(try plant.owned().find("latest", ImageFilter(series: "a/plc")).id == new.id)
    }

    @Test("A verification counts the images that the keys at hand do not open, and calls nothing of them damaged")
    func verify() throws {
        _ = try write(on: a)
        for machine in [plant.scratch.machine("stranger"), a] {
            for readData in [false, true] {
                let findings = Findings()
                let report = try plant.opened(machine, for: .read, removed).verify(
                    image: nil, readData: readData, progress: Progress(), findings: findings)
                #expect(report.unopenedImages == 1 && findings.count == 1 && report.images == 1)
                #expect(report.damagedVolumes.isEmpty && report.whole.map(\.id) == [old.id])
            }
        }
        #expect(try plant.verify().unopenedImages == 0)
        #expect(try plant.verify().findings == 0)
    }

    @Test("A copy of all images into another store names those that the keys at hand do not open")
    func copy() throws {
        _ = try write(on: a)
        let other = try TestStore(plant.scratch, "other")
        let findings = Findings()
        let report = try plant.opened(a, for: .read, removed).copy(
            images: [], to: Store.open(other.path, for: .write, credentials: Credentials(), machine: other.machine),
            progress: Progress(), findings: findings)
        #expect(report.images == 1 && findings.count == 1)
    }

    @Test("A single file from before a change of keys is read with a note, and with status 0")
    func singleFile() throws {
        let file = plant.scratch.file("image.hf")
        _ = try plant.owned().copy(
            image: old.id.description, to: .file(file, partLength: nil), progress: Progress(), findings: Findings())
        try plant.owned().add(.age(AgeIdentity.generate().recipient), governs: false)
        _ = try plant.owned()
        let said = Said()
        let findings = Findings { said.findings.append($0) }
        let report = try SingleFile.verify(
            file, credentials: plant.credentials, machine: plant.office, progress: Progress(), findings: findings)
        #expect(report.findings == 0 && findings.count == 0 && said.findings.map(\.kind) == [.note])
        let images = try SingleFile.images(
            file, credentials: plant.credentials, machine: plant.office, progress: Progress(), findings: findings)
        #expect(images.allSatisfy { !$0.isDamaged } && findings.count == 0)
        // Into a store, too.
        let other = try TestStore(plant.scratch, "other")
        _ = try SingleFile.copy(
            file, credentials: plant.credentials,
            to: Store.open(other.path, for: .write, credentials: Credentials(), machine: other.machine),
            progress: Progress(), findings: findings)
        #expect(findings.count == 0)
    }

    private final class Said: @unchecked Sendable { var findings: [Finding] = [] }
}
