// Authenticated encryption against the vectors of its standards, and against changes.

import Testing

@testable import Cryptography

@Suite struct CipherTests {
    @Test("AES-256-GCM is that of NIST, also with a context in use", arguments: CipherVector.gcm)
    func gcm(vector: CipherVector) throws {
        var cipher = try AuthenticatedCipher(key: Secret(vector.key))
        for _ in 0..<2 {
            _ = try cipher.sealed(pattern(100), nonce: pattern(12), authenticating: pattern(5))
            let sealed = try cipher.sealed(
                vector.plaintext, nonce: vector.nonce, authenticating: vector.associated)
            #expect(sealed == vector.sealed)
            #expect(throws: CryptographyError.authenticationFailed) {
                _ = try cipher.opened(sealed, nonce: pattern(12), authenticating: vector.associated)
            }
            let opened = try cipher.opened(sealed, nonce: vector.nonce, authenticating: vector.associated)
            #expect(opened == vector.plaintext)
        }
    }

    @Test("ChaCha20-Poly1305 is that of RFC 8439, section 2.8.2")
    func chaCha() throws {
        let text =
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            + "sunscreen would be it."
        let cipher = try CipherContext(.chaCha20Poly1305, key: Secret(Array(0x80...0x9f)))
        var sealed = [UInt8](repeating: 0, count: text.utf8.count + 16)
        let written = try ascii(text).withUnsafeBytes { text in
            try hex("070000004041424344454647").withUnsafeBytes { nonce in
                try hex("50515253c0c1c2c3c4c5c6c7").withUnsafeBytes { associated in
                    try sealed.withUnsafeMutableBytes {
                        try cipher.seal(text, nonce: nonce, authenticating: associated, into: $0)
                    }
                }
            }
        }
        #expect(written == sealed.count)
        #expect(Array(sealed.prefix(16)) == hex("d31a8d34648e60db7b86afbc53ef7ec2"))
        #expect(Array(sealed.suffix(16)) == hex("1ae10b594f09e26a7e902ecbd0600691"))
    }

    @Test("A changed bit anywhere is noticed, and leaves no plaintext behind", arguments: [0, 1, 16, 33])
    func changes(count: Int) throws {
        var cipher = try AuthenticatedCipher(key: Secret(pattern(32)))
        let (nonce, associated) = (pattern(12), pattern(7))
        let sealed = try cipher.sealed(pattern(count), nonce: nonce, authenticating: associated)
        for position in sealed.indices {
            var changed = sealed
            changed[position] ^= 1 << UInt8(position % 8)
            var output = [UInt8](repeating: 0xaa, count: count)
            #expect(throws: CryptographyError.authenticationFailed) {
                try changed.withUnsafeBytes { changed in
                    try nonce.withUnsafeBytes { nonce in
                        try associated.withUnsafeBytes { associated in
                            try output.withUnsafeMutableBytes {
                                _ = try cipher.open(changed, nonce: nonce, authenticating: associated, into: $0)
                            }
                        }
                    }
                }
            }
            #expect(output.allSatisfy { $0 == 0 })
        }
        for position in associated.indices {
            var changed = associated
            changed[position] ^= 1
            #expect(throws: CryptographyError.authenticationFailed) {
                _ = try cipher.opened(sealed, nonce: nonce, authenticating: changed)
            }
        }
        #expect(try cipher.opened(sealed, nonce: nonce, authenticating: associated) == pattern(count))
    }

    @Test("Anything shorter than what was sealed is refused")
    func truncation() throws {
        var cipher = try AuthenticatedCipher(key: Secret(pattern(32)))
        let sealed = try cipher.sealed(pattern(20), nonce: pattern(12), authenticating: [])
        for count in 0..<sealed.count {
            #expect(throws: CryptographyError.authenticationFailed) {
                _ = try cipher.opened(Array(sealed.prefix(count)), nonce: pattern(12), authenticating: [])
            }
        }
    }

    @Test("Sealing and opening in place gives the same as in two buffers")
    func inPlace() throws {
        var cipher = try AuthenticatedCipher(key: Secret(pattern(32)))
        let nonce = pattern(12)
        var buffer = pattern(100_000) + [UInt8](repeating: 0, count: 16)
        try buffer.withUnsafeMutableBytes { buffer in
            try nonce.withUnsafeBytes {
                let plaintext = UnsafeRawBufferPointer(buffer).slice(0, 100_000)
                _ = try cipher.seal(plaintext, nonce: $0, authenticating: plaintext.slice(0, 0), into: buffer)
            }
        }
        #expect(try buffer == cipher.sealed(pattern(100_000), nonce: nonce, authenticating: []))
        try buffer.withUnsafeMutableBytes { buffer in
            try nonce.withUnsafeBytes {
                let sealed = UnsafeRawBufferPointer(buffer)
                _ = try cipher.open(sealed, nonce: $0, authenticating: sealed.slice(0, 0), into: buffer)
            }
        }
        #expect(Array(buffer.prefix(100_000)) == pattern(100_000))
    }

    @Test("A key of another length is refused", arguments: [0, 16, 31, 33])
    func keyLengths(count: Int) {
        #expect(throws: CryptographyError.self) { _ = try AuthenticatedCipher(key: Secret(pattern(count))) }
    }
}

