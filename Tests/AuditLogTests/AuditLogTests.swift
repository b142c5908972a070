// The audit log as somebody with root on the machine would attack it, and as a power cut leaves it.

import AuditLog
import Cryptography
import Glibc
import Platform
import TestSupport
import Testing

/// A log in a scratch folder.
private final class Place {
    let log: AuditLog
    private let scratch: BytePath
    var file: BytePath { log.folder.appending("audit.jsonl") }
    var key: BytePath { log.folder.appending("key") }

    init(records: Int) throws {
        let digits = try SecureRandom.bytes(6).map { String($0, radix: 16) }.joined()
        scratch = BytePath("/tmp/holdfast-log-\(digits)")
        log = AuditLog(folder: scratch.appending("log"))
        try log.begin(verb: "setup")
        for number in 1..<max(1, records) {
            try log.append(AuditEvent(.result, verb: "create", arguments: ["point-\(number)"], status: 0))
        }
    }

    deinit { _ = system("chattr -R -f -a \(scratch); rm -rf \(scratch)") }

    func lines() throws -> [[UInt8]] {
        try readWhole(file, limit: 1 << 24).split(separator: 10).map { Array($0) }
    }

    /// Puts other lines, or other bytes, in the place of the log's.
    func put(_ lines: [[UInt8]]) throws { try put(Array(lines.map { $0 + [10] }.joined())) }
    func put(_ bytes: [UInt8]) throws {
        _ = system("chattr -f -a \(file)")
        try replaceFile(file, bytes, mode: 0o640)
    }

    func findings(_ anchors: [AuditAnchor] = []) throws -> [AuditFinding] { try log.verify(anchors: anchors).findings }
}

struct AuditLogTests {
    @Test("What was put on the log is on it, and the whole verifies")
    func sound() throws {
        let place = try Place(records: 20)
        let verification = try place.log.verify()
        #expect(verification.isSound && verification.notes.isEmpty, "\(verification)")
        #expect(verification.records == 20)
        #expect(try place.log.records().map(\.sequence) == Array(0..<20))
        #expect(try place.log.records().last?.arguments == ["point-19"])
        #expect(try place.log.head() == verification.head)
    }

    @Test("Every byte that is changed is found")
    func edits() throws {
        let place = try Place(records: 4)
        let bytes = try readWhole(place.file, limit: 1 << 20)
        for index in stride(from: 0, to: bytes.count, by: runsAll ? 1 : 7) {
            var changed = bytes
            changed[index] ^= 1
            try place.put(changed)
            try #require(!place.findings().isEmpty, "byte \(index)")
        }
    }

    @Test("Every record that is deleted, doubled or moved is found")
    func order() throws {
        let place = try Place(records: 7)
        let lines = try place.lines()
        for from in lines.indices {
            var without = lines
            let line = without.remove(at: from)
            try place.put(without)
            try #require(!place.findings().isEmpty, "without \(from)")
            for to in 0...without.count where to != from {
                var moved = without
                moved.insert(line, at: to)
                try place.put(moved)
                try #require(!place.findings().isEmpty, "\(from) moved to \(to)")
            }
            for to in 0...lines.count {
                var doubled = lines
                doubled.insert(line, at: to)
                try place.put(doubled)
                try #require(!place.findings().isEmpty, "\(from) again at \(to)")
            }
        }
    }

