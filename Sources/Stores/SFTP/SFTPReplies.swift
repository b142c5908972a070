// What an SFTP server says. Nothing of it is believed: every length is held against what is there before anything is made of it, and what
// does not add up is `SFTPGarbage`, which ends the connection.

internal import Platform

/// What is no SFTP, or none that a server may send.
struct SFTPGarbage: Error, Equatable {
    var what: String
    init(_ what: String) { self.what = what }
}

/// The codes of a status.
struct SFTPStatus: RawRepresentable, Hashable, Sendable {
    var rawValue: UInt32
    static let fine = SFTPStatus(rawValue: 0)
    static let end = SFTPStatus(rawValue: 1)
    static let absent = SFTPStatus(rawValue: 2)
    static let denied = SFTPStatus(rawValue: 3)
    /// OpenSSH says it for all that has no code: no space, present, read-only, a folder.
    static let failure = SFTPStatus(rawValue: 4)
    static let badMessage = SFTPStatus(rawValue: 5)
    static let unsupported = SFTPStatus(rawValue: 8)
    /// Of later versions; some servers say it in version 3, too.
    static let present = SFTPStatus(rawValue: 11)
}

struct SFTPAttributes: Equatable, Sendable {
    static let sizeFlag: UInt32 = 1
    static let ownerFlag: UInt32 = 2
    static let permissionsFlag: UInt32 = 4
    static let timesFlag: UInt32 = 8
    static let extendedFlag: UInt32 = 0x8000_0000

    enum Kind { case file, folder, link, other }

    var size: UInt64?
    /// With the kind of file, as POSIX numbers it.
    var mode: UInt32?
    /// When it was changed, in seconds since 1970.
    var modified: UInt32?

    /// nil where the server does not say it.
    var kind: Kind? {
        guard let mode, mode & 0o170000 != 0 else { return nil }
        switch mode & 0o170000 {
        case 0o100000: return .file
        case 0o040000: return .folder
        case 0o120000: return .link
        default: return .other
        }
    }
}

struct SFTPName: Equatable, Sendable {
    var name: [UInt8]
    var attributes: SFTPAttributes
}

/// How much a server takes and gives at once; 0 where it does not say it.
struct SFTPLimits: Equatable, Sendable {
    var packet: UInt64
    var read: UInt64
    var write: UInt64
    var handles: UInt64
}

/// The room on the medium of a server.
struct SFTPSpace: Equatable, Sendable {
    /// 0 where the server does not know.
    var total: UInt64
    var free: UInt64
    var hasNames: Bool
    var isReadOnly: Bool
}

enum SFTPReply: Equatable, Sendable {
    case status(SFTPStatus, String)
    case handle([UInt8])
    case data(ArraySlice<UInt8>)
    case names([SFTPName])
    case attributes(SFTPAttributes)
    case extended(ArraySlice<UInt8>)

    /// The longest handle, by the draft.
    static let handleLimit = 256
    static let nameLimit = 4096

    /// - Parameter packet: without its length.
    static func decode(_ packet: [UInt8]) throws(SFTPGarbage) -> (identifier: UInt32, reply: SFTPReply) {
        var reader = SFTPReader(packet[...])
        let kind = try reader.byte()
        let identifier = try reader.number(UInt32.self)
        switch kind {
        case 101:
            let status = SFTPStatus(rawValue: try reader.number())
            // Old servers leave the text out.
            let text = reader.isAtEnd ? [] : try reader.string(limit: reader.count)
            return (identifier, .status(status, String(decoding: text.prefix(500), as: UTF8.self)))
        case 102: return (identifier, .handle(Array(try reader.string(limit: handleLimit))))
        case 103: return (identifier, .data(try reader.string(limit: reader.count)))
        case 104: return (identifier, .names(try reader.names()))
        case 105: return (identifier, .attributes(try reader.attributes()))
        case 201: return (identifier, .extended(reader.rest))
        default: throw SFTPGarbage("an answer of kind \(kind)")
        }
    }

    /// The names of the extensions that a server has.
    static func decodeVersion(_ packet: [UInt8]) throws(SFTPGarbage) -> Set<String> {
        var reader = SFTPReader(packet[...])
        guard try reader.byte() == 2 else { throw SFTPGarbage("something else than its version") }
        let version = try reader.number(UInt32.self)
        guard version == SFTPRequest.version else { throw SFTPGarbage("version \(version) of SFTP") }
        var result: Set<String> = []
        while !reader.isAtEnd {
            let name = try reader.string(limit: nameLimit)
            _ = try reader.string(limit: reader.count)
            result.insert(String(decoding: name, as: UTF8.self))
        }
        return result
    }
}

