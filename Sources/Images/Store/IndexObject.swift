// One object a run with the directories of all its volumes: a reader knows where everything is after one read, and need not open each
// volume for that. It is a help: whatever is missing in it, or it itself, is made good from the volumes.

internal import Cryptography
internal import Platform
internal import Stores

/// What an index object says of one volume.
struct IndexPart: Sendable {
    var volume: VolumeReference
    var rows: [DirectoryRow]

    func encoded() -> [UInt8] { volume.encoded + DirectoryRow.encode(rows) }

    init(volume: VolumeReference, rows: [DirectoryRow]) {
        self.volume = volume
        self.rows = rows
    }

    init(decoding bytes: [UInt8]) throws {
        var reader = WireReader(bytes)
        volume = try VolumeReference(&reader)
        rows = try DirectoryRow.rows(&reader)
    }
}

/// Writes a run's index object. Not for two threads at once.
final class IndexObjectWriter {
    private let writer: ObjectWriter
    private let upload: any ObjectUpload
    private let signer: Identifier
    let name: ObjectName

    /// Begins the object in the store.
    init(_ name: ObjectName, run: ObjectID, writer key: any ObjectSigner, in objects: any ObjectStore) throws {
        self.name = name
        signer = key.certificate.writer
        let upload = try objects.create(name.text)
        self.upload = upload
        writer = try ObjectWriter(.index, id: name.id, run: run, writer: key) { try upload.append($0) }
    }

    func append(_ part: IndexPart) throws { try writer.append(.indexRows, part.encoded()) }

    /// Ends it; it is durable on return.
    func finish() throws -> VolumeReference {
        let summary = try writer.finish()
        try upload.commit()
        return VolumeReference(writer: signer, id: summary.id, digest: summary.digest, length: summary.length)
    }

    func abandon() { upload.abandon() }
}

/// An index object that is authentic.
private struct IndexReader: Sendable {
    var reader: ObjectReader
    var proof: ObjectProof
}

extension Store {
    /// Reads the parts of an index object that a root or a verdict names, one after the other; each is authentic, and what they say of a volume is compared with
    /// nothing but the reference.
    /// - Returns: the certificate of who wrote it.
    @discardableResult
    func forEachIndexPart(
        of reference: VolumeReference, group: Identifier, _ body: (IndexPart) throws -> Void
    ) throws -> Certificate {
        try forEachPart(of: indexReader(reference, group: group), body)
    }

    private func forEachPart(of index: IndexReader, _ body: (IndexPart) throws -> Void) throws -> Certificate {
        for frame in index.proof.frames where frame.kind == .indexRows {
            try body(IndexPart(decoding: index.reader.content(of: frame)))
        }
        return index.proof.certificate
    }

    /// The same for several, several at once where each costs a round trip. One that is damaged costs time: volumes have directories of
    /// their own.
    /// - Parameter isEnough: asked after each: whether no more are wanted.
    func forEachIndexPart(
        of references: [VolumeReference], group: Identifier,
        _ body: (VolumeReference, IndexPart) throws -> Void, isEnough: () -> Bool
    ) {
        if isEnough() { return }
        inOrder(references, threads: objects.smallCalls) { reference in
            Result { try self.indexReader(reference, group: group) }
        } _: { reference, index in
            if case .success(let index) = index {
                _ = try? self.forEachPart(of: index) { try body(reference, $0) }  // As above.
            }
            return !isEnough()
        }
    }

    /// Opens an index object: from its first copy, where that is whole; else with the one beside it, which is there only where a torn
    /// first copy could not be replaced.
    private func indexReader(
        _ reference: VolumeReference, group: Identifier
    ) throws -> IndexReader {
        let name = reference.name(.index, group: group)
        var copies: [any ByteSource] = []
        var failure: any Error = ImageError.damaged(subject: describe(name), detail: "it is missing")
        for copy in name.both {
            do {
                guard let source = try objects.openIfPresent(copy, length: reference.length) else { continue }
                guard source.length == reference.length, source.length <= Format.maximumIndexLength else {
                    throw ImageError.damaged(
                        subject: describe(name), detail: "it has another length than the image says")
                }
                // Mostly small, and then one read is all.
                let whole: any ByteSource =
                    // safe: compared
                    source.length <= 32 << 20
                    ? MemorySource(try source.read(at: 0, count: Int(source.length))) : source  // safe: as above
                copies.append(whole)
                let reader = try ObjectReader(copies, subject: describe(name), keyring: keyring, name: name)
                let proof = try reader.verifySignature()
                guard proof.digest == reference.digest else {
                    throw ImageError.damaged(subject: describe(name), detail: "it is not the one that the image names")
                }
                return IndexReader(reader: reader, proof: proof)
            } catch { failure = error }
        }
        throw failure
    }
}
