// Sealed envelopes: hybrid public key encryption of one small message (RFC 9180).

/// HPKE in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM; one message an envelope.
///
/// An envelope is the 32-byte encapsulated key, the ciphertext and the 16-byte tag.
public enum HPKE {
    /// Bytes that sealing adds to the plaintext.
    public static let overhead = 32 + CipherContext.tagLength

    /// Seals `plaintext` to the holder of `recipient`.
    ///
    /// `info` and `aad` must be given again to open it. Throws `malformed` for a recipient of small order.
    public static func seal(
        _ plaintext: Secret, to recipient: SealingPublicKey, info: [UInt8], aad: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        try seal(plaintext, to: recipient, info: info, aad: aad, ephemeral: try X25519PrivateKey.generate())
    }

    /// Seals `plaintext`, bytes that need no protection in memory.
    public static func seal(
        _ plaintext: [UInt8], to recipient: SealingPublicKey, info: [UInt8], aad: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        try seal(Secret(plaintext), to: recipient, info: info, aad: aad)
    }

    /// Opens an envelope; throws `authenticationFailed` if it is not for this key, or not for this `info` and `aad`.
    public static func open(
        _ sealed: [UInt8], with key: SealingPrivateKey, info: [UInt8], aad: [UInt8]
    ) throws(CryptographyError) -> Secret {
        guard sealed.count >= overhead else { throw .malformed("a sealed envelope has at least \(overhead) bytes") }
        let encapsulated = [UInt8](sealed.prefix(32))
        let shared = try key.key.sharedSecret(with: encapsulated)
        let schedule = try KeySchedule(
            dh: shared, encapsulated: encapsulated, recipient: key.publicKey.rawBytes, info: info)
        return try Secret(count: sealed.count - overhead) { (output) throws(CryptographyError) in
            try sealed.withRawBytes { (sealed) throws(CryptographyError) in
                try aad.withRawBytes { (aad) throws(CryptographyError) in
                    try schedule.nonce.withUnsafeBytes { (nonce) throws(CryptographyError) in
                        _ = try CipherContext(.aes256GCM, key: schedule.key).open(
                            sealed.slice(32, sealed.count - 32), nonce: nonce, authenticating: aad, into: output)
                    }
                }
            }
        }
    }

    /// Sealing with a given ephemeral key, which must never be used twice: apart from `seal` above, for test vectors.
    static func seal(
        _ plaintext: Secret, to recipient: SealingPublicKey, info: [UInt8], aad: [UInt8], ephemeral: X25519PrivateKey
    ) throws(CryptographyError) -> [UInt8] {
        let shared = try ephemeral.sharedSecret(with: recipient.rawBytes)
        let schedule = try KeySchedule(
            dh: shared, encapsulated: ephemeral.publicBytes, recipient: recipient.rawBytes, info: info)
        var sealed = [UInt8](repeating: 0, count: plaintext.count + overhead)
        sealed.replaceSubrange(0..<32, with: ephemeral.publicBytes)
        try sealed.withMutableRawBytes { (output) throws(CryptographyError) in
            try plaintext.withUnsafeBytes { (plaintext) throws(CryptographyError) in
                try aad.withRawBytes { (aad) throws(CryptographyError) in
                    try schedule.nonce.withUnsafeBytes { (nonce) throws(CryptographyError) in
                        _ = try CipherContext(.aes256GCM, key: schedule.key).seal(
                            plaintext, nonce: nonce, authenticating: aad,
                            into: output.slice(32, output.count - 32))
                    }
                }
            }
        }
        return sealed
    }
}

/// From the Diffie-Hellman result to the key and the nonce of the only message (RFC 9180, sections 4.1 and 5.1).
struct KeySchedule {
    let key: Secret
    let nonce: Secret

    /// "KEM", then the identifier of DHKEM(X25519, HKDF-SHA256).
    private static let kemSuite = [UInt8]("KEM".utf8) + [0x00, 0x20]
    /// "HPKE", then the identifiers of the KEM, of HKDF-SHA256 and of AES-256-GCM.
    private static let suite = [UInt8]("HPKE".utf8) + [0x00, 0x20, 0x00, 0x01, 0x00, 0x02]

    init(dh: Secret, encapsulated: [UInt8], recipient: [UInt8], info: [UInt8]) throws(CryptographyError) {
        let prk = try Self.extract(Self.kemSuite, salt: [], label: "eae_prk", dh)
        let shared = try Self.expand(
            Self.kemSuite, prk, label: "shared_secret", info: encapsulated + recipient, count: 32)

        let none = Secret([])
        var context: [UInt8] = [0]  // base mode: neither a shared key nor a sender's key
        context += try Self.extract(Self.suite, salt: [], label: "psk_id_hash", none).publicBytes
        context += try Self.extract(Self.suite, salt: [], label: "info_hash", Secret(info)).publicBytes
        let secret = try Self.extract(Self.suite, salt: shared, label: "secret", none)
        key = try Self.expand(Self.suite, secret, label: "key", info: context, count: CipherContext.keyLength)
        nonce = try Self.expand(
            Self.suite, secret, label: "base_nonce", info: context, count: CipherContext.nonceLength)
    }

    private static func extract(
        _ suite: [UInt8], salt: [UInt8], label: StaticString, _ material: Secret
    ) throws(CryptographyError) -> Secret {
        try KeyDerivation.extract(labelled(suite, label, material), salt: salt)
    }

    /// The salt is the shared secret here, so it is taken from, and kept in, protected memory.
    private static func extract(
        _ suite: [UInt8], salt: Secret, label: StaticString, _ material: Secret
    ) throws(CryptographyError) -> Secret {
        try KeyDerivation.extract(labelled(suite, label, material), salt: salt)
    }

    /// "HPKE-v1", the suite, the label and the key material, as `LabeledExtract` wants them.
    private static func labelled(_ suite: [UInt8], _ label: StaticString, _ material: Secret) -> Secret {
        let prefix = [UInt8]("HPKE-v1".utf8) + suite + label.bytes
        return Secret(count: prefix.count + material.count) { (buffer) in
            buffer.copyBytes(from: prefix)
            material.withUnsafeBytes { buffer.slice(prefix.count, $0.count).copyMemory(from: $0) }
        }
    }

    private static func expand(
        _ suite: [UInt8], _ key: Secret, label: StaticString, info: [UInt8], count: Int
    ) throws(CryptographyError) -> Secret {
        let length = [UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
        let labelled = length + [UInt8]("HPKE-v1".utf8) + suite + label.bytes + info
        return try KeyDerivation.expand(key, info: labelled, count: count)
    }
}

extension Secret {
    /// A copy in ordinary memory, for what turned out to be public.
    var publicBytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

extension StaticString {
    var bytes: [UInt8] { [UInt8](UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount)) }
}
