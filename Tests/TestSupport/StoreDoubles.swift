// Stores that misbehave as networks and media do, around any other store.

internal import Glibc
internal import Platform
public import Stores

/// Passes every call on, by way of one function that a subclass makes its own.
open class InterposedStore: ObjectStore, @unchecked Sendable {
    private let store: any ObjectStore
    private let monitor = Monitor()
    private var count = 0

    public init(_ store: any ObjectStore) { self.store = store }

    /// Calls so far: those of the store, of its uploads and of its sources.
    public var calls: Int { monitor.withLock { count } }

    /// Makes one call, `number` from 1 on.
    open func around<R>(_ number: Int, _ call: () throws(StoreError) -> R) throws(StoreError) -> R { try call() }

    fileprivate func pass<R>(_ call: () throws(StoreError) -> R) throws(StoreError) -> R {
        let number = monitor.withLock {
            count += 1
            return count
        }
        return try around(number, call)
    }

    public var subject: String { store.subject }
    public var connections: Int { store.connections }

    public func topLevel() throws(StoreError) -> [String] {
        try pass { () throws(StoreError) in try store.topLevel() }
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        try pass { () throws(StoreError) in try store.list(folder) }
    }

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        InterposedSource(try pass { () throws(StoreError) in try store.open(name, length: length) }, self)
    }

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        InterposedUpload(try pass { () throws(StoreError) in try store.create(name) }, self)
    }

    public func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        try pass { () throws(StoreError) in try store.put(name, bytes) }
    }

    public func remove(_ name: String) throws(StoreError) {
        try pass { () throws(StoreError) in try store.remove(name) }
    }
}

private final class InterposedSource: ByteSource {
    private let source: any ByteSource
    private let store: InterposedStore

    init(_ source: any ByteSource, _ store: InterposedStore) {
        self.source = source
        self.store = store
    }

    var length: UInt64 { source.length }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        try store.pass { () throws(StoreError) in try source.read(at: offset, into: buffer) }
    }
}

private final class InterposedUpload: ObjectUpload {
    private let upload: any ObjectUpload
    private let store: InterposedStore

    init(_ upload: any ObjectUpload, _ store: InterposedStore) {
        self.upload = upload
        self.store = store
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        try store.pass { () throws(StoreError) in try upload.append(bytes) }
    }

    func commit() throws(StoreError) { try store.pass { () throws(StoreError) in try upload.commit() } }

    /// A call that can fail as well, and then leaves what it should have removed.
    func abandon() {
        do throws(StoreError) { try store.pass { () throws(StoreError) in upload.abandon() } } catch {}
    }
}

/// A store one of whose calls fails: the n-th, or all from it on.
public final class FlakyStore: InterposedStore, @unchecked Sendable {
    public enum Moment: Sendable, CaseIterable {
        /// Nothing has been done.
        case beforeEffect
        /// All has been done, and the answer is lost.
        case afterEffect
    }

    private let failing: Int
    private let isLasting: Bool
    private let moment: Moment
    private let reason: StoreError.Reason

    /// - Parameters:
    ///   - failing: which call, from 1 on; 0 for none.
    ///   - isLasting: all later ones fail as well, before their effect: the medium was pulled.
    public init(
        _ store: any ObjectStore, failing: Int, _ moment: Moment, reason: StoreError.Reason = .failed,
        isLasting: Bool = false
    ) {
        self.failing = failing
        self.moment = moment
        self.reason = reason
        self.isLasting = isLasting
        super.init(store)
    }

    /// Whether the call that fails has come.
    public var hasFailed: Bool { failing > 0 && calls >= failing }

    public override func around<R>(_ number: Int, _ call: () throws(StoreError) -> R) throws(StoreError) -> R {
        guard failing > 0, number == failing || (isLasting && number > failing) else { return try call() }
        if moment == .afterEffect && number == failing { _ = try call() }
        throw StoreError(reason, "reach", subject, "call \(number) fails, as the test wants it")
    }
}

/// A store far away.
public final class SlowStore: InterposedStore, @unchecked Sendable {
    private let microseconds: UInt32

    public init(_ store: any ObjectStore, milliseconds: UInt32 = 30) {
        microseconds = milliseconds * 1000
        super.init(store)
    }

    public override func around<R>(_ number: Int, _ call: () throws(StoreError) -> R) throws(StoreError) -> R {
        usleep(microseconds)
        return try call()
    }
}
