// Signatures: who holds the public half can tell what the holder of the private half wrote.

internal import CCrypto

/// An Ed25519 private key (RFC 8032).
///
/// `@unchecked Sendable`: libcrypto's key object is only read after the initialiser.
public final class SigningKey: @unchecked Sendable {
    /// The 32 bytes from which the key is made.
    public let seed: Secret
    /// The public half.
    public let verifyingKey: VerifyingKey
    private let key: OpaquePointer

    /// Takes a seed of 32 bytes; throws `malformed` for another length.
    public init(seed: Secret) throws(CryptographyError) {
        guard seed.count == 32 else { throw .malformed("an Ed25519 seed has 32 bytes") }
        self.seed = seed
        let key = try rawPrivateKey("ED25519", seed)
        do throws(CryptographyError) {
            verifyingKey = try VerifyingKey(rawBytes: try rawPublicBytes(key))
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
        self.key = key
    }

    /// A new random key.
    public static func generate() throws(CryptographyError) -> SigningKey {
        try SigningKey(seed: try Secret.random(count: 32))
    }

    deinit { EVP_PKEY_free(key) }

    /// The 64-byte signature of `message`; the same message always has the same signature. Throws `library`.
    public func signature(for message: UnsafeRawBufferPointer) throws(CryptographyError) -> [UInt8] {
        let context = try DigestContext()
        try check(EVP_DigestSignInit_ex(context.pointer, nil, nil, nil, nil, key, nil), "EVP_DigestSignInit_ex")
        var signature = [UInt8](repeating: 0, count: VerifyingKey.signatureLength)
        var length = signature.count
        try check(
            EVP_DigestSign(context.pointer, &signature, &length, message.bytePointer, message.count),
            "EVP_DigestSign")
        return signature
    }

    /// The 64-byte signature of `message`.
    public func signature(for message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try message.withRawBytes { (message) throws(CryptographyError) -> [UInt8] in try signature(for: message) }
    }
}

/// An Ed25519 public key (RFC 8032).
public struct VerifyingKey: Sendable, Hashable {
    /// Bytes of a signature.
    public static let signatureLength = 64
    /// The 32 bytes of the key.
    public let rawBytes: [UInt8]

    /// Throws `malformed` unless there are 32 bytes. Bytes that are no point of the curve verify nothing.
    public init(rawBytes: [UInt8]) throws(CryptographyError) {
        guard rawBytes.count == 32 else { throw .malformed("an Ed25519 public key has 32 bytes") }
        self.rawBytes = rawBytes
    }

    /// Whether `signature` is this key's signature of `message`; false as well for anything malformed.
    public func isValid(_ signature: [UInt8], for message: [UInt8]) -> Bool {
        message.withUnsafeBytes { isValid(signature, for: $0) }
    }

    /// Whether `signature` is this key's signature of `message`; false as well for anything malformed.
    public func isValid(_ signature: [UInt8], for message: UnsafeRawBufferPointer) -> Bool {
        guard signature.count == Self.signatureLength, let key = try? rawPublicKey("ED25519", rawBytes),
            let context = try? DigestContext()
        else { return false }
        // A refusal leaves its reasons in the error queue.
        defer {
            EVP_PKEY_free(key)
            ERR_clear_error()
        }
        return EVP_DigestVerifyInit_ex(context.pointer, nil, nil, nil, nil, key, nil) == 1
            && EVP_DigestVerify(
                context.pointer, signature, signature.count, message.bytePointer, message.count) == 1
    }
}
