// Sealed envelopes against RFC 9180, and X25519 against RFC 7748.

import Testing

@testable import Cryptography

@Suite struct HPKETests {
    @Test(
        "X25519 is that of RFC 7748, section 5.2",
        arguments: [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"
            ),
        ])
    func x25519(scalar: String, point: String, result: String) throws {
        let key = try X25519PrivateKey(raw: Secret(hex(scalar)))
        #expect(try key.sharedSecret(with: hex(point)).revealed == hex(result))
    }

    /// The points of small order and their other spellings, from https://cr.yp.to/ecdh.html ("the following bytes").
    static let smallOrderPoints: [[UInt8]] = [
        [UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31),
        hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ]

    @Test("A public key of small order, whose shared secret everyone knows, is refused", arguments: smallOrderPoints)
    func smallOrder(point: [UInt8]) throws {
        let key = try SealingPrivateKey.generate()
        #expect(throws: CryptographyError.malformed("an X25519 public key of small order")) {
            _ = try HPKE.seal([1], to: SealingPublicKey(rawBytes: point), info: [], aad: [])
        }
        #expect(throws: CryptographyError.malformed("an X25519 public key of small order")) {
            _ = try HPKE.open(point + pattern(17), with: key, info: [], aad: [])
        }
    }

    /// RFC 9180's test vectors, published beside the RFC as test-vectors.json (cfrg/draft-irtf-cfrg-hpke): mode 0,
    /// KEM 32, KDF 1, AEAD 2, the first encryption. The RFC's own text prints no vector for this AEAD with this KEM.
    enum Vector {
        static let info = hex("4f6465206f6e2061204772656369616e2055726e")
        static let ephemeral = hex("179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11")
        static let encapsulated = hex("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256")
        static let recipient = hex("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d")
        static let recipientPublic = hex("430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c")
        static let key = hex("f50b0609186798729ed0564b36ef2ef8044f1f9d05636874d1f46c819c7a669f")
        static let nonce = hex("151d9929e2449747889bc923")
        static let aad = hex("436f756e742d30")
        static let plaintext = hex("4265617574792069732074727574682c20747275746820626561757479")
        static let ciphertext = hex(
            """
            e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be99319
            80a41de125a925cdad859d5b7a
            """)
    }

    @Test("Envelopes are those of RFC 9180: key schedule, ciphertext and opening")
    func standard() throws {
        let recipient = try SealingPrivateKey(raw: Secret(Vector.recipient))
        let ephemeral = try X25519PrivateKey(raw: Secret(Vector.ephemeral))
        #expect(recipient.publicKey.rawBytes == Vector.recipientPublic)
        #expect(ephemeral.publicBytes == Vector.encapsulated)

        let schedule = try KeySchedule(
            dh: ephemeral.sharedSecret(with: Vector.recipientPublic), encapsulated: Vector.encapsulated,
            recipient: Vector.recipientPublic, info: Vector.info)
        #expect(schedule.key.revealed == Vector.key)
        #expect(schedule.nonce.revealed == Vector.nonce)

        let sealed = try HPKE.seal(
            Secret(Vector.plaintext), to: recipient.publicKey, info: Vector.info, aad: Vector.aad,
            ephemeral: ephemeral)
        #expect(sealed == Vector.encapsulated + Vector.ciphertext)
        #expect(
            try HPKE.open(sealed, with: recipient, info: Vector.info, aad: Vector.aad).revealed == Vector.plaintext)
    }

    @Test("An envelope opens for its recipient and no one else", arguments: [0, 1, 32, 5000])
    func roundTrip(count: Int) throws {
        let (key, other) = (try SealingPrivateKey.generate(), try SealingPrivateKey.generate())
        let sealed = try HPKE.seal(pattern(count), to: key.publicKey, info: [1], aad: [2])
        #expect(sealed.count == count + HPKE.overhead)
        #expect(try HPKE.open(sealed, with: key, info: [1], aad: [2]).revealed == pattern(count))
        #expect(throws: CryptographyError.authenticationFailed) {
            _ = try HPKE.open(sealed, with: other, info: [1], aad: [2])
        }
        #expect(throws: CryptographyError.authenticationFailed) {
            _ = try HPKE.open(sealed, with: key, info: [], aad: [2])
        }
        #expect(throws: CryptographyError.authenticationFailed) {
            _ = try HPKE.open(sealed, with: key, info: [1], aad: [])
        }
    }

    @Test("Two envelopes of the same content have nothing in common")
    func freshness() throws {
        let key = try SealingPrivateKey.generate().publicKey
        let first = try HPKE.seal(pattern(64), to: key, info: [], aad: [])
        let second = try HPKE.seal(pattern(64), to: key, info: [], aad: [])
        #expect(first.prefix(32) != second.prefix(32))
        #expect(first.dropFirst(32) != second.dropFirst(32))
    }

    @Test("Every changed bit and every truncation of an envelope is noticed")
    func changes() throws {
        let key = try SealingPrivateKey.generate()
        let sealed = try HPKE.seal(pattern(20), to: key.publicKey, info: [], aad: [])
        for position in sealed.indices {
            var changed = sealed
            // The topmost bit of an X25519 key is ignored by the curve, but not by the key schedule.
            changed[position] ^= position == 31 ? 0x80 : 1 << UInt8(position % 8)
            #expect(throws: CryptographyError.self) { _ = try HPKE.open(changed, with: key, info: [], aad: []) }
        }
        for count in sealed.indices {
            #expect(throws: CryptographyError.self) {
                _ = try HPKE.open(Array(sealed.prefix(count)), with: key, info: [], aad: [])
            }
        }
    }

    @Test("A key that was stored and read again is the same key")
    func keys() throws {
        let key = try SealingPrivateKey.generate()
        #expect(try SealingPrivateKey(raw: key.raw).publicKey == key.publicKey)
        #expect(try SealingPublicKey(rawBytes: key.publicKey.rawBytes) == key.publicKey)
        for count in [0, 31, 33] {
            #expect(throws: CryptographyError.self) { _ = try SealingPrivateKey(raw: Secret(pattern(count))) }
            #expect(throws: CryptographyError.self) { _ = try SealingPublicKey(rawBytes: pattern(count)) }
        }
    }
}
