// Where content is cut: what the format says, however fast it is found.

import TestSupport
import Testing

@testable import Images

@Suite struct ChunkerTests {
    /// The definition, byte by byte.
    private func plainCut(_ bytes: [UInt8], from start: Int, _ table: [UInt64]) -> Int {
        var hash: UInt64 = 0
        var length = 0
        while start + length < bytes.count, length < Chunker.maximum {
            hash = hash << 1 &+ table[Int(bytes[start + length])]
            length += 1
            let bits = length <= Chunker.average ? 22 : 18
            if length > Chunker.minimum, hash >> UInt64(64 - bits) == 0 { return length }
        }
        return length
    }

    @Test(
        "Cuts are where the definition has them, in whatever steps the content comes",
        arguments: [1000, 131_072, 5_000_000])
    func definition(step: Int) {
        var generator = SystemRandomNumberGenerator()
        let table = (0..<256).map { _ in generator.next() }
        // Random, of two letters only, and the same over and over.
        let count = runsAll ? 6_000_000 : 2_000_000
        var bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
        bytes += (0..<count).map { _ in UInt8.random(in: 0...1) }
        let block = (0..<65_536).map { _ in UInt8.random(in: 0...255) }
        for _ in 0..<(runsAll ? 120 : 40) { bytes += block }
        bytes += [UInt8](repeating: 0, count: 5_000_000)
        var chunker = Chunker(table: table)
        var start = 0
        while start < bytes.count {
            chunker.restart()
            var have = 0
            var found: Int?
            while found == nil, start + have < bytes.count {
                have = min(have + step, bytes.count - start)
                found = bytes[start..<start + have].withUnsafeBytes { chunker.cut($0) }
            }
            let length = found ?? have
            #expect(length == plainCut(bytes, from: start, table), "at \(start)")
            start += length
        }
    }
}
