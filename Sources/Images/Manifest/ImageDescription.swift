// What an image says about itself: label, list of volumes, body.

internal import Cryptography
public import Platform

/// What a machine knew of the time when it wrote an image.
public enum ClockState: UInt64, Sendable, Hashable {
    case unknown = 0
    case synchronized = 1
    case notSynchronized = 2
}

/// The label of an image: what a list of images shows. Open to the writers of its group.
public struct ImageLabel: Sendable, Hashable {
    public var name = ""
    public var host = ""
    /// The hardware series of the machine.
    public var hardware = ""
    public var sources: [BytePath] = []
    public var time = Timestamp(seconds: 0, nanoseconds: 0)
    public var newestChange: Int64 = 0
    public var entries: UInt64 = 0
    /// The sum of the files' sizes, holes included; of hard links once.
    public var contentBytes: UInt64 = 0
    /// Bytes of content that no image had before.
    public var newBytes: UInt64 = 0
    /// What the new content took in the store.
    public var storedBytes: UInt64 = 0
    public var tool = ""
    /// The image that its series had before.
    public var parent: ObjectID?
    var parentDigest: Digest?
    /// Entries that are missing or inconsistent.
    public var findings: UInt64 = 0
    /// The restore point of which it is the image, `snapshot` for one that was made for it; empty for the live tree.
    public var point = ""
    /// Where the machine's audit log ended; empty where there was none.
    public var logHead = ""
    /// The images of one machine and purpose; never changed by a rename of host or path.
    public var series = ""
    /// The place in its series, from 1 on.
    public var sequence: UInt64 = 0
    /// The store's own time as the writer saw it, in seconds since 1970; nil where it has none.
    public var storeTime: Int64?
    public var clock = ClockState.unknown
    /// What the store's clock was ahead of the machine's, in seconds.
    public var clockOffset: Int64 = 0
    /// The newest record of the store that its writer knew.
    var record: StoreMemory.Record?
    /// Of disks: how each is taken and what it needs, a line for each volume, for people.
    public var disks: [String] = []
    /// What it is to the machine: `system`, its /; `disk`, one of its disks or several.
    public var roles: [String] = []

    public static let systemRole = "system"
    public static let diskRole = "disk"
    /// A label is small.
    static let mostDiskLines = 64
    public var isOfDisk: Bool { roles.contains(Self.diskRole) }

    public func isOf(series other: String) -> Bool { ExactText(series) == ExactText(other) }
    public func isOf(host other: String) -> Bool { ExactText(host) == ExactText(other) }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(field: 1, text: name)
        bytes.append(field: 2, text: host)
        bytes.append(field: 3, text: hardware)
        for source in sources { bytes.append(field: 4, source.bytes) }
        bytes.append(field: 5, signed: time.seconds)
        bytes.append(field: 6, integer: UInt64(time.nanoseconds))
        bytes.append(field: 7, signed: newestChange)
        bytes.append(field: 8, integer: entries)
        bytes.append(field: 9, integer: contentBytes)
        bytes.append(field: 10, integer: newBytes)
        bytes.append(field: 11, integer: storedBytes)
        bytes.append(field: 12, text: tool)
        if let parent { bytes.append(field: 13, parent.bytes + (parentDigest ?? .zero).bytes) }
        bytes.append(field: 14, integer: findings)
        if !point.isEmpty { bytes.append(field: 15, text: point) }
        if !logHead.isEmpty { bytes.append(field: 17, text: logHead) }
        bytes.append(field: 18, text: series)
        bytes.append(field: 19, integer: sequence)
        if let storeTime { bytes.append(field: 20, signed: storeTime) }
        if clock != .unknown { bytes.append(field: 21, integer: clock.rawValue) }
        if clockOffset != 0 { bytes.append(field: 22, signed: clockOffset) }
        if let record {
            var value: [UInt8] = []
            value.append(integer: record.number)
            bytes.append(field: 23, value + record.digest.bytes)
        }
        for role in roles { bytes.append(field: 24, text: role) }
        for line in disks { bytes.append(field: 25, text: line) }
        return bytes
    }

    init() {}

    init(decoding bytes: [UInt8]) throws {
        var reader = WireReader(bytes)
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1: name = String(decoding: value.rest(), as: UTF8.self)
            case 2: host = String(decoding: value.rest(), as: UTF8.self)
            case 3: hardware = String(decoding: value.rest(), as: UTF8.self)
            case 4: sources.append(BytePath(value.rest()))
            case 5: time.seconds = try value.signed()
            case 6: time.nanoseconds = UInt32(truncatingIfNeeded: min(try value.varint(), 999_999_999))
            case 7: newestChange = try value.signed()
            case 8: entries = try value.varint()
            case 9: contentBytes = try value.varint()
            case 10: newBytes = try value.varint()
            case 11: storedBytes = try value.varint()
            case 12: tool = String(decoding: value.rest(), as: UTF8.self)
            case 13:
                parent = try value.identifier()
                parentDigest = try value.digest()
            case 14: findings = try value.varint()
            case 15: point = String(decoding: value.rest(), as: UTF8.self)
            case 17: logHead = String(decoding: value.rest(), as: UTF8.self)
            case 18: series = String(decoding: value.rest(), as: UTF8.self)
            case 19: sequence = try value.varint()
            case 20: storeTime = try value.signed()
            case 21: clock = ClockState(rawValue: try value.varint()) ?? .unknown
            case 22: clockOffset = try value.signed()
            case 23: record = StoreMemory.Record(number: try value.integer(UInt32.self), digest: try value.digest())
            case 24: roles.append(String(decoding: value.rest(), as: UTF8.self))
            case 25: disks.append(String(decoding: value.rest(), as: UTF8.self))
            default: break
            }
        }
    }
}

