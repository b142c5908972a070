// The identifier of content: keyed, so that who lacks the key can neither predict nor recognise an identifier.

internal import CSodium

/// BLAKE2b with a key and 32 bytes of output (RFC 7693).
///
/// It is libsodium's, which uses the machine's vector instructions; libcrypto's does not.
public struct KeyedHash: ~Copyable, Sendable {
    private let key: Secret

    /// Zero or one once libsodium has looked at what this machine can do.
    private static let initialised = sodium_init()

    /// Sets the key, of 1 to 64 bytes; throws `malformed` for another length.
    public init(key: Secret) throws(CryptographyError) {
        guard (1...64).contains(key.count) else { throw .malformed("a BLAKE2b key has 1 to 64 bytes") }
        guard Self.initialised >= 0 else { throw .library("sodium_init gave no reason") }
        self.key = key
    }

    /// The digest of `message`; throws `library`.
    public mutating func digest(of message: UnsafeRawBufferPointer) throws(CryptographyError) -> Digest {
        var digest = Digest.zero
        let status = key.withUnsafeBytes { key in
            withUnsafeMutableBytes(of: &digest) { output in
                crypto_generichash_blake2b(
                    output.bytePointer, output.count, message.bytePointer, UInt64(message.count), key.bytePointer,
                    key.count)
            }
        }
        guard status == 0 else { throw .library("crypto_generichash_blake2b gave no reason") }
        return digest
    }
}
