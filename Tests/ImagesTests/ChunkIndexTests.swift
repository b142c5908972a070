// The index finds every chunk, whatever its size, in memory that does not grow with it.

import Cryptography
import Glibc
import Platform
import TestSupport
import Testing

@testable import Images

@Suite(.serialized) struct ChunkIndexTests {
    private func digest(_ random: inout SplitMix64) -> Digest {
        let words = (random.next(), random.next(), random.next(), random.next())
        return withUnsafeBytes(of: words) { Digest(bytes: $0) }
    }

    private func location(_ number: Int) -> ChunkIndex.Location {
        ChunkIndex.Location(
            volume: UInt32(number / 64), offset: UInt64(number % 64) << 20, sealedLength: UInt32(number % 1_000_000))
    }

    private func object(_ number: Int) -> ObjectID {
        var bytes = [UInt8](repeating: 0, count: 12)
        bytes.append(integer: UInt32(number))
        return ObjectID(first16: bytes[...])
    }

    private func volume(_ number: Int) -> VolumeReference {
        VolumeReference(writer: .zero, id: object(number), digest: .zero, length: 1)
    }

    private var residentKilobytes: Int {
        let text = (try? readWhole("/proc/self/statm", limit: 4096)) ?? []
        let pages = String(decoding: text, as: UTF8.self).split(separator: " ")
        return pages.count > 1 ? (Int(pages[1]) ?? 0) * 4 : 0
    }

    /// A million chunks are 1 TB of content.
    @Test("An index of many chunks finds each of them and no other, before and after it was saved")
    func findsAll() throws {
        let scratch = try Scratch()
        let count = runsAll ? 1_000_000 : 300_000
        let before = residentKilobytes
        let index = ChunkIndex(folder: scratch.path)
        var random = SplitMix64(seed: 7)
        for number in 0..<count {
            if number % 64 == 0 { _ = index.add(volume(number / 64)) }
            try index.add(digest(&random), at: location(number))
        }
        try index.save(to: scratch.file("index"), roots: [object(5)])
        let loaded = try #require(ChunkIndex.load(from: scratch.file("index"), folder: scratch.path))
        #expect(loaded.roots == [object(5)])
        #expect(residentKilobytes - before < 60_000)
        for index in [index, loaded.index] {
            #expect(index.count == count)
            random = SplitMix64(seed: 7)
            for number in 0..<count {
                let id = digest(&random)
                if number % 97 == 0 { try #require(try index.locate(id) == location(number)) }
            }
            random = SplitMix64(seed: 8)
            for _ in 0..<1000 { try #require(try index.locate(digest(&random)) == nil) }
        }
    }

    @Test("A damaged index on the machine is not believed")
    func damaged() throws {
        let scratch = try Scratch()
        let index = ChunkIndex(folder: scratch.path)
        var random = SplitMix64(seed: 1)
        _ = index.add(volume(0))
        for number in 0..<40 { try index.add(digest(&random), at: location(number)) }
        try index.save(to: scratch.file("index"), roots: [])
        let bytes = try readWhole(scratch.file("index"), limit: 1 << 20)
        for offset in 0..<bytes.count {
            var damaged = bytes
            damaged[offset] ^= 1
            try put(scratch.file("damaged"), damaged)
            try #require(ChunkIndex.load(from: scratch.file("damaged"), folder: scratch.path) == nil, "byte \(offset)")
        }
    }
}
