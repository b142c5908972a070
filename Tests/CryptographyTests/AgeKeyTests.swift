// The spelling of age keys, and the Bech32 and Base64 beneath.

import Testing

@testable import Cryptography

@Suite struct AgeKeyTests {
    private static func decode(_ text: String) throws -> (prefix: [UInt8], data: Secret) {
        try ascii(text).withRawBytes(Bech32.decode)
    }

    // BIP 173, "Test vectors", those whose data are whole bytes.
    @Test(
        "Valid Bech32 is read, and written again as it was",
        arguments: [
            "A12UEL5L", "a12uel5l",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
            "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
            "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "?1ezyfcl",
        ])
    func validBech32(text: String) throws {
        let (prefix, data) = try Self.decode(text)
        #expect(data.withUnsafeBytes { Bech32.encode(prefix: prefix, $0) }.revealed == ascii(text))
    }

    // BIP 173, and those with mixed case and bits left over.
    @Test(
        "Bech32 with any fault is refused",
        arguments: [
            "", "1", "\u{20}1nwldj5", "\u{7f}1axkwrx", "é1eym55h", "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v",
            "li1dgmt3", "de1lg7wt\u{ff}", "A1G7SGD8", "10a06t8", "1qzzfhee", "A12uEL5L", "a12uel5m", "a12ueL5l",
            // A right checksum, but a character more than the bytes need, or bits left over in the last one.
            "a1q3g6mn3", "a1qqqd87cpp", "a1qqqqqqqqqvgade4", "a1qpamnt9j", "a1qqqqpmmmrc3",
        ])
    func invalidBech32(text: String) {
        #expect(throws: CryptographyError.self) { _ = try Self.decode(text) }
    }

    @Test("Bech32 of any length gives back its data", arguments: 0..<70)
    func bech32RoundTrip(count: Int) throws {
        let text = pattern(count).withUnsafeBytes { Bech32.encode(prefix: ascii("test-"), $0) }.revealed
        let (prefix, data) = try text.withRawBytes(Bech32.decode)
        #expect(prefix == ascii("test-"))
        #expect(data.revealed == pattern(count))
    }