/// Takes a packet apart.
struct SFTPReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var count: Int { rest.count }
    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() throws(SFTPGarbage) -> UInt8 {
        guard let first = rest.popFirst() else { throw SFTPGarbage("a packet that ends too early") }
        return first
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws(SFTPGarbage) -> Number {
        let width = Number.bitWidth / 8
        guard rest.count >= width else { throw SFTPGarbage("a packet that ends too early") }
        var result: Number = 0
        for byte in rest.prefix(width) { result = result << 8 | Number(truncatingIfNeeded: byte) }
        rest = rest.dropFirst(width)
        return result
    }

    mutating func string(limit: Int) throws(SFTPGarbage) -> ArraySlice<UInt8> {
        let length = Int(clamping: try number(UInt32.self))
        guard length <= limit else { throw SFTPGarbage("a string of \(length) bytes") }
        guard length <= rest.count else { throw SFTPGarbage("a packet that ends too early") }
        defer { rest = rest.dropFirst(length) }
        return rest.prefix(length)
    }

    mutating func attributes() throws(SFTPGarbage) -> SFTPAttributes {
        var result = SFTPAttributes()
        let flags = try number(UInt32.self)
        if flags & SFTPAttributes.sizeFlag != 0 { result.size = try number() }
        if flags & SFTPAttributes.ownerFlag != 0 { _ = try number(UInt64.self) }
        if flags & SFTPAttributes.permissionsFlag != 0 { result.mode = try number() }
        if flags & SFTPAttributes.timesFlag != 0 {
            _ = try number(UInt32.self)
            result.modified = try number()
        }
        if flags & SFTPAttributes.extendedFlag != 0 {
            // Each takes eight bytes at least, so their number is soon at its end.
            for _ in 0..<(try number(UInt32.self)) {
                _ = try string(limit: count)
                _ = try string(limit: count)
            }
        }
        return result
    }

    mutating func names() throws(SFTPGarbage) -> [SFTPName] {
        let number = Int(clamping: try number(UInt32.self))
        // Two strings and the flags of the attributes.
        guard number <= count / 12 else { throw SFTPGarbage("\(number) names in a packet of \(count) bytes") }
        var result: [SFTPName] = []
        result.reserveCapacity(number)
        for _ in 0..<number {
            let name = Array(try string(limit: SFTPReply.nameLimit))
            // As `ls -l` would show it: for people.
            _ = try string(limit: count)
            result.append(SFTPName(name: name, attributes: try attributes()))
        }
        return result
    }

    mutating func limits() throws(SFTPGarbage) -> SFTPLimits {
        SFTPLimits(packet: try number(), read: try number(), write: try number(), handles: try number())
    }

    mutating func space() throws(SFTPGarbage) -> SFTPSpace {
        var numbers: [UInt64] = []
        for _ in 0..<11 { numbers.append(try number()) }
        // f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail, f_fsid, f_flag, f_namemax.
        return SFTPSpace(
            total: numbers[2].multiplied(saturating: numbers[1]), free: numbers[4].multiplied(saturating: numbers[1]),
            hasNames: numbers[5] == 0 || numbers[7] > 0, isReadOnly: numbers[9] & 1 != 0)
    }
}

/// Puts packets together from what comes in pieces.
struct SFTPPackets {
    /// What servers keep to is 256 KiB of contents; a little more is allowed for what goes around them.
    static let lengthLimit = 257 << 10

    private var bytes: [UInt8] = []
    private var start = 0

    mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    /// The first whole packet, without its length; nil where more has to come.
    mutating func next() throws(SFTPGarbage) -> [UInt8]? {
        var reader = SFTPReader(bytes[start...])
        guard reader.count >= 4 else { return pause() }
        let length = try reader.number(UInt32.self)
        guard length > 0, length <= Self.lengthLimit else { throw SFTPGarbage("a packet of \(length) bytes") }
        let end = start + 4 + Int(clamping: length)
        guard end <= bytes.count else { return pause() }
        defer { start = end }
        return Array(bytes[(start + 4)..<end])
    }

    /// How it began, for people: an account's greeting is no packet.
    var beginning: [UInt8] { Array(bytes[start...].prefix(200)) }

    private mutating func pause() -> [UInt8]? {
        bytes.removeFirst(start)
        start = 0
        return nil
    }
}
