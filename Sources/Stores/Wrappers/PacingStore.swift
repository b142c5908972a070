// A store that is written and read no faster than the plant's network or disk may be loaded.

internal import Glibc
public import Platform

public final class PacingStore: ObjectStore {
    private let store: any ObjectStore
    private let pace: Pace

    /// - Parameter bytesPerSecond: of all reads and writes together; at least 1.
    public init(_ store: any ObjectStore, bytesPerSecond: UInt64) {
        self.store = store
        pace = Pace(bytesPerSecond: max(1, bytesPerSecond))
    }

    public var subject: String { store.subject }
    public var connections: Int { store.connections }
    public var localFolder: FileIdentity? { store.localFolder }

    public func topLevel() throws(StoreError) -> [String] {
        try store.topLevel()
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] { try store.list(folder) }

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        PacingSource(try store.open(name, length: length), pace)
    }

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        PacingUpload(try store.create(name), pace)
    }

    public func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        pace.pass(bytes.count)
        try store.put(name, bytes)
    }

    public func remove(_ name: String) throws(StoreError) { try store.remove(name) }
}

/// Bytes over time, for all threads together.
private final class Pace: @unchecked Sendable {
    private let monitor = Monitor()
    private let bytesPerSecond: UInt64
    /// When what was let through so far would have passed at this rate, in nanoseconds of the monotonic clock.
    private var due: UInt64 = 0

    init(bytesPerSecond: UInt64) { self.bytesPerSecond = bytesPerSecond }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(clamping: time.tv_sec) * 1_000_000_000 + UInt64(clamping: time.tv_nsec)
    }

    /// Waits until the bytes that went before have had their time.
    func pass(_ count: Int) {
        let now = Self.now
        let wait = monitor.withLock { () -> UInt64 in
            let begin = max(due, now)
            // Nobody is held up for more than an hour by one call.
            let seconds = min(Double(count) / Double(bytesPerSecond), 3600)
            due = begin + UInt64(seconds * 1_000_000_000)
            return begin - now
        }
        // A signal may end it early, which costs nothing.
        usleep(UInt32(clamping: wait / 1000))
    }
}

private final class PacingSource: ByteSource {
    private let source: any ByteSource
    private let pace: Pace

    init(_ source: any ByteSource, _ pace: Pace) {
        self.source = source
        self.pace = pace
    }

    var length: UInt64 { source.length }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        pace.pass(buffer.count)
        try source.read(at: offset, into: buffer)
    }
}

private final class PacingUpload: ObjectUpload {
    private let upload: any ObjectUpload
    private let pace: Pace

    init(_ upload: any ObjectUpload, _ pace: Pace) {
        self.upload = upload
        self.pace = pace
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        pace.pass(bytes.count)
        try upload.append(bytes)
    }

    func commit() throws(StoreError) { try upload.commit() }
    func abandon() { upload.abandon() }
}
