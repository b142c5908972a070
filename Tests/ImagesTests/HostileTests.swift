// Images that are sealed and signed as they should be, by somebody who means harm: nothing they say leads outside of the
// target, stops the program or costs more than the entries that it concerns.

import Cryptography
import Glibc
import Platform
import Reporting
import TestSupport
import Testing

@testable import Images

@Suite struct HostileTests {
    /// What a case puts into the middle of an image.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var sources: [BytePath] = ["/tree"]
        /// Whether it has to be said; else it may go by.
        var isNamed = true
        /// Whether it is only read and never restored for real.
        var isDryRun = false
        let fill: @Sendable (HostileImage) throws -> Void
        var testDescription: String { name }
    }

    @Test(
        "A hostile image writes nothing outside of its target, stops nothing, and costs only what it concerns",
        arguments: cases)
    func hostile(_ hostile: Case) throws {
        let image = try HostileImage()
        let content = Array("honest content".utf8)
        func honest(_ name: String) throws {
            image.records.file(name, slices: [(UInt64(content.count), try image.chunk(content), 0)])
        }
        image.records.source("/tree")
        image.records.enter("tree")
        try honest("before")
        try image.batch(Position())
        try hostile.fill(image)
        if !image.records.isEmpty { try image.batch(.inTree) }
        try honest("after")
        image.records.leave()
        try image.batch(.inTree)

        let surroundings = try Surroundings()
        let file = surroundings.scratch.file("image.hf")
        try put(file, image.whole(sources: hostile.sources))
        let isSaid = clean { findings in
            _ = try SingleFile.verify(file, credentials: image.credentials, progress: Progress(), findings: findings)
        }
        #expect(isSaid || !hostile.isNamed || !hostile.isDryRun, "nothing was said")
        if hostile.isDryRun { return }
        // Into an empty folder, and onto what is there by then.
        for _ in 0..<2 {
            let isSaid = clean { findings in
                _ = try restore(
                    SingleFile.imageReader(file, credentials: image.credentials),
                    RestoreRequest(target: surroundings.target), progress: Progress(), findings: findings)
            }
            #expect(isSaid || !hostile.isNamed, "nothing was said")
            try surroundings.check()
            for name in ["before", "after"] {
                let there = try look(at: surroundings.target).keys.filter {
                    BytePath($0).lastComponent == Array(name.utf8)
                }
                #expect(!there.isEmpty, "\(name) was not restored")
                for path in there {
                    let bytes = try readWhole(surroundings.target.appending(path), limit: 1 << 20)
                    #expect(bytes == content, "\(name) has another content")
                }
            }
        }
        // By way of a store, where chunks can be read again and tar comes out.
        let store = try TestStore(surroundings.scratch)
        _ = clean { findings in
            _ = try SingleFile.copy(
                file, credentials: image.credentials,
                to: Store.open(
                    store.path, for: .write, credentials: store.credentials, machine: store.machine),
                machine: store.machine, progress: Progress(), findings: findings)
            try store.restore(to: surroundings.target, findings: findings)
            _ = try store.verify(findings: findings)
            let nowhere = try Descriptor.open("/dev/null", .write)
            _ = try store.opened().export(
                image: "latest", to: nowhere.raw, progress: Progress(), findings: findings)
        }
        try surroundings.check()
    }

    @Test("Manifests of records in any order and with any names never write outside of their target", arguments: 0..<4)
    func random(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed + 100)
        let surroundings = try Surroundings()
        let file = surroundings.scratch.file("image.hf")
        for round in 0..<(runsAll ? 2000 : 40) {
            let image = try HostileImage()
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                for _ in 0..<Int.random(in: 0..<30, using: &random) { try image.appendRandomRecord(&random) }
                var position = Position()
                position.source = Self.paths.randomElement(using: &random) ?? []
                position.depth = Int.random(in: 0...2, using: &random)
                if position.depth == 2 { position.path = image.name(&random) }
                try image.batch(position)
            }
            if exists(file) { try removeFile(file) }
            try put(file, image.whole(sources: Bool.random(using: &random) ? ["/tree"] : ["/tree", "/other"]))
            for _ in 0..<2 {
                _ = clean { findings in
                    _ = try restore(
                        SingleFile.imageReader(file, credentials: image.credentials),
                        RestoreRequest(target: surroundings.target), progress: Progress(), findings: findings)
                }
            }
            try surroundings.check("round \(round)")
            if round % 5 == 4 { run("/bin/rm", ["-rf", surroundings.target.description]) }
        }
    }

    /// Runs what may end with an error of ours, and says whether anything was said.
    private func clean(_ body: (Findings) throws -> Void) -> Bool {
        let findings = Findings()
        do {
            try body(findings)
        } catch is ImageError {
            return true
        } catch {
            Issue.record(error, "it did not end with an error of ours")
        }
        return findings.count > 0
    }

    fileprivate static let paths = ["/tree", "/..", "/../x", "/a/../../beside", "/link", "/", "", "tree/../.."].map {
        Array($0.utf8)
    }
}

