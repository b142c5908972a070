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
    /// Bits of what a reader must know to read it. 0 so far.
    var features: UInt64 = 0
    /// 0 where it was not known when the header was written.
    var length: UInt64
    var salt: [UInt8]
    /// The object key, sealed to P.
    var sealedKey: [UInt8]

    static let objectKeyInfo = Array("holdfast/1/object key".utf8)

    /// The bytes that the object key's seal covers.
    var sealedPart: [UInt8] { Array(unchecked.prefix(Format.headerSealedLength)) }

    /// The bytes that the signature covers, for an object of this length.
    func signedPart(length: UInt64) -> [UInt8] {
        var copy = self
        copy.length = length
        return copy.unchecked
    }

    /// All but the check.
    private var unchecked: [UInt8] {
        var bytes = Format.headerMagic
        bytes.append(integer: version)
        bytes.append(Format.suite)
        bytes.append(type.rawValue)
        bytes.append(integer: epoch)
        bytes += store.bytes + group.bytes + writer.bytes + id.bytes + run.bytes
        bytes.append(integer: features)
        bytes.append(integer: length)
        bytes += salt + sealedKey
        return bytes
    }

    func encoded() throws -> [UInt8] {
        let bytes = unchecked
        return bytes + (try sha256(bytes)).bytes
    }

    /// Reads a header; a bad check is a `FormatError`; another version, or a feature that is required and not known, with a good
    /// check `ImageError.otherFormat`.
    init(decoding bytes: [UInt8], subject: String) throws {
        guard bytes.count >= Format.headerLength else { throw FormatError("it is too short") }
        guard bytes.starts(with: Format.headerMagic) else { throw FormatError("it does not begin as an object does") }
        guard
            try sha256(Array(bytes[..<Format.headerCheckedLength])).bytes
                == Array(bytes[Format.headerCheckedLength..<Format.headerLength])
        else { throw FormatError("its header does not match its check") }
        var reader = WireReader(bytes, 8..<Format.headerLength)
        version = try reader.integer(UInt16.self)
        let suite = try reader.byte()
        let kind = try reader.byte()
        epoch = try reader.integer(UInt32.self)
        store = try reader.identifier()
        group = try reader.identifier()
        writer = try reader.identifier()
        id = try reader.identifier()
        run = try reader.identifier()
        features = try reader.integer(UInt64.self)
        length = try reader.integer(UInt64.self)
        salt = try reader.array(32)
        sealedKey = try reader.array(HPKE.overhead + 32)
        guard version == Format.version, suite == Format.suite, features & ~Format.knownFeatures == 0 else {
            throw ImageError.otherFormat(subject: subject, version: Int(version))
        }
        guard let type = ObjectType(rawValue: kind) else {
            throw FormatError("it is of a kind that this version does not know")
        }
        self.type = type
    }

    init(type: ObjectType, writer: any ObjectSigner, id: ObjectID, run: ObjectID, salt: [UInt8]) {
        self.type = type
        epoch = writer.epoch
        store = writer.certificate.store
        group = writer.groupID
        self.writer = writer.certificate.writer
        self.id = id
        self.run = run
        length = 0
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
        return bytes + (try sha256(bytes)).bytes.prefix(16)
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
        guard try sha256(Array(bytes[..<48])).bytes.prefix(16) == bytes[48...] else {
            throw FormatError("its trailer does not match its check")
        }
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

    var contentOffset: UInt64 { offset &+ UInt64(Format.frameHeadLength) }
    var end: UInt64 { contentOffset &+ UInt64(length) }  // safe: from 32 bits

    static func encoded(kind: FrameKind, length: Int) throws -> [UInt8] {
        var bytes = Format.frameMagic
        bytes += [kind.rawValue, 0, 0, 0]
        guard let count = UInt32(exactly: length) else { throw FormatError("a frame is too long") }
        bytes.append(integer: count)
        return bytes + (try sha256(bytes)).bytes.prefix(4)
    }

    init(kind: FrameKind, offset: UInt64, length: Int) {
        self.kind = kind
        self.offset = offset
        self.length = length
    }

    /// Reads a head; nil where there is none, or its content is longer than one of its kind can be.
    init?(decoding bytes: ArraySlice<UInt8>, at offset: UInt64) {
        guard bytes.count >= Format.frameHeadLength, bytes.starts(with: Format.frameMagic) else { return nil }
        let start = bytes.startIndex
        kind = FrameKind(rawValue: bytes[start + 4])
        self.offset = offset
        // safe: bytes
        length = (0..<4).reduce(0) { $0 | Int(bytes[start + 8 + $1]) << (8 * $1) }
        // The cheap part first: a damaged object is searched byte by byte.
        guard length <= kind.maximumLength, offset < .max / 2 else { return nil }
        let digest = try? sha256(Array(bytes[start..<start + 12]))  // Without a check there is no head.
        guard let digest, digest.bytes.prefix(4) == bytes[start + 12..<start + 16] else { return nil }
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
        // safe: of a chunk, which is at most 5 MiB; rows that were read are compared with that
        let (sealed, plain) = (UInt32(sealedLength), UInt32(plainLength))
        bytes.append(integer: sealed)
        bytes.append(integer: plain)
        bytes.append(integer: offset)
        bytes += tag
    }

    static func encode(_ rows: [DirectoryRow]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * Format.directoryRowLength)
        for row in rows { row.append(to: &bytes) }
        return bytes
    }

    static func rows(_ bytes: [UInt8]) throws -> [DirectoryRow] {
        var reader = WireReader(bytes)
        return try rows(&reader)
    }

    /// All rows that are left.
    static func rows(_ reader: inout WireReader) throws -> [DirectoryRow] {
        guard reader.remaining.isMultiple(of: Format.directoryRowLength) else {
            throw FormatError("a directory's length is no multiple of its rows'")
        }
        var rows: [DirectoryRow] = []
        rows.reserveCapacity(reader.remaining / Format.directoryRowLength)
        while !reader.isAtEnd {
            let id = try reader.digest()
            let kind = FrameKind(rawValue: try reader.byte())
            guard kind.isChunk else { throw FormatError("a directory names what is no chunk") }
            let sealed = Int(try reader.integer(UInt32.self))  // safe: 32 bits
            let plain = Int(try reader.integer(UInt32.self))  // safe: 32 bits
            let offset = try reader.integer(UInt64.self)
            guard sealed <= Format.maximumFrameLength, plain <= Format.maximumChunkLength,
                offset <= Format.maximumVolumeLength
            else { throw FormatError("a directory names a chunk that is too long or too far") }
            rows.append(
                DirectoryRow(
                    id: id, kind: kind, sealedLength: sealed, plainLength: plain, offset: offset,
                    tag: try reader.array(16)))
        }
        return rows
    }
}

/// The rows that the signature covers, one for each frame before it that is no chunk; chunks are bound by the directory.
struct FrameTable {
    private(set) var bytes: [UInt8] = []

    /// - Parameter digest: of the content as it is stored, with its tag. A tag alone proves nothing: it is linear, and who has the key
    ///   makes another content for it.
    mutating func add(_ frame: FrameHead, digest: Digest) {
        bytes.append(frame.kind.rawValue)
        bytes.append(integer: frame.offset)
        bytes.append(integer: UInt32(frame.length))  // safe: a head has 32 bits for it
        bytes += digest.bytes
    }

    /// What the writer signs, for an object with this header and length.
    func message(header: ObjectHeader, length: UInt64, certificate: Certificate) throws -> [UInt8] {
        Array("holdfast/1/object".utf8) + header.signedPart(length: length) + (try sha256(certificate.encoded)).bytes
            + bytes
    }
}
