// A store that tells what is done to it: what a person sees with --verbose, and what tests count.

public import Platform

/// One call on a store, after it has ended.
public struct StoreCall: Sendable {
    public enum Verb: String, Sendable { case list, open, read, create, append, commit, put, remove }
    public var verb: Verb
    public var name: String
    /// Bytes that were read, appended or put.
    public var bytes: Int
    public var error: StoreError?
}

/// Passes every call on and reports it.
public final class LoggingStore: ObjectStore {
    private let store: any ObjectStore
    private let report: @Sendable (StoreCall) -> Void

    /// - Parameter report: called by the thread that made the call, also by several at once.
    public init(_ store: any ObjectStore, report: @escaping @Sendable (StoreCall) -> Void) {
        self.store = store
        self.report = report
    }

    public var subject: String { store.subject }
    public var connections: Int { store.connections }
    public var localFolder: FileIdentity? { store.localFolder }

    public func topLevel() throws(StoreError) -> [String] {
        try reporting(.list, "", report) { () throws(StoreError) in try store.topLevel() }
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        try reporting(.list, folder, report) { () throws(StoreError) in try store.list(folder) }
    }

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        let source = try reporting(.open, name, report) { () throws(StoreError) in
            try store.open(name, length: length)
        }
        return LoggingSource(source, name, report)
    }

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        let upload = try reporting(.create, name, report) { () throws(StoreError) in try store.create(name) }
        return LoggingUpload(upload, name, report)
    }

    public func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        try reporting(.put, name, bytes: bytes.count, report) { () throws(StoreError) in try store.put(name, bytes) }
    }

    public func remove(_ name: String) throws(StoreError) {
        try reporting(.remove, name, report) { () throws(StoreError) in try store.remove(name) }
    }
}

private func reporting<R>(
    _ verb: StoreCall.Verb, _ name: String, bytes: Int = 0, _ report: (StoreCall) -> Void,
    _ call: () throws(StoreError) -> R
) throws(StoreError) -> R {
    do throws(StoreError) {
        let result = try call()
        report(StoreCall(verb: verb, name: name, bytes: bytes))
        return result
    } catch {
        report(StoreCall(verb: verb, name: name, bytes: bytes, error: error))
        throw error
    }
}

private final class LoggingSource: ByteSource {
    private let source: any ByteSource
    private let name: String
    private let report: @Sendable (StoreCall) -> Void

    init(_ source: any ByteSource, _ name: String, _ report: @escaping @Sendable (StoreCall) -> Void) {
        self.source = source
        self.name = name
        self.report = report
    }

    var length: UInt64 { source.length }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        try reporting(.read, name, bytes: buffer.count, report) { () throws(StoreError) in
            try source.read(at: offset, into: buffer)
        }
    }
}

private final class LoggingUpload: ObjectUpload {
    private let upload: any ObjectUpload
    private let name: String
    private let report: @Sendable (StoreCall) -> Void

    init(_ upload: any ObjectUpload, _ name: String, _ report: @escaping @Sendable (StoreCall) -> Void) {
        self.upload = upload
        self.name = name
        self.report = report
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        try reporting(.append, name, bytes: bytes.count, report) { () throws(StoreError) in try upload.append(bytes) }
    }

    func commit() throws(StoreError) {
        try reporting(.commit, name, report) { () throws(StoreError) in try upload.commit() }
    }

    func abandon() { upload.abandon() }
}
