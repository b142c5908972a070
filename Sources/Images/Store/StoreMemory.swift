// What a machine remembers of a store, so that one that was replaced, put back or written with a copied key is noticed.

internal import Cryptography
internal import Platform
internal import Reporting

struct StoreMemory: Sendable, Equatable {
    struct Record: Sendable, Hashable {
        var number: UInt32
        var digest: Digest
    }

    /// The newest image of a series that this machine has seen.
    struct Newest: Sendable, Hashable {
        var root: RootReference
        var sequence: UInt64
    }

    /// The root key; pinned when the store was made, joined or confirmed.
    var root: VerifyingKey?
    /// The highest record that was seen.
    var record: Record?
    /// A new root key that this machine itself is about to announce, or was when it was cut off: it is no stranger's.
    var announced: VerifyingKey?
    var series = ExactTable<Newest>()
    /// All images of a series that this machine has seen: none goes without somebody noticing.
    var seen = ExactTable<Set<ObjectID>>()
    /// The images that this machine itself has written.
    var ownRoots: Set<ObjectID> = []

    private static let magic = Array("holdfast memory 2\n".utf8)

    func encoded() -> [UInt8] {
        var bytes = Self.magic
        if let root { bytes.append(field: 1, root.rawBytes) }
        if let record {
            var value: [UInt8] = []
            value.append(integer: record.number)
            bytes.append(field: 2, value + record.digest.bytes)
        }
        for (name, newest) in series.sorted {
            var value = newest.root.encoded
            value.append(integer: newest.sequence)
            bytes.append(field: 3, value + Array(name.utf8))
        }
        for root in ownRoots.sorted() { bytes.append(field: 4, root.bytes) }
        if let announced { bytes.append(field: 5, announced.rawBytes) }
        for (name, images) in seen.sorted {
            var value: [UInt8] = []
            value.append(integer: UInt32(clamping: images.count))
            for image in images.sorted() { value += image.bytes }
            bytes.append(field: 6, value + Array(name.utf8))
        }
        return bytes
    }

    init() {}

    init(decoding bytes: [UInt8]) throws {
        guard bytes.starts(with: Self.magic) else { throw FormatError("it is no memory of a store of this version") }
        var reader = WireReader(bytes, Self.magic.count..<bytes.count)
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1: root = try VerifyingKey(rawBytes: value.rest())
            case 2: record = Record(number: try value.integer(UInt32.self), digest: try value.digest())
            case 3:
                let root = try value.rootReference()
                let sequence = try value.integer(UInt64.self)
                series[try value.text()] = Newest(root: root, sequence: sequence)
            case 4: ownRoots.insert(try value.identifier())
            case 5: announced = try VerifyingKey(rawBytes: value.rest())
            case 6:
                var images: Set<ObjectID> = []
                for _ in 0..<(try value.integer(UInt32.self)) { images.insert(try value.identifier()) }
                seen[try value.text()] = images
            default: break
            }
        }
    }

    /// The root keys that this machine has met: first the one that it trusts, which a new one of its own making is, too.
    /// A steward's key names one as well.
    func pins(_ writer: WriterKey?, _ steward: StewardKey? = nil, among records: StoreRecords) -> [VerifyingKey] {
        let own = announced.flatMap { records.roots.contains($0) ? $0 : nil }
        let stewards = steward?.certificate.store == records.store ? steward?.root : nil
        return [own, root, writer?.root, stewards].compactMap { $0 }
    }

    /// Compares the records of a store, or of a single file, with those that were seen.
    /// - Parameter isWriting: what is only said to a reader is refused to a writer.
    /// - Returns: what a reader has to know.
    func compare(_ chain: RecordChain, isWriting: Bool, subject: String) throws -> Finding? {
        guard let seen = record, seen.number > 0, root == chain.newest.root else { return nil }
        if seen.number > chain.newest.number {
            let error = ImageError.rolledBack(store: subject, seen: seen.number, found: chain.newest.number)
            if isWriting { throw error }
            return Finding(.damaged, subject: subject, error.sentence)
        }
        guard chain.records[Int(seen.number) - 1].digest == seen.digest else {  // safe: 1...count
            throw ImageError.contradicted(
                store: subject, detail: "its record \(seen.number) is not the one that this machine has seen")
        }
        return nil
    }

    /// Takes note of the records, which were compared with what is remembered.
    mutating func see(_ chain: RecordChain) {
        // A store that was put back is read, and what it had is not forgotten for that; another root key has other records.
        if root != chain.newest.root || chain.newest.number >= record?.number ?? 0 {
            record = Record(number: chain.newest.number, digest: chain.newest.digest)
        }
        root = chain.newest.root
        if let own = announced, own != chain.newest.root, chain.roots.contains(own) { announced = nil }
    }

    /// Takes note of an image, as the newest if its series has no newer one.
    mutating func see(_ reference: RootReference, series name: String, sequence: UInt64) {
        seen[name, default: []].insert(reference.id)
        if series[name]?.sequence ?? 0 <= sequence {
            series[name] = Newest(root: reference, sequence: sequence)
        }
    }

    /// An image that was removed on purpose.
    mutating func forget(_ id: ObjectID) {
        ownRoots.remove(id)
        series.remove { $0.root.id == id }
        seen.change { $0.remove(id) }
        seen.remove { $0.isEmpty }
    }

    /// Forgets having seen images that a steward removed. Who wrote them is not forgotten, nor how far a series has come: another copy of the
    /// store may have them.
    mutating func forgetSeen(_ ids: Set<ObjectID>) {
        seen.change { $0.subtract(ids) }
        seen.remove { $0.isEmpty }
    }

    /// Forgets having seen the images that are not among these: somebody knows that they are gone. Who wrote them is not forgotten: another
    /// copy of the store may have them.
    mutating func forget(except there: Set<ObjectID>) {
        series.remove { !there.contains($0.root.id) }
        seen.change { $0.formIntersection(there) }
        seen.remove { $0.isEmpty }
    }
}
