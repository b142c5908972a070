// Where each chunk is: the union of the directories of all volumes, sorted by id in one file. Memory does not grow with the
// store: ids are uniformly distributed, so a place in the file is computed, and one short read finds the row.

internal import Cryptography
internal import Platform
internal import Stores

final class ChunkIndex: @unchecked Sendable {
    struct Location: Hashable, Sendable {
        var volume: UInt32
        var offset: UInt64
        var sealedLength: UInt32
    }

    struct Volume: Sendable {
        var reference: VolumeReference
        /// The index object that has its rows, if one has.
        var index: VolumeReference?
        /// false: it has vanished from the store; what it held counts as absent.
        var isPresent = true
    }

    private(set) var volumes: [Volume] = []
    private(set) var volumeNumbers: [ObjectID: UInt32] = [:]
    private var pending: [Digest: Location] = [:]
    private var sorted: SortedRows?
    private let monitor = Monitor()
    private let folder: BytePath?

    /// Made when it is needed first, which is rarely; where it cannot be made, everything stays in memory.
    private lazy var isFolderThere = folder.map { (try? makeFolders($0)) != nil } ?? false

    /// In memory at once: some 10 MB. Beyond it rows go to the sorted file.
    private static let pendingLimit = 1 << 17

    /// - Parameter folder: where a sorted file may be kept; nil keeps everything in memory.
    init(folder: BytePath?) { self.folder = folder }

    var count: Int { monitor.withLock { pending.count + (sorted?.count ?? 0) } }

    /// Where a chunk is, or nil where no volume that is present has it.
    func locate(_ id: Digest) throws -> Location? {
        let (found, sorted) = monitor.withLock { (pending[id], self.sorted) }
        let location = try found ?? sorted?.find(id)
        guard let location else { return nil }
        // The sorted file may come from an earlier run: whatever it says, only volumes that are known are asked.
        // safe: 32 bits
        return monitor.withLock { volumes.dropFirst(Int(location.volume)).first?.isPresent == true } ? location : nil
    }

    func contains(_ volume: ObjectID) -> Bool { monitor.withLock { volumeNumbers[volume] != nil } }

    /// Adds a volume, so far without rows, and returns its number.
    func add(_ volume: VolumeReference) -> UInt32 {
        monitor.withLock {
            if let number = volumeNumbers[volume.id] { return number }
            let number = UInt32(volumes.count)  // safe: so many are not held in memory
            volumes.append(Volume(reference: volume))
            volumeNumbers[volume.id] = number
            return number
        }
    }

    /// Notes where the rows of a volume lie beside its own directory.
    func note(_ index: VolumeReference?, of number: UInt32) {
        monitor.withLock { volumes[Int(number)].index = index }  // safe: from `add`
    }

    /// Fills in what is known of a volume only when it is finished.
    func complete(_ number: UInt32, _ volume: VolumeReference) {
        monitor.withLock { volumes[Int(number)].reference = volume }  // safe: from `add`
    }

    // safe: from `add`
    func set(_ number: UInt32, isPresent: Bool) { monitor.withLock { volumes[Int(number)].isPresent = isPresent } }

    func add(_ id: Digest, at location: Location) throws {
        let isFull = monitor.withLock {
            pending[id] = location
            return pending.count >= Self.pendingLimit && isFolderThere
        }
        if isFull, let folder { try spill(folder) }
    }

    func add(_ rows: [DirectoryRow], volume: UInt32) throws {
        for row in rows {
            let length = UInt32(row.sealedLength)  // safe: of a frame, compared as it was read
            try add(row.id, at: Location(volume: volume, offset: row.offset, sealedLength: length))
        }
    }

    /// Merges what is in memory into a new sorted file, which has no name and vanishes with the process.
    private func spill(_ folder: BytePath) throws {
        let path = folder.appending("index.\(try ObjectID.random())")
        let file = try Descriptor.open(path, [.readWrite, .create, .exclusive])
        try removeFile(path)
        let output = RowWriter(file, at: 0)
        try writeRows(to: output)
        let rows = SortedRows(file, base: 0, count: try output.finish())
        monitor.withLock {
            sorted = rows
            pending.removeAll(keepingCapacity: true)
        }
    }