// MARK: The cases

extension HostileTests {
    static let cases: [Case] =
        names + links + sources + sizes + order + chunks + positions + odd

    private static let names: [Case] =
        ["..", ".", "/etc/x", "a/b", "../beside/planted", "", "a\0b", String(repeating: "n", count: 256)].flatMap {
            name in
            [
                Case(name: "a file with the name \(name.debugDescription)") { $0.records.file(name) },
                Case(name: "a folder with the name \(name.debugDescription)") {
                    $0.records.enter(name)
                    $0.records.file("planted")
                    $0.records.leave()
                },
                Case(name: "a link with the name \(name.debugDescription)") {
                    $0.records.entry(name, .symbolicLink) { $0.target = Array("x".utf8) }
                },
            ]
        }

    private static let links: [Case] =
        [
            Case(name: "a link, then a folder of its name with a file", isNamed: false) {
                $0.records.link("link", to: "../beside")
                $0.records.enter("link")
                try $0.file("planted")
                try $0.file("canary")
                $0.records.leave()
            },
            Case(name: "a link to a file, then a file of its name", isNamed: false) {
                $0.records.link("link", to: "../beside/canary")
                try $0.file("link")
            },
            Case(name: "a folder, then a link of its name, then the folder again", isNamed: false) {
                $0.records.enter("folder")
                $0.records.leave()
                $0.records.link("folder", to: "../beside")
                $0.records.enter("folder")
                try $0.file("planted")
                $0.records.leave()
            },
            Case(name: "a link where a file is written before it has its name", isNamed: false) {
                var hash: UInt64 = 0xcbf2_9ce4_8422_2325
                for byte in "victim".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
                $0.records.link(".holdfast-partial-\(String(hash, radix: 16))", to: "../beside/canary")
                try $0.file("victim")
            },
            Case(name: "a hard link to a link, and a file over it", isNamed: false) {
                $0.records.link("link", to: "../beside/canary")
                $0.records.entry("hard", .hardLink) { $0.target = Array("link".utf8) }
                try $0.file("hard")
            },
            Case(name: "a link without a target") { $0.records.link("link", to: "") },
            Case(name: "a link with an endless target") {
                $0.records.link("link", to: String(repeating: "x/", count: 5000))
            },
            Case(name: "a link with a zero in its target") { $0.records.link("link", to: "a\0b") },
        ]
        + [
            "../../beside/canary", "../beside/canary", "/etc/passwd", "link/canary", "", "..", ".", "a//b", "tree/.",
            "c\0d",
        ]
        .map { target in
            Case(name: "a hard link to \(target.debugDescription)") {
                $0.records.link("link", to: "../beside")
                $0.records.entry("hard", .hardLink) { $0.target = Array(target.utf8) }
            }
        }

    private static let sources: [Case] =
        ["/..", "/../x", "/a/../../beside", "/../beside/planted", "/a\0b", "/a/.."].map { source in
            Case(name: "one of several sources is \(source.debugDescription)", sources: ["/tree", BytePath(source)]) {
                $0.records.leave()
                $0.records.source(source)
                $0.records.enter("x")
                try $0.file("planted")
                $0.records.leave()
            }
        } + [
            Case(name: "the only source leads out", sources: ["/../beside"], isNamed: false) {
                $0.records.source("/../beside")
                $0.records.enter("beside")
                try $0.file("planted")
            },
            Case(name: "a source that is a file leads out", sources: ["/tree", "/../x"]) {
                $0.records.source("/../x")
                try $0.file("x")
            },
            Case(
                name: "a source goes through a link of another one", sources: ["/tree", "/tree/link/x"], isNamed: false
            ) {
                $0.records.link("link", to: "../../beside")
                $0.records.leave()
                $0.records.source("/tree/link/x")
                $0.records.enter("x")
                try $0.file("planted")
                $0.records.leave()
            },
        ]

