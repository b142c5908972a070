// What is wrong is said: why an image that somebody names does not restore, and what lies in a store that is none of its own.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct NamedReasonTests {
    // MARK: Images that do not restore

    private func explanation(_ body: () throws -> Void) -> (any Explained)? {
        do {
            try body()
            return nil
        } catch { return explained(error) }
    }

    /// The root of an image with something changed in each copy, its header's checks made right again.
    private func change(_ plant: Plant, _ root: ImageRoot, _ change: (inout [UInt8]) throws -> Void) throws {
        for copy in root.name.both {
            var bytes = try readWhole(plant.file(copy), limit: 1 << 20)
            try change(&bytes)
            try plant.overwrite(copy, bytes)
        }
    }

    @Test("An image that needs what a newer version knows is said to be of one, whoever asks for it")
    func newerImage() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let root = try plant.root(plant.backup(plant.tree(), on: a).id)
        try change(plant, root) { bytes in
            for start in [0, bytes.count - Format.endLength] {
                bytes[start + 96] |= 4
                let check = try sha256(Array(bytes[start..<start + Format.headerCheckedLength])).bytes
                bytes.replaceSubrange(start + Format.headerCheckedLength..<start + Format.headerLength, with: check)
            }
        }
        run("/bin/rm", ["-rf", plant.scratch.file("office/cache").description])
        for name in [root.id.description, root.id.short] {
            for ask in [{ _ = try plant.restore($0) }, { _ = try plant.verify($0) }] as [(String) throws -> Void] {
                let error = try #require(explanation { try ask(name) })
                #expect(error.exitStatus == 1)
                #expect(error.sentence.contains("image \(root.id.short) was written by a newer version"), "\(error)")
            }
        }
        let listed = try #require(try plant.owned().images().first)
        #expect(listed.problem?.contains("newer version") == true)
    }

    @Test("An image whose label is damaged in both copies is said to have lost it")
    func damagedLabel() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let root = try plant.root(plant.backup(plant.tree(), on: a).id)
        let whole = try plant.owned().smallReader(root.name)
        let label = try #require(whole.scan().first { $0.kind == .label })
        var number = 0
        try change(plant, root) { bytes in
            number += 1
            bytes[Int(label.contentOffset) + 7 * number] ^= 1
        }
        // As one who has never seen it, and as one who had it in a list.
        for folder in ["office/cache", "none"] {
            run("/bin/rm", ["-rf", plant.scratch.file(folder).description])
            let error = try #require(explanation { _ = try plant.restore(root.id.description) })
            #expect(error.exitStatus == 3)
            #expect(
                error.sentence.contains("image \(root.id.short)")
                    && error.sentence.contains("its label is damaged in both copies"), "\(error)")
        }
        #expect(explanation { _ = try plant.restore("0123") }?.exitStatus == 2)
    }

    @Test("An image of keys that the identity at hand does not have is said to be so")
    func laterKeys() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let other = try AgeIdentity.generate()
        try plant.owned().add(.age(other.recipient), governs: false)
        try plant.owned().remove(recipient: other.recipient.string) { nil }
        let image = try plant.backup(plant.tree(), on: a)
        let error = try #require(
            explanation { _ = try plant.restore(image.id.description, as: Credentials(identities: [other])) })
        #expect(error.exitStatus == 1 && error.sentence.contains("written in epoch 2"), "\(error)")
    }

    // MARK: What a verification names

    private final class Said: @unchecked Sendable { var findings: [String] = [] }

    private func verified(_ plant: Plant) throws -> [String] { try verified(plant.owned(), as: plant.owner) }

    private func verified(_ store: Store, as identity: AgeIdentity) throws -> [String] {
        let said = Said()
        let report = try store.verify(
            image: nil, readData: false, identities: [identity], progress: Progress(),
            findings: Findings { said.findings.append($0.description) })
        #expect(report.findings == UInt64(said.findings.count))
        return said.findings
    }

    @Test("A verification names an image of which only the second copy is there, and makes no seed of it")
    func unfinished() throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        try plant.backup(plant.tree(), on: a)
        #expect(try verified(plant).isEmpty)
        let root = try plant.root(plant.backup(plant.tree(seed: 2), on: a).id)
        try removeFile(plant.file(root.name.text))
        let said = try verified(plant)
        #expect(said.count == 1 && said[0].contains("\(root.id)"), "\(said)")
        #expect(said[0].contains("ended before it was finished"), "\(said)")
        #expect(try plant.owned().share(plant.verify(), tool: "test") == 1)
    }

    @Test("A verification names records, key files and secrets that are none of the store's")
    func strangers() throws {
        let plant = try Plant()
        let store = try plant.owned()
        let newest = store.chain.newest
        let folder = try StoreName.keys(epoch: 1, sealing: newest.sealing)
        #expect(try verified(plant).isEmpty)

        let stranger = try SigningKey.generate()
        let record = try StoreRecord(
            after: nil, store: store.id, rootKey: stranger, epoch: 1, sealing: newest.sealing, time: 0, revoked: [],
            recipients: [])
        let secret = try StoreSecret.generate()
        let own = plant.owner.recipient
        let names = [
            StoreName.record(record), StoreName.record(newest) + "x", "e/notes.txt",
            "\(folder)/age1qqqq.age", "\(folder)/\(own.string).reader.age", "\(folder)/readme",
        ]
        for name in names {
            try plant.overwrite(name, name.hasPrefix("e/0") ? record.encoded : try secret.wrapped(for: .age(own)))
            let said = try verified(plant)
            #expect(said.count == 1 && said[0].hasPrefix(name + ":"), "\(name): \(said)")
            try removeFile(plant.file(name))
        }
        // A change of keys that was cut off leaves the same: it is counted, and no finding.
        let left = try StoreName.keys(epoch: 2, sealing: secret.newest.sealing.publicKey) + "/\(own.string).age"
        try plant.overwrite(left, secret.wrapped(for: .age(own)))
        #expect(try verified(plant).isEmpty)
        #expect(try plant.verify().strayKeyFiles == 1)
        // For its own recipient, in its own place, whole, and of somebody else's making.
        let name = "\(folder)/\(own.string).age"
        let genuine = try readWhole(plant.file(name + ".2"), limit: 1 << 16)
        try plant.overwrite(name + ".2", secret.wrapped(for: .age(own)))
        let said = try verified(plant)
        #expect(said.contains { $0.hasPrefix(name + ".2:") && $0.contains("not the one that the record") }, "\(said)")
        try plant.overwrite(name + ".2", genuine)
        #expect(try verified(plant).isEmpty)
        for copy in [name, name + ".2"] { try removeFile(plant.file(copy)) }
        #expect(try verified(store, as: plant.owner) == ["\(name): both copies are missing"])
        for copy in [name, name + ".2"] { try plant.overwrite(copy, genuine) }
        // So many that nobody wants to read all of them.
        for number in 0..<200 { try plant.overwrite("e/stray-\(number)", [1]) }
        #expect(try verified(plant).count == 21)
    }
}
