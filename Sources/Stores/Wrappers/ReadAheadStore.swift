// A store whose objects are read in large parts, the next of them before they are asked for: each call on a server costs a round trip.

internal import Platform

/// Keeps what was read last in memory, a bounded amount of it.
public final class ReadAheadStore: ForwardingStore, @unchecked Sendable {
    private let blocks: BlockPool

    public override init(_ store: any ObjectStore) {
        blocks = BlockPool(threads: max(1, store.connections / 2))
        super.init(store)
    }

    deinit { blocks.close() }

    public override func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        let source = try super.open(name, length: length)
        return source.length <= UInt64(BlockPool.blockLength / 4) ? source : ReadAheadSource(source, name, blocks)
    }
}

private final class ReadAheadSource: ByteSource {
    fileprivate let source: any ByteSource
    fileprivate let name: String
    private let blocks: BlockPool
    var length: UInt64 { source.length }

    init(_ source: any ByteSource, _ name: String, _ blocks: BlockPool) {
        self.source = source
        self.name = name
        self.blocks = blocks
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        // What reaches beyond its end the source itself refuses, and of what.
        guard offset <= length, UInt64(buffer.count) <= length - offset else {
            return try source.read(at: offset, into: buffer)
        }
        try blocks.read(self, at: offset, into: buffer)
    }
}

/// Blocks of objects: those that are there, and those that somebody is reading.
private final class BlockPool: @unchecked Sendable {
    static let blockLength = 512 << 10
    /// 24 MiB.
    private static let capacity = 48
    /// Blocks that one call reads at most.
    private static let longestRun = 8

    private struct Key: Hashable {
        var name: String
        var index: UInt64
    }

    private enum State {
        case coming
        case here([UInt8], used: UInt64)
    }

    /// How an object has been read so far.
    private struct Course {
        var next: UInt64 = 0
        var run = 1
    }

    private struct Job {
        var source: ReadAheadSource
        var range: Range<UInt64>
    }

    private let monitor = Monitor()
    private var blocks: [Key: State] = [:]
    private var courses: [String: Course] = [:]
    private var jobs: [Job] = []
    private var clock: UInt64 = 0
    private var threads: [WorkerThread] = []
    private let threadCount: Int
    private var isClosed = false

    init(threads: Int) { threadCount = threads }

    func close() {
        let threads = monitor.withLock {
            isClosed = true
            monitor.wakeAll()
            return self.threads
        }
        threads.forEach { $0.join() }
    }

    /// - Parameter offset: with the buffer's length it lies within the object.
    func read(
        _ source: ReadAheadSource, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(StoreError) {
        var filled = 0
        while filled < buffer.count {
            let place = offset + UInt64(filled)
            let index = place / UInt64(Self.blockLength)
            let last = (offset + UInt64(buffer.count) - 1) / UInt64(Self.blockLength)
            let key = Key(name: source.name, index: index)
            // nil: the block is there. Else what this thread is to read.
            let toRead = monitor.withLock { () -> Range<UInt64>? in
                while case .coming? = blocks[key] { monitor.wait() }
                guard case .here(let bytes, _)? = blocks[key] else { return claim(source, from: index, through: last) }
                clock += 1
                blocks[key] = .here(bytes, used: clock)
                let start = Int(place - index * UInt64(Self.blockLength))  // safe: within the block
                let count = min(bytes.count - start, buffer.count - filled)
                bytes.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count]).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
                }
                filled += count
                lookAhead(source, from: index)
                return nil
            }
            if let toRead { try fetch(source, toRead) }
        }
    }

    /// Which blocks are read now: those that are wanted, and more where the object is read from one end to the other. Under the lock.
    private func claim(_ source: ReadAheadSource, from index: UInt64, through last: UInt64) -> Range<UInt64> {
        var course = courses[source.name] ?? Course()
        let isInOrder = index <= course.next + 1 && index + 4 >= course.next && course.next > 0
        course.run = isInOrder ? min(course.run * 2, Self.longestRun) : 1
        let count = max(UInt64(course.run), last - index + 1)
        return claim(source, index..<index + min(count, UInt64(Self.longestRun)), &course)
    }

    private func claim(_ source: ReadAheadSource, _ wanted: Range<UInt64>, _ course: inout Course) -> Range<UInt64> {
        let all = (source.length + UInt64(Self.blockLength) - 1) / UInt64(Self.blockLength)
        var end = wanted.lowerBound
        while end < min(wanted.upperBound, all), blocks[Key(name: source.name, index: end)] == nil {
            blocks[Key(name: source.name, index: end)] = .coming
            end += 1
        }
        course.next = max(course.next, end)
        if courses.count > 256 { courses.removeAll() }
        courses[source.name] = course
        return wanted.lowerBound..<end
    }

    /// Has the blocks read that come next, where the object is read in order and its last run is being used up. Under the lock.
    private func lookAhead(_ source: ReadAheadSource, from index: UInt64) {
        guard var course = courses[source.name], course.run > 1, index + UInt64(course.run) / 2 + 1 >= course.next,
            jobs.count < threadCount
        else { return }
        let range = claim(source, course.next..<course.next + UInt64(course.run), &course)
        if range.isEmpty { return }
        jobs.append(Job(source: source, range: range))
        if threads.count < threadCount { threads.append(WorkerThread { [self] in work() }) }
        monitor.wakeAll()
    }

    private func work() {
        while true {
            let job = monitor.withLock { () -> Job? in
                while jobs.isEmpty && !isClosed { monitor.wait() }
                return isClosed ? nil : jobs.removeFirst()
            }
            guard let job else { return }
            // Who wants it reads it again, and meets the failure.
            try? fetch(job.source, job.range)
        }
    }

    /// Reads blocks that were claimed.
    private func fetch(_ source: ReadAheadSource, _ range: Range<UInt64>) throws(StoreError) {
        let begin = range.lowerBound * UInt64(Self.blockLength)
        let end = min(range.upperBound * UInt64(Self.blockLength), source.length)
        do throws(StoreError) {
            let bytes = try source.source.read(at: begin, count: Int(end - begin))  // safe: a few blocks
            monitor.withLock {
                for index in range {
                    let start = Int(index - range.lowerBound) * Self.blockLength
                    let part = Array(bytes[start..<min(start + Self.blockLength, bytes.count)])
                    clock += 1
                    blocks[Key(name: source.name, index: index)] = .here(part, used: clock)
                }
                dropOldest()
                monitor.wakeAll()
            }
        } catch {
            monitor.withLock {
                for index in range { blocks[Key(name: source.name, index: index)] = nil }
                monitor.wakeAll()
            }
            throw error
        }
    }

    private func dropOldest() {
        while blocks.count > Self.capacity {
            var oldest: (key: Key, used: UInt64)?
            for (key, state) in blocks {
                if case .here(_, let used) = state, used < oldest?.used ?? .max { oldest = (key, used) }
            }
            guard let oldest else { return }
            blocks[oldest.key] = nil
        }
    }
}
