// The tamper-evident record of what was done to this machine: one JSON line a record, each with the hash of the one before and
// signed by a key of its own.
//
//     log/audit.jsonl         the newest records, 0640, append-only where the file system has that
//     log/audit-<n>.jsonl     older ones, up to record n
//     log/key                 the key for the next record, 0600
//     log/origin              the public key of the first record
//     log/reserve             room that a record takes where the disk is full

internal import Cryptography
internal import Glibc
public import Platform

public struct AuditLog: Sendable {
    /// A file that grows beyond this is put aside and the chain goes on in a new one.
    static let fileLimit: UInt64 = 8 << 20
    /// Longer records do not occur: what comes from outside is cut, in bytes, so that it fits however JSON writes it.
    private static let lineLimit = 1 << 18
    private static let argumentLimit = 1024
    private static let textLimit = 4096
    private static let allArgumentsLimit = 16 << 10
    /// For a record and what the command itself writes to give back space.
    private static let reserveLength = 512 << 10

    public let folder: BytePath

    public init(folder: BytePath) { self.folder = folder }

    var current: BytePath { folder.appending("audit.jsonl") }
    var origin: BytePath { folder.appending("origin") }
    var ratchetFile: RatchetFile { RatchetFile(path: folder.appending("key")) }

    private var reserve: BytePath { folder.appending("reserve") }

    /// Whether there is a log here, or something of one: a file of it that is gone does not end it.
    public var isBegun: Bool { [origin, ratchetFile.path, current].contains(where: exists) }

    /// Begins the log; one that is begun is left as it is. The record of its beginning is in it when this returns.
    public func begin(verb: String) throws {
        if exists(origin) || exists(current) { return }
        try makeFolders(folder, mode: 0o755)
        guard try makeChain() else { return }
        try append(AuditEvent(.beginning, verb: verb, text: "the log begins"))
    }

    /// - Returns: false where another command has made it meanwhile.
    private func makeChain() throws -> Bool {
        let lock = try lock()
        defer { withExtendedLifetime(lock) {} }
        if exists(origin) || exists(current) { return false }
        // A key that has signed something: its records are gone, and the next one says so.
        if let ratchet = try ratchetFile.read(), ratchet.sequence > 0 { return false }
        let ratchet = try Ratchet.fresh(0)
        try ratchetFile.write(ratchet)
        // From here on it exists; a crash before leaves a key that nothing rests on.
        try replaceFile(origin, Array((ratchet.publicKey + "\n").utf8), mode: 0o644)
        return true
    }

    /// Keeps others from the log.
    func lock() throws -> Descriptor {
        // safe: a lock is empty, and only who may write the log may make names beside it
        let lock = try Descriptor.open(folder.appending("lock"), [.readWrite, .create, .nonBlocking])
        // A record takes milliseconds: whoever holds it longer has been stopped.
        for _ in 0..<5 where lock.tryLockPatiently() { return lock }
        throw SystemError(EBUSY, "write to", "the log", detail: "another command has held it for too long")
    }

    // MARK: Appending

    /// Puts a record on the log; it is durable when this returns. A log that does not fit its key gets a new chain, visibly.
    /// - Returns: the record's place.
    @discardableResult
    public func append(_ event: AuditEvent) throws -> AuditAnchor {
        let lock = try lock()
        defer { withExtendedLifetime(lock) {} }
        var end = try readEnd()
        takeWholeRest(of: &end)
        if end.length > Self.fileLimit, end.rest.isEmpty, let last = end.last {
            try putAside(upTo: last.record.sequence)
            end.length = 0
        }
        var ratchet: Ratchet
        switch try continuation(of: end) {
        case .fits(let fitting): ratchet = fitting
        case .broken(let reason):
            ratchet = try .fresh(end.nextSequence)
            try ratchetFile.write(ratchet)
            try write(AuditEvent(.beginning, verb: event.verb, text: reason), &end, &ratchet)
        }
        return try write(event, &end, &ratchet)
    }

    /// Where the log ends.
    struct End {
        var last: AuditLine?
        /// What lies behind the last whole record: what an interrupted writer left.
        var rest: [UInt8] = []
        var length: UInt64 = 0
        /// What has to be written before the next line can begin.
        var missingNewline: [UInt8] = []

        var nextSequence: UInt64 { last.map { $0.record.sequence + 1 } ?? 0 }
    }