    @Test("A log that was cut at any byte is told from one whose last line is torn")
    func truncation() throws {
        let place = try Place(records: 4)
        let bytes = try readWhole(place.file, limit: 1 << 20)
        for length in runsAll
            ? Array(0..<bytes.count) : Array(stride(from: 0, to: bytes.count, by: 11)) + [bytes.count - 1]
        {
            try place.put(Array(bytes[..<length]))
            let found = try place.findings()
            try #require(
                found.contains { if case .truncated = $0 { true } else { false } }, "cut at \(length): \(found)")
        }
    }

    @Test("A last line that a power cut left torn is no finding, and the next record says so")
    func torn() throws {
        let place = try Place(records: 3)
        let whole = try readWhole(place.file, limit: 1 << 20)
        let key = try readWhole(place.key, limit: 4096)
        try place.log.append(AuditEvent(.intent, verb: "rollback", arguments: ["good"]))
        let more = try readWhole(place.file, limit: 1 << 20)
        let ends = [more.count - 2, more.count - 1]
        for length in runsAll
            ? Array(whole.count..<more.count) : Array(stride(from: whole.count, to: more.count, by: 7)) + ends
        {
            // The key moves on only once the line is durable.
            try place.put(Array(more[..<length]))
            try replaceFile(place.key, key)
            let before = try place.log.verify()
            try #require(before.isSound, "torn at \(length): \(before)")
            // One that lacks nothing but its end is whole.
            let isTorn = length > whole.count && length < more.count - 1
            try #require(before.notes.count == (isTorn ? 1 : 0), "torn at \(length)")
            try place.log.append(AuditEvent(.result, verb: "recover", status: 0))
            let after = try place.log.verify()
            try #require(
                after.isSound && after.records == (length == more.count - 1 ? 5 : 4),
                "torn at \(length), then written to: \(after)")
            try #require(after.notes == before.notes.map { _ in "a writer was interrupted before record 3" })
        }
    }

    @Test("Two cuts in a row, each while a record is written, anywhere, are told from tampering")
    func cutTwice() throws {
        let place = try Place(records: 3)
        let whole = try readWhole(place.file, limit: 1 << 20)
        let key = try readWhole(place.key, limit: 4096)
        try place.log.append(AuditEvent(.result, verb: "create"))
        let first = Array(try readWhole(place.file, limit: 1 << 20).dropFirst(whole.count))
        for one in stride(from: 1, to: first.count - 1, by: 97) {
            try place.put(whole + first[..<one])
            try replaceFile(place.key, key)
            try place.log.append(AuditEvent(.result, verb: "pin"))
            let second = Array(try readWhole(place.file, limit: 1 << 20).dropFirst(whole.count + one))
            for other in [1, 2, 50, second.count / 2, second.count - 1, second.count] {
                try place.put(whole + first[..<one] + second[..<other])
                try replaceFile(place.key, key)
                try #require(place.findings().isEmpty, "cut at \(one), then at \(other)")
                try place.log.append(AuditEvent(.result, verb: "unpin"))
                let verified = try place.log.verify()
                try #require(
                    verified.isSound && !verified.notes.isEmpty, "cut at \(one), then at \(other): \(verified)")
                #expect(try place.log.records().last?.verb == "unpin")
            }
        }
    }

    @Test("However long what it is told is, a record stays within its bounds, and the chain goes on")
    func bounded() throws {
        let place = try Place(records: 2)
        let long = String(repeating: "\u{1}", count: 120_000)
        let clusters = "e" + String(repeating: "\u{301}", count: 200_000)
        for arguments in [
            [long], [clusters], Array(repeating: "--tag", count: 100_000), Array(repeating: long, count: 50),
        ] {
            try place.log.append(
                AuditEvent(.intent, verb: "create", arguments: arguments, object: long, text: clusters))
            try place.log.append(AuditEvent(.result, verb: "create", status: 0))
        }
        let verification = try place.log.verify()
        #expect(verification.isSound && verification.notes.isEmpty && verification.records == 10, "\(verification)")
        #expect(try place.lines().allSatisfy { $0.count < 1 << 18 })
        #expect(try place.log.records().map(\.sequence) == Array(0..<10))
    }

    @Test("A file of the log that is gone does not end it without a word", arguments: ["origin", "key", "audit.jsonl"])
    func lostFile(name: String) throws {
        let place = try Place(records: 5)
        _ = system("chattr -f -a \(place.file); rm \(place.log.folder)/\(name)")
        #expect(place.log.isBegun)
        try place.log.begin(verb: "create")
        try place.log.append(AuditEvent(.result, verb: "create", status: 0))
        #expect(try place.log.records().last?.verb == "create")
        #expect(try !place.findings().isEmpty, "\(name)")
    }

    @Test("A crash between a record and its key costs nothing")
    func keyBehind() throws {
        let place = try Place(records: 3)
        let key = try readWhole(place.key, limit: 4096)
        try place.log.append(AuditEvent(.intent, verb: "rollback"))
        try replaceFile(place.key, key)
        #expect(try place.findings().isEmpty)
        try place.log.append(AuditEvent(.result, verb: "rollback", status: 0))
        let verification = try place.log.verify()
        #expect(verification.isSound && verification.records == 5)
    }

    @Test("Somebody with today's key can neither sign the past anew nor begin a log of his own")
    func resigning() throws {
        let place = try Place(records: 6)
        let lines = try place.lines()
        let key = try readWhole(place.key, limit: 4096)
        // Everything is cut off from the middle on, and written again with today's key as it is, and with a key of one's own.
        for cut in 1..<lines.count {
            for withKey in [true, false] {
                try place.put(Array(lines[..<cut]))
                if withKey { try replaceFile(place.key, key) } else { try removeFile(place.key) }
                for number in cut..<lines.count {
                    try place.log.append(AuditEvent(.result, verb: "create", arguments: ["false-\(number)"], status: 0))
                }
                try #require(!place.findings().isEmpty, "written anew from record \(cut)")
            }
        }
        // Another log of the same length in its place, with its key.
        let other = try Place(records: 6)
        try place.put(other.lines())
        try replaceFile(place.key, readWhole(other.key, limit: 4096))
        #expect(try place.findings().contains(.foreignKey(sequence: 0)))
    }

    @Test("A log and a key that were both put back are found by what was noted elsewhere")
    func anchors() throws {
        let place = try Place(records: 3)
        let (old, oldKey) = (try readWhole(place.file, limit: 1 << 20), try readWhole(place.key, limit: 4096))
        let anchor = try place.log.append(AuditEvent(.result, verb: "wipe", status: 0))
        #expect(try place.log.verify(anchors: [anchor]).anchors == 1)
        try place.put(old)
        try replaceFile(place.key, oldKey)
        #expect(try place.findings().isEmpty, "from here nobody can tell")
        #expect(try place.findings([anchor]) == [.anchorMissing(anchor)])
        let read = try #require(AuditAnchor(anchor.description))
        #expect(read == anchor)
        for text in ["", "1", "1:", "x:" + anchor.digest, "1:" + anchor.digest.dropLast(2)] {
            #expect(AuditAnchor(text) == nil, "\(text)")
        }
    }

    @Test("A lost key begins a new chain that names the break, and never stops the work")
    func lostKey() throws {
        let place = try Place(records: 3)
        try removeFile(place.key)
        #expect(try place.findings() == [.keyMissing])
        try place.log.append(AuditEvent(.result, verb: "create", status: 0))
        let verification = try place.log.verify()
        #expect(verification.findings == [.foreignKey(sequence: 3)])
        #expect(verification.notes == ["a new chain begins with record 3: the log's key was missing"])
        #expect(verification.records == 5)
    }

    @Test("The chain goes on through files that are put aside, and one of them that is gone is found")
    func rotation() throws {
        let place = try Place(records: 1)
        let long = [String](repeating: String(repeating: "x", count: 1000), count: 100)
        while try !DirectoryListing(of: Descriptor.open(place.log.folder, .directory)).containsAside {
            try place.log.append(AuditEvent(.result, verb: "create", arguments: long, status: 0))
        }
        try place.log.append(AuditEvent(.result, verb: "create", status: 0))
        let verification = try place.log.verify()
        #expect(verification.isSound, "\(verification.findings)")
        #expect(verification.records > 80)
        _ = system("chattr -f -a \(place.log.folder)/audit-*; rm \(place.log.folder)/audit-*.jsonl")
        #expect(try !place.findings().isEmpty)
    }

    @Test("Writers at once lose no record")
    func writersAtOnce() async throws {
        let place = try Place(records: 1)
        let log = place.log
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for number in 0..<25 {
                        try log.append(AuditEvent(.result, verb: "create", arguments: ["\(writer)-\(number)"]))
                    }
                }
            }
            try await group.waitForAll()
        }
        let verification = try log.verify()
        #expect(verification.isSound && verification.records == 101)
    }
}

