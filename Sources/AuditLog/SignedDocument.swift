// A document that says what was done, and that whoever holds it can check: a file of JSON, its signature in OpenSSH's form, and a page of the
// same data to print. The certificate of a wipe and the report of a drill are such documents.
//
//     FILE         the document
//     FILE.sig     its signature, which `ssh-keygen -Y verify` checks, too
//     FILE.html    a page, made of the document alone, so that it can be made again and compared

public import Cryptography
internal import FoundationEssentials
internal import Glibc
public import Platform
public import Reporting

public enum SignedDocumentError: Explained {
    /// There is one, or something else, where one is to be put.
    case exists(file: BytePath)
    /// What is there is not what was signed.
    case bad(file: BytePath, reason: String)
    case system(SystemError)

    public var description: String {
        switch self {
        case .exists(let file): "there is something at \(file), and a signed document replaces nothing"
        case .bad(let file, let reason): "\(file) does not hold: \(reason)"
        case .system(let error): error.description
        }
    }

    public var mend: String? {
        switch self {
        case .exists: "give another file"
        case .bad: "take another copy of it; what was changed proves nothing"
        case .system: nil
        }
    }

    public var exitStatus: Int32 { if case .exists = self { 4 } else { 1 } }
}

/// What a kind of document is called where it is signed.
public struct SignedDocument: Sendable {
    /// A signature for another purpose is none for this one.
    public var namespace: String
    /// As it stands in sentences: "a certificate".
    public var words: String

    public init(namespace: String, words: String) {
        self.namespace = namespace
        self.words = words
    }

    /// A page is some times as long as its document, and no document has a million lines.
    public static let limit = 1 << 24
    private static let signatureLimit = 1 << 16

