// Cuts the stream of records into chunks of a manifest, at places that depend only on the names nearby: so folders in which
// nothing changed give the chunks that they gave before.

internal import Platform

/// Follows a stream of records and knows where in the tree it is.
struct ManifestPosition {
    private(set) var position = Position()
    /// Whether content records of the last file may follow.
    private(set) var isInContent = false
    private var lengths: [Int] = []
    /// A hash of the last name seen and of the folder around it.
    private(set) var hash: UInt64 = 0

    /// Takes note of a record; `payload` is its bytes in `bytes`.
    mutating func advance(_ kind: RecordKind, _ bytes: [UInt8], _ payload: Range<Int>) throws(FormatError) {
        switch kind {
        case .source:
            var reader = WireReader(bytes, payload)
            position = Position()
            lengths = []
            if var field = try reader.field(), field.tag == 1 { position.source = field.value.rest() }
        case .enter:
            let name = try Self.name(bytes, payload)
            lengths.append(position.path.count)
            position.depth += 1
            // The source's own name is no part of the paths below it.
            if position.depth > 1 {
                if !position.path.isEmpty { position.path.append(UInt8(ascii: "/")) }
                position.path.append(contentsOf: bytes[name])
            }
            note(bytes[name])
        case .leave:
            guard let length = lengths.popLast() else { throw FormatError("a directory is left that was not entered") }
            position.path.removeSubrange(length...)
            position.depth -= 1
            hash = hash &* 0x9e37_79b9_7f4a_7c15 &+ 1
        case .entry:
            let name = try Self.name(bytes, payload)
            note(bytes[name])
            isInContent = try Self.contentFollows(bytes, payload)
            position.file = isInContent ? Array(bytes[name]) : nil
            position.offset = isInContent ? 0 : nil
        case .finish:
            isInContent = false
            position.file = nil
            position.offset = nil
        case .content:
            let length = try Slice.length(WireReader(bytes, payload))
            position.offset = position.offset.map { $0.adding(saturating: length) }
        case .restart: position.offset = position.offset.map { _ in 0 }
        case .position, .state: break
        }
    }

    private mutating func note(_ name: ArraySlice<UInt8>) {
        // FNV-1a over the folder's name and this one: a bare name is not random enough, as trees repeat them.
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        let folder =
            position.path.lastIndex(of: UInt8(ascii: "/")).map { position.path[($0 + 1)...] } ?? position.path[...]
        for byte in folder { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
        value = value &* 0x100_0000_01b3
        for byte in name { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = value ^ value >> 29
    }

    static func name(_ bytes: [UInt8], _ payload: Range<Int>) throws(FormatError) -> Range<Int> {
        var reader = WireReader(bytes, payload)
        while let field = try reader.field() {
            if field.tag == 1 { return field.value.position..<field.value.end }
        }
        throw FormatError("an entry has no name")
    }

    private static func contentFollows(_ bytes: [UInt8], _ payload: Range<Int>) throws(FormatError) -> Bool {
        var reader = WireReader(bytes, payload)
        while let field = try reader.field() {
            if field.tag == 12 { return true }
            if field.tag > 12 { break }
        }
        return false
    }
}

/// Collects records and hands out pieces. None is longer than a chunk: a record that is longer than what is left up to `maximum` begins a
/// piece of its own, unless there is less than `minimum` before it.
struct ManifestCutter {
    private static let minimum = 64 << 10
    private static let maximum = 1 << 20
    /// One record in so many ends a piece.
    private static let interval: UInt64 = 2048

    private var place = ManifestPosition()
    private var buffer: [UInt8] = []
    /// Where the records begin, after the position: what is repeated in each piece does not count.
    private var start = 0

    init() { begin() }

    private mutating func begin() {
        buffer.removeAll(keepingCapacity: true)
        buffer.append(record: .position, place.position.encoded())
        start = buffer.count
    }

    /// Adds a record; calls `emit` with a piece where one ends.
    mutating func add(
        _ kind: RecordKind, _ bytes: [UInt8], record: Range<Int>, payload: Range<Int>, emit: ([UInt8]) throws -> Void
    ) throws {
        if buffer.count - start + record.count > Self.maximum, buffer.count - start > Self.minimum { try flush(emit) }
        buffer.append(contentsOf: bytes[record])
        try place.advance(kind, bytes, payload)
        if buffer.count - start >= Self.minimum, !place.isInContent, place.hash % Self.interval == 0 { try flush(emit) }
    }

    /// Ends the piece that is under way.
    mutating func flush(_ emit: ([UInt8]) throws -> Void) throws {
        try emit(buffer)
        begin()
    }
}

/// Walks over the records in some bytes.
struct RecordReader {
    private var reader: WireReader

    init(_ bytes: [UInt8]) { reader = WireReader(bytes) }

    struct Item {
        var kind: RecordKind
        /// The whole record.
        var record: Range<Int>
        var payload: WireReader
    }

    /// The next record of a known kind; others are skipped.
    mutating func next() throws(FormatError) -> Item? {
        while !reader.isAtEnd {
            let start = reader.position
            let kind = RecordKind(rawValue: try reader.byte())
            let count = try reader.length()
            guard count <= Format.maximumRecordLength else { throw FormatError("a record is too long") }
            let range = try reader.range(count)
            guard let kind else { continue }
            return Item(
                kind: kind, record: start..<range.upperBound, payload: WireReader(reader.bytes, range))
        }
        return nil
    }
}