    private static let sizes: [Case] = [
        Case(name: "a slice past the end of its chunk") {
            $0.records.file("file", slices: [(200, try $0.chunk([1, 2, 3]), 100)])
        },
        Case(name: "a slice that begins far outside") {
            $0.records.file("file", slices: [(1, try $0.chunk([1, 2, 3]), UInt64.max)])
        },
        Case(name: "a slice of no length") { $0.records.file("file", slices: [(0, try $0.chunk([1, 2, 3]), 0)]) },
        Case(name: "slices longer than the size") {
            $0.records.file("file", size: 2, slices: [(3, try $0.chunk([1, 2, 3]), 0)])
        },
        Case(name: "slices shorter than the size") {
            $0.records.file("file", size: 4, slices: [(3, try $0.chunk([1, 2, 3]), 0)])
        },
        Case(name: "a chunk that nobody has") {
            var id = try $0.chunk([1, 2, 3]).bytes
            id[0] ^= 1
            $0.records.file("file", slices: [(3, id.withUnsafeBytes { Digest(bytes: $0) }, 0)])
        },
        Case(name: "sizes that add up to more than a number holds") {
            for index in 0..<4 { $0.records.file("file \(index)", size: UInt64(Int64.max)) }
        },
        Case(name: "a size beyond all files") { $0.records.file("file", size: .max) },
        Case(name: "holes as long as a number holds", isNamed: false) {
            for index in 0..<4 { $0.records.file("file \(index)", slices: [(UInt64(Int64.max), nil, 0)]) }
        },
        Case(name: "holes that add up to more than a number holds, then content") {
            $0.records.entry("file", .file) { $0.contentFollows = true }
            for _ in 0..<3 { $0.records.append(record: .content, slices([(UInt64(Int64.max), nil, 0)])) }
            $0.records.append(record: .content, slices([(3, try $0.chunk([1, 2, 3]), 0)]))
            $0.records.finish(size: 2)
        },
        Case(name: "content far behind a hole") {
            $0.records.file(
                "file", slices: [(UInt64(Int64.max) - 3, nil, 0), (3, try $0.chunk([1, 2, 3]), 0)])
        },
    ]

    private static let order: [Case] = [
        Case(name: "a folder is left that was not entered") { for _ in 0..<3 { $0.records.leave() } },
        Case(name: "content without a file", isNamed: false) {
            $0.records.append(record: .content, slices([(3, try $0.chunk([1, 2, 3]), 0)]))
        },
        Case(name: "an end without a file", isNamed: false) { $0.records.finish(size: 7) },
        Case(name: "content begins again without a file", isNamed: false) { $0.records.append(record: .restart, []) },
        Case(name: "a file without its end") { $0.records.entry("file", .file) { $0.contentFollows = true } },
        Case(name: "content of a link", isNamed: false) {
            $0.records.entry("link", .symbolicLink) {
                $0.contentFollows = true
                $0.target = Array("../beside/canary".utf8)
            }
            $0.records.append(record: .content, slices([(3, try $0.chunk([1, 2, 3]), 0)]))
            $0.records.finish(size: 3)
        },
        Case(name: "a record of an unknown kind", isNamed: false) { $0.records += [99, 3, 1, 2, 3] },
        Case(name: "a record longer than all") { $0.records += [5, 0xff, 0xff, 0xff, 0xff, 0x7f] },
        Case(name: "a record of an endless length") { $0.records += [5] + [UInt8](repeating: 0xff, count: 12) },
        Case(name: "folders without end", isDryRun: true) { for _ in 0..<100_000 { $0.records.enter("d") } },
        Case(name: "two files of one name", isNamed: false) {
            try $0.file("twice", [1])
            try $0.file("twice", [2, 2])
        },
        Case(name: "a file and a folder of one name", isNamed: false) {
            try $0.file("twice", [1])
            $0.records.enter("twice")
            try $0.file("in it", [1])
            $0.records.leave()
        },
        Case(name: "a folder and a file of one name", isNamed: false) {
            $0.records.enter("twice")
            try $0.file("in it", [1])
            $0.records.leave()
            try $0.file("twice", [1])
        },
        Case(name: "a FIFO and a file of one name", isNamed: false) {
            $0.records.entry("fifo", .fifo)
            try $0.file("fifo", [1])
            $0.records.entry("fifo", .fifo)
        },
    ]