extension DirectoryListing {
    fileprivate var containsAside: Bool { (0..<count).contains { self[$0].starts(with: Array("audit-".utf8)) } }
}

@Suite(.enabled(if: HostFacts.isRoot, "a file system of its own is mounted by root"))
struct FullLogTests {
    @Test(
        "A log on a disk that has no room for a whole record, or for none, is sound once there is room again",
        arguments: [0, 1, 2, 3], [true, false])
    func full(pages: Int, hasReserve: Bool) throws {
        let digits = try SecureRandom.bytes(6).map { String($0, radix: 16) }.joined()
        let scratch = BytePath("/tmp/holdfast-log-\(digits)")
        _ = system("mkdir \(scratch); mount -t tmpfs -o size=40m none \(scratch)")
        defer { _ = system("umount \(scratch); rmdir \(scratch)") }
        let log = AuditLog(folder: scratch.appending("log"))
        try log.begin(verb: "setup")
        try log.append(AuditEvent(.intent, verb: "create", arguments: ["one"]))
        try #require(exists(log.folder.appending("reserve")))
        if !hasReserve { try removeFile(log.folder.appending("reserve")) }
        _ = system(
            "dd if=/dev/zero of=\(scratch)/fill bs=4096 status=none 2>/dev/null; truncate -s -\(pages * 4096) \(scratch)/fill"
        )
        var refused = 0
        // Of all lengths, until nothing more goes in, and then some.
        for number in 0..<60 where refused < 4 {
            let arguments = (0...number % 9).map { String(repeating: "\($0)", count: 900) }
            do { try log.append(AuditEvent(.intent, verb: "create", arguments: arguments)) } catch { refused += 1 }
            #expect(try log.verify().findings == [], "\(number)")
            // Fills what the reserve has given back, too.
            _ = system("dd if=/dev/zero of=\(scratch)/fill-\(number) bs=4096 status=none 2>/dev/null")
        }
        #expect(refused == 4)
        _ = system("rm \(scratch)/fill*")
        for number in 0..<3 { try log.append(AuditEvent(.result, verb: "create", arguments: ["\(number)"], status: 0)) }
        let verification = try log.verify()
        #expect(verification.findings == [], "\(verification)")
        #expect(exists(log.folder.appending("reserve")))
    }

    @Test("What is no file in the place of the log's is refused, and nobody waits for it")
    func noFile() throws {
        let place = try Place(records: 1)
        _ = system("chattr -f -a \(place.file); rm \(place.file); mkfifo \(place.file)")
        #expect(throws: (any Error).self) { try place.log.append(AuditEvent(.result, verb: "create")) }
    }
}
