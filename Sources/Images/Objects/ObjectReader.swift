// Reads objects, whole or damaged. Everything is looked for in each copy there is, part by part, and nothing is
// believed before it has been authenticated.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Stores

extension ByteSource {
    /// Whether an object's bytes end as they should: with a trailer that gives their length. A failed read is an error, not a no.
    func isWhole() throws(StoreError) -> Bool {
        guard length >= UInt64(Format.headerLength + Format.endLength) else { return false }
        let tail = try read(at: length - UInt64(Format.trailerLength), count: Format.trailerLength)
        guard let trailer = try? ObjectTrailer(decoding: tail) else { return false }  // It is no trailer.
        return trailer.length == length
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

    /// What a search for frames has found: all that is asked for afterwards is in it.
    private let scanned = Scanned()

    private final class Scanned: @unchecked Sendable {
        let monitor = Monitor()
        var frames: [FrameHead]?
    }

    var associatedPrefix: [UInt8] { header.store.bytes + header.id.bytes }

    /// Opens an object by the first of its headers that is whole: at the end or at the start of any copy.
    /// - Parameter name: where it was found; an object of another name is refused.
    /// - Throws: `ImageError.damaged`, `.otherFormat`, or what a store said; `FormatError` never.
    init(_ copies: [any ByteSource], subject: String, keyring: Keyring, name: ObjectName? = nil) throws {
        self.subject = subject
        self.copies = copies
        self.keyring = keyring
        var found: ObjectHeader?
        var problem: any Error = ImageError.damaged(subject: subject, detail: "it is empty")
        search: for copy in copies {
            // The end first: header, trailer, signature and mostly the directory come with one read.
            let end = UInt64(Format.endLength)
            for offset in copy.length >= end ? [copy.length - end, 0] : [0] {
                do {
                    let header = try ObjectHeader(
                        decoding: copy.read(at: offset, count: Format.headerLength), subject: subject)
                    guard name?.matches(header) ?? true else {
                        throw FormatError("it is another object than its name says")
                    }
                    found = header
                    break search
                } catch let error as ImageError {
                    throw error
                } catch let error as StoreError where error.reason != .ended {
                    problem = ImageError(error)
                } catch { problem = ImageError.damaged(subject: subject, detail: "\(error)") }
            }
        }
        guard let header = found else { throw problem }
        self.header = header
        indexKey = try keyring.indexKey(header.group, epoch: header.epoch).map {
            try objectIndexKey($0, salt: header.salt)
        }
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
            // One that cannot be read is as good as none: the frames are found without it.
            let bytes = try? copy.read(at: copy.length - UInt64(Format.trailerLength), count: Format.trailerLength)
            // What is no trailer is none.
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
            // A copy in which it cannot be read has none; another may.
            if let bytes = try? copy.read(at: offset, count: Format.frameHeadLength),
                let frame = FrameHead(decoding: bytes[...], at: offset), frame.end <= copy.length
            {
                return frame
            }
        }
        return nil
    }

    /// All frames: one pass over each copy, hopping from one to the next, and looking for the next magic where one is damaged.
    func scan() -> [FrameHead] {
        if let known = scanned.monitor.withLock({ scanned.frames }) { return known }
        let found = scanCopies()
        scanned.monitor.withLock { scanned.frames = found }
        return found
    }

    /// Where a search for frames ends: at the length that the object gives itself. One that gives none, as only a long one may, was cut.
    private var searchedLength: UInt64 {
        if header.length != 0 { return header.length }
        if let trailer = trailer() { return trailer.length }
        return header.type.isVolume || header.type == .index ? Format.maximumVolumeLength : Format.maximumCutLength
    }

    private func scanCopies() -> [FrameHead] {
        var found: [UInt64: FrameHead] = [:]
        let length = searchedLength
        for copy in copies {
            let limit = Format.maximumPlainFrames + (header.type.isVolume ? Format.maximumChunksOfVolume : 0)
            let scanner = FrameScanner(copy, frames: limit, end: length)
            for frame in scanner.frames() where found[frame.offset] == nil { found[frame.offset] = frame }
        }
        var end = UInt64(Format.headerLength)
        return found.values.sorted { $0.offset < $1.offset }.filter { frame in
            // What a damaged copy makes look like a frame inside of another one is none.
            guard frame.offset >= end else { return false }
            end = frame.end
            return true
        }
    }