    private static let chunks: [Case] = [
        Case(name: "a chunk that decompresses to more than it says") {
            try $0.forged(content: [UInt8](repeating: 0, count: 4 << 20), claims: 4 << 18)
        },
        Case(name: "a chunk that decompresses to more than any may") {
            try $0.forged(content: [UInt8](repeating: 0, count: 32 << 20), claims: 4 << 20)
        },
        Case(name: "a chunk that says that it is longer than any may") {
            try $0.forged(content: [UInt8](repeating: 0, count: 8 << 20), claims: 8 << 20)
        },
        Case(name: "a chunk that decompresses to less than it says") {
            try $0.forged(content: [UInt8](repeating: 0, count: 1 << 20), claims: 4 << 20)
        },
        Case(name: "a chunk whose stored bytes are longer than any content") {
            // A frame that zstd skips, and one of the content.
            var stuffing: [UInt8] = [0x50, 0x2a, 0x4d, 0x18]
            stuffing.append(integer: UInt32(4_700_000))
            stuffing += [UInt8](repeating: 7, count: 4_700_000)
            try $0.forged(content: [UInt8](repeating: 1, count: 1000), claims: 1000, before: stuffing)
        },
        Case(name: "a chunk of an unknown codec") { try $0.forged(content: [0, 0, 0, 0], claims: 4, codec: 9) },
        Case(name: "a chunk stored longer than it says") {
            try $0.forged(content: [UInt8](repeating: 0, count: 4000), claims: 4, codec: 0)
        },
        Case(name: "a chunk with another content than its id says") {
            try $0.forged(
                content: [UInt8](repeating: 0, count: 4000), claims: 4000, id: [UInt8](repeating: 3, count: 32))
        },
        Case(name: "a chunk too short for its own head") { image in
            image.hold(id: [UInt8](repeating: 4, count: 32), plain: [1, 2, 3])
            image.records.file("file", slices: [(3, digest([UInt8](repeating: 4, count: 32)), 0)])
        },
    ]

    private static let positions: [Case] = [
        ("the path leads out", "/tree", 3, "../beside"), ("the path is deeper than it says", "/tree", 1, "a/b/c"),
        ("the depth is endless", "/tree", 1 << 40, ""), ("the path goes through a link", "/tree", 3, "link/sub"),
        ("another source", "/other", 1, ""), ("a source that leads out", "/../beside", 1, ""),
        ("no source", "", 2, "x"),
    ].flatMap { (name, source, depth, path) in
        [["/tree"], ["/tree", "/other"]].map { (sources: [BytePath]) in
            Case(name: "a position lies: \(name) (\(sources.count) sources)", sources: sources) {
                $0.records.link("link", to: "../beside")
                // A position counts only after a loss.
                for _ in 0..<3 { $0.records.leave() }
                try $0.batch(.inTree)
                try $0.file("planted")
                var bytes: [UInt8] = []
                bytes.append(field: 1, text: source)
                bytes.append(field: 2, integer: UInt64(depth))
                bytes.append(field: 3, text: path)
                try $0.batch(encoded: bytes)
                // So that the next one counts again.
                for _ in 0..<9 { $0.records.leave() }
            }
        }
    }

    private static let odd: [Case] = [
        Case(name: "devices") {
            $0.records.entry("memory", .characterDevice) { ($0.nodeMajor, $0.nodeMinor) = (1, 1) }
            $0.records.entry("disk", .blockDevice) { ($0.nodeMajor, $0.nodeMinor) = (8, 0) }
        },
        Case(name: "an entry of an unknown type") {
            var bytes: [UInt8] = []
            bytes.append(field: 1, text: "file")
            bytes.append(field: 2, integer: 77)
            $0.records.append(record: .entry, bytes)
        },
        Case(name: "an entry without a name or a type") { $0.records.append(record: .entry, []) },
        Case(name: "a directory that is not entered") { $0.records.entry("folder", .directory) },
        Case(name: "a file that is entered") {
            var entry = Entry()
            entry.name = Array("file".utf8)
            $0.records.append(record: .enter, entry.encoded())
        },
        Case(name: "attributes that no system takes") {
            let value = [UInt8](repeating: 1, count: 200_000)
            $0.records.entry("file", .file) {
                $0.attributes = ["user.large", "nonsense", "user.\u{1}"].map {
                    ExtendedAttribute(name: Array($0.utf8), value: value)
                }
            }
        },
        Case(name: "an attribute with a zero in its name") {
            $0.records.entry("file", .file) {
                $0.attributes = [ExtendedAttribute(name: Array("user.a\0b".utf8), value: [])]
            }
        },
        Case(name: "times beyond all calendars", isNamed: false) {
            for (index, seconds) in [Int64.min, Int64.max, -1].enumerated() {
                $0.records.entry("file \(index)", .file) {
                    $0.modified = Timestamp(seconds: seconds, nanoseconds: 999_999_999)
                }
            }
        },
        Case(name: "a time with too many nanoseconds") {
            $0.records.entry("file", .file) { $0.modified = Timestamp(seconds: 0, nanoseconds: 1_000_000_000) }
        },
    ]
}

