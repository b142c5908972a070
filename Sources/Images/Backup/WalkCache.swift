// What the last run saw, in the order of the walk, with the state that each file had then. It is read along with the walk, so
// an unchanged file costs no more than looking at it, and memory does not grow with the tree.

internal import Cryptography
internal import Platform

/// The state of a file by which it is known to be unchanged. Neither `st_dev` nor anything else of the mount is among
/// it: a snapshot of the same tree is the same tree. A file that has the same name, inode, size and both times is the same: no
/// call can set the time of change.
struct FileState: Hashable, Sendable {
    var inode: UInt64
    var size: UInt64
    var modified: Timestamp
    var changed: Timestamp

    init(_ status: FileStatus) {
        inode = status.inode
        size = status.size
        modified = status.modified
        changed = status.changed
    }

    static let encodedLength = 40

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.encodedLength)
        bytes.append(integer: inode)
        bytes.append(integer: size)
        bytes.append(integer: modified.seconds)
        bytes.append(integer: changed.seconds)
        bytes.append(integer: modified.nanoseconds)
        bytes.append(integer: changed.nanoseconds)
        return bytes
    }

    init(decoding payload: WireReader) throws(FormatError) {
        var reader = payload
        inode = try reader.integer(UInt64.self)
        size = try reader.integer(UInt64.self)
        let modifiedSeconds = try reader.integer(Int64.self)
        let changedSeconds = try reader.integer(Int64.self)
        modified = Timestamp(seconds: modifiedSeconds, nanoseconds: try reader.integer(UInt32.self))
        changed = Timestamp(seconds: changedSeconds, nanoseconds: try reader.integer(UInt32.self))
    }
}

/// Writes a cache as a run goes on; it gets its name only when the run's root is durable. One that cannot be written costs the next run
/// time, and this one nothing.
final class WalkCacheWriter {
    private let path: BytePath
    private let temporary: BytePath
    private let file: Descriptor
    private var buffer: [UInt8] = []
    private var hash: SHA256Stream?
    private var isFinished = false
    private var hasFailed = false

    init(_ path: BytePath) throws {
        self.path = path
        temporary = BytePath(path.bytes + Array(".\(try ObjectID.random())".utf8))
        file = try Descriptor.open(temporary, [.write, .create, .exclusive])
        hash = try SHA256Stream()
        buffer = WalkCacheReader.magic
    }

    func append(_ bytes: ArraySlice<UInt8>) {
        if hasFailed { return }
        buffer.append(contentsOf: bytes)
        guard buffer.count >= 1 << 18 else { return }
        do { try flush() } catch {
            hasFailed = true
            buffer = []
        }
    }

    private func flush() throws {
        try buffer.withUnsafeBytes { try hash?.update($0) }
        try file.write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    /// Gives the cache its name. A crash leaves the old one; a torn one is told by its check.
    /// - Parameter sparse: segments whose files the next run reads again.
    func finish(sparse: [Digest]) throws {
        if hasFailed { return }
        for id in sparse { buffer += id.bytes }
        var end: [UInt8] = []
        end.append(integer: UInt32(clamping: sparse.count))
        buffer.append(record: .finish, end)
        try flush()
        guard let hash = hash.take() else { return }
        try file.write(hash.finish().bytes)
        isFinished = true
        try renameFile(temporary, to: path, durably: false)
    }

    // What is left of it is a file of this run's own name, which nothing reads.
    deinit { if !isFinished { try? removeFile(temporary) } }
}

/// Reads a cache along with the walk. One that can no longer be read, or makes no sense, ends there: what follows is read from the tree.
final class WalkCacheReader {
    static let magic = Array("holdfast walk 4\n".utf8)

    /// An entry of the cache at the current place.
    struct Item {
        var name: [UInt8]
        var isDirectory: Bool
        /// nil: the entry is not trusted.
        var state: FileState?
        /// The state record and the entry's record.
        var records: [UInt8]
        var payload: WireReader
        var contentFollows: Bool
    }