extension AuthenticatedCipher {
    mutating func sealed(
        _ plaintext: [UInt8], nonce: [UInt8], authenticating associated: [UInt8]
    ) throws -> [UInt8] {
        var output = [UInt8](repeating: 0, count: plaintext.count + Self.tagLength)
        let written = try plaintext.withUnsafeBytes { plaintext in
            try nonce.withUnsafeBytes { nonce in
                try associated.withUnsafeBytes { associated in
                    try output.withUnsafeMutableBytes {
                        try seal(plaintext, nonce: nonce, authenticating: associated, into: $0)
                    }
                }
            }
        }
        #expect(written == output.count)
        return output
    }

    mutating func opened(
        _ sealed: [UInt8], nonce: [UInt8], authenticating associated: [UInt8]
    ) throws -> [UInt8] {
        var output = [UInt8](repeating: 0, count: max(0, sealed.count - Self.tagLength))
        let written = try sealed.withUnsafeBytes { sealed in
            try nonce.withUnsafeBytes { nonce in
                try associated.withUnsafeBytes { associated in
                    try output.withUnsafeMutableBytes {
                        try open(sealed, nonce: nonce, authenticating: associated, into: $0)
                    }
                }
            }
        }
        #expect(written == output.count)
        return output
    }
}

/// Test cases 13 to 16 of "The Galois/Counter Mode of Operation" (McGrew and Viega), submitted to NIST.
struct CipherVector: Sendable {
    var key: [UInt8]
    var nonce: [UInt8]
    var associated: [UInt8] = []
    var plaintext: [UInt8]
    var sealed: [UInt8]

    private static let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
    private static let plaintext = hex(
        """
        d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255
        """)
    private static let ciphertext = hex(
        """
        522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
        8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad
        """)

    static let gcm: [CipherVector] = [
        CipherVector(
            key: [UInt8](repeating: 0, count: 32), nonce: [UInt8](repeating: 0, count: 12), plaintext: [],
            sealed: hex("530f8afbc74536b9a963b4f1c4cb738b")),
        CipherVector(
            key: [UInt8](repeating: 0, count: 32), nonce: [UInt8](repeating: 0, count: 12),
            plaintext: [UInt8](repeating: 0, count: 16),
            sealed: hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")),
        CipherVector(
            key: key, nonce: hex("cafebabefacedbaddecaf888"), plaintext: plaintext,
            sealed: ciphertext + hex("b094dac5d93471bdec1a502270e3cc6c")),
        CipherVector(
            key: key, nonce: hex("cafebabefacedbaddecaf888"),
            associated: hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"), plaintext: Array(plaintext.prefix(60)),
            sealed: Array(ciphertext.prefix(60)) + hex("76fc6ece0f4e1768cddf8853bb2d551b")),
    ]
}
