// Signatures against RFC 8032, and against forgeries.

import Testing

@testable import Cryptography

@Suite struct SigningTests {
    struct Vector: Sendable {
        var seed: [UInt8]
        var key: [UInt8]
        var message: [UInt8]
        var signature: [UInt8]
    }

    /// RFC 8032, section 7.1, tests 1 to 3.
    static let vectors: [Vector] = [
        Vector(
            seed: hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
            key: hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), message: [],
            signature: hex(
                """
                e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
                5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b
                """)),
        Vector(
            seed: hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
            key: hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), message: [0x72],
            signature: hex(
                """
                92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
                085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00
                """)),
        Vector(
            seed: hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"),
            key: hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"), message: [0xaf, 0x82],
            signature: hex(
                """
                6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
                18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a
                """)),
    ]

    @Test("Ed25519 is that of RFC 8032", arguments: vectors)
    func standard(vector: Vector) throws {
        let key = try SigningKey(seed: Secret(vector.seed))
        #expect(key.verifyingKey.rawBytes == vector.key)
        #expect(try key.signature(for: vector.message) == vector.signature)
        #expect(key.verifyingKey.isValid(vector.signature, for: vector.message))
        #expect(key.seed.revealed == vector.seed)
    }

    @Test("A signature is valid for its message, its key and itself alone")
    func forgeries() throws {
        let key = try SigningKey.generate()
        let message = pattern(200)
        let signature = try key.signature(for: message)
        #expect(key.verifyingKey.isValid(signature, for: message))
        #expect(try !SigningKey.generate().verifyingKey.isValid(signature, for: message))
        #expect(!key.verifyingKey.isValid(signature, for: pattern(201)))
        #expect(!key.verifyingKey.isValid(signature, for: []))
        for position in signature.indices {
            var changed = signature
            changed[position] ^= 1 << UInt8(position % 8)
            #expect(!key.verifyingKey.isValid(changed, for: message))
        }
        for count in [0, 63, 65] { #expect(!key.verifyingKey.isValid(pattern(count), for: message)) }
    }

    @Test("A public key that is no point of the curve verifies nothing")
    func badKeys() throws {
        let signature = try SigningKey.generate().signature(for: [1])
        // 2 is the y coordinate of no point; all ones is beyond the field.
        for bytes in [[2] + [UInt8](repeating: 0, count: 31), [UInt8](repeating: 0xff, count: 32)] {
            #expect(try !VerifyingKey(rawBytes: bytes).isValid(signature, for: [1]))
        }
    }

    @Test("Keys of another length are refused", arguments: [0, 31, 33, 64])
    func keyLengths(count: Int) {
        #expect(throws: CryptographyError.self) { _ = try SigningKey(seed: Secret(pattern(count))) }
        #expect(throws: CryptographyError.self) { _ = try VerifyingKey(rawBytes: pattern(count)) }
    }

    @Test("Of a list of signers those keys count that nobody has commented out or limited")
    func signers() throws {
        let line = SSHSignature.line(of: try SigningKey.generate().verifyingKey)
        for good in [line, "\(line) anna@plant", "anna@plant \(line)", "anna,berta\t\(line) comment"] {
            #expect(SSHSignature.keys(ofSigners: "x\n\(good)\n").count == 1, "\(good)")
        }
        for bad in [
            "# \(line)", "# revoked: \(line)", "#\(line)", "x valid-before=\"20200101\" \(line)",
            "x namespaces=\"git\" \(line)",
            "x cert-authority \(line)", "cert-authority \(line)", "x ssh-rsa AAAA # was \(line)",
            "command=\"x\" \(line)",
        ] {
            #expect(SSHSignature.keys(ofSigners: bad).isEmpty, "\(bad)")
        }
    }
}
