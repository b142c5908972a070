// Writes one object, frame by frame, to wherever its bytes go.

internal import Cryptography
internal import Glibc
internal import Platform

/// A chunk, compressed and laid out as the format wants it, but not sealed yet: its place is not known.
struct PreparedChunk {
    var id: Digest
    /// Chunk head, stored bytes, padding: what is sealed.
    var plain: UnsafeRawBufferPointer
    var contentLength: Int
}

/// Whoever may write objects: a machine, or an identity that states what it has verified.
protocol ObjectSigner: Sendable {
    var epoch: UInt32 { get }
    /// P of the epoch: what object keys are sealed to.
    var sealing: SealingPublicKey { get }
    /// K_index of group and epoch.
    var indexKey: Secret { get }
    var certificate: Certificate { get }
    /// The group that the objects are of; a steward's certificate names none.
    var groupID: Identifier { get }
    var signing: SigningKey { get }
}

extension ObjectSigner {
    var groupID: Identifier { certificate.group }
}

/// Writes one object. Not for two threads at once.
final class ObjectWriter {
    /// What is known of an object once it is written.
    struct Summary: Sendable {
        var id: ObjectID
        var length: UInt64
        var digest: Digest
        var rows: [DirectoryRow]
    }

    private(set) var header: ObjectHeader
    private let writer: any ObjectSigner
    private let sink: (UnsafeRawBufferPointer) throws -> Void
    private var objectCipher: AuthenticatedCipher
    private var indexCipher: AuthenticatedCipher
    private let associatedPrefix: [UInt8]
    private var position: UInt64 = 0
    private var rows: [DirectoryRow] = []
    private var table = FrameTable()
    private var frame: UnsafeMutableRawBufferPointer

    var length: UInt64 { position }
    /// Whether it should be closed now: at its length, or at as many chunks as a directory can have.
    /// - Parameter length: of an object in its store; nil: the usual one.
    func isFull(at length: UInt64?) -> Bool {
        position >= min(length ?? .max, Format.volumeLength) || rows.count >= Format.maximumChunksOfVolume
    }

    /// Begins an object: writes its header.
    init(
        _ type: ObjectType, id: ObjectID, run: ObjectID, writer: any ObjectSigner,
        sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        self.writer = writer
        self.sink = sink
        var header = ObjectHeader(type: type, writer: writer, id: id, run: run, salt: try SecureRandom.bytes(32))
        let key = try Secret.random(count: 32)
        header.sealedKey = try HPKE.seal(
            key, to: writer.sealing, info: ObjectHeader.objectKeyInfo, aad: header.sealedPart)
        self.header = header
        objectCipher = try AuthenticatedCipher(key: key)
        indexCipher = try AuthenticatedCipher(key: try objectIndexKey(writer.indexKey, salt: header.salt))
        associatedPrefix = header.store.bytes + header.id.bytes
        frame = .allocate(byteCount: 1 << 16, alignment: 64)
        try emit(header.encoded())
    }

    deinit { frame.deallocate() }

    private func emit(_ bytes: UnsafeRawBufferPointer) throws {
        try sink(bytes)
        position += UInt64(bytes.count)
    }

