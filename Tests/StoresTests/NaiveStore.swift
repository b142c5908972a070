// A store as one would write it first, by path, with a look before each use. It is here to show that the tests of hostile folders see what it
// does wrong.

import Glibc
import Platform
import Stores

final class NaiveStore: ObjectStore {
    let path: BytePath
    var subject: String { path.description }
    var connections: Int { 1 }

    init(_ path: BytePath) { self.path = path }

    /// Looks first, as is said to suffice.
    private func checked(_ name: String) throws(StoreError) -> BytePath {
        let parts = name.split(separator: "/")
        for count in 1...parts.count {
            let part = path.appending(parts.prefix(count).joined(separator: "/"))
            let isLink = part.withCString { path in
                var buffer: CChar = 0
                return readlink(path, &buffer, 1) >= 0
            }
            if isLink { throw StoreError(.refused, "follow", part.description) }
        }
        return path.appending(name)
    }

    private func explaining<R>(_ name: String, _ call: () throws(SystemError) -> R) throws(StoreError) -> R {
        do throws(SystemError) { return try call() } catch { throw StoreError(error, on: name) }
    }

    func topLevel() throws(StoreError) -> [String] { [] }

    func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        let path = try checked(folder)
        return try explaining(folder) { () throws(SystemError) in
            let listing = try DirectoryListing(of: Descriptor.open(path, .directory))
            return (0..<listing.count).map {
                StoredObject(name: "\(folder)/\(String(decoding: listing[$0], as: UTF8.self))", length: 0)
            }
        }
    }

    func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        let path = try checked(name)
        return try explaining(name) { () throws(SystemError) in
            let file = try Descriptor.open(path)
            return FolderObject(file, length: try file.status().size, subject: name)
        }
    }

    func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        let path = try checked(name)
        return try explaining(name) { () throws(SystemError) in
            NaiveUpload(try Descriptor.open(path, [.write, .create, .exclusive]), path)
        }
    }

    func remove(_ name: String) throws(StoreError) { _ = try checked(name).withCString { unlink($0) } }
}

private final class NaiveUpload: ObjectUpload {
    private let file: Descriptor
    private let path: BytePath

    init(_ file: Descriptor, _ path: BytePath) {
        self.file = file
        self.path = path
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        do throws(SystemError) { try file.write(bytes) } catch { throw StoreError(error, on: path.description) }
    }

    func commit() throws(StoreError) {}
    func abandon() { _ = path.withCString { unlink($0) } }
}
