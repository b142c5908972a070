// Makes the volumes of a run durable while the next are computed, several at once where a server is far away, adds them to the run's
// index object, and from time to time writes a checkpoint that names them.

internal import Platform
internal import Stores

/// A volume whose bytes are complete.
struct FinishedVolume: Sendable {
    var part: IndexPart
    /// Its copies.
    var uploads: [any ObjectUpload]
}

final class VolumeFinisher: @unchecked Sendable {
    private let objects: any ObjectStore
    private let run: RunRecord
    private let writer: WriterKey
    private let queue: BoundedQueue<FinishedVolume>
    private var threads: [WorkerThread] = []
    private let monitor = Monitor()
    private var failure: (any Error)?
    private var indexWriter: IndexObjectWriter?
    /// Volumes that are durable, and that no checkpoint names yet.
    private var unnamed: [VolumeReference] = []
    private var lastCheckpoint = Timestamp.now().seconds
    private var isCheckpointing = false
    private var made: [ObjectName] = []
    private var names: [String] = []
    private let secondsBetween: Int64

    private static let checkpointBytes: UInt64 = 1 << 30

    init(_ objects: any ObjectStore, run: RunRecord, writer: WriterKey) {
        self.objects = objects
        self.run = run
        self.writer = writer
        let isFar = objects.isFar
        // Of what goes to a server each is held in memory, and a checkpoint cannot be removed by who may only create.
        queue = BoundedQueue(capacity: isFar ? 1 : 2)
        secondsBetween = isFar ? 15 * 60 : 10
        for _ in 0..<(isFar ? 3 : 1) { threads.append(WorkerThread { [self] in work() }) }
    }

    /// The checkpoints that were written.
    var checkpoints: [ObjectName] { monitor.withLock { made } }
    /// What the run has created in the store so far, by name.
    var created: [String] { monitor.withLock { names } }

    /// Begins a volume, or several copies of it.
    func create(_ copies: [String]) throws -> [any ObjectUpload] {
        // Of several the first may be there when the second fails.
        monitor.withLock { names += copies }
        return try objects.create(copies: copies)
    }

    /// Waits for room.
    func push(_ volume: FinishedVolume) throws {
        try monitor.withLock { try addToIndexObject(volume.part) }
        queue.push(volume)
    }

    /// Throws what went wrong on another thread.
    func check() throws { if let failure = monitor.withLock({ self.failure }) { throw failure } }

    /// Waits until everything is durable.
    func finish() throws {
        end()
        try check()
    }

    /// Waits for what is under way.
    func end() {
        queue.close()
        threads.forEach { $0.join() }
        // Their closures hold this.
        threads = []
    }

    private func work() {
        while let volume = queue.pop() {
            do {
                // On a server each costs the same turns, and the second takes them beside the first.
                let copies = volume.uploads.dropFirst().map { upload in Beside(objects.isFar) { try upload.commit() } }
                try volume.uploads.first?.commit()
                for copy in copies { try copy.value() }
                monitor.withLock { unnamed.append(volume.part.volume) }
                try checkpointIfDue()
            } catch {
                monitor.withLock { if failure == nil { failure = error } }
                queue.close()
            }
        }
    }

    /// By one thread at a time.
    func addToIndexObject(_ part: IndexPart) throws {
        if indexWriter == nil {
            indexWriter = try IndexObjectWriter(run.index, run: run.id, writer: writer, in: objects)
            if let name = indexWriter?.name.text { names.append(name) }
        }
        try indexWriter?.append(part)
    }

    /// Ends the index object; it is durable on return, and names volumes that may still be on their way: nothing refers to it yet. nil where
    /// the run has none. To be called after the last volume was pushed.
    func finishIndex() throws -> VolumeReference? { try indexWriter?.finish() }

    private func checkpointIfDue() throws {
        let due = monitor.withLock { () -> [VolumeReference]? in
            let bytes = unnamed.reduce(UInt64(0)) { $0 &+ $1.length }
            let now = Timestamp.now().seconds
            guard !isCheckpointing, bytes >= Self.checkpointBytes || now &- lastCheckpoint >= secondsBetween else {
                return nil
            }
            isCheckpointing = true
            lastCheckpoint = now
            defer { unnamed = [] }
            return unnamed
        }
        guard let due else { return }
        defer { monitor.withLock { isCheckpointing = false } }
        let name = try run.checkpoint(checkpoints.count)
        let (bytes, _) = try makeObject(.checkpoint, id: name.id, run: run.id, writer: writer) {
            try $0.append(.volumes, NamedObjects(volumes: due).encoded())
        }
        try objects.put(name.text, bytes)
        monitor.withLock { made.append(name) }
    }
}