/// A volume or an index object as a root names it: enough to find it, and to know it from any other.
struct VolumeReference: Hashable, Sendable {
    var writer: Identifier
    var id: ObjectID
    var digest: Digest
    var length: UInt64

    static let encodedLength = 72

    var encoded: [UInt8] {
        var bytes = writer.bytes + id.bytes + digest.bytes
        bytes.append(integer: length)
        return bytes
    }

    init(writer: Identifier, id: ObjectID, digest: Digest, length: UInt64) {
        self.writer = writer
        self.id = id
        self.digest = digest
        self.length = length
    }

    init(_ reader: inout WireReader) throws {
        writer = try reader.identifier()
        id = try reader.identifier()
        digest = try reader.digest()
        length = try reader.integer(UInt64.self)
    }

    func name(_ kind: ObjectName.Kind, group: Identifier) -> ObjectName {
        ObjectName(kind, group: group, writer: writer, id: id)
    }
}

/// What a root or a checkpoint names. This alone keeps objects alive.
struct NamedObjects: Sendable {
    var volumes: [VolumeReference] = []
    var indexes: [VolumeReference] = []
    /// Later versions'; kept alive by naming them.
    var parity: [VolumeReference] = []

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity((volumes.count + indexes.count) * (VolumeReference.encodedLength + 2))
        for (tag, references) in [(1, volumes), (2, indexes), (3, parity)] as [(UInt64, [VolumeReference])] {
            for reference in references { bytes.append(field: tag, reference.encoded) }
        }
        return bytes
    }

    init(volumes: [VolumeReference] = [], indexes: [VolumeReference] = []) {
        self.volumes = volumes
        self.indexes = indexes
    }

    init(decoding bytes: [UInt8]) throws {
        var reader = WireReader(bytes)
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1: volumes.append(try VolumeReference(&value))
            case 2: indexes.append(try VolumeReference(&value))
            case 3: parity.append(try VolumeReference(&value))
            default: break
            }
        }
    }
}

/// What only an identity opens: where the manifest is.
struct ImageBody: Sendable {
    struct Piece: Hashable, Sendable {
        var id: Digest
        var length: Int
    }
    var pieces: [Piece] = []
    var entries: UInt64 = 0
    var contentBytes: UInt64 = 0
    /// Of a single file: how many batches stand before the root.
    var batches: UInt64 = 0

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for piece in pieces {
            var value = piece.id.bytes
            value.append(integer: UInt32(piece.length))  // safe: of a chunk, which is at most 4 MiB
            bytes.append(field: 1, value)
        }
        bytes.append(field: 2, integer: entries)
        bytes.append(field: 3, integer: contentBytes)
        if batches != 0 { bytes.append(field: 5, integer: batches) }
        return bytes
    }

    init() {}

    init(decoding bytes: [UInt8]) throws {
        var reader = WireReader(bytes)
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1:
                let id = try value.digest()
                pieces.append(Piece(id: id, length: Int(try value.integer(UInt32.self))))  // safe: 32 bits
            case 2: entries = try value.varint()
            case 3: contentBytes = try value.varint()
            case 5: batches = try value.varint()
            default: break
            }
        }
    }
}
