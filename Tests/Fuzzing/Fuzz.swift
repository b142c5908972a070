// Feeds bytes that nobody checked to each parser, by way of libFuzzer: `Tests/Fuzzing/run` builds and runs it.
//
// The first byte chooses the parser. Whatever a parser throws is well; a trap, a leak of memory or a hang is a finding.

import Glibc
import Platform
import Reporting

@testable import Cryptography
@testable import Images

/// The parsers; their numbers are in the corpus, so a new one goes to the end.
private enum Parser: UInt8, CaseIterable {
    case objectHeader, objectTrailer, frameHead, directoryRows, certificate, writerKey, imageLabel, imageBody
    case volumeReferences, storeHeader, storeSecret, records, manifestPosition, object, singleFile, ageKeys
    case ageFile, pathPattern, chunk, walk
}

/// The keys under which the corpus is sealed. The format hides nothing that needs them to stay secret.
private struct Fixture: Sendable {
    static let identityText = "AGE-SECRET-KEY-1VX2HUCDTDNENKL0RZ7TUW959CSX3LXERFN3062H36V4GMGFNWX7Q32XAGK"
    static let secretText =
        "holdfast store key 1\nstore 000102030405060708090a0b0c0d0e0f\nepoch 1\nsecret "
        + String(repeating: "5a", count: 32) + "\n"
    let identity: AgeIdentity
    let secret: StoreSecret
    let keyring: Keyring
    let group: GroupKeys
    let folder: BytePath

    init() throws {
        identity = try AgeIdentity(Self.identityText)
        secret = try StoreSecret(text: Secret(Array(Self.secretText.utf8)))
        keyring = Keyring(secret: secret, writer: nil)
        group = try secret.newest.group(named: "fuzzing")
        folder = BytePath("/dev/shm/holdfast-fuzzing-\(getpid())")
        try makeFolders(folder)
        if let seeds = getenv("HOLDFAST_FUZZING_SEEDS") { try writeSeeds(to: BytePath(String(cString: seeds))) }
    }

    var credentials: Credentials { Credentials(identities: [identity]) }
}

private let fixture: Fixture = {
    do { return try Fixture() } catch { fatalError("\(error)") }
}()

