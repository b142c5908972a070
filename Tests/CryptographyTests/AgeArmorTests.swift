// The text form of age files: what is read, and what is not.

import Testing

@testable import Cryptography

@Suite struct AgeArmorTests {
    private let identity: AgeIdentity
    private let binary: [UInt8]
    private let lines: [String]

    init() throws {
        let identity = try AgeIdentity.generate()
        self.identity = identity
        binary = try Age.encrypt(Secret(pattern(100)), to: [identity.recipient])
        var text = String(decoding: Base64.encode(binary), as: UTF8.self)
        while !text.utf8.count.isMultiple(of: 4) { text += "=" }
        lines =
            ["-----BEGIN AGE ENCRYPTED FILE-----"]
            + stride(from: 0, to: text.count, by: 64).map { String(text.dropFirst($0).prefix(64)) }
            + ["-----END AGE ENCRYPTED FILE-----"]
    }

    private func decrypted(_ text: String) -> [UInt8]? {
        try? Age.decrypt(ascii(text), identities: [identity]).revealed
    }

    @Test("Armor is read with either line end, and with blanks around it")
    func accepted() {
        for end in ["\n", "\r\n"] {
            let text = lines.joined(separator: end)
            #expect(decrypted(text) == pattern(100))
            #expect(decrypted(text + end) == pattern(100))
            #expect(decrypted("\n \t\r\n" + text + end + " \n\n") == pattern(100))
        }
    }

    @Test("Armor with any fault is refused")
    func refused() throws {
        func check(_ what: String, _ edit: (inout [String]) -> Void) {
            var lines = lines
            edit(&lines)
            let text = lines.joined(separator: "\n") + "\n"
            #expect(Failure.of { _ = try Age.decrypt(ascii(text), identities: [identity]) } == .malformed, "\(what)")
        }
        let last = lines.count - 2
        check("no end") { $0.removeLast() }
        check("no begin") { $0.removeFirst() }
        check("nothing within") { $0.removeSubrange(1...last) }
        check("another label") { $0[0] = "-----BEGIN MESSAGE-----" }
        check("lower case") { $0[0] = $0[0].lowercased() }
        check("another end") { $0[last + 1] = "-----END MESSAGE-----" }
        check("a header") { $0.insert("Version: 1", at: 1) }
        check("an empty line first") { $0.insert("", at: 1) }
        check("an empty line last") { $0.insert("", at: last + 1) }
        check("a blank at the end of a line") { $0[1] += " " }
        check("a blank at the beginning of a line") { $0[1] = " " + $0[1] }
        check("a blank after the begin mark") { $0[0] += " " }
        check("a short line") { $0[1].removeLast(4) }
        check("a long line") { $0[1] += "AAAA" }
        check("two lines in one") { $0[1] += $0.remove(at: 2) }
        check("a foreign character") { $0[1] = "!" + $0[1].dropFirst() }
        check("padding in the middle") { $0[1] = $0[1].dropLast() + "=" }
        check("padding too much") { $0[last] += "====" }
        check("text after it") { $0.append("AAAA") }
        check("text before it") { $0.insert("AAAA", at: 0) }
        check("a second file") { $0 += $0 }
    }

    @Test("Padding must be there, and must leave no bits over")
    func padding() throws {
        for count in 100..<103 {
            let plain = Secret(pattern(count))
            let binary = try Age.encrypt(plain, to: [identity.recipient])
            let digits = String(decoding: Base64.encode(binary), as: UTF8.self)
            let pad = String(repeating: "=", count: (4 - digits.count % 4) % 4)
            func file(_ text: String) -> [UInt8] {
                let lines = stride(from: 0, to: text.count, by: 64).map { text.dropFirst($0).prefix(64) + "\n" }
                return ascii("\(self.lines[0])\n\(lines.joined())\(self.lines[self.lines.count - 1])\n")
            }
            #expect(try Age.decrypt(file(digits + pad), identities: [identity]) == plain)
            guard !pad.isEmpty else { continue }
            for other in ["", pad + "=", String(pad.dropLast())] where other != pad {
                #expect(Failure.of { _ = try Age.decrypt(file(digits + other), identities: [identity]) } == .malformed)
            }
        }
    }

    @Test(
        "A changed byte anywhere in an armored file gives the same content or an error",
        arguments: [0x01, 0x20, 0x80] as [UInt8])
    func changedBytes(mask: UInt8) {
        let text = ascii(lines.joined(separator: "\n") + "\n")
        for position in text.indices {
            var changed = text
            changed[position] ^= mask
            if let result = try? Age.decrypt(changed, identities: [identity]) {
                #expect(result.revealed == pattern(100), "byte \(position)")
            }
        }
        for count in text.indices {
            if let result = try? Age.decrypt(Array(text.prefix(count)), identities: [identity]) {
                #expect(result.revealed == pattern(100), "\(count) bytes")
            }
        }
    }
}
