// Base64 (RFC 4648, section 4) as age wants it: one spelling for each byte string, anything else refused. libcrypto's
// decoder forgives too much for that.

/// Strict Base64.
public enum Base64 {
    private static let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    /// The text for `bytes`, without padding.
    public static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        var (accumulator, bits) = (UInt32(0), 0)
        for byte in bytes {
            accumulator = (accumulator << 8 | UInt32(byte)) & 0xffff
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(accumulator >> UInt32(bits) & 63)])
            }
        }
        if bits > 0 { text.append(alphabet[Int(accumulator << UInt32(6 - bits) & 63)]) }
        return text
    }

    /// Appends the bytes of `text` to `bytes`; false for foreign characters and for bits left over.
    ///
    /// - Parameter padded: Whether the last group must be filled up with `=` (as in armor) or must not (as in headers).
    static func decode(_ text: Slice<UnsafeRawBufferPointer>, padded: Bool, to bytes: inout [UInt8]) -> Bool {
        var digits = text
        if padded {
            guard text.count.isMultiple(of: 4) else { return false }
            for _ in 0..<2 where digits.last == UInt8(ascii: "=") { digits.removeLast() }
        }
        guard digits.count % 4 != 1 else { return false }
        var (accumulator, bits) = (UInt32(0), 0)
        for character in digits {
            let value = values[Int(character)]
            guard value < 64 else { return false }
            accumulator = (accumulator << 6 | UInt32(value)) & 0xffff
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: accumulator >> UInt32(bits)))
            }
        }
        return accumulator & (1 << UInt32(bits) - 1) == 0
    }

    /// The bytes of unpadded `text`; nil if it is not the one spelling of them.
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        return text.withUnsafeBytes { decode($0[...], padded: false, to: &bytes) } ? bytes : nil
    }
}
