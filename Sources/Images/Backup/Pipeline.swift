// The bounded pipeline between the walk and the medium: the walk fills buffers, workers hash and compress them, one
// thread puts the results in order, seals them and writes. Buffers are used again, so memory does not depend on the tree;
// the order of what is written does not depend on the number of workers.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

/// The id of a chunk that is still being computed.
final class ChunkTicket: @unchecked Sendable {
    /// Set by the thread that puts results in order, before it handles what cites the chunk.
    var id = Digest.zero
}

/// A chunk on its way.
final class ChunkJob: @unchecked Sendable {
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: Format.maximumChunkLength, alignment: 64)
    private(set) lazy var output = UnsafeMutableRawBufferPointer.allocate(
        byteCount: ChunkEncoder.capacity(for: Format.maximumChunkLength), alignment: 64)
    var inputLength = 0
    var outputLength = 0
    var ticket = ChunkTicket()
    var id = Digest.zero
    /// Whether the store has it, so that it was not compressed.
    var isKnown = false
    fileprivate var isDone = false

    deinit {
        input.deallocate()
        output.deallocate()
    }

    var content: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: input[..<inputLength]) }
    var prepared: PreparedChunk {
        PreparedChunk(
            id: id, plain: UnsafeRawBufferPointer(rebasing: output[..<outputLength]), contentLength: inputLength)
    }
}

/// Records, in which the ids of chunks are still to be filled in.
struct ManifestPiece: Sendable {
    var bytes: [UInt8] = []
    var patches: [(offset: Int, ticket: ChunkTicket)] = []

    /// Cites a whole chunk as the next content of the file under way.
    mutating func append(contentOf job: ChunkJob, length: Int) {
        job.inputLength = length
        var slice: [UInt8] = []
        // safe: a length in a buffer
        let place = Slice.append(length: UInt64(length), offset: 0, to: &slice)
        bytes.append(RecordKind.content.rawValue)
        bytes.append(varint: UInt64(slice.count))
        patches.append((bytes.count + place, job.ticket))
        bytes += slice
    }

    mutating func resolve() {
        for (offset, ticket) in patches {
            ticket.id.withUnsafeBytes { id in
                bytes.withUnsafeMutableBytes {
                    UnsafeMutableRawBufferPointer(rebasing: $0[offset..<offset + 32]).copyMemory(from: id)
                }
            }
        }
        patches.removeAll()
    }
}

/// Where a pipeline's results go, in the order of the walk.
protocol PipelineOutput: AnyObject {
    /// Whether a chunk need not be compressed, since the store has it. Called by the workers.
    func isKnown(_ id: Digest) throws -> Bool
    func take(_ job: ChunkJob) throws
    func take(_ piece: ManifestPiece) throws
    /// Everything has come.
    func finish() throws
}

final class Pipeline: @unchecked Sendable {
    private enum Work {
        case chunk(ChunkJob)
        case piece(ManifestPiece)
    }

    private let monitor = Monitor()
    private let free: BoundedQueue<ChunkJob>
    private let toCompute: BoundedQueue<ChunkJob>
    private let inOrder: BoundedQueue<Work>
    private var threads: [WorkerThread] = []
    private var failure: (any Error)?

    init(group: GroupKeys, level: Int, output: any PipelineOutput & Sendable) throws {
        let workers = processorCount
        let buffers = 2 * workers + 2
        free = BoundedQueue(capacity: buffers)
        toCompute = BoundedQueue(capacity: buffers)
        inOrder = BoundedQueue(capacity: buffers + 8)
        for _ in 0..<buffers { free.push(ChunkJob()) }
        for _ in 0..<workers {
            let encoder = try ChunkEncoder(group: group, level: level)
            threads.append(WorkerThread { [self] in compute(encoder, output) })
        }
        threads.append(WorkerThread { [self] in putInOrder(output) })
    }

    private func compute(_ encoder: ChunkEncoder, _ output: any PipelineOutput) {
        let zeros = ZeroChunks()
        while let job = toCompute.pop() {
            do {
                let content = job.content
                job.id = try zeros.digest(of: content) { try encoder.digest(of: $0) }
                job.isKnown = try output.isKnown(job.id)
                if !job.isKnown { job.outputLength = try encoder.prepare(content, id: job.id, into: job.output) }
            } catch { fail(error) }
            monitor.withLock {
                job.isDone = true
                monitor.wakeAll()
            }
        }
    }

    private func putInOrder(_ output: any PipelineOutput) {
        while let work = inOrder.pop() {
            do {
                switch work {
                case .chunk(let job):
                    monitor.withLock { while !job.isDone { monitor.wait() } }
                    if hasFailed { free.push(job); continue }
                    job.ticket.id = job.id
                    try output.take(job)
                    free.push(job)
                case .piece(var piece):
                    if hasFailed { continue }
                    piece.resolve()
                    try output.take(piece)
                }
            } catch {
                fail(error)
                if case .chunk(let job) = work { free.push(job) }
            }
        }
    }

    private var hasFailed: Bool { monitor.withLock { failure != nil } }

    private func fail(_ error: any Error) { monitor.withLock { if failure == nil { failure = error } } }

    /// Throws what went wrong on another thread.
    func check() throws {
        if let failure = monitor.withLock({ self.failure }) { throw failure }
    }

    /// A buffer to fill; waits until one is free.
    func buffer() throws -> ChunkJob {
        try check()
        guard let job = free.pop() else { throw Interrupted() }
        job.inputLength = 0
        job.isDone = false
        job.ticket = ChunkTicket()
        return job
    }

    /// Hands in a filled buffer.
    func submit(_ job: ChunkJob) {
        inOrder.push(.chunk(job))
        toCompute.push(job)
    }

    /// Gives a buffer back unused.
    func discard(_ job: ChunkJob) { free.push(job) }

    /// Hands in records; the chunks that they cite have been handed in before.
    func submit(_ piece: ManifestPiece) throws {
        try check()
        inOrder.push(.piece(piece))
    }

    /// Waits until everything has been written; nothing can be handed in after it.
    func finish() throws {
        toCompute.close()
        inOrder.close()
        threads.forEach { $0.join() }
        try check()
    }

    /// Stops after a failure of the walk itself.
    func cancel() {
        fail(Interrupted())
        toCompute.close()
        inOrder.close()
        threads.forEach { $0.join() }
    }
}

/// Chunks of nothing but zeros have few lengths: their ids are computed once.
private final class ZeroChunks {
    private var known: [Int: Digest] = [:]

    func digest(
        of content: UnsafeRawBufferPointer, _ compute: (UnsafeRawBufferPointer) throws -> Digest
    ) rethrows -> Digest {
        guard isAllZero(content) else { return try compute(content) }
        if let digest = known[content.count] { return digest }
        let digest = try compute(content)
        if known.count < 64 { known[content.count] = digest }
        return digest
    }
}

/// Whether there is nothing but zeros, told by the first bytes nearly always.
package func isAllZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress, !bytes.isEmpty, bytes[0] == 0 else { return bytes.isEmpty }
    return memcmp(start, start + 1, bytes.count - 1) == 0
}
