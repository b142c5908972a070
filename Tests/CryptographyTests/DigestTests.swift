// Digests: bytes, text, order.

import Testing

@testable import Cryptography

@Suite struct DigestTests {
    @Test("A digest gives back its bytes, at any alignment, and its text")
    func roundTrip() throws {
        let bytes = pattern(40)
        for start in 0..<8 {
            let digest = bytes.withUnsafeBytes { Digest(bytes: $0.slice(start, 32)) }
            #expect(digest.bytes == Array(bytes[start..<start + 32]))
            var copy = [UInt8](repeating: 0, count: 40)
            copy.withUnsafeMutableBytes { buffer in
                if let base = buffer.baseAddress { digest.store(to: base + start) }
            }
            #expect(Array(copy[start..<start + 32]) == digest.bytes)
            #expect(Digest(hex: digest.hex) == digest)
            #expect(Digest(hex: digest.hex.uppercased()) == digest)
            #expect("\(digest)" == digest.hex)
        }
        #expect(Digest.zero.hex == String(repeating: "0", count: 64))
    }

    @Test(
        "Text that is not 64 hexadecimal digits is no digest",
        arguments: [
            "", "00", String(repeating: "0", count: 63), String(repeating: "g", count: 64),
            String(repeating: "0", count: 66), String(repeating: "ä", count: 32),
        ])
    func refusesOtherText(text: String) {
        #expect(Digest(hex: text) == nil)
    }

    @Test("Digests sort as their bytes do, wherever they differ")
    func order() {
        var generator = SeededGenerator(seed: 1)
        for position in 0..<32 {
            var low = (0..<32).map { _ in UInt8.random(in: 0...254, using: &generator) }
            var high = low
            high[position] += 1
            // What follows must not matter, and the other way round at that.
            for later in (position + 1)..<max(32, position + 1) { (low[later], high[later]) = (255, 0) }
            let first = low.withUnsafeBytes { Digest(bytes: $0) }
            let second = high.withUnsafeBytes { Digest(bytes: $0) }
            #expect(first < second)
            #expect(!(second < first))
            #expect(first != second)
        }
        #expect(!(Digest.zero < Digest.zero))
    }
}
