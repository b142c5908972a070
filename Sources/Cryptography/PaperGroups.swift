// A key on paper stands in groups, each with two letters that check it, so that a mistyped group is known by itself:
//
//     AGE-SECRET-KEY-1/XX QPZRY9X8/XX GF2TVDW0/XX …
//
// The checks may be typed or left out.

public enum PaperGroups {
    static let prefixLength = 16
    private static let length = 8
    private static let alphabet = Array("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".utf8)
    static let checkLength = 2

    /// Where the groups of a key stand: its prefix, then eight characters each.
    public static func ranges(count: Int) -> [Range<Int>] {
        var ranges = [0..<min(prefixLength, count)]
        for start in stride(from: prefixLength, to: max(prefixLength, count), by: length) {
            ranges.append(start..<min(start + length, count))
        }
        return ranges
    }

    /// Two letters that tell of a group at a place: another place, or another letter, has others, but for one time in a thousand.
    public static func check(_ group: Slice<UnsafeRawBufferPointer>, at place: Int) -> String {
        String(decoding: checkBytes(group, at: place), as: UTF8.self)
    }

    /// A CRC of ten bits (x^10 + x^9 + x^5 + x^4 + x + 1) tells any one letter that is wrong, and any two neighbours that are exchanged.
    static func checkBytes(_ group: some Sequence<UInt8>, at place: Int) -> [UInt8] {
        var value: UInt32 = 0x3ff ^ UInt32(truncatingIfNeeded: place)
        for byte in group {
            value ^= UInt32(byte) << 2
            for _ in 0..<8 { value = value & 0x200 != 0 ? (value << 1 ^ 0x633) & 0x3ff : value << 1 & 0x3ff }
        }
        return [alphabet[Int(value >> 5 & 31)], alphabet[Int(value & 31)]]
    }
}
