// What a steward may state, and with what: its own key has the right to it, and opens no content.

import Cryptography
import Platform
import Reporting
import Stores
import TestSupport
import Testing

@testable import Images

@Suite struct StewardTests {
    private let plant: Plant
    private let reader: AgeIdentity
    private let steward: StewardKey
    private let a: MachineState
    private let image: BackupReport
    private let root: ImageRoot
    /// Where the steward sits.
    private let machine: MachineState

    /// A store with a steward, somebody who only reads, and a machine with one image.
    init() throws {
        plant = try Plant()
        reader = try AgeIdentity.generate()
        try plant.owned().add(.age(reader.recipient), governs: false)
        steward = try StewardKey(decoding: plant.owned().issueSteward(name: "steward").encoded())
        a = try plant.machine("a", group: "line")
        image = try plant.backup(plant.tree(), on: a)
        root = try plant.root(image.id)
        machine = plant.scratch.machine("steward")
    }

    private func opened(_ credentials: Credentials) throws -> Store {
        try plant.opened(machine, for: .verify, credentials)
    }

    private func verify(_ store: Store, readData: Bool) throws -> VerifyReport {
        try store.verify(image: nil, readData: readData, progress: Progress(), findings: Findings())
    }

    /// Cuts a volume of the image with file content.
    private func cutVolume() throws -> VolumeReference {
        let volume = try #require(
            try root.volumes.first {
                try plant.owned().volumeReader($0, group: root.name.group).header.type == .dataVolume
            })
        let name = volume.name(.volume, group: root.name.group).text
        try plant.overwrite(name, Array(readWhole(plant.file(name), limit: 1 << 28).dropLast(1000)))
        return volume
    }

    @Test("A steward finds what is damaged and marks it, and the next backup stores it again")
    func marks() throws {
        let store = try opened(Credentials(steward: steward))
        // Nothing is damaged, and nothing is to be stated.
        let sound = try verify(store, readData: false)
        #expect(sound.findings == 0 && sound.images == 1 && sound.volumes > 0)
        try store.mark(sound, tool: "test")
        #expect(try plant.owned().verdicts(group: root.name.group).isEmpty)
        #expect(throws: ImageError.stewardReadsNothing(store: plant.path.description)) {
            try verify(store, readData: true)
        }

        let volume = try cutVolume()
        let report = try verify(store, readData: false)
        #expect(report.damagedVolumes == [volume.id])
        try store.mark(report, tool: "test")
        #expect(try Store.damaged(plant.owned().verdicts(group: root.name.group)) == [volume.id])
        let again = try plant.backup(plant.tree(), on: a)
        #expect(again.label.newBytes > 0)
        #expect(try plant.restore(again.id.description).findings == 0)
    }

    @Test(
        "Who only reads, with a steward's key beside his own, lets others build on what he has read; neither does alone"
    )
    func shares() throws {
        let alone = try opened(Credentials(identities: [reader]))
        #expect(status { _ = try alone.share(verify(alone, readData: true), tool: "test") } == 4)
        let blind = try opened(Credentials(steward: steward))
        #expect(try blind.share(verify(blind, readData: false), tool: "test") == 0)
        let both = try opened(Credentials(identities: [reader], steward: steward))
        #expect(try both.share(verify(both, readData: true), tool: "test") == 1)
        let b = try plant.machine("b", group: "line")
        let built = try plant.backup(plant.tree(), on: b)
        #expect(built.label.newBytes == 0 && built.volumesOfOthers > 0)
    }

    @Test("In a new epoch a steward goes on; revoked it states nothing, and what it stated says nothing")
    func revoked() throws {
        let both = try opened(Credentials(identities: [reader], steward: steward))
        #expect(try both.share(verify(both, readData: true), tool: "test") == 1)
        let other = try AgeIdentity.generate()
        try plant.owned().add(.age(other.recipient), governs: false)
        try plant.owned().remove(recipient: other.recipient.string) { nil }
        let volume = try cutVolume()
        let later = try opened(Credentials(steward: steward))
        #expect(later.chain.newest.epoch == 2)
        try later.mark(verify(later, readData: false), tool: "test")
        #expect(try Store.damaged(plant.owned().verdicts(group: root.name.group)) == [volume.id])

        try plant.owned().revoke(writer: "steward", since: nil) { nil }
        #expect(try plant.owned().verdicts(group: root.name.group).isEmpty)
        let ended = try opened(Credentials(steward: steward))
        #expect(status { try ended.mark(verify(ended, readData: false), tool: "test") } == 4)
        let b = try plant.machine("b", group: "line")
        #expect(try plant.backup(plant.tree(), on: b).volumesOfOthers == 0)
    }
}