    private let file: Descriptor
    private var buffer: [UInt8]
    private var position = 0
    private var filled = 0
    private var remaining: Int64
    private var current: Item?
    /// Segments of which the last run found less than half in use.
    let sparse: [Digest]

    /// Opens a cache; nil where there is none or it is damaged: then everything is read.
    init?(_ path: BytePath) {
        // Whatever is wrong with it: without a cache everything is read.
        guard let (file, size) = try? openCache(path),
            let count = try? Self.check(file, size: size)  // as above
        else { return nil }
        self.file = file
        // After the records: the sparse segments, the last record, the check.
        let end = Int64(clamping: size) - Int64(Self.tailLength) - 32 - Int64(count) * 32
        // As above.
        guard end > 0, let sparse = try? Self.digests(in: file, at: end, count: count) else { return nil }
        self.sparse = sparse
        remaining = end
        buffer = [UInt8](repeating: 0, count: 1 << 18)
        // As above.
        guard (try? skipBytes(Self.magic.count)) != nil else { return nil }
    }

    /// Compares the whole file with its check: what is believed here is never read again.
    /// - Returns: the number of sparse segments.
    private static func check(_ file: Descriptor, size: UInt64) throws -> Int {
        // safe: constants
        guard size >= UInt64(magic.count + tailLength + 32), size <= UInt64(Int64.max) else {
            throw FormatError("its length cannot be")
        }
        var hash = try SHA256Stream()
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        var offset: Int64 = 0
        let end = Int64(clamping: size) - 32
        var tail: [UInt8] = []
        while offset < end {
            let want = min(buffer.count, Int(clamping: end - offset))
            let count = try buffer.withUnsafeMutableBytes {
                try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<want]), at: offset)
            }
            guard count == want else { throw FormatError("too short") }
            if offset == 0, !buffer.starts(with: magic) { throw FormatError("another file") }
            try buffer.withUnsafeBytes { try hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            tail = Array((tail + buffer[..<count].suffix(tailLength)).suffix(tailLength))
            offset += Int64(count)
        }
        var stored = [UInt8](repeating: 0, count: 32)
        let count = try stored.withUnsafeMutableBytes { try file.read(into: $0, at: end) }
        guard count == 32, try hash.finish().bytes == stored, tail.count == tailLength,
            tail[0] == RecordKind.finish.rawValue
        else { throw FormatError("its check differs") }
        var reader = WireReader(tail, 2..<tailLength)
        return Int(truncatingIfNeeded: try reader.integer(UInt32.self))
    }

    /// The last record: kind, length, the number of sparse segments.
    private static let tailLength = 6

    private static func digests(in file: Descriptor, at offset: Int64, count: Int) throws -> [Digest] {
        var bytes = [UInt8](repeating: 0, count: count * 32)
        let filled = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
        guard filled == bytes.count else { throw FormatError("the cache ends too early") }
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map { Digest(bytes: UnsafeRawBufferPointer(rebasing: bytes[$0 * 32..<$0 * 32 + 32])) }
        }
    }

    // MARK: Bytes

    private func fill(_ count: Int) throws {
        if filled - position >= count { return }
        if position > 0 {
            buffer.withUnsafeMutableBytes { bytes in
                let rest = filled - position
                if rest > 0, let base = bytes.baseAddress { base.copyMemory(from: base + position, byteCount: rest) }
            }
            filled -= position
            position = 0
        }
        if buffer.count < count { buffer += [UInt8](repeating: 0, count: count - buffer.count) }
        let want = min(buffer.count - filled, Int(clamping: remaining))
        let got = try buffer.withUnsafeMutableBytes {
            try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled..<filled + want]), at: offset)
        }
        offset += Int64(got)
        remaining -= Int64(got)
        filled += got
        guard filled >= count else { throw FormatError("the cache ends too early") }
    }

    private var offset: Int64 = 0

    private func skipBytes(_ count: Int) throws {
        try fill(count)
        position += count
    }

    private var isBroken = false

    /// The next record: its kind and bytes, without taking it.
    private func peek() -> (kind: UInt8, length: Int, payload: Range<Int>)? {
        if isBroken { return nil }
        do { return try record() } catch {
            isBroken = true
            return nil
        }
    }

    private func record() throws -> (kind: UInt8, length: Int, payload: Range<Int>)? {
        if filled == position && remaining == 0 { return nil }
        let available = min(11, filled - position + Int(clamping: min(remaining, 11)))
        try fill(available)
        var reader = WireReader(buffer, position..<position + available)
        let kind = try reader.byte()
        let count = try reader.varint()
        guard let count = Int(exactly: count), count <= Format.maximumRecordLength else {
            throw FormatError("a record is too long")
        }
        let head = reader.position - position
        try fill(head + count)
        return (kind, head + count, position + head..<position + head + count)
    }

    // MARK: The walk

    /// Enters the source at this path, if the cache goes on with it.
    func enterSource() -> Item? {
        current = nil
        while let record = peek() {
            if record.kind == RecordKind.source.rawValue {
                position += record.length
                return load()
            }
            position += record.length
        }
        return nil
    }

    /// Reads the item at the current place of the current folder; nil at its end.
    private func load() -> Item? {
        do { return try item() } catch {
            isBroken = true
            return nil
        }
    }

    private func item() throws -> Item? {
        guard let first = peek() else { return nil }
        var records: [UInt8] = []
        var state: FileState?
        var record = first
        if first.kind == RecordKind.state.rawValue {
            state = try FileState(decoding: WireReader(buffer, first.payload))
            records = Array(buffer[position..<position + first.length])
            position += first.length
            guard let next = peek() else { return nil }
            record = next
        }
        guard record.kind == RecordKind.enter.rawValue || record.kind == RecordKind.entry.rawValue else { return nil }
        let start = records.count
        records += buffer[position..<position + record.length]
        let head = record.payload.lowerBound - position
        let payload = WireReader(records, start + head..<start + record.length)
        let name = try ManifestPosition.name(records, payload.position..<payload.end)
        position += record.length
        var contentFollows = false
        if record.kind == RecordKind.entry.rawValue, let next = peek() {
            contentFollows =
                next.kind == RecordKind.content.rawValue || next.kind == RecordKind.finish.rawValue
                || next.kind == RecordKind.restart.rawValue
        }
        return Item(
            name: Array(records[name]), isDirectory: record.kind == RecordKind.enter.rawValue, state: state,
            records: records, payload: payload, contentFollows: contentFollows)
    }

    /// The item of this name in the current folder, or nil. Items before it are passed over; names are asked for in order.
    func find(_ name: [UInt8]) -> Item? {
        while true {
            if current == nil { current = load() }
            guard let item = current else { return nil }
            if name.lexicographicallyPrecedes(item.name) { return nil }
            current = nil
            if item.name == name { return item }
            pass(item)
        }
    }

    /// Skips what belongs to an item that was loaded: its content, or its children.
    func pass(_ item: Item) {
        if item.isDirectory {
            leave()
        } else if item.contentFollows {
            content { _, _ in }
        }
    }

    /// Hands out the content records of the item that was found last, *finish* included unless the cache ends before it.
    func content(_ body: (_ record: ArraySlice<UInt8>, _ payload: WireReader) throws -> Void) rethrows {
        while let record = peek() {
            guard
                record.kind == RecordKind.content.rawValue || record.kind == RecordKind.restart.rawValue
                    || record.kind == RecordKind.finish.rawValue
            else { return }
            try body(buffer[position..<position + record.length], WireReader(buffer, record.payload))
            position += record.length
            if record.kind == RecordKind.finish.rawValue { return }
        }
    }

    /// Passes over the rest of the folder that was entered last.
    func leave() {
        // An item that was loaded but not asked for may have been a folder: its children are still ahead.
        var depth = current?.isDirectory == true ? 2 : 1
        current = nil
        while depth > 0, let record = peek() {
            if record.kind == RecordKind.enter.rawValue { depth += 1 }
            if record.kind == RecordKind.leave.rawValue { depth -= 1 }
            position += record.length
        }
    }
}
