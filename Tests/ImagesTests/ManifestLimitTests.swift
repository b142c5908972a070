// Writer and reader have the same limits: what the writer lets through can be read, and what it cannot is never in an image.

import Cryptography
import Platform
import Testing

@testable import Images

@Suite struct ManifestLimitTests {
    private func group() throws -> GroupKeys {
        let secret = try StoreSecret.generate()
        return try secret.oldest.group(secret.oldest.groupID(named: "test"))
    }

    @Test("A chunk longer than its buffer is refused, and nothing beyond the buffer is written", arguments: [0, 1, 4])
    func encoder(excess: Int) throws {
        let encoder = try ChunkEncoder(group: group(), level: 3)
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: ChunkEncoder.capacity(for: Format.maximumChunkLength) + 64, alignment: 64)
        defer { room.deallocate() }
        room.initializeMemory(as: UInt8.self, repeating: 0xa5)
        let output = UnsafeMutableRawBufferPointer(rebasing: room[..<(room.count - 64)])
        var random = SplitMix64(seed: 5)
        let content =
            random.bytes(1 << 16) + [UInt8](repeating: 7, count: Format.maximumChunkLength - (1 << 16) + excess)
        try content.withUnsafeBytes { bytes in
            let id = try encoder.digest(of: bytes)
            if excess == 0 {
                #expect(try encoder.prepare(bytes, id: id, into: output) <= output.count)
            } else {
                #expect(throws: FormatError.self) { try encoder.prepare(bytes, id: id, into: output) }
            }
            let small = UnsafeMutableRawBufferPointer(rebasing: output[..<1000])
            #expect(throws: FormatError.self) { try encoder.prepare(bytes, id: id, into: small) }
        }
        #expect(room.suffix(64).allSatisfy { $0 == 0xa5 })
    }

    /// A piece with one entry in it, as the writer would make it.
    private func piece(_ change: (inout Entry) -> Void) -> [UInt8] {
        var entry = Entry()
        entry.name = Array("file".utf8)
        change(&entry)
        var bytes: [UInt8] = []
        bytes.append(record: .position, Position().encoded())
        bytes.append(record: .entry, entry.encoded())
        return bytes
    }

    @Test("No piece of a manifest is written that a reader would refuse")
    func pieces() throws {
        func attributes(_ count: Int) -> [ExtendedAttribute] {
            (0..<count).map {
                ExtendedAttribute(name: Array("user.\($0)".utf8), value: [UInt8](repeating: 1, count: 1 << 16))
            }
        }
        #expect(throws: Never.self) { try checkManifest(piece { _ in }) }
        #expect(throws: Never.self) { try checkManifest(piece { $0.attributes = attributes(47) }) }
        let refused: [(inout Entry) -> Void] = [
            { $0.attributes = attributes(48) }, { $0.attributes = attributes(60) }, { $0.attributes = attributes(100) },
            { $0.name = [UInt8](repeating: 0x61, count: 256) }, { $0.name = [] }, { $0.name = Array("a/b".utf8) },
            { $0.size = 1 << 63 }, { $0.modified.nanoseconds = 1_000_000_000 }, { $0.kind = .directory },
            {
                $0.kind = .symbolicLink
                $0.target = [UInt8](repeating: 0x61, count: Format.maximumTargetLength + 1)
            },
            {
                $0.kind = .symbolicLink
                $0.target = [0x61, 0, 0x62]
            },
        ]
        for (number, change) in refused.enumerated() {
            #expect(throws: ImageError.self, "case \(number)") { try checkManifest(piece(change)) }
        }
        var twice = piece { _ in }
        twice.append(record: .position, Position().encoded())
        #expect(throws: ImageError.self) { try checkManifest(twice) }
        var left = piece { _ in }
        left.append(record: .leave, [])
        #expect(throws: ImageError.self) { try checkManifest(left) }
        #expect(throws: ImageError.self) { try checkManifest(Array(piece { _ in }.dropFirst(5))) }
    }

    @Test("However long records are, each piece of a manifest fits into a chunk")
    func cutter() throws {
        var random = SplitMix64(seed: 9)
        var cutter = ManifestCutter()
        var longest = 0
        func emit(_ bytes: [UInt8]) throws {
            longest = max(longest, bytes.count)
            try checkManifest(bytes)
        }
        func add(_ kind: RecordKind, _ payload: [UInt8]) throws {
            var bytes: [UInt8] = []
            bytes.append(record: kind, payload)
            var reader = RecordReader(bytes)
            guard let item = try reader.next() else { return }
            try cutter.add(
                kind, bytes, record: item.record, payload: item.payload.position..<item.payload.end, emit: emit)
        }
        var folder = Entry()
        folder.kind = .directory
        // As long a path as there may be, which each piece repeats.
        for _ in 0..<(Format.maximumPathLength / 256) {
            folder.name = [UInt8](repeating: 0x64, count: 255)
            try add(.enter, folder.encoded())
        }
        for number in 0..<60 {
            var entry = Entry()
            entry.name = Array("\(number)".utf8)
            for index in 0..<Int.random(in: 0..<47, using: &random) {
                entry.attributes.append(
                    ExtendedAttribute(name: Array("user.\(index)".utf8), value: [UInt8](repeating: 2, count: 1 << 16)))
            }
            try add(.entry, entry.encoded())
        }
        try cutter.flush(emit)
        #expect(longest > 2 << 20 && longest <= Format.maximumChunkLength)
    }

    @Test("A walk cache that cannot be written, or ends before its end, costs time and no run")
    func cache() throws {
        let scratch = try Scratch()
        let tree = scratch.file("tree")
        try makeTree(tree)
        // More than the cache's buffer holds.
        run("/bin/bash", ["-c", "mkdir \(tree)/many; cd \(tree)/many; for i in {1..3000}; do echo $i > $i; done"])
        let store = try TestStore(scratch)
        try store.backup(tree, name: "one")
        // A device without room for the cache.
        let caches = store.machine.cacheFolder(of: try store.opened().id)
        run("/bin/rm", ["-rf", caches.description])
        try makeFolders(caches)
        run("/bin/mount", ["-t", "tmpfs", "-o", "size=4k", "none", caches.description])
        defer { run("/bin/umount", [caches.description]) }
        try writeNew(caches.appending("full"), [UInt8](repeating: 1, count: 4096))
        let report = try store.backup(tree, name: "two")
        #expect(report.findings == 0)
        try store.restore("two", to: scratch.file("restored"))
        try expectSameTree(tree, scratch.file("restored"))

        let path = scratch.file("walk")
        let writer = try WalkCacheWriter(path)
        var records: [UInt8] = []
        records.append(record: .source, [])
        for index in 10_000..<20_000 {
            var entry = Entry()
            entry.name = Array("\(index)".utf8)
            records.append(record: .entry, entry.encoded())
        }
        writer.append(records[...])
        try writer.finish(sparse: [])
        let reader = try #require(WalkCacheReader(path))
        #expect(reader.enterSource() != nil)
        try Descriptor.open(path, .write).truncate(to: 1000)
        #expect(reader.find(Array("19999".utf8)) == nil)
        #expect(reader.find(Array("20000".utf8)) == nil)
    }
}
