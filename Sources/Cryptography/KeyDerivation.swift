// Keys from other keys (HKDF) and from passphrases (scrypt).

internal import CCrypto

/// Derivation of keys from a secret.
public enum KeyDerivation {
    /// HKDF-SHA-256, extract and expand (RFC 5869).
    ///
    /// - Parameters:
    ///   - salt: May be empty, which RFC 5869 defines as 32 zero bytes.
    ///   - info: What the key is for; at most 1024 bytes, which is libcrypto's limit.
    ///   - count: Bytes wanted, 1 to 8160; throws `malformed` for another number.
    public static func hkdf(
        secret: Secret, salt: [UInt8], info: [UInt8], count: Int
    ) throws(CryptographyError) -> Secret {
        try expand(try extract(secret, salt: salt), info: info, count: count)
    }

    /// The first half of HKDF: a uniform 32-byte key from key material.
    static func extract(_ material: Secret, salt: [UInt8]) throws(CryptographyError) -> Secret {
        try salt.withRawBytes { (salt) throws(CryptographyError) -> Secret in try extract(material, salt: salt) }
    }

    /// The first half of HKDF with a salt that is secret itself.
    static func extract(_ material: Secret, salt: Secret) throws(CryptographyError) -> Secret {
        try salt.withUnsafeBytes { (salt) throws(CryptographyError) -> Secret in try extract(material, salt: salt) }
    }

    private static func extract(
        _ material: Secret, salt: UnsafeRawBufferPointer
    ) throws(CryptographyError) -> Secret {
        guard salt.isEmpty else {
            return try hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, material, "salt", salt, count: 32)
        }
        // libcrypto 3.0 treats an empty salt as a missing one; the zeros are what RFC 5869 puts in its place.
        return try extract(material, salt: [UInt8](repeating: 0, count: 32))
    }

    /// The second half of HKDF: `count` bytes bound to `info`.
    static func expand(_ key: Secret, info: [UInt8], count: Int) throws(CryptographyError) -> Secret {
        guard (1...255 * 32).contains(count) else { throw .malformed("HKDF-SHA-256 gives 1 to 8160 bytes") }
        return try info.withRawBytes { (info) throws(CryptographyError) -> Secret in
            try hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, key, "info", info, count: count)
        }
    }

    private static func hkdf(
        _ mode: CInt, _ key: Secret, _ context: StaticString, _ bytes: UnsafeRawBufferPointer, count: Int
    ) throws(CryptographyError) -> Secret {
        var mode = mode
        return try withUnsafeMutablePointer(to: &mode) { (mode) throws(CryptographyError) -> Secret in
            try key.withUnsafeBytes { (key) throws(CryptographyError) -> Secret in
                var parameters = Parameters()
                parameters.add("mode", mode)
                parameters.add("digest", "SHA256")
                parameters.add("key", key)
                parameters.add(context, bytes)
                return try derive(.hkdf, parameters, count: count)
            }
        }
    }

    /// scrypt (RFC 7914) with N = 2^`workFactor`, r = 8 and p = 1, as age uses it; needs 2^`workFactor` KiB of memory.
    static func scrypt(
        passphrase: Secret, salt: [UInt8], workFactor: Int, count: Int
    ) throws(CryptographyError) -> Secret {
        guard (1...30).contains(workFactor) else { throw .unsupported("scrypt work factor \(workFactor)") }
        var cost = UInt64(1) << UInt64(workFactor)
        var (blockSize, parallelism): (UInt32, UInt32) = (8, 1)
        // libcrypto refuses more than 32 MiB unless it is told the limit: its own sum of the work areas.
        var limit = 128 * UInt64(blockSize) * (cost + UInt64(parallelism) + 2) + 4096
        var parameters = Parameters()
        return try passphrase.withUnsafeBytes { (passphrase) throws(CryptographyError) -> Secret in
            try salt.withRawBytes { (salt) throws(CryptographyError) -> Secret in
                try withUnsafeMutablePointer(to: &cost) { (cost) throws(CryptographyError) -> Secret in
                    try withUnsafeMutablePointer(to: &limit) { (limit) throws(CryptographyError) -> Secret in
                        try withUnsafeMutablePointer(to: &blockSize) { (size) throws(CryptographyError) -> Secret in
                            try withUnsafeMutablePointer(to: &parallelism) {
                                (parallelism) throws(CryptographyError) -> Secret in
                                parameters.add("pass", passphrase)
                                parameters.add("salt", salt)
                                parameters.add("n", cost)
                                parameters.add("r", size)
                                parameters.add("p", parallelism)
                                parameters.add("maxmem_bytes", limit)
                                return try derive(.scrypt, parameters, count: count)
                            }
                        }
                    }
                }
            }
        }
    }

    private static func derive(
        _ algorithm: Algorithm, _ parameters: Parameters, count: Int
    ) throws(CryptographyError) -> Secret {
        let context = try check(EVP_KDF_CTX_new(try algorithm.method()), "EVP_KDF_CTX_new")
        defer { EVP_KDF_CTX_free(context) }
        return try Secret(count: count) { (output) throws(CryptographyError) in
            try check(EVP_KDF_derive(context, output.bytePointer, output.count, parameters.list), "EVP_KDF_derive")
        }
    }
}
