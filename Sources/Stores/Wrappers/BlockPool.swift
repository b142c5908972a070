// Parts of objects of a server, in memory: those that were read last, and those that will be read next. What comes next is what somebody has
// said, or where an object is read from one end to the other, what follows.

internal import Platform

/// Blocks of objects: those that are there, and those that somebody is reading.
final class BlockPool: @unchecked Sendable {
    static let blockLength = 512 << 10
    /// Blocks that are kept at most, those that are coming included: 20 MiB.
    private static let capacity = 40
    /// Of those, which nobody has read yet.
    private static let aheadLimit = 24
    /// Blocks that one call reads at most.
    private static let longestRun = 8
    /// Objects that are kept open.
    private static let openLimit = 16

    private struct Key: Hashable {
        var name: String
        var index: UInt64
    }

    private struct Block {
        /// nil: it is coming. Memory of its own, so that it ends with the block: a call reads several.
        var bytes: [UInt8]?
        var used: UInt64 = 0
        /// It was read, or is being read, before anybody needed it.
        var isAhead: Bool
    }

    /// How an object has been read so far.
    private struct Course {
        var next: UInt64 = 0
        var run = 1
    }

    /// Blocks that a thread of this pool is to read.
    private struct Job {
        var name: String
        var length: UInt64
        var range: Range<UInt64>
    }

    private let store: any ObjectStore
    private let monitor = Monitor()
    // All below belong to `monitor`.
    private var blocks: [Key: Block] = [:]
    private var unread = 0
    private var courses: [String: Course] = [:]
    private var jobs: [Job] = []
    /// What will be read, in its order; each is in `expected` until it is taken.
    private var queue: [(key: Key, length: UInt64)] = []
    private var first = 0
    private var expected: Set<Key> = []
    private var sources: [(name: String, source: any ByteSource)] = []
    private var clock: UInt64 = 0
    private var threads: [WorkerThread] = []
    private let threadCount: Int
    private var isClosed = false

    init(_ store: any ObjectStore, threads: Int) {
        self.store = store
        threadCount = threads
    }

    func close() {
        let threads = monitor.withLock {
            isClosed = true
            monitor.wakeAll()
            return self.threads
        }
        threads.forEach { $0.join() }
    }

    // MARK: Reading

