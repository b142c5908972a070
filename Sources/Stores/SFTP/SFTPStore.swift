// A store on an SFTP server. It needs an account that may create files there, and no more: nothing is renamed, no object is written a second
// time, and where the account may not remove anything that is said and lived with. Folders are made where the account may do it.
//
// An object is written under its own name, exclusively. A crash, or a connection that ends, leaves an incomplete file at most. Nothing refers to
// it.

internal import Glibc
public import Platform
public import Reporting

public final class SFTPStore: ObjectStore {
    public let location: SFTPLocation
    public var subject: String { location.description }
    public let connections: Int
    /// What is sent again whole after the connection has ended is to be no longer than a few seconds' worth; some are in memory at once.
    public var objectLength: UInt64? { 8 << 20 }

    let server: SFTPServer
    let memory = SFTPMemory()

    /// - Parameters:
    ///   - key: the private key to use; nil for those that ssh's configuration says.
    ///   - connections: how many conversations there are at most.
    ///   - deadline: after how many milliseconds without an answer one is over.
    ///   - ssh: the program that carries the conversation, and its first words.
    ///   - stop: has a call that is under way wait for a few seconds at most.
    ///   - program: what is run instead of ssh and speaks SFTP.
    public init(
        _ location: SFTPLocation, key: BytePath? = nil, connections: Int = 4, deadline: Int = 60_000,
        ssh: [ProgramWord] = ["ssh"], stop: Stop = Stop(), program: [ProgramWord]? = nil
    ) {
        self.location = location
        self.connections = max(1, connections)
        server = SFTPServer(
            location, words: program ?? SFTPServer.words(location, key: key, ssh: ssh),
            connections: self.connections, deadline: deadline, stop: stop)
    }

    /// What people should know of this server, as sentences; empty where it does all that is asked of it. Known after it was written to.
    public var notes: [String] { memory.notes }

    /// How many conversations are under way.
    public var conversations: Int { server.channels.count }

    // MARK: Reading

