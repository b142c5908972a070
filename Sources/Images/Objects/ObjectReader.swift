// Reads objects, whole or damaged. Everything is looked for in each copy there is, part by part, and nothing is
// believed before it has been authenticated.

internal import Cryptography
internal import Platform

/// Bytes that can be read at any place: a file of a store, or a part of a single-file image in memory.
protocol ByteSource: AnyObject, Sendable {
    var length: UInt64 { get }
    /// Fills the buffer from `offset`; reading past the end is a `FormatError`.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws
}

extension ByteSource {
    func read(at offset: UInt64, count: Int) throws -> [UInt8] {
        guard count >= 0, offset <= length, UInt64(count) <= length - offset else {
            throw FormatError("it ends too early")
        }
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            filled = count
        }
    }
}

extension ByteSource {
    /// Whether an object's bytes end as they should: with a trailer that gives their length. A failed read is an error, not a no.
    func isWhole() throws -> Bool {
        guard length >= UInt64(Format.headerLength + Format.trailerLength) else { return false }
        let tail = try read(at: length - UInt64(Format.trailerLength), count: Format.trailerLength)
        guard let trailer = try? ObjectTrailer(decoding: tail) else { return false }  // It is no trailer.
        return trailer.length == length
    }
}

final class MemorySource: ByteSource {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    var length: UInt64 { UInt64(bytes.count) }
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= length, UInt64(buffer.count) <= length - offset else { throw FormatError("it ends too early") }
        bytes.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + buffer.count]))
        }
    }
}

/// One object with all its copies.
final class ObjectReader: Sendable {
    let subject: String
    let copies: [any ByteSource]
    let header: ObjectHeader
    let keyring: Keyring

    /// The key that opens contents, or nil without an identity.
    let objectKey: Secret?
    /// The key that opens directory and label, or nil for a foreign group.
    let indexKey: Secret?

    private var associatedPrefix: [UInt8] { header.store.bytes + header.id.bytes }

    /// Opens an object by the first of its headers that is whole: at the start or at the end of any copy.
    /// - Throws: `ImageError.damaged`, `.newerFormat`; `FormatError` never.
    init(_ copies: [any ByteSource], subject: String, keyring: Keyring) throws {
        self.subject = subject
        self.copies = copies
        self.keyring = keyring
        var found: ObjectHeader?
        var problem: any Error = ImageError.damaged(subject: subject, detail: "it is empty")
        search: for copy in copies {
            let tail = UInt64(Format.headerLength + Format.trailerLength)
            for offset in [0, copy.length >= tail ? copy.length - tail : 0] {
                do {
                    found = try ObjectHeader(
                        decoding: copy.read(at: offset, count: Format.headerLength), subject: subject)
                    break search
                } catch let error as ImageError {
                    throw error
                } catch {
                    problem = ImageError.damaged(subject: subject, detail: "\(error)")
                }
            }
        }
        guard let header = found else { throw problem }
        self.header = header
        indexKey = try keyring.group(header.group, epoch: header.epoch)?.objectKey(salt: header.salt)
        if let sealing = keyring.sealing(epoch: header.epoch) {
            do {
                objectKey = try HPKE.open(
                    header.sealedKey, with: sealing, info: ObjectHeader.objectKeyInfo, aad: header.sealedPart)
            } catch {
                throw ImageError.damaged(subject: subject, detail: "its key was not sealed to this store")
            }
        } else {
            objectKey = nil
        }
    }

    /// The longest copy's length: a truncated one is shorter.
    var length: UInt64 { copies.map(\.length).max() ?? 0 }

    /// The trailer of the first copy that has a whole one.
    func trailer() -> ObjectTrailer? {
        for copy in copies where copy.length >= UInt64(Format.trailerLength) {
            let bytes = try? copy.read(at: copy.length - UInt64(Format.trailerLength), count: Format.trailerLength)
            if let bytes, let trailer = try? ObjectTrailer(decoding: bytes), trailer.length == copy.length {
                return trailer
            }
        }
        return nil
    }

    // MARK: Frames

    /// The frame that begins at `offset` in any copy.
    func frame(at offset: UInt64) -> FrameHead? {
        for copy in copies {
            if let bytes = try? copy.read(at: offset, count: Format.frameHeadLength),
                let frame = FrameHead(decoding: bytes[...], at: offset), frame.end <= copy.length
            {
                return frame
            }
        }
        return nil
    }

