// Certificates: whoever changes one is found, and OpenSSH agrees.

import Cryptography
import Glibc
import Platform
import Sanitization
import TestSupport
import Testing

struct CertificateTests {
    private func make() throws -> (folder: BytePath, file: BytePath, key: SigningKey) {
        let folder = BytePath(
            "/tmp/holdfast-certificate-\(try SecureRandom.bytes(6).map { String($0, radix: 16) }.joined())")
        try makeFolders(folder)
        let key = try Certificate.key(state: folder)
        var certificate = Certificate()
        let known = ["serial": "S<1>&\"2\"", "operator.name": "Ünal", "operator.shoe": "x", "colour": "x"]
            .filter { certificate.set($0.key, to: $0.value) }
        #expect(known.keys.sorted() == ["operator.name", "serial"])
        certificate.sanitization.methodAchieved = "clear"
        let file = folder.appending("certificate.json")
        try certificate.write(file, key: key)
        return (folder, file, key)
    }

    @Test("ssh-keygen accepts it from the machine's key, and from no other, for no other purpose")
    func interoperation() throws {
        let (folder, file, _) = try make()
        defer { shell("rm -rf \(folder)") }
        shell(
            "cd \(folder); echo \"plant $(cut -d' ' -f1,2 certificate/key.pub)\" > signers; ssh-keygen -q -t ed25519 -N '' -f other; echo \"plant $(cut -d' ' -f1,2 other.pub)\" > others"
        )
        func agrees(_ signers: String, _ namespace: String = Certificate.namespace) -> Bool {
            shell(
                "cd \(folder); ssh-keygen -Y verify -f \(signers) -I plant -n \(namespace) -s \(file).sig < \(file) >/dev/null 2>&1; echo $?"
            ) == "0\n"
        }
        #expect(agrees("signers") && !agrees("others") && !agrees("signers", "file"))
        // And the other way round: what ssh-keygen signs is read.
        let line = shell(
            "cd \(folder); echo text > text; ssh-keygen -q -Y sign -f other -n \(Certificate.namespace) -O hashalg=sha256 text 2>/dev/null; cat other.pub"
        )
        let signature = try SSHSignature(armored: shell("cat \(folder)/text.sig"))
        #expect(signature.isValid(for: Array("text\n".utf8)) && !signature.isValid(for: Array("test\n".utf8)))
        #expect(try SSHSignature.key(fromLine: line) == signature.key)
    }

    @Test("Every byte that is changed, in the certificate, its signature or its page, is found")
    func flips() throws {
        let (folder, file, key) = try make()
        defer { shell("rm -rf \(folder)") }
        #expect(try Certificate.check(file).signer == key.verifyingKey)
        for part in ["", ".sig", ".html"] {
            let path = BytePath("\(file)\(part)")
            let whole = try readWhole(path, limit: 1 << 20)
            for index in stride(from: 0, to: whole.count, by: runsAll || part == ".sig" ? 1 : 3) {
                var bytes = whole
                bytes[index] ^= 1 << UInt8(index % 8)
                try shellWrite(path, bytes)
                #expect(throws: WipeError.self, "\(part) \(index)") { try Certificate.check(file) }
            }
            for length in stride(from: 0, to: whole.count, by: 17) {
                try shellWrite(path, Array(whole[..<length]))
                #expect(throws: WipeError.self, "\(part) cut at \(length)") { try Certificate.check(file) }
            }
            try shellWrite(path, whole)
        }
        shell("rm \(file).html")
        #expect(try Certificate.check(file).certificate.medium.serialNumber == "S<1>&\"2\"")
        shell("rm \(file).sig")
        #expect(throws: WipeError.self) { try Certificate.check(file) }
    }

    private func shellWrite(_ path: BytePath, _ bytes: [UInt8]) throws {
        try Descriptor.open(path, [.write, .truncate]).write(bytes)
    }

    @Test("What was not given is said to be that, and what was given does not get out of its place in the page")
    func page() throws {
        let (folder, file, _) = try make()
        defer { shell("rm -rf \(folder)") }
        let page = shell("cat \(file).html")
        #expect(page.contains("S&lt;1&gt;&amp;\"2\"") && page.contains("Ünal") && page.contains("not recorded"))
        #expect(shell("stat -c %a \(folder)/certificate/key") == "600\n")
    }

    @Test("A certificate takes the place of nothing, and what was left of one that was cut off is in nobody's way")
    func place() throws {
        let (folder, file, key) = try make()
        defer { shell("chattr -i \(folder) 2>/dev/null; rm -rf \(folder)") }
        let before = shell("cd \(folder); sha256sum certificate.json*")
        #expect(throws: WipeError.self) { try Certificate().write(file, key: key) }
        #expect(throws: WipeError.self) { try Certificate.checkPlace(file) }
        #expect(shell("cd \(folder); sha256sum certificate.json*") == before)
        // Its parts alone are what a crash leaves.
        shell("rm \(file); echo half > \(file).new")
        try Certificate.checkPlace(file)
        try Certificate().write(file, key: key)
        _ = try Certificate.check(file)
        for name in ["device.json", "device.json.html"] {
            shell("mknod \(folder)/\(name) c 1 3")
            #expect(throws: WipeError.self) { try Certificate.checkPlace(folder.appending("device.json")) }
            #expect(shell("stat -c %F \(folder)/\(name); rm \(folder)/\(name)") == "character special file\n")
        }
    }

    @Test("What was measured is not said by anybody; what could not be stands apart, as stated")
    func measured() throws {
        let (folder, _, key) = try make()
        defer { shell("rm -rf \(folder)") }
        var certificate = Certificate()
        certificate.medium.serialNumber = "S1"
        certificate.sanitization.technique = "overwrite"
        let fields = [
            "serial": "S2", "technique": "shredded", "model": "<b>Disk 9</b>", "operator.name": "Ünal",
            "operator.shoe": "x",
        ]
        let taken = fields.filter { certificate.state($0.key, as: $0.value) }
        #expect(taken.keys.sorted() == ["model", "operator.name"])
        #expect(certificate.medium.model == Certificate.notRecorded && certificate.medium.serialNumber == "S1")
        let file = folder.appending("stated.json")
        try certificate.write(file, key: key)
        #expect(try Certificate.check(file).certificate == certificate)
        let page = shell("cat \(file).html")
        #expect(page.contains("As stated by people") && page.contains("&lt;b&gt;Disk 9"))
    }
}
