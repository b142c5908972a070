// Single files that somebody has changed, or that come to a machine which knows their store.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct SingleFileTests {
    private let scratch: Scratch
    private let image: HostileImage
    private var file: BytePath { scratch.file("image.hf") }
    private var target: BytePath { scratch.file("target") }

    init() throws {
        scratch = try Scratch()
        image = try HostileImage()
    }

    /// An image of three batches with two files each.
    private func threeBatches() throws -> [UInt8] {
        image.records.source("/tree")
        image.records.enter("tree")
        for name in ["one", "two", "three"] {
            for part in ["a", "b"] { try image.file("\(name) \(part)", Array("\(name) \(part)".utf8)) }
            if name == "three" { image.records.leave() }
            try image.batch(name == "one" ? Position() : .inTree)
        }
        return try image.whole(sources: ["/tree"])
    }

    /// The objects of a file, in order.
    private func objects(_ bytes: [UInt8]) throws -> [[UInt8]] {
        var result: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let header = try ObjectHeader(decoding: Array(rest.prefix(Format.headerLength)), subject: "it")
            result.append(Array(rest.prefix(Int(header.length))))
            rest = rest.dropFirst(Int(header.length))
        }
        return result
    }

    private final class Said: @unchecked Sendable { var reasons: [String] = [] }

    /// Restores the file and says what came and what was said.
    private func restored(
        _ bytes: [UInt8], machine: MachineState? = nil
    ) throws -> (names: Set<String>, said: [String]) {
        run("/bin/rm", ["-rf", target.description])
        try put(file, bytes)
        let said = Said()
        _ = try restore(
            SingleFile.imageReader(file, credentials: image.credentials, machine: machine ?? scratch.machine()),
            RestoreRequest(target: target), progress: Progress(), findings: Findings { said.reasons.append($0.reason) })
        return (Set(try look(at: target).keys.map { String(decoding: $0, as: UTF8.self) }), said.reasons)
    }

    // MARK: Signatures

    @Test("Of a batch that is not what its writer has signed nothing is placed, and nothing of what comes after it")
    func forgedBatch() throws {
        var parts = try objects(threeBatches())
        #expect(parts.count == 7)
        // The last byte of the signature.
        parts[3][parts[3].count - Format.endLength - 1] ^= 1
        let (names, said) = try restored(parts.flatMap { $0 })
        #expect(names == ["one a", "one b"])
        #expect(said.contains { $0.contains("not what its writer has signed") })
    }

    @Test(
        "A batch whose directory is damaged is placed where all its chunks are whole, and said to be damaged",
        arguments: [2, 21])
    func damagedDirectory(place: Int) throws {
        var parts = try objects(threeBatches())
        let trailer = try ObjectTrailer(decoding: Array(parts[3].suffix(Format.trailerLength)))
        parts[3][Int(trailer.directory) + place] ^= 1
        let (names, said) = try restored(parts.flatMap { $0 })
        #expect(names.count == 6 && said.count == 1 && said[0].contains("directory"), "\(said)")
        // Somebody's signature is not the writer's because the directory is damaged.
        parts[3][parts[3].count - Format.endLength - 1] ^= 1
        let forged = try restored(parts.flatMap { $0 })
        #expect(forged.names == ["one a", "one b", "three a", "three b"])
    }

    @Test("A batch whose directory and a chunk are damaged is lost as a whole and named; the others are placed")
    func damagedBatch() throws {
        var parts = try objects(threeBatches())
        let trailer = try ObjectTrailer(decoding: Array(parts[3].suffix(Format.trailerLength)))
        for place in [trailer.directory + 21, trailer.directory / 2] { parts[3][Int(place)] ^= 1 }
        let (names, said) = try restored(parts.flatMap { $0 })
        #expect(names == ["one a", "one b", "three a", "three b"])
        #expect(said.contains { $0.contains("is lost") })
    }

    @Test("A chunk that is damaged, or the head of its frame, costs no other file of its batch", arguments: [20, 3])
    func damagedChunk(place: Int) throws {
        var parts = try objects(threeBatches())
        let reader = try ObjectReader([MemorySource(parts[3])], subject: "it", keyring: Keyring(chain: nil))
        let chunk = try #require(reader.scan().first { $0.kind == .data })
        parts[3][Int(chunk.offset) + place] ^= 1
        let (names, said) = try restored(parts.flatMap { $0 })
        // A head only says again what the directory says.
        let isHead = place < Format.frameHeadLength
        #expect(names.count == (isHead ? 6 : 5) && names.isSuperset(of: ["one a", "three b"]))
        #expect(said.isEmpty == isHead)
    }

    @Test("Keys that are damaged in both copies, at different places, open all the same")
    func damagedKeys() throws {
        var parts = try objects(threeBatches())
        let reader = try ObjectReader([MemorySource(parts[0])], subject: "it", keyring: Keyring(chain: nil))
        let frames = reader.scan()
        for (copy, kind) in [(0, FrameKind.storeHeader), (1, .record), (0, .keyFile), (1, .label)] {
            let frame = try #require(frames.first { $0.kind == kind })
            parts[copy][Int(frame.contentOffset) + 40] ^= 1
        }
        let (names, said) = try restored(parts.flatMap { $0 })
        #expect(names.count == 6 && said.isEmpty, "\(said)")
    }

    // MARK: Where things go

    @Test("An entry before any source record is placed nowhere", arguments: [["/tree"], ["/tree", "/other"]])
    func noSource(sources: [String]) throws {
        try image.file("early", Array("early".utf8))
        try image.batch(Position())
        image.records.enter("tree")
        try image.file("planted", Array("planted".utf8))
        image.records.leave()
        try image.batch(Position())
        image.records.source("/tree")
        image.records.enter("tree")
        try image.file("late", Array("late".utf8))
        image.records.leave()
        try image.batch(Position())
        let bytes = try image.whole(sources: sources.map { BytePath($0) })
        let (names, said) = try restored(bytes)
        #expect(names == (sources.count == 1 ? ["late"] : ["tree", "tree/late"]))
        #expect(said.contains { $0.contains("before its source") })
    }

    // MARK: What is known of its store

    @Test("A file of a store that has gone on since is read and said to be behind; one of another past is refused")
    func rememberedStore() throws {
        let bytes = try threeBatches()
        let machine = scratch.machine("joined")
        let next = try StoreRecord(
            after: image.record, store: image.record.store, rootKey: image.rootKey, epoch: 1,
            sealing: image.record.sealing, time: 1, revoked: [], recipients: image.record.recipients)
        let known = try RecordChain(
            [image.record, next], store: image.record.store, first: image.rootKey.verifyingKey,
            root: image.rootKey.verifyingKey, subject: "it")
        try machine.remember(image.record.store) { $0.see(known) }
        // Reading does not make anybody forget.
        for _ in 0..<2 {
            let (names, said) = try restored(bytes, machine: machine)
            #expect(names.count == 6 && said.count == 1 && said[0].contains("it has 1 of the "), "\(said)")
        }
        try machine.remember(image.record.store) { memory in
            memory.record = StoreMemory.Record(number: 1, digest: next.digest)
        }
        #expect(status { _ = try restored(bytes, machine: machine) } == 4)
        #expect(!exists(target))
        // Who knows nothing of the store keeps nothing of a file that comes by.
        let stranger = scratch.machine("stranger")
        #expect(try restored(bytes, machine: stranger).said.isEmpty)
        #expect(try stranger.memory(of: image.record.store).root == nil)
    }

    @Test("Of a writer that was revoked only the very file counts that the record keeps")
    func revokedWriter() throws {
        let parts = try objects(threeBatches())
        let root = image.rootKey.verifyingKey
        let chain = try RecordChain(
            [image.record], store: image.record.store, first: root, root: root, subject: "it")
        let keyring = Keyring(chain: chain, writer: image.key)
        let last = try #require(parts.last)
        let proof = try ObjectReader([MemorySource(last)], subject: "it", keyring: keyring).verifySignature()
        let id = try ObjectHeader(decoding: Array(last.prefix(Format.headerLength)), subject: "it").id
        let own = RootReference(id: id, digest: proof.digest)
        let other = RootReference(id: id, digest: image.record.digest)
        for (kept, isKept) in [([own], true), ([other, own], true), ([other], false), ([], false)] {
            let revoking = try StoreRecord(
                after: image.record, store: image.record.store, rootKey: image.rootKey, epoch: 1,
                sealing: image.record.sealing, time: 1,
                revoked: [StoreRecord.Revocation(writer: image.key.writer, kept: kept)],
                recipients: image.record.recipients)
            let keys = try image.keys(sources: ["/tree"], records: [image.record.encoded, revoking.encoded])
            let bytes = keys + keys + parts.dropFirst(2).flatMap { $0 }
            if isKept {
                let (names, said) = try restored(bytes)
                #expect(names.count == 6 && said.isEmpty, "\(said)")
            } else {
                #expect(status { _ = try restored(bytes) } == 3)
                #expect(!exists(target))
            }
        }
    }
}
