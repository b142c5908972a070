// A store that repeats what failed for a moment. A put whose answer was lost is recognised by what is there.

internal import Glibc
public import Platform

public final class RetryingStore: ObjectStore {
    private let store: any ObjectStore
    private let attempts: Int
    private let pause: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - attempts: how often a call is made at most.
    ///   - pause: waits after the attempt of this number, from 1; by default 0.5 s, doubled each time.
    public init(
        _ store: any ObjectStore, attempts: Int = 5,
        pause: (@Sendable (Int) -> Void)? = nil
    ) {
        self.store = store
        self.attempts = max(1, attempts)
        self.pause = pause ?? { usleep(500_000 << UInt32(min($0, 6) - 1)) }
    }

    public var subject: String { store.subject }
    public var connections: Int { store.connections }
    public var localFolder: FileIdentity? { store.localFolder }

    fileprivate func repeating<R>(_ call: () throws(StoreError) -> R) throws(StoreError) -> R {
        var attempt = 1
        while true {
            do throws(StoreError) {
                return try call()
            } catch {
                guard error.isPassing, attempt < attempts else { throw error }
                pause(attempt)
                attempt += 1
            }
        }
    }

    public func topLevel() throws(StoreError) -> [String] {
        try repeating { () throws(StoreError) in try store.topLevel() }
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        try repeating { () throws(StoreError) in try store.list(folder) }
    }

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        let source = try repeating { () throws(StoreError) in try store.open(name, length: length) }
        return RetryingSource(source, self)
    }

    /// Only its beginning and its end are repeated: what is streamed cannot be read a second time. Small objects are put whole.
    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        let upload = try repeating { () throws(StoreError) in try store.create(name) }
        return RetryingUpload(upload, self)
    }

    public func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        var isRepeated = false
        try repeating { () throws(StoreError) in
            defer { isRepeated = true }
            do throws(StoreError) {
                try store.put(name, bytes)
            } catch {
                // The first attempt had its effect, and its answer was lost. A folder's sync that failed does not come here again: it is
                // `.notDurable`, and reading the bytes back would prove nothing.
                guard error.reason == .exists, isRepeated, try holds(name, bytes) else { throw error }
            }
        }
    }

    private func holds(_ name: String, _ bytes: [UInt8]) throws(StoreError) -> Bool {
        guard let source = try store.openIfPresent(name), source.length == UInt64(bytes.count) else { return false }
        return try source.read(at: 0, count: bytes.count) == bytes
    }

    public func remove(_ name: String) throws(StoreError) {
        try repeating { () throws(StoreError) in try store.remove(name) }
    }
}

extension StoreError {
    /// Whether the same call may succeed in a moment.
    fileprivate var isPassing: Bool { reason == .failed || reason == .unreachable }
}

private final class RetryingSource: ByteSource {
    private let source: any ByteSource
    private let store: RetryingStore

    init(_ source: any ByteSource, _ store: RetryingStore) {
        self.source = source
        self.store = store
    }

    var length: UInt64 { source.length }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        try store.repeating { () throws(StoreError) in try source.read(at: offset, into: buffer) }
    }
}

private final class RetryingUpload: ObjectUpload {
    private let upload: any ObjectUpload
    private let store: RetryingStore

    init(_ upload: any ObjectUpload, _ store: RetryingStore) {
        self.upload = upload
        self.store = store
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) { try upload.append(bytes) }
    func commit() throws(StoreError) { try store.repeating { () throws(StoreError) in try upload.commit() } }
    func abandon() { upload.abandon() }
}
