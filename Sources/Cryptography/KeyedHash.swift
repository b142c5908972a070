// The identifier of content: keyed, so that who lacks the key can neither predict nor recognise an identifier.

/// BLAKE2b with a key and 32 bytes of output (RFC 7693).
///
/// The context is made once and used for every message. It is not for use by two threads at once: make one a thread.
/// `@unchecked Sendable`: it cannot be copied, so handing it to a thread leaves the giver without it.
public struct KeyedHash: ~Copyable, @unchecked Sendable {
    private let context: MACContext

    /// Sets the key, of 1 to 64 bytes; throws `malformed` for another length.
    public init(key: Secret) throws(CryptographyError) {
        guard (1...64).contains(key.count) else { throw .malformed("a BLAKE2b key has 1 to 64 bytes") }
        context = try MACContext(.blake2bMAC, key: key, outputLength: Digest.length)
    }

    /// The digest of `message`; throws `library`.
    public mutating func digest(of message: UnsafeRawBufferPointer) throws(CryptographyError) -> Digest {
        try context.authenticate(message)
    }
}
