// What a store is: named, immutable objects somewhere. It knows names and bytes, no keys and no format. A folder, an SFTP server and an
// object store can each be one file; what they promise is checked by one suite of behaviours (StoresTests).

public import Platform

/// Objects by their names, which are relative and have `/` between their parts; no part is empty or begins with a dot.
///
/// Calls block; they come from threads of their own, several at once.
public protocol ObjectStore: AnyObject, Sendable {
    /// What people know it by, without secrets.
    var subject: String { get }
    /// How many calls at once are worth it: 2 for a disk, 8 for a server far away.
    var connections: Int { get }
    /// The length, in bytes, at which an object that could be longer should end; nil where it makes no difference. What goes to a server is
    /// held in memory until it is there, and sent again whole where that fails.
    var objectLength: UInt64? { get }

    /// The folder on this machine that it is, so that no backup takes it with it; nil where it is none.
    var localFolder: FileIdentity? { get }
    /// The same, open, so that somebody can ask which disk it is on.
    var openFolder: Descriptor? { get }

    /// The first parts of all names, whatever they belong to; none where there is nothing yet.
    func topLevel() throws(StoreError) -> [String]

    /// All objects below a folder, with their lengths; none where there is no such folder. A part that cannot be listed is an error.
    func list(_ folder: String) throws(StoreError) -> [StoredObject]

    /// The same, part by part, so that nobody holds all names of a large store at once.
    /// - Parameters:
    ///   - begin: called before the first part, and again where it is all repeated: what was taken counts for nothing then.
    ///   - take: gets a part, in the order of names within it. Where this throws, all parts count for nothing.
    func list(_ folder: String, begin: () -> Void, _ take: ([StoredObject]) -> Void) throws(StoreError)

    /// Opens an object for reading.
    /// - Parameter length: its length where the caller knows it, so that nobody has to ask; a wrong one ends reads with `.ended`.
    /// - Throws: `.absent` where there is none. A store far away may say it at the first read only, where the length was given.
    func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource

    /// A part of an object will be read soon, by who knows how long it is. Whoever is far away may read it before that; nobody is told of
    /// what goes wrong.
    func expect(_ name: String, length: UInt64, _ range: Range<UInt64>)

    /// The whole bytes of a small object; nil where there is none.
    /// - Parameter limit: the longest that is read; a longer one ends with `.failed`.
    func read(_ name: String, limit: Int) throws(StoreError) -> [UInt8]?

    /// Begins a new object, which never replaces one. Whether one of this name is there already is said here or, at the latest, by
    /// `commit`: `.exists`.
    func create(_ name: String) throws(StoreError) -> any ObjectUpload

    /// Begins several objects that get the same bytes, each appended to all of them.
    func create(copies names: [String]) throws(StoreError) -> [any ObjectUpload]

    /// Writes a small object whole. It is durable on return. One of this name stays: `.exists`. Wrappers hand it on as one call: that is how
    /// it can be repeated.
    func put(_ name: String, _ bytes: [UInt8]) throws(StoreError)

    /// Prepares a small object, as far as that can be done before a last look at what it depends on. A server may date what is prepared, and
    /// refuse what is too old when it comes: `.expired`. No wrapper repeats its `put`: whoever looked looks again first.
    func prepare(_ name: String, _ bytes: [UInt8]) throws(StoreError) -> any PreparedObject

    /// Makes a folder for objects beforehand, where a store has folders and who writes to it later may not make any.
    func makeFolder(_ folder: String) throws(StoreError)

    /// Removes an object; one that is not there is fine. It is gone for good on return, so that what is removed later cannot outlive it in
    /// the wrong order after a power cut.
    func remove(_ name: String) throws(StoreError)

    /// Prolongs the lock of an object: until then nobody can remove it for good.
    /// - Parameters:
    ///   - time: in seconds since 1970 by the store's clock.
    ///   - enough: one that lasts so long already stays as it is.
    /// - Returns: whether it was prolonged. False as well where a store has no locks.
    func prolongLock(of name: String, until time: Int64, unlessUntil enough: Int64) throws(StoreError) -> Bool

    /// The store's own clock, in seconds since 1970: what it would date an object in this folder with now. nil where it has none to tell.
    /// Only for who may create something there.
    func time(in folder: String) throws(StoreError) -> Int64?

    /// The bytes of the file system that it is on, free or not; nil where there is none, or the store does not tell.
    func capacity() throws(StoreError) -> UInt64?
}

public struct StoredObject: Hashable, Sendable {
    public var name: String
    /// In bytes.
    public var length: UInt64
    /// When it was written by the store's own clock, in seconds since 1970; nil where the store does not say it. Who has the medium can set
    /// it as he likes.
    public var modified: Int64?

    public init(name: String, length: UInt64, modified: Int64? = nil) {
        self.name = name
        self.length = length
        self.modified = modified
    }

    public var lastComponent: Substring {
        name[(name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex)...]
    }
}

/// An object that is being written. Not for two threads at once.
public protocol ObjectUpload: AnyObject, Sendable {
    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError)
    /// Makes the object durable under its name. Before it returns, nothing may refer to it. May be called again after it has failed.
    func commit() throws(StoreError)
    /// Removes what this upload wrote, as far as possible; never what another one has under the same name.
    func abandon()
}

