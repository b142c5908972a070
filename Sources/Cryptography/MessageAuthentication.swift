// The HMAC that the header of an age file and the requests to an object store need.

internal import CCrypto

/// HMAC-SHA-256 (RFC 2104).
public enum HMACSHA256 {
    /// The authentication code of a message; throws `library`.
    public static func authenticate(
        _ message: UnsafeRawBufferPointer, key: Secret
    ) throws(CryptographyError) -> Digest {
        let context = try check(EVP_MAC_CTX_new(try Algorithm.hmac.method()), "EVP_MAC_CTX_new")
        defer { EVP_MAC_CTX_free(context) }
        var parameters = Parameters()
        parameters.add("digest", "SHA256")
        try key.withUnsafeBytes { (key) throws(CryptographyError) in
            try check(EVP_MAC_init(context, key.bytePointer, key.count, parameters.list), "EVP_MAC_init")
        }
        try check(EVP_MAC_update(context, message.bytePointer, message.count), "EVP_MAC_update")
        var digest = Digest.zero
        var written = 0
        let status = withUnsafeMutableBytes(of: &digest) { buffer in
            EVP_MAC_final(context, buffer.bytePointer, &written, buffer.count)
        }
        try check(status, "EVP_MAC_final")
        return digest
    }
}

extension UnsafeRawBufferPointer {
    /// The start as OpenSSL's `unsigned char *`; never null, as some calls take a null pointer for another request.
    var bytePointer: UnsafePointer<UInt8> {
        UnsafePointer((baseAddress ?? emptyBuffer).assumingMemoryBound(to: UInt8.self))
    }
}

extension UnsafeMutableRawBufferPointer {
    /// The start as OpenSSL's `unsigned char *`; never null, as some calls take a null pointer for another request.
    var bytePointer: UnsafeMutablePointer<UInt8> {
        (baseAddress ?? UnsafeMutableRawPointer(mutating: emptyBuffer)).assumingMemoryBound(to: UInt8.self)
    }
}

/// An address for empty buffers, of which nothing is read or written.
private var emptyBuffer: UnsafeRawPointer { UnsafeRawPointer(("" as StaticString).utf8Start) }
