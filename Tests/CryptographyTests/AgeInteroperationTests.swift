// The real age and age-keygen on one side, ours on the other. They must be installed, and so must script(1), which
// lends them the terminal from which they insist on reading passphrases.

import Testing

@testable import Cryptography

@Suite struct AgeInteroperationTests {
    static let lengths = [0, 1, 65536, 65537, 200_000]

    private let scratch: Scratch
    private let identity: AgeIdentity
    private let keyFile: String

    /// Makes a key with age-keygen and reads it.
    init() throws {
        scratch = try Scratch()
        keyFile = scratch.file("key.txt")
        let outcome = try scratch.run("age-keygen", "-o", keyFile)
        #expect(outcome.status == 0, "\(outcome.errors)")
        identity = try #require(AgeIdentity.identities(inFile: scratch.read("key.txt")).first)
    }

    @Test("Keys of age-keygen are ours, and our keys are age-keygen's")
    func keys() throws {
        let text = String(decoding: try scratch.read("key.txt"), as: UTF8.self)
        #expect(text.contains("# public key: \(identity.recipient)\n"))
        #expect(text.hasSuffix(String(decoding: identity.encoded().revealed, as: UTF8.self) + "\n"))

        let ours = try AgeIdentity.generate()
        let outcome = try scratch.run("age-keygen", "-y", input: ours.encoded().revealed + [10])
        #expect(outcome.output == ascii("\(ours.recipient)\n"), "\(outcome.errors)")
    }

    @Test("age decrypts what we encrypt to several recipients", arguments: lengths)
    func theyDecrypt(count: Int) throws {
        let file = try Age.encrypt(
            Secret(pattern(count)), to: [AgeIdentity.generate().recipient, identity.recipient])
        let outcome = try scratch.run("age", "-d", "-i", keyFile, input: file)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output == pattern(count))
    }

    @Test("We decrypt what age encrypts to several recipients, binary and armored", arguments: lengths)
    func weDecrypt(count: Int) throws {
        let other = try AgeIdentity.generate()
        for option in ["--encrypt", "--armor"] {
            let outcome = try scratch.run(
                "age", option, "-r", "\(other.recipient)", "-r", "\(identity.recipient)", input: pattern(count))
            #expect(outcome.status == 0, "\(outcome.errors)")
            for identity in [identity, other] {
                #expect(try Age.decrypt(outcome.output, identities: [identity]).revealed == pattern(count))
            }
            #expect(throws: CryptographyError.noMatchingIdentity) {
                _ = try Age.decrypt(outcome.output, identities: [.generate()])
            }
            #expect(!Age.isPassphraseEncrypted(outcome.output))
        }
    }

    @Test("age decrypts what we encrypt under a passphrase", arguments: ["correct horse", "schöne Grüße, 42 €"])
    func theyDecryptPassphrase(passphrase: String) throws {
        try scratch.write(
            "file.age", Age.encrypt(Secret(pattern(1000)), passphrase: Secret(ascii(passphrase)), workFactor: 12))
        let outcome = try scratch.run(
            "script", "-q", "-e", "-c", "age -d -o \(scratch.path)/plain \(scratch.path)/file.age", "/dev/null",
            input: ascii("\(passphrase)\n"))
        #expect(outcome.status == 0, "\(String(decoding: outcome.output, as: UTF8.self))")
        #expect(try scratch.read("plain") == pattern(1000))
    }

    @Test("We decrypt what age encrypts under a passphrase, binary and armored", arguments: ["", "-a"])
    func weDecryptPassphrase(option: String) throws {
        try scratch.write("plain", pattern(1000))
        let outcome = try scratch.run(
            "script", "-q", "-e", "-c", "age -p \(option) -o \(scratch.path)/file.age \(scratch.path)/plain",
            "/dev/null", input: ascii("correct horse\ncorrect horse\n"))
        #expect(outcome.status == 0, "\(String(decoding: outcome.output, as: UTF8.self))")
        let file = try scratch.read("file.age")
        #expect(Age.isPassphraseEncrypted(file))
        #expect(try Age.decrypt(file, passphrase: Secret(ascii("correct horse"))).revealed == pattern(1000))
        #expect(throws: CryptographyError.wrongPassphrase) {
            _ = try Age.decrypt(file, passphrase: Secret(ascii("correct horsf")))
        }
    }

    @Test("age refuses what we changed, so it checks what we computed")
    func theyRefuse() throws {
        var file = try Age.encrypt(Secret(pattern(10)), to: [identity.recipient])
        file[file.count - 1] ^= 1
        #expect(try scratch.run("age", "-d", "-i", keyFile, input: file).status != 0)
    }
}
