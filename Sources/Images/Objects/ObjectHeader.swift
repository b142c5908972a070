// The head of every object, and the trailer that finds it again from the end.

internal import Cryptography
internal import Platform

struct ObjectHeader: Sendable {
    var version: UInt16 = Format.version
    var type: ObjectType
    var epoch: UInt32
    var store: Identifier
    var group: Identifier
    var writer: Identifier
    var id: ObjectID
    var run: ObjectID
    /// 0 where it was not known when the header was written.
    var length: UInt64
    var salt: [UInt8]
    /// The object key, sealed to P.
    var sealedKey: [UInt8]

    static let objectKeyInfo = Array("holdfast/1/object key".utf8)

    /// The bytes that the object key's seal covers.
    var sealedPart: [UInt8] { Array(encoded(withCheck: false).prefix(Format.headerSealedLength)) }

    /// The bytes that the signature covers, for an object of this length.
    func signedPart(length: UInt64) -> [UInt8] {
        var copy = self
        copy.length = length
        return Array(copy.encoded(withCheck: false).prefix(Format.headerCheckedLength))
    }

    private func encoded(withCheck: Bool) -> [UInt8] {
        var bytes = Format.headerMagic
        bytes.append(integer: version)
        bytes.append(Format.suite)
        bytes.append(type.rawValue)
        bytes.append(integer: epoch)
        bytes += store.bytes + group.bytes + writer.bytes + id.bytes + run.bytes
        bytes.append(integer: length)
        bytes += [UInt8](repeating: 0, count: 8) + salt + sealedKey + [UInt8](repeating: 0, count: 16)
        return bytes
    }

    func encoded() throws -> [UInt8] {
        let bytes = encoded(withCheck: true)
        return bytes + (try bytes.withUnsafeBytes { try SHA256.digest(of: $0) }).bytes
    }

    /// Reads a header; a bad check is a `FormatError`, a newer version with a good check `ImageError.newerFormat`.
    init(decoding bytes: [UInt8], subject: String) throws {
        guard bytes.count >= Format.headerLength else { throw FormatError("it is too short") }
        guard bytes.starts(with: Format.headerMagic) else { throw FormatError("it does not begin as an object does") }
        let digest = try bytes.withUnsafeBytes {
            try SHA256.digest(of: UnsafeRawBufferPointer(rebasing: $0[..<Format.headerCheckedLength]))
        }
        guard digest.bytes == Array(bytes[Format.headerCheckedLength..<Format.headerLength]) else {
            throw FormatError("its header does not match its check")
        }
        var reader = WireReader(bytes, 8..<Format.headerLength)
        version = try reader.integer(UInt16.self)
        let suite = try reader.byte()
        guard version == Format.version, suite == Format.suite else {
            throw ImageError.newerFormat(subject: subject, version: Int(version))
        }
        guard let type = ObjectType(rawValue: try reader.byte()) else {
            throw FormatError("it is of a kind that this version does not know")
        }
        self.type = type
        epoch = try reader.integer(UInt32.self)
        store = try reader.identifier()
        group = try reader.identifier()
        writer = try reader.identifier()
        id = try reader.objectID()
        run = try reader.objectID()
        length = try reader.integer(UInt64.self)
        try reader.skip(8)
        salt = try reader.array(32)
        sealedKey = try reader.array(HPKE.overhead + 32)
    }

    init(
        type: ObjectType, writer: WriterKey, id: ObjectID, run: ObjectID, length: UInt64, salt: [UInt8]
    ) {
        self.type = type
        epoch = writer.epoch
        store = writer.store
        group = writer.group.id
        self.writer = writer.writer
        self.id = id
        self.run = run
        self.length = length
        self.salt = salt
        sealedKey = []
    }
}

/// The last bytes of an object.
struct ObjectTrailer {
    /// Where the directory frame begins; 0 where there is none.
    var directory: UInt64
    var signature: UInt64
    var length: UInt64

    func encoded() throws -> [UInt8] {
        var bytes = Format.trailerMagic
        bytes.append(integer: directory)
        bytes.append(integer: signature)
        bytes.append(integer: length)
        bytes += [UInt8](repeating: 0, count: 16)
        return bytes + (try bytes.withUnsafeBytes { try SHA256.digest(of: $0) }).bytes.prefix(16)
    }

    init(directory: UInt64, signature: UInt64, length: UInt64) {
        self.directory = directory
        self.signature = signature
        self.length = length
    }

