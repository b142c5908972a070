// The age test kit of C2SP (https://github.com/C2SP/CCTV, folder age), run where HOLDFAST_AGE_TESTKIT names its folder
// `testdata`. See Testdata/cryptography/age/README.md for why it is not here.

internal import Glibc
import Testing

@testable import Cryptography

@Suite struct AgeTestkitTests {
    /// One file of the kit: a header of keys and values, an empty line, and an age file.
    struct Vector {
        var expectation = ""
        var payload = ""
        var identities: [AgeIdentity] = []
        var passphrases: [Secret] = []
        var file: [UInt8] = []
        /// Whether it needs what we do not do: zlib, which the kit applies to large files, or hybrid identities.
        var isForeign = false

        init(_ bytes: [UInt8]) throws {
            var rest = bytes[...]
            while let end = rest.firstIndex(of: 10) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest = rest[(end + 1)...]
                if line.isEmpty { break }
                guard let colon = line.firstRange(of: ": ") else { continue }
                let value = String(line[colon.upperBound...])
                switch line[..<colon.lowerBound] {
                case "expect": expectation = value
                case "payload": payload = value
                case "passphrase": passphrases.append(Secret(ascii(value)))
                case "compressed": isForeign = true
                case "identity":
                    do { identities.append(try AgeIdentity(value)) } catch CryptographyError.unsupported {
                        isForeign = true
                    }
                default: continue
                }
            }
            file = [UInt8](rest)
        }
    }

    static let folder = getenv("HOLDFAST_AGE_TESTKIT").map { String(cString: $0) }

    static var names: [String] {
        guard let folder, let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    @Test("Every vector of the age test kit ends as it says", .enabled(if: folder != nil), arguments: names)
    func vector(name: String) throws {
        let vector = try Vector(readFile("\(Self.folder ?? "")/\(name)"))
        if vector.isForeign { return }
        var attempts: [() throws -> Secret] = vector.passphrases.map { passphrase in
            { try Age.decrypt(vector.file, passphrase: passphrase) }
        }
        if !vector.identities.isEmpty || attempts.isEmpty {
            attempts.append { try Age.decrypt(vector.file, identities: vector.identities) }
        }
        for attempt in attempts {
            var plaintext: Secret?
            let failure = Failure.of { plaintext = try attempt() }
            let allowed: [Failure?] =
                switch vector.expectation {
                case "success": [nil]
                case "no match": [.noIdentity, .passphrase]
                case "HMAC failure": [.authentication]
                case "header failure": [.malformed, .unsupported]
                case "armor failure": [.malformed]
                case "payload failure": [.malformed, .authentication]
                default: []
                }
            #expect(allowed.contains(failure), "\(String(describing: failure)) instead of \(vector.expectation)")
            if let plaintext {
                #expect(try plaintext.revealed.withRawBytes(SHA256.digest(of:)).hex == vector.payload)
            }
        }
    }
}
