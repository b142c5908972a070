// SHA-256, at once and in parts, for what must be checkable with everybody's tools.

internal import CCrypto

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// The digest of `message`; throws `library`.
    public static func digest(of message: UnsafeRawBufferPointer) throws(CryptographyError) -> Digest {
        var digest = Digest.zero
        let method = try Algorithm.sha256.method()
        let status = withUnsafeMutableBytes(of: &digest) { buffer in
            EVP_Digest(message.bytePointer, message.count, buffer.bytePointer, nil, method, nil)
        }
        try check(status, "EVP_Digest")
        return digest
    }
}

/// SHA-256 of a message that comes in parts.
///
/// `@unchecked Sendable`: it cannot be copied, so handing it to a thread leaves the giver without it.
public struct SHA256Stream: ~Copyable, @unchecked Sendable {
    private let context: DigestContext

    /// Starts a message; throws `library`.
    public init() throws(CryptographyError) {
        let context = try DigestContext()
        try check(EVP_DigestInit_ex2(context.pointer, try Algorithm.sha256.method(), nil), "EVP_DigestInit_ex2")
        self.context = context
    }

    /// Adds the next part; throws `library`.
    public mutating func update(_ part: UnsafeRawBufferPointer) throws(CryptographyError) {
        try check(EVP_DigestUpdate(context.pointer, part.bytePointer, part.count), "EVP_DigestUpdate")
    }

    /// Ends the message and gives its digest; throws `library`.
    public consuming func finish() throws(CryptographyError) -> Digest {
        var digest = Digest.zero
        let status = withUnsafeMutableBytes(of: &digest) { buffer in
            EVP_DigestFinal_ex(context.pointer, buffer.bytePointer, nil)
        }
        try check(status, "EVP_DigestFinal_ex")
        return digest
    }
}

/// Owner of libcrypto's context for hashes and signatures.
final class DigestContext {
    let pointer: OpaquePointer

    init() throws(CryptographyError) {
        pointer = try check(EVP_MD_CTX_new(), "EVP_MD_CTX_new")
    }

    deinit { EVP_MD_CTX_free(pointer) }
}