    /// All rows in order, newer ones in place of older ones with the same id.
    private func writeRows(to output: RowWriter) throws {
        let new = monitor.withLock { pending }.sorted { $0.key < $1.key }
        var position = 0
        try sorted?.forEach { row in
            let id = row.id
            while position < new.count, new[position].key < id {
                try output.append(new[position].key, new[position].value)
                position += 1
            }
            if position < new.count, new[position].key == id { return }
            try output.append(id, row.location)
        }
        for (id, location) in new[position...] { try output.append(id, location) }
    }

    // MARK: The machine's cache

    private static let magic = Array("holdfast index 2\n".utf8)

    /// Saves the index with the roots that it covers. A crash leaves the old file or the new one; the file is a cache, so
    /// it is not synced: its check tells a torn one, and then it is made again.
    func save(to path: BytePath, roots: [ObjectID]) throws {
        let temporary = BytePath(path.bytes + Array(".\(try ObjectID.random())".utf8))
        let file = try Descriptor.open(temporary, [.readWrite, .create, .exclusive])
        do {
            var head = Self.magic + [UInt8](repeating: 0, count: 32)
            head.append(integer: UInt32(roots.count))  // safe: so many are not held in memory
            for root in roots { head += root.bytes }
            head.append(integer: UInt32(volumes.count))  // safe: as above
            for volume in volumes {
                head += volume.reference.encoded
                head.append(volume.isPresent ? 1 : 0)
                let none = VolumeReference(writer: .zero, id: .zero, digest: .zero, length: 0)
                head += (volume.index ?? none).encoded
            }
            try file.write(head)
            let output = RowWriter(file, at: UInt64(head.count))
            try writeRows(to: output)
            _ = try output.finish()
            let check = try Self.check(of: file)
            try check.bytes.withUnsafeBytes { try file.write($0, at: Int64(Self.magic.count)) }
            try renameFile(temporary, to: path, durably: false)
        } catch {
            // What cannot be removed costs its room in the cache.
            try? removeFile(temporary)
            throw error
        }
    }

    /// Loads what `save` wrote, with the roots that it covers; nil where there is none or it is damaged.
    static func load(from path: BytePath, folder: BytePath) -> (index: ChunkIndex, roots: Set<ObjectID>)? {
        let index = ChunkIndex(folder: folder)
        var roots: Set<ObjectID> = []
        do {
            let (file, size) = try openCache(path)
            let source = FolderObject(file, length: size, subject: path.description)
            let start = try source.read(at: 0, count: magic.count + 32)
            guard start.starts(with: magic), try Self.check(of: file).bytes == Array(start[magic.count...]) else {
                return nil
            }
            var position = UInt64(start.count)
            func take(_ count: Int) throws -> WireReader {
                defer { position += UInt64(count) }
                return WireReader(try source.read(at: position, count: count))
            }
            func number() throws -> Int {
                var reader = try take(4)
                return Int(try reader.integer(UInt32.self))  // safe: 32 bits
            }
            var reader = try take(try number() * 16)
            while !reader.isAtEnd { roots.insert(try reader.identifier()) }
            reader = try take(try number() * (2 * VolumeReference.encodedLength + 1))
            while !reader.isAtEnd {
                let number = index.add(try VolumeReference(&reader))
                if try reader.byte() == 0 { index.set(number, isPresent: false) }
                let object = try VolumeReference(&reader)
                if object.length > 0 { index.note(object, of: number) }
            }
            // A file that ends before its rows begin has been found short above.
            guard size >= position, let length = Int(exactly: size - position) else { return nil }
            index.sorted = SortedRows(file, base: position, count: length / SortedRows.rowLength)
        } catch {
            // A cache that cannot be read is made again from the roots.
            return nil
        }
        return (index, roots)
    }

    private static func check(of file: Descriptor) throws -> Digest {
        var hash = try SHA256Stream()
        var offset = Int64(magic.count + 32)  // safe: where the check ends
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            if count == 0 { return try hash.finish() }
            try buffer.withUnsafeBytes { try hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += Int64(count)
        }
    }
}