    /// The plain content of a frame, from the first copy in which it is authentic.
    func content(of frame: FrameHead) throws -> [UInt8] { try content(of: frame, stored(frame)) }

    /// The plain content of a frame that is plain, as each copy has it. Nothing vouches for it yet.
    func contents(of frame: FrameHead) throws -> [[UInt8]] {
        let all = try stored(frame)
        return all.count == 2 && all[0] == all[1] ? [all[0]] : all
    }

    /// The plain content of a frame as it was signed. Another copy may have something else in its place that opens as well.
    func content(of frame: ObjectProof.Frame) throws -> [UInt8] {
        let all = try stored(frame.head)
        return try content(
            of: frame.head, copies.count == 1 ? all : all.filter { try sha256($0) == frame.digest })
    }

    private func content(of frame: FrameHead, _ stored: [[UInt8]]) throws -> [UInt8] {
        if frame.kind.seal == .plain {
            guard let content = stored.first else { throw ended }
            return content
        }
        guard let key = key(of: frame.kind) else { throw ImageError.wrongIdentity(store: subject) }
        var cipher = try AuthenticatedCipher(key: key)
        for sealed in stored {
            if let plain = open(sealed, frame: frame, cipher: &cipher) { return plain }
        }
        throw ImageError.damaged(subject: subject, detail: "its frame at offset \(frame.offset) is not authentic")
    }

    /// What opens frames of a kind; nil for a plain one, and where no key at hand does.
    func key(of kind: FrameKind) -> Secret? {
        switch kind.seal {
        case .plain: nil
        case .objectKey: objectKey
        case .indexKey: indexKey
        }
    }

    private var ended: ImageError { .damaged(subject: subject, detail: "it ends too early") }

    /// What each copy that can be read has there; throws where none can.
    func stored(_ frame: FrameHead) throws -> [[UInt8]] {
        guard frame.length <= frame.kind.maximumLength else {
            throw ImageError.damaged(subject: subject, detail: "a frame is too long")
        }
        var failure: StoreError?
        let result = copies.compactMap { copy -> [UInt8]? in
            do throws(StoreError) { return try copy.read(at: frame.contentOffset, count: frame.length) } catch {
                failure = error
                return nil
            }
        }
        if result.isEmpty, let failure, failure.reason != .ended { throw ImageError(failure) }
        return result
    }

    func open(_ sealed: [UInt8], frame: FrameHead, cipher: inout AuthenticatedCipher) -> [UInt8]? {
        guard sealed.count >= Format.tagLength else { return nil }
        // What does not open is not authentic; the caller says so.
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
}

/// Finds the frames of one copy in one pass, whatever is damaged: no byte is looked at twice.
private struct FrameScanner {
    private let copy: any ByteSource
    private let limit: Int
    private let end: UInt64

    init(_ copy: any ByteSource, frames limit: Int, end: UInt64) {
        self.copy = copy
        self.limit = limit
        self.end = min(copy.length, Format.maximumVolumeLength, end)
    }

    private static let window = 1 << 16

    /// Where the first byte of a magic is next.
    private static func nextMagic(in bytes: [UInt8], after index: Int) -> Int? {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, index + 1 < bytes.count,
                let found = memchr(base + index + 1, CInt(Format.frameMagic[0]), bytes.count - index - 1)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    func frames() -> [FrameHead] {
        var result: [FrameHead] = []
        var offset = UInt64(Format.headerLength)
        var bytes: [UInt8] = []
        var start = offset
        while offset + UInt64(Format.frameHeadLength) <= end, result.count < limit {
            // The window holds at least the head at `offset`, or is read anew from there.
            if offset < start || offset + UInt64(Format.frameHeadLength) > start + UInt64(bytes.count) {
                start = offset
                let count = Int(min(UInt64(Self.window), end - offset))  // safe: of a window
                // What cannot be read has no frames; what is behind it may.
                guard let next = try? copy.read(at: offset, count: count) else {
                    offset += UInt64(Self.window)
                    bytes = []
                    continue
                }
                bytes = next
            }
            let index = Int(offset - start)  // safe: in the window
            if let frame = FrameHead(decoding: bytes[index...], at: offset), frame.end <= copy.length {
                result.append(frame)
                offset = frame.end
            } else if let next = Self.nextMagic(in: bytes, after: index) {
                offset = start + UInt64(next)
            } else {
                offset = start + UInt64(bytes.count)
            }
        }
        return result
    }
}
