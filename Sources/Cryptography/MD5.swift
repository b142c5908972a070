// MD5, which protects nothing, and which object stores want to see before they lock an object.

internal import CCrypto

/// MD5 (RFC 1321), as a sum over what is sent.
public enum MD5 {
    /// The 16 bytes; throws `unsupported` where this OpenSSL is not allowed to compute it.
    public static func digest(of message: UnsafeRawBufferPointer) throws(CryptographyError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 16)
        try check(
            EVP_Digest(message.bytePointer, message.count, &digest, nil, try Algorithm.md5.method(), nil), "EVP_Digest")
        return digest
    }
}
