// A medium that gives a single file, but for some places of it.

import Cryptography
import Glibc
import Platform
import Reporting
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite(.serialized) struct BadSectorTests {
    private let scratch: Scratch
    private let identity: AgeIdentity
    private let file: BytePath
    private let bytes: [UInt8]
    private let tree: [[UInt8]: String]

    init() throws {
        scratch = try Scratch()
        var random = SplitMix64(seed: 11)
        let root = scratch.file("tree")
        for index in 0..<6 { try put(root.appending("file \(index)"), random.bytes(1_500_000)) }
        identity = try AgeIdentity.generate()
        file = scratch.file("image.hf")
        _ = try SingleFile.backup(
            BackupRequest(sources: [root], name: "test"), to: .file(file, partLength: nil),
            recipients: [.age(identity.recipient)], machine: scratch.machine(), progress: Progress(),
            findings: Findings())
        bytes = try readWhole(file, limit: 1 << 28)
        tree = try look(at: root)
    }

    private struct Outcome: Sendable {
        var status: Int32?
        var said: [String] = []
        var calls = 0
    }

    /// Restores while reads of some bytes of the file fail.
    private func restored(_ bad: @escaping (Range<UInt64>) -> CInt) -> Outcome {
        let outcome = Mutex(Outcome())
        let calls = stopping(at: ["read", "pread64"]) { call in
            guard call.path.hasSuffix("/image.hf"), let range = call.range else { return 0 }
            return bad(range)
        } during: { [file, identity, scratch] in
            do {
                _ = try restore(
                    SingleFile.imageReader(
                        file, credentials: Credentials(identities: [identity]), machine: scratch.machine()),
                    RestoreRequest(target: scratch.file("target")), progress: Progress(),
                    findings: Findings { finding in outcome.withLock { $0.said.append(finding.description) } })
            } catch { outcome.withLock { $0.status = explained(error).exitStatus } }
        }
        outcome.withLock { $0.calls = calls }
        return outcome.withLock { $0 }
    }

    @Test(
        "A bad sector in a single file costs what was in it, and is named with its place", arguments: [2, 100, 1500])
    func badSector(block: UInt64) throws {
        let sector = block * 4096..<(block + 1) * 4096
        let outcome = restored { $0.overlaps(sector) ? EIO : 0 }
        #expect(outcome.status == nil)
        #expect(
            outcome.said.contains { $0.contains("bytes \(sector.lowerBound) to \(sector.upperBound)") }, "\(outcome)")
        let there = try look(at: scratch.file("target"))
        #expect(there.allSatisfy { tree[$0.key] == $0.value })
        // At a border it may be in two.
        #expect(there.count >= tree.count - 2, "\(outcome)")
    }

    @Test("A medium of which much cannot be read is gone through soon, and what came stays")
    func manyBadSectors() throws {
        let most = UInt64(bytes.count / 4 * 3)
        let outcome = restored { $0.upperBound > most && $0.upperBound < UInt64(bytes.count) - 4096 ? EIO : 0 }
        #expect(outcome.status == nil && outcome.calls < 2000, "\(outcome)")
        #expect(try look(at: scratch.file("target")).count > 1)
    }

    @Test("A medium that is gone is one error and the end", arguments: [ENODEV, ENXIO, EIO])
    func gone(code: CInt) {
        let reads = Mutex(0)
        let outcome = restored { _ in
            reads.withLock { count in
                count += 1
                return count > 3 ? code : 0
            }
        }
        #expect(outcome.status == 1 && outcome.calls < 40, "\(outcome)")
    }
}
