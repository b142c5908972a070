// The payload of an age file: chunks of 64 KiB, each sealed under a counter and a mark for the last (the STREAM
// construction, C2SP age.md), so that neither truncation nor reordering goes unnoticed.

/// Sealing and opening of a whole payload.
enum AgePayload {
    static let chunkLength = 65536
    static let nonceLength = 16
    /// Nonce and tag: what a payload of one chunk has beside its text.
    static let overhead = nonceLength + CipherContext.tagLength

    /// The payload's nonce and its sealed chunks.
    static func seal(_ plaintext: UnsafeRawBufferPointer, fileKey: Secret) throws(CryptographyError) -> [UInt8] {
        let nonce = try SecureRandom.bytes(nonceLength)
        let cipher = try cipher(fileKey: fileKey, nonce: nonce)
        // An empty payload is one empty chunk.
        let chunks = max(1, (plaintext.count + chunkLength - 1) / chunkLength)
        var output = [UInt8](
            repeating: 0, count: nonceLength + plaintext.count + chunks * CipherContext.tagLength)
        output.replaceSubrange(0..<nonceLength, with: nonce)
        try output.withMutableRawBytes { (output) throws(CryptographyError) in
            for chunk in 0..<chunks {
                let start = chunk * chunkLength
                let count = min(chunkLength, plaintext.count - start)
                let position = nonceLength + chunk * (chunkLength + CipherContext.tagLength)
                try chunkNonce(chunk, isLast: chunk == chunks - 1).withRawBytes { (nonce) throws(CryptographyError) in
                    _ = try cipher.seal(
                        plaintext.slice(start, count), nonce: nonce, authenticating: nothing,
                        into: output.slice(position, count + CipherContext.tagLength))
                }
            }
        }
        return output
    }

    /// The plaintext; throws `malformed` for lengths that no payload has, and `authenticationFailed`.
    static func open(_ payload: UnsafeRawBufferPointer, fileKey: Secret) throws(CryptographyError) -> Secret {
        let sealedChunk = chunkLength + CipherContext.tagLength
        guard payload.count >= nonceLength + CipherContext.tagLength else {
            throw .malformed("an age file without its payload")
        }
        let cipher = try cipher(fileKey: fileKey, nonce: [UInt8](payload.prefix(nonceLength)))
        let sealed = payload.slice(nonceLength, payload.count - nonceLength)
        // A file that was cut, or that goes on, splits into other chunks, whose marks do not fit: opening fails.
        let chunks = (sealed.count + sealedChunk - 1) / sealedChunk
        let last = sealed.count - (chunks - 1) * sealedChunk
        guard last >= CipherContext.tagLength else { throw .malformed("the last chunk of an age file") }
        if last == CipherContext.tagLength, chunks > 1 {
            throw .malformed("the last chunk of an age file, which is empty")
        }
        return try Secret(count: sealed.count - chunks * CipherContext.tagLength) {
            (output) throws(CryptographyError) in
            for chunk in 0..<chunks {
                let count = chunk == chunks - 1 ? last : sealedChunk
                try chunkNonce(chunk, isLast: chunk == chunks - 1).withRawBytes { (nonce) throws(CryptographyError) in
                    _ = try cipher.open(
                        sealed.slice(chunk * sealedChunk, count), nonce: nonce, authenticating: nothing,
                        into: output.slice(chunk * chunkLength, count - CipherContext.tagLength))
                }
            }
        }
    }

    private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    private static func cipher(fileKey: Secret, nonce: [UInt8]) throws(CryptographyError) -> CipherContext {
        let key = try KeyDerivation.hkdf(secret: fileKey, salt: nonce, info: [UInt8]("payload".utf8), count: 32)
        return try CipherContext(.chaCha20Poly1305, key: key)
    }

    /// Eleven bytes of counter, the most significant first, and a byte that is 1 in the last chunk alone.
    private static func chunkNonce(_ chunk: Int, isLast: Bool) -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: CipherContext.nonceLength)
        for index in 0..<8 { nonce[10 - index] = UInt8(truncatingIfNeeded: chunk >> (8 * index)) }
        nonce[11] = isLast ? 1 : 0
        return nonce
    }
}
