// A medium that somebody prepared so that whoever looks at it is kept busy: what is done before anything is authenticated has its bounds,
// counted here in calls and bytes.

import Cryptography
import Glibc
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite struct HostileMediumTests {
    /// What one look at a medium may cost, for each thing that is done with it.
    static let maximumBytes = 64 << 20
    private static let maximumCalls = 400_000

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        /// Whether everything still works, for who has the keys.
        var isHarmless = false
        /// What is damaged and may belong to somebody is looked through for what is left of it.
        var maximumBytes = HostileMediumTests.maximumBytes
        let prepare: @Sendable (Plant, ImageRoot) throws -> Void
        var testDescription: String { name }
    }

    @Test("Looking at a prepared medium ends soon, with an error of ours or without one", arguments: cases)
    func bounded(_ hostile: Case) throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let tree = try plant.tree()
        let image = try plant.backup(tree, on: a)
        try hostile.prepare(plant, plant.root(image.id))
        run("/bin/rm", ["-rf", plant.scratch.file("office/cache").description])
        run("/bin/rm", ["-rf", plant.scratch.file("a/cache").description])

        var longest: (what: String, seconds: Double) = ("", 0)
        func look(_ what: String, _ body: (CountingStore) throws -> Void) {
            let store = CountingStore(FolderStore(plant.path))
            let start = ContinuousClock.now
            defer {
                let seconds = (ContinuousClock.now - start) / .seconds(1)
                if seconds > longest.seconds { longest = (what, seconds) }
            }
            do {
                try body(store)
            } catch {
                #expect(!hostile.isHarmless, "\(what): \(explained(error).sentence)")
                #expect(error is any Explained, "\(what): \(error)")
            }
            #expect(store.bytes.load(ordering: .relaxed) <= hostile.maximumBytes, "\(what) read too much")
            #expect(store.calls.load(ordering: .relaxed) <= Self.maximumCalls, "\(what) asked too often")
        }
        func open(_ store: CountingStore, for purpose: Store.Purpose) throws -> Store {
            try Store.open(store, for: purpose, credentials: plant.credentials, machine: plant.office)
        }
        look("whether it is a store") { _ = try Store.exists($0) }
        look("who can read") { _ = try Store.readers($0) }
        look("a list") {
            let store = try open($0, for: .list)
            _ = try store.lostImages(store.images())
        }
        look("a restore") {
            let target = plant.scratch.file("restored")
            let report = try restore(
                open($0, for: .read).imageReader(image.id.description), RestoreRequest(target: target),
                progress: Progress(), findings: Findings())
            if hostile.isHarmless {
                #expect(report.findings == 0)
                try expectSameTree(target, tree)
            }
        }
        look("a verification") {
            _ = try open($0, for: .read).verify(
                image: nil, readData: true, progress: Progress(), findings: Findings())
        }
        look("a machine's opening") {
            _ = try Store.open($0, for: .write, credentials: Credentials(), machine: a).writerIndex()
        }
        look("a copy") {
            _ = try Store.replicate(
                $0, to: FolderStore(plant.scratch.file("replica")), images: [], credentials: plant.credentials,
                machine: plant.office, progress: Progress(), findings: Findings())
        }
        // For who wants to know; what counts was counted.
        if getenv("HOLDFAST_FIGURES") != nil {
            print("\(hostile.name): the longest was \(longest.what), \(longest.seconds) s")
            fflush(nil)
        }
    }

    static let cases: [Case] = [
        Case(name: "a FIFO as HOLDFAST", isHarmless: true) { plant, _ in try fifo(plant.file("HOLDFAST")) },
        Case(name: "FIFOs as both HOLDFASTs") { plant, _ in
            try fifo(plant.file("HOLDFAST"))
            try fifo(plant.file("HOLDFAST.2"))
        },
        Case(name: "FIFOs as objects", isHarmless: true) { plant, root in
            try fifo(plant.file(root.name.second))
            try fifo(
                plant.file(ObjectName(.image, group: root.name.group, writer: root.name.writer, id: .random()).text))
            for index in root.named.indexes { try fifo(plant.file(index.name(.index, group: root.name.group).text)) }
        },
        Case(name: "a HOLDFAST of 10 GB", isHarmless: true) { plant, _ in try extend(plant.file("HOLDFAST")) },
        Case(name: "both HOLDFASTs of 10 GB") { plant, _ in
            for name in ["HOLDFAST", "HOLDFAST.2"] { try extend(plant.file(name)) }
        },
        Case(name: "a megabyte of magics in a root") { plant, root in
            let head = try readWhole(plant.file(root.name.text), limit: 1 << 20).prefix(Format.headerLength)
            let magics = [[UInt8]](repeating: Format.frameMagic, count: 1 << 18).flatMap { $0 }
            for copy in root.name.both { try plant.overwrite(copy, head + magics) }
        },
        Case(name: "a megabyte of empty frames in a root") { plant, root in
            let head = try readWhole(plant.file(root.name.text), limit: 1 << 20).prefix(Format.headerLength)
            let frame = try FrameHead.encoded(kind: .parity, length: 0)
            for copy in root.name.both {
                try plant.overwrite(copy, head + [[UInt8]](repeating: frame, count: 1 << 16).flatMap { $0 })
            }
        },
        Case(name: "four megabytes of empty frames in volumes") { plant, root in
            let frame = try FrameHead.encoded(kind: .parity, length: 0)
            for volume in root.volumes {
                let name = volume.name(.volume, group: root.name.group)
                let head = try readWhole(plant.file(name.text), limit: 1 << 28).prefix(Format.headerLength)
                for copy in name.both where exists(plant.file(copy)) {
                    try plant.overwrite(copy, head + [[UInt8]](repeating: frame, count: 1 << 18).flatMap { $0 })
                }
            }
        },
        Case(name: "roots of 10 GB") { plant, root in for copy in root.name.both { try extend(plant.file(copy)) } },
        Case(name: "another root of many megabytes, whole in its head", isHarmless: true, maximumBytes: 3 << 30) {
            plant, root in
            let head = try readWhole(plant.file(root.name.text), limit: 1 << 20)
            var header = root.header
            header.id = try .random()
            header.length = 0
            let name = ObjectName(.image, group: root.name.group, writer: root.name.writer, id: header.id)
            for copy in name.both {
                try plant.overwrite(copy, header.encoded() + head[Format.headerLength...])
                try Descriptor.open(plant.file(copy), .write).truncate(to: (runsAll ? 190 : 40) << 20)
            }
        },
        Case(name: "volumes of 10 GB", isHarmless: true) { plant, root in
            for volume in root.volumes {
                for copy in volume.name(.volume, group: root.name.group).both where exists(plant.file(copy)) {
                    try extend(plant.file(copy))
                }
            }
        },
        Case(name: "an index object of 10 GB", isHarmless: true) { plant, root in
            for index in root.named.indexes { try extend(plant.file(index.name(.index, group: root.name.group).text)) }
        },
        Case(name: "a frame of 4 GB in a sparse volume", maximumBytes: 1 << 30) { plant, root in
            var frame = Format.frameMagic + [FrameKind.directory.rawValue, 0, 0, 0]
            frame.append(integer: UInt32.max)
            frame += try sha256(frame).bytes.prefix(4)
            for volume in root.volumes {
                let name = volume.name(.volume, group: root.name.group)
                for copy in name.both where exists(plant.file(copy)) {
                    let head = try readWhole(plant.file(copy), limit: 1 << 28).prefix(Format.headerLength)
                    try plant.overwrite(copy, head + frame)
                    try extend(plant.file(copy))
                }
            }
        },
        Case(name: "very many key files", isHarmless: true) { plant, _ in
            let newest = try plant.owned().chain.newest
            try many(
                runsAll ? 100_000 : 15_000, in: plant.file(StoreName.keys(epoch: 1, sealing: newest.sealing)),
                Array("x".utf8)
            ) {
                "\($0).age"
            }
        },
        Case(name: "very many records of another store", isHarmless: true) { plant, _ in
            let rootKey = try SigningKey.generate()
            let newest = try plant.owned().chain.newest
            let record = try StoreRecord(
                after: nil, store: newest.store, rootKey: rootKey, epoch: 1, sealing: newest.sealing, time: 0,
                revoked: [], recipients: [])
            try many(runsAll ? 70_000 : 10_000, in: plant.file("e"), record.encoded) { number in
                let digits = String(number, radix: 16)
                return String(repeating: "0", count: 8 - digits.count) + digits + StoreName.record(record).dropFirst(10)
            }
        },
        Case(name: "a key file of the last epoch that there can be", isHarmless: true) { plant, _ in
            for name in ["4294967295-0123456789abcdef", "4294967296-0123456789abcdef", "4294967295", "0", "-1-x"] {
                try plant.overwrite("k/\(name)/x.age", Array("x".utf8))
                try plant.overwrite("k/\(name)/\(plant.owner.recipient.string).age", Array("x".utf8))
            }
        },
        Case(name: "folders one in the other, thousands of them", isHarmless: true) { plant, root in
            for kind in ["v", "i", "x", "e", "k", "a", "d"] {
                try makeFolders(plant.file(kind))
                try deep(plant.file(kind), 3000)
            }
            try deep(plant.file("i/\(root.name.group)/\(root.name.writer)"), 3000)
        },
        Case(name: "names that are no text", isHarmless: true) { plant, root in
            for folder in [
                "", "v", "i", "e", "k", "x", "i/\(root.name.group)", "i/\(root.name.group)/\(root.name.writer)",
            ] {
                let path = folder.isEmpty ? plant.path : plant.file(folder)
                try put(path.appending([0xff, 0xfe, 0x0a]), Array("x".utf8))
                try put(path.appending(Array("\u{1b}[2J".utf8)), Array("x".utf8))
                try put(path.appending([0xc0]).appending("x"), Array("x".utf8))
                try put(path.appending(String(repeating: "0", count: 32)), Array("x".utf8))
            }
        },
        Case(name: "folders where objects should be, and objects where folders should be") { plant, root in
            for copy in root.name.both {
                try removeFile(plant.file(copy))
                try makeFolders(plant.file(copy))
            }
            run("/bin/rm", ["-rf", plant.file("x").description])
            try plant.overwrite("x", Array("x".utf8))
        },
    ]

    @Test("Empty files in an image's folder are not opened, however many they are")
    func emptyFiles() throws {
        let plant = try Plant()
        let image = try plant.root(plant.backup(plant.tree(), on: plant.machine("a", group: "line")).id)
        for _ in 0..<300 {
            let name = ObjectName(.image, group: image.name.group, writer: image.name.writer, id: try .random())
            try put(plant.file(name.text), [])
        }
        let store = InterposedStore(FolderStore(plant.path))
        let opened = try Store.open(store, for: .read, credentials: plant.credentials, machine: plant.office)
        #expect(try opened.images().map(\.id) == [image.id])
        #expect(store.calls < 100)
    }

    @Test("A single file of forty keys objects, or of keys with tens of thousands of records, ends soon")
    func singleFile() throws {
        let scratch = try Scratch()
        let image = try HostileImage()
        image.records.source("/tree")
        image.records.enter("tree")
        try image.file("file")
        image.records.leave()
        try image.batch(Position())
        let keys = try image.keys(sources: ["/tree"])
        let whole = try image.whole(sources: ["/tree"])
        let other = try HostileImage().keys(sources: ["/tree"])
        func check(_ bytes: [UInt8], isWhole: Bool = false) throws {
            let file = scratch.file("image.hf")
            try put(file, bytes)
            let findings = Findings()
            do {
                let report = try SingleFile.verify(
                    file, credentials: image.credentials, machine: scratch.machine(), progress: Progress(),
                    findings: findings)
                #expect(!isWhole || report.entries == 2 && findings.count == 0)
            } catch { #expect(!isWhole && error is any Explained, "\(error)") }
        }
        try check(whole, isWhole: true)
        try check((0..<38).flatMap { _ in keys } + whole)
        try check((0..<40).flatMap { _ in other } + whole)
        try check(whole + (0..<40).flatMap { _ in keys })
        let foreign = try HostileImage()
        try check(
            image.keys(sources: ["/tree"], records: [[UInt8]](repeating: foreign.record.encoded, count: 60_000)) + whole
        )
        try check(
            image.keys(sources: ["/tree"], records: [[UInt8]](repeating: image.record.encoded, count: 60_000)) + whole)
    }
}

