// Diffie-Hellman on Curve25519, beneath both our own sealed envelopes and the age format.

internal import CCrypto

/// An X25519 private key (RFC 7748).
///
/// `@unchecked Sendable`: libcrypto's key object is only read after the initialiser.
final class X25519PrivateKey: @unchecked Sendable {
    static let length = 32

    /// The 32 bytes of the key.
    let raw: Secret
    /// The 32 bytes of its public half.
    let publicBytes: [UInt8]
    private let key: OpaquePointer

    init(raw: Secret) throws(CryptographyError) {
        guard raw.count == Self.length else { throw .malformed("an X25519 private key has 32 bytes") }
        self.raw = raw
        let key = try rawPrivateKey("X25519", raw)
        do throws(CryptographyError) {
            publicBytes = try rawPublicBytes(key)
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
        self.key = key
    }

    static func generate() throws(CryptographyError) -> X25519PrivateKey {
        try X25519PrivateKey(raw: try Secret.random(count: length))
    }

    deinit { EVP_PKEY_free(key) }

    /// The secret shared with the holder of `peer`.
    ///
    /// Throws `malformed` for a public key of small order: its shared secret is zero for every private key, so that
    /// anyone knows it (RFC 7748, section 6.1).
    func sharedSecret(with peer: [UInt8]) throws(CryptographyError) -> Secret {
        guard peer.count == Self.length else { throw .malformed("an X25519 public key has 32 bytes") }
        let peerKey = try rawPublicKey("X25519", peer)
        defer { EVP_PKEY_free(peerKey) }
        let context = try check(EVP_PKEY_CTX_new_from_pkey(nil, key, nil), "EVP_PKEY_CTX_new_from_pkey")
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_derive_init(context), "EVP_PKEY_derive_init")
        try check(EVP_PKEY_derive_set_peer(context, peerKey), "EVP_PKEY_derive_set_peer")
        let zero = Secret([UInt8](repeating: 0, count: Self.length))
        let shared = try Secret(count: Self.length) { (output) throws(CryptographyError) in
            var length = output.count
            // libcrypto refuses an all-zero result itself; the comparison below does not rely on that.
            guard EVP_PKEY_derive(context, output.bytePointer, &length) == 1, length == output.count else {
                ERR_clear_error()
                throw .malformed("an X25519 public key of small order")
            }
        }
        if shared == zero { throw .malformed("an X25519 public key of small order") }
        return shared
    }
}

/// libcrypto's key object for the raw private key of a curve; to be freed by the caller.
func rawPrivateKey(_ type: StaticString, _ raw: Secret) throws(CryptographyError) -> OpaquePointer {
    try raw.withUnsafeBytes { (bytes) throws(CryptographyError) -> OpaquePointer in
        try check(
            EVP_PKEY_new_raw_private_key_ex(nil, type.cString, nil, bytes.bytePointer, bytes.count),
            "EVP_PKEY_new_raw_private_key_ex")
    }
}

/// libcrypto's key object for the raw public key of a curve; to be freed by the caller.
func rawPublicKey(_ type: StaticString, _ raw: [UInt8]) throws(CryptographyError) -> OpaquePointer {
    try check(
        EVP_PKEY_new_raw_public_key_ex(nil, type.cString, nil, raw, raw.count), "EVP_PKEY_new_raw_public_key_ex")
}

/// The 32 bytes of the public half of `key`.
func rawPublicBytes(_ key: OpaquePointer) throws(CryptographyError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    var length = bytes.count
    try check(EVP_PKEY_get_raw_public_key(key, &bytes, &length), "EVP_PKEY_get_raw_public_key")
    return bytes
}
