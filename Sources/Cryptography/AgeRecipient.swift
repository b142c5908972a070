// The public half of an age key pair, as people write it down: age1…

/// An age X25519 recipient.
public struct AgeRecipient: Hashable, Sendable, CustomStringConvertible {
    private static let prefix = [UInt8]("age".utf8)

    /// The 32 bytes of the X25519 public key.
    let rawBytes: [UInt8]

    /// Reads `age1…`.
    ///
    /// Throws `unsupported` for recipients of plugins and hybrid ones, and `malformed` for anything else, such as a
    /// typing error.
    public init(_ string: String) throws(CryptographyError) {
        let decoded = try [UInt8](string.utf8).withRawBytes { (text) throws(CryptographyError) in
            try Bech32.decode(text)
        }
        if decoded.prefix.starts(with: Self.prefix + [UInt8(ascii: "1")]) {
            throw .unsupported("this kind of age recipient: \(String(decoding: decoded.prefix, as: UTF8.self))")
        }
        guard decoded.prefix == Self.prefix, decoded.data.count == X25519PrivateKey.length else {
            throw .malformed("an age recipient begins with age1 and has 62 characters")
        }
        rawBytes = decoded.data.publicBytes
    }

    init(rawBytes: [UInt8]) {
        self.rawBytes = rawBytes
    }

    /// The recipient as `age1…`.
    public var string: String {
        let text = rawBytes.withUnsafeBytes { Bech32.encode(prefix: Self.prefix, $0) }
        return String(decoding: text.publicBytes, as: UTF8.self)
    }

    public var description: String { string }
}
