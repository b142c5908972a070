// From content to a chunk and back: hash, compress, lay out; open, check, decompress.

internal import CZstd
internal import Cryptography
internal import Glibc
internal import Platform

/// What one thread needs to open chunks: buffers and contexts, used again for each. Handed to one thread, which alone uses it.
final class ChunkWorkspace: @unchecked Sendable {
    private var sealedBuffer: UnsafeMutableRawBufferPointer
    private let contentBuffer: UnsafeMutableRawBufferPointer
    private let decompressor: OpaquePointer
    private var hashes: [Identifier: HashBox] = [:]

    /// The content of the chunk opened last.
    private(set) var content: UnsafeRawBufferPointer
    /// Its stored bytes, as they were sealed: what is sealed again elsewhere without compressing it.
    private(set) var opened: (codec: Codec, bytes: UnsafeRawBufferPointer)

    private final class HashBox {
        var hash: KeyedHash
        init(_ key: Secret) throws { hash = try KeyedHash(key: key) }
    }

    init() throws {
        guard let context = ZSTD_createDCtx() else { throw ImageError.library("no memory for zstd") }
        decompressor = context
        sealedBuffer = .allocate(byteCount: 1 << 20, alignment: 64)
        contentBuffer = .allocate(byteCount: Format.maximumChunkLength, alignment: 64)
        content = UnsafeRawBufferPointer(rebasing: contentBuffer[..<0])
        opened = (.stored, content)
    }

    deinit {
        ZSTD_freeDCtx(decompressor)
        sealedBuffer.deallocate()
        contentBuffer.deallocate()
    }

    /// Room for a sealed frame.
    func sealed(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if sealedBuffer.count < count {
            sealedBuffer.deallocate()
            sealedBuffer = .allocate(byteCount: max(count, 2 << 20), alignment: 64)
        }
        return UnsafeMutableRawBufferPointer(rebasing: sealedBuffer[..<count])
    }

    struct Head {
        var id: Digest
        var codec: Codec
        var storedLength: Int
        var contentLength: Int
    }

    /// The head of the opened frame of `count` bytes, its lengths checked against each other.
    func chunkHead(_ count: Int) throws -> Head {
        guard count >= Format.chunkHeadLength else { throw FormatError("a chunk is too short") }
        let plain = UnsafeRawBufferPointer(rebasing: sealedBuffer[..<count])
        guard let codec = Codec(rawValue: plain[32]) else { throw FormatError("a chunk has an unknown codec") }
        let stored = Int(UInt32(littleEndian: plain.loadUnaligned(fromByteOffset: 33, as: UInt32.self)))
        let content = Int(UInt32(littleEndian: plain.loadUnaligned(fromByteOffset: 37, as: UInt32.self)))
        // The stored bytes must fit where content fits: copies lay them out again as they are.
        guard stored <= count - Format.chunkHeadLength, stored <= Format.maximumChunkLength,
            content <= Format.maximumChunkLength,
            paddedLength(stored + Format.chunkHeadLength) == count, codec == .zstd || stored == content
        else { throw FormatError("a chunk's lengths do not fit") }
        return Head(
            id: Digest(bytes: UnsafeRawBufferPointer(rebasing: plain[..<32])), codec: codec, storedLength: stored,
            contentLength: content)
    }

    /// The stored bytes of the opened frame, compressed or not.
    func stored(_ head: Head) -> UnsafeRawBufferPointer {
        let start = Format.chunkHeadLength
        return UnsafeRawBufferPointer(rebasing: sealedBuffer[start..<start + head.storedLength])
    }

    /// Decompresses the opened frame and compares the content with its id. `content` is valid until the next call.
    func decode(_ head: Head, group: GroupKeys) throws {
        let stored = stored(head)
        switch head.codec {
        case .stored:
            contentBuffer.copyMemory(from: stored)
        case .zstd:
            let count = ZSTD_decompressDCtx(
                decompressor, contentBuffer.baseAddress, head.contentLength, stored.baseAddress, stored.count)
            guard ZSTD_isError(count) == 0, count == head.contentLength else {
                throw FormatError("a chunk does not decompress")
            }
        }
        content = UnsafeRawBufferPointer(rebasing: contentBuffer[..<head.contentLength])
        opened = (head.codec, stored)
        guard try digest(of: content, group: group) == head.id else {
            throw FormatError("a chunk's content is not what its id says")
        }
    }

    func digest(of content: UnsafeRawBufferPointer, group: GroupKeys) throws -> Digest {
        if let box = hashes[group.id] { return try box.hash.digest(of: content) }
        let box = try HashBox(group.chunkKey)
        hashes[group.id] = box
        return try box.hash.digest(of: content)
    }
}

/// What one thread needs to make chunks. Handed to one thread, which alone uses it.
final class ChunkEncoder: @unchecked Sendable {
    private let compressor: OpaquePointer
    private var hash: KeyedHash

    /// - Parameter level: zstd's, 1 to 19.
    init(group: GroupKeys, level: Int) throws {
        guard let context = ZSTD_createCCtx() else { throw ImageError.library("no memory for zstd") }
        compressor = context
        hash = try KeyedHash(key: group.chunkKey)
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, CInt(level))
        // The length and the check are in the chunk's head already.
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0)
    }

    deinit { ZSTD_freeCCtx(compressor) }

    func digest(of content: UnsafeRawBufferPointer) throws -> Digest { try hash.digest(of: content) }

    /// Bytes of room that `prepare` wants for content of this length.
    static func capacity(for length: Int) -> Int { paddedLength(Format.chunkHeadLength + length) }

    /// Compresses `content` and lays the chunk out in `output`.
    /// - Throws: where it is longer than a chunk may be, or than there is room for.
    func prepare(
        _ content: UnsafeRawBufferPointer, id: Digest, into output: UnsafeMutableRawBufferPointer
    ) throws(FormatError) -> Int {
        guard content.count <= Format.maximumChunkLength, output.count >= Self.capacity(for: content.count) else {
            throw FormatError("\(content.count) bytes are more than a chunk holds")
        }
        let head = Format.chunkHeadLength
        // With no more room than the content itself, zstd gives up by itself where it would not gain a 32nd.
        let room = content.count - content.count / 32
        var stored = ZSTD_compress2(
            compressor, output.baseAddress.map { $0 + head }, room, content.baseAddress, content.count)
        var codec = Codec.zstd
        if ZSTD_isError(stored) != 0 {
            codec = .stored
            stored = content.count
            UnsafeMutableRawBufferPointer(rebasing: output[head...]).copyMemory(from: content)
        }
        return Self.layOut(id: id, codec: codec, stored: stored, content: content.count, in: output)
    }

    /// Writes the head before, and the padding after, the stored bytes that are in place already.
    static func layOut(
        id: Digest, codec: Codec, stored: Int, content: Int, in output: UnsafeMutableRawBufferPointer
    ) -> Int {
        id.store(to: UnsafeMutableRawPointer(mutating: output.baseAddress.unsafelyUnwrapped))
        output.storeBytes(of: codec.rawValue, toByteOffset: 32, as: UInt8.self)
        output.storeBytes(of: UInt32(stored).littleEndian, toByteOffset: 33, as: UInt32.self)
        output.storeBytes(of: UInt32(content).littleEndian, toByteOffset: 37, as: UInt32.self)
        let length = Format.chunkHeadLength + stored
        let total = paddedLength(length)
        memset(output.baseAddress.unsafelyUnwrapped + length, 0, total - length)
        return total
    }
}
