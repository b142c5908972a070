// Shows why a tag is no hash: changes what is sealed, with the key, and keeps its tag.

import Cryptography
import Testing

@testable import Images

/// Another content for the same key, nonce and tag: GCM's tag is a polynomial in H, so a change in one block is undone by the right one in
/// the next.
struct TagForgery {
    private let frame: FrameHead
    /// E_K(0).
    private let h: [UInt8]

    init(key: Secret, _ header: ObjectHeader, _ frame: FrameHead) throws {
        self.frame = frame
        var cipher = try AuthenticatedCipher(key: key)
        func tag(_ associated: [UInt8]) throws -> [UInt8] {
            var output = [UInt8](repeating: 0, count: 16)
            let nonce = [UInt8](repeating: 9, count: 12)
            _ = try output.withUnsafeMutableBytes { output in
                try nonce.withUnsafeBytes { nonce in
                    try associated.withUnsafeBytes { associated in
                        try cipher.seal(
                            UnsafeRawBufferPointer(start: nil, count: 0), nonce: nonce, authenticating: associated,
                            into: output)
                    }
                }
            }
            return output
        }
        // Of nothing with 16 zeros beside it the tag is len·H + E(J0); of nothing at all it is E(J0).
        let product = zip(try tag([UInt8](repeating: 0, count: 16)), try tag([])).map { $0 ^ $1 }
        var length = [UInt8](repeating: 0, count: 16)
        length[7] = 128
        h = Self.multiply(product, Self.inverse(length))
    }

    /// The object with block `block` and the one behind it changed in this frame.
    func changed(_ object: [UInt8], block: Int) -> [UInt8] {
        var object = object
        var change = [UInt8](repeating: 0, count: 16)
        change[3] = 0x15
        let start = Int(frame.contentOffset) + 16 * block
        for index in 0..<16 { object[start + index] ^= change[index] }
        for (index, byte) in Self.multiply(change, h).enumerated() { object[start + 16 + index] ^= byte }
        return object
    }

    /// In GF(2^128), bits reflected, as NIST SP 800-38D has it.
    private static func multiply(_ x: [UInt8], _ y: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 16)
        var shifted = y
        for bit in 0..<128 {
            if x[bit / 8] >> (7 - bit % 8) & 1 != 0 { for index in 0..<16 { result[index] ^= shifted[index] } }
            let carry = shifted[15] & 1
            for index in stride(from: 15, to: 0, by: -1) {
                shifted[index] = shifted[index] >> 1 | shifted[index - 1] << 7
            }
            shifted[0] >>= 1
            if carry != 0 { shifted[0] ^= 0xe1 }
        }
        return result
    }

    /// By Fermat: the power of 2^128 − 2.
    private static func inverse(_ x: [UInt8]) -> [UInt8] {
        var one = [UInt8](repeating: 0, count: 16)
        one[0] = 0x80
        var result = one
        var power = x
        for _ in 1..<128 {
            power = multiply(power, power)
            result = multiply(result, power)
        }
        return result
    }
}
