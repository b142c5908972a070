// One owner for libcrypto's context of a keyed hash, and the HMAC that the header of an age file needs.

internal import CCrypto

/// A keyed hash's context with its key set; it may be used again and again, by one thread at a time.
final class MACContext {
    private let pointer: OpaquePointer

    /// `outputLength` is given for BLAKE2b, whose length is a parameter; `digest` for HMAC.
    init(
        _ algorithm: Algorithm, key: Secret, outputLength: Int? = nil, digest: StaticString? = nil
    ) throws(CryptographyError) {
        pointer = try check(EVP_MAC_CTX_new(try algorithm.method()), "EVP_MAC_CTX_new")
        var size = outputLength ?? 0
        try key.withUnsafeBytes { (key) throws(CryptographyError) in
            let status = withUnsafeMutablePointer(to: &size) { size in
                var parameters = Parameters()
                if outputLength != nil { parameters.add("size", size) }
                if let digest { parameters.add("digest", digest) }
                return EVP_MAC_init(pointer, key.bytePointer, key.count, parameters.list)
            }
            try check(status, "EVP_MAC_init")
        }
    }

    deinit { EVP_MAC_CTX_free(pointer) }

    /// The 32-byte result for `message`.
    func authenticate(_ message: UnsafeRawBufferPointer) throws(CryptographyError) -> Digest {
        // A null key starts a new message under the key that is set: no key schedule, no copy of the context.
        try check(EVP_MAC_init(pointer, nil, 0, nil), "EVP_MAC_init")
        try check(EVP_MAC_update(pointer, message.bytePointer, message.count), "EVP_MAC_update")
        var digest = Digest.zero
        var written = 0
        let status = withUnsafeMutableBytes(of: &digest) { buffer in
            EVP_MAC_final(pointer, buffer.bytePointer, &written, buffer.count)
        }
        try check(status, "EVP_MAC_final")
        return digest
    }
}

/// HMAC-SHA-256 (RFC 2104).
enum HMACSHA256 {
    static func authenticate(
        _ message: UnsafeRawBufferPointer, key: Secret
    ) throws(CryptographyError) -> Digest {
        try MACContext(.hmac, key: key, digest: "SHA256").authenticate(message)
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
