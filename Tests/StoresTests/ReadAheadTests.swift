// What reading ahead may not change: the bytes, whatever was expected and whoever reads; and what it is for, fewer calls.

import Glibc
import Platform
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("Reading ahead") struct ReadAheadTests {
    /// Objects of some megabytes, whose bytes tell their places.
    private static let names = (0..<6).map { "v/object\($0)" }
    private static let lengths = [0, 100_000, 3 << 20, 8_900_001, 9 << 20, 5_000_000]

    private static func content(_ object: Int) -> [UInt8] {
        // Whatever is read from another place differs.
        var random = SeededNumbers(state: UInt64(object) + 1)
        return (0..<(lengths[object] + 7) / 8).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
            .prefix(lengths[object]).map { $0 }
    }

    private static func isEqual(_ read: [UInt8]?, _ content: [UInt8], _ range: Range<Int>) -> Bool {
        guard let read, read.count == range.count else { return false }
        return read.withUnsafeBytes { read in
            content.withUnsafeBytes { content in
                guard let read = read.baseAddress, let content = content.baseAddress else { return range.isEmpty }
                return memcmp(read, content + range.lowerBound, range.count) == 0
            }
        }
    }

    @Test("Every read gives the bytes that are there, whatever was expected before, from several threads at once")
    func sameBytes() throws {
        let place = StorePlace(try ScratchFolder())
        let contents = Self.names.indices.map(Self.content)
        for (name, content) in zip(Self.names, contents) { try place.store.put(name, content) }
        let store = ReadAheadStore(place.store)
        let wrong = Atomic<Int>(0)
        let threads = (0..<4).map { thread in
            WorkerThread {
                var random = SystemRandomNumberGenerator()
                for _ in 0..<100 {
                    let index = Int.random(in: 0..<Self.names.count, using: &random)
                    let length = Self.lengths[index]
                    let start = Int.random(in: 0...length, using: &random)
                    let end = Int.random(in: start...min(length, start + (2 << 20)), using: &random)
                    // Also what nobody reads then, and what is not there.
                    if Bool.random(using: &random) {
                        store.expect(Self.names[index], length: UInt64(length), UInt64(start)..<UInt64(end))
                        store.expect("v/none", length: 9 << 20, UInt64(start)..<UInt64(end))
                    }
                    let read = try? store.open(Self.names[index], length: UInt64(length)).read(
                        at: UInt64(start), count: end - start)
                    let isRight = Self.isEqual(read, contents[index], start..<end)
                    if !isRight { wrong.add(1, ordering: .relaxed) }
                }
            }
        }
        threads.forEach { $0.join() }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test("What was expected is read in few calls, across many objects, and once")
    func fewCalls() throws {
        let place = StorePlace(try ScratchFolder())
        let length = 8_900_001
        let content = Self.content(3)
        for index in 0..<12 { try place.store.put("v/\(index)", content) }
        let calls = Atomic<Int>(0)
        let count = Atomic<Int>(0)
        let store = ReadAheadStore(
            LoggingStore(place.store) { call in
                guard call.verb == .read else { return }
                calls.add(1, ordering: .relaxed)
                count.add(call.bytes, ordering: .relaxed)
            })
        // As a restore does it: the end of an object first, then its parts in order, each expected some time before it is read.
        var parts: [(name: String, range: Range<Int>)] = []
        for index in 0..<12 {
            parts.append(("v/\(index)", length - (256 << 10)..<length))
            parts += stride(from: 0, to: length - 700_000, by: 700_000).map { ("v/\(index)", $0..<$0 + 700_000) }
        }
        func expect(_ part: (name: String, range: Range<Int>)) {
            store.expect(
                part.name, length: UInt64(length), UInt64(part.range.lowerBound)..<UInt64(part.range.upperBound))
        }
        parts.prefix(60).forEach(expect)
        for (index, part) in parts.enumerated() {
            if index + 60 < parts.count { expect(parts[index + 60]) }
            let read = try store.open(part.name, length: UInt64(length)).read(
                at: UInt64(part.range.lowerBound), count: part.range.count)
            #expect(Self.isEqual(read, content, part.range))
        }
        // Six of an object; where the machine is slow to come to it, what is waited for is read before its neighbours are asked for.
        #expect(calls.load(ordering: .relaxed) <= 12 * 8)
        #expect(count.load(ordering: .relaxed) <= 12 * (length + (2 << 20)))
    }
}

/// The same numbers each time.
private struct SeededNumbers {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 29
    }
}
