// Files that age wrote once, kept in Testdata: what could be read yesterday can be read tomorrow.

import Testing

@testable import Cryptography

@Suite struct AgeGoldenTests {
    private static func golden(_ name: String) throws -> [UInt8] {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        return try readFile("\(root.joined(separator: "/"))/Testdata/cryptography/age/\(name)")
    }

    @Test("Files that age wrote for a recipient stay readable", arguments: ["recipient.age", "armored.age"])
    func recipients(name: String) throws {
        let identities = try AgeIdentity.identities(inFile: Self.golden("key.txt"))
        #expect(try Age.decrypt(Self.golden(name), identities: identities).revealed == Self.golden("plain.txt"))
    }

    @Test("Files that age wrote under a passphrase stay readable")
    func passphrase() throws {
        let file = try Self.golden("passphrase.age")
        #expect(Age.isPassphraseEncrypted(file))
        #expect(
            try Age.decrypt(file, passphrase: Secret(ascii("correct horse"))).revealed == Self.golden("plain.txt"))
    }
}