    /// All frames, found by hopping from one to the next, and by looking for the next magic where one is damaged.
    func scan() -> [FrameHead] {
        var frames: [FrameHead] = []
        var offset = UInt64(Format.headerLength)
        let end = length
        while offset + UInt64(Format.frameHeadLength) <= end {
            if let frame = frame(at: offset) {
                frames.append(frame)
                offset = frame.end
            } else {
                guard let next = nextFrame(after: offset) else { break }
                offset = next
            }
        }
        return frames
    }

    private func nextFrame(after start: UInt64) -> UInt64? {
        let window = 1 << 16
        var best: UInt64?
        for copy in copies {
            var offset = start + 1
            search: while offset + UInt64(Format.frameHeadLength) <= copy.length, offset < best ?? .max {
                let count = Int(min(UInt64(window), copy.length - offset))
                guard let bytes = try? copy.read(at: offset, count: count) else { break }
                for index in 0...(count - Format.frameHeadLength) where bytes[index] == Format.frameMagic[0] {
                    let place = offset + UInt64(index)
                    if let frame = FrameHead(decoding: bytes[index...], at: place), frame.end <= copy.length {
                        best = min(best ?? .max, place)
                        break search
                    }
                }
                if count < window { break }
                offset += UInt64(window - Format.frameHeadLength + 1)
            }
        }
        return best
    }

    /// The plain content of a frame, from the first copy in which it is authentic.
    func content(of frame: FrameHead) throws -> [UInt8] {
        guard frame.length <= Format.maximumSmallFrameLength else {
            throw ImageError.damaged(subject: subject, detail: "a frame is too long")
        }
        if frame.kind.seal == .plain {
            guard let content = candidates(frame).first else { throw ended }
            return content
        }
        guard let key = frame.kind.seal == .objectKey ? objectKey : indexKey else {
            throw ImageError.wrongIdentity(store: subject)
        }
        var cipher = try AuthenticatedCipher(key: key)
        for sealed in candidates(frame) {
            if let plain = open(sealed, frame: frame, cipher: &cipher) { return plain }
        }
        throw ImageError.damaged(subject: subject, detail: "its frame at offset \(frame.offset) is not authentic")
    }

    private var ended: ImageError { .damaged(subject: subject, detail: "it ends too early") }

    private func candidates(_ frame: FrameHead) -> [[UInt8]] {
        copies.compactMap { try? $0.read(at: frame.contentOffset, count: frame.length) }
    }

    private func open(_ sealed: [UInt8], frame: FrameHead, cipher: inout AuthenticatedCipher) -> [UInt8]? {
        guard sealed.count >= Format.tagLength else { return nil }
        return try? [UInt8](unsafeUninitializedCapacity: sealed.count) { buffer, filled in
            filled = try sealed.withUnsafeBytes { sealed in
                try withSealParameters(prefix: associatedPrefix, offset: frame.offset, kind: frame.kind) {
                    try cipher.open(
                        sealed, nonce: $0, authenticating: $1, into: UnsafeMutableRawBufferPointer(buffer))
                }
            }
        }
    }

    /// Opens a chunk's frame from `copy` into `workspace`; the fast path of restore and verify.
    func open(
        _ frame: FrameHead, in copy: any ByteSource, workspace: ChunkWorkspace, cipher: inout AuthenticatedCipher
    ) throws -> Int {
        guard frame.length >= Format.tagLength + Format.chunkHeadLength, frame.length <= Format.maximumFrameLength
        else {
            throw FormatError("a chunk's frame has an impossible length")
        }
        let sealed = workspace.sealed(frame.length)
        try copy.read(at: frame.contentOffset, into: sealed)
        return try withSealParameters(prefix: associatedPrefix, offset: frame.offset, kind: frame.kind) {
            // In place: the plain text begins where the sealed one did.
            try cipher.open(UnsafeRawBufferPointer(sealed), nonce: $0, authenticating: $1, into: sealed)
        }
    }

    // MARK: Directory and signature

    /// The rows of the directory, authentic but not compared with the signature; nil where it is lost.
    func directory() -> [DirectoryRow]? {
        if let trailer = trailer(), trailer.directory != 0, let frame = frame(at: trailer.directory),
            frame.kind == .directory, let content = try? content(of: frame)
        {
            return try? DirectoryRow.rows(content)
        }
        guard let frame = scan().last(where: { $0.kind == .directory }), let content = try? content(of: frame) else {
            return nil
        }
        return try? DirectoryRow.rows(content)
    }