    private func emit(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try emit($0) } }

    func append(_ chunk: PreparedChunk, kind: FrameKind = .data) throws {
        let offset = position
        let tag = try appendSealed(chunk.plain, kind: kind)
        rows.append(
            DirectoryRow(
                id: chunk.id, kind: kind, sealedLength: chunk.plain.count + Format.tagLength,
                plainLength: chunk.contentLength, offset: offset, tag: tag))
    }

    func append(_ kind: FrameKind, _ content: [UInt8]) throws {
        if kind.seal != .plain {
            _ = try content.withUnsafeBytes { try appendSealed($0, kind: kind) }
            return
        }
        let head = FrameHead(kind: kind, offset: position, length: content.count)
        guard head.length <= kind.maximumLength else { throw FormatError("a part of an object is too long") }
        try emit(try FrameHead.encoded(kind: kind, length: content.count) + content)
        if kind != .signature { table.add(head, digest: try sha256(content)) }
    }

    private func appendSealed(_ plain: UnsafeRawBufferPointer, kind: FrameKind) throws -> [UInt8] {
        let head = Format.frameHeadLength
        let total = head + plain.count + Format.tagLength
        // No reader would take it.
        guard total - head <= kind.maximumLength else { throw FormatError("a part of an object is too long") }
        if frame.count < total {
            frame.deallocate()
            frame = .allocate(byteCount: max(total, 1 << 20), alignment: 64)
        }
        let offset = position
        frame.copyBytes(from: try FrameHead.encoded(kind: kind, length: total - head))
        let output = UnsafeMutableRawBufferPointer(rebasing: frame[head..<total])
        try withSealParameters(prefix: associatedPrefix, offset: offset, kind: kind) { nonce, associated in
            switch kind.seal {
            case .objectKey:
                _ = try objectCipher.seal(plain, nonce: nonce, authenticating: associated, into: output)
            default:
                _ = try indexCipher.seal(plain, nonce: nonce, authenticating: associated, into: output)
            }
        }
        try emit(UnsafeRawBufferPointer(rebasing: frame[..<total]))
        if !kind.isChunk {
            table.add(
                FrameHead(kind: kind, offset: offset, length: total - head),
                digest: try SHA256.digest(of: UnsafeRawBufferPointer(output)))
        }
        return Array(frame[total - Format.tagLength..<total])
    }

    /// Writes directory, signature, header and trailer. Nothing may be appended after it.
    func finish() throws -> Summary {
        var trailer = ObjectTrailer(directory: 0, signature: 0, length: 0)
        if !rows.isEmpty {
            trailer.directory = position
            try append(.directory, DirectoryRow.encode(rows))
        }
        // The signature's own length is fixed, so the object's length is known before it is made.
        trailer.signature = position
        let certificate = writer.certificate.encoded
        let signatureLength =
            1 + varintLength(UInt64(certificate.count)) + certificate.count + 2 + VerifyingKey.signatureLength
        trailer.length = position + UInt64(Format.frameHeadLength + signatureLength + Format.endLength)
        let message = try table.message(header: header, length: trailer.length, certificate: writer.certificate)
        var content: [UInt8] = []
        content.append(field: 1, certificate)
        content.append(field: 2, try writer.signing.signature(for: message))
        try append(.signature, content)
        header.length = trailer.length
        try emit(try header.encoded() + trailer.encoded())
        guard position == trailer.length else { throw FormatError("an object's length was computed wrongly") }
        return Summary(id: header.id, length: position, digest: try sha256(message), rows: rows)
    }
}

/// The key of one object's directory, label and lists.
func objectIndexKey(_ indexKey: Secret, salt: [UInt8]) throws -> Secret {
    try KeyDerivation.hkdf(secret: indexKey, salt: salt, info: Array("holdfast/1/object index".utf8), count: 32)
}

/// The nonce and associated data of a frame.
@inline(__always)
func withSealParameters<R>(
    prefix: [UInt8], offset: UInt64, kind: FrameKind,
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> R
) rethrows -> R {
    try withUnsafeTemporaryAllocation(byteCount: 56, alignment: 8) { buffer in
        buffer.storeBytes(of: 0, toByteOffset: 0, as: UInt32.self)
        buffer.storeBytes(of: offset.littleEndian, toByteOffset: 4, as: UInt64.self)
        // Associated data begin at 12: store id, object id, offset, kind: 41 bytes.
        UnsafeMutableRawBufferPointer(rebasing: buffer[12..<44]).copyBytes(from: prefix)
        buffer.storeBytes(of: offset.littleEndian, toByteOffset: 44, as: UInt64.self)
        buffer.storeBytes(of: kind.rawValue, toByteOffset: 52, as: UInt8.self)
        return try body(
            UnsafeRawBufferPointer(rebasing: buffer[0..<12]), UnsafeRawBufferPointer(rebasing: buffer[12..<53]))
    }
}

/// Makes a small object in memory, whole: its header carries its length.
func makeObject(
    _ type: ObjectType, id: ObjectID, run: ObjectID, writer: any ObjectSigner, _ fill: (ObjectWriter) throws -> Void
) throws -> (bytes: [UInt8], summary: ObjectWriter.Summary) {
    final class Collector { var bytes: [UInt8] = [] }
    let collector = Collector()
    let object = try ObjectWriter(type, id: id, run: run, writer: writer) {
        collector.bytes.append(contentsOf: $0)
    }
    try fill(object)
    let summary = try object.finish()
    var bytes = collector.bytes
    bytes.replaceSubrange(..<Format.headerLength, with: try object.header.encoded())
    return (bytes, summary)
}
