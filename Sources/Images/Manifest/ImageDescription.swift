// What an image says about itself: label, list of volumes, body.

internal import Cryptography
public import Platform

/// The label of an image: what a list of images shows. Open to the writers of its group.
public struct ImageLabel: Sendable, Hashable {
    public var name = ""
    public var host = ""
    public var series = ""
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
    public var parent: ObjectID?
    /// Entries that are missing or inconsistent.
    public var findings: UInt64 = 0
    /// The restore point of which it is the image, `snapshot` for one that was made for it; empty for the live tree.
    public var point = ""
    /// Where the machine's audit log ended; empty where there was none.
    public var logHead = ""

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(field: 1, text: name)
        bytes.append(field: 2, text: host)
        bytes.append(field: 3, text: series)
        for source in sources { bytes.append(field: 4, source.bytes) }
        bytes.append(field: 5, signed: time.seconds)
        bytes.append(field: 6, integer: UInt64(time.nanoseconds))
        bytes.append(field: 7, signed: newestChange)
        bytes.append(field: 8, integer: entries)
        bytes.append(field: 9, integer: contentBytes)
        bytes.append(field: 10, integer: newBytes)
        bytes.append(field: 11, integer: storedBytes)
        bytes.append(field: 12, text: tool)
        if let parent { bytes.append(field: 13, parent.bytes) }
        bytes.append(field: 14, integer: findings)
        if !point.isEmpty { bytes.append(field: 15, text: point) }
        if !logHead.isEmpty { bytes.append(field: 17, text: logHead) }
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
            case 3: series = String(decoding: value.rest(), as: UTF8.self)
            case 4: sources.append(BytePath(value.rest()))
            case 5: time.seconds = try value.signed()
            case 6: time.nanoseconds = UInt32(truncatingIfNeeded: min(try value.varint(), 999_999_999))
            case 7: newestChange = try value.signed()
            case 8: entries = try value.varint()
            case 9: contentBytes = try value.varint()
            case 10: newBytes = try value.varint()
            case 11: storedBytes = try value.varint()
            case 12: tool = String(decoding: value.rest(), as: UTF8.self)
            case 13: parent = try value.objectID()
            case 14: findings = try value.varint()
            case 15: point = String(decoding: value.rest(), as: UTF8.self)
            case 17: logHead = String(decoding: value.rest(), as: UTF8.self)
            default: break
            }
        }
    }
}

/// A volume as a root names it.
struct VolumeReference: Hashable, Sendable {
    var id: ObjectID
    var digest: Digest
    var length: UInt64

    static func encode(_ volumes: [VolumeReference]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(volumes.count * 50)
        for volume in volumes {
            var value = volume.id.bytes + volume.digest.bytes
            value.append(integer: volume.length)
            bytes.append(field: 1, value)
        }
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws -> [VolumeReference] {
        var reader = WireReader(bytes)
        var result: [VolumeReference] = []
        while let field = try reader.field() {
            guard field.tag == 1 else { continue }
            var value = field.value
            result.append(
                VolumeReference(
                    id: try value.objectID(), digest: try value.digest(), length: try value.integer(UInt64.self)))
        }
        return result
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

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for piece in pieces {
            var value = piece.id.bytes
            value.append(integer: UInt32(clamping: piece.length))
            bytes.append(field: 1, value)
        }
        bytes.append(field: 2, integer: entries)
        bytes.append(field: 3, integer: contentBytes)
        return bytes
    }

    init() {}

    init(decoding bytes: [UInt8]) throws {
        var reader = WireReader(bytes)
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1:
                pieces.append(
                    Piece(id: try value.digest(), length: Int(truncatingIfNeeded: try value.integer(UInt32.self))))
            case 2: entries = try value.varint()
            case 3: contentBytes = try value.varint()
            default: break
            }
        }
    }
}
