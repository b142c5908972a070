// A store whose calls end once somebody has asked the work to stop: whatever is read or written, Ctrl-C and SIGTERM end it within a call.

public import Platform
public import Reporting

/// Passes every call on until a stop is asked for. Removals pass: they clear what is left behind.
public final class StoppingStore: ObjectStore {
    private let store: any ObjectStore
    private let stop: Stop

    public init(_ store: any ObjectStore, _ stop: Stop) {
        self.store = store
        self.stop = stop
    }

    public var subject: String { store.subject }
    public var connections: Int { store.connections }
    public var localFolder: FileIdentity? { store.localFolder }

    fileprivate func check(_ operation: String, _ name: String) throws(StoreError) {
        if stop.isStopRequested { throw StoreError(.interrupted, operation, name) }
    }

    public func topLevel() throws(StoreError) -> [String] {
        try check("list", subject)
        return try store.topLevel()
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        try check("list", folder)
        return try store.list(folder)
    }

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        try check("open", name)
        return StoppingSource(try store.open(name, length: length), self)
    }

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        try check("create", name)
        return try store.create(name)
    }

    public func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        try check("create", name)
        try store.put(name, bytes)
    }

    public func remove(_ name: String) throws(StoreError) { try store.remove(name) }
}

private final class StoppingSource: ByteSource {
    private let source: any ByteSource
    private let store: StoppingStore

    init(_ source: any ByteSource, _ store: StoppingStore) {
        self.source = source
        self.store = store
    }

    var length: UInt64 { source.length }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        try store.check("read", store.subject)
        try source.read(at: offset, into: buffer)
    }
}
