// Looks at each byte of a single file, for verify. A restore needs one of two copies and no trailer; who asks whether a file is whole wants to
// know of the other copy before he needs it.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

/// What of a single file is damaged although all that it holds can be read.
final class SingleFileAudit {
    private let subject: String
    private let keyring: Keyring
    private let workspace: ChunkWorkspace
    private var keys: [[UInt8]]
    private var roots: [[UInt8]] = []

    init(keys: [[UInt8]], subject: String, keyring: Keyring) throws {
        self.keys = keys
        self.subject = subject
        self.keyring = keyring
        workspace = try ChunkWorkspace()
    }

    /// One of two copies that are compared at the end.
    func take(_ type: ObjectType, _ bytes: [UInt8]) {
        if type == .image { roots.append(bytes) } else { keys.append(bytes) }
    }

    /// A batch of which nothing was lost so far.
    func problem(ofBatch bytes: [UInt8], before position: UInt64) -> Finding? {
        do {
            try check(bytes)
            return nil
        } catch let error as ImageError {
            // A chunk: the files that it is in are named, too.
            return Finding(.damaged, subject: subject, "the batch before byte \(position) is damaged: \(error)")
        } catch {
            return spare("the batch before byte \(position) is damaged (\(error)); what it holds is whole")
        }
    }

    /// What is wrong with the copies of keys and root, of each of which at least one was read.
    func end() -> [Finding] { compare(keys, "keys") + compare(roots, "root") }

    private func compare(_ copies: [[UInt8]], _ name: String) -> [Finding] {
        guard copies.count > 1 else {
            return [spare("the other copy of its \(name) is missing, or cut; the one that is there is whole")]
        }
        var found: [Finding] = []
        for (number, bytes) in copies.enumerated() {
            do { try check(bytes) } catch {
                let place = number == 0 ? "first" : "second"
                found.append(spare("the \(place) copy of its \(name) is damaged (\(error)); its content is whole"))
            }
        }
        if found.isEmpty, copies.contains(where: { $0 != copies[0] }) {
            found.append(spare("the copies of its \(name) differ; its content is whole"))
        }
        return found
    }

    private func spare(_ problem: String) -> Finding {
        Finding(
            .damaged, subject: subject,
            "\(problem), but its redundancy is lost, and the next damage may cost content: copy it, or back it up anew")
    }

    /// - Throws: `ImageError` for a chunk of files; anything else where the object's content is whole, or has another copy.
    private func check(_ bytes: [UInt8]) throws {
        let reader: ObjectReader
        do {
            reader = try ObjectReader([MemorySource(bytes)], subject: subject, keyring: keyring)
        } catch { throw FormatError("its headers are damaged") }
        let trailer = try checkEnds(of: bytes, reader)
        let rows = Dictionary(
            (reader.directory() ?? []).map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
        let end = UInt64(bytes.count - Format.endLength)  // safe: longer than both ends
        var position = UInt64(Format.headerLength)
        while position < end {
            guard let frame = reader.frame(at: position) else {
                throw FormatError("the head of a frame at offset \(position)")
            }
            if let row = rows[position] { try check(row, frame, reader) }
            position = frame.end
        }
        guard position == end else { throw FormatError("its frames do not end where its trailer begins") }
        try checkSignature(trailer, reader)
    }

    /// Header, header again, trailer.
    private func checkEnds(of bytes: [UInt8], _ reader: ObjectReader) throws -> ObjectTrailer {
        guard bytes.count >= Format.headerLength + Format.endLength, UInt64(bytes.count) == reader.header.length else {
            throw FormatError("it ends too early")
        }
        let header = try reader.header.encoded()
        guard bytes.starts(with: header), bytes.suffix(Format.endLength).starts(with: header) else {
            throw FormatError("one of its headers")
        }
        let trailer = try ObjectTrailer(decoding: Array(bytes.suffix(Format.trailerLength)))
        guard trailer.length == reader.header.length else { throw FormatError("its trailer") }
        return trailer
    }

    private func check(_ row: DirectoryRow, _ frame: FrameHead, _ reader: ObjectReader) throws {
        do {
            guard row.kind == frame.kind, row.sealedLength == frame.length else {
                throw FormatError("the head of a frame at offset \(frame.offset)")
            }
            try reader.readChunk(frame, id: row.id, workspace: workspace)
        } catch let error as ImageError {
            // There are two of a manifest, and one was read.
            throw row.kind == .manifest ? FormatError("a copy of its manifest") as any Error : error
        }
    }

    private func checkSignature(_ trailer: ObjectTrailer, _ reader: ObjectReader) throws {
        let proof: ObjectProof
        do { proof = try reader.verifySignature() } catch {
            throw FormatError("its signature does not fit what it holds")
        }
        guard let frame = reader.frame(at: trailer.signature), frame.kind == .signature,
            let content = try reader.stored(frame).first
        else { throw FormatError("its signature") }
        // What stands around the certificate and the signature nobody has signed.
        var written: [UInt8] = []
        written.append(field: 1, proof.certificate.encoded)
        written.append(field: 2, content.suffix(VerifyingKey.signatureLength))
        guard content == written else { throw FormatError("its signature") }
    }
}
