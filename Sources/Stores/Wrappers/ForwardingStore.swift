// A store in front of another. Every call, those on its sources and uploads too, goes through one function: a wrapper is what it does there.

public import Platform

/// One call on a store.
public struct StoreCall: Sendable {
    public enum Verb: String, Sendable {
        case list, open, read, create, append, commit, abandon, put, remove, lock, time, capacity
    }
    public var verb: Verb
    /// The object or the folder; empty for the store as a whole.
    public var name: String
    /// Bytes that are read, appended or put.
    public var bytes = 0
    /// What it failed of; known to who is told after it has ended.
    public var error: StoreError?
}

/// Passes every call on.
open class ForwardingStore: ObjectStore, @unchecked Sendable {
    /// The one that is wrapped.
    public let store: any ObjectStore

    public init(_ store: any ObjectStore) { self.store = store }

    /// Makes one call: before it, after it, in its place or several times is room for what a wrapper adds.
    open func around<R>(_ call: StoreCall, _ body: () throws(StoreError) -> R) throws(StoreError) -> R { try body() }

    public var subject: String { store.subject }
    public var connections: Int { store.connections }
    public var localFolder: FileIdentity? { store.localFolder }
    public var openFolder: Descriptor? { store.openFolder }
    public var objectLength: UInt64? { store.objectLength }

    public func topLevel() throws(StoreError) -> [String] {
        try around(StoreCall(verb: .list, name: "")) { () throws(StoreError) in try store.topLevel() }
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        try around(StoreCall(verb: .list, name: folder)) { () throws(StoreError) in try store.list(folder) }
    }

    public func list(_ folder: String, begin: () -> Void, _ take: ([StoredObject]) -> Void) throws(StoreError) {
        try around(StoreCall(verb: .list, name: folder)) { () throws(StoreError) in
            try store.list(folder, begin: begin, take)
        }
    }

    open func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        let source = try around(StoreCall(verb: .open, name: name)) { () throws(StoreError) in
            try store.open(name, length: length)
        }
        return ForwardingSource(source, name, self)
    }

    open func expect(_ name: String, length: UInt64, _ range: Range<UInt64>) {
        store.expect(name, length: length, range)
    }

    open func read(_ name: String, limit: Int) throws(StoreError) -> [UInt8]? {
        try around(StoreCall(verb: .read, name: name)) { () throws(StoreError) in try store.read(name, limit: limit) }
    }

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        let upload = try around(StoreCall(verb: .create, name: name)) { () throws(StoreError) in try store.create(name)
        }
        return ForwardingUpload(upload, name, self)
    }

    public func create(copies names: [String]) throws(StoreError) -> [any ObjectUpload] {
        let uploads = try around(StoreCall(verb: .create, name: names.first ?? "")) { () throws(StoreError) in
            try store.create(copies: names)
        }
        return zip(uploads, names).map { ForwardingUpload($0, $1, self) }
    }

    open func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        try around(StoreCall(verb: .put, name: name, bytes: bytes.count)) { () throws(StoreError) in
            try store.put(name, bytes)
        }
    }

    public func prepare(_ name: String, _ bytes: [UInt8]) throws(StoreError) -> any PreparedObject {
        ForwardingObject(try store.prepare(name, bytes), name, bytes, self)
    }

    /// Puts what was prepared, as one call.
    open func put(_ object: any PreparedObject, _ name: String, _ bytes: [UInt8]) throws(StoreError) {
        try around(StoreCall(verb: .put, name: name, bytes: bytes.count)) { () throws(StoreError) in try object.put() }
    }

    public func makeFolder(_ folder: String) throws(StoreError) {
        try around(StoreCall(verb: .create, name: folder)) { () throws(StoreError) in try store.makeFolder(folder) }
    }

    open func remove(_ name: String) throws(StoreError) {
        try around(StoreCall(verb: .remove, name: name)) { () throws(StoreError) in try store.remove(name) }
    }

    open func prolongLock(of name: String, until time: Int64, unlessUntil enough: Int64) throws(StoreError) -> Bool {
        try around(StoreCall(verb: .lock, name: name)) { () throws(StoreError) in
            try store.prolongLock(of: name, until: time, unlessUntil: enough)
        }
    }

    open func time(in folder: String) throws(StoreError) -> Int64? {
        try around(StoreCall(verb: .time, name: folder)) { () throws(StoreError) in try store.time(in: folder) }
    }

    public func capacity() throws(StoreError) -> UInt64? {
        try around(StoreCall(verb: .capacity, name: "")) { () throws(StoreError) in try store.capacity() }
    }
}

private final class ForwardingSource: ByteSource {
    private let source: any ByteSource
    private let name: String
    private let store: ForwardingStore

    init(_ source: any ByteSource, _ name: String, _ store: ForwardingStore) {
        self.source = source
        self.name = name
        self.store = store
    }

    var length: UInt64 { source.length }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        try store.around(StoreCall(verb: .read, name: name, bytes: buffer.count)) { () throws(StoreError) in
            try source.read(at: offset, into: buffer)
        }
    }
}

private final class ForwardingObject: PreparedObject {
    private let object: any PreparedObject
    private let name: String
    private let bytes: [UInt8]
    private let store: ForwardingStore

    init(_ object: any PreparedObject, _ name: String, _ bytes: [UInt8], _ store: ForwardingStore) {
        self.object = object
        self.name = name
        self.bytes = bytes
        self.store = store
    }

    func put() throws(StoreError) { try store.put(object, name, bytes) }
}

private final class ForwardingUpload: ObjectUpload {
    private let upload: any ObjectUpload
    private let name: String
    private let store: ForwardingStore

    init(_ upload: any ObjectUpload, _ name: String, _ store: ForwardingStore) {
        self.upload = upload
        self.name = name
        self.store = store
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        try store.around(StoreCall(verb: .append, name: name, bytes: bytes.count)) { () throws(StoreError) in
            try upload.append(bytes)
        }
    }

    func commit() throws(StoreError) {
        try store.around(StoreCall(verb: .commit, name: name)) { () throws(StoreError) in try upload.commit() }
    }

    /// One that fails leaves what it should have removed; nobody waits for its answer.
    func abandon() {
        do throws(StoreError) {
            try store.around(StoreCall(verb: .abandon, name: name)) { () throws(StoreError) in upload.abandon() }
        } catch {}
    }
}