    public func topLevel() throws(StoreError) -> [String] {
        try server.calling("list", "", isSmall: true) { (channel) throws(SFTPFailure) in
            try SFTPListing(server, channel).names().map { printable($0) }
        }
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        _ = try ObjectName(folder, for: "list", in: subject)
        return try server.calling("list", folder, isSmall: true) { (channel) throws(SFTPFailure) in
            try SFTPListing(server, channel).objects(below: folder)
        }
    }

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        let place = try ObjectName(name, for: "open", in: subject)
        // What is long is read over the same conversation as it is opened: several of them are worth having.
        return try server.calling("open", name, isSmall: length.map { $0 <= 1 << 20 } ?? true) {
            (channel) throws(SFTPFailure) in
            let file = try server.openFile(place, name, on: channel)
            return SFTPObject(server, place, name, length: length ?? file.length, channel, file.handle)
        }
    }

    public func read(_ name: String, limit: Int) throws(StoreError) -> [UInt8]? {
        let place = try ObjectName(name, for: "read", in: subject)
        do throws(StoreError) {
            return try server.calling("read", name, isSmall: true) { (channel) throws(SFTPFailure) in
                let file = try server.openFile(place, name, on: channel)
                defer { channel.abandon(file.handle) }
                guard file.length <= UInt64(max(0, limit)) else { throw .explained(tooLong(name)) }
                return try channel.readAll(file.handle, count: Int(clamping: file.length)) {
                    StoreError(.ended, "read", server.describe(name))
                }
            }
        } catch {
            if error.reason == .absent { return nil }
            throw error
        }
    }

    // MARK: Writing; see also SFTPStore+Put

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        _ = try ObjectName(name, for: "create", in: subject)
        return BufferedUpload(name, in: self)
    }

    public func create(copies names: [String]) throws(StoreError) -> [any ObjectUpload] {
        for name in names { _ = try ObjectName(name, for: "create", in: subject) }
        return BufferedUpload.copies(names, in: self)
    }

    public func remove(_ name: String) throws(StoreError) {
        let place = try ObjectName(name, for: "remove", in: subject)
        try server.calling("remove", name, isSmall: true) { (channel) throws(SFTPFailure) in
            let path = server.path(place.path)
            let removal = try channel.submit(.about(path, .remove))
            // Also where it was gone already: the sync after an earlier removal may have failed.
            let folder = try SFTPFolderSync(server, channel, [place.folderPath])
            do throws(SFTPFailure) {
                try channel.finish(removal)
            } catch {
                // Without its folder there is no such object, and a folder of this name is none.
                if error.status != .absent {
                    let look = try channel.submit(.about(path, .linkStatus))
                    if error.isLost { throw error }
                    if let there = try channel.attributesIfPresent(look), there.kind != .folder {
                        throw try server.diagnose(
                            error, channel, "remove", name, folder: server.path(place.folderPath))
                    }
                }
            }
            try folder.finish(verb: "remove", server.describe(name), memory)
        }
    }

    /// The time of a file that is made for that, where the account may remove it again.
    public func time(in folder: String) throws(StoreError) -> Int64? {
        // No object has such a name, whatever a crash leaves.
        let last = Array(".time-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))".utf8)
        let place = try ObjectName("\(folder)/time", for: "create", in: subject)
        return try server.calling("create", folder, isSmall: true) { (channel) throws(SFTPFailure) in
            let path = server.path(place.folderPath + [UInt8(ascii: "/")] + last)
            do throws(SFTPFailure) {
                try channel.finish(channel.submit(.about(path, .remove)))
            } catch {
                // It is not there yet: whoever is told so could remove it.
                if error.status == .denied || error.status == .unsupported { return nil }
                if error.status != .absent { throw error }
            }
            let handle: [UInt8]
            do throws(SFTPFailure) {
                handle = try channel.handle(channel.submit(.open(path, .createExclusively)))
            } catch {
                if error.status != .absent { throw error }
                try makeFolders(of: place, on: channel)
                handle = try channel.handle(channel.submit(.open(path, .createExclusively)))
            }
            let look = try channel.submit(.about(handle, .handleStatus))
            channel.drop(try channel.submit(.about(handle, .close)))
            let removal = try channel.submit(.about(path, .remove))
            let attributes = try channel.attributes(look)
            try channel.finish(removal)
            return attributes.modified.map { Int64($0) }
        }
    }

    public func capacity() throws(StoreError) -> UInt64? {
        let space = try server.calling("look at", "", isSmall: true) { (channel) throws(SFTPFailure) in
            try channel.space(at: server.path([]))
        }
        // Some that do not know it say nothing else.
        return space.flatMap { $0.total > 0 ? $0.total : nil }
    }
}

extension ObjectName {
    var path: [UInt8] { (folder.isEmpty ? [] : folderPath + [UInt8(ascii: "/")]) + last }
}

extension SFTPServer {
    /// Opens an object for reading, in one turn. What is no regular file is no object.
    func openFile(
        _ place: ObjectName, _ name: String, on channel: SFTPChannel
    ) throws(SFTPFailure) -> (handle: [UInt8], length: UInt64) {
        let path = path(place.path)
        let look = try channel.submit(.about(path, .linkStatus))
        let opening = try channel.submit(.open(path, .read))
        let attributes: SFTPAttributes
        do throws(SFTPFailure) { attributes = try channel.attributes(look) } catch {
            channel.drop(opening)
            throw error
        }
        guard (attributes.kind ?? .file) == .file, let length = attributes.size else {
            channel.drop(opening)
            // The server may wait for ever for the other end of a FIFO.
            if attributes.kind == .other || attributes.kind == .link { channel.close() }
            throw .explained(StoreError(.absent, "open", describe(name), "what is there is no file"))
        }
        return (try channel.handle(opening), length)
    }
}

extension SFTPChannel {
    /// So many bytes from a file's beginning on.
    /// - Parameter tooShort: what is said where there are fewer.
    func readAll(
        _ handle: [UInt8], count: Int, tooShort: () -> StoreError
    ) throws(SFTPFailure) -> [UInt8] {
        var failure: SFTPFailure?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(SFTPFailure) {
                filled = try read(
                    handle, at: 0,
                    into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
            } catch { failure = error }
        }
        if let failure { throw failure }
        guard bytes.count == count else { throw .explained(tooShort()) }
        return bytes
    }
}