// MARK: Making them

private func digest(_ bytes: [UInt8]) -> Digest { bytes.withUnsafeBytes { Digest(bytes: $0) } }

private func slices(_ list: [(length: UInt64, chunk: Digest?, offset: UInt64)]) -> [UInt8] {
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
    fileprivate static var inTree: Position {
        var position = Position()
        position.source = Array("/tree".utf8)
        position.depth = 1
        return position
    }
}

extension [UInt8] {
    fileprivate mutating func source(_ path: String) {
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

    fileprivate mutating func enter(_ name: String) { append(record: .enter, encoded(name, .directory) { _ in }) }
    fileprivate mutating func leave() { append(record: .leave, []) }

    fileprivate mutating func entry(_ name: String, _ kind: FileKind, _ change: (inout Entry) -> Void = { _ in }) {
        append(record: .entry, encoded(name, kind, change))
    }

    fileprivate mutating func link(_ name: String, to target: String) {
        entry(name, .symbolicLink) { $0.target = Array(target.utf8) }
    }

    fileprivate mutating func file(
        _ name: String, size: UInt64? = nil, slices list: [(length: UInt64, chunk: Digest?, offset: UInt64)] = []
    ) {
        var bytes = encoded(name, .file) { $0.size = size ?? list.reduce(0) { $0 &+ $1.length } }
        if !list.isEmpty { bytes.append(field: 11, slices(list)) }
        append(record: .entry, bytes)
    }

    fileprivate mutating func finish(size: UInt64) {
        var bytes: [UInt8] = []
        bytes.append(field: 2, integer: size)
        append(record: .finish, bytes)
    }
}

/// A single-file image whose writer has all keys and no scruples.
final class HostileImage {
    let identity: AgeIdentity
    private let key: WriterKey
    private let encoder: ChunkEncoder
    private let run = ObjectID(0x1122_3344_5566_7788)
    private var number: UInt64 = 0
    private var bytes: [UInt8] = []
    private var body = ImageBody()
    private var held: [(id: Digest, plain: [UInt8], length: Int)] = []
    /// The records of the batch under way.
    var records: [UInt8] = []

    var credentials: Credentials { Credentials(identities: [identity]) }

    init() throws {
        identity = try AgeIdentity.generate()
        let secret = try StoreSecret.generate()
        key = try WriterKey.issue(from: secret.newest, group: "group", writer: "host")
        encoder = try ChunkEncoder(group: key.group, level: 3)
        let header = try StoreHeader(store: key.store).encoded()
        let file =
            Array("\(identity.recipient.string).age\0".utf8) + (try secret.wrapped(for: .age(identity.recipient)))
        bytes = try object(.keys) {
            try $0.append(.storeHeader, header)
            try $0.append(.keyFile, file)
        }
    }

    private func object(_ type: ObjectType, _ fill: (ObjectWriter) throws -> Void) throws -> [UInt8] {
        number += 1
        return try makeObject(type, id: ObjectID(number), run: run, writer: key, fill).bytes
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
        bytes += try object(.batch) { object in
            try append(plain, id, content.count, .manifest, to: object)
            for chunk in held { try append(chunk.plain, chunk.id, chunk.length, .data, to: object) }
            try append(plain, id, content.count, .manifest, to: object)
        }
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

    /// The whole file, with a root whose numbers are as large as can be.
    func whole(sources: [BytePath]) throws -> [UInt8] {
        var label = ImageLabel()
        label.name = "hostile"
        label.sources = sources
        (label.entries, label.contentBytes, label.findings) = (.max, .max, .max)
        let root = try object(.image) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, [])
            try $0.append(.body, body.encoded())
        }
        return bytes + root + root
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
private final class Surroundings {
    let scratch: Scratch
    let target: BytePath
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
