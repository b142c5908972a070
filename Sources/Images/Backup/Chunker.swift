// Cuts content into chunks where the content itself says so, so that an insertion moves no cut but its neighbours.

/// Gear-hash chunking with normalised sizes (FastCDC; Xia et al., USENIX ATC 2016): a harder condition before the expected
/// size, an easier one after it. The table comes from the group's K_id, so cuts cannot be computed by outsiders.
struct Chunker {
    static let minimum = 256 << 10
    static let average = 1 << 20
    static let maximum = Format.maximumChunkLength

    /// Before the expected size a cut is where the top 22 bits are 0, after it where the top 18 are. They depend on the last 64 bytes most
    /// evenly.
    private static let hard: UInt64 = 1 << 42
    private static let easy: UInt64 = 1 << 46
    /// Bytes after which the hash has forgotten what was before.
    private static let window = 64

    private let table: [UInt64]
    private var hash: UInt64 = 0
    private var position = 0

    init(table: [UInt64]) {
        precondition(table.count == 256)
        self.table = table
    }

    /// Begins a new chunk.
    mutating func restart() {
        hash = 0
        position = 0
    }

    /// Looks on in a chunk that has grown to `bytes`; what was looked at before is not looked at again.
    /// - Returns: the chunk's length where it ends within `bytes`.
    mutating func cut(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let end = min(bytes.count, Self.maximum)
        // No cut is before the minimum: looking begins one window before it.
        var index = max(position, Self.minimum - Self.window)
        var value = hash
        let found = table.withUnsafeBufferPointer { table -> Int? in
            guard let table = table.baseAddress, let bytes = bytes.bindMemory(to: UInt8.self).baseAddress else {
                return nil
            }
            while index < min(end, Self.minimum) {
                value = Self.roll(value, bytes[index], table)
                index += 1
            }
            for (limit, threshold) in [(Self.average, Self.hard), (Self.maximum, Self.easy)] {
                let end = min(end, limit)
                if index >= end { continue }
                if let cut = Self.search(bytes, index, end, &value, table, below: threshold) { return cut }
                index = end
            }
            return nil
        }
        hash = value
        position = index
        return found ?? (end == Self.maximum ? Self.maximum : nil)
    }

    @inline(__always)
    private static func roll(_ hash: UInt64, _ byte: UInt8, _ table: UnsafePointer<UInt64>) -> UInt64 {
        hash &<< 1 &+ table[Int(truncatingIfNeeded: byte)]
    }

    private static let lane = 4096

    /// The first cut from `start` on. Each hash needs the one before, so a processor would mostly wait: two stretches are looked at side by
    /// side, the second begun one window early. Where either has a cut, both are looked at again, in order.
    private static func search(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ hash: inout UInt64, _ table: UnsafePointer<UInt64>,
        below threshold: UInt64
    ) -> Int? {
        var index = start
        while end &- index >= 2 &* lane {
            let (first, second) = (bytes + index, bytes + (index &+ lane))
            var (one, two) = (hash, UInt64(0))
            for offset in -window..<0 { two = roll(two, second[offset], table) }
            var offset = 0
            var isFound = false
            while offset < lane {
                one = roll(one, first[offset], table)
                if one < threshold { isFound = true; break }
                two = roll(two, second[offset], table)
                if two < threshold { isFound = true; break }
                one = roll(one, first[offset &+ 1], table)
                if one < threshold { isFound = true; break }
                two = roll(two, second[offset &+ 1], table)
                if two < threshold { isFound = true; break }
                one = roll(one, first[offset &+ 2], table)
                if one < threshold { isFound = true; break }
                two = roll(two, second[offset &+ 2], table)
                if two < threshold { isFound = true; break }
                one = roll(one, first[offset &+ 3], table)
                if one < threshold { isFound = true; break }
                two = roll(two, second[offset &+ 3], table)
                if two < threshold { isFound = true; break }
                offset &+= 4
            }
            if isFound { break }
            hash = two
            index &+= 2 &* lane
        }
        while index < end {
            hash = roll(hash, bytes[index], table)
            index &+= 1
            if hash < threshold { return index }
        }
        return nil
    }
}

/// Where a segment of small files ends: after a file, with a probability that grows with the file's size, decided by names
/// alone, so that the same files give the same segments whatever came before them.
enum Segment {
    /// Files of this size and above have chunks of their own.
    static let fileLimit = 256 << 10
    static let average: UInt64 = 1 << 20

    static func ends(after name: [UInt8], in folder: [UInt8], size: UInt64) -> Bool {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in folder { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = hash &* 0x100_0000_01b3
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        // FNV's low bits are better than its high ones: mix before comparing (the finaliser of SplitMix64).
        hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
        hash ^= hash >> 31
        return hash < UInt64.max / average &* min(size, average)
    }
}
