// Cuts content into chunks where the content itself says so, so that an insertion moves no cut but its neighbours.

/// Gear-hash chunking with normalised sizes (FastCDC; Xia et al., USENIX ATC 2016): a harder condition before the expected
/// size, an easier one after it. The table comes from the group's K_id, so cuts cannot be computed by outsiders.
struct Chunker {
    static let minimum = 256 << 10
    static let average = 1 << 20
    static let maximum = Format.maximumChunkLength

    /// The top bits depend on the last 64 bytes most evenly.
    private static let hardMask: UInt64 = 0xffff_fc00_0000_0000  // 22 bits
    private static let easyMask: UInt64 = 0xffff_c000_0000_0000  // 18 bits

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
        // The hash forgets after 64 bytes, so looking begins that much before the first possible cut.
        var index = max(position, Self.minimum - 64)
        var value = hash
        let found = table.withUnsafeBufferPointer { table -> Int? in
            guard let table = table.baseAddress, let bytes = bytes.baseAddress else { return nil }
            while index < min(end, Self.minimum) {
                value = value << 1 &+ table[Int(bytes.load(fromByteOffset: index, as: UInt8.self))]
                index += 1
            }
            while index < min(end, Self.average) {
                value = value << 1 &+ table[Int(bytes.load(fromByteOffset: index, as: UInt8.self))]
                index += 1
                if value & Self.hardMask == 0 { return index }
            }
            while index < end {
                value = value << 1 &+ table[Int(bytes.load(fromByteOffset: index, as: UInt8.self))]
                index += 1
                if value & Self.easyMask == 0 { return index }
            }
            return nil
        }
        hash = value
        position = index
        return found ?? (end == Self.maximum ? Self.maximum : nil)
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
