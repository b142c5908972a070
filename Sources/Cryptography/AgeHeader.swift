// The text header of an age file (C2SP age.md): the version, a stanza for each recipient, and the code that
// authenticates both.

/// One recipient's share of the header: how this recipient gets the file key.
struct AgeStanza: Equatable {
    /// The first names the kind.
    var arguments: [[UInt8]]
    var body: [UInt8]

    init(_ arguments: [[UInt8]], body: [UInt8]) {
        self.arguments = arguments
        self.body = body
    }

    func isOfType(_ type: StaticString) -> Bool { arguments.first == type.bytes }

    /// The stanza's lines. The body is cut into lines of 64 characters, and the last one is always shorter, even empty.
    var text: [UInt8] {
        var text = [UInt8]("->".utf8)
        for argument in arguments { text += [UInt8(ascii: " ")] + argument }
        text.append(AgeHeader.newline)
        let digits = Base64.encode(body)
        for start in stride(from: 0, through: digits.count, by: AgeHeader.columns) {
            text += digits[start..<min(start + AgeHeader.columns, digits.count)]
            text.append(AgeHeader.newline)
        }
        return text
    }
}

/// A header that was read, or is to be written.
struct AgeHeader {
    static let version = [UInt8]("age-encryption.org/v1".utf8)
    static let newline = UInt8(ascii: "\n")
    static let columns = 64
    private static let stanzaMark = [UInt8]("-> ".utf8)
    private static let endMark = [UInt8]("---".utf8)

    private(set) var stanzas: [AgeStanza] = []
    /// The header up to and including the three dashes: what the code covers.
    private(set) var authenticated: [UInt8]
    /// The code that the header carries.
    private(set) var code: [UInt8] = []
    /// Where in the file the payload begins.
    private(set) var length = 0

    /// A header to be written.
    init(stanzas: [AgeStanza]) {
        self.stanzas = stanzas
        authenticated = Self.version + [Self.newline]
        for stanza in stanzas { authenticated += stanza.text }
        authenticated += Self.endMark
    }

    /// Reads the header at the beginning of `file`; throws `malformed`, or `unsupported` for another version.
    init(parsing file: UnsafeRawBufferPointer) throws(CryptographyError) {
        var lines = Lines(file)
        let version = try lines.next()
        guard version.elementsEqual(Self.version) else {
            if version.starts(with: Array("age-encryption.org/".utf8)) { throw .unsupported("this version of age") }
            throw .malformed("not an age file")
        }
        while true {
            let start = lines.position
            let line = try lines.next()
            if line.starts(with: Self.stanzaMark) {
                stanzas.append(try Self.stanza(line.dropFirst(Self.stanzaMark.count), &lines))
            } else if line.starts(with: Self.endMark + [UInt8(ascii: " ")]) {
                let digits = [UInt8](line.dropFirst(Self.endMark.count + 1))
                guard let code = Base64.decode(digits), code.count == Digest.length else {
                    throw .malformed("the code that ends an age header")
                }
                guard !stanzas.isEmpty else { throw .malformed("an age header without recipients") }
                self.code = code
                authenticated = [UInt8](file[..<(start + Self.endMark.count)])
                length = lines.position
                return
            } else {
                throw .malformed("a line of an age header")
            }
        }
    }

    /// The header's bytes under `fileKey`.
    func encoded(fileKey: Secret) throws(CryptographyError) -> [UInt8] {
        let code = try Self.code(of: authenticated, fileKey: fileKey)
        return authenticated + [UInt8(ascii: " ")] + Base64.encode(code.bytes) + [Self.newline]
    }

    /// Throws `authenticationFailed` unless the header is what was written under `fileKey`.
    func authenticate(fileKey: Secret) throws(CryptographyError) {
        let expected = try Self.code(of: authenticated, fileKey: fileKey)
        let equal = expected.withUnsafeBytes { expected in
            code.withUnsafeBytes { equalInConstantTime(expected, $0) }
        }
        guard equal else { throw .authenticationFailed }
    }

    private static func code(of text: [UInt8], fileKey: Secret) throws(CryptographyError) -> Digest {
        let key = try KeyDerivation.hkdf(secret: fileKey, salt: [], info: [UInt8]("header".utf8), count: 32)
        return try text.withRawBytes { (text) throws(CryptographyError) in
            try HMACSHA256.authenticate(text, key: key)
        }
    }

    private static func stanza(
        _ line: Slice<UnsafeRawBufferPointer>, _ lines: inout Lines
    ) throws(CryptographyError) -> AgeStanza {
        let arguments = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard arguments.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (33...126).contains($0) } }) else {
            throw .malformed("the arguments of an age stanza")
        }
        var stanza = AgeStanza(arguments.map { [UInt8]($0) }, body: [])
        while true {
            let line = try lines.next()
            guard line.count <= columns, Base64.decode(line, padded: false, to: &stanza.body) else {
                throw .malformed("the body of an age stanza")
            }
            if line.count < columns { return stanza }
        }
    }

    /// The lines of a text, each of which must be ended.
    private struct Lines {
        private let text: UnsafeRawBufferPointer
        private(set) var position = 0

        init(_ text: UnsafeRawBufferPointer) { self.text = text }

        mutating func next() throws(CryptographyError) -> Slice<UnsafeRawBufferPointer> {
            guard let end = text[position...].firstIndex(of: newline) else {
                throw .malformed("an age header without its end")
            }
            defer { position = end + 1 }
            return text[position..<end]
        }
    }
}