    /// - Parameter offset: with the buffer's length it lies within the object.
    func read(
        _ source: any ByteSource, _ name: String, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(StoreError) {
        var filled = 0
        while filled < buffer.count {
            let place = offset + UInt64(filled)
            let last = (offset + UInt64(buffer.count) - 1) / UInt64(Self.blockLength)
            switch find(name, place / UInt64(Self.blockLength), through: last, length: source.length) {
            case .failure(let range): try fetch(source, name, range.blocks)
            case .success(let bytes):
                let start = Int(place % UInt64(Self.blockLength))  // safe: less than a block
                let count = min(bytes.count - start, buffer.count - filled)
                bytes.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count]).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
                }
                filled += count
            }
        }
    }

    /// Blocks that whoever asked is to read now.
    private struct Missing: Error { var blocks: Range<UInt64> }

    private func find(
        _ name: String, _ index: UInt64, through last: UInt64, length: UInt64
    ) -> Result<[UInt8], Missing> {
        let key = Key(name: name, index: index)
        return monitor.withLock {
            while let block = blocks[key], block.bytes == nil { monitor.wait() }
            guard let block = blocks[key], let bytes = block.bytes else {
                return .failure(Missing(blocks: claim(name, from: index, through: last, length: length)))
            }
            if block.isAhead { unread -= 1 }
            clock += 1
            blocks[key] = Block(bytes: bytes, used: clock, isAhead: false)
            if first < queue.count, unread < Self.aheadLimit { monitor.wakeAll() }
            lookAhead(name, from: index, length: length)
            return .success(bytes)
        }
    }

    /// Which blocks are read now: those that are wanted, and more where the object is read from one end to the other. Under the lock.
    private func claim(_ name: String, from index: UInt64, through last: UInt64, length: UInt64) -> Range<UInt64> {
        var course = courses[name] ?? Course()
        let isInOrder = course.next > 0 && index <= course.next + 1 && index + 4 >= course.next
        // Its end was looked at, or it is read here and there.
        course = isInOrder ? Course(next: course.next, run: min(course.run * 2, Self.longestRun)) : Course()
        // What is expected otherwise comes by itself.
        let run = expected.contains(Key(name: name, index: last + 1)) ? 1 : UInt64(course.run)
        let count = min(max(run, last - index + 1), UInt64(Self.longestRun))
        return claim(name, index..<index + count, length: length, isAhead: false, &course)
    }

    private func claim(
        _ name: String, _ wanted: Range<UInt64>, length: UInt64, isAhead: Bool, _ course: inout Course
    ) -> Range<UInt64> {
        let range = mark(name, wanted, length: length, isAhead: isAhead)
        course.next = max(course.next, range.upperBound)
        if courses.count > 256 { courses.removeAll() }
        courses[name] = course
        return range
    }

    /// Notes blocks as coming, up to the first that is there.
    private func mark(_ name: String, _ wanted: Range<UInt64>, length: UInt64, isAhead: Bool) -> Range<UInt64> {
        let all = (length + UInt64(Self.blockLength) - 1) / UInt64(Self.blockLength)
        var end = wanted.lowerBound
        while end < min(wanted.upperBound, all) {
            let key = Key(name: name, index: end)
            if blocks[key] != nil { break }
            expected.remove(key)
            blocks[key] = Block(isAhead: isAhead)
            if isAhead { unread += 1 }
            end += 1
        }
        return wanted.lowerBound..<end
    }

    /// Has the blocks read that come next, where the object is read in order and its last run is being used up. Under the lock.
    private func lookAhead(_ name: String, from index: UInt64, length: UInt64) {
        guard var course = courses[name], course.run > 1, index + UInt64(course.run) / 2 + 1 >= course.next,
            jobs.count < threadCount, !expected.contains(Key(name: name, index: course.next))
        else { return }
        let wanted = course.next..<course.next + UInt64(course.run)
        let range = claim(name, wanted, length: length, isAhead: false, &course)
        if !range.isEmpty { add(Job(name: name, length: length, range: range)) }
    }

    // MARK: Reading ahead

    /// Part of an object will be read soon: what is expected first is read first.
    func expect(_ name: String, length: UInt64, _ range: Range<UInt64>) {
        guard !range.isEmpty, range.upperBound <= length else { return }
        monitor.withLock {
            let last = (range.upperBound - 1) / UInt64(Self.blockLength)
            for index in range.lowerBound / UInt64(Self.blockLength)...last {
                let key = Key(name: name, index: index)
                if blocks[key] == nil {
                    if expected.insert(key).inserted { queue.append((key, length)) }
                } else if blocks[key]?.isAhead == false {
                    // It was read, and will be once more: it stays.
                    blocks[key]?.isAhead = true
                    unread += 1
                }
            }
            begin()
        }
    }

    private func add(_ job: Job) {
        jobs.append(job)
        begin()
    }

    private func begin() {
        if threads.count < threadCount, !isClosed { threads.append(WorkerThread { [self] in work() }) }
        monitor.wakeAll()
    }

    private func work() {
        while true {
            let job = monitor.withLock { () -> Job? in
                while !isClosed {
                    if !jobs.isEmpty { return jobs.removeFirst() }
                    if let job = nextExpected() { return job }
                    monitor.wait()
                }
                return nil
            }
            guard let job else { return }
            // Who wants it reads it again, and meets the failure.
            do throws(StoreError) {
                try fetch(openSource(job.name, length: job.length), job.name, job.range)
            } catch { forget(job.name, job.range) }
        }
    }

    /// What is expected next, with what follows it in the same object. Under the lock.
    private func nextExpected() -> Job? {
        while first < queue.count, unread < Self.aheadLimit {
            let (key, length) = queue[first]
            first += 1
            if first > 1024 {
                queue.removeFirst(first)
                first = 0
            }
            guard expected.contains(key) else { continue }
            var end = key.index + 1
            while end - key.index < UInt64(Self.longestRun), expected.contains(Key(name: key.name, index: end)) {
                end += 1
            }
            let range = mark(key.name, key.index..<end, length: length, isAhead: true)
            expected.remove(key)
            if !range.isEmpty { return Job(name: key.name, length: length, range: range) }
        }
        return nil
    }

    /// An object that is open already.
    func source(_ name: String) -> (any ByteSource)? {
        monitor.withLock { sources.first { $0.name == name }?.source }
    }

    private func openSource(_ name: String, length: UInt64) throws(StoreError) -> any ByteSource {
        if let known = source(name), known.length == length { return known }
        let source = try store.open(name, length: length)
        monitor.withLock {
            if sources.count >= Self.openLimit { sources.removeFirst() }
            sources.append((name, source))
        }
        return source
    }

    // MARK: What is there

    /// Reads blocks that were marked as coming.
    private func fetch(_ source: any ByteSource, _ name: String, _ range: Range<UInt64>) throws(StoreError) {
        let begin = range.lowerBound * UInt64(Self.blockLength)
        let end = min(range.upperBound * UInt64(Self.blockLength), source.length)
        do throws(StoreError) {
            let bytes = try source.read(at: begin, count: Int(end - begin))  // safe: a few blocks
            let parts = stride(from: 0, to: bytes.count, by: Self.blockLength).map {
                $0 == 0 && bytes.count <= Self.blockLength
                    ? bytes : Array(bytes[$0..<min($0 + Self.blockLength, bytes.count)])
            }
            monitor.withLock {
                for (index, part) in zip(range, parts) {
                    clock += 1
                    let key = Key(name: name, index: index)
                    blocks[key] = Block(bytes: part, used: clock, isAhead: blocks[key]?.isAhead ?? false)
                }
                dropOldest()
                monitor.wakeAll()
            }
        } catch {
            forget(name, range)
            throw error
        }
    }

    /// Blocks that did not come.
    private func forget(_ name: String, _ range: Range<UInt64>) {
        monitor.withLock {
            for index in range {
                let key = Key(name: name, index: index)
                if let block = blocks[key], block.bytes == nil { drop(key, block) }
            }
            monitor.wakeAll()
        }
    }

    private func drop(_ key: Key, _ block: Block) {
        if block.isAhead { unread -= 1 }
        blocks[key] = nil
    }

    /// Those first that were read once.
    private func dropOldest() {
        while blocks.count > Self.capacity {
            var oldest: (key: Key, block: Block)?
            for (key, block) in blocks where block.bytes != nil {
                guard let known = oldest?.block else {
                    oldest = (key, block)
                    continue
                }
                if (block.isAhead ? 1 : 0, block.used) < (known.isAhead ? 1 : 0, known.used) { oldest = (key, block) }
            }
            guard let oldest else { return }
            drop(oldest.key, oldest.block)
        }
    }
}