/// A small object that was prepared.
public protocol PreparedObject: AnyObject, Sendable {
    /// Writes it, as `ObjectStore.put` does.
    func put() throws(StoreError)
}

/// Bytes that can be read at any place.
public protocol ByteSource: AnyObject, Sendable {
    var length: UInt64 { get }
    /// Fills the buffer from `offset` on.
    /// - Throws: `.ended` where there is less.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError)
}

extension ByteSource {
    public func read(at offset: UInt64, count: Int) throws(StoreError) -> [UInt8] {
        guard count >= 0, offset <= length, UInt64(count) <= length - offset else {
            // The source says it, and of what.
            try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { one throws(StoreError) in
                try read(at: length, into: one)
            }
            throw StoreError(.ended, "read", "the object")
        }
        var failure: StoreError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(StoreError) {
                try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
                filled = count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// Bytes in memory.
public final class MemorySource: ByteSource {
    public let bytes: [UInt8]
    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public var length: UInt64 { UInt64(bytes.count) }

    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        guard offset <= length, UInt64(buffer.count) <= length - offset else { throw StoreError(.ended, "read", "it") }
        bytes.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + buffer.count]))
        }
    }
}

extension ObjectStore {
    /// Whether each call costs a round trip, so that several at once are worth it.
    public var isFar: Bool { objectLength != nil }

    /// How many small objects are read at once: there it is the distance that counts.
    public var smallCalls: Int { isFar ? 32 : 1 }

    public func list(_ folder: String, begin: () -> Void, _ take: ([StoredObject]) -> Void) throws(StoreError) {
        let objects = try list(folder)
        begin()
        take(objects)
    }

    public var localFolder: FileIdentity? { nil }
    public var openFolder: Descriptor? { nil }
    public var objectLength: UInt64? { nil }

    public func create(copies names: [String]) throws(StoreError) -> [any ObjectUpload] {
        try names.map { (name) throws(StoreError) in try create(name) }
    }

    public func expect(_ name: String, length: UInt64, _ range: Range<UInt64>) {}

    public func time(in folder: String) throws(StoreError) -> Int64? { nil }

    public func capacity() throws(StoreError) -> UInt64? { nil }

    public func makeFolder(_ folder: String) throws(StoreError) {}

    public func prolongLock(of name: String, until time: Int64, unlessUntil enough: Int64) throws(StoreError) -> Bool {
        false
    }

    /// Opens an object; nil where there is none. Every other failure is one.
    public func openIfPresent(_ name: String, length: UInt64? = nil) throws(StoreError) -> (any ByteSource)? {
        do throws(StoreError) {
            return try open(name, length: length)
        } catch {
            if error.reason == .absent { return nil }
            throw error
        }
    }

    /// Whether there is an object of this name. A failure is no answer.
    public func contains(_ name: String) throws(StoreError) -> Bool { try openIfPresent(name) != nil }

    /// Removes an object, where that is allowed: in some stores nothing can be removed by who writes, or by anybody.
    /// - Returns: false where the store refuses it; the object is there as before.
    public func removeIfAllowed(_ name: String) throws(StoreError) -> Bool { try refusal(toRemove: name) == nil }

    /// Removes an object.
    /// - Returns: why the store refuses it; nil where it is gone.
    public func refusal(toRemove name: String) throws(StoreError) -> StoreError? {
        do throws(StoreError) {
            try remove(name)
            return nil
        } catch {
            if error.reason == .refused { return error }
            throw error
        }
    }

    public func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        let upload = try create(name)
        do throws(StoreError) {
            try upload.append(bytes)
            try upload.commit()
        } catch {
            upload.abandon()
            throw error
        }
    }

    public func prepare(_ name: String, _ bytes: [UInt8]) throws(StoreError) -> any PreparedObject {
        UndatedObject(self, name, bytes)
    }

    public func read(_ name: String, limit: Int) throws(StoreError) -> [UInt8]? {
        guard let source = try openIfPresent(name) else { return nil }
        guard source.length <= UInt64(limit) else { throw tooLong(name) }
        return try source.read(at: 0, count: Int(source.length))  // safe: at most `limit`
    }

    func tooLong(_ name: String) -> StoreError {
        StoreError(.failed, "read", "\(name) of \(subject)", "it is longer than such an object can be")
    }

    /// Whether an object of a name that was just refused as taken is one's own: an earlier attempt had its effect, and its answer was lost.
    /// Who may write and not read cannot compare; such names are random, and nobody else makes the same.
    public func isOwn(_ name: String, _ bytes: [UInt8]) throws(StoreError) -> Bool {
        do throws(StoreError) {
            guard let source = try openIfPresent(name), source.length == UInt64(bytes.count) else { return false }
            return try source.read(at: 0, count: bytes.count) == bytes
        } catch {
            if error.reason == .refused { return true }
            throw error
        }
    }
}

extension ObjectUpload {
    public func append(_ bytes: [UInt8]) throws(StoreError) {
        var failure: StoreError?
        bytes.withUnsafeBytes { bytes in
            do throws(StoreError) { try append(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// One for which nothing can be prepared.
private final class UndatedObject: PreparedObject {
    private let store: any ObjectStore
    private let name: String
    private let bytes: [UInt8]

    init(_ store: any ObjectStore, _ name: String, _ bytes: [UInt8]) {
        self.store = store
        self.name = name
        self.bytes = bytes
    }

    func put() throws(StoreError) { try store.put(name, bytes) }
}
