// What a store is made of: named, immutable objects somewhere. Four operations suffice, so that a folder, an SFTP server and
// an object store can each be one file.

internal import Platform

protocol ObjectStore: AnyObject, Sendable {
    /// What people know it by.
    var subject: String { get }
    /// All names below a folder, with their lengths; names are relative to the store.
    func list(_ folder: String) throws -> [StoredObject]
    /// Opens an object for reading; nil where there is none.
    func open(_ name: String) throws -> (any ByteSource)?
    /// Begins a new object. One of this name that exists already is an error (EEXIST).
    func create(_ name: String) throws -> any ObjectSink
    func remove(_ name: String) throws
}

struct StoredObject: Sendable {
    var name: String
    var length: UInt64
    var lastComponent: Substring { name[(name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex)...] }
}

/// An object that is being written.
protocol ObjectSink: AnyObject, Sendable {
    func append(_ bytes: UnsafeRawBufferPointer) throws
    /// Makes the object durable under its name. Before it returns, nothing may refer to it.
    func commit() throws
    /// Removes what was written, as far as possible.
    func abandon()
}

extension ObjectStore {
    func put(_ name: String, _ bytes: [UInt8]) throws {
        let sink = try create(name)
        do {
            try bytes.withUnsafeBytes { try sink.append($0) }
            try sink.commit()
        } catch {
            sink.abandon()
            throw error
        }
    }

    /// Writes an object twice: the second copy first, so that an object of which the first is torn has a whole second.
    func putTwice(_ name: String, _ bytes: [UInt8]) throws {
        try put(name + ".2", bytes)
        try put(name, bytes)
    }

    /// The whole bytes of a small object; nil where there is none.
    func read(_ name: String, limit: Int) throws -> [UInt8]? {
        guard let source = try open(name) else { return nil }
        guard source.length <= UInt64(limit) else { throw FormatError("it is too long") }
        return try source.read(at: 0, count: Int(source.length))
    }

    /// Both copies of an object, as far as they are there. One that cannot be opened is an error: it is not absent.
    func copies(_ name: String) throws -> [any ByteSource] {
        try [name, name + ".2"].compactMap { try open($0) }
    }

    /// The copies that can be opened, for whoever reads past damage; throws where none can and one of them failed.
    func readableCopies(_ name: String) throws -> [any ByteSource] {
        var failure: (any Error)?
        let result = [name, name + ".2"].compactMap { name -> (any ByteSource)? in
            do { return try open(name) } catch {
                failure = error
                return nil
            }
        }
        if result.isEmpty, let failure { throw failure }
        return result
    }
}

/// Where things are in a store.
enum StoreName {
    static let header = "HOLDFAST"
    static func image(_ id: ObjectID) -> String { "i/\(id)" }
    static func volume(_ id: ObjectID) -> String { "v/\(id.description.prefix(2))/\(id.description.dropFirst(2))" }
    static func key(epoch: UInt32, recipient: String) -> String { "k/\(epoch)/\(recipient).age" }

    /// The id in the name of a volume, and whether it is the second copy.
    static func volumeID(_ name: String) -> (id: ObjectID, isSecond: Bool)? {
        let parts = name.split(separator: "/")
        guard parts.count == 3, parts[0] == "v" else { return nil }
        let isSecond = parts[2].hasSuffix(".2")
        guard let id = ObjectID(hexadecimal: parts[1] + (isSecond ? parts[2].dropLast(2) : parts[2])) else {
            return nil
        }
        return (id, isSecond)
    }
}
