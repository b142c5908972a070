// One owner for libcrypto's contexts of an AEAD cipher: the key is set once, each message sets its nonce alone.

internal import CCrypto
internal import Glibc

/// Sealing and opening under one key, with a 32-byte key, a 12-byte nonce and a 16-byte tag; by one thread at a time.
final class CipherContext {
    static let tagLength = 16
    static let nonceLength = 12
    static let keyLength = 32

    private let encryption: OpaquePointer
    private let decryption: OpaquePointer

    init(_ algorithm: Algorithm, key: Secret) throws(CryptographyError) {
        guard key.count == Self.keyLength else { throw .malformed("the key of this cipher has 32 bytes") }
        let cipher = try algorithm.method()
        let encryption = try check(EVP_CIPHER_CTX_new(), "EVP_CIPHER_CTX_new")
        guard let decryption = EVP_CIPHER_CTX_new() else {
            EVP_CIPHER_CTX_free(encryption)
            throw libraryError("EVP_CIPHER_CTX_new")
        }
        self.encryption = encryption
        self.decryption = decryption
        try key.withUnsafeBytes { (key) throws(CryptographyError) in
            try check(EVP_EncryptInit_ex2(encryption, cipher, key.bytePointer, nil, nil), "EVP_EncryptInit_ex2")
            try check(EVP_DecryptInit_ex2(decryption, cipher, key.bytePointer, nil, nil), "EVP_DecryptInit_ex2")
        }
    }

    deinit {
        EVP_CIPHER_CTX_free(encryption)
        EVP_CIPHER_CTX_free(decryption)
    }

    /// Writes the ciphertext and then the tag to `output`; gives the number of bytes written.
    func seal(
        _ plaintext: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer,
        authenticating associated: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CryptographyError) -> Int {
        precondition(nonce.count == Self.nonceLength, "the nonce has 12 bytes")
        precondition(output.count >= plaintext.count + Self.tagLength, "room for the ciphertext and its tag")
        let (length, associatedLength) = (try callLength(plaintext), try callLength(associated))
        let start = output.bytePointer
        var written: CInt = 0
        try check(EVP_EncryptInit_ex2(encryption, nil, nil, nonce.bytePointer, nil), "EVP_EncryptInit_ex2")
        if associatedLength > 0 {
            try check(
                EVP_EncryptUpdate(encryption, nil, &written, associated.bytePointer, associatedLength),
                "EVP_EncryptUpdate")
        }
        if length > 0 {
            try check(
                EVP_EncryptUpdate(encryption, start, &written, plaintext.bytePointer, length), "EVP_EncryptUpdate")
        }
        try check(EVP_EncryptFinal_ex(encryption, start + plaintext.count, &written), "EVP_EncryptFinal_ex")
        try check(
            EVP_CIPHER_CTX_ctrl(
                encryption, EVP_CTRL_AEAD_GET_TAG, CInt(Self.tagLength), start + plaintext.count),
            "EVP_CIPHER_CTX_ctrl")
        return plaintext.count + Self.tagLength
    }

    /// Writes the plaintext to `output`; gives the number of bytes written.
    ///
    /// The tag can be checked only after the plaintext is out, so `output` is erased if it does not match.
    func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer,
        authenticating associated: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CryptographyError) -> Int {
        precondition(nonce.count == Self.nonceLength, "the nonce has 12 bytes")
        guard sealed.count >= Self.tagLength else { throw .authenticationFailed }
        let count = sealed.count - Self.tagLength
        precondition(output.count >= count, "room for the plaintext")
        let ciphertext = sealed.slice(0, count)
        let (length, associatedLength) = (try callLength(ciphertext), try callLength(associated))
        let start = output.bytePointer
        var opened = false
        defer { if !opened { explicit_bzero(start, count) } }
        var written: CInt = 0
        try check(EVP_DecryptInit_ex2(decryption, nil, nil, nonce.bytePointer, nil), "EVP_DecryptInit_ex2")
        let tag = UnsafeMutablePointer(mutating: sealed.slice(count, Self.tagLength).bytePointer)
        try check(
            EVP_CIPHER_CTX_ctrl(decryption, EVP_CTRL_AEAD_SET_TAG, CInt(Self.tagLength), tag),
            "EVP_CIPHER_CTX_ctrl")
        if associatedLength > 0 {
            try check(
                EVP_DecryptUpdate(decryption, nil, &written, associated.bytePointer, associatedLength),
                "EVP_DecryptUpdate")
        }
        if length > 0 {
            try check(
                EVP_DecryptUpdate(decryption, start, &written, ciphertext.bytePointer, length), "EVP_DecryptUpdate")
        }
        guard EVP_DecryptFinal_ex(decryption, start + count, &written) == 1 else {
            ERR_clear_error()
            throw .authenticationFailed
        }
        opened = true
        return count
    }

    /// A length as the C `int` of OpenSSL's calls.
    private func callLength(_ buffer: UnsafeRawBufferPointer) throws(CryptographyError) -> CInt {
        guard let length = CInt(exactly: buffer.count) else { throw .unsupported("a message of 2 GiB or more") }
        return length
    }
}
