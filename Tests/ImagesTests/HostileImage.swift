// Makes images that are sealed and signed as they should be, of whatever records a test wants, and watches what is beside the target.

import Cryptography
import Glibc
import Platform
import Testing

@testable import Images

func digest(_ bytes: [UInt8]) -> Digest { bytes.withUnsafeBytes { Digest(bytes: $0) } }

func slices(_ list: [(length: UInt64, chunk: Digest?, offset: UInt64)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (length, chunk, offset) in list {
        if let chunk {
            let place = Slice.append(length: length, offset: offset, to: &bytes)
            bytes.replaceSubrange(place..<place + 32, with: chunk.bytes)
        } else {
            Slice.append(hole: length, to: &bytes)
        }
    }
    return bytes
}

extension Position {
    /// Within the folder of the only source.
    static var inTree: Position {
        var position = Position()
        position.source = Array("/tree".utf8)
        position.depth = 1
        return position
    }
}

extension [UInt8] {
    mutating func source(_ path: String) {
        var bytes: [UInt8] = []
        bytes.append(field: 1, text: path)
        append(record: .source, bytes)
    }

    private func encoded(_ name: String, _ kind: FileKind, _ change: (inout Entry) -> Void) -> [UInt8] {
        var entry = Entry()
        entry.name = Array(name.utf8)
        entry.kind = kind
        entry.mode = 0o700
        entry.user = getuid()
        entry.group = getgid()
        change(&entry)
        return entry.encoded()
    }

    mutating func enter(_ name: String) { append(record: .enter, encoded(name, .directory) { _ in }) }
    mutating func leave() { append(record: .leave, []) }

    mutating func entry(_ name: String, _ kind: FileKind, _ change: (inout Entry) -> Void = { _ in }) {
        append(record: .entry, encoded(name, kind, change))
    }

    mutating func link(_ name: String, to target: String) {
        entry(name, .symbolicLink) { $0.target = Array(target.utf8) }
    }

    mutating func file(
        _ name: String, size: UInt64? = nil, slices list: [(length: UInt64, chunk: Digest?, offset: UInt64)] = []
    ) {
        var bytes = encoded(name, .file) { $0.size = size ?? list.reduce(0) { $0 &+ $1.length } }
        if !list.isEmpty { bytes.append(field: 11, slices(list)) }
        append(record: .entry, bytes)
    }

    mutating func finish(size: UInt64) {
        var bytes: [UInt8] = []
        bytes.append(field: 2, integer: size)
        append(record: .finish, bytes)
    }
}

/// A single-file image whose writer has all keys and no scruples.
final class HostileImage {
    let identity: AgeIdentity
    let key: WriterKey
    let rootKey: SigningKey
    private let encoder: ChunkEncoder
    private let run: ObjectID
    private let header: StoreHeader
    let record: StoreRecord
    private let keyFile: [UInt8]
    private var batches: UInt32 = 0
    private var bytes: [UInt8] = []
    private var body = ImageBody()
    private var held: [(id: Digest, plain: [UInt8], length: Int)] = []
    /// The records of the batch under way.
    var records: [UInt8] = []

    var credentials: Credentials { Credentials(identities: [identity]) }

    init() throws {
        identity = try AgeIdentity.generate()
        let secret = try StoreSecret.generate()
        rootKey = try #require(secret.rootKey)
        run = try .random()
        key = try WriterKey.issue(
            from: secret, rootKey: rootKey, group: "group", writer: "host", series: ["host/"])
        encoder = try ChunkEncoder(group: key.group, level: 3)
        header = StoreHeader(store: key.store, root: rootKey.verifyingKey)
        record = try StoreRecord(
            after: nil, store: key.store, rootKey: rootKey, epoch: 1, sealing: secret.newest.sealing.publicKey, time: 0,
            revoked: [], recipients: [StoreReader(name: identity.recipient.string, governs: true)])
        keyFile =
            Array("\(identity.recipient.string).age\0".utf8) + (try secret.wrapped(for: .age(identity.recipient)))
    }

    private func prepared(_ content: [UInt8]) throws -> (id: Digest, plain: [UInt8]) {
        let id = try content.withUnsafeBytes { try encoder.digest(of: $0) }
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: ChunkEncoder.capacity(for: content.count), alignment: 64)
        defer { room.deallocate() }
        let count = try content.withUnsafeBytes { try encoder.prepare($0, id: id, into: room) }
        return (id, Array(room[..<count]))
    }

    /// An honest chunk.
    func chunk(_ content: [UInt8]) throws -> Digest {
        let (id, plain) = try prepared(content)
        if !held.contains(where: { $0.id == id }) { held.append((id, plain, content.count)) }
        return id
    }

    func hold(id: [UInt8], plain: [UInt8]) { held.append((digest(id), plain, 3)) }

    /// An honest file.
    func file(_ name: String, _ content: [UInt8] = Array("planted".utf8)) throws {
        records.file(name, slices: [(UInt64(content.count), try chunk(content), 0)])
    }

    /// A file of a chunk that says `claims` of its content.
    func forged(
        content: [UInt8], claims: Int, codec: UInt8? = nil, id: [UInt8]? = nil, before: [UInt8] = []
    ) throws {
        // The encoder makes none that is too long; but decompressors take frames one after the other for one.
        var honest = try content.withUnsafeBytes { try encoder.digest(of: $0) }
        var plain: [UInt8] = []
        for start in stride(from: 0, to: content.count, by: Format.maximumChunkLength) {
            let (_, part) = try prepared(Array(content[start...].prefix(Format.maximumChunkLength)))
            let stored = Int(part[33]) | Int(part[34]) << 8 | Int(part[35]) << 16 | Int(part[36]) << 24
            if plain.isEmpty { plain = Array(part[..<Format.chunkHeadLength]) }
            plain += part[Format.chunkHeadLength...].prefix(stored)
        }
        honest.withUnsafeBytes { plain.replaceSubrange(..<32, with: $0) }
        let stored = plain.count - Format.chunkHeadLength
        plain.insert(contentsOf: before, at: Format.chunkHeadLength)
        plain.set(UInt32(stored + before.count), at: 33)
        plain.set(UInt32(claims), at: 37)
        if let codec { plain[32] = codec }
        if let id {
            plain.replaceSubrange(..<32, with: id)
            honest = digest(id)
        }
        plain += [UInt8](repeating: 0, count: paddedLength(plain.count) - plain.count)
        held.append((honest, plain, min(claims, Format.maximumChunkLength)))
        records.file("forged", slices: [(UInt64(min(claims, Format.maximumChunkLength)), honest, 0)])
    }

    func batch(_ position: Position) throws { try batch(encoded: position.encoded()) }

    /// Ends a batch: its manifest begins with this position.
    func batch(encoded position: [UInt8]) throws {
        var content: [UInt8] = []
        content.append(record: .position, position)
        content += records
        let (id, plain) = try prepared(content)
        body.pieces.append(ImageBody.Piece(id: id, length: content.count))
        batches += 1
        bytes += try makeObject(.batch, id: .derived(batch: batches, run: run), run: run, writer: key) { object in
            try append(plain, id, content.count, .manifest, to: object)
            for chunk in held { try append(chunk.plain, chunk.id, chunk.length, .data, to: object) }
            try append(plain, id, content.count, .manifest, to: object)
        }.bytes
        records = []
        held = []
    }

    private func append(
        _ plain: [UInt8], _ id: Digest, _ length: Int, _ kind: FrameKind, to object: ObjectWriter
    ) throws {
        try plain.withUnsafeBytes {
            try object.append(PreparedChunk(id: id, plain: $0, contentLength: length), kind: kind)
        }
    }

    private func label(_ sources: [BytePath]) -> ImageLabel {
        var label = ImageLabel()
        label.name = "hostile"
        label.sources = sources
        label.series = "host/hostile"
        label.sequence = 1
        return label
    }

    /// The object that a file begins with.
    func keys(sources: [BytePath], records: [[UInt8]]? = nil) throws -> [UInt8] {
        try makeObject(.keys, id: .derived(run: run, number: 0), run: run, writer: key) {
            try $0.append(.storeHeader, header.encoded())
            for record in records ?? [record.encoded] { try $0.append(.record, record) }
            try $0.append(.keyFile, keyFile)
            try $0.append(.label, label(sources).encoded())
        }.bytes
    }

    /// The whole file, with a root whose numbers are as large as can be.
    func whole(sources: [BytePath]) throws -> [UInt8] {
        let keys = try keys(sources: sources)
        var label = label(sources)
        (label.entries, label.contentBytes, label.findings) = (.max, .max, .max)
        body.batches = UInt64(batches)
        let root = try makeObject(.image, id: .derived(run: run, number: .max), run: run, writer: key) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, NamedObjects().encoded())
            try $0.append(.body, body.encoded())
        }.bytes
        return keys + keys + bytes + root + root
    }

    // MARK: At random

    func name(_ random: inout SplitMix64) -> [UInt8] {
        Array((["a", "b", "link", "folder"].randomElement(using: &random) ?? "a").utf8)
    }

    func appendRandomRecord(_ random: inout SplitMix64) throws {
        let names = ["a", "b", "c", "link", "link", "folder", "folder", "tree", "..", "x/y", ""]
        // The bad names are rare: each of them ends its batch.
        let index = Int.random(in: 0..<(Int.random(in: 0..<20, using: &random) == 0 ? names.count : 8), using: &random)
        let name = names[index]
        let targets = ["../beside", "../beside/canary", "a", "link/canary", "/etc/passwd", "../..", "folder/a", "."]
        let target = targets.randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<14, using: &random) {
        case 0, 1, 2: records.enter(name)
        case 3: if Int.random(in: 0..<3, using: &random) > 0 { records.leave() }
        case 4, 5, 6: try file(name, random.bytes(Int.random(in: 1..<50, using: &random)))
        case 7, 8: records.link(name, to: target)
        case 9: records.entry(name, .hardLink) { $0.target = Array(target.utf8) }
        case 10:
            records.entry(name, .file) { $0.contentFollows = true }
            records.append(record: .content, slices([(3, try chunk([1, 2, 3]), 0), (5000, nil, 0)]))
            if Bool.random(using: &random) { records.append(record: .restart, []) }
            records.finish(size: Bool.random(using: &random) ? 5003 : 0)
        case 11:
            records.source(["/tree", "/other", "/tree/link/x", "/..", "/../x"].randomElement(using: &random) ?? "")
        case 12: records.entry(name, .fifo)
        default: records.entry(name, .characterDevice) { $0.nodeMajor = 1 }
        }
    }
}

