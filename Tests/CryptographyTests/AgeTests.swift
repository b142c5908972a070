// Our age files, as a whole: what goes in comes out, for those who may, and unchanged or not at all.

import Testing

@testable import Cryptography

@Suite struct AgeTests {
    private static func encrypted(_ plaintext: [UInt8], to recipients: [AgeRecipient]) throws -> [UInt8] {
        try plaintext.withRawBytes { (plaintext) throws(CryptographyError) in
            try Age.encrypt(plaintext, to: recipients)
        }
    }

    @Test(
        "What was encrypted to several people, each of them can decrypt",
        arguments: [0, 1, 65535, 65536, 65537, 131_072, 200_000])
    func roundTrip(count: Int) throws {
        let identities = try (0..<3).map { _ in try AgeIdentity.generate() }
        let file = try Self.encrypted(pattern(count), to: identities.map(\.recipient))
        for identity in identities {
            #expect(try Age.decrypt(file, identities: [identity]).revealed == pattern(count))
        }
        #expect(try Age.decrypt(file, identities: [.generate(), identities[1]]).revealed == pattern(count))
        #expect(throws: CryptographyError.noMatchingIdentity) {
            _ = try Age.decrypt(file, identities: [.generate()])
        }
        #expect(throws: CryptographyError.noMatchingIdentity) { _ = try Age.decrypt(file, identities: []) }
        #expect(throws: CryptographyError.noMatchingIdentity) { _ = try Age.decrypt(file, passphrase: Secret([1])) }
        #expect(!Age.isPassphraseEncrypted(file))
    }

    @Test("What was encrypted under a passphrase opens with it and with no other")
    func passphrase() throws {
        let passphrase = Secret(ascii("correct horse"))
        let file = try Age.encrypt(Secret(pattern(100)), passphrase: passphrase, workFactor: 10)
        #expect(Age.isPassphraseEncrypted(file))
        #expect(try Age.decrypt(file, passphrase: passphrase).revealed == pattern(100))
        #expect(throws: CryptographyError.wrongPassphrase) {
            _ = try Age.decrypt(file, passphrase: Secret(ascii("correct horse ")))
        }
        #expect(throws: CryptographyError.wrongPassphrase) { _ = try Age.decrypt(file, passphrase: Secret([])) }
        #expect(throws: CryptographyError.noMatchingIdentity) {
            _ = try Age.decrypt(file, identities: [.generate()])
        }
    }

    @Test("A file that nobody could read is not written")
    func refusals() throws {
        #expect(throws: CryptographyError.self) { _ = try Age.encrypt(Secret([1]), to: []) }
        #expect(throws: CryptographyError.malformed("an empty passphrase")) {
            _ = try Age.encrypt(Secret([1]), passphrase: Secret([]), workFactor: 1)
        }
        for workFactor in [-1, 0, 23, 64] {
            #expect(throws: CryptographyError.self) {
                _ = try Age.encrypt(Secret([1]), passphrase: Secret([1]), workFactor: workFactor)
            }
        }
    }

    @Test("A changed byte anywhere in a file is noticed", arguments: [0x01, 0x20, 0x80] as [UInt8])
    func changedBytes(mask: UInt8) throws {
        let identity = try AgeIdentity.generate()
        let file = try Self.encrypted(
            pattern(50), to: [AgeIdentity.generate().recipient, identity.recipient])
        for position in file.indices {
            var changed = file
            changed[position] ^= mask
            #expect(throws: CryptographyError.self, "byte \(position)") {
                _ = try Age.decrypt(changed, identities: [identity])
            }
        }
    }

    @Test("A changed byte anywhere in a file under a passphrase is noticed")
    func changedBytesUnderPassphrase() throws {
        let passphrase = Secret(ascii("correct horse"))
        let file = try Age.encrypt(Secret(pattern(50)), passphrase: passphrase, workFactor: 2)
        for position in file.indices {
            var changed = file
            changed[position] ^= 0x01
            #expect(throws: CryptographyError.self, "byte \(position)") {
                _ = try Age.decrypt(changed, passphrase: passphrase)
            }
        }
    }

    @Test("A file that was cut anywhere, or goes on, is refused")
    func truncations() throws {
        let identity = try AgeIdentity.generate()
        let file = try Self.encrypted(pattern(50), to: [identity.recipient])
        for count in file.indices {
            #expect(throws: CryptographyError.self, "\(count) bytes") {
                _ = try Age.decrypt(Array(file.prefix(count)), identities: [identity])
            }
            _ = Age.isPassphraseEncrypted(Array(file.prefix(count)))
        }
        for tail in [[0], [UInt8](repeating: 0, count: 16), pattern(70_000), file] {
            #expect(throws: CryptographyError.self) { _ = try Age.decrypt(file + tail, identities: [identity]) }
        }
    }

    @Test("A large file that was cut between or within its chunks is refused")
    func truncatedChunks() throws {
        let identity = try AgeIdentity.generate()
        let file = try Self.encrypted(pattern(3 * 65536), to: [identity.recipient])
        for cut in [1, 15, 16, 17, 65535, 65536, 65551, 65552, 65553, 65568, 2 * 65552, 3 * 65552, 3 * 65552 + 16] {
            #expect(throws: CryptographyError.self, "less \(cut) bytes") {
                _ = try Age.decrypt(Array(file.dropLast(cut)), identities: [identity])
            }
        }
        // The second chunk in the place of the first, and the other way round.
        let payload = file.count - 3 * 65552
        let swapped =
            file[..<payload] + file[(payload + 65552)..<(payload + 2 * 65552)]
            + file[payload..<(payload + 65552)] + file[(payload + 2 * 65552)...]
        #expect(swapped.count == file.count)
        #expect(throws: CryptographyError.authenticationFailed) {
            _ = try Age.decrypt(Array(swapped), identities: [identity])
        }
    }

    @Test("The header of one file does not go with the payload of another")
    func mixedFiles() throws {
        let identity = try AgeIdentity.generate()
        let first = try Self.encrypted(pattern(50), to: [identity.recipient])
        let second = try Self.encrypted(pattern(50), to: [identity.recipient])
        #expect(throws: CryptographyError.authenticationFailed) {
            _ = try Age.decrypt(Array(first.dropLast(82)) + second.suffix(82), identities: [identity])
        }
    }

    @Test("Files spoiled at random never crash the reader nor yield other content", arguments: 0..<4 as Range<UInt64>)
    func spoiledFiles(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let identity = try AgeIdentity.generate()
        let file = try Self.encrypted(pattern(20), to: [identity.recipient, identity.recipient])
        let pieces = [
            "\n", "-> ", "---", "--- ", " ", "X25519", "\r\n", "=", "AAAA", "-----BEGIN AGE ENCRYPTED FILE-----\n",
        ].map(ascii)
        for round in 0..<500 {
            var spoiled = file
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                let start = Int.random(in: 0...spoiled.count, using: &generator)
                let end = min(spoiled.count, start + Int.random(in: 0...4, using: &generator))
                spoiled.replaceSubrange(start..<end, with: pieces.randomElement(using: &generator) ?? [])
            }
            if spoiled == file { continue }
            _ = Age.isPassphraseEncrypted(spoiled)
            #expect(throws: CryptographyError.self, "seed \(seed), round \(round)") {
                _ = try Age.decrypt(spoiled, identities: [identity])
            }
        }
    }
}
