// What is written over a device, and what has to be read back.

internal import Cryptography
internal import Platform

/// What one pass writes.
public enum WipePattern: Hashable, Sendable, CustomStringConvertible {
    case byte(UInt8)
    /// A stream of AES-256 in counter mode under a key of its own, so that the pass can be verified without keeping what was written.
    case random

    public static let zero = WipePattern.byte(0)

    /// `zero`, `random` or `0xNN`.
    public init?(_ text: String) {
        switch text {
        case "zero": self = .zero
        case "random": self = .random
        default:
            guard text.hasPrefix("0x"), text.utf8.count == 4, let byte = UInt8(text.dropFirst(2), radix: 16) else {
                return nil
            }
            self = .byte(byte)
        }
    }

    public var description: String {
        switch self {
        case .byte(0): "zero"
        case .byte(let byte): "0x" + hexadecimal([byte])
        case .random: "random"
        }
    }
}

/// Makes the bytes of a pass, from any place on.
final class PatternSource {
    private let pattern: WipePattern
    private let stream: KeyStream?

    init(_ pattern: WipePattern, key: Secret) throws {
        self.pattern = pattern
        stream = pattern == .random ? try KeyStream(key: key) : nil
    }

    /// Whether a buffer holds the same at every place of the device.
    var isConstant: Bool { stream == nil }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
        if let stream { return try stream.fill(buffer, at: offset) }
        guard case .byte(let byte) = pattern else { return }
        buffer.initializeMemory(as: UInt8.self, repeating: byte)
    }
}