    init(decoding bytes: [UInt8]) throws {
        guard bytes.count == Format.trailerLength, bytes.starts(with: Format.trailerMagic) else {
            throw FormatError("its end is missing")
        }
        let digest = try bytes.withUnsafeBytes { try SHA256.digest(of: UnsafeRawBufferPointer(rebasing: $0[..<48])) }
        guard digest.bytes.prefix(16) == bytes[48...] else { throw FormatError("its trailer does not match its check") }
        var reader = WireReader(bytes, 8..<48)
        directory = try reader.integer(UInt64.self)
        signature = try reader.integer(UInt64.self)
        length = try reader.integer(UInt64.self)
    }
}

/// The head of a frame.
struct FrameHead: Sendable {
    var kind: FrameKind
    /// Where the frame begins in its object.
    var offset: UInt64
    /// Bytes of content after the head.
    var length: Int

    var contentOffset: UInt64 { offset + UInt64(Format.frameHeadLength) }
    var end: UInt64 { contentOffset + UInt64(length) }

    static func encoded(kind: FrameKind, length: Int) throws -> [UInt8] {
        var bytes = Format.frameMagic
        bytes += [kind.rawValue, 0, 0, 0]
        bytes.append(integer: UInt32(length))
        return bytes + (try bytes.withUnsafeBytes { try SHA256.digest(of: $0) }).bytes.prefix(4)
    }

    /// Reads a head; nil where there is none, or a kind that this version does not know.
    init?(decoding bytes: ArraySlice<UInt8>, at offset: UInt64) {
        guard bytes.count >= Format.frameHeadLength, bytes.starts(with: Format.frameMagic) else { return nil }
        let start = bytes.startIndex
        let digest = try? bytes.withUnsafeBytes { try SHA256.digest(of: UnsafeRawBufferPointer(rebasing: $0[..<12])) }
        guard let digest, digest.bytes.prefix(4) == bytes[start + 12..<start + 16],
            let kind = FrameKind(rawValue: bytes[start + 4])
        else { return nil }
        self.kind = kind
        self.offset = offset
        length = (0..<4).reduce(0) { $0 | Int(bytes[start + 8 + $1]) << (8 * $1) }
    }
}

/// A row of an object's directory: where a chunk is, and its tag, so that the signature covers it.
struct DirectoryRow: Sendable {
    var id: Digest
    var kind: FrameKind
    var sealedLength: Int
    var plainLength: Int
    var offset: UInt64
    var tag: [UInt8]

    var frame: FrameHead { FrameHead(kind: kind, offset: offset, length: sealedLength) }

    func append(to bytes: inout [UInt8]) {
        id.withUnsafeBytes { bytes.append(contentsOf: $0) }
        bytes.append(kind.rawValue)
        bytes.append(integer: UInt32(sealedLength))
        bytes.append(integer: UInt32(plainLength))
        bytes.append(integer: offset)
        bytes += tag
    }

    static func rows(_ bytes: [UInt8]) throws -> [DirectoryRow] {
        guard bytes.count.isMultiple(of: Format.directoryRowLength) else {
            throw FormatError("a directory's length is no multiple of its rows'")
        }
        var reader = WireReader(bytes)
        var rows: [DirectoryRow] = []
        rows.reserveCapacity(bytes.count / Format.directoryRowLength)
        while !reader.isAtEnd {
            let id = try reader.digest()
            guard let kind = FrameKind(rawValue: try reader.byte()), kind.isChunk else {
                throw FormatError("a directory names what is no chunk")
            }
            let sealed = Int(try reader.integer(UInt32.self))
            let plain = Int(try reader.integer(UInt32.self))
            let offset = try reader.integer(UInt64.self)
            guard sealed <= Format.maximumFrameLength, plain <= Format.maximumChunkLength, offset <= UInt64(Int64.max)
            else {
                throw FormatError("a directory names a chunk that is too long or too far")
            }
            rows.append(
                DirectoryRow(
                    id: id, kind: kind, sealedLength: sealed, plainLength: plain, offset: offset,
                    tag: try reader.array(16)))
        }
        return rows
    }
}

extension FrameHead {
    init(kind: FrameKind, offset: UInt64, length: Int) {
        self.kind = kind
        self.offset = offset
        self.length = length
    }
}

/// The rows that the signature covers, one for each frame.
struct FrameTable {
    private(set) var bytes: [UInt8] = []

    mutating func add(kind: FrameKind, offset: UInt64, length: Int, proof: some Sequence<UInt8>) {
        bytes.append(kind.rawValue)
        bytes.append(integer: offset)
        bytes.append(integer: UInt32(length))
        bytes.append(contentsOf: proof)
    }

    /// What the writer signs, for an object with this header and length.
    func message(header: ObjectHeader, length: UInt64) throws -> [UInt8] {
        Array("holdfast/1/object".utf8) + header.signedPart(length: length)
            + (try bytes.withUnsafeBytes { try SHA256.digest(of: $0) }).bytes
    }
}
