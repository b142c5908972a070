// What the age specification (C2SP age.md) forbids in a header and in a payload, one fault at a time.

import Testing

@testable import Cryptography

@Suite struct AgeFormatTests {
    private let craft: AgeCraft

    init() throws { craft = try AgeCraft() }

    @Test("A crafted file without a fault decrypts, so that the faults below are what is refused")
    func control() throws {
        #expect(try craft.decrypted(craft.file(craft.x25519Lines())) == pattern(10))
        #expect(try craft.opened(craft.file(craft.scryptLines())) == pattern(10))
    }

    @Test(
        "Another version of the format is refused as unsupported",
        arguments: ["/v2", "/v1234", "/v1 ", "/v1\r", "/v"])
    func versions(version: String) throws {
        let file = try craft.file(version: "age-encryption.org\(version)", craft.x25519Lines())
        #expect(Failure.of { _ = try craft.decrypted(file) } == .unsupported)
    }

    @Test(
        "What is no age file is refused as malformed",
        arguments: ["", "\n", "age", "age-encryption.org", "age-encryption.org/v1", "age-encryption.org/v1\n", "\u{0}"])
    func noAgeFile(text: String) {
        #expect(Failure.of { _ = try craft.decrypted(ascii(text)) } == .malformed)
        #expect(!Age.isPassphraseEncrypted(ascii(text)))
    }

    @Test("Recipients of unknown kinds, before and after ours, are passed over")
    func unknownStanzas() throws {
        let strange = String(decoding: (33...126).map { UInt8($0) }, as: UTF8.self)
        let full = String(repeating: "A", count: 64)
        let unknown = ["-> \(strange) \(strange)", full, full, "", "-> x25519 a", "", "-> grease", "AAAA"]
        #expect(try craft.decrypted(craft.file(unknown + craft.x25519Lines() + unknown)) == pattern(10))
        #expect(Failure.of { _ = try craft.decrypted(craft.file(unknown)) } == .noIdentity)
    }

    @Test(
        "A faulty stanza of any kind is refused as malformed",
        arguments: [
            ["->", ""], ["-> ", ""], ["-> a  b", ""], ["-> a ", ""], ["->  a", ""], ["-> a\tb", ""], ["-> a\r", ""],
            ["-> é", ""], ["-> a\u{7f}", ""], ["-> a\u{0}", ""], ["->a", ""], ["- > a", ""],
            ["-> a", "A"], ["-> a", "AB"], ["-> a", "AA=="], ["-> a", "AA A"], ["-> a", "AAA\r"], ["-> a", "AA-A"],
            ["-> a", String(repeating: "A", count: 65)], ["-> a", String(repeating: "A", count: 64)],
            ["-> a", "AAAA", "AAAA"], ["-> a", "", ""], ["garbage"], [""],
        ])
    func faultyStanzas(lines: [String]) throws {
        let file = try craft.file(craft.x25519Lines() + lines)
        #expect(Failure.of { _ = try craft.decrypted(file) } == .malformed)
    }

    @Test("A header without recipients is refused")
    func noRecipients() throws {
        #expect(Failure.of { _ = try craft.decrypted(craft.file([])) } == .malformed)
    }

    @Test("An X25519 stanza with a faulty share or body is refused")
    func faultyX25519() throws {
        let lines = try craft.x25519Lines()
        let share = String(lines[0].dropFirst("-> X25519 ".count))
        let shares = [
            "", " \(share) \(share)", " \(share)=", " \(share.dropLast())", " \(share)AA",
            " \(share.dropLast())\(Self.nonCanonical(share))",
        ]
        for share in shares {
            let file = try craft.file(["-> X25519\(share)", lines[1]])
            #expect(Failure.of { _ = try craft.decrypted(file) } == .malformed, "\(share)")
        }
        let bodies = [
            "", String(lines[1].dropLast(3)), "\(lines[1])A", "\(lines[1])AAAA", "\(lines[1])=",
            "\(lines[1].dropLast())\(Self.nonCanonical(lines[1]))",
        ]
        for body in bodies {
            let file = try craft.file([lines[0], body])
            #expect(Failure.of { _ = try craft.decrypted(file) } == .malformed, "\(body)")
        }
    }

    @Test("A file key of another length is refused, even if it is wrapped as it should be", arguments: [0, 15, 17, 32])
    func fileKeyLengths(count: Int) throws {
        let key = Secret(pattern(count))
        let file = try craft.file(craft.lines(AgeFileKey.wrap(key, to: craft.identity.recipient)))
        #expect(Failure.of { _ = try craft.decrypted(file) } == .malformed)
        let other = try craft.file(
            craft.lines(AgeFileKey.wrap(key, passphrase: craft.passphrase, workFactor: 1)))
        #expect(Failure.of { _ = try craft.opened(other) } == .malformed)
    }