    /// A line that lacks nothing but its end is whole, as long as the key has not moved on.
    private func takeWholeRest(of end: inout End) {
        // Before it may stand what another interrupted writer left; the line speaks of that.
        let before = end.rest.lastIndex(of: UInt8(ascii: "\n")).map { Array(end.rest[...$0]) } ?? []
        // Without the key the rest stays a rest, and the next record says so.
        guard let line = AuditLine(parsing: end.rest[before.count...]), let ratchet = try? ratchetFile.read(),
            ratchet.sequence == line.record.sequence, line.record.torn == (before.isEmpty ? nil : sha256(before))
        else { return }
        end.last = line
        end.rest = []
    }

    enum Continuation {
        case fits(Ratchet)
        case broken(String)
    }

    /// The key for the next record, where the log ends as the key says. A crash between record and key leaves a key that is one
    /// behind.
    func continuation(of end: End) throws -> Continuation {
        guard let ratchet = try ratchetFile.read() else { return .broken("the log's key was missing") }
        guard let last = end.last?.record else {
            return ratchet.sequence == 0 ? .fits(ratchet) : .broken("the records before this one were missing")
        }
        if ratchet.sequence == last.sequence, ratchet.publicKey == last.key {
            let next = try ratchet.next()
            return next.publicKey == last.next ? .fits(next) : .broken("the key did not fit the last record")
        }
        if ratchet.sequence == last.sequence + 1, ratchet.publicKey == last.next { return .fits(ratchet) }
        return .broken("the log ended with record \(last.sequence), its key was at \(ratchet.sequence)")
    }

    @discardableResult
    private func write(_ event: AuditEvent, _ end: inout End, _ ratchet: inout Ratchet) throws -> AuditAnchor {
        let next = try ratchet.next()
        let now = Timestamp.now()
        let record = AuditRecord(
            sequence: ratchet.sequence, seconds: now.seconds,
            time: Timestamp(seconds: now.seconds, nanoseconds: 0).text,
            clockIsSynchronised: HostFacts.clockIsSynchronised, boot: HostFacts.bootIdentifier,
            login: HostFacts.loginName, user: HostFacts.userName, origin: HostFacts.origin, host: HostFacts.hostName,
            phase: event.phase, verb: event.verb, arguments: Self.cut(event.arguments),
            object: event.object.map { Self.cut($0, Self.textLimit) }, status: event.status,
            text: event.text.map { Self.cut($0, Self.textLimit) }, previous: end.last?.anchor.digest ?? Digest.zero.hex,
            torn: end.rest.isEmpty ? nil : sha256(end.rest + end.missingNewline), key: ratchet.publicKey,
            next: next.publicKey)
        let line = try AuditLine(record, signedBy: ratchet.key)
        // What was left stays where it is, as a line, and this record says so.
        let bytes = end.missingNewline + line.bytes + [UInt8(ascii: "\n")]
        do throws(SystemError) {
            try add(bytes)
            end = End(last: line, rest: [], length: end.length + UInt64(bytes.count))
        } catch {
            guard error.isFull, exists(reserve) else { throw error }
            try giveReserve()
            // What there was room for stands there now: a line that is torn, or one that lacks nothing but to be durable.
            end = try readEnd()
            takeWholeRest(of: &end)
            guard end.last?.record.sequence == ratchet.sequence, end.last?.record.key == ratchet.publicKey else {
                return try write(event, &end, &ratchet)
            }
            try Descriptor.open(current, .nonBlocking).synchronize()
        }
        // What cannot be had now is tried again with the next record.
        if !exists(reserve) { try? keepReserve() }
        // A crash here leaves the key one behind, which the next run sees.
        try ratchetFile.write(next)
        ratchet = next
        return end.last?.anchor ?? line.anchor
    }

    private static func cut(_ arguments: [String]) -> [String] {
        var room = allArgumentsLimit
        var result: [String] = []
        for argument in arguments {
            let argument = cut(argument, argumentLimit)
            room -= argument.utf8.count + 8
            guard room >= 0 else { return result + ["… \(arguments.count - result.count) more"] }
            result.append(argument)
        }
        return result
    }

    /// The first so many bytes, whole characters as Unicode counts them.
    private static func cut(_ text: String, _ limit: Int) -> String {
        if text.utf8.count <= limit { return text }
        var result = String.UnicodeScalarView()
        var room = limit
        for scalar in text.unicodeScalars {
            room -= UTF8.width(scalar)
            if room < 0 { break }
            result.append(scalar)
        }
        return String(result) + "…"
    }

