// What whoever prunes says before anything is removed: these volumes and index objects are condemned, these images were removed. Writers
// cite nothing that is condemned, and machines miss no image that was removed by who had the right.

internal import Cryptography
internal import Platform
internal import Stores

struct Tombstone: Sendable, Equatable {
    /// An image, by its writer, id and digest.
    struct Removed: Hashable, Sendable {
        var writer: Identifier
        var root: RootReference
    }

    /// Of what nobody had read the digest is zeros.
    var volumes: [VolumeReference] = []
    var indexes: [VolumeReference] = []
    var removed: [Removed] = []
    /// What was written later, by the store's clock, was not looked at.
    var horizon: Int64?
    /// What the clock of whoever prunes said; nil in what no version wrote that removes anything.
    var time: Int64?

    /// Writers read all of them at each start: each is small enough for one read.
    static let limit = 8192

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity((volumes.count + indexes.count + removed.count) * (VolumeReference.encodedLength + 2))
        for volume in volumes { bytes.append(field: 1, volume.encoded) }
        if let horizon { bytes.append(field: 2, signed: horizon) }
        for root in removed { bytes.append(field: 3, root.writer.bytes + root.root.encoded) }
        if let time { bytes.append(field: 4, signed: time) }
        for index in indexes { bytes.append(field: 5, index.encoded) }
        return bytes
    }

    init() {}

    init(decoding bytes: [UInt8]) throws {
        var reader = WireReader(bytes)
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1: volumes.append(try VolumeReference(&value))
            case 2: horizon = try value.signed()
            case 3: removed.append(Removed(writer: try value.identifier(), root: try value.rootReference()))
            case 4: time = try value.signed()
            case 5: indexes.append(try VolumeReference(&value))
            default: break
            }
        }
    }

    /// The places of all that it condemns.
    func condemned(group: Identifier) -> [ObjectName] {
        volumes.map { $0.name(.volume, group: group) } + indexes.map { $0.name(.index, group: group) }
    }
}

extension Store {
    /// What a tombstone says; nil where it says nothing: nobody with the right has signed it, or its steward's right has ended.
    /// - Parameter isWhole: whether keys that do not open it are an error: who removes has to know of all.
    /// - Throws: what could not be read may condemn anything.
    func tombstone(_ name: ObjectName, isWhole: Bool) throws -> Tombstone? {
        let reader = try smallReader(name)
        // The keys were changed since this run began, and its own do not open what was condemned since then.
        if reader.header.epoch > chain.newest.epoch {
            throw ImageError.leftOut(store: subject, epoch: reader.header.epoch)
        }
        guard reader.indexKey != nil || isWhole else { return nil }
        let proof: ObjectProof
        do { proof = try reader.verifySignature() } catch {
            // One that nobody with the right has signed condemns nothing: else garbage on the medium would end all backups.
            if ImageError.storeFailure(error) != nil { throw error }
            return nil
        }
        guard chain.newest.revocation(of: proof.certificate.writer) == nil else { return nil }
        var result = Tombstone()
        for frame in proof.frames where frame.kind == .tombstone {
            let part = try Tombstone(decoding: reader.content(of: frame))
            result.volumes += part.volumes
            result.indexes += part.indexes
            result.removed += part.removed
            result.horizon = part.horizon ?? result.horizon
            result.time = part.time ?? result.time
        }
        return result
    }

    /// The volumes and index objects that tombstones name.
    func condemnedVolumes(group: Identifier) throws -> Set<ObjectID> {
        var result: Set<ObjectID> = []
        for object in try listed(.tombstone, group: group) {
            guard let tombstone = try tombstone(object.name, isWhole: false) else { continue }
            result.formUnion((tombstone.volumes + tombstone.indexes).map(\.id))
        }
        return result
    }

    /// The images that were removed by who prunes, as far as the keys at hand tell: nobody misses these.
    func prunedImages() -> Set<ObjectID> {
        var result: Set<ObjectID> = []
        // What cannot be read explains nothing: then the image is missed, aloud.
        for object in (try? listedForReading(.tombstone)) ?? [] {
            guard let tombstone = try? tombstone(object.name, isWhole: false) else { continue }  // As above.
            result.formUnion(tombstone.removed.map(\.root.id))
        }
        return result
    }

    /// Whether an image is not there any more, and a steward has said that it goes.
    func isPruned(_ name: ObjectName) throws -> Bool {
        let now = try listed(name)
        return now.first == nil && now.second == nil && prunedImages().contains(name.id)
    }
}