/// The one that `HOLDFAST_FUZZING_PARSER` names; the others' inputs are left out then.
private let onlyParser: Parser? = {
    guard let name = getenv("HOLDFAST_FUZZING_PARSER").map({ String(cString: $0) }) else { return nil }
    guard let parser = Parser.allCases.first(where: { "\($0)" == name }) else { fatalError("no parser \(name)") }
    return parser
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let fixture = fixture
    guard count > 0, let parser = Parser(rawValue: start[0]), parser == onlyParser ?? parser else { return -1 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    // What comes of it is used, or the optimiser would leave it out.
    return (try? run(parser, bytes, fixture)) == .min ? -1 : 0
}

private func run(_ parser: Parser, _ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    switch parser {
    case .objectHeader:
        return Int(truncatingIfNeeded: try ObjectHeader(decoding: withCheck(bytes, of: 224), subject: "it").length)
    case .objectTrailer:
        return Int(truncatingIfNeeded: try ObjectTrailer(decoding: withCheck(bytes, of: 48, length: 16)).length)
    case .frameHead: return FrameHead(decoding: try withCheck(bytes, of: 12, length: 4)[...], at: 256)?.length ?? 0
    case .directoryRows: return try DirectoryRow.rows(bytes).count
    case .certificate:
        let certificate = try Certificate(decoding: bytes)
        return try certificate.isIssued(by: fixture.secret.newest.signing.verifyingKey) ? 1 : 2
    case .writerKey: return try WriterKey(decoding: bytes).encoded().count
    case .imageLabel: return try ImageLabel(decoding: bytes).encoded().count
    case .imageBody: return try ImageBody(decoding: bytes).encoded().count
    case .volumeReferences: return try VolumeReference.encode(VolumeReference.decode(bytes)).count
    case .storeHeader: return try StoreHeader(decoding: bytes, subject: "it").encoded().count
    case .storeSecret: return try StoreSecret(text: Secret(bytes)).epochs.count
    case .records: return try readRecords(bytes)
    case .manifestPosition: return try followRecords(bytes)
    case .object: return try readObject(repaired(bytes), fixture)
    case .singleFile: return try readSingleFile(repaired(bytes), fixture)
    case .ageKeys: return try readAgeKeys(bytes)
    case .ageFile:
        return try Age.decrypt(bytes, identities: [fixture.identity]).withUnsafeBytes { $0.count }
    case .pathPattern:
        let half = bytes.count / 2
        let path = Array(bytes[half...].filter { $0 != 0 })
        return PathPattern(Array(bytes[..<half].filter { $0 != 0 })).matches(path: path, name: path) ? 1 : 2
    case .chunk: return try readChunk(bytes, fixture)
    case .walk: return try walk(bytes, fixture)
    }
}

// MARK: Checks that no fuzzer guesses

/// The bytes with the right check in the place where one belongs.
private func withCheck(_ bytes: [UInt8], of count: Int, length: Int = 32) throws -> [UInt8] {
    guard bytes.count >= count else { return bytes }
    let check = try bytes.withUnsafeBytes { try SHA256.digest(of: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    return Array(bytes[..<count]) + check.bytes.prefix(length) + bytes.dropFirst(count + length)
}

/// A file with the right check behind all that looks like a header, a frame's head or a trailer. An odd last byte leaves it
/// as it is.
private func repaired(_ bytes: [UInt8]) throws -> [UInt8] {
    guard let last = bytes.last, last & 1 == 0 else { return bytes }
    var bytes = bytes
    func repair(_ place: Int, _ magic: [UInt8], _ count: Int, _ length: Int) throws {
        guard bytes.count - place >= count + length, bytes[place...].starts(with: magic) else { return }
        let check = try bytes.withUnsafeBytes {
            try SHA256.digest(of: UnsafeRawBufferPointer(rebasing: $0[place..<place + count]))
        }
        bytes.replaceSubrange(place + count..<place + count + length, with: check.bytes.prefix(length))
    }
    for place in bytes.indices where bytes[place] == Format.headerMagic[0] {
        try repair(place, Format.headerMagic, Format.headerCheckedLength, 32)
        try repair(place, Format.trailerMagic, 48, 16)
        try repair(place, Format.frameMagic, 12, 4)
    }
    return bytes
}

// MARK: Parsers of more than one step

private func readRecords(_ bytes: [UInt8]) throws -> Int {
    var reader = RecordReader(bytes)
    var count = 0
    while let item = try reader.next() {
        guard let record = try? Record(kind: item.kind, payload: item.payload) else { continue }
        switch record {
        case .enter(let entry), .entry(let entry): count += entry.encoded().count
        case .position(let position): count += position.encoded().count
        case .content(let slices): count += slices.count
        default: count += 1
        }
    }
    return count
}

private func followRecords(_ bytes: [UInt8]) throws -> Int {
    var reader = RecordReader(bytes)
    var place = ManifestPosition()
    while let item = try reader.next() {
        try place.advance(item.kind, bytes, item.payload.position..<item.payload.end)
    }
    return place.position.encoded().count
}

private func readObject(_ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    let reader = try ObjectReader([MemorySource(bytes)], subject: "it", keyring: fixture.keyring)
    let workspace = try ChunkWorkspace()
    var count = reader.rowsByScanning(workspace: workspace).count
    for row in reader.directory() ?? [] where reader.frame(at: row.offset) != nil {
        do { try reader.readChunk(row.frame, id: row.id, workspace: workspace) } catch { count += 1 }
    }
    for frame in reader.scan() { count += (try? reader.content(of: frame))?.count ?? 0 }
    if let digest = try? reader.verifySignature() { count += digest.bytes.count }
    return count + (try ImageRoot(reader).volumes.count)
}

private func readSingleFile(_ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    let path = fixture.folder.appending("image")
    let file = try Descriptor.open(path, [.write, .create, .truncate])
    try file.write(bytes)
    let report = try SingleFile.verify(
        path, credentials: fixture.credentials, progress: Progress(), findings: Findings())
    return Int(truncatingIfNeeded: report.entries)
}

private func readAgeKeys(_ bytes: [UInt8]) throws -> Int {
    let text = String(decoding: bytes, as: UTF8.self)
    var count = 0
    if let recipient = try? AgeRecipient(text) { count += recipient.string.utf8.count }
    if let identity = try? AgeIdentity(text) { count += identity.recipient.string.utf8.count }
    return count + (try AgeIdentity.identities(inFile: bytes).count)
}

private func readChunk(_ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    let workspace = try ChunkWorkspace()
    workspace.sealed(bytes.count).copyBytes(from: bytes)
    let head = try workspace.chunkHead(bytes.count)
    try workspace.decode(head, group: fixture.group)
    return workspace.content.count
}

// MARK: A restore of records as they come

/// Content for every chunk id: as many bytes as the id's first one says.
private final class AnyChunks: ChunkProvider {
    let isRandomAccess: Bool
    private let group: GroupKeys

    init(isRandomAccess: Bool, group: GroupKeys) {
        self.isRandomAccess = isRandomAccess
        self.group = group
    }

    func read(_ id: Digest, into workspace: ChunkWorkspace) throws {
        let content = [UInt8](repeating: id.bytes[1], count: Int(id.bytes[0]))
        let padded = paddedLength(Format.chunkHeadLength + content.count)
        let digest = try content.withUnsafeBytes { try workspace.digest(of: $0, group: group) }
        var plain = digest.bytes + [Codec.stored.rawValue]
        plain.append(integer: UInt32(content.count))
        plain.append(integer: UInt32(content.count))
        plain += content
        plain += [UInt8](repeating: 0, count: padded - plain.count)
        workspace.sealed(plain.count).copyBytes(from: plain)
        try workspace.decode(workspace.chunkHead(plain.count), group: group)
    }
}

private final class RecordsReader: BatchedImageReader {
    let label: ImageLabel?
    let restoredSubject = "records"
    private var batches: [ManifestBatch]

    init(_ batches: [ManifestBatch], sources: Int) {
        var label = ImageLabel()
        label.sources = (0..<sources).map { BytePath("/source \($0)") }
        self.label = label
        self.batches = batches.reversed()
    }

    func nextBatch() throws -> ManifestBatch? { batches.popLast() }
    func problems() -> [Finding] { [] }
}

/// Restores the records. Bits of the first byte: 1 dry run, 2 from a store, 4 several sources, 8 a piece before them is lost,
/// 16 twice over what is there.
private func walk(_ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    guard let mode = bytes.first else { return 0 }
    let chunks = AnyChunks(isRandomAccess: mode & 2 != 0, group: fixture.group)
    let around = fixture.folder.appending("around")
    var request = RestoreRequest(target: around.appending("target"))
    request.isDryRun = mode & 1 != 0
    request.isExact = mode & 32 != 0
    if !request.isDryRun { try makeFolders(request.target) }
    defer { if !request.isDryRun { empty(around) } }
    var entries = 0
    for _ in 0..<(mode & 16 != 0 ? 2 : 1) {
        var batches = [ManifestBatch(records: Array(bytes.dropFirst()), chunks: chunks)]
        if mode & 8 != 0 { batches.insert(ManifestBatch(records: nil, chunks: chunks), at: 0) }
        let report = try restore(
            RecordsReader(batches, sources: mode & 4 != 0 ? 2 : 1), request, progress: Progress(),
            findings: Findings())
        entries += Int(truncatingIfNeeded: report.entries)
    }
    if !request.isDryRun {
        let names = try DirectoryListing(of: Descriptor.open(around, .directory))
        precondition(names.count == 1, "something was restored beside the target")
    }
    return entries
}

private func empty(_ path: BytePath) {
    guard let folder = try? Descriptor.open(path, .directory) else { return }
    empty(folder)
}

private func empty(_ folder: Descriptor) {
    try? folder.setFlags(0)
    guard let names = try? DirectoryListing(of: folder) else { return }
    for index in 0..<names.count {
        let name = names[index]
        guard let kind = try? folder.status(of: name).kind else { continue }
        if kind == .directory || kind == .file, let entry = try? folder.open(name, .nonBlocking) {
            if kind == .directory { empty(entry) } else { try? entry.setFlags(0) }
        }
        try? folder.remove(name, directory: kind == .directory)
    }
}

// MARK: Seeds

/// Writes one whole input for each parser: `HOLDFAST_FUZZING_SEEDS=Testdata/fuzzing` makes the corpus anew.
extension Fixture {
    private func writeSeeds(to seeds: BytePath) throws {
        try makeFolders(seeds)
        var numbers: [Parser: Int] = [:]
        func seed(_ parser: Parser, _ bytes: [UInt8]) throws {
            numbers[parser, default: 0] += 1
            let path = seeds.appending("\(parser)-\(numbers[parser, default: 0])")
            if exists(path) { try removeFile(path) }
            try writeNew(path, [parser.rawValue] + bytes)
        }
        let writer = try WriterKey.issue(from: secret.newest, group: "fuzzing", writer: "host")
        var label = ImageLabel()
        label.name = "name"
        label.sources = ["/tree"]
        label.time = Timestamp(seconds: -3, nanoseconds: 7)
        let content = Array("content of a file\n".utf8) + [UInt8](repeating: 65, count: 182)
        let encoder = try ChunkEncoder(group: group, level: 3)
        let id = try content.withUnsafeBytes { try encoder.digest(of: $0) }
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: ChunkEncoder.capacity(for: content.count), alignment: 64)
        defer { room.deallocate() }
        let count = try content.withUnsafeBytes { try encoder.prepare($0, id: id, into: room) }
        let chunk = PreparedChunk(
            id: id, plain: UnsafeRawBufferPointer(rebasing: room[..<count]), contentLength: content.count)
        var body = ImageBody()
        body.pieces = [ImageBody.Piece(id: id, length: 200)]
        let volumes = [VolumeReference(id: ObjectID(7), digest: id, length: 4096)]
        let records = seedRecords(chunk: id, length: UInt64(content.count))

        let object = try makeObject(.batch, id: ObjectID(1), run: ObjectID(2), writer: writer) {
            try $0.append(chunk, kind: .manifest)
            try $0.append(chunk)
        }.bytes
        try seed(.objectHeader, Array(object[..<Format.headerLength]))
        try seed(.objectTrailer, Array(object[(object.count - Format.trailerLength)...]))
        try seed(.frameHead, try FrameHead.encoded(kind: .data, length: 100))
        var row: [UInt8] = []
        DirectoryRow(id: id, kind: .data, sealedLength: 90, plainLength: 40, offset: 256, tag: Array(id.bytes[..<16]))
            .append(to: &row)
        try seed(.directoryRows, row + row)
        try seed(.certificate, writer.certificate.encoded)
        try seed(.writerKey, writer.encoded())
        try seed(.imageLabel, label.encoded())
        try seed(.imageBody, body.encoded())
        try seed(.volumeReferences, VolumeReference.encode(volumes))
        try seed(.storeHeader, try StoreHeader(store: secret.store).encoded())
        try seed(.storeSecret, Array(Self.secretText.utf8))
        try seed(.records, records)
        try seed(.manifestPosition, records)
        try seed(.object, object + [0])
        let root = try makeObject(.image, id: ObjectID(3), run: ObjectID(2), writer: writer) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, VolumeReference.encode(volumes))
            try $0.append(.body, body.encoded())
        }.bytes
        try seed(.object, root + [0])
        let age = try secret.wrapped(for: .age(identity.recipient))
        try seed(.ageFile, age)
        try seed(.ageKeys, Array(Self.identityText.utf8))
        try seed(.ageKeys, Array(identity.recipient.string.utf8))
        try seed(.pathPattern, Array("a/*.[ch]?a/b.c".utf8))
        try seed(.chunk, Array(chunk.plain))
        for mode in 0..<64 { try seed(.walk, [UInt8(mode)] + records) }

        let path = folder.appending("seed")
        let file = try SingleFileWriter(
            to: .file(path, partLength: nil), key: writer, keyFiles: [(identity.recipient.string + ".age", age)],
            label: label, level: 3)
        file.hold(chunk)
        try file.batch(records: records)
        _ = try file.commit(label)
        try seed(.singleFile, try readWhole(path, limit: 1 << 20) + [0])
        try removeFile(path)
    }

    /// One record of each kind, and one entry of each type.
    private func seedRecords(chunk: Digest, length: UInt64) -> [UInt8] {
        var records: [UInt8] = []
        func entry(_ name: String, _ kind: FileKind, _ change: (inout Entry) -> Void = { _ in }) -> [UInt8] {
            var entry = Entry()
            entry.name = Array(name.utf8)
            entry.kind = kind
            entry.mode = 0o700
            change(&entry)
            return entry.encoded()
        }
        var slices: [UInt8] = []
        // The walk's chunks are as long as the first byte of their id.
        var id = chunk.bytes
        id[0] = UInt8(truncatingIfNeeded: length)
        let place = Slice.append(length: length, offset: 0, to: &slices)
        slices.replaceSubrange(place..<place + 32, with: id)
        Slice.append(hole: 5000, to: &slices)
        var source: [UInt8] = []
        source.append(field: 1, text: "/tree")
        var position = Position()
        position.source = Array("/tree".utf8)
        position.depth = 2
        position.path = Array("below".utf8)
        records.append(record: .position, position.encoded())
        records.append(record: .source, source)
        records.append(record: .enter, entry("tree", .directory))
        var file = entry("file", .file) { $0.size = length + 5000 }
        file.append(field: 11, slices)
        records.append(record: .entry, file)
        records.append(record: .entry, entry("follows", .file) { $0.contentFollows = true })
        records.append(record: .content, slices)
        records.append(record: .restart, [])
        records.append(record: .content, slices)
        var finish: [UInt8] = []
        finish.append(field: 1, integer: 1)
        finish.append(field: 2, integer: length + 5000)
        records.append(record: .finish, finish)
        records.append(record: .entry, entry("link", .symbolicLink) { $0.target = Array("../beside".utf8) })
        records.append(record: .enter, entry("link", .directory))
        records.append(record: .entry, entry("hard", .hardLink) { $0.target = Array("file".utf8) })
        records.append(record: .entry, entry("fifo", .fifo))
        records.append(record: .entry, entry("device", .characterDevice) { $0.nodeMajor = 1 })
        records.append(record: .leave, [])
        records.append(record: .leave, [])
        return records
    }
}
