// How an object gets onto an SFTP server: it is created exclusively under its own name, written and synced through one handle, and its folder is
// synced after it. Two turns, whatever the distance, and the time that the bytes take.
//
// A connection that ends in between leaves an object that is whole, torn or not there. Only the same process repeats it under the same name: it
// looks what is there first. A torn one is removed; where the account may not remove anything, the name is given up.

internal import Platform

extension SFTPStore {
    public func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) { try put(name, bytes, within: nil) }

    /// It may be written within a quarter of an hour from now, as on servers that date requests: whatever this machine sleeps through.
    public func prepare(_ name: String, _ bytes: [UInt8]) throws(StoreError) -> any PreparedObject {
        SFTPPreparedObject(self, name, bytes)
    }

    /// - Parameter limit: what was prepared may be too old by now.
    func put(_ name: String, _ bytes: [UInt8], within limit: SFTPTimeLimit?) throws(StoreError) {
        let place = try ObjectName(name, for: "create", in: subject)
        try memory.alone(name) { () throws(StoreError) in
            // Another conversation begins with some twelve turns.
            try server.calling("create", name, isSmall: bytes.count <= 1 << 20) { (channel) throws(SFTPFailure) in
                if memory.isForeclosed(name) {
                    throw .explained(givenUp(name, "it may still be removed by an earlier request"))
                }
                if memory.isUncertain(name), try settle(place, name, bytes, on: channel) { return }
                try limit?.check(server.describe(name))
                try write(place, name, bytes, within: limit, on: channel)
            }
        }
    }

    private func write(
        _ place: ObjectName, _ name: String, _ bytes: [UInt8], within limit: SFTPTimeLimit?, on channel: SFTPChannel,
        isSecond: Bool = false
    ) throws(SFTPFailure) {
        let path = server.path(place.path)
        // Whatever is lost from here on, the file may be there.
        memory.setUncertain(name, true)
        let opening = try channel.submit(.open(path, .createExclusively))
        let sync = try SFTPFolderSync(server, channel, unsyncedFolders(of: place))
        let handle: [UInt8]
        do throws(SFTPFailure) { handle = try channel.handle(opening) } catch {
            if error.isLost { throw error }
            sync.drop()
            memory.setUncertain(name, false)
            if error.status == .absent, !isSecond {
                try makeFolders(of: place, on: channel)
                return try write(place, name, bytes, within: limit, on: channel, isSecond: true)
            }
            // Whether one is there the server does not say by itself.
            if error.status != .absent,
                try channel.attributesIfPresent(channel.submit(.about(path, .linkStatus))) != nil
            {
                throw .explained(StoreError(.exists, "create", server.describe(name)))
            }
            throw try server.diagnose(
                error, channel, "create", name, folder: server.path(place.folderPath), wanted: bytes.count)
        }
        var isClosed = false
        do throws(SFTPFailure) {
            // Without its bytes it is nothing yet.
            try limit?.check(server.describe(name))
            try fill(handle, name, bytes, sync, &isClosed, on: channel)
        } catch {
            if error.isLost { throw error }
            sync.drop()
            // Only once: the server gives the same handle to the next file.
            if !isClosed { channel.abandon(handle) }
            let told = try server.diagnose(
                error, channel, "write", name, folder: server.path(place.folderPath), wanted: bytes.count)
            // It is this call's own. Where it cannot be removed it stays, and nothing refers to it.
            if try takeBack(name, path, on: channel) { memory.setUncertain(name, false) }
            throw told
        }
        memory.setUncertain(name, false)
        memory.setDurable(place.folderPath)
    }

    /// Writes a file that was just made, and waits until it is durable.
    private func fill(
        _ handle: [UInt8], _ name: String, _ bytes: [UInt8], _ folders: SFTPFolderSync, _ isClosed: inout Bool,
        on channel: SFTPChannel
    ) throws(SFTPFailure) {
        // Requests for one file are done in the order in which they come, says the draft (4.1).
        let writes = try channel.write(handle, bytes)
        let sync = channel.has(.synchronize) ? try channel.submit(.extended(.synchronize, handle)) : nil
        let look = try channel.submit(.about(handle, .handleStatus))
        let closing = try channel.submit(.about(handle, .close))
        isClosed = true
        try folders.begin()
        for write in writes { try channel.finish(write) }
        if let sync { try self.finish(sync, of: name, on: channel) }
        let length = try channel.attributes(look).size
        guard length == nil || length == UInt64(bytes.count) else {
            throw .explained(
                StoreError(
                    .failed, "write", server.describe(name), "the server has \(length ?? 0) of \(bytes.count) bytes"))
        }
        try channel.finish(closing)
        try folders.finish(verb: "create", server.describe(name), memory)
    }

    private func finish(_ sync: SFTPChannel.Ticket, of name: String, on channel: SFTPChannel) throws(SFTPFailure) {
        do throws(SFTPFailure) { try channel.finish(sync) } catch {
            switch error.status {
            case .unsupported?: memory.note(SFTPFolderSync.noSync)
            case nil: throw error
            default:
                throw .explained(
                    StoreError(
                        .notDurable, "write", server.describe(name), "the server could not sync it",
                        mend: "the server's medium may be full or failing: look at what its system says"))
            }
        }
    }

    /// The object's folder, and all above it whose names this process has not synced.
    private func unsyncedFolders(of place: ObjectName) -> [[UInt8]] {
        if memory.isDurable(place.folderPath) { return [place.folderPath] }
        var result: [[UInt8]] = [[]]
        for part in place.folder {
            let above = result[result.count - 1]
            result.append(above.isEmpty ? part : above + [UInt8(ascii: "/")] + part)
        }
        return result
    }

    // MARK: After a connection that ended

    /// Finds out what became of an object whose writing had begun.
    /// - Returns: whether it is there, whole and durable; if not, nothing is there.
    private func settle(
        _ place: ObjectName, _ name: String, _ bytes: [UInt8], on channel: SFTPChannel
    ) throws(SFTPFailure) -> Bool {
        let path = server.path(place.path)
        let file: (handle: [UInt8], length: UInt64)
        do throws(SFTPFailure) { file = try server.openFile(place, name, on: channel) } catch {
            switch error {
            case .status(.absent, _): return false
            case .status(.denied, _): throw .explained(givenUp(name, "who may not read cannot see what is there of it"))
            case .explained(let told) where told.reason == .absent:
                throw .explained(StoreError(.exists, "create", server.describe(name)))
            default: throw error
            }
        }
        defer { channel.abandon(file.handle) }
        let isOwn =
            file.length <= UInt64(bytes.count)
            ? try channel.readAll(file.handle, count: Int(clamping: file.length)) {
                StoreError(.failed, "read", server.describe(name), "it is changing")
            } == Array(bytes.prefix(Int(clamping: file.length))) : false
        if !isOwn {
            memory.setUncertain(name, false)
            throw .explained(StoreError(.exists, "create", server.describe(name)))
        }
        if file.length == UInt64(bytes.count) {
            // All of it is there; whether on the medium nobody has said.
            let sync = channel.has(.synchronize) ? try channel.submit(.extended(.synchronize, file.handle)) : nil
            let folders = try SFTPFolderSync(server, channel, unsyncedFolders(of: place))
            if let sync { try finish(sync, of: name, on: channel) }
            try folders.finish(verb: "create", server.describe(name), memory)
            memory.setUncertain(name, false)
            memory.setDurable(place.folderPath)
            return true
        }
        if try !takeBack(name, path, on: channel) {
            throw .explained(givenUp(name, "a part of it is there, and the account may not remove it"))
        }
        return false
    }

    /// Removes what this store wrote in part.
    /// - Returns: whether it is gone.
    private func takeBack(_ name: String, _ path: [UInt8], on channel: SFTPChannel) throws(SFTPFailure) -> Bool {
        do throws(SFTPFailure) {
            try channel.finish(channel.submit(.about(path, .remove)))
        } catch {
            // Whenever that request arrives it takes what has the name by then.
            if error.isLost { memory.foreclose(name) }
            guard let status = error.status else { throw error }
            return status == .absent
        }
        return true
    }

    /// What cannot succeed under this name any more, and is not repeated.
    private func givenUp(_ name: String, _ why: String) -> StoreError {
        StoreError(
            .notDurable, "create", server.describe(name), "the connection ended while it was written, and \(why)",
            mend: "repeat the command: it uses other names, and what is left of this one is cleared by the next prune")
    }

    // MARK: Folders

    /// Makes a folder for objects, and those above it, also the store's own where what holds it is there. An account that may not make any needs
    /// them to be there; whoever sets it up makes them by this.
    public func makeFolder(_ folder: String) throws(StoreError) {
        let place = try ObjectName("\(folder)/object", for: "create", in: subject)
        try server.calling("create", folder) { (channel) throws(SFTPFailure) in
            try makeFolders(of: place, on: channel)
            let sync = try SFTPFolderSync(server, channel, unsyncedFolders(of: place))
            try sync.finish(verb: "create", server.describe(folder), memory)
        }
    }

    /// Makes the folders of an object that are missing. They are synced with the object.
    func makeFolders(of place: ObjectName, on channel: SFTPChannel) throws(SFTPFailure) {
        var folders: [[UInt8]] = [[]]
        var name: [UInt8] = []
        for part in place.folder {
            name += (name.isEmpty ? [] : [UInt8(ascii: "/")]) + part
            folders.append(name)
        }
        var tickets: [(makes: SFTPChannel.Ticket, look: SFTPChannel.Ticket)] = []
        for folder in folders {
            let path = server.path(folder)
            tickets.append(
                (try channel.submit(.makeFolder(path)), try channel.submit(.about(path, .status))))
        }
        for (folder, ticket) in zip(folders, tickets) {
            let text = String(decoding: folder, as: UTF8.self)
            var failure: SFTPFailure?
            do throws(SFTPFailure) { try channel.finish(ticket.makes) } catch {
                if error.isLost { throw error }
                failure = error
            }
            let there = try channel.attributesIfPresent(ticket.look)
            if let kind = there?.kind, kind != .folder {
                throw .explained(
                    StoreError(
                        .refused, "create", server.describe(text), "something else is where the folder should be"))
            }
            guard there == nil, let failure else { continue }
            if failure.status == .denied {
                throw .explained(
                    StoreError(
                        .refused, "create", server.describe(text),
                        "the folder is missing, and the account may not make it",
                        mend:
                            "an account that may make folders does so with `holdfast store init` or `holdfast store join`"
                    ))
            }
            if failure.status == .absent {
                throw .explained(
                    StoreError(
                        .unusable, "create", server.describe(text), "the folder above it is missing on the server",
                        mend: "make it there; it may be on a medium that is not mounted"))
            }
            throw try server.diagnose(failure, channel, "create", text, folder: server.location.path)
        }
    }
}
