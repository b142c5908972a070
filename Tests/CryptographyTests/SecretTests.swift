// Secrets: what they hold, how they compare, and where they must not end up.

import Testing

@testable import Cryptography

@Suite struct SecretTests {
    @Test("A secret holds exactly the bytes that it was given", arguments: [0, 1, 32, 4095, 4096, 4097, 1 << 20])
    func holdsItsBytes(count: Int) {
        let secret = Secret(pattern(count))
        #expect(secret.count == count)
        #expect(secret.revealed == pattern(count))
    }

    @Test("Secrets are equal if and only if their bytes are")
    func comparison() {
        #expect(Secret([1, 2, 3]) == Secret([1, 2, 3]))
        #expect(Secret([1, 2, 3]) != Secret([1, 2, 4]))
        #expect(Secret([1, 2, 3]) != Secret([1, 2]))
        #expect(Secret([]) == Secret([]))
    }

    @Test("Random secrets do not repeat")
    func randomness() throws {
        let secrets = try (0..<100).map { _ in try Secret.random(count: 32).revealed }
        #expect(Set(secrets).count == 100)
        #expect(try SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(try SecureRandom.bytes(0) == [])
    }

    @Test("A secret that is being filled starts as zeros and passes on the error of its filler")
    func filling() {
        var before: [UInt8] = []
        #expect(throws: CryptographyError.noMatchingIdentity) {
            _ = try Secret(count: 5) { (buffer) throws(CryptographyError) in
                before = [UInt8](buffer)
                throw .noMatchingIdentity
            }
        }
        #expect(before == [0, 0, 0, 0, 0])
    }

    @Test("The kernel leaves the pages of a secret out of core dumps")
    func staysOutOfCoreDumps() throws {
        let secret = try Secret.random(count: 100)
        let address = secret.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        let maps = String(decoding: try readFile("/proc/self/smaps"), as: UTF8.self)
        var inside = false
        var flags: Substring?
        for line in maps.split(separator: "\n") {
            let range = line.prefix { $0 != " " }.split(separator: "-")
            if range.count == 2, let low = UInt(range[0], radix: 16), let high = UInt(range[1], radix: 16) {
                inside = low <= address && address < high
            } else if inside, line.hasPrefix("VmFlags:") {
                flags = line
            }
        }
        let found = try #require(flags)
        #expect(found.split(separator: " ").contains("dd"), "\(found)")
        withExtendedLifetime(secret) {}
    }

    @Test(
        "Every error is a sentence",
        arguments: [
            CryptographyError.library("EVP_Digest"), .authenticationFailed, .malformed("this"), .noMatchingIdentity,
            .wrongPassphrase, .unsupported("that"),
        ])
    func sentences(error: CryptographyError) {
        #expect(error.description.hasSuffix("."))
        #expect(error.description.first?.isUppercase == true)
    }
}