/// A target with things beside it that must stay as they are.
final class Surroundings {
    let scratch: Scratch
    let target: BytePath
    var machine: MachineState { scratch.machine() }
    private let around: BytePath
    private let before: [[UInt8]: String]

    init() throws {
        scratch = try Scratch()
        around = scratch.file("around")
        target = around.appending("target")
        try put(around.appending("canary"), Array("sings".utf8))
        try put(around.appending("beside/canary"), Array("sings too".utf8))
        try put(around.appending("x/canary"), Array("and this one".utf8))
        before = try Self.withoutTarget(around)
    }

    private static func withoutTarget(_ around: BytePath) throws -> [[UInt8]: String] {
        let target = Array("target".utf8)
        return try look(at: around).filter { $0.key != target && !$0.key.starts(with: target + [UInt8(ascii: "/")]) }
    }

    func check(_ what: String = "", sourceLocation: SourceLocation = #_sourceLocation) throws {
        let now = try Self.withoutTarget(around)
        #expect(now == before, "\(what) \(differences(now, before))", sourceLocation: sourceLocation)
        guard exists(target) else { return }
        let devices = try look(at: target).values.filter { $0.contains("Device") }
        #expect(devices.isEmpty, "a device was made", sourceLocation: sourceLocation)
    }
}
