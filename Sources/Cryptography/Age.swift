// Files in the age format, version 1 (https://age-encryption.org/v1), so that what this program encrypts for people
// can be decrypted without this program. Whole files in memory: they hold keys, not images.

/// Encryption and decryption of small age files.
public enum Age {
    /// Encrypts `plaintext` so that each of `recipients` can decrypt it; gives the binary form.
    ///
    /// Throws `malformed` without recipients, or for a recipient of small order.
    public static func encrypt(
        _ plaintext: UnsafeRawBufferPointer, to recipients: [AgeRecipient]
    ) throws(CryptographyError) -> [UInt8] {
        guard !recipients.isEmpty else { throw .malformed("an age file without recipients") }
        let fileKey = try Secret.random(count: AgeFileKey.length)
        var stanzas: [AgeStanza] = []
        for recipient in recipients { stanzas.append(try AgeFileKey.wrap(fileKey, to: recipient)) }
        return try encrypt(plaintext, stanzas, fileKey)
    }

    /// Encrypts `plaintext` so that each of `recipients` can decrypt it; gives the binary form.
    public static func encrypt(
        _ plaintext: Secret, to recipients: [AgeRecipient]
    ) throws(CryptographyError) -> [UInt8] {
        try plaintext.withUnsafeBytes { (bytes) throws(CryptographyError) in try encrypt(bytes, to: recipients) }
    }

    /// Encrypts `plaintext` under `passphrase`; gives the binary form.
    ///
    /// Throws `malformed` for an empty passphrase, as age does, and `unsupported` for another work factor.
    /// - Parameter workFactor: The base-2 logarithm of scrypt's cost, 1 to 22; 18 takes about a second and 256 MiB.
    public static func encrypt(
        _ plaintext: UnsafeRawBufferPointer, passphrase: Secret, workFactor: Int = 18
    ) throws(CryptographyError) -> [UInt8] {
        guard (1...AgeFileKey.largestWorkFactor).contains(workFactor) else {
            throw .unsupported("scrypt work factor \(workFactor)")
        }
        guard passphrase.count > 0 else { throw .malformed("an empty passphrase") }
        let fileKey = try Secret.random(count: AgeFileKey.length)
        let stanza = try AgeFileKey.wrap(fileKey, passphrase: passphrase, workFactor: workFactor)
        return try encrypt(plaintext, [stanza], fileKey)
    }

    /// Encrypts `plaintext` under `passphrase`; gives the binary form.
    public static func encrypt(
        _ plaintext: Secret, passphrase: Secret, workFactor: Int = 18
    ) throws(CryptographyError) -> [UInt8] {
        try plaintext.withUnsafeBytes { (bytes) throws(CryptographyError) in
            try encrypt(bytes, passphrase: passphrase, workFactor: workFactor)
        }
    }

    /// Decrypts a file, binary or armored.
    ///
    /// Throws `noMatchingIdentity` if the file is for others or for a passphrase, `authenticationFailed` if it was
    /// changed, `malformed`, or `unsupported` for another version of the format.
    public static func decrypt(
        _ file: UnsafeRawBufferPointer, identities: [AgeIdentity]
    ) throws(CryptographyError) -> Secret {
        try decrypt(file) { (stanzas) throws(CryptographyError) in
            try AgeFileKey.unwrap(stanzas, identities: identities)
        }
    }

    /// Decrypts a file, binary or armored.
    public static func decrypt(_ file: [UInt8], identities: [AgeIdentity]) throws(CryptographyError) -> Secret {
        try file.withRawBytes { (file) throws(CryptographyError) in try decrypt(file, identities: identities) }
    }

    /// Decrypts a file, binary or armored, that was encrypted under a passphrase.
    ///
    /// Throws `wrongPassphrase`, `noMatchingIdentity` if the file is not for a passphrase, `unsupported` for a work
    /// factor above 22 or another version of the format, `authenticationFailed` if the file was changed, and
    /// `malformed`.
    public static func decrypt(
        _ file: UnsafeRawBufferPointer, passphrase: Secret
    ) throws(CryptographyError) -> Secret {
        try decrypt(file) { (stanzas) throws(CryptographyError) in
            try AgeFileKey.unwrap(stanzas, passphrase: passphrase)
        }
    }

    /// Decrypts a file, binary or armored, that was encrypted under a passphrase.
    public static func decrypt(_ file: [UInt8], passphrase: Secret) throws(CryptographyError) -> Secret {
        try file.withRawBytes { (file) throws(CryptographyError) in try decrypt(file, passphrase: passphrase) }
    }

    /// Whether `file` is an age file that asks for a passphrase; false for anything that is no age file.
    public static func isPassphraseEncrypted(_ file: UnsafeRawBufferPointer) -> Bool {
        let header = try? withBinary(file) { (file) throws(CryptographyError) in try AgeHeader(parsing: file) }
        return header.map { AgeFileKey.isForPassphrase($0.stanzas) } ?? false
    }

    /// Whether `file` is an age file that asks for a passphrase; false for anything that is no age file.
    public static func isPassphraseEncrypted(_ file: [UInt8]) -> Bool {
        file.withUnsafeBytes { isPassphraseEncrypted($0) }
    }

    /// For how many recipients a file is, or says it is: each may have to be tried. nil for anything that is no age file.
    public static func stanzaCount(_ file: [UInt8]) -> Int? {
        file.withUnsafeBytes { file in
            try? withBinary(file) { (file) throws(CryptographyError) in try AgeHeader(parsing: file).stanzas.count }
        }
    }

    /// scrypt's work factor in a file that asks for a passphrase: 18 takes a second and 256 MB, and each one more twice that. nil for
    /// anything else.
    public static func workFactor(_ file: [UInt8]) -> Int? {
        header(of: file).flatMap { AgeFileKey.workFactor($0.stanzas) }
    }

    /// The length of the text in a binary age file of at most 64 KiB, told without a key; nil where its header or the least payload is
    /// not there: it is torn, or no age file.
    public static func textLength(_ file: [UInt8]) -> Int? {
        guard let header = header(of: file), file.count - header.length >= AgePayload.overhead else { return nil }
        return file.count - header.length - AgePayload.overhead
    }

    private static func header(of file: [UInt8]) -> AgeHeader? {
        file.withUnsafeBytes { file in
            try? AgeHeader(parsing: file)  // What does not parse asks for nothing, and has no text.
        }
    }

    private static func encrypt(
        _ plaintext: UnsafeRawBufferPointer, _ stanzas: [AgeStanza], _ fileKey: Secret
    ) throws(CryptographyError) -> [UInt8] {
        let header = try AgeHeader(stanzas: stanzas).encoded(fileKey: fileKey)
        return header + (try AgePayload.seal(plaintext, fileKey: fileKey))
    }

    private static func decrypt(
        _ file: UnsafeRawBufferPointer, _ unwrap: ([AgeStanza]) throws(CryptographyError) -> Secret
    ) throws(CryptographyError) -> Secret {
        try withBinary(file) { (file) throws(CryptographyError) -> Secret in
            let header = try AgeHeader(parsing: file)
            let fileKey = try unwrap(header.stanzas)
            try header.authenticate(fileKey: fileKey)
            return try AgePayload.open(file.slice(header.length, file.count - header.length), fileKey: fileKey)
        }
    }

    /// Calls `body` with the binary form of `file`.
    private static func withBinary<R>(
        _ file: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws(CryptographyError) -> R
    ) throws(CryptographyError) -> R {
        guard AgeArmor.isArmored(file) else { return try body(file) }
        return try AgeArmor.decode(file).withRawBytes(body)
    }
}