    /// The one form in which a document is written: what says the same has the same bytes.
    public static func canonical(_ document: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(document)) + [UInt8(ascii: "\n")]
    }

    // MARK: Where it lies

    public static func signature(of file: BytePath) -> BytePath { BytePath(file.bytes + signatureEnd) }
    public static func page(of file: BytePath) -> BytePath { BytePath(file.bytes + pageEnd) }
    /// What it is called until it is whole.
    public static func new(_ file: BytePath) -> BytePath { BytePath(file.bytes + Array(".new".utf8)) }
    private static let signatureEnd = Array(".sig".utf8)
    private static let pageEnd = Array(".html".utf8)

    private static func parts(of file: BytePath) -> [BytePath] { [page(of: file), signature(of: file), new(file)] }

    /// Refuses a place at which a document could not be written, or where one is: that shows before hours of work, not after.
    /// - Throws: `SignedDocumentError.exists`, or `SystemError`.
    public func checkPlace(_ file: BytePath) throws {
        if try kind(of: file) != nil { throw SignedDocumentError.exists(file: file) }
        // Without a document they mean nothing, and were left by one that was cut off. What is something else is somebody's.
        for part in Self.parts(of: file) {
            guard let kind = try kind(of: part) else { continue }
            guard kind == .file, try isLeft(part, of: file) else { throw SignedDocumentError.exists(file: part) }
        }
        // What the folder says of itself is not all: a read-only or full medium shows when something is written.
        try replaceFile(Self.new(file), Array("\(words) is to be made here\n".utf8), mode: 0o600)
        try removeFile(Self.new(file))
    }

    /// Whether a part is what a document of this kind has left that was cut off.
    private func isLeft(_ part: BytePath, of file: BytePath) throws -> Bool {
        // Its name alone says that it is not at its end.
        if part == Self.new(file) { return true }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readRegular(part, limit: Self.limit) } catch {
            if error.isAbsent { return true }
            // Longer than any part, for one.
            return false
        }
        // Nobody has anything in it.
        if bytes.isEmpty { return true }
        if part == Self.page(of: file) { return SignedPage.isPage(bytes) }
        // What does not read like a signature is none.
        let signature = try? SSHSignature(armored: String(decoding: bytes, as: UTF8.self))
        return signature?.namespace == namespace
    }

    private func kind(of file: BytePath) throws -> FileKind? {
        do throws(SystemError) {
            return try Descriptor.open(file.parent, .directory).status(of: file.lastComponent).kind
        } catch {
            if error.isAbsent { return nil }
            throw error
        }
    }

    // MARK: Writing

    /// Writes FILE, FILE.sig and FILE.html. The document comes last, and replaces nothing: without it the others mean nothing.
    /// - Parameter page: makes the page of it.
    /// - Throws: `SignedDocumentError.exists` where somebody else made one meanwhile.
    public func write(_ bytes: [UInt8], to file: BytePath, key: SigningKey, page: String) throws {
        try checkPlace(file)
        let signature = try SSHSignature(of: bytes, for: namespace, by: key)
        try replaceFile(Self.page(of: file), Array(page.utf8), mode: 0o644)
        try replaceFile(Self.signature(of: file), Array(signature.armored.utf8), mode: 0o644)
        try replaceFile(Self.new(file), bytes, mode: 0o644)
        let folder = try Descriptor.open(file.parent, .directory)
        do throws(SystemError) {
            try folder.move(Self.new(file).lastComponent, to: file.lastComponent, in: folder)
        } catch {
            // A file system that knows no such step (NTFS): it was looked at just now.
            guard error.code == EINVAL else {
                throw error.isPresent ? SignedDocumentError.exists(file: file) : SignedDocumentError.system(error)
            }
            try folder.rename(Self.new(file).lastComponent, to: file.lastComponent)
        }
        try folder.synchronize()
    }

    // MARK: Checking

    /// A document whose signature holds.
    public struct Checked: Sendable {
        public var bytes: [UInt8]
        /// Whether that key is to be trusted is for the caller to know.
        public var signer: VerifyingKey
    }

    /// Reads a document and checks its signature.
    /// - Throws: `SignedDocumentError.bad`, which names what fails.
    public func check(_ file: BytePath) throws -> Checked {
        try check(file) { path, limit throws(SystemError) in try readRegular(path, limit: limit) }
    }

    /// The same of a file in a folder in which anybody may have put anything: no link is followed, and nothing is waited for.
    public func check(_ name: [UInt8], in folder: Descriptor, at path: BytePath) throws -> Checked {
        try check(path.appending(name)) { path, limit throws(SystemError) in
            try Self.readPlain(path.lastComponent, in: folder, limit: limit)
        }
    }

    /// The bytes of a regular file that has the name itself.
    public static func readPlain(_ name: [UInt8], in folder: Descriptor, limit: Int) throws(SystemError) -> [UInt8] {
        let file = try folder.open(name, .nonBlocking)
        guard try file.status().kind == .file else {
            throw SystemError(EINVAL, "read", printable(name), detail: "it is no file")
        }
        return try readWhole(file, limit: limit, named: printable(name))
    }

    private func check(
        _ file: BytePath, read: (BytePath, Int) throws(SystemError) -> [UInt8]
    ) throws -> Checked {
        func bad(_ reason: String, _ what: BytePath? = nil) -> SignedDocumentError {
            .bad(file: what ?? file, reason: reason)
        }
        let (bytes, signed): ([UInt8], [UInt8])
        do throws(SystemError) { bytes = try read(file, Self.limit) } catch { throw bad(error.reason) }
        let signatureFile = Self.signature(of: file)
        do throws(SystemError) { signed = try read(signatureFile, Self.signatureLimit) } catch {
            throw error.isAbsent ? bad("there is no signature \(signatureFile)") : bad(error.reason, signatureFile)
        }
        let signature: SSHSignature
        do { signature = try SSHSignature(armored: String(decoding: signed, as: UTF8.self)) } catch {
            throw bad("\(error)", signatureFile)
        }
        guard signature.namespace == namespace else {
            throw bad("it signs something else than \(words)", signatureFile)
        }
        guard signature.isValid(for: bytes) else { throw bad("it or its signature was changed") }
        return Checked(bytes: bytes, signer: signature.key)
    }

    /// Looks whether the page beside a document, where there is one, says the same.
    /// - Throws: `SignedDocumentError.bad`
    public func checkPage(of file: BytePath, is page: String) throws {
        let place = Self.page(of: file)
        let there: [UInt8]
        do throws(SystemError) { there = try readRegular(place, limit: Self.limit) } catch {
            if error.isAbsent { return }
            throw SignedDocumentError.bad(file: place, reason: error.reason)
        }
        guard there == Array(page.utf8) else {
            throw SignedDocumentError.bad(file: place, reason: "the page says something else than \(words)")
        }
    }

    // MARK: The machine's key

    /// The machine's own key for what it signs, made when it is first needed.
    public static func key(state: BytePath) throws -> SigningKey {
        let file = state.appending("certificate").appending("key")
        if !exists(file) {
            try makeFolders(file.parent, mode: 0o755)
            try replaceFile(file, SigningKey.generate().seed.withUnsafeBytes { Array($0) })
        }
        let key = try SigningKey(seed: Secret(readRegular(file, limit: 64)))
        let line = "\(SSHSignature.line(of: key.verifyingKey)) holdfast@\(HostFacts.hostName)\n"
        let publicFile = publicKey(state: state)
        if !exists(publicFile) { try replaceFile(publicFile, Array(line.utf8), mode: 0o644) }
        return key
    }

    public static func publicKey(state: BytePath) -> BytePath {
        state.appending("certificate").appending("key.pub")
    }
}
