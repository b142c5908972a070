// Where things are in a store. A path follows from what an object's header says, and must agree with it: no name decides anything.

internal import Cryptography
internal import Platform

/// The place of an object: kind, group, writer, id.
struct ObjectName: Hashable, Comparable, Sendable, CustomStringConvertible {
    enum Kind: String, Sendable {
        case volume = "v"
        case index = "x"
        case image = "i"
        case checkpoint = "c"
        case tombstone = "d"
        case verdict = "a"
    }

    var kind: Kind
    var group: Identifier
    var writer: Identifier
    var id: ObjectID

    var text: String { "\(folder)/\(id)" }
    /// What it lies in. Verdicts lie in the group's own folder, whoever gave them.
    var folder: String { kind == .verdict ? "a/\(group)" : Self.folder(kind, group: group, writer: writer) }
    /// The second copy.
    var second: String { text + ".2" }
    var both: [String] { [text, second] }
    var description: String { text }

    init(_ kind: Kind, group: Identifier, writer: Identifier, id: ObjectID) {
        self.kind = kind
        self.group = group
        self.writer = writer
        self.id = id
    }

    /// The object of which `text` is a copy, and whether it is the second one; nil for what is no name of an object.
    init?(_ text: String) {
        let parts = Self.withoutSecond(text).split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let kind = Kind(rawValue: String(first)),
            parts.count == (kind == .verdict ? 3 : 4), let group = Identifier(hexadecimal: parts[1]),
            let id = ObjectID(hexadecimal: parts[parts.count - 1])
        else { return nil }
        self.kind = kind
        self.group = group
        self.id = id
        if kind == .verdict {
            writer = .zero
        } else {
            guard let writer = Identifier(hexadecimal: parts[2]) else { return nil }
            self.writer = writer
        }
    }

    /// What a writer's objects of a kind lie in.
    static func folder(_ kind: Kind, group: Identifier, writer: Identifier) -> String {
        "\(kind.rawValue)/\(group)/\(writer)"
    }

    static func isSecond(_ text: String) -> Bool { text.hasSuffix(".2") }

    static func withoutSecond(_ text: String) -> Substring { isSecond(text) ? text.dropLast(2) : text[...] }

    static func < (left: ObjectName, right: ObjectName) -> Bool {
        (left.kind.rawValue, left.group, left.writer, left.id)
            < (right.kind.rawValue, right.group, right.writer, right.id)
    }

    /// Whether the object with this header belongs here.
    func matches(_ header: ObjectHeader) -> Bool {
        let isKind =
            switch kind {
            case .volume: header.type.isVolume || header.type == .parityVolume
            case .index: header.type == .index
            case .image: header.type == .image
            case .checkpoint: header.type == .checkpoint
            case .tombstone: header.type == .tombstone
            case .verdict: header.type == .verdict
            }
        return isKind && header.id == id && header.group == group && (kind == .verdict || header.writer == writer)
    }
}

enum StoreName {
    static let header = "HOLDFAST"

    static func record(_ record: StoreRecord) -> String {
        let number = String(record.number, radix: 16)
        return
            "e/\(String(repeating: "0", count: 8 - number.count))\(number)-\(hexadecimal(record.digest.bytes.prefix(16)))"
    }

    /// The folder of an epoch's age files and parcels.
    static func keys(epoch: UInt32, sealing: SealingPublicKey) throws -> String {
        "k/\(epoch)-\(hexadecimal(try sha256(sealing.rawBytes).bytes.prefix(8)))"
    }
}
