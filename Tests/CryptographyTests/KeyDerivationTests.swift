// Derived keys against the vectors of their standards.

import Testing

@testable import Cryptography

@Suite struct KeyDerivationTests {
    struct Vector: Sendable {
        var material: [UInt8]
        var salt: [UInt8]
        var info: [UInt8]
        var key: [UInt8]
    }

    /// RFC 5869, test cases 1 to 3.
    static let vectors: [Vector] = [
        Vector(
            material: [UInt8](repeating: 0x0b, count: 22), salt: Array(0x00...0x0c), info: Array(0xf0...0xf9),
            key: hex(
                """
                3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf
                34007208d5b887185865
                """)),
        Vector(
            material: Array(0x00...0x4f), salt: Array(0x60...0xaf), info: Array(0xb0...0xff),
            key: hex(
                """
                b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c
                59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71
                cc30c58179ec3e87c14c01d5c1f3434f1d87
                """)),
        Vector(
            material: [UInt8](repeating: 0x0b, count: 22), salt: [], info: [],
            key: hex(
                """
                8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d
                9d201395faa4b61a96c8
                """)),
    ]

    @Test("HKDF is that of RFC 5869", arguments: vectors)
    func hkdf(vector: Vector) throws {
        let key = try KeyDerivation.hkdf(
            secret: Secret(vector.material), salt: vector.salt, info: vector.info, count: vector.key.count)
        #expect(key.revealed == vector.key)
    }

    @Test("More or less than HKDF can give is refused", arguments: [-1, 0, 8161])
    func counts(count: Int) {
        #expect(throws: CryptographyError.self) {
            _ = try KeyDerivation.hkdf(secret: Secret(pattern(32)), salt: [], info: [], count: count)
        }
    }

    @Test("The purpose may be as long as documented, and is refused beyond what libcrypto takes")
    func longInfo() throws {
        #expect(
            try KeyDerivation.hkdf(secret: Secret(pattern(32)), salt: [], info: pattern(1024), count: 8160).count
                == 8160)
        #expect(throws: CryptographyError.self) {
            _ = try KeyDerivation.hkdf(secret: Secret(pattern(32)), salt: [], info: pattern(100_000), count: 32)
        }
    }

    // python3: hmac.digest over zeros, twice, as RFC 5869 says.
    @Test("HKDF takes an empty secret")
    func emptySecret() throws {
        let key = try KeyDerivation.hkdf(secret: Secret([]), salt: [], info: [], count: 32)
        #expect(key.revealed == hex("eb70f01dede9afafa449eee1b1286504e1f62388b3f7dd4f956697b0e828fe18"))
    }

    @Test("scrypt is that of RFC 7914, the third vector of section 12")
    func scrypt() throws {
        let key = try KeyDerivation.scrypt(
            passphrase: Secret(ascii("pleaseletmein")), salt: ascii("SodiumChloride"), workFactor: 14, count: 64)
        #expect(
            key.revealed
                == hex(
                    """
                    7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2
                    d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887
                    """))
    }

    @Test("scrypt works with more memory than libcrypto grants by itself")
    func scryptMemory() throws {
        #expect(
            try KeyDerivation.scrypt(passphrase: Secret([1]), salt: [2], workFactor: 16, count: 32).count == 32)
        #expect(throws: CryptographyError.self) {
            _ = try KeyDerivation.scrypt(passphrase: Secret([1]), salt: [2], workFactor: 40, count: 32)
        }
    }
}
