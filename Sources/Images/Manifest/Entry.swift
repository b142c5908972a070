// One entry of a manifest: everything that makes a file but its content, and where the content is.

internal import Cryptography
internal import Platform

/// A piece of a file: a part of a chunk, or a hole.
struct Slice: Hashable, Sendable {
    var length: UInt64
    /// nil: a hole.
    var chunk: Digest?
    var offset: UInt64

    /// Where it is in the content of its chunk. Both numbers are the image's word.
    func range(in content: UnsafeRawBufferPointer) throws(FormatError) -> Range<Int> {
        let (end, isBeyond) = offset.addingReportingOverflow(length)
        guard !isBeyond, end <= UInt64(content.count) else {
            throw FormatError("a slice points outside of its chunk")
        }
        return Int(offset)..<Int(end)  // safe: compared
    }
}

/// What is to be known about an entry beyond its fields.
struct Remarks: OptionSet, Hashable, Sendable {
    let rawValue: UInt64
    /// It changed while it was read; the content is a mixture of states.
    static let inconsistent = Remarks(rawValue: 1)
    /// Its content could not be read and is missing.
    static let unreadable = Remarks(rawValue: 2)
}

struct Entry: Sendable {
    var name: [UInt8] = []
    var kind = FileKind.file
    var mode: UInt32 = 0
    var user: UInt32 = 0
    var group: UInt32 = 0
    var userName: [UInt8] = []
    var groupName: [UInt8] = []
    var modified = Timestamp(seconds: 0, nanoseconds: 0)
    var size: UInt64 = 0
    var slices: [Slice] = []
    /// *content* records and a *finish* follow.
    var contentFollows = false
    /// Of a symbolic link, or the first path of a hard link.
    var target: [UInt8] = []
    var nodeMajor: UInt32 = 0
    var nodeMinor: UInt32 = 0
    var attributes: [ExtendedAttribute] = []
    var flags: UInt32 = 0
    /// What quotas count it for; 0: none.
    var project: UInt32 = 0
    var remarks: Remarks = []

    init() {}

    /// What the status alone says.
    init(name: [UInt8], status: FileStatus, owners: inout OwnerNames) {
        self.init(name: name, status: status)
        userName = Self.ownerName(owners.user(status.user))
        groupName = Self.ownerName(owners.group(status.group))
    }

    /// The same, without the names of the owners.
    init(name: [UInt8], status: FileStatus) {
        self.name = name
        kind = status.kind
        mode = status.mode
        user = status.user
        group = status.group
        modified = status.modified.possible
        if kind == .file { size = status.size }
        nodeMajor = status.nodeMajor
        nodeMinor = status.nodeMinor
    }

