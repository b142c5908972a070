// What of an object its writer has signed: its directory, and the frames that the signature covers by their content.

internal import Cryptography
internal import Platform
internal import Stores

/// What a valid signature says of an object.
struct ObjectProof {
    /// A signed frame, and its content by its digest.
    struct Frame {
        var head: FrameHead
        var digest: Digest
        var kind: FrameKind { head.kind }
    }

    /// Tells it from every other object.
    var digest: Digest
    /// As its writer signed it.
    var length: UInt64
    var certificate: Certificate
    /// The signed frames that are no chunks, in order. Nothing else of the object is to be believed.
    var frames: [Frame]
}

extension ObjectReader {
    /// The rows of the directory, authentic but not compared with the signature; nil where it is lost.
    func directory() -> [DirectoryRow]? {
        // What is no directory, or not authentic, counts as lost: chunks are found without it.
        if let trailer = trailer(), trailer.directory != 0, let frame = frame(at: trailer.directory),
            frame.kind == .directory, let content = try? content(of: frame)  // As above.
        {
            return try? DirectoryRow.rows(content)  // As above.
        }
        guard let frame = scan().last(where: { $0.kind == .directory }),
            let content = try? content(of: frame)  // As above.
        else { return nil }
        return try? DirectoryRow.rows(content)  // As above.
    }

    /// Rows made by opening every frame: what an identity can do where the directory is lost.
    func rowsByScanning(workspace: ChunkWorkspace) -> [DirectoryRow] {
        // Without a cipher nothing opens, and each chunk is missed by name.
        guard let objectKey, var cipher = try? AuthenticatedCipher(key: objectKey) else { return [] }
        var rows: [DirectoryRow] = []
        for frame in scan() where frame.kind.isChunk {
            for copy in copies {
                // A frame that does not open here may open in the other copy, or is lost.
                guard let count = try? open(frame, in: copy, workspace: workspace, cipher: &cipher),
                    let chunk = try? workspace.chunkHead(count),  // As above.
                    let tag = try? copy.read(  // As above.
                        at: frame.end - UInt64(Format.tagLength), count: Format.tagLength)
                else { continue }
                rows.append(
                    DirectoryRow(
                        id: chunk.id, kind: frame.kind, sealedLength: frame.length, plainLength: chunk.contentLength,
                        offset: frame.offset, tag: tag))
                break
            }
        }
        return rows
    }

    /// The directory where it is lost, made again from the chunks: if all of them open, it is sealed as it was, and the signature says that
    /// it is the same. nil where it cannot be had.
    func rebuiltDirectory(workspace: ChunkWorkspace) throws -> [DirectoryRow]? {
        let rows = rowsByScanning(workspace: workspace)
        guard let last = rows.last, let key = key(of: .directory) else { return nil }
        let plain = DirectoryRow.encode(rows)
        let known = trailer()?.directory ?? 0
        let head = FrameHead(
            kind: .directory, offset: known != 0 ? known : last.frame.end, length: plain.count + Format.tagLength)
        let digest = try sha256(seal(plain, as: head, key: key))
        let proof = try provenSignature(rows: rows, directory: ObjectProof.Frame(head: head, digest: digest))
        return proof == nil ? nil : rows
    }

    private func seal(_ plain: [UInt8], as frame: FrameHead, key: Secret) throws -> [UInt8] {
        var cipher = try AuthenticatedCipher(key: key)
        return try [UInt8](unsafeUninitializedCapacity: frame.length) { buffer, filled in
            filled = try plain.withUnsafeBytes { plain in
                try withSealParameters(prefix: associatedPrefix, offset: frame.offset, kind: frame.kind) {
                    try cipher.seal(plain, nonce: $0, authenticating: $1, into: UnsafeMutableRawBufferPointer(buffer))
                }
            }
        }
    }

    /// What the signature does not cover of each copy: header, header again, trailer.
    func checkEnds() throws { for copy in copies { try checkEnds(of: copy) } }

