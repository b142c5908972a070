// A stream of bytes that nobody can tell from random ones, and that whoever has the key can make again from any place on.

internal import CCrypto

/// The key stream of AES-256 in counter mode (NIST SP 800-38A), by one thread at a time.
public final class KeyStream {
    public static let keyLength = 32
    private static let blockLength: UInt64 = 16
    private let context: OpaquePointer
    private let key: Secret

    /// - Parameter key: 32 bytes. Throws `malformed` for another length, and `library`.
    public init(key: Secret) throws(CryptographyError) {
        guard key.count == Self.keyLength else { throw .malformed("the key of the stream has 32 bytes") }
        self.key = key
        context = try check(EVP_CIPHER_CTX_new(), "EVP_CIPHER_CTX_new")
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// Fills a buffer with the stream from a byte on; `offset` and the length are multiples of 16, the length below 2 GiB.
    public func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(CryptographyError) {
        precondition(offset % Self.blockLength == 0 && buffer.count % Int(Self.blockLength) == 0, "whole blocks")
        guard let length = CInt(exactly: buffer.count), let start = buffer.baseAddress else { return }
        var counter = [UInt8](repeating: 0, count: 16)
        let block = offset / Self.blockLength
        for index in 0..<8 { counter[15 - index] = UInt8(truncatingIfNeeded: block >> UInt64(8 * index)) }
        let method = try check(EVP_aes_256_ctr(), "EVP_aes_256_ctr")
        try key.withUnsafeBytes { (key) throws(CryptographyError) in
            try check(EVP_EncryptInit_ex2(context, method, key.bytePointer, counter, nil), "EVP_EncryptInit_ex2")
        }
        // The stream itself is what zeros become.
        start.initializeMemory(as: UInt8.self, repeating: 0, count: buffer.count)
        var written: CInt = 0
        try check(
            EVP_EncryptUpdate(
                context, buffer.bytePointer, &written, UnsafeRawBufferPointer(buffer).bytePointer, length),
            "EVP_EncryptUpdate")
    }
}