    @Test("A share of small order is refused", arguments: HPKETests.smallOrderPoints)
    func smallOrder(point: [UInt8]) throws {
        let share = String(decoding: Base64.encode(point), as: UTF8.self)
        let file = try craft.file(["-> X25519 \(share)", craft.x25519Lines()[1]])
        #expect(Failure.of { _ = try craft.decrypted(file) } == .malformed)
        #expect(throws: CryptographyError.self) {
            _ = try Age.encrypt(Secret([1]), to: [AgeRecipient(rawBytes: point)])
        }
    }

    @Test("A passphrase beside other recipients is refused, whichever key is tried")
    func passphraseNotAlone() throws {
        let (x25519, scrypt) = (try craft.x25519Lines(), try craft.scryptLines())
        for lines in [x25519 + scrypt, scrypt + x25519, scrypt + scrypt, scrypt + ["-> grease", ""]] {
            let file = try craft.file(lines)
            #expect(Failure.of { _ = try craft.decrypted(file) } == .malformed)
            #expect(Failure.of { _ = try craft.opened(file) } == .malformed)
        }
    }

    @Test(
        "A scrypt stanza with a faulty work factor is refused before any work is done",
        arguments: [
            "", " ", " 0", " 01", " +1", " -1", " 1x", " x", " 0x1", " 1 1", " 1.0", " ²", " 23", " 64", " 999",
            " 1000", " 18446744073709551617", " 99999999999999999999999999999999",
        ])
    func workFactors(factor: String) throws {
        let lines = try craft.scryptLines()
        let file = try craft.file(["\(lines[0].dropLast(2))\(factor)", lines[1]])
        let failure = Failure.of { _ = try craft.opened(file) }
        #expect(failure == (Int(factor.dropFirst()) ?? 0 > 22 || factor.count > 10 ? .unsupported : .malformed))
    }

    @Test("A scrypt stanza with a faulty salt is refused")
    func salts() throws {
        let lines = try craft.scryptLines()
        let salt = lines[0].split(separator: " ")[2]
        let changed = "\(salt.dropLast())\(Self.nonCanonical(salt))"
        for other in ["", "\(salt.dropLast(2))", "\(salt)AA", "\(salt)==", changed] {
            let file = try craft.file(["-> scrypt \(other) 1", lines[1]])
            #expect(Failure.of { _ = try craft.opened(file) } == .malformed, "\(other)")
        }
    }

    @Test("A faulty last line of the header is refused as malformed")
    func endings() throws {
        let lines = try craft.x25519Lines()
        let endings: [(String) -> String] = [
            { "---\($0)\n" }, { "---  \($0)\n" }, { "--- \($0) \n" }, { "--- \($0)\r\n" }, { "--- \($0)=\n" },
            { "--- \($0.dropLast())\n" }, { "--- \($0)AAAA\n" }, { _ in "--- \n" }, { _ in "---\n" },
            { "--- \($0.dropLast())\(Self.nonCanonical($0))\n" }, { "-- \($0)\n" }, { "---- \($0)\n" },
        ]
        for (index, ending) in endings.enumerated() {
            let file = try craft.file(lines, ending: ending)
            #expect(Failure.of { _ = try craft.decrypted(file) } == .malformed, "ending \(index)")
        }
    }

    @Test("A wrong code of the header is refused before the payload is looked at")
    func wrongCode() throws {
        let file = try craft.file(craft.x25519Lines(), payload: []) { "--- \(String($0.reversed().dropFirst()))A\n" }
        #expect(Failure.of { _ = try craft.decrypted(file) } == .authentication)
    }

    @Test("A payload is read if its chunks are as they must be, and refused otherwise")
    func payloads() throws {
        let (full, some, none) = (pattern(65536), pattern(10), [UInt8]())
        let header = try craft.file(craft.x25519Lines(), payload: [])
        func result(_ chunks: [([UInt8], Bool)], tail: [UInt8] = []) throws -> [UInt8]? {
            try? craft.decrypted(header + craft.payload(chunks) + tail)
        }
        #expect(try result([(none, true)]) == none)
        #expect(try result([(some, true)]) == some)
        #expect(try result([(full, true)]) == full)
        #expect(try result([(full, false), (some, true)]) == full + some)
        #expect(try result([(full, false), (full, false), (full, true)]) == full + full + full)

        #expect(try result([]) == nil, "no chunk")
        #expect(try result([(some, false)]) == nil, "no last chunk")
        #expect(try result([(full, false)]) == nil, "no last chunk, a full one before")
        #expect(try result([(full, false), (none, true)]) == nil, "an empty last chunk after a full one")
        #expect(try result([(full, false), (full, false), (none, true)]) == nil)
        #expect(try result([(some, false), (some, true)]) == nil, "a short chunk in the middle")
        #expect(try result([(some, true), (some, true)]) == nil, "two last chunks")
        #expect(try result([(full, true), (some, true)]) == nil, "two last chunks, the first full")
        #expect(try result([(full, true), (full, true)]) == nil)
        #expect(try result([(full + some, true)]) == nil, "a long chunk")
        #expect(try result([(full, true)], tail: [0]) == nil)
        #expect(try result([(full, true)], tail: [UInt8](repeating: 0, count: 16)) == nil)
        #expect(try result([(full, true)], tail: [UInt8](repeating: 0, count: 100)) == nil)
        for count in 0..<32 {
            #expect(Failure.of { _ = try craft.decrypted(header + pattern(count)) } == .malformed)
        }
    }

    /// A last character that stands for the same bytes as that of `text`, but with bits left over.
    private static func nonCanonical(_ text: some StringProtocol) -> Character {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        let place = text.last.flatMap { alphabet.firstIndex(of: $0) } ?? 0
        return alphabet[place + 1]
    }
}
