// Bech32 (BIP 173), the spelling of age's keys, without its limit of 90 characters, as the age specification wants it.
// It works on raw bytes inside protected memory, since one of the two kinds of keys is secret.

/// Bech32 encoding and strict decoding.
enum Bech32 {
    private static let alphabet = [UInt8]("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    private static let separator = UInt8(ascii: "1")
    private static let checksumLength = 6

    /// For each ASCII character the value of its place in the alphabet, or 255.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() {
            values[Int(character)] = UInt8(value)
            values[Int(uppercase(character))] = UInt8(value)
        }
        return values
    }()

    /// The human-readable part, in the case it has in `text`, and the data.
    ///
    /// Throws `malformed` for mixed case, foreign characters, a wrong checksum and bits left over.
    static func decode(_ text: UnsafeRawBufferPointer) throws(CryptographyError) -> (prefix: [UInt8], data: Secret) {
        guard let split = text.lastIndex(of: separator), split > 0, split + 1 + checksumLength <= text.count else {
            throw .malformed("a Bech32 key has a prefix, the digit 1, and at least six more characters")
        }
        var (hasLower, hasUpper) = (false, false)
        for character in text {
            guard (33...126).contains(character) else { throw .malformed("a Bech32 key with a foreign character") }
            if lowercase(character) != character { hasUpper = true }
            if uppercase(character) != character { hasLower = true }
        }
        if hasLower && hasUpper { throw .malformed("a Bech32 key with both upper and lower case") }

        let prefix = [UInt8](text[..<split])
        var checksum = Checksum(prefix: prefix.map(lowercase))
        for character in text[(split + 1)...] {
            let value = values[Int(character)]
            guard value < 32 else { throw .malformed("a Bech32 key with a foreign character") }
            checksum.add(value)
        }
        guard checksum.state == 1 else { throw .malformed("a Bech32 key with a wrong checksum") }

        let digits = text.slice(split + 1, text.count - split - 1 - checksumLength)
        // Up to four bits, all zero, may fill up the last character.
        let padding = digits.count * 5 % 8
        guard padding < 5 else { throw .malformed("a Bech32 key with a superfluous character") }
        let data = try Secret(count: digits.count * 5 / 8) { (output) throws(CryptographyError) in
            var (accumulator, bits, position) = (UInt32(0), 0, 0)
            for character in digits {
                accumulator = (accumulator << 5 | UInt32(values[Int(character)])) & 0xfff
                bits += 5
                if bits >= 8 {
                    bits -= 8
                    output[position] = UInt8(truncatingIfNeeded: accumulator >> UInt32(bits))
                    position += 1
                }
            }
            guard accumulator & (1 << UInt32(bits) - 1) == 0 else {
                throw .malformed("a Bech32 key with bits left over")
            }
        }
        return (prefix, data)
    }

    /// The text for `data` under `prefix`, in capitals if the prefix is.
    static func encode(prefix: [UInt8], _ data: UnsafeRawBufferPointer) -> Secret {
        let length = prefix.count + 1 + (data.count * 8 + 4) / 5 + checksumLength
        let capitals = prefix.contains { lowercase($0) != $0 }
        return Secret(count: length) { (output) in
            var position = 0
            func write(_ character: UInt8) {
                output[position] = capitals ? uppercase(character) : character
                position += 1
            }
            var checksum = Checksum(prefix: prefix.map(lowercase))
            func writeValue(_ value: UInt8) {
                checksum.add(value)
                write(alphabet[Int(value)])
            }
            prefix.forEach(write)
            write(separator)
            var (accumulator, bits) = (UInt32(0), 0)
            for byte in data {
                accumulator = (accumulator << 8 | UInt32(byte)) & 0xfff
                bits += 8
                while bits >= 5 {
                    bits -= 5
                    writeValue(UInt8(accumulator >> UInt32(bits) & 31))
                }
            }
            if bits > 0 { writeValue(UInt8(accumulator << UInt32(5 - bits) & 31)) }
            for _ in 0..<checksumLength { checksum.add(0) }
            let sum = checksum.state ^ 1
            for index in 0..<checksumLength { write(alphabet[Int(sum >> UInt32(5 * (5 - index)) & 31)]) }
        }
    }

    private static func lowercase(_ character: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(character) ? character | 0x20 : character
    }

    private static func uppercase(_ character: UInt8) -> UInt8 {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character) ? character & ~0x20 : character
    }

    /// The BCH code of BIP 173 over the prefix and the five-bit values.
    private struct Checksum {
        private(set) var state: UInt32 = 1

        init(prefix: [UInt8]) {
            for character in prefix { add(character >> 5) }
            add(0)
            for character in prefix { add(character & 31) }
        }

        mutating func add(_ value: UInt8) {
            let top = state >> 25
            state = (state & 0x1ff_ffff) << 5 ^ UInt32(value)
            if top & 1 != 0 { state ^= 0x3b6a_57b2 }
            if top & 2 != 0 { state ^= 0x2650_8e6d }
            if top & 4 != 0 { state ^= 0x1ea1_19fa }
            if top & 8 != 0 { state ^= 0x3d42_33dd }
            if top & 16 != 0 { state ^= 0x2a14_62b3 }
        }
    }
}
