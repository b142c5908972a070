// How chunks are sealed: AES-256-GCM, fast wherever the processor has AES instructions.

/// AES-256 in Galois/Counter Mode (NIST SP 800-38D), its key set once.
///
/// A nonce must never be used for two messages under one key. Not for use by two threads at once: make one a thread.
/// `@unchecked Sendable`: it cannot be copied, so handing it to a thread leaves the giver without it.
public struct AuthenticatedCipher: ~Copyable, @unchecked Sendable {
    /// Bytes that sealing adds.
    public static let tagLength = 16
    /// Bytes of a nonce.
    public static let nonceLength = 12
    /// Bytes of a key.
    public static let keyLength = 32

    private let context: CipherContext

    /// Sets the key of 32 bytes; throws `malformed` for another length.
    public init(key: Secret) throws(CryptographyError) {
        context = try CipherContext(.aes256GCM, key: key)
    }

    /// Seals `plaintext` (below 2 GiB): writes the ciphertext and then the 16-byte tag to `output`.
    ///
    /// `output` may begin where `plaintext` begins, but must not overlap it in another way.
    /// Too little room, or a nonce that is not 12 bytes long, is an error in the program and ends it.
    /// - Returns: The number of bytes written, `plaintext.count + tagLength`.
    public mutating func seal(
        _ plaintext: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer,
        authenticating associated: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CryptographyError) -> Int {
        try context.seal(plaintext, nonce: nonce, authenticating: associated, into: output)
    }

    /// Opens what `seal` wrote; throws `authenticationFailed`, with `output` erased, if anything about it differs.
    ///
    /// `output` may begin where `sealed` begins, but must not overlap it in another way.
    /// - Returns: The number of bytes written, `sealed.count - tagLength`.
    public mutating func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer,
        authenticating associated: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CryptographyError) -> Int {
        try context.open(sealed, nonce: nonce, authenticating: associated, into: output)
    }
}
