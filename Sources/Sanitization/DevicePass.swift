// One pass over a device: written, or read back and compared. Blocks are made by one thread while another waits for the device. Where the
// device refuses a block it is taken in halves, down to a sector, and what cannot be reached is noted and left.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

final class DevicePass {
    static let blockLength = 4 << 20

    let device: Descriptor
    let size: UInt64
    let sector: Int
    let source: PatternSource
    let progress: Progress
    /// As fast as it goes, where nil.
    let bytesPerSecond: UInt64?
    /// Ranges that could not be written or read.
    private(set) var bad: [DeviceRange] = []
    /// Ranges that hold something else than what was written.
    private(set) var different: [DeviceRange] = []

    init(
        _ device: Descriptor, size: UInt64, sector: Int, source: PatternSource, progress: Progress,
        bytesPerSecond: UInt64? = nil
    ) {
        self.device = device
        self.size = size
        self.sector = sector
        self.source = source
        self.progress = progress
        self.bytesPerSecond = bytesPerSecond
    }

    // MARK: Writing

    /// Writes from a position to the end. `note` is called by another thread whenever everything before a position is durable, with the
    /// sectors that could not be written.
    func write(from position: UInt64, note: @escaping (UInt64, [DeviceRange]) throws -> Void) throws {
        let device = device
        let durable = DurablePosition(position) {
            try device.synchronize()
            try note($0, $1)
        }
        do {
            try forEachBlock(in: [DeviceRange(start: position, length: size - position)]) { block, offset in
                try write(block, at: offset)
                progress.add(bytes: UInt64(block.count))
                let next = UInt64(Self.blockLength)
                try durable.advance(to: offset + UInt64(block.count), next: next, bad: bad)
            }
        } catch {
            try durable.end()
            throw error
        }
        try durable.end()
    }

    /// Writes ranges, durably.
    func write(_ ranges: [DeviceRange]) throws {
        try forEachBlock(in: ranges) { block, offset in try write(block, at: offset) }
        try device.synchronize()
    }

    private func write(_ block: UnsafeRawBufferPointer, at offset: UInt64) throws {
        do throws(SystemError) {
            try device.write(block, at: Int64(offset))
        } catch {
            guard error.isBadPlace else { throw error }
            if block.count <= sector {
                return bad.add(DeviceRange(start: offset, length: UInt64(block.count)))
            }
            for half in halves(of: block) { try write(half.part, at: offset + UInt64(half.start)) }
        }
    }

    // MARK: Reading back

    /// Reads ranges back and compares them with what was written.
    func verify(_ ranges: [DeviceRange]) throws {
        let block = Self.buffer()
        defer { block.deallocate() }
        try forEachBlock(in: ranges) { expected, offset in
            try compare(UnsafeMutableRawBufferPointer(rebasing: block[..<expected.count]), with: expected, at: offset)
            progress.add(bytes: UInt64(expected.count))
        }
    }

    /// Reads ranges back; what still holds what was written there is `different` from what it ought to be after an erase.
    func findUnchanged(_ ranges: [DeviceRange]) throws {
        try verify(ranges)
        let gone = different + bad
        different = []
        for range in ranges {
            for start in stride(from: range.start, to: range.end, by: sector)
            where !gone.contains(where: { $0.start <= start && start < $0.end }) {
                different.add(DeviceRange(start: start, length: UInt64(sector)))
            }
        }
    }

