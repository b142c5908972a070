// One whole input for each parser, from which the fuzzer starts.

import Platform

@testable import Cryptography
@testable import Images

/// Writes one whole input for each parser: `HOLDFAST_FUZZING_SEEDS=Testdata/fuzzing` makes the corpus anew.
extension Fixture {
    func writeSeeds(to seeds: BytePath) throws {
        try makeFolders(seeds)
        var numbers: [Parser: Int] = [:]
        func seed(_ parser: Parser, _ bytes: [UInt8]) throws {
            numbers[parser, default: 0] += 1
            let path = seeds.appending("\(parser)-\(numbers[parser, default: 0])")
            if exists(path) { try removeFile(path) }
            try writeNew(path, [parser.rawValue] + bytes)
        }
        let writer = try WriterKey.issue(
            from: secret, rootKey: rootKey, group: "fuzzing", writer: "host", series: ["host/"])
        func object(_ number: UInt8) -> ObjectID {
            ObjectID(first16: ([UInt8](repeating: 0, count: 15) + [number])[...])
        }
        var label = ImageLabel()
        label.name = "name"
        label.series = "host/name"
        label.sequence = 1
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
        let volume = VolumeReference(writer: writer.writer, id: object(7), digest: id, length: 4096)
        let named = NamedObjects(volumes: [volume], indexes: [volume])
        let header = StoreHeader(store: secret.store, root: rootKey.verifyingKey)
        let record = try StoreRecord(
            after: nil, store: secret.store, rootKey: rootKey, epoch: 1, sealing: secret.newest.sealing.publicKey,
            time: 0,
            revoked: [
                StoreRecord.Revocation(writer: object(8), kept: [RootReference(id: object(9), digest: id)])
            ], recipients: [StoreReader(name: identity.recipient.string, governs: true, label: "safe, paper copy")])
        let records = seedRecords(chunk: id, length: UInt64(content.count))

        let batch = try makeObject(.batch, id: object(1), run: object(2), writer: writer) {
            try $0.append(chunk, kind: .manifest)
            try $0.append(chunk)
        }.bytes
        try seed(.objectHeader, Array(batch[..<Format.headerLength]))
        try seed(.objectTrailer, Array(batch[(batch.count - Format.trailerLength)...]))
        try seed(.frameHead, try FrameHead.encoded(kind: .data, length: 100))
        var row: [UInt8] = []
        DirectoryRow(id: id, kind: .data, sealedLength: 90, plainLength: 40, offset: 256, tag: Array(id.bytes[..<16]))
            .append(to: &row)
        try seed(.directoryRows, row + row)
        try seed(.certificate, writer.certificate.encoded)
        try seed(.writerKey, writer.encoded())
        try seed(.imageLabel, label.encoded())
        try seed(.imageBody, body.encoded())
        try seed(.volumeReferences, named.encoded())
        try seed(.storeHeader, header.encoded())
        try seed(.storeSecret, Array(Self.secretText.utf8))
        try seed(.records, records)
        try seed(.manifestPosition, records)
        try seed(.object, batch + [0])
        let root = try makeObject(.image, id: object(3), run: object(2), writer: writer) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, named.encoded())
            try $0.append(.body, body.encoded())
        }.bytes
        try seed(.object, root + [0])
        let age = try secret.wrapped(for: .age(identity.recipient))
        try seed(.ageFile, age)
        try seed(.ageKeys, Array(Self.identityText.utf8))
        try seed(.ageKeys, Array(identity.recipient.string.utf8))
        try seed(.pathPattern, Array("a/*.[ch]?a/b.c".utf8))
        try seed(.chunk, Array(chunk.plain))
        try seed(.storeRecord, record.encoded)
        let next = try secret.withNewEpoch(rootKey: .generate())
        if let newRoot = next.rootKey {
            try seed(
                .storeRecord,
                try StoreRecord(
                    after: record, store: secret.store, rootKey: newRoot, epoch: 2,
                    sealing: next.newest.sealing.publicKey, time: 0, revoked: [], recipients: record.recipients,
                    replacing: (rootKey, [writer.certificate.digest])
                ).encoded)
        }
        try seed(
            .parcel,
            try Parcel.make(for: writer.certificate, epoch: 1, indexKey: writer.indexKey, rootKey: rootKey))
        try seed(.stewardKey, try StewardKey.issue(from: secret, rootKey: rootKey, name: "host").encoded())
        let target = RootReference(id: object(3), digest: id)
        try seed(
            .verdict,
            Verdict(
                .image, writer: writer.writer, target: target, result: .seed, extent: .everyChunk, tool: "seed",
                indexes: [volume]
            ).encoded())
        var stone = Tombstone()
        stone.volumes = [volume]
        stone.indexes = [volume]
        stone.removed = [Tombstone.Removed(writer: writer.writer, root: target)]
        stone.horizon = 1_700_000_000
        stone.time = -1
        try seed(.tombstone, stone.encoded())
        try seed(.indexPart, IndexPart(volume: volume, rows: try DirectoryRow.rows(row)).encoded())
        var memory = StoreMemory(here: "/store")
        memory.see(
            try RecordChain(
                [record], store: secret.store, first: rootKey.verifyingKey, root: rootKey.verifyingKey, subject: "it"))
        memory.see(target, series: "host/name", sequence: 1)
        memory.list()
        memory.ownRoots = [object(3)]
        memory.announced = rootKey.verifyingKey
        try seed(.storeMemory, memory.encoded())
        for mode in 0..<64 { try seed(.walk, [UInt8(mode)] + records) }
        try writeDiskSeeds(seed)

        let path = folder.appending("seed")
        let file = try SingleFileWriter(
            to: .file(path, partLength: nil), key: writer, header: header, records: [record],
            keyFiles: [(identity.recipient.string + ".age", age)],
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
