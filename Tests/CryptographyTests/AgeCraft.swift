// Makes age files that are wrong in one place and right everywhere else: the code of the header is computed after the
// fault was put in, so that the reader must find the fault itself.

@testable import Cryptography

struct AgeCraft {
    let identity: AgeIdentity
    let passphrase = Secret(ascii("correct horse"))
    let fileKey: Secret

    init() throws {
        identity = try AgeIdentity.generate()
        fileKey = try Secret.random(count: AgeFileKey.length)
    }

    /// The lines of the stanza for `identity`.
    func x25519Lines() throws -> [String] {
        try lines(AgeFileKey.wrap(fileKey, to: identity.recipient))
    }

    /// The lines of the stanza for `passphrase`.
    func scryptLines() throws -> [String] {
        try lines(AgeFileKey.wrap(fileKey, passphrase: passphrase, workFactor: 1))
    }

    func lines(_ stanza: AgeStanza) -> [String] {
        String(decoding: stanza.text.dropLast(), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// A file with these stanza lines, a right code, and `payload`.
    func file(
        version: String = "age-encryption.org/v1", _ lines: [String], payload: [UInt8]? = nil,
        ending: (String) -> String = { "--- \($0)\n" }
    ) throws -> [UInt8] {
        let start = ascii(([version] + lines).map { $0 + "\n" }.joined())
        let text = start + ascii("---")
        let key = try KeyDerivation.hkdf(secret: fileKey, salt: [], info: ascii("header"), count: 32)
        let code = try text.withRawBytes { (text) throws(CryptographyError) in
            try HMACSHA256.authenticate(text, key: key)
        }
        let encoded = String(decoding: Base64.encode(code.bytes), as: UTF8.self)
        let sealed = try payload ?? self.payload([(pattern(10), true)])
        return start + ascii(ending(encoded)) + sealed
    }

    /// A payload of these chunks, each with its mark for the last as given.
    func payload(_ chunks: [([UInt8], Bool)]) throws -> [UInt8] {
        var payload = try SecureRandom.bytes(AgePayload.nonceLength)
        let key = try KeyDerivation.hkdf(secret: fileKey, salt: payload, info: ascii("payload"), count: 32)
        let cipher = try CipherContext(.chaCha20Poly1305, key: key)
        for (index, (plaintext, isLast)) in chunks.enumerated() {
            var nonce = [UInt8](repeating: 0, count: 12)
            nonce[10] = UInt8(index)
            nonce[11] = isLast ? 1 : 0
            var sealed = [UInt8](repeating: 0, count: plaintext.count + 16)
            _ = try plaintext.withUnsafeBytes { plaintext in
                try nonce.withUnsafeBytes { nonce in
                    try sealed.withUnsafeMutableBytes {
                        try cipher.seal(
                            plaintext, nonce: nonce, authenticating: UnsafeRawBufferPointer(start: nil, count: 0),
                            into: $0)
                    }
                }
            }
            payload += sealed
        }
        return payload
    }

    /// Decrypts with the identity.
    func decrypted(_ file: [UInt8]) throws -> [UInt8] { try Age.decrypt(file, identities: [identity]).revealed }

    /// Decrypts with the passphrase.
    func opened(_ file: [UInt8]) throws -> [UInt8] { try Age.decrypt(file, passphrase: passphrase).revealed }
}

/// What kind of error an operation ends with; nil if with none.
enum Failure: Equatable {
    case library, authentication, malformed, noIdentity, passphrase, unsupported, other

    static func of(_ body: () throws -> Void) -> Failure? {
        do {
            try body()
            return nil
        } catch let error as CryptographyError {
            switch error {
            case .library: return .library
            case .authenticationFailed: return .authentication
            case .malformed: return .malformed
            case .noMatchingIdentity: return .noIdentity
            case .wrongPassphrase: return .passphrase
            case .unsupported: return .unsupported
            }
        } catch {
            return .other
        }
    }
}
