// Feeds bytes that nobody checked to each parser, by way of libFuzzer: `Tests/Fuzzing/run` builds and runs it.
//
// The first byte chooses the parser. Whatever a parser throws is well; a trap, a leak of memory or a hang is a finding.

import Glibc
import Platform
import Reporting
import Stores

@testable import Cryptography
@testable import Images

/// The parsers; their numbers are in the corpus, so a new one goes to the end.
enum Parser: UInt8, CaseIterable {
    case objectHeader, objectTrailer, frameHead, directoryRows, certificate, writerKey, imageLabel, imageBody
    case volumeReferences, storeHeader, storeSecret, records, manifestPosition, object, singleFile, ageKeys
    case ageFile, pathPattern, chunk, walk
    case storeRecord, parcel, stewardKey, verdict, indexPart, storeMemory, tombstone
    case diskTable, lvmMember, lvmText, raidMember, fatVolume, ntfsVolume, volumeHeads, freeParts
    case diskDescription, diskRestore, systemTexts
}

/// The keys under which the corpus is sealed. The format hides nothing that needs them to stay secret.
struct Fixture: Sendable {
    static let identityText = "AGE-SECRET-KEY-1VX2HUCDTDNENKL0RZ7TUW959CSX3LXERFN3062H36V4GMGFNWX7Q32XAGK"
    static let secretText =
        "holdfast store key 2\nstore 000102030405060708090a0b0c0d0e0f\nroot " + String(repeating: "3c", count: 32)
        + "\nepoch 1\nsecret " + String(repeating: "5a", count: 32) + "\n"
    let identity: AgeIdentity
    let secret: StoreSecret
    let rootKey: SigningKey
    let keyring: Keyring
    let group: GroupKeys
    let folder: BytePath

    init() throws {
        identity = try AgeIdentity(Self.identityText)
        secret = try StoreSecret(text: Secret(Array(Self.secretText.utf8)))
        guard let rootKey = secret.rootKey else { throw FormatError("the secret has no root key") }
        self.rootKey = rootKey
        let record = try StoreRecord(
            after: nil, store: secret.store, rootKey: rootKey, epoch: 1, sealing: secret.newest.sealing.publicKey,
            time: 0, revoked: [], recipients: [])
        keyring = Keyring(
            chain: try RecordChain(
                [record], store: secret.store, first: rootKey.verifyingKey, root: rootKey.verifyingKey, subject: "it"),
            secret: secret)
        group = try secret.oldest.group(secret.oldest.groupID(named: "fuzzing"))
        folder = BytePath("/dev/shm/holdfast-fuzzing-\(getpid())")
        try makeFolders(folder)
        if let seeds = getenv("HOLDFAST_FUZZING_SEEDS") { try writeSeeds(to: BytePath(String(cString: seeds))) }
    }

    var credentials: Credentials { Credentials(identities: [identity]) }
    var machine: MachineState {
        MachineState(state: folder.appending("state"), cache: folder.appending("cache"))
    }
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
        return try certificate.isIssued(by: fixture.rootKey.verifyingKey) ? 1 : 2
    case .writerKey: return try WriterKey(decoding: bytes).encoded().count
    case .imageLabel: return try ImageLabel(decoding: bytes).encoded().count
    case .imageBody: return try ImageBody(decoding: bytes).encoded().count
    case .volumeReferences: return try NamedObjects(decoding: bytes).encoded().count
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
    case .storeRecord: return try StoreRecord(decoding: bytes).revoked.count
    case .parcel: return try Parcel(decoding: bytes).isIssued(by: fixture.rootKey.verifyingKey, epoch: 1) ? 1 : 2
    case .stewardKey: return try StewardKey(decoding: bytes).encoded().count
    case .verdict: return try Verdict(decoding: bytes).encoded().count
    case .indexPart: return try IndexPart(decoding: bytes).rows.count
    case .storeMemory: return try StoreMemory(decoding: bytes).encoded().count
    case .tombstone:
        let stone = try Tombstone(decoding: bytes)
        // What is written is what was read, but for fields that nobody knows.
        guard try Tombstone(decoding: stone.encoded()) == stone else { fatalError("another tombstone") }
        return stone.condemned(group: .zero).count
    case .diskTable, .lvmMember, .lvmText, .raidMember, .fatVolume, .ntfsVolume, .volumeHeads, .freeParts,
        .diskDescription, .diskRestore, .systemTexts:
        return try runDisk(parser, bytes, fixture)
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
    if let proof = try? reader.verifySignature() { count += proof.digest.bytes.count }
    return count + (try ImageRoot(reader).volumes.count)
}

private func readSingleFile(_ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    let path = fixture.folder.appending("image")
    let file = try Descriptor.open(path, [.write, .create, .truncate])
    try file.write(bytes)
    let report = try SingleFile.verify(
        path, credentials: fixture.credentials, machine: fixture.machine, progress: Progress(), findings: Findings())
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
final class AnyChunks: ChunkProvider {
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

func empty(_ path: BytePath) {
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