    /// The payload of its record without content: slices are appended by who knows them.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(96 + name.count + target.count)
        bytes.append(field: 1, name)
        bytes.append(field: 2, integer: UInt64(kind.rawValue))
        bytes.append(field: 3, integer: UInt64(mode))
        bytes.append(field: 4, integer: UInt64(user))
        bytes.append(field: 5, integer: UInt64(group))
        if !userName.isEmpty { bytes.append(field: 6, userName) }
        if !groupName.isEmpty { bytes.append(field: 7, groupName) }
        bytes.append(field: 8, signed: modified.seconds)
        bytes.append(field: 9, integer: UInt64(modified.nanoseconds))
        if kind == .file { bytes.append(field: 10, integer: size) }
        if contentFollows { bytes.append(field: 12, integer: 1) }
        if kind == .symbolicLink || kind == .hardLink { bytes.append(field: 13, target) }
        if kind == .characterDevice || kind == .blockDevice {
            bytes.append(field: 14, integer: UInt64(nodeMajor))
            bytes.append(field: 15, integer: UInt64(nodeMinor))
        }
        for attribute in attributes {
            var value: [UInt8] = []
            value.append(varint: UInt64(attribute.name.count))
            bytes.append(field: 16, value + attribute.name + attribute.value)
        }
        if flags != 0 { bytes.append(field: 17, integer: UInt64(flags)) }
        if !remarks.isEmpty { bytes.append(field: 18, integer: remarks.rawValue) }
        if project != 0 { bytes.append(field: 19, integer: UInt64(project)) }
        return bytes
    }

    init(decoding payload: WireReader) throws(FormatError) {
        var reader = payload
        var hasKind = false
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1: name = value.rest()
            case 2:
                guard let kind = FileKind(rawValue: UInt8(truncatingIfNeeded: try value.varint())) else {
                    throw FormatError("an entry is of an unknown type")
                }
                self.kind = kind
                hasKind = true
            case 3: mode = UInt32(truncatingIfNeeded: try value.varint()) & 0o7777
            case 4: user = UInt32(truncatingIfNeeded: try value.varint())
            case 5: group = UInt32(truncatingIfNeeded: try value.varint())
            case 6: userName = value.rest()
            case 7: groupName = value.rest()
            case 8: modified.seconds = try value.signed()
            case 9:
                let nanoseconds = try value.varint()
                guard nanoseconds < 1_000_000_000 else { throw FormatError("an entry has an impossible time") }
                modified.nanoseconds = UInt32(truncatingIfNeeded: nanoseconds)
            case 10:
                size = try value.varint()
            case 11: slices = try Slice.decode(value)
            case 12: contentFollows = try value.varint() == 1
            case 13: target = value.rest()
            case 14: nodeMajor = UInt32(truncatingIfNeeded: try value.varint())
            case 15: nodeMinor = UInt32(truncatingIfNeeded: try value.varint())
            case 16:
                let count = try value.length()
                attributes.append(ExtendedAttribute(name: try value.array(count), value: value.rest()))
            case 17: flags = UInt32(truncatingIfNeeded: try value.varint())
            case 18: remarks = Remarks(rawValue: try value.varint())
            case 19: project = UInt32(truncatingIfNeeded: try value.varint())
            default: break
            }
        }
        guard hasKind else { throw FormatError("an entry has no type") }
        if let problem { throw FormatError("an entry is not allowed: \(problem)") }
    }

    /// Why no image holds this entry; nil where one does. Writers ask before a reader would.
    var problem: String? {
        if let problem = Self.problem(ofName: name) { return problem }
        if size > UInt64(Int64.max) { return "its size is beyond all files" }
        if target.count > Format.maximumTargetLength {
            return
                "it leads to a path of \(target.count) bytes, and an image holds \(Format.maximumTargetLength) at most"
        }
        if target.contains(0) { return "what it leads to has a zero in it" }
        if attributes.contains(where: { $0.name.isEmpty || $0.name.contains(0) }) {
            return "an attribute's name is empty, or has a zero in it"
        }
        if attributes.saturatingSum(of: \.length) > Format.maximumAttributesLength {
            return "its attributes are longer than the \(Format.maximumAttributesLength) bytes that an image holds"
        }
        return nil
    }

    static func problem(ofName name: [UInt8]) -> String? {
        if name.count > Format.maximumNameLength {
            return "its name has \(name.count) bytes, and an image holds names of \(Format.maximumNameLength) at most"
        }
        return isValidName(name) ? nil : "its name is missing, or is none"
    }

    /// Longer ones are no names of people: the numbers stand for them.
    private static func ownerName(_ name: [UInt8]) -> [UInt8] { name.count > Format.maximumNameLength ? [] : name }

    /// A name is one component that stays in its folder, and nothing else.
    static func isValidName(_ name: [UInt8]) -> Bool {
        !name.isEmpty && name.count <= Format.maximumNameLength && !name.contains(0)
            && !name.contains(UInt8(ascii: "/")) && name != Array(".".utf8) && name != Array("..".utf8)
    }
}

extension Timestamp {
    /// The same moment, as far as it is one: a damaged file system tells of seconds with more than a second in them.
    var possible: Timestamp { Timestamp(seconds: seconds, nanoseconds: min(nanoseconds, 999_999_999)) }
}

extension Slice {
    static func append(hole length: UInt64, to bytes: inout [UInt8]) { bytes.append(varint: length << 1 | 1) }

    /// Appends a slice whose chunk id is not known yet, and returns where its 32 bytes belong.
    static func append(length: UInt64, offset: UInt64, to bytes: inout [UInt8]) -> Int {
        bytes.append(varint: length << 1)
        let place = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: 32))
        bytes.append(varint: offset)
        return place
    }

    /// What slices come to together, in bytes.
    static func length(_ payload: WireReader) throws(FormatError) -> UInt64 {
        var reader = payload
        var total: UInt64 = 0
        while !reader.isAtEnd {
            let head = try reader.varint()
            total.add(saturating: head >> 1)
            guard head & 1 == 0 else { continue }
            try reader.skip(Digest.length)
            _ = try reader.varint()
        }
        return total
    }

    static func decode(_ payload: WireReader) throws(FormatError) -> [Slice] {
        var reader = payload
        var slices: [Slice] = []
        var total: UInt64 = 0
        while !reader.isAtEnd {
            let head = try reader.varint()
            let length = head >> 1
            let (sum, overflow) = total.addingReportingOverflow(length)
            guard length > 0, !overflow, sum <= UInt64(Int64.max) else {
                throw FormatError("a slice has an impossible length")
            }
            total = sum
            if head & 1 == 1 {
                slices.append(Slice(length: length, chunk: nil, offset: 0))
            } else {
                let id = try reader.digest()
                let offset = try reader.varint()
                guard offset <= UInt64(Format.maximumChunkLength),
                    length <= UInt64(Format.maximumChunkLength) - offset
                else { throw FormatError("a slice points outside of its chunk") }
                slices.append(Slice(length: length, chunk: id, offset: offset))
            }
        }
        return slices
    }
}

