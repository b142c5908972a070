// What a server sends is not believed: packets that are cut, oversized or nonsense end the conversation, and nothing else.

import TestSupport
import Testing

@testable import Stores

/// What servers send, one of each kind, without lengths.
private let samples: [[UInt8]] = [
    [101] + u32(7) + u32(0) + text("fine") + text("en"),
    [101] + u32(7) + u32(4),
    [102] + u32(7) + text("handle"),
    [103] + u32(7) + text("some bytes"),
    [104] + u32(7) + u32(2) + text("one") + text("-rw-r--r-- one") + u32(0xd) + u32(0) + u32(5) + u32(0o100644) + u32(1)
        + u32(2) + text("two") + text("") + u32(0),
    [105] + u32(7) + u32(0x8000_000f) + u32(0) + u32(9) + u32(1) + u32(2) + u32(0o040755) + u32(3) + u32(4) + u32(1)
        + text("name") + text("value"),
    [201] + u32(7) + [UInt8](repeating: 1, count: 88),
]

private func u32(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) } }
private func text(_ text: String) -> [UInt8] { u32(UInt32(text.utf8.count)) + text.utf8 }

@Suite("Packets of SFTP") struct SFTPPacketTests {
    private func decoded(_ packet: [UInt8]) -> SFTPReply? { try? SFTPReply.decode(packet).reply }

    @Test("Each kind is read as what it is")
    func kinds() throws {
        #expect(samples.allSatisfy { (try? SFTPReply.decode($0).identifier) == 7 })
        #expect(decoded(samples[0]) == .status(.fine, "fine"))
        #expect(decoded(samples[1]) == .status(.failure, ""))
        #expect(decoded(samples[2]) == .handle(bytes("handle")))
        #expect(decoded(samples[3]) == .data(bytes("some bytes")[...]))
        let file = SFTPAttributes(size: 5, mode: 0o100644, modified: 2)
        #expect(
            decoded(samples[4])
                == .names([
                    SFTPName(name: bytes("one"), attributes: file),
                    SFTPName(name: bytes("two"), attributes: SFTPAttributes()),
                ]))
        #expect(file.kind == .file)
        #expect(decoded(samples[5]) == .attributes(SFTPAttributes(size: 9, mode: 0o040755, modified: 4)))
        #expect(
            try SFTPReply.decodeVersion([2] + u32(3) + text("limits@openssh.com") + text("1")) == ["limits@openssh.com"]
        )
        #expect(throws: SFTPGarbage.self) { try SFTPReply.decodeVersion([2] + u32(2)) }
    }

    @Test("Every beginning of a packet is an error or a packet, and never a trap")
    func beginnings() {
        for sample in samples {
            for length in 0..<sample.count { _ = decoded(Array(sample.prefix(length))) }
        }
        #expect(decoded([]) == nil)
        #expect(decoded([101, 0, 0]) == nil)
    }

    @Test("Lengths and counts beyond what is there are refused before anything is made of them")
    func lengths() {
        for huge in [u32(.max), u32(0x8000_0000), u32(1 << 20)] {
            #expect(decoded([102] + u32(7) + huge) == nil)
            #expect(decoded([103] + u32(7) + huge + [1, 2, 3]) == nil)
            #expect(decoded([104] + u32(7) + huge + text("one") + text("")) == nil)
            #expect(decoded([105] + u32(7) + u32(0x8000_0000) + huge + text("one") + text("")) == nil)
            #expect(decoded([101] + u32(7) + u32(4) + huge) == nil)
        }
        // A handle of 256 bytes at most; a name of 4096.
        #expect(decoded([102] + u32(7) + text(String(repeating: "h", count: 256))) != nil)
        #expect(decoded([102] + u32(7) + text(String(repeating: "h", count: 257))) == nil)
        #expect(decoded([104] + u32(7) + u32(1) + text(String(repeating: "n", count: 4097)) + text("") + u32(0)) == nil)
    }

    @Test("Random changes of packets are errors or packets, and never a trap", arguments: 0..<8)
    func changes(seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        for _ in 0..<(runsAll ? 200_000 : 5000) {
            var packet = samples[Int(random.next() % UInt64(samples.count))]
            for _ in 0...(random.next() % 4) {
                let place = Int(random.next() % UInt64(packet.count))
                packet[place] = random.next() % 3 == 0 ? 0xff : UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 4 == 0 { packet.removeLast(Int(random.next() % UInt64(packet.count))) }
            if case .names(let names)? = decoded(packet) { #expect(names.count <= packet.count) }
            if case .extended(let rest)? = decoded(packet) {
                var reader = SFTPReader(rest)
                _ = try? reader.space()
                reader = SFTPReader(rest)
                _ = try? reader.limits()
            }
            _ = try? SFTPReply.decodeVersion(packet)
        }
    }

    @Test("Packets are put together from pieces of any size, and one that is too long is refused")
    func pieces() throws {
        let stream = samples.flatMap { u32(UInt32($0.count)) + $0 }
        for size in [1, 2, 3, 5, 64, 1000] {
            var packets = SFTPPackets()
            var found: [[UInt8]] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                stream[start..<min(start + size, stream.count)].withUnsafeBytes { packets.append($0) }
                while let packet = try packets.next() { found.append(packet) }
            }
            #expect(found == samples, "\(size)")
        }
        for length in [0, UInt32(SFTPPackets.lengthLimit) + 1, .max] {
            var packets = SFTPPackets()
            u32(length).withUnsafeBytes { packets.append($0) }
            #expect(throws: SFTPGarbage.self) { try packets.next() }
        }
        var packets = SFTPPackets()
        u32(UInt32(SFTPPackets.lengthLimit)).withUnsafeBytes { packets.append($0) }
        #expect(try packets.next() == nil)
    }

    @Test(
        "What was prepared a quarter of an hour ago is not written any more, and leaves nothing", .enabled(if: hasSFTP))
    func prepared() throws {
        let place = try StorePlace(sftp: ScratchFolder(in: "/dev/shm"))
        let store = try #require(place.store as? SFTPStore)
        try store.prepare("v/one", bytes("one")).put()
        var limit = SFTPTimeLimit()
        limit.begin -= 14 * 60
        try store.put("v/two", bytes("two"), within: limit)
        limit.begin -= 2 * 60
        #expect(reason { try store.put("v/three", bytes("three"), within: limit) } == .expired)
        #expect(try store.list("v").map(\.name) == ["v/one", "v/two"])
        try store.put("v/three", bytes("three"))
    }

    @Test("What is left of a medium saturates")
    func space() throws {
        var reader = SFTPReader((0..<11).flatMap { _ in [UInt8](repeating: 0xff, count: 8) }[...])
        let space = try reader.space()
        #expect(space.free == .max)
        #expect(space.isReadOnly)
    }
}

/// Random numbers that are the same each time.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
