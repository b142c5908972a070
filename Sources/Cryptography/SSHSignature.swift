// Signatures of files as OpenSSH makes and checks them (PROTOCOL.sshsig), with Ed25519 keys, so that everybody can check ours.

/// A detached signature that `ssh-keygen -Y verify` accepts.
public struct SSHSignature: Sendable, Hashable {
    /// Who signed.
    public var key: VerifyingKey
    /// What the signature is for: one for another purpose is none for this.
    public var namespace: String
    private var signature: [UInt8]

    private static let magic = Array("SSHSIG".utf8)
    private static let hash = "sha256"
    private static let algorithm = "ssh-ed25519"
    private static let header = "-----BEGIN SSH SIGNATURE-----"
    private static let footer = "-----END SSH SIGNATURE-----"

    /// Signs a message; throws `library`.
    public init(of message: [UInt8], for namespace: String, by key: SigningKey) throws(CryptographyError) {
        self.key = key.verifyingKey
        self.namespace = namespace
        signature = try key.signature(for: Self.signed(message, namespace))
    }

    /// Whether it is of this message, whatever key made it.
    public func isValid(for message: [UInt8]) -> Bool {
        guard let signed = try? Self.signed(message, namespace) else { return false }
        return key.isValid(signature, for: signed)
    }

    private static func signed(_ message: [UInt8], _ namespace: String) throws(CryptographyError) -> [UInt8] {
        let digest = try message.withRawBytes { (message) throws(CryptographyError) -> Digest in
            try SHA256.digest(of: message)
        }
        return magic + string(Array(namespace.utf8)) + string([]) + string(Array(hash.utf8)) + string(digest.bytes)
    }

    // MARK: As text

    public var armored: String {
        let blob =
            Self.magic + [0, 0, 0, 1] + Self.string(Self.keyBlob(key)) + Self.string(Array(namespace.utf8))
            + Self.string([]) + Self.string(Array(Self.hash.utf8))
            + Self.string(Self.string(Array(Self.algorithm.utf8)) + Self.string(signature))
        var lines = [Self.header]
        var rest = Self.padded(blob)[...]
        while !rest.isEmpty {
            lines.append(String(decoding: rest.prefix(70), as: UTF8.self))
            rest = rest.dropFirst(70)
        }
        return (lines + [Self.footer, ""]).joined(separator: "\n")
    }

