// Files of private keys: which apply, reading them, and making the first.

internal import Cryptography
internal import Glibc
internal import Images
internal import Platform
internal import Reporting

enum IdentityFile {
    /// What a file of keys holds. It is read once: it may be a pipe.
    struct Keys {
        var identities: [AgeIdentity] = []
        var steward: StewardKey?
        /// The fingerprints of stores that are noted in it.
        var notedStores: [StoreFingerprint] = []
    }

    static func read(_ path: BytePath, on console: Console) throws -> Keys {
        var bytes: [UInt8]
        do throws(SystemError) {
            let file = try Descriptor.open(path)
            let status = try file.status()
            if status.kind == .file, status.mode & 0o077 != 0 {
                console.warning("the identity \(path) can be read by others; `chmod 600` keeps it to yourself")
            }
            bytes = try readWhole(file, limit: 1 << 20, named: path.description)
        } catch {
            throw Problem.usage("cannot read the identity \(path): \(error.reason)")
        }
        defer { erase(&bytes) }
        return try keys(&bytes, named: path.description)
    }

    /// What bytes hold that were read from somewhere. Their caller erases them.
    static func keys(_ bytes: inout [UInt8], named path: String) throws -> Keys {
        dropByteOrderMark(&bytes)
        if Age.isPassphraseEncrypted(bytes) {
            throw Problem.usage(
                "the identity \(path) is itself encrypted", hint: "decrypt it first with `age --decrypt`")
        }
        do {
            if StewardKey.isStewardKey(bytes) { return Keys(steward: try StewardKey(decoding: bytes)) }
            return Keys(identities: try AgeIdentity.identities(inFile: bytes), notedStores: notes(in: bytes))
        } catch {
            throw Problem.usage("cannot use the identity \(path): \(explained(error).sentence)")
        }
    }

    /// The file of an identity as age-keygen writes it. Its caller erases the bytes.
    static func contents(_ identity: AgeIdentity) -> [UInt8] {
        let comments = "# created: \(Text.time(.now()))\n# public key: \(identity.recipient)\n"
        // All the room at once: growing would leave copies behind.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(comments.utf8.count + 80)
        bytes.append(contentsOf: comments.utf8)
        identity.encoded().withUnsafeBytes { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    /// Makes a new identity in a new file that only its owner reads. It is durable on return.
    static func generate(_ path: BytePath) throws -> AgeIdentity {
        let identity = try AgeIdentity.generate()
        var bytes = contents(identity)
        defer { erase(&bytes) }
        do throws(SystemError) {
            try makeFolders(path.parent)
            try writeNew(path, bytes, mode: 0o600)
        } catch {
            if error.code == EEXIST {
                throw Problem.refused(
                    "\(path) exists already, and what only it opens would be lost",
                    hint: "give another file with `--output FILE`")
            }
            throw error
        }
        return identity
    }

    private static let note = "# holdfast store "

    private static func notes(in bytes: [UInt8]) -> [StoreFingerprint] {
        bytes.split(separator: UInt8(ascii: "\n")).filter { $0.starts(with: Array(note.utf8)) }
            .compactMap { StoreFingerprint(String(decoding: $0.dropFirst(note.utf8.count), as: UTF8.self)) }
    }

    /// Adds a store's fingerprint as a comment. A crash leaves the file as it was, or with the comment.
    static func note(_ fingerprint: StoreFingerprint, in path: BytePath) throws {
        var bytes = try readWhole(path, limit: 1 << 20)
        defer { erase(&bytes) }
        if notes(in: bytes).contains(fingerprint) { return }
        bytes.reserveCapacity(bytes.count + 128)
        if bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        bytes += Array("\(note)\(fingerprint)\n".utf8)
        try replaceFile(path, bytes, mode: 0o600)
    }

    /// Takes away what some editors (Notepad) write before the first line, which is no part of it.
    static func dropByteOrderMark(_ bytes: inout [UInt8]) {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        guard bytes.starts(with: mark) else { return }
        // In place: a copy would leave the secret behind, and so would the end of what is moved.
        bytes.withUnsafeMutableBytes { buffer in
            guard let start = buffer.baseAddress else { return }
            memmove(start, start + mark.count, buffer.count - mark.count)
            explicit_bzero(start + (buffer.count - mark.count), mark.count)
        }
        bytes.removeLast(mark.count)
    }
}
