// Damage costs what it hit and nothing else, and is never silent.

import Cryptography
import Glibc
import Images
import Platform
import Reporting
import TestSupport
import Testing

/// Whether the long matrices are asked for: every place instead of a sample.

@Suite struct DamageTests {
    /// An image of some 32 KB in one file, and the tree in it.
    private struct Fixture {
        let scratch: Scratch
        let tree: [[UInt8]: String]
        let identity: AgeIdentity
        let bytes: [UInt8]

        init() throws {
            scratch = try Scratch()
            let root = scratch.file("tree")
            var random = SplitMix64(seed: 3)
            for index in 0..<12 { try put(root.appending("d\(index % 3)/f\(index)"), random.bytes(900 + index * 100)) }
            try put(root.appending("text"), Array(String(repeating: "a line of text\n", count: 400).utf8))
            tree = try look(at: root)
            identity = try AgeIdentity.generate()
            let file = scratch.file("image.hf")
            _ = try SingleFile.backup(
                BackupRequest(sources: [root], name: "test"), to: .file(file, partLength: nil),
                recipients: [.age(identity.recipient)], machine: scratch.machine(), progress: Progress(),
                findings: Findings())
            bytes = try readWhole(file, limit: 1 << 20)
        }

        /// Restores the damaged bytes and compares: whatever is there must be right, and whatever is not must have been named.
        func check(_ damaged: [UInt8], _ what: String) throws {
            let file = scratch.file("damaged.hf")
            let target = scratch.file("target")
            run("/bin/rm", ["-rf", target.description, file.description])
            try put(file, damaged)
            final class Named: @unchecked Sendable { var findings: [Finding] = [] }
            let named = Named()
            let findings = Findings { named.findings.append($0) }
            do {
                _ = try restore(
                    SingleFile.imageReader(
                        file, credentials: Credentials(identities: [identity]), machine: scratch.machine()),
                    RestoreRequest(target: target), progress: Progress(), findings: findings)
            } catch is ImageError {
                // Nothing could be read at all: said, and nothing wrong was written.
                guard exists(target) else { return }
            }
            let restored = exists(target) ? try look(at: target) : [:]
            for (path, text) in restored where text.hasPrefix("file") {
                try #require(
                    tree[path]?.hasSuffix(text.suffix(64)) == true, "\(what): wrong content in \(printable(path))")
            }
            let lost = tree.filter { $0.value.hasPrefix("file") && restored[$0.key] == nil }
            try #require(lost.isEmpty || !named.findings.isEmpty, "\(what): a loss was not named")
        }
    }

    @Test("One flipped byte anywhere in an image never restores a wrong byte, and every loss is named")
    func flippedBytes() throws {
        let fixture = try Fixture()
        #expect((16_000...48_000).contains(fixture.bytes.count))
        for offset in stride(from: 0, to: fixture.bytes.count, by: runsAll ? 1 : 97) {
            var bytes = fixture.bytes
            bytes[offset] ^= 0x41
            try fixture.check(bytes, "byte \(offset)")
        }
    }

    @Test("An image cut short anywhere restores what came, and says that its end is missing")
    func truncations() throws {
        let fixture = try Fixture()
        for length in stride(from: 0, to: fixture.bytes.count, by: runsAll ? 1 : 97) {
            try fixture.check(Array(fixture.bytes[..<length]), "length \(length)")
        }
    }

    @Test("One zeroed page anywhere in a store loses at most the files whose content was in it")
    func zeroedPages() throws {
        let scratch = try Scratch()
        let root = scratch.file("tree")
        var random = SplitMix64(seed: 5)
        for index in 0..<30 {
            try put(root.appending("d\(index % 3)/f\(index)"), random.bytes(3000 + index * 50))
        }
        try put(root.appending("large 1"), random.bytes(900_000))
        try put(root.appending("large 2"), random.bytes(700_000))
        let tree = try look(at: root)
        let store = try TestStore(scratch)
        try store.backup(root)
        var number = 0
        for file in try filesBelow(store.path) {
            let whole = try readWhole(file, limit: 1 << 26)
            let isData = whole.count > 500_000
            for page in stride(from: 0, to: max(1, whole.count), by: 4096) {
                number += 1
                if isData && !runsAll && number % 16 != 0 { continue }
                var damaged = whole
                for offset in page..<min(page + 4096, whole.count) { damaged[offset] = 0 }
                if damaged == whole { continue }
                try overwrite(file, damaged)
                let target = scratch.file("target")
                run("/bin/rm", ["-rf", target.description])
                let report = try store.restore(to: target)
                let restored = try look(at: target)
                for (path, text) in restored where text.hasPrefix("file") {
                    try #require(tree[path] == text, "\(file) page \(page): wrong content in \(printable(path))")
                }
                let lost = tree.keys.filter { restored[$0] == nil }.count
                try #require(isData || lost == 0, "\(file) page \(page): \(lost) lost")
                // The 30 small files share one chunk; a page at its border is also in a chunk of a large file.
                try #require(lost <= 31 && (lost == 0 || report.findings > 0), "\(file) page \(page): \(lost) lost")
                let verified = try store.verify()
                try #require(verified.findings > 0, "\(file) page \(page): verify saw nothing")
            }
            try overwrite(file, whole)
        }
        #expect(try store.verify().findings == 0)
    }

    @Test("Content that has vanished from the store is stored again by the next backup")
    func vanishedVolume() throws {
        let scratch = try Scratch()
        let root = scratch.file("tree")
        try makeTree(root)
        let store = try TestStore(scratch)
        settle()
        try store.backup(root)
        for file in try filesBelow(store.path.appending("v")) { try removeFile(file) }
        #expect(try store.verify().findings > 0)
        let second = try store.backup(root)
        #expect(second.label.newBytes > 0)
        #expect(try store.restore(second.id.description, to: scratch.file("restored")).findings == 0)
        try expectSameTree(scratch.file("restored"), root)
    }

    @Test("Damage that a verification marks is healed by the next backup of what is still there, once")
    func marked() throws {
        let scratch = try Scratch()
        let root = scratch.file("tree")
        try makeTree(root)
        let store = try TestStore(scratch)
        settle()
        try store.backup(root)
        for file in try filesBelow(store.path.appending("v")) where !file.description.hasSuffix(".2") {
            var bytes = try readWhole(file, limit: 1 << 26)
            bytes[bytes.count / 2] ^= 1
            try overwrite(file, bytes)
        }
        let found = try store.verify()
        #expect(found.findings > 0 && !found.damagedVolumes.isEmpty)
        #expect(try store.backup(root).label.newBytes == 0, "verification alone writes nothing")
        try store.opened().mark(found, tool: "test")
        let healed = try store.backup(root)
        #expect(healed.label.newBytes > 0)
        #expect(try store.restore(healed.id.description, to: scratch.file("restored")).findings == 0)
        try expectSameTree(scratch.file("restored"), root)
        settle()
        #expect(try store.backup(root).label.newBytes == 0)
        // As on a machine that has lost its cache.
        run("/bin/rm", ["-rf", scratch.file("machine/cache").description])
        #expect(try store.backup(root).label.newBytes == 0)
    }

    private func overwrite(_ path: BytePath, _ bytes: [UInt8]) throws {
        let file = try Descriptor.open(path, .write)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    }
}

/// All files below a folder.
func filesBelow(_ root: BytePath) throws -> [BytePath] {
    let folder = try Descriptor.open(root, .directory)
    let names = try DirectoryListing(of: folder)
    return try (0..<names.count).flatMap { index -> [BytePath] in
        let path = root.appending(names[index])
        return try folder.status(of: names[index]).kind == .directory ? try filesBelow(path) : [path]
    }
}
