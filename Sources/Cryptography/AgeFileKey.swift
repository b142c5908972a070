// How the file key of an age file is wrapped for a recipient: by X25519, or by a passphrase and scrypt (C2SP age.md).

/// The wrapping and unwrapping of file keys.
enum AgeFileKey {
    static let length = 16
    private static let x25519: StaticString = "X25519"
    private static let scrypt: StaticString = "scrypt"
    private static let x25519Info = [UInt8]("age-encryption.org/v1/X25519".utf8)
    private static let scryptLabel = [UInt8]("age-encryption.org/v1/scrypt".utf8)
    private static let scryptSaltLength = 16
    /// Beyond this, reading a file would need more than 4 GiB of memory: whoever sent the file must not decide that.
    static let largestWorkFactor = 22

    // MARK: X25519

    static func wrap(_ fileKey: Secret, to recipient: AgeRecipient) throws(CryptographyError) -> AgeStanza {
        let ephemeral = try X25519PrivateKey.generate()
        let shared = try ephemeral.sharedSecret(with: recipient.rawBytes)
        let key = try KeyDerivation.hkdf(
            secret: shared, salt: ephemeral.publicBytes + recipient.rawBytes, info: x25519Info, count: 32)
        return AgeStanza(
            [x25519.bytes, Base64.encode(ephemeral.publicBytes)], body: try seal(fileKey, under: key))
    }

    /// The file key, from the first stanza that is for one of `identities`.
    static func unwrap(
        _ stanzas: [AgeStanza], identities: [AgeIdentity]
    ) throws(CryptographyError) -> Secret {
        try requireLoneScrypt(stanzas)
        var shares: [(share: [UInt8], body: [UInt8])] = []
        for stanza in stanzas where stanza.isOfType(x25519) {
            guard stanza.arguments.count == 2, let share = Base64.decode(stanza.arguments[1]),
                share.count == X25519PrivateKey.length
            else { throw .malformed("an X25519 stanza") }
            shares.append((share, stanza.body))
        }
        for identity in identities {
            for (share, body) in shares {
                let shared = try identity.key.sharedSecret(with: share)
                let key = try KeyDerivation.hkdf(
                    secret: shared, salt: share + identity.key.publicBytes, info: x25519Info, count: 32)
                if let fileKey = try open(body, under: key) { return fileKey }
            }
        }
        throw .noMatchingIdentity
    }

    // MARK: Passphrase

    static func wrap(
        _ fileKey: Secret, passphrase: Secret, workFactor: Int
    ) throws(CryptographyError) -> AgeStanza {
        let salt = try SecureRandom.bytes(scryptSaltLength)
        let key = try KeyDerivation.scrypt(
            passphrase: passphrase, salt: scryptLabel + salt, workFactor: workFactor, count: 32)
        return AgeStanza(
            [scrypt.bytes, Base64.encode(salt), [UInt8](String(workFactor).utf8)],
            body: try seal(fileKey, under: key))
    }

    static func unwrap(_ stanzas: [AgeStanza], passphrase: Secret) throws(CryptographyError) -> Secret {
        try requireLoneScrypt(stanzas)
        guard let stanza = stanzas.first(where: { $0.isOfType(scrypt) }) else { throw .noMatchingIdentity }
        guard stanza.arguments.count == 3, let salt = Base64.decode(stanza.arguments[1]),
            salt.count == scryptSaltLength, let workFactor = workFactor(stanza.arguments[2])
        else { throw .malformed("a scrypt stanza") }
        guard workFactor <= largestWorkFactor else {
            throw .unsupported("scrypt work factor above \(largestWorkFactor)")
        }
        // Before the work: a body of another length cannot be opened, whatever the passphrase.
        try requireBodyLength(stanza.body)
        let key = try KeyDerivation.scrypt(
            passphrase: passphrase, salt: scryptLabel + salt, workFactor: workFactor, count: 32)
        guard let fileKey = try open(stanza.body, under: key) else { throw .wrongPassphrase }
        return fileKey
    }

    /// Whether the file is for a passphrase.
    static func isForPassphrase(_ stanzas: [AgeStanza]) -> Bool {
        stanzas.contains { $0.isOfType(scrypt) }
    }

    /// What a file for a passphrase asks of whoever tries one, as a power of two; nil for any other.
    static func workFactor(_ stanzas: [AgeStanza]) -> Int? {
        guard let stanza = stanzas.first(where: { $0.isOfType(scrypt) }), stanza.arguments.count == 3 else {
            return nil
        }
        return workFactor(stanza.arguments[2])
    }

    /// A passphrase authenticates who wrote a file, which a second recipient would undo: so the format forbids one.
    private static func requireLoneScrypt(_ stanzas: [AgeStanza]) throws(CryptographyError) {
        if stanzas.count > 1, isForPassphrase(stanzas) {
            throw .malformed("a passphrase is one of several recipients of the age file")
        }
    }

    /// A positive decimal number without leading zeros; large ones are all as good as 1000.
    private static func workFactor(_ digits: [UInt8]) -> Int? {
        guard let first = digits.first, first != UInt8(ascii: "0"),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return digits.count > 3 ? 1000 : Int(String(decoding: digits, as: UTF8.self))
    }

    // MARK: The wrapped key

    /// Each wrapping key is used once, hence the nonce of zeros.
    private static let nonce = [UInt8](repeating: 0, count: CipherContext.nonceLength)

    private static func seal(_ fileKey: Secret, under key: Secret) throws(CryptographyError) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: fileKey.count + CipherContext.tagLength)
        try body.withMutableRawBytes { (body) throws(CryptographyError) in
            try fileKey.withUnsafeBytes { (fileKey) throws(CryptographyError) in
                try nonce.withRawBytes { (nonce) throws(CryptographyError) in
                    _ = try CipherContext(.chaCha20Poly1305, key: key).seal(
                        fileKey, nonce: nonce, authenticating: UnsafeRawBufferPointer(start: nil, count: 0),
                        into: body)
                }
            }
        }
        return body
    }

    /// The file key, or nil if `body` was not wrapped under `key`.
    private static func open(_ body: [UInt8], under key: Secret) throws(CryptographyError) -> Secret? {
        // Checked first, lest a body of another length serve to try many keys at once (the partitioning oracle attack).
        try requireBodyLength(body)
        do throws(CryptographyError) {
            return try Secret(count: length) { (fileKey) throws(CryptographyError) in
                try body.withRawBytes { (body) throws(CryptographyError) in
                    try nonce.withRawBytes { (nonce) throws(CryptographyError) in
                        _ = try CipherContext(.chaCha20Poly1305, key: key).open(
                            body, nonce: nonce, authenticating: UnsafeRawBufferPointer(start: nil, count: 0),
                            into: fileKey)
                    }
                }
            }
        } catch .authenticationFailed {
            return nil
        }
    }

    private static func requireBodyLength(_ body: [UInt8]) throws(CryptographyError) {
        guard body.count == length + CipherContext.tagLength else {
            throw .malformed("the wrapped file key of an age stanza")
        }
    }
}
