// What is said to an SFTP server: the requests of version 3 (draft-ietf-secsh-filexfer-02) that a store needs, and three of OpenSSH's
// extensions (its file PROTOCOL). All numbers are big-endian; a string is its length in 32 bits, and its bytes.

internal import Platform

/// A request, but for its number.
struct SFTPRequest {
    enum Kind: UInt8 {
        case initialize = 1
        case open = 3
        case close, read, write
        case linkStatus, handleStatus
        case openFolder = 11
        case readFolder, remove, makeFolder
        case status = 17
        case extended = 200
    }

    enum Extension: String {
        case limits = "limits@openssh.com"
        case synchronize = "fsync@openssh.com"
        case space = "statvfs@openssh.com"
    }

    /// Flags of an open call.
    enum Access: UInt32 {
        case read = 0x01
        /// Write, create, and only where there is none.
        case createExclusively = 0x2a
    }

    static let version: UInt32 = 3

    let kind: Kind
    private(set) var body: [UInt8] = []
    /// How many bytes of what is written follow the body.
    private(set) var payloadLength = 0
    /// How many bytes it or its answer brings along.
    private(set) var weight = 0

    private init(_ kind: Kind) { self.kind = kind }

    static func initialize() -> SFTPRequest {
        var request = SFTPRequest(.initialize)
        request.add(version)
        return request
    }

    static func open(_ path: [UInt8], _ access: Access) -> SFTPRequest {
        var request = SFTPRequest(.open)
        request.add(path)
        request.add(access.rawValue)
        if access == .read { request.add(UInt32(0)) } else { request.addMode(0o644) }
        return request
    }

    /// A request of this kind about a path or a handle, and nothing else.
    static func about(_ subject: [UInt8], _ kind: Kind) -> SFTPRequest {
        var request = SFTPRequest(kind)
        request.add(subject)
        return request
    }

    static func makeFolder(_ path: [UInt8]) -> SFTPRequest {
        var request = about(path, .makeFolder)
        request.addMode(0o755)
        return request
    }

    static func read(_ handle: [UInt8], at offset: UInt64, count: Int) -> SFTPRequest {
        var request = about(handle, .read)
        request.add(offset)
        request.add(UInt32(clamping: count))
        request.weight = count
        return request
    }

    static func write(_ handle: [UInt8], at offset: UInt64, count: Int) -> SFTPRequest {
        var request = about(handle, .write)
        request.add(offset)
        request.add(UInt32(clamping: count))
        request.payloadLength = count
        request.weight = count
        return request
    }

    static func extended(_ name: Extension, _ subject: [UInt8]? = nil) -> SFTPRequest {
        var request = SFTPRequest(.extended)
        request.add(Array(name.rawValue.utf8))
        if let subject { request.add(subject) }
        return request
    }

    /// What goes before the payload.
    func head(identifier: UInt32?) -> [UInt8] {
        var head = SFTPRequest(kind)
        head.add(UInt32(clamping: 1 + (identifier == nil ? 0 : 4) + body.count + payloadLength))
        head.body.append(kind.rawValue)
        if let identifier { head.add(identifier) }
        return head.body + body
    }

    private mutating func add(_ number: some FixedWidthInteger & UnsignedInteger) {
        withUnsafeBytes(of: number.bigEndian) { body.append(contentsOf: $0) }
    }

    private mutating func add(_ string: [UInt8]) {
        add(UInt32(clamping: string.count))
        body += string
    }

    /// Attributes with the permissions alone.
    private mutating func addMode(_ mode: UInt32) {
        add(SFTPAttributes.permissionsFlag)
        add(mode)
    }
}