    /// Rows made by opening every frame: what an identity can do where the directory is lost.
    func rowsByScanning(workspace: ChunkWorkspace) -> [DirectoryRow] {
        guard let objectKey, var cipher = try? AuthenticatedCipher(key: objectKey) else { return [] }
        var rows: [DirectoryRow] = []
        for frame in scan() where frame.kind.isChunk {
            for copy in copies {
                guard let count = try? open(frame, in: copy, workspace: workspace, cipher: &cipher),
                    let chunk = try? workspace.chunkHead(count)
                else { continue }
                rows.append(
                    DirectoryRow(
                        id: chunk.id, kind: frame.kind, sealedLength: frame.length, plainLength: chunk.contentLength,
                        offset: frame.offset, tag: []))
                break
            }
        }
        return rows
    }

    /// Checks the signature over everything before it and returns the object's digest.
    ///
    /// For an object with a directory, the chunks are covered through its rows and not read.
    /// - Parameter rows: the directory, if it was read already.
    /// - Throws: `ImageError.damaged` if any part of it is missing or differs.
    func verifySignature(rows: [DirectoryRow]? = nil) throws -> Digest {
        func damaged(_ detail: String) -> ImageError { .damaged(subject: subject, detail: detail) }
        let frames: [FrameHead]
        if let trailer = trailer(), trailer.directory != 0 {
            guard let directory = frame(at: trailer.directory), let signature = frame(at: trailer.signature) else {
                throw damaged("its directory or signature is missing")
            }
            guard let rows = rows ?? self.directory() else { throw damaged("its directory is not authentic") }
            frames = rows.map(\.frame) + [directory, signature]
            return try verifySignature(frames: frames, rows: rows)
        }
        return try verifySignature(frames: scan(), rows: rows ?? directory() ?? [])
    }

    private func verifySignature(frames: [FrameHead], rows: [DirectoryRow]) throws -> Digest {
        func damaged(_ detail: String) -> ImageError { .damaged(subject: subject, detail: detail) }
        let proofs = Dictionary(rows.map { ($0.offset, $0.tag) }, uniquingKeysWith: { first, _ in first })
        var table = FrameTable()
        var position = UInt64(Format.headerLength)
        for frame in frames where frame.kind != .signature {
            guard frame.offset == position else { throw damaged("a frame is missing") }
            position = frame.end
            let proof: [UInt8]
            if frame.kind.isChunk {
                guard let tag = proofs[frame.offset] else { throw damaged("a chunk is not in its directory") }
                proof = tag
            } else {
                proof = try self.proof(of: frame)
            }
            table.add(kind: frame.kind, offset: frame.offset, length: frame.length, proof: proof)
        }
        guard let signature = frames.last, signature.kind == .signature, signature.offset == position else {
            throw damaged("its signature is missing")
        }
        let length = signature.end + UInt64(Format.headerLength + Format.trailerLength)
        let message = try table.message(header: header, length: length)
        for content in candidates(signature) {
            if (try? isValid(content, for: message)) == true {
                return try message.withUnsafeBytes { try SHA256.digest(of: $0) }
            }
        }
        throw damaged("its signature is not that of a writer of this store")
    }

    /// The last bytes of a sealed frame that is authentic, or the hash of a plain one.
    private func proof(of frame: FrameHead) throws -> [UInt8] {
        if frame.kind.seal == .plain {
            let content = try content(of: frame)
            return Array(try content.withUnsafeBytes { try SHA256.digest(of: $0) }.bytes.prefix(16))
        }
        let all = candidates(frame).filter { $0.count >= Format.tagLength }
        // Whoever cannot open the frame compares the tag alone; the content is authenticated when it is opened.
        let key = frame.kind.seal == .objectKey ? objectKey : indexKey
        guard let key else {
            guard let first = all.first else { throw ended }
            return Array(first.suffix(Format.tagLength))
        }
        var cipher = try AuthenticatedCipher(key: key)
        for sealed in all where open(sealed, frame: frame, cipher: &cipher) != nil {
            return Array(sealed.suffix(Format.tagLength))
        }
        throw ImageError.damaged(subject: subject, detail: "its frame at offset \(frame.offset) is not authentic")
    }

    private func isValid(_ content: [UInt8], for message: [UInt8]) throws -> Bool {
        var reader = WireReader(content)
        guard var certificateField = try reader.field()?.value, var signatureField = try reader.field()?.value else {
            return false
        }
        let certificate = try Certificate(decoding: certificateField.rest())
        guard let storeKey = keyring.storeVerifying(epoch: header.epoch), try certificate.isIssued(by: storeKey),
            certificate.store == header.store, certificate.epoch == header.epoch, certificate.group == header.group,
            certificate.writer == header.writer
        else { return false }
        return certificate.key.isValid(signatureField.rest(), for: message)
    }
}