/// The records of a manifest.
enum RecordKind: UInt8 {
    case position = 1
    case source = 2
    case enter = 3
    case leave = 4
    case entry = 5
    case content = 6
    case restart = 7
    case finish = 8
    /// The state of the file that the next entry describes: in a walk cache only.
    case state = 64

    /// The field of the first *source* that says what is needed to restore the machine.
    static let needsOfSource: UInt64 = 2
    /// The field of a *source* that is a disk: how it is divided, and what is in which file.
    static let diskOfSource: UInt64 = 3
}

extension [UInt8] {
    mutating func append(record kind: RecordKind, _ payload: some Collection<UInt8>) {
        append(kind.rawValue)
        append(varint: UInt64(payload.count))
        append(contentsOf: payload)
    }
}

/// One record of a manifest, as it is read.
enum Record: Sendable {
    case position(Position)
    case source([UInt8])
    case enter(Entry)
    case leave
    case entry(Entry)
    case content([Slice])
    case restart
    case finish(remarks: Remarks, size: UInt64)

    init?(kind: RecordKind, payload: WireReader) throws(FormatError) {
        var reader = payload
        switch kind {
        case .position: self = .position(try Position(decoding: payload))
        case .source:
            var path: [UInt8]?
            while let field = try reader.field() {
                var value = field.value
                if field.tag == 1 { path = value.rest() }
            }
            guard let path, !path.contains(0) else { throw FormatError("a source has no path") }
            self = .source(path)
        case .enter:
            let entry = try Entry(decoding: payload)
            guard entry.kind == .directory else { throw FormatError("what is entered is no directory") }
            self = .enter(entry)
        case .leave: self = .leave
        case .entry:
            let entry = try Entry(decoding: payload)
            guard entry.kind != .directory else { throw FormatError("a directory is not entered") }
            self = .entry(entry)
        case .content: self = .content(try Slice.decode(payload))
        case .restart: self = .restart
        case .finish:
            var remarks = Remarks()
            var size: UInt64 = 0
            while let field = try reader.field() {
                var value = field.value
                switch field.tag {
                case 1: remarks = Remarks(rawValue: try value.varint())
                case 2: size = try value.varint()
                default: break
                }
            }
            guard size <= UInt64(Int64.max) else { throw FormatError("a file has an impossible size") }
            self = .finish(remarks: remarks, size: size)
        case .state: return nil
        }
    }
}

/// Where in the tree a piece of a manifest begins, so that it can be read without the pieces before it.
struct Position: Hashable, Sendable {
    /// The source's path, empty before the first source.
    var source: [UInt8] = []
    /// How many directories are open.
    var depth: Int = 0
    /// The innermost open directory, below the source, its names joined by `/`.
    var path: [UInt8] = []
    /// The file whose content is under way.
    var file: [UInt8]?
    /// How much of its content came before, in bytes; nil where an earlier version wrote the piece.
    var offset: UInt64?

    init() {}

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        if !source.isEmpty { bytes.append(field: 1, source) }
        bytes.append(field: 2, integer: UInt64(depth))
        bytes.append(field: 3, path)
        if let file { bytes.append(field: 4, file) }
        if let offset { bytes.append(field: 5, integer: offset) }
        return bytes
    }

    init(decoding payload: WireReader) throws(FormatError) {
        var reader = payload
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1: source = value.rest()
            case 2:
                let value = try value.varint()
                guard value <= Format.maximumDepth else { throw FormatError("a tree is deeper than any can be") }
                depth = Int(clamping: value)
            case 3:
                guard value.remaining <= Format.maximumPathLength else {
                    throw FormatError("a path is longer than any can be")
                }
                path = value.rest()
            case 4: file = value.rest()
            case 5: offset = try value.varint()
            default: break
            }
        }
        let names = path.isEmpty ? [] : path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard names.count == max(0, depth - 1), names.allSatisfy({ Entry.isValidName(Array($0)) }), !source.contains(0)
        else { throw FormatError("a position is malformed") }
    }
}
