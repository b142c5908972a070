// The key pair of sealed envelopes: whoever holds the public half can write what only the private half reads.

/// The public half: anyone may know it.
public struct SealingPublicKey: Sendable, Hashable {
    /// The 32 bytes of an X25519 public key (RFC 7748).
    public let rawBytes: [UInt8]

    /// Throws `malformed` unless there are 32 bytes. A key of small order is refused when it is used.
    public init(rawBytes: [UInt8]) throws(CryptographyError) {
        guard rawBytes.count == X25519PrivateKey.length else {
            throw .malformed("an X25519 public key has 32 bytes")
        }
        self.rawBytes = rawBytes
    }
}

/// The private half.
public final class SealingPrivateKey: Sendable {
    /// The public half.
    public let publicKey: SealingPublicKey
    let key: X25519PrivateKey

    /// Takes the 32 bytes of an X25519 private key; throws `malformed` for another length.
    public convenience init(raw: Secret) throws(CryptographyError) {
        try self.init(X25519PrivateKey(raw: raw))
    }

    private init(_ key: X25519PrivateKey) throws(CryptographyError) {
        self.key = key
        publicKey = try SealingPublicKey(rawBytes: key.publicBytes)
    }

    /// A new random key.
    public static func generate() throws(CryptographyError) -> SealingPrivateKey {
        try SealingPrivateKey(X25519PrivateKey.generate())
    }

    /// The 32 bytes of the private key.
    public var raw: Secret { key.raw }
}
