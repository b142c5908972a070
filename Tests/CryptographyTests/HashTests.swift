// The hashes against the vectors of their standards.

import Testing

@testable import Cryptography

@Suite struct HashTests {
    @Test(
        "SHA-256 is that of FIPS 180-4",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func sha256(message: String, digest: String) throws {
        #expect(try ascii(message).withRawBytes(SHA256.digest(of:)).hex == digest)
    }

    @Test("SHA-256 in parts gives the digest of the whole", arguments: [0, 1, 63, 64, 65, 1000])
    func sha256InParts(split: Int) throws {
        let message = pattern(1000)
        var stream = try SHA256Stream()
        try message.withRawBytes { (message) throws(CryptographyError) in
            try stream.update(message.slice(0, split))
            try stream.update(message.slice(split, message.count - split))
        }
        #expect(try stream.finish() == message.withRawBytes(SHA256.digest(of:)))
    }

    @Test("HMAC-SHA-256 is that of RFC 4231, case 2")
    func hmac() throws {
        let key = Secret(ascii("Jefe"))
        let code = try ascii("what do ya want for nothing?").withRawBytes { (message) throws(CryptographyError) in
            try HMACSHA256.authenticate(message, key: key)
        }
        #expect(code.hex == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    // From the reference implementation, as RFC 7693 has no keyed vector of 32 bytes:
    // python3 -c 'from hashlib import *; print(blake2b(MESSAGE, key=KEY, digest_size=32).hexdigest())'
    @Test("The keyed hash is BLAKE2b's own keyed mode, whatever was hashed before", arguments: KeyedVector.all)
    func keyedHash(vector: KeyedVector) throws {
        var hash = try KeyedHash(key: Secret(Array(0..<UInt8(vector.keyLength))))
        for _ in 0..<3 {
            #expect(try hash.digestOf(Array(0..<255)) != hash.digestOf([]))
            #expect(try hash.digestOf(vector.message).hex == vector.digest)
        }
    }

    @Test("Another key gives another identifier")
    func keysMatter() throws {
        var first = try KeyedHash(key: Secret([UInt8](repeating: 1, count: 32)))
        var second = try KeyedHash(key: Secret([UInt8](repeating: 2, count: 32)))
        #expect(try first.digestOf([1, 2, 3]) != second.digestOf([1, 2, 3]))
    }

    @Test("A key that BLAKE2b cannot take is refused", arguments: [0, 65])
    func keyLengths(count: Int) {
        #expect(throws: CryptographyError.self) {
            _ = try KeyedHash(key: Secret([UInt8](repeating: 0, count: count)))
        }
    }
}

extension KeyedHash {
    mutating func digestOf(_ message: [UInt8]) throws(CryptographyError) -> Digest {
        try message.withRawBytes { (message) throws(CryptographyError) in try digest(of: message) }
    }
}

struct KeyedVector: Sendable {
    var keyLength: Int
    var message: [UInt8]
    var digest: String

    static let all: [KeyedVector] = [
        KeyedVector(
            keyLength: 32, message: [],
            digest: "4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d"),
        KeyedVector(
            keyLength: 32, message: ascii("abc"),
            digest: "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f"),
        KeyedVector(
            keyLength: 32, message: Array(0..<64),
            digest: "7f46f043d63dfb3c9b1102c8824b632cae1fce453e3c0e9dc9e7113f3c1acc36"),
        KeyedVector(
            keyLength: 64, message: Array(0..<255),
            digest: "fe7b76a61787c089141f9e10fca1e5092488d89c62ea793fb2c5b1f849b4f2cb"),
        KeyedVector(
            keyLength: 1, message: Array(0..<129),
            digest: "a6128c5d696f06f894c0c1578a9a8ef1e4605ffcecd76a93ac2b2b1fc2563388"),
    ]
}