    /// The disk is full, and whoever gives back space has to be on record first.
    private func giveReserve() throws {
        try removeFile(reserve)
        try synchronizeFolder(folder)
    }

    private func keepReserve() throws {
        let room = try Descriptor.open(folder, .directory).space().free
        guard room > 64 * UInt64(Self.reserveLength) else { return }
        try writeNew(reserve, [UInt8](repeating: 0x52, count: Self.reserveLength))
    }

    private func add(_ bytes: [UInt8]) throws(SystemError) {
        let isNew = !exists(current)
        // safe: it is only ever added to, and what was in it before is under the chain
        let file = try Descriptor.open(current, [.write, .create, .append, .nonBlocking], mode: 0o640)
        try file.write(bytes)
        try file.synchronize()
        if isNew { try synchronizeFolder(folder) }
        // On a machine that is set up, a guard against accidents where the file system has it; the chain does not rest on it.
        if let flags = file.flags, flags & Descriptor.appendOnlyFlag == 0,
            exists(folder.parent.appending("protected.json"))
        {
            // As it says.
            try? file.setFlags(flags | Descriptor.appendOnlyFlag)
        }
    }

    /// Puts the file aside under the number of its last record. A crash leaves the end of the chain in the file or aside, and both
    /// are looked at.
    private func putAside(upTo sequence: UInt64) throws {
        let file = try Descriptor.open(current)
        // As when it was made: a guard against accidents, on which nothing rests.
        try? file.setFlags((file.flags ?? 0) & ~Descriptor.appendOnlyFlag)
        let digits = String(sequence)
        let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        try renameFile(current, to: folder.appending("audit-\(padded).jsonl"))
        // As above.
        try? file.setFlags((file.flags ?? 0) | Descriptor.appendOnlyFlag)
    }

    // MARK: Reading

    /// All files with records, the oldest first.
    func files() throws -> [BytePath] {
        let names = try DirectoryListing(of: Descriptor.open(folder, .directory))
        let aside = (0..<names.count).map { String(decoding: names[$0], as: UTF8.self) }
            .filter { $0.hasPrefix("audit-") && $0.hasSuffix(".jsonl") }.sorted()
        return aside.map { folder.appending($0) } + (exists(current) ? [current] : [])
    }

    func readEnd() throws -> End {
        for file in try files().reversed() {
            let descriptor = try Descriptor.open(file, .nonBlocking)
            let status = try descriptor.status()
            guard status.kind == .file else {
                throw SystemError(EINVAL, "read", file.description, detail: "it is no file")
            }
            let length = min(status.size, UInt64(Int64.max))
            var bytes = [UInt8](repeating: 0, count: Int(clamping: min(length, UInt64(Self.lineLimit))))
            let count = try bytes.withUnsafeMutableBytes { buffer in
                try descriptor.read(into: buffer, at: Int64(clamping: length) - Int64(buffer.count))
            }
            bytes.removeLast(bytes.count - count)
            if bytes.isEmpty { continue }
            var end = Self.end(of: bytes)
            end.length = file == current ? length : 0
            return end
        }
        return End()
    }

    /// From the back to the last line that is a record.
    private static func end(of bytes: [UInt8]) -> End {
        let newline = UInt8(ascii: "\n")
        let missing = bytes.last == newline ? [] : [newline]
        var stop = bytes.endIndex
        while let lineEnd = bytes[..<stop].lastIndex(of: newline) {
            let start = bytes[..<lineEnd].lastIndex(of: newline).map { $0 + 1 } ?? 0
            if let line = AuditLine(parsing: bytes[start..<lineEnd]) {
                return End(last: line, rest: Array(bytes[(lineEnd + 1)...]), missingNewline: missing)
            }
            stop = lineEnd
        }
        return End(rest: bytes, missingNewline: missing)
    }

    /// The last record's place, for images and certificates to keep; nil where there is none.
    public func head() throws -> AuditAnchor? { isBegun ? try readEnd().last?.anchor : nil }

    /// Every record that can be read, the oldest first.
    public func records() throws -> [AuditRecord] {
        var result: [AuditRecord] = []
        for file in try files() {
            for line in try readRegular(file, limit: 1 << 30).split(separator: UInt8(ascii: "\n")) {
                if let line = AuditLine(parsing: line) { result.append(line.record) }
            }
        }
        return result
    }
}
