// The plain file that says what a folder is, and whose.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Stores

struct StoreHeader: Hashable, Sendable {
    var store: Identifier
    /// The root key that the store was made with. Another may have taken its place since: the records say so, and this stays.
    var root: VerifyingKey

    func encoded() throws -> [UInt8] {
        let lines = Array(
            "holdfast store \(Format.version)\nstore \(store)\nroot \(hexadecimal(root.rawBytes))\nsuite \(Format.suite)\n"
                .utf8)
        let check = try sha256(lines)
        return lines
            + Array(
                """
                check \(hexadecimal(check.bytes.prefix(8)))
                # This folder holds encrypted backup images, written by Holdfast.
                # `holdfast images --from FOLDER` lists them, `holdfast restore` brings them back.

                """.utf8)
    }

    init(store: Identifier, root: VerifyingKey) {
        self.store = store
        self.root = root
    }

    init(decoding bytes: [UInt8], subject: String) throws {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 5, omittingEmptySubsequences: false).prefix(5)
            .map { String(decoding: $0, as: UTF8.self) }
        guard let first = lines.first, first.hasPrefix("holdfast store "), let version = Int(first.dropFirst(15)) else {
            throw FormatError("it does not read like a store's")
        }
        guard version == Int(Format.version) else { throw ImageError.otherFormat(subject: subject, version: version) }
        guard lines.count == 5 else { throw FormatError("it ends too early") }
        let check = try sha256(Array(lines[0...3].map { $0 + "\n" }.joined().utf8))
        guard lines[4] == "check \(hexadecimal(check.bytes.prefix(8)))" else { throw FormatError("its check differs") }
        guard lines[3] == "suite \(Format.suite)" else {
            throw ImageError.otherFormat(subject: subject, version: version)
        }
        guard lines[1].hasPrefix("store "), let store = Identifier(hexadecimal: lines[1].dropFirst(6)),
            lines[2].hasPrefix("root "), let key = decodeHexadecimal(lines[2].dropFirst(5)), key.count == 32
        else { throw FormatError("it names no store") }
        self.store = store
        root = try VerifyingKey(rawBytes: key)
    }

    /// Whether all that is there is what a making, or a copy, left that was cut off while it wrote the file which makes a folder a store: every
    /// copy of it is cut, and beside it are at most keys and a record, which nobody can find content with.
    static func isCut(_ objects: any ObjectStore) throws -> Bool {
        var isCut = false
        for name in [StoreName.header, StoreName.header + ".2"] {
            // One that cannot be read may be whole: whoever opens the store says so.
            guard let bytes = try? objects.read(name, limit: Format.maximumKeyLength) else {
                if try objects.contains(name) { return false }
                continue
            }
            guard Self.isCut(bytes) else { return false }
            isCut = true
        }
        let parts = [StoreName.header, StoreName.header + ".2", "k", "e", "lost+found"]
        return try isCut && objects.topLevel().allSatisfy(parts.contains)
    }

    /// Shorter than its check, or with zeros in place of what was not written.
    private static func isCut(_ bytes: [UInt8]) -> Bool {
        let text = bytes.reversed().drop { $0 == 0 }.reversed()
        let first = Array("holdfast store \(Format.version)\n".utf8)
        return (text.starts(with: first) || first.starts(with: text))
            && text.count(where: { $0 == UInt8(ascii: "\n") }) < 5
    }

    /// Takes away what was cut, and first the keys and records of its making: another one's come after it has gone.
    static func removeCut(from objects: any ObjectStore) throws {
        let parts = try ["k", "e"].flatMap { try objects.list($0).map(\.name) }
        guard try isCut(objects) else { return }
        // Whoever is at it needs a moment, and on a slow share some more.
        for _ in 0..<10 {
            usleep(1_000_000)
            guard try isCut(objects) else { return }
        }
        for name in parts + [StoreName.header + ".2", StoreName.header] { try objects.remove(name) }
    }

    /// Reads it from the first copy that is whole. Two whole copies that differ are refused: nobody knows which is forged.
    /// - Parameter isPinned: whether the machine knows the store that a copy names: then one copy will do.
    static func read(
        _ objects: any ObjectStore, isPinned: (StoreHeader) -> Bool = { _ in false }
    ) throws -> StoreHeader {
        var found: Set<StoreHeader> = []
        var problem: (any Error)?
        for name in [StoreName.header, StoreName.header + ".2"] {
            do {
                guard let bytes = try objects.read(name, limit: Format.maximumKeyLength) else { continue }
                let header = try StoreHeader(decoding: bytes, subject: objects.subject)
                if isPinned(header) { return header }
                found.insert(header)
            } catch { problem = error }
        }
        if found.count > 1 {
            throw ImageError.contradicted(
                store: objects.subject, detail: "HOLDFAST and HOLDFAST.2 name different stores")
        }
        if let header = found.first { return header }
        switch problem {
        case nil: throw ImageError.notAStore(path: objects.subject)
        case let error as ImageError: throw error
        case let error as StoreError: throw ImageError(error)
        case let error?: throw ImageError.damaged(subject: objects.subject, detail: "HOLDFAST: \(error)")
        }
    }
}