    /// Reads what `armored` or `ssh-keygen -Y sign` wrote; throws `malformed`, also for other kinds of keys.
    public init(armored text: String) throws(CryptographyError) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 4, lines.first == Self.header[...], lines.last == "",
            lines[lines.count - 2] == Self.footer[...]
        else { throw .malformed("it is not a signature of OpenSSH") }
        var blob: [UInt8] = []
        let characters = Array(lines[1..<lines.count - 2].joined().utf8)
        guard characters.withUnsafeBytes({ Base64.decode($0[...], padded: true, to: &blob) }) else {
            throw .malformed("the signature is not Base64")
        }
        // One spelling for each signature: what was changed and means the same is found, too.
        var rest = blob[...]
        guard rest.starts(with: Self.magic + [0, 0, 0, 1]) else {
            throw .malformed("it is not a signature of this version")
        }
        rest = rest.dropFirst(10)
        let parts = try Self.strings(&rest, count: 5)
        guard rest.isEmpty, let namespace = String(validating: parts[1], as: UTF8.self), parts[2].isEmpty,
            parts[3].elementsEqual(Self.hash.utf8)
        else { throw .malformed("the signature is of another kind") }
        self.namespace = namespace
        key = try Self.key(of: parts[0])
        var inner = parts[4][...]
        let signature = try Self.strings(&inner, count: 2)
        guard inner.isEmpty, signature[0].elementsEqual(Self.algorithm.utf8), signature[1].count == 64 else {
            throw .malformed("the signature is of another kind of key")
        }
        self.signature = signature[1]
        guard armored == text else { throw .malformed("the signature is not written as it should be") }
    }

    /// The public key, of any kind, that a signature names, as allowed signers have it: Base64 of it; throws `malformed`. It says nothing of
    /// whether the signature is that key's.
    public static func encodedKey(ofArmored text: String) throws(CryptographyError) -> String {
        let lines = text.split(whereSeparator: \.isNewline)
        guard lines.count >= 3, lines.first == header[...], lines.last == footer[...] else {
            throw .malformed("it is not a signature of OpenSSH")
        }
        var blob: [UInt8] = []
        let characters = Array(lines.dropFirst().dropLast().joined().utf8)
        guard characters.withUnsafeBytes({ Base64.decode($0[...], padded: true, to: &blob) }) else {
            throw .malformed("the signature is not Base64")
        }
        var rest = blob[...]
        guard rest.starts(with: magic + [0, 0, 0, 1]) else {
            throw .malformed("it is not a signature of this version")
        }
        rest = rest.dropFirst(10)
        return String(decoding: padded(try strings(&rest, count: 1)[0]), as: UTF8.self)
    }

    // MARK: Keys

    /// The line of a public key, as `authorized_keys` and allowed signers have it, without a comment.
    public static func line(of key: VerifyingKey) -> String {
        "\(algorithm) \(String(decoding: padded(keyBlob(key)), as: UTF8.self))"
    }

    /// Reads such a line; throws `malformed`.
    public static func key(fromLine line: String) throws(CryptographyError) -> VerifyingKey {
        let words = line.split(separator: " ")
        guard let start = words.firstIndex(of: algorithm[...]), words.count > start + 1 else {
            throw .malformed("it is no public key of the kind \(algorithm)")
        }
        var blob: [UInt8] = []
        guard Array(words[start + 1].utf8).withUnsafeBytes({ Base64.decode($0[...], padded: true, to: &blob) }) else {
            throw .malformed("the public key is not Base64")
        }
        return try key(of: blob)
    }

    /// The keys of a list of signers: lines of a public key, or of a name and a public key, as allowed signers have them. What is commented out, and
    /// a line with options (an end, a purpose, an authority), names none: who limits a key does not mean all of it.
    public static func keys(ofSigners text: String) -> [VerifyingKey] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let place = words.firstIndex(of: algorithm[...]), place <= 1, words.first?.hasPrefix("#") == false,
                place == 0 || !words[0].contains(where: { $0 == "=" || $0 == "\"" }) && words[0] != "cert-authority"
            else { return nil }
            return try? key(fromLine: words[place...].joined(separator: " "))
        }
    }

    private static func keyBlob(_ key: VerifyingKey) -> [UInt8] {
        string(Array(algorithm.utf8)) + string(key.rawBytes)
    }

    private static func key(of blob: [UInt8]) throws(CryptographyError) -> VerifyingKey {
        var rest = blob[...]
        let parts = try strings(&rest, count: 2)
        guard rest.isEmpty, parts[0].elementsEqual(algorithm.utf8) else {
            throw .malformed("the key is not of the kind \(algorithm)")
        }
        return try VerifyingKey(rawBytes: parts[1])
    }

    // MARK: Strings of RFC 4251: a length of four bytes, and the bytes

    private static func string(_ bytes: [UInt8]) -> [UInt8] {
        let count = UInt32(bytes.count)
        return [UInt8(count >> 24), UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)] + bytes
    }

    private static func strings(_ rest: inout ArraySlice<UInt8>, count: Int) throws(CryptographyError) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for _ in 0..<count {
            guard rest.count >= 4 else { throw .malformed("the signature ends too early") }
            let length = Int(rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            rest = rest.dropFirst(4)
            guard rest.count >= length else { throw .malformed("the signature ends too early") }
            result.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return result
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        let text = Base64.encode(bytes)
        return text + [UInt8](repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
    }
}
