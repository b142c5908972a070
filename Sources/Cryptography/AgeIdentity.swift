// The private half of an age key pair, and the file of them that age-keygen writes.

/// An age X25519 identity.
public final class AgeIdentity: Sendable {
    private static let prefix = [UInt8]("AGE-SECRET-KEY-".utf8)

    let key: X25519PrivateKey

    /// Reads `AGE-SECRET-KEY-1…`.
    ///
    /// Throws `unsupported` for identities of plugins and hybrid ones, and `malformed` for anything else, such as a
    /// typing error. The string stays in ordinary memory: for a real key take `init(text:)`.
    public convenience init(_ string: String) throws(CryptographyError) {
        try self.init(text: Secret([UInt8](string.utf8)))
    }

    /// Reads `AGE-SECRET-KEY-1…` from protected memory.
    public convenience init(text: Secret) throws(CryptographyError) {
        let decoded = try text.withUnsafeBytes { (text) throws(CryptographyError) in try Bech32.decode(text) }
        let isOther = decoded.prefix.starts(with: [UInt8]("AGE-".utf8)) && decoded.prefix != Self.prefix
        if isOther {
            throw .unsupported("this kind of age identity: \(String(decoding: decoded.prefix, as: UTF8.self))")
        }
        guard decoded.prefix == Self.prefix, decoded.data.count == X25519PrivateKey.length else {
            throw .malformed("an age identity begins with AGE-SECRET-KEY-1 and has 74 characters")
        }
        self.init(try X25519PrivateKey(raw: decoded.data))
    }

    private init(_ key: X25519PrivateKey) {
        self.key = key
    }

    /// A new random identity.
    public static func generate() throws(CryptographyError) -> AgeIdentity {
        AgeIdentity(try X25519PrivateKey.generate())
    }

    /// The public half.
    public var recipient: AgeRecipient { AgeRecipient(rawBytes: key.publicBytes) }

    /// The text `AGE-SECRET-KEY-1…` in protected memory, without an end of line.
    public func encoded() -> Secret {
        key.raw.withUnsafeBytes { Bech32.encode(prefix: Self.prefix, $0) }
    }

    /// Reads a file as age-keygen writes it: an identity a line, comments after `#`, empty lines.
    ///
    /// Throws `malformed` with the number of the line, also for a file without any identity.
    public static func identities(inFile text: [UInt8]) throws(CryptographyError) -> [AgeIdentity] {
        try text.withRawBytes { (text) throws(CryptographyError) in try identities(inFile: text) }
    }

    /// Reads a file as age-keygen writes it, from memory that the caller protects.
    public static func identities(inFile text: UnsafeRawBufferPointer) throws(CryptographyError) -> [AgeIdentity] {
        var identities: [AgeIdentity] = []
        for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            var line = line
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            // From here on it is a secret, even if it is not quite an identity.
            let typed = TypedIdentity(line)
            if let wrong = typed.wrongGroup { throw .malformed("line \(index + 1) of the identity file \(wrong)") }
            do throws(CryptographyError) {
                identities.append(try AgeIdentity(text: typed.text))
            } catch .unsupported(let what) {
                throw .unsupported("\(what), in line \(index + 1) of the identity file")
            } catch {
                throw .malformed("line \(index + 1) of the identity file \(typed.problem)")
            }
        }
        guard !identities.isEmpty else { throw .malformed("an identity file without an identity") }
        return identities
    }
}