    private func checkEnds(of copy: any ByteSource) throws {
        let tail = UInt64(Format.endLength)
        guard copy.length >= tail else { throw FormatError("it ends too early") }
        for offset in [0, copy.length - tail] {
            _ = try ObjectHeader(decoding: copy.read(at: offset, count: Format.headerLength), subject: subject)
        }
        let trailer = try ObjectTrailer(
            decoding: copy.read(at: copy.length - UInt64(Format.trailerLength), count: Format.trailerLength))
        guard trailer.length == copy.length else { throw FormatError("it is longer or shorter than it says") }
    }

    /// Checks the signature over everything before it and returns the object's digest.
    ///
    /// For an object with a directory, the chunks are covered through its rows and not read. What stands after the signature is not
    /// covered and not believed.
    /// - Parameter rows: the directory, if it was read already.
    /// - Throws: `ImageError.damaged` if any part of it is missing or differs.
    func verifySignature(rows: [DirectoryRow]? = nil) throws -> ObjectProof {
        if let proof = try provenSignature(rows: rows) { return proof }
        throw damaged(try unopened() ?? "its signature is not that of a writer of this store")
    }

    /// Which part of a root no copy has whole: that is why its signature does not fit.
    private func unopened() throws -> String? {
        guard header.type == .image else { return nil }
        let parts: [(FrameKind, String)] = [(.label, "label"), (.volumes, "list of volumes"), (.body, "body")]
        for (kind, name) in parts where key(of: kind) != nil {
            guard let frame = scan().first(where: { $0.kind == kind }) else { continue }
            do { _ = try content(of: frame) } catch ImageError.damaged {
                return "its \(name) is damaged" + (copies.count > 1 ? " in both copies" : "")
            }
        }
        return nil
    }

    /// Whether it is as somebody has signed it, though it may be nobody with the right to: then it is not damaged.
    func isAsSigned() -> Bool {
        // What cannot be compared is not known to be so.
        (try? provenSignature(byAnyone: true)) != nil
    }

    /// The same as `verifySignature`; nil where nothing is missing, and the signature is not valid.
    /// - Parameters:
    ///   - rebuilt: stands for a directory that no copy has.
    ///   - byAnyone: the certificate is not asked for; nothing of it is to be believed then.
    func provenSignature(
        rows: [DirectoryRow]? = nil, directory rebuilt: ObjectProof.Frame? = nil, byAnyone: Bool = false
    ) throws -> ObjectProof? {
        let trailer = trailer()
        let known = trailer.flatMap { frame(at: $0.signature) }
        guard let signature = known ?? scan().last(where: { $0.kind == .signature }), signature.kind == .signature
        else { throw damaged("its signature is missing") }
        let rows = trailer?.directory == 0 ? [] : rows ?? directory() ?? []
        let frames = try signedFrames(before: signature, rows: rows, directory: rebuilt?.head)
        // Where no trailer says how long it is, the other header does, or nothing follows the signature.
        let length =
            trailer?.length
            ?? (header.length != 0 ? header.length : signature.end &+ UInt64(Format.endLength))
        let contents = try frames.map { frame in
            if let rebuilt, frame.offset == rebuilt.head.offset { return [rebuilt.digest] }
            return try candidates(frame)
        }
        for content in try self.contents(of: signature) {
            guard let signed = try SignedBy(content),
                try byAnyone || keyring.accepts(signed.certificate, for: header)
            else { continue }
            for choice in FrameChoices(contents, copies: copies.count) {
                if let proof = try proof(zip(frames, choice).map(ObjectProof.Frame.init), signed, length: length) {
                    return proof
                }
            }
        }
        return nil
    }

    /// The directory that the signature covers, whatever another copy may have in its place.
    func provenDirectory() throws -> (rows: [DirectoryRow], proof: ObjectProof) {
        guard let rows = directory() else { throw damaged("its directory is lost") }
        let proof = try verifySignature(rows: rows)
        if copies.count == 1 { return (rows, proof) }
        guard let frame = proof.frames.first(where: { $0.kind == .directory }) else {
            throw damaged("its directory is lost")
        }
        let proven = try DirectoryRow.rows(content(of: frame))
        return (proven, try verifySignature(rows: proven))
    }