    private func compare(
        _ block: UnsafeMutableRawBufferPointer, with expected: UnsafeRawBufferPointer, at offset: UInt64
    ) throws {
        do throws(SystemError) {
            let count = try device.read(into: block, at: Int64(offset))
            if count < block.count { throw SystemError(EIO, "read", "the device") }
        } catch {
            guard error.isBadPlace else { throw error }
            if block.count <= sector {
                return bad.add(DeviceRange(start: offset, length: UInt64(block.count)))
            }
            for half in halves(of: expected) {
                try compare(
                    UnsafeMutableRawBufferPointer(rebasing: block[half.start..<half.start + half.part.count]),
                    with: half.part, at: offset + UInt64(half.start))
            }
            return
        }
        guard let (left, right) = block.baseAddress.flatMap({ left in expected.baseAddress.map { (left, $0) } }),
            memcmp(left, right, block.count) != 0
        else { return }
        for start in stride(from: 0, to: block.count, by: sector)
        where memcmp(left + start, right + start, sector) != 0 {
            different.add(DeviceRange(start: offset + UInt64(start), length: UInt64(sector)))
        }
    }

    private func halves(of block: UnsafeRawBufferPointer) -> [(start: Int, part: UnsafeRawBufferPointer)] {
        let middle = max(sector, block.count / 2 / sector * sector)
        return [
            (0, UnsafeRawBufferPointer(rebasing: block[..<middle])),
            (middle, UnsafeRawBufferPointer(rebasing: block[middle...])),
        ]
    }

    // MARK: Blocks

    private static func buffer() -> UnsafeMutableRawBufferPointer {
        .allocate(byteCount: blockLength, alignment: 4096)
    }

    private struct Block: @unchecked Sendable {
        var buffer: UnsafeMutableRawBufferPointer
        var offset: UInt64
        var count: Int
    }

    /// What the thread that makes blocks came to.
    private final class Maker: @unchecked Sendable {
        var failure: (any Error)?
    }

    /// Calls `body` with what belongs at each place, in order, while the next block is made.
    private func forEachBlock(
        in ranges: [DeviceRange], _ body: (UnsafeRawBufferPointer, UInt64) throws -> Void
    ) throws {
        let free = BoundedQueue<Block>(capacity: 4)
        let filled = BoundedQueue<Block>(capacity: 4)
        let buffers = (0..<(source.isConstant ? 1 : 3)).map { _ in Self.buffer() }
        defer { buffers.forEach { $0.deallocate() } }
        for buffer in buffers {
            if source.isConstant { try source.fill(buffer, at: 0) }
            free.push(Block(buffer: buffer, offset: 0, count: 0))
        }
        let maker = Maker()
        let source = Unchecked(source)
        let thread = WorkerThread {
            do {
                for range in ranges {
                    var offset = range.start
                    while offset < range.end {
                        guard var block = free.pop() else { return }
                        block.offset = offset
                        block.count = Int(min(UInt64(Self.blockLength), range.end - offset))
                        if !source.value.isConstant {
                            try source.value.fill(
                                UnsafeMutableRawBufferPointer(rebasing: block.buffer[..<block.count]), at: offset)
                        }
                        guard filled.push(block) else { return }
                        offset += UInt64(block.count)
                    }
                }
            } catch { maker.failure = error }
            filled.close()
        }
        // Whatever ends this ends the thread first: the buffers go after it.
        defer {
            free.close()
            filled.close()
            thread.join()
        }
        let began = ContinuousClock.now
        var done: UInt64 = 0
        while let block = filled.pop() {
            try progress.checkStop(mend: WipeError.howToGoOn)
            try body(UnsafeRawBufferPointer(rebasing: block.buffer[..<block.count]), block.offset)
            done += UInt64(block.count)
            free.push(block)
            if let bytesPerSecond { Self.waitUntil(began + .seconds(Double(done) / Double(bytesPerSecond))) }
        }
        if let failure = maker.failure { throw failure }
    }

    private static func waitUntil(_ moment: ContinuousClock.Instant) {
        let microseconds = (moment - .now) / .microseconds(1)
        if microseconds > 0 { usleep(UInt32(min(microseconds, 60e6))) }
    }

    /// One thread at a time uses it.
    private struct Unchecked: @unchecked Sendable {
        let value: PatternSource
        init(_ value: PatternSource) { self.value = value }
    }
}