/// Rows in a file, sorted by id.
private final class SortedRows: Sendable {
    static let rowLength = 48
    let count: Int
    private let file: Descriptor
    private let base: UInt64
    /// How far off a computed place may be expected to be: the spread of uniform ids grows with the root of their number.
    private let window: Int

    init(_ file: Descriptor, base: UInt64, count: Int) {
        self.file = file
        self.base = base
        self.count = count
        window = 32 + 3 * Int(Double(count).squareRoot())
    }

    struct Row {
        var id: Digest
        var location: ChunkIndex.Location

        init(_ bytes: UnsafeRawBufferPointer) {
            id = Digest(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<32]))
            location = ChunkIndex.Location(
                volume: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 32, as: UInt32.self)),
                offset: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 36, as: UInt64.self)),
                sealedLength: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 44, as: UInt32.self)))
        }
    }

    func find(_ id: Digest) throws -> ChunkIndex.Location? {
        if count == 0 { return nil }
        let prefix = id.withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
        var guess = Int(prefix.multipliedFullWidth(by: UInt64(count)).high)
        var low = 0
        var high = count
        return try withUnsafeTemporaryAllocation(byteCount: window * Self.rowLength, alignment: 8) { buffer in
            while low < high {
                let first = max(low, min(guess - window / 2, high - window))
                let rows = min(window, high - first)
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(rows * Self.rowLength)])
                // safe: places in a file
                guard try file.read(into: part, at: Int64(base) + Int64(first * Self.rowLength)) == part.count else {
                    throw FormatError("the index is shorter than it says")
                }
                func row(_ number: Int) -> UnsafeRawBufferPointer {
                    UnsafeRawBufferPointer(
                        rebasing: part[number * Self.rowLength..<(number + 1) * Self.rowLength])
                }
                func key(_ number: Int) -> Digest {
                    Digest(bytes: UnsafeRawBufferPointer(rebasing: row(number)[..<32]))
                }
                if id < key(0) {
                    high = first
                } else if key(rows - 1) < id {
                    low = first + rows
                } else {
                    var left = 0
                    var right = rows - 1
                    while left < right {
                        let middle = (left + right) / 2
                        if key(middle) < id { left = middle + 1 } else { right = middle }
                    }
                    return key(left) == id ? Row(row(left)).location : nil
                }
                // The computed place was off by more than the window: halve what is left.
                guess = (low + high) / 2
            }
            return nil
        }
    }

    func forEach(_ body: (Row) throws -> Void) throws {
        let rows = 4096
        var buffer = [UInt8](repeating: 0, count: rows * Self.rowLength)
        var done = 0
        while done < count {
            let part = min(rows, count - done)
            let bytes = part * Self.rowLength
            try buffer.withUnsafeMutableBytes {
                let target = UnsafeMutableRawBufferPointer(rebasing: $0[..<bytes])
                // safe: places in a file
                guard try file.read(into: target, at: Int64(base) + Int64(done * Self.rowLength)) == bytes else {
                    throw FormatError("the index is shorter than it says")
                }
            }
            try buffer.withUnsafeBytes { buffer in
                for number in 0..<part {
                    try body(
                        Row(
                            UnsafeRawBufferPointer(
                                rebasing: buffer[number * Self.rowLength..<(number + 1) * Self.rowLength])))
                }
            }
            done += part
        }
    }
}

/// Writes sorted rows through a buffer.
private final class RowWriter {
    private let file: Descriptor
    private var position: UInt64
    private var buffer: [UInt8] = []
    private var count = 0

    init(_ file: Descriptor, at position: UInt64) {
        self.file = file
        self.position = position
    }

    func append(_ id: Digest, _ location: ChunkIndex.Location) throws {
        id.withUnsafeBytes { buffer.append(contentsOf: $0) }
        buffer.append(integer: location.volume)
        buffer.append(integer: location.offset)
        buffer.append(integer: location.sealedLength)
        count += 1
        if buffer.count >= 1 << 18 { try flush() }
    }

    private func flush() throws {
        try buffer.withUnsafeBytes { try file.write($0, at: Int64(position)) }
        position += UInt64(buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }

    /// Writes what is left; returns the number of rows.
    func finish() throws -> Int {
        try flush()
        return count
    }
}
