// What a single file begins with: whose it is, who can open it, and what is in it. It is compared with everything that is known of its store
// before anything else of the file is believed.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

/// A single file up to its first batch, opened with the keys at hand.
struct SingleFileOpening {
    /// Of its keys object: all objects of the file are of this run and writer.
    let head: ObjectHeader
    /// What a person compares.
    let fingerprint: StoreFingerprint
    let keyring: Keyring
    /// Without counts; the root has them.
    let label: ImageLabel
    /// What does not keep anybody from reading.
    private(set) var findings: [Finding] = []
    /// An object that was read while looking for the keys.
    private(set) var ahead: [UInt8]?
    /// Of its keys object: two, where both were recognised.
    let copies: [MemorySource]
    private let chain: RecordChain
    private let subject: String

    init(_ stream: ObjectStream, _ path: BytePath, credentials: Credentials, machine: MachineState) throws {
        subject = stream.subject
        (head, copies, ahead) = try Self.readKeys(stream, path)
        let keys = try SingleFileKeys(ObjectReader(copies, subject: subject, keyring: Keyring(chain: nil)))
        guard keys.header.store == head.store else {
            throw ImageError.damaged(subject: subject, detail: "its keys are another store's")
        }
        let memory = try machine.memory(of: keys.header.store)
        let writer = try machine.writerKey(of: keys.header.store)
        let root = try credentials.trust.root(
            of: keys.records, pinned: memory.pins(writer, among: keys.records), isFile: true, subject: subject
        ).key
        fingerprint = try StoreFingerprint(store: keys.header.store, root: root)
        let chain = try keys.records.chain(of: root, subject: subject)
        self.chain = chain
        if var finding = try memory.compare(chain, isWriting: false, subject: subject) {
            // Nothing brings a file up to date, and every file is behind after the next change of keys: it is told, and is nothing wrong.
            finding.kind = .note
            finding.reason =
                "it has \(chain.records.count) of the \(memory.record?.number ?? 0) records of its store that this machine has seen: it was "
                + "made before the others, and does not know who was removed or revoked since"
            findings.append(finding)
        }
        let secret = try credentials.open(keys.files, subject: subject) { $0.confirmed(by: chain) }
        keyring = Keyring(chain: chain, secret: secret, writer: writer)
        label = try Self.label(ObjectReader(copies, subject: subject, keyring: keyring))
        // Of a store that this machine knows; a file that comes by once is not remembered. A rescue system may remember nothing.
        if memory.root == root { try? machine.remember(head.store) { $0.see(chain) } }
    }

    /// Keys come twice; either copy, or parts of both, will do.
    private static func readKeys(
        _ stream: ObjectStream, _ path: BytePath
    ) throws -> (head: ObjectHeader, copies: [MemorySource], ahead: [UInt8]?) {
        var copies: [MemorySource] = []
        var first: ObjectHeader?
        var ahead: [UInt8]?
        while copies.count < 2, let bytes = try stream.next() {
            let source = MemorySource(bytes)
            // What cannot be read is none of them.
            guard let reader = try? ObjectReader([source], subject: stream.subject, keyring: Keyring(chain: nil)),
                reader.header.type == .keys, first.map({ $0.id == reader.header.id }) ?? true
            else {
                ahead = bytes
                break
            }
            first = reader.header
            copies.append(source)
        }
        guard let first else {
            if stream.position == 0 { throw ImageError.empty(subject: stream.subject) }
            let hasObject = ahead != nil
            if let part = PartedInput.firstPart(of: path), hasObject || SingleFile.isImage(part.first) {
                throw ImageError.laterPart(
                    subject: stream.subject, number: part.number, first: part.first.description)
            }
            guard hasObject || stream.beginsAsImage else { throw ImageError.noImage(subject: stream.subject) }
            throw ImageError.damaged(subject: stream.subject, detail: "its keys are lost, both copies of them")
        }
        return (first, copies, ahead)
    }

    /// Where things go depends on it, so it is there and authentic, or nothing is placed.
    private static func label(_ reader: ObjectReader) throws -> ImageLabel {
        let proof = try reader.verifySignature()
        guard let frame = proof.frames.first(where: { $0.kind == .label }) else {
            throw ImageError.damaged(subject: reader.subject, detail: "it has no label")
        }
        let label = try ImageLabel(decoding: reader.content(of: frame))
        guard proof.certificate.covers(series: label.series) else {
            throw ImageError.damaged(
                subject: reader.subject, detail: "its writer may not write the series \(label.series)")
        }
        return label
    }

    /// Whether an object is of the same run and writer.
    func isOwn(_ header: ObjectHeader) -> Bool {
        header.store == head.store && header.run == head.run && header.writer == head.writer
    }

    /// The root of the file, where its writer has been revoked and this very image counts all the same; nil where nobody has revoked it.
    ///
    /// The root comes last: the file is read once more, before anything is placed.
    /// - Throws: `ImageError.damaged` where the image does not count.
    func keptRoot(_ path: BytePath, _ stop: Stop) throws -> ImageRoot? {
        guard let revocation = chain.newest.revocation(of: head.writer) else { return nil }
        let refusal = ImageError.damaged(subject: subject, detail: "its writer's right to write has been revoked")
        if revocation.kept.isEmpty { throw refusal }
        do {
            guard path.bytes != Array("-".utf8), try Descriptor.open(path).status().kind == .file else {
                throw ImageError.notSeekable(subject: subject)
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
        let stream = try ObjectStream(path, stop)
        while let bytes = try stream.next() {
            // What does not open is no root that anybody has listed.
            guard let reader = try? ObjectReader([MemorySource(bytes)], subject: subject, keyring: keyring),
                reader.header.type == .image, isOwn(reader.header), let root = try? ImageRoot(reader)  // As above.
            else { continue }
            if revocation.kept.contains(root.reference) { return root }
        }
        throw refusal
    }
}

/// What the keys object of a single file holds in the open.
private struct SingleFileKeys {
    var header: StoreHeader
    var records: StoreRecords
    var files: [[UInt8]] = []

    init(_ reader: ObjectReader) throws {
        var header: StoreHeader?
        var found: Set<StoreRecord> = []
        for frame in reader.scan() {
            // One that can be read in neither copy is missed where it is needed.
            for content in (try? reader.contents(of: frame)) ?? [] {
                switch frame.kind {
                // The other copy may have it; without one nothing is read.
                case .storeHeader: header = header ?? (try? StoreHeader(decoding: content, subject: reader.subject))
                case .record:
                    // One that is none is passed over; a missing one is noticed. Whose signatures they are, who knows the root key looks.
                    guard let record = try? StoreRecord(unchecked: content) else { continue }
                    found.insert(record)
                case .keyFile:
                    guard let zero = content.firstIndex(of: 0), files.count < Format.maximumKeyFiles else { continue }
                    files.append(Array(content[(zero + 1)...]))
                default: continue
                }
            }
        }
        guard let header else {
            throw ImageError.damaged(subject: reader.subject, detail: "it does not say which store it is of")
        }
        self.header = header
        records = StoreRecords(header)
        for record in found.sorted(by: { $0.number < $1.number }) { try records.add(record, subject: reader.subject) }
    }
}