    @Test("A typing error in any place of a key is noticed, in whichever case")
    func typingErrors() throws {
        let identity = try AgeIdentity.generate()
        let recipient = ascii(identity.recipient.string)
        for position in recipient.indices {
            for replacement in ascii("qz7b1Q ") where replacement != recipient[position] {
                var changed = recipient
                changed[position] = replacement
                #expect(throws: CryptographyError.self) {
                    _ = try AgeRecipient(String(decoding: changed, as: UTF8.self))
                }
            }
        }
        let secret = identity.encoded().revealed
        for position in secret.indices {
            for replacement in ascii("QZ7B1q ") where replacement != secret[position] {
                var changed = secret
                changed[position] = replacement
                #expect(throws: CryptographyError.self) { _ = try AgeIdentity(text: Secret(changed)) }
            }
        }
    }

    @Test("Keys in the wrong case, and keys of another kind, are refused")
    func kinds() throws {
        let identity = try AgeIdentity.generate()
        let secret = String(decoding: identity.encoded().revealed, as: UTF8.self)
        #expect(try AgeIdentity(secret).recipient == identity.recipient)
        #expect(try AgeRecipient(identity.recipient.string) == identity.recipient)
        #expect(throws: CryptographyError.self) { _ = try AgeIdentity(secret.lowercased()) }
        #expect(throws: CryptographyError.self) { _ = try AgeIdentity(identity.recipient.string) }
        #expect(throws: CryptographyError.self) { _ = try AgeRecipient(secret) }
        #expect(throws: CryptographyError.self) { _ = try AgeRecipient(identity.recipient.string.uppercased()) }
        for count in [0, 31, 33] {
            let short = pattern(count).withUnsafeBytes { Bech32.encode(prefix: ascii("age"), $0) }.revealed
            #expect(throws: CryptographyError.self) { _ = try AgeRecipient(String(decoding: short, as: UTF8.self)) }
        }
    }

    @Test("Keys of plugins and hybrid keys are called unsupported rather than wrong")
    func otherKinds() {
        func text(_ prefix: String) -> String {
            let text = pattern(32).withUnsafeBytes { Bech32.encode(prefix: ascii(prefix), $0) }.revealed
            return String(decoding: text, as: UTF8.self)
        }
        for prefix in ["AGE-PLUGIN-YUBIKEY-", "AGE-SECRET-KEY-PQ-"] {
            #expect(throws: CryptographyError.unsupported("this kind of age identity: \(prefix)")) {
                _ = try AgeIdentity(text(prefix))
            }
        }
        for prefix in ["age1pq", "age1yubikey"] {
            #expect(throws: CryptographyError.unsupported("this kind of age recipient: \(prefix)")) {
                _ = try AgeRecipient(text(prefix))
            }
        }
    }

    @Test("An identity file may have comments, empty lines, several keys and either kind of line end")
    func identityFile() throws {
        let identities = [try AgeIdentity.generate(), try AgeIdentity.generate()]
        let keys = identities.map { String(decoding: $0.encoded().revealed, as: UTF8.self) }
        for end in ["\n", "\r\n"] {
            let text = ["# created: today", "", keys[0], "#\(keys[0])", keys[1]].joined(separator: end)
            for tail in ["", end] {
                let read = try AgeIdentity.identities(inFile: ascii(text + tail))
                #expect(read.map(\.recipient) == identities.map(\.recipient))
            }
        }
    }

    @Test("A fault in an identity file is named by its line, without a word of its content")
    func identityFileFaults() throws {
        let key = String(decoding: try AgeIdentity.generate().encoded().revealed, as: UTF8.self)
        #expect(
            throws: CryptographyError.malformed(
                "line 2 of the identity file is no age identity: one begins with AGE-SECRET-KEY-1")
        ) {
            _ = try AgeIdentity.identities(inFile: ascii("# key\nAGE-\(key)\n"))
        }
        for text in ["", "\n", "# nothing\n"] {
            #expect(throws: CryptographyError.malformed("an identity file without an identity")) {
                _ = try AgeIdentity.identities(inFile: ascii(text))
            }
        }
    }

    // RFC 4648, section 10, without padding.
    @Test("Base64 is that of RFC 4648", arguments: ["": "", "f": "Zg", "fo": "Zm8", "foo": "Zm9v", "foob": "Zm9vYg"])
    func base64(text: String, encoded: String) {
        #expect(Base64.encode(ascii(text)) == ascii(encoded))
        #expect(Base64.decode(ascii(encoded)) == ascii(text))
    }

    @Test(
        "Base64 in any but its one spelling is refused",
        arguments: ["Z", "Zm9vY", "Zh", "Zm9", "Zg==", "Zg=", "Zm 9v", "Zm9v\n", "Zm9-", "Zm9_", "Zm9\u{e9}"])
    func strictBase64(text: String) {
        #expect(Base64.decode(ascii(text)) == nil)
    }

    @Test("A key typed from paper opens in small letters and with blanks")
    func typed() throws {
        let identity = try AgeIdentity.generate()
        let text = identity.encoded().withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        let groups = text.enumerated().map { ($0 % 7 == 0 ? " " : "") + String($1).lowercased() }.joined() + "  \n"
        #expect(try AgeIdentity.identities(inFile: Array(groups.utf8)).map(\.recipient) == [identity.recipient])
    }

    @Test("Of a key that is mistyped the wrong place is named", arguments: [17, 30, 55, 74])
    func mistyped(place: Int) throws {
        let identity = try AgeIdentity.generate()
        var text = identity.encoded().withUnsafeBytes { Array($0) }
        func problem() -> String {
            do { return "\(try AgeIdentity.identities(inFile: text).count) keys" } catch { return "\(error)" }
        }
        let right = text[place - 1]
        text[place - 1] = right == UInt8(ascii: "Q") ? UInt8(ascii: "P") : UInt8(ascii: "Q")
        #expect(problem().contains("the character at place \(place) is mistyped"), "\(problem())")
        text[place - 1] = UInt8(ascii: "O")
        #expect(problem().contains("a character that no age key has, at place \(place)"), "\(problem())")
        text.remove(at: place - 1)
        #expect(problem().contains("has 73 characters, and an age key has 74"), "\(problem())")
    }
}