private func fifo(_ path: BytePath) throws {
    if exists(path) { try removeFile(path) }
    #expect(mkfifo(path.description, 0o644) == 0)
}

private func extend(_ path: BytePath) throws { try Descriptor.open(path, .write).truncate(to: 10_000_000_000) }

/// Many files of one content, which are one.
private func many(_ count: Int, in path: BytePath, _ content: [UInt8], _ name: (Int) -> String) throws {
    let folder = try Descriptor.open(path, .directory)
    let first = Array("first".utf8)
    try writeNew(path.appending("first"), content)
    for number in 0..<count {
        // A file has at most 65,000 names on ext4.
        let source = number < 50_000 ? first : Array("second".utf8)
        if number == 50_000 { try writeNew(path.appending("second"), content) }
        try folder.makeLink(Array(name(number).utf8), to: source, in: folder)
    }
}

private func deep(_ path: BytePath, _ count: Int) throws {
    var folder = try Descriptor.open(path, .directory)
    for _ in 0..<count {
        try folder.makeDirectory(Array("d".utf8), mode: 0o755)
        folder = try folder.open(Array("d".utf8), .directory)
    }
}

/// Counts what is asked of a store, and what is read of it.
final class CountingStore: ObjectStore {
    let calls = Atomic(0)
    let bytes = Atomic(0)
    private let store: any ObjectStore

    init(_ store: any ObjectStore) { self.store = store }

    var subject: String { store.subject }
    var connections: Int { store.connections }

    private func count() { calls.wrappingAdd(1, ordering: .relaxed) }

    private final class Source: ByteSource {
        let counter: CountingStore
        let source: any ByteSource
        var length: UInt64 { source.length }

        init(_ source: any ByteSource, _ counter: CountingStore) {
            self.source = source
            self.counter = counter
        }

        func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
            counter.count()
            counter.bytes.wrappingAdd(buffer.count, ordering: .relaxed)
            try source.read(at: offset, into: buffer)
        }
    }

    func topLevel() throws(StoreError) -> [String] {
        count()
        return try store.topLevel()
    }

    func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        count()
        return try store.list(folder)
    }

    func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        count()
        return Source(try store.open(name, length: length), self)
    }

    func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        count()
        return try store.create(name)
    }

    func remove(_ name: String) throws(StoreError) {
        count()
        try store.remove(name)
    }
}
