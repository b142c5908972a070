// The workers of a restore: each takes a chunk, reads and checks it, and hands its parts to the files that want them.

internal import Cryptography
internal import Platform
internal import Reporting

/// What parts of chunks are for. Used by several threads at once.
protocol RestoredContent: AnyObject, Sendable {
    /// - Parameter isWhole: whether the part is all that it is.
    func take(_ content: UnsafeRawBufferPointer, at offset: UInt64, isWhole: Bool)
    /// A part of it cannot be had.
    func fail(_ reason: String, _ range: Range<UInt64>)
    /// A part is done with, whatever became of it.
    func release()
    /// Whether the restore ends, so that nothing more is wanted.
    var isStopped: Bool { get }
    /// Nothing more can be read.
    func stop(_ error: ImageError)
}

extension RestoreFile: RestoredContent {}

/// A chunk, and the parts of files that it holds. Filled by the walk, then used by one worker.
final class RestoreJob: @unchecked Sendable {
    let id: Digest
    let chunks: any ChunkProvider
    var parts: [(file: any RestoredContent, slice: Slice, offset: UInt64, isWhole: Bool)] = []

    init(_ id: Digest, _ chunks: any ChunkProvider) {
        self.id = id
        self.chunks = chunks
    }
}

final class RestoreQueue: @unchecked Sendable {
    private let queue: BoundedQueue<RestoreJob>
    private let progress: Progress
    private let idle = Monitor()
    private var underWay = 0
    private var workers: [WorkerThread] = []

    /// - Parameter foresight: how many chunks should be known before they are read.
    init(progress: Progress, foresight: Int) throws {
        self.progress = progress
        // One more than there are processors: in one file, and in one folder, only one of them writes at a time, and the others wait for it.
        let count = processorCount + 1
        queue = BoundedQueue(capacity: count + processorCount + 1 + foresight)
        workers = try (0..<count).map { _ in
            let workspace = try ChunkWorkspace()
            return WorkerThread { [self] in
                while let job = queue.pop() { work(job, workspace) }
            }
        }
    }

    func submit(_ job: RestoreJob) {
        idle.withLock { underWay += 1 }
        job.chunks.expect(job.id)
        queue.push(job)
    }

    func waitUntilIdle() { idle.withLock { while underWay > 0 { idle.wait() } } }

    /// Waits for what was submitted, and ends the workers.
    func finish() {
        queue.close()
        workers.forEach { $0.join() }
        // The workers' closures hold the queue.
        workers = []
    }

    private func work(_ job: RestoreJob, _ workspace: ChunkWorkspace) {
        do {
            if job.parts.first?.file.isStopped == true { throw Interrupted() }
            try job.chunks.read(job.id, into: workspace)
            for part in job.parts {
                do throws(FormatError) {
                    let range = try part.slice.range(in: workspace.content)
                    part.file.take(
                        UnsafeRawBufferPointer(rebasing: workspace.content[range]), at: part.offset,
                        isWhole: part.isWhole)
                    progress.add(bytes: UInt64(range.count))
                } catch {
                    // safe: placed where a file can be
                    part.file.fail(error.description, part.offset..<part.offset + part.slice.length)
                }
            }
        } catch {
            if let error = error as? ImageError, error.endsReading { job.parts.first?.file.stop(error) }
            // safe: placed where a file can be
            for part in job.parts { part.file.fail("\(error)", part.offset..<part.offset + part.slice.length) }
        }
        for part in job.parts { part.file.release() }
        idle.withLock {
            underWay -= 1
            idle.wakeAll()
        }
    }
}
