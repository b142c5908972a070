// Random bytes for keys, nonces and salts.

internal import CCrypto

/// The random generator of libcrypto, seeded by the kernel.
public enum SecureRandom {
    /// Overwrites `buffer` with random bytes; throws `library` if the generator cannot be seeded.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(CryptographyError) {
        guard let start = buffer.baseAddress, buffer.count > 0 else { return }
        try check(
            RAND_bytes_ex(nil, start.assumingMemoryBound(to: UInt8.self), buffer.count, 256), "RAND_bytes_ex")
    }

    /// `count` random bytes that are no secret, such as a salt; for a key take `Secret.random`.
    public static func bytes(_ count: Int) throws(CryptographyError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withMutableRawBytes { (buffer) throws(CryptographyError) in try fill(buffer) }
        return bytes
    }
}
