// Bytes for tests: from hexadecimal vectors, from text, of any length, and from a generator with a seed.

@testable import Cryptography

/// The bytes of a vector; spaces and line ends serve the reader. A mistyped vector shows as an empty array.
func hex(_ digits: String) -> [UInt8] {
    [UInt8](hexadecimal: digits.filter { !$0.isWhitespace }) ?? []
}

func ascii(_ text: String) -> [UInt8] { [UInt8](text.utf8) }

/// `count` bytes without a short period.
func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}

extension Secret {
    /// The secret's bytes, for comparison.
    var revealed: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
