// The vectors that the independent writer made: the program derives the same keys, restores the same trees, and believes no more than it
// should. `Tests/Reader/test_vectors.py` reads the same with the independent reader, and what this program writes, too.

import Cryptography
import Foundation
import Platform
import Reporting
import Stores
import Testing

@testable import Images

@Suite struct VectorTests {
    private let scratch: Scratch
    private let folder = BytePath(#filePath).parent.parent.parent.appending("Testdata/vectors")
    private let expected: [String: String]
    private let identity: AgeIdentity

    init() throws {
        scratch = try Scratch()
        let file = try readWhole(folder.appending("keys.json"), limit: 1 << 20)
        expected = flat(try JSONSerialization.jsonObject(with: Data(file)))
        identity = try readIdentity(folder.appending("identity.txt"))
    }

    private var credentials: Credentials { Credentials(identities: [identity]) }

    private func open(_ name: String, _ credentials: Credentials? = nil) throws -> Store {
        try Store.open(
            folder.appending(name), for: .read, credentials: credentials ?? self.credentials, machine: scratch.machine()
        )
    }

    // MARK: Keys

    @Test("Labels of recipients are read as the independent writer writes them, and no others are taken")
    func labels() throws {
        let bytes = try readWhole(folder.appending("labels.record"), limit: 1 << 16)
        let record = try StoreRecord(decoding: bytes)
        #expect(record.recipients.map(\.label).sorted() == ["anna's laptop \u{2615}", "safe, paper copy"])
        #expect(record.recipients.first { $0.label.hasPrefix("safe") }?.name == identity.recipient.string)
        // What a label becomes: as long as before, so that only it is wrong.
        let label = Array("safe, paper copy".utf8)
        let start = try #require(bytes.indices.first { bytes[$0...].starts(with: label) })
        for wrong: [UInt8] in [[0x1b], [0x0a], [0x7f], [0xff], [0xc2, 0x85]] {
            let changed = Array(bytes[..<start]) + wrong + bytes[(start + wrong.count)...]
            #expect(throws: FormatError.self, "\(wrong)") { try StoreRecord(unchecked: changed) }
        }
    }

    @Test("Every key and every digest of the vectors is what this program derives from the store's secrets")
    func keys() throws {
        let store = try open("store")
        let secret = try #require(store.keyring.secret)
        let root = try #require(secret.rootKey)
        let group = try secret.oldest.group(secret.oldest.groupID(named: expected["group name"] ?? ""))
        let certificate = try Certificate(decoding: decodeHexadecimal(expected["certificate"] ?? "") ?? [])
        #expect(try certificate.isIssued(by: root.verifyingKey))
        let unsealing = try SealingPrivateKey(
            raw: Secret(decodeHexadecimal(expected["unsealing private"] ?? "") ?? []))
        #expect(unsealing.publicKey == certificate.sealing)

        var derived = [
            "store": store.identifier, "fingerprint": "\(store.fingerprint)", "root seed": digits(root.seed),
            "root public": hexadecimal(root.verifyingKey.rawBytes), "recipient": identity.recipient.string,
            "reader": try readIdentity(folder.appending("reader.txt")).recipient.string,
            "group name": "vectors", "group": "\(group.id)", "chunk id key": digits(group.chunkKey),
            "writer public": hexadecimal(certificate.key.rawBytes), "writer": "\(certificate.writer)",
            "certificate": hexadecimal(certificate.encoded), "unsealing private": digits(unsealing.raw),
        ]
        // Who has the seed has the writer's key.
        let seed = decodeHexadecimal(expected["writer seed"] ?? "") ?? []
        derived["writer seed"] =
            try SigningKey(seed: Secret(seed)).verifyingKey == certificate.key ? hexadecimal(seed) : nil
        for (index, record) in store.chain.records.enumerated() {
            derived["records \(index)"] = hexadecimal(record.digest.bytes)
        }
        for (index, epoch) in secret.epochs.enumerated() {
            let place = try StoreName.keys(epoch: epoch.epoch, sealing: epoch.sealing.publicKey)
            derived["epochs \(index) folder"] = place
            derived["epochs \(index) sealing private"] = digits(epoch.sealing.raw)
            derived["epochs \(index) sealing public"] = hexadecimal(epoch.sealing.publicKey.rawBytes)
            derived["epochs \(index) index secret"] = digits(epoch.indexSecret)
            derived["epochs \(index) secret"] = epoch.withLines {
                String(decoding: $0, as: UTF8.self).split(separator: "\n").last.map { String($0.dropFirst(7)) } ?? ""
            }
            // What the writer finds in its parcel is the same.
            let file = try readWhole(
                folder.appending("store").appending(place).appending("\(certificate.writer)"), limit: 1 << 16)
            let parcel = try Parcel(decoding: file)
            #expect(try parcel.isIssued(by: root.verifyingKey, epoch: epoch.epoch))
            derived["epochs \(index) index key"] = digits(try parcel.open(with: unsealing, epoch: epoch.epoch))
            #expect(try digits(epoch.indexKey(group.id)) == derived["epochs \(index) index key"])
        }
        for (index, word) in try group.gearTable(store: secret.store).prefix(4).enumerated() {
            let text = String(word, radix: 16)
            derived["gear \(index)"] = String(repeating: "0", count: 16 - text.count) + text
        }
        for (key, value) in try object(store.keyring) { derived["object \(key)"] = value }
        for (index, image) in try store.images().enumerated() { derived["images \(index)"] = "\(image.id)" }
        let verdicts = try store.verdicts(group: group.id)
        for (index, seed) in verdicts.filter({ $0.result == .seed }).enumerated() {
            derived["seeds \(index)"] = "\(seed.target.id)"
        }
        for (index, id) in Store.damaged(verdicts).sorted().enumerated() { derived["damaged \(index)"] = "\(id)" }
        for (index, id) in try store.condemnedVolumes(group: group.id).sorted().enumerated() {
            derived["condemned \(index)"] = "\(id)"
        }
        for (index, id) in store.prunedImages().sorted().enumerated() { derived["removed \(index)"] = "\(id)" }
        for (index, id) in try store.pinned().sorted().enumerated() { derived["pinned \(index)"] = "\(id)" }
        derived["steward"] = try store.writers().first { $0.series.isEmpty }?.id

        let compared = expected.filter { !$0.key.hasPrefix("hostile ") && !$0.key.hasPrefix("rekeyed ") }
        for (key, value) in compared { #expect(derived[key] == value, "\(key)") }
        #expect(derived.count == compared.count)
    }

    @Test("A writer that slept through two epochs takes the keys of both from its parcels")
    func parcels() throws {
        let store = try open("store")
        let machine = scratch.machine("writer")
        func bytes(_ name: String) -> [UInt8] { decodeHexadecimal(expected[name] ?? "") ?? [] }
        // Its key of the first epoch, as the article lays it out.
        var key = Array("holdfast writer key 2\n".utf8)
        key.append(field: 1, bytes("root public"))
        key.append(field: 2, text: "vectors")
        key.append(field: 3, bytes("chunk id key"))
        key.append(field: 4, bytes("writer seed"))
        key.append(field: 5, bytes("unsealing private"))
        key.append(field: 6, bytes("certificate"))
        key.append(field: 7, [1, 0, 0, 0] + bytes("epochs 0 sealing public") + bytes("epochs 0 index key"))
        try machine.save(try WriterKey(decoding: key))

        let opening = try Opening(store.objects, credentials: Credentials(), machine: machine, isWriting: true)
        let epochs = try opening.currentWriter().epochs
        #expect(epochs.map(\.number) == [1, 2, 3])
        for (index, epoch) in epochs.enumerated() {
            #expect(digits(epoch.indexKey) == expected["epochs \(index) index key"])
            #expect(hexadecimal(epoch.sealing.rawBytes) == expected["epochs \(index) sealing public"])
        }
        #expect(try machine.writerKey(of: store.id)?.epochs.count == 3)
    }

    /// What the object reader makes of the volume that the vectors describe; it has a frame after its signature.
    private func object(_ keyring: Keyring) throws -> [String: String] {
        let name = expected["object file"] ?? ""
        let bytes = try readWhole(folder.appending(name), limit: 1 << 20)
        let reader = try ObjectReader(
            [MemorySource(bytes)], subject: name, keyring: keyring, name: ObjectName(String(name.dropFirst(6))))
        let rows = try #require(reader.directory())
        let proof = try reader.verifySignature()
        // The message is what was signed: the header's part of it is ours, and all of it hashes to the digest.
        let message = try #require(decodeHexadecimal(expected["object signed message"] ?? ""))
        let signed = Array("holdfast/1/object".utf8) + reader.header.signedPart(length: UInt64(bytes.count))
        #expect(message.starts(with: signed))
        #expect(try sha256(message) == proof.digest)
        let tail = bytes.count - Format.endLength
        return [
            "file": name, "id": "\(reader.header.id)", "length": "\(proof.length)",
            "digest": hexadecimal(proof.digest.bytes), "index key": digits(try #require(reader.indexKey)),
            "object key": digits(try #require(reader.objectKey)),
            "header": hexadecimal(
                try ObjectHeader(decoding: Array(bytes[..<Format.headerLength]), subject: name).encoded()),
            "header at the end": hexadecimal(
                try ObjectHeader(decoding: Array(bytes[tail..<tail + Format.headerLength]), subject: name).encoded()),
            "signed message": hexadecimal(message), "first chunk offset": "\(rows[0].offset)",
            "first chunk id": hexadecimal(rows[0].id.bytes),
        ]
    }

    private func digits(_ secret: Secret) -> String { secret.withUnsafeBytes { hexadecimal($0) } }

    // MARK: Images

    @Test("The vectors restore as the trees that they were made from, for who governs and for who reads")
    func restores() throws {
        let (tree, more) = (folder.appending("tree.txt"), folder.appending("more.txt"))
        let first = scratch.file("first")
        #expect(try restored(open("store").imageReader(expected["images 0"] ?? ""), to: first).findings == 0)
        try expectListing(of: first, tree)

        let second = scratch.file("second")
        let reads = Credentials(identities: [try readIdentity(folder.appending("reader.txt"))])
        let store = try open("store", reads)
        #expect(store.keyring.secret?.rootKey == nil)
        let latest = try store.imageReader("latest", ImageFilter(series: "host.example/vectors"))
        #expect(try restored(latest, to: second).findings == 0)
        try expectListing(of: second.appending("srv/more"), more)

        let third = scratch.file("third")
        let file = folder.appending("image.holdfast")
        #expect(try restored(try imageReader(file), to: third).findings == 0)
        try expectListing(of: third, tree)
    }

    @Test("Nothing is wrong with the vectors, unknown frames and a revoked writer's kept image among them")
    func verifies() throws {
        let report = try open("store").verify(
            image: nil, readData: true, progress: Progress(), findings: Findings())
        #expect(report.findings == 0 && report.images == 3)
    }

    @Test("On a medium that fell into other hands only what its writers may write counts")
    func hostile() throws {
        let store = try open("hostile")
        #expect("\(store.fingerprint)" == expected["hostile fingerprint"])
        #expect(store.chain.newest.number == 2)
        let images = try store.images()
        let counting = Set(images.filter(\.counts).map { "\($0.id)" })
        #expect(counting == Set(["true", "kept"].compactMap { expected["hostile \($0)"] }))
        let series = ImageFilter(series: "host.example/vectors")
        #expect("\(try store.find("latest", series).id)" == expected["hostile true"])
        let unfinished = try #require(expected["hostile unfinished"])
        let target = scratch.file("unfinished")
        #expect(try restored(store.imageReader(unfinished), to: target).findings == 1)
        for name in ["revoked", "planted", "feature", "foreign"] {
            let id = try #require(expected["hostile \(name)"])
            #expect(throws: ImageError.self, "\(name)") { try store.imageReader(id) }
        }
        var trusting = credentials
        trusting.trust.expected = StoreFingerprint(expected["fingerprint"] ?? "")
        #expect(throws: ImageError.self) { try open("hostile", trusting) }
    }

    @Test(
        "Under a new root key counts what it lists; the machine's old key becomes the new certificate's by its parcel")
    func rekeyed() throws {
        func known(_ name: String) throws -> String { try #require(expected["rekeyed \(name)"]) }
        let store = try open("rekeyed")
        #expect(try "\(store.fingerprint)" == known("fingerprint"))
        #expect(
            try store.chain.records.map { hexadecimal($0.digest.bytes) } == [known("records 0"), known("records 1")])
        let counting = Set(try store.images().filter(\.counts).map { "\($0.id)" })
        #expect(try counting == Set([known("before"), known("kept"), known("after")]))
        for name in ["before", "kept", "after"] {
            let target = scratch.file(name)
            #expect(try restored(store.imageReader(known(name)), to: target).findings == 0)
            try expectListing(of: target, folder.appending("more.txt"))
        }
        #expect(throws: ImageError.self) { try store.imageReader(known("minted")) }
        let secret = try #require(store.keyring.secret)
        let verdicts = try store.verdicts(group: secret.oldest.groupID(named: "vectors"))
        #expect(try Store.damaged(verdicts).map { "\($0)" } == [known("damaged")])
        #expect(!verdicts.contains { $0.result == .seed })
        #expect(try store.writers().map(\.id) == [known("writer")])

        let machine = scratch.machine("rekeyed")
        try machine.save(try WriterKey(decoding: decodeHexadecimal(known("machine key")) ?? []))
        func write(_ trust: StoreTrust) throws -> WriterKey {
            try Opening(store.objects, credentials: Credentials(trust: trust), machine: machine, isWriting: true)
                .currentWriter()
        }
        #expect(throws: ImageError.self) { try write(StoreTrust()) }
        var trusting = credentials
        trusting.trust.expected = StoreFingerprint(try known("fingerprint before"))
        #expect(throws: ImageError.self) { try open("rekeyed", trusting) }
        let key = try write(StoreTrust(expected: StoreFingerprint(known("fingerprint"))))
        #expect(try hexadecimal(key.certificate.encoded) == known("certificate") && key.epochs.map(\.number) == [1, 2])
        #expect(key.root == store.chain.newest.root)
    }

    @Test("A feature that is required and not known is told before anything else")
    func feature() throws {
        let store = try open("hostile")
        let id = try #require(expected["hostile feature"])
        let image = try #require(try store.images().first { "\($0.id)" == id })
        do {
            _ = try store.smallReader(image.name)
            Issue.record("it was opened")
        } catch ImageError.otherFormat {}
    }

    @Test(
        "A file with a missing or a foreign batch, or without its label, is not gone on with",
        arguments: [("whole", 2), ("missing-batch", 0), ("foreign-batch", 0), ("lost-label", 0)])
    func files(_ name: String, _ files: Int) throws {
        let file = folder.appending("files/\(name).holdfast")
        let target = scratch.file(name)
        if name == "lost-label" {
            #expect(throws: ImageError.self) { try imageReader(file) }
            return
        }
        let report = try restored(try imageReader(file), to: target)
        #expect((report.findings == 0) == (name == "whole"))
        #expect(try look(at: target).count == files)
    }

    private func imageReader(_ file: BytePath) throws -> any ImageReader {
        try SingleFile.imageReader(file, credentials: credentials, machine: scratch.machine())
    }
}

// MARK: What such tests share

func readIdentity(_ path: BytePath) throws -> AgeIdentity {
    let text = String(decoding: try readWhole(path, limit: 4096), as: UTF8.self)
    return try AgeIdentity(String(try #require(text.split(separator: "\n").first { $0.hasPrefix("AGE-SECRET-KEY-") })))
}

func restored(_ reader: any ImageReader, to target: BytePath) throws -> RestoreReport {
    var request = RestoreRequest(target: target)
    request.devices = true
    return try restore(reader, request, progress: Progress(), findings: Findings())
}

/// Compares a tree with a listing that the independent writer made of the source: each path with type, mode, size, time, and the SHA-256 of a
/// file or the target of a link.
func expectListing(of tree: BytePath, _ file: BytePath, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let lines = try readWhole(file, limit: 1 << 20).split(separator: UInt8(ascii: "\n")).dropFirst()
    let wanted = Set(
        lines.compactMap { line -> String? in
            let columns = String(decoding: line, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
            // The tree's own line is the caller's folder.
            return columns[0] == "." ? nil : [0, 1, 2, 4, 5, 8].map { String(columns[$0]) }.joined(separator: " ")
        })
    let found = Set(try listing(of: tree))
    #expect(!wanted.isEmpty, sourceLocation: sourceLocation)
    #expect(found.subtracting(wanted).isEmpty, "unexpected", sourceLocation: sourceLocation)
    #expect(wanted.subtracting(found).isEmpty, "missing", sourceLocation: sourceLocation)
}

private func listing(of tree: BytePath) throws -> [String] {
    var lines: [String] = []
    var open: [(folder: Descriptor, prefix: [UInt8])] = [(try .open(tree, .directory), [])]
    while let (folder, prefix) = open.popLast() {
        let names = try DirectoryListing(of: folder)
        for index in 0..<names.count {
            let path = prefix + names[index]
            let status = try folder.status(of: names[index])
            var (size, what) = (UInt64(0), "-")
            switch status.kind {
            case .file:
                let bytes = try readWhole(folder.open(names[index]), limit: 1 << 24, named: "it")
                (size, what) = (status.size, try bytes.withUnsafeBytes { try SHA256.digest(of: $0).hex })
            case .symbolicLink: (size, what) = (status.size, escaped(try folder.readLink(names[index])))
            case .characterDevice, .blockDevice: what = "\(status.nodeMajor):\(status.nodeMinor)"
            case .directory: open.append((try folder.open(names[index], .directory), path + [UInt8(ascii: "/")]))
            default: break
            }
            let octal = String(status.mode, radix: 8)
            let mode = String(repeating: "0", count: max(0, 4 - octal.count)) + octal
            let time = status.modified.seconds * 1_000_000_000 + Int64(status.modified.nanoseconds)
            let kind = String(Array(" fdlhcbps")[Int(status.kind.rawValue)])
            lines.append("\(escaped(path)) \(kind) \(mode) \(size) \(time) \(what)")
        }
    }
    return lines
}

/// As the listings have it: what is no printable ASCII, and the backslash, as \\xNN.
private func escaped(_ bytes: [UInt8]) -> String {
    bytes.map {
        (0x21..<0x7f).contains($0) && $0 != 0x5c ? String(UnicodeScalar($0)) : "\\x" + hexadecimal([$0])
    }.joined()
}

/// Each value by the way to it: "object first chunk offset", "gear 0".
private func flat(_ value: Any) -> [String: String] {
    switch value {
    case let object as [String: Any]:
        object.reduce(into: [:]) { all, member in
            for (key, value) in flat(member.value) {
                all[key.isEmpty ? member.key : "\(member.key) \(key)"] = value
            }
        }
    case let array as [Any]:
        flat(Dictionary(uniqueKeysWithValues: array.enumerated().map { ("\($0.offset)", $0.element) }))
    default: ["": "\(value)"]
    }
}
