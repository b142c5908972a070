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

    /// What was seen at one place of the store.
    struct Visit: Sendable, Equatable {
        var place: BytePath
        /// The highest record; 0: none.
        var record: UInt32 = 0
        var images: Set<ObjectID> = []
        /// Whether all images there were looked at, so that it is known what it lacked.
        var isListed = false
    }

    /// The root key; pinned when the store was made, joined or confirmed.
    var root: VerifyingKey?
    /// The highest record that was seen.
    var record: Record?
    /// The number of the newest record that took something from somebody: a copy that has it is behind, and trusts nobody too many. nil where
    /// it is not known.
    var withdrawal: UInt32?
    /// A new root key that this machine itself is about to announce, or was when it was cut off: it is no stranger's.
    var announced: VerifyingKey?
    var series = ExactTable<Newest>()
    /// All images of a series that this machine has seen: none goes without somebody noticing.
    var seen = ExactTable<Set<ObjectID>>()
    /// The images that this machine itself has written.
    var ownRoots: Set<ObjectID> = []
    /// The places where it has met the store; that which it met first comes first.
    var visits: [Visit] = []
    /// The place that is looked at now; nil where nobody says.
    var here: BytePath?

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
        if let withdrawal {
            var value: [UInt8] = []
            value.append(integer: withdrawal)
            bytes.append(field: 8, value)
        }
        for visit in visits {
            var value: [UInt8] = [visit.isListed ? 1 : 0]
            value.append(integer: visit.record)
            value.append(integer: UInt32(clamping: visit.images.count))
            for image in visit.images.sorted() { value += image.bytes }
            bytes.append(field: 7, value + visit.place.bytes)
        }
        return bytes
    }

    init(here: BytePath? = nil) { self.here = here }

    init(decoding bytes: [UInt8], here: BytePath? = nil) throws {
        self.here = here
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
            case 7:
                var visit = Visit(place: "")
                visit.isListed = try value.integer(UInt8.self) & 1 == 1
                visit.record = try value.integer(UInt32.self)
                for _ in 0..<(try value.integer(UInt32.self)) { visit.images.insert(try value.identifier()) }
                visit.place = BytePath(value.rest())
                visits.append(visit)
            case 8: withdrawal = try value.integer(UInt32.self)
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
            if let visit, visit.record > 0, visit.record <= chain.newest.number,
                let withdrawal, withdrawal <= chain.newest.number
            {
                return Finding(
                    .note, subject: subject,
                    "it has \(chain.newest.number) of the \(seen.number) records that this machine has seen: a copy that is behind; nobody was removed or "
                        + "revoked since, and `holdfast copy` brings it up to date")
            }
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
            withdrawal = chain.newestWithdrawal
        }
        if root != chain.newest.root { for index in visits.indices { visits[index].record = 0 } }
        root = chain.newest.root
        visit { $0.record = max($0.record, chain.newest.number) }
        if let own = announced, own != chain.newest.root, chain.roots.contains(own) { announced = nil }
    }

    /// Takes note of an image, as the newest if its series has no newer one.
    mutating func see(_ reference: RootReference, series name: String, sequence: UInt64) {
        seen[name, default: []].insert(reference.id)
        visit { $0.images.insert(reference.id) }
        if series[name]?.sequence ?? 0 <= sequence {
            series[name] = Newest(root: reference, sequence: sequence)
        }
    }

    /// An image that was removed on purpose.
    mutating func forget(_ id: ObjectID) {
        ownRoots.remove(id)
        series.remove { $0.root.id == id }
        seen.change { $0.remove(id) }
        for index in visits.indices { visits[index].images.remove(id) }
        seen.remove { $0.isEmpty }
    }

    /// Forgets having seen images that a steward removed. Who wrote them is not forgotten, nor how far a series has come: another copy of the
    /// store may have them.
    mutating func forgetSeen(_ ids: Set<ObjectID>) {
        seen.change { $0.subtract(ids) }
        seen.remove { $0.isEmpty }
        visit { $0.images.subtract(ids) }
    }

    /// Forgets having seen the images here that are not among these: somebody knows that they are gone. Who wrote them is not forgotten, nor
    /// that other places have them.
    mutating func forget(except there: Set<ObjectID>) {
        visit {
            $0.images.formIntersection(there)
            $0.isListed = true
        }
        let elsewhere = here == nil ? [] : visits.reduce(into: Set<ObjectID>()) { $0.formUnion($1.images) }
        series.remove { !there.contains($0.root.id) && !elsewhere.contains($0.root.id) }
        seen.change { $0 = $0.filter { there.contains($0) || elsewhere.contains($0) } }
        seen.remove { $0.isEmpty }
    }

    // MARK: Places

    /// More than a machine has copies of one store; a stick that is mounted elsewhere each time is a new place each time.
    private static let visitLimit = 32

    /// What was seen here before.
    var visit: Visit? { visits.first { $0.place == here } }

    private mutating func visit(_ change: (inout Visit) -> Void) {
        guard let here else { return }
        if visit == nil {
            if visits.count >= Self.visitLimit { visits.removeFirst() }
            visits.append(Visit(place: here))
        }
        for index in visits.indices where visits[index].place == here { change(&visits[index]) }
    }

    /// Takes note that all images here were looked at, after those that count were seen.
    mutating func list() { visit { $0.isListed = true } }

    /// Takes note that a copy is made anew here: nothing of what was here before is missing in it.
    mutating func begin() { visit { $0 = Visit(place: $0.place, isListed: true) } }

    /// Takes note of what a copy has after it was made: `record` of its store and these images.
    mutating func copied(_ images: some Sequence<ObjectID>, record: UInt32) {
        visit {
            $0.images.formUnion(images)
            $0.record = max($0.record, record)
            $0.isListed = true
        }
    }

    enum Absence: Equatable {
        /// It was here, or nobody knows where it was.
        case lost
        /// It was at another place, and here all was looked at before and it was not there.
        case behind(BytePath)
        /// It was at another place, and here nobody has looked yet.
        case unknown
    }

    /// Whether the newest image of a series is one that anybody can miss: how far a series has come is remembered of one that a steward has removed
    /// as well, from the only place that had it.
    func isAwaited(_ image: ObjectID, of series: String) -> Bool {
        visits.isEmpty || seen[series, default: []].contains(image) || visits.contains { $0.images.contains(image) }
    }

    /// What it means that an image that this machine has seen is not here.
    func absence(of image: ObjectID) -> Absence {
        guard here != nil, visit?.images.contains(image) != true,
            let other = visits.last(where: { $0.images.contains(image) })
        else { return .lost }
        return visit?.isListed == true ? .behind(other.place) : .unknown
    }
}