    private func damaged(_ detail: String) -> ImageError { .damaged(subject: subject, detail: detail) }

    /// The frames that the signature covers by their content. Chunks are covered by the directory, which must name each.
    private func signedFrames(
        before signature: FrameHead, rows: [DirectoryRow], directory rebuilt: FrameHead?
    ) throws -> [FrameHead] {
        var frames: [FrameHead] = []
        var position = UInt64(Format.headerLength)
        var row = 0
        while position < signature.offset {
            if row < rows.count, rows[row].offset == position {
                position = rows[row].frame.end
                row += 1
                continue
            }
            let known = rebuilt?.offset == position ? rebuilt : frame(at: position)
            guard let frame = known else { throw damaged("a frame is missing") }
            guard !frame.kind.isChunk else { throw damaged("a chunk is not in its directory") }
            guard frames.count < Format.maximumPlainFrames else { throw damaged("it has too many frames") }
            frames.append(frame)
            position = frame.end
        }
        guard position == signature.offset, row == rows.count else { throw damaged("a frame is missing") }
        return frames
    }

    /// The digests of the stored contents of a frame in its copies; where a key is at hand only of those that it opens.
    private func candidates(_ frame: FrameHead) throws -> [Digest] {
        let all = try contents(of: frame)
        guard all.count > 1, let key = key(of: frame.kind) else { return try all.map { try sha256($0) } }
        var cipher = try AuthenticatedCipher(key: key)
        return try all.filter { open($0, frame: frame, cipher: &cipher) != nil }.map { try sha256($0) }
    }

    private func proof(_ frames: [ObjectProof.Frame], _ signed: SignedBy, length: UInt64) throws -> ObjectProof? {
        var table = FrameTable()
        for frame in frames { table.add(frame.head, digest: frame.digest) }
        let message = try table.message(header: header, length: length, certificate: signed.certificate)
        guard signed.certificate.key.isValid(signed.signature, for: message) else { return nil }
        return ObjectProof(
            digest: try sha256(message), length: length, certificate: signed.certificate, frames: frames)
    }
}

/// What a signature frame holds.
private struct SignedBy {
    let certificate: Certificate
    let signature: [UInt8]

    /// nil where it is no signature at all.
    init?(_ content: [UInt8]) throws {
        var reader = WireReader(content)
        guard var certificateField = try? reader.field()?.value,  // As above.
            var signatureField = try? reader.field()?.value,  // As above.
            let certificate = try? Certificate(decoding: certificateField.rest())  // As above.
        else { return nil }
        self.certificate = certificate
        signature = signatureField.rest()
    }
}

/// The ways to take each frame from one of the copies: all from the first, all from the second, and mixtures, since each may be damaged at
/// another place. So many that what is asked for before anything is known to be authentic ends soon.
private struct FrameChoices: Sequence, IteratorProtocol {
    private let candidates: [[Digest]]
    private let copies: Int
    /// Of those with more than one candidate.
    private let places: [Int]
    private let count: Int
    private var number = 0

    private static let maximumMixed = 8
    private static let maximumRows = 1 << 16

    init(_ candidates: [[Digest]], copies: Int) {
        self.candidates = candidates
        self.copies = copies
        places = candidates.indices.filter { candidates[$0].count > 1 }
        // safe: at most 8 bits, each of them two candidates
        let isMixed = places.count <= Self.maximumMixed && candidates.count << places.count <= Self.maximumRows
        let mixtures = isMixed && copies == 2 ? 1 << places.count : 0
        count = candidates.contains(where: \.isEmpty) ? 0 : places.isEmpty ? 1 : copies + mixtures
    }

    mutating func next() -> [Digest]? {
        guard number < count else { return nil }
        defer { number += 1 }
        var choice = candidates.map { number < copies && number < $0.count ? $0[number] : $0[0] }
        if number >= copies {
            for (bit, place) in places.enumerated() where (number - copies) >> bit & 1 != 0 {
                choice[place] = candidates[place][1]
            }
        }
        return choice
    }
}
