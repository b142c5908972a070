// What a store remembers of its server for as long as the process lives: what may be there in part, which folders are durable, and what the
// server does not do.

internal import Platform

final class SFTPMemory: @unchecked Sendable {
    private let monitor = Monitor()
    private var uncertain: Set<String> = []
    private var foreclosed: Set<String> = []
    private var underWay: Set<String> = []
    private var durable: Set<[UInt8]> = []
    private var said: [String] = []

    /// Objects whose writing has begun and whose end is not known.
    func isUncertain(_ name: String) -> Bool { monitor.withLock { uncertain.contains(name) } }

    func setUncertain(_ name: String, _ isUncertain: Bool) {
        monitor.withLock { if isUncertain { uncertain.insert(name) } else { uncertain.remove(name) } }
    }

    /// Runs a call that writes an object, after those that write one of the same name: none takes another's for a torn one.
    func alone<R, E: Error>(_ name: String, _ body: () throws(E) -> R) throws(E) -> R {
        monitor.withLock {
            while underWay.contains(name) { monitor.wait() }
            underWay.insert(name)
        }
        defer {
            monitor.withLock {
                underWay.remove(name)
                monitor.wakeAll()
            }
        }
        return try body()
    }

    /// Names that may still be removed by a request whose answer never came: nothing is to be written under them.
    func isForeclosed(_ name: String) -> Bool { monitor.withLock { foreclosed.contains(name) } }
    func foreclose(_ name: String) { monitor.withLock { _ = foreclosed.insert(name) } }

    /// Folders whose names this process has synced, all the way up.
    func isDurable(_ folder: [UInt8]) -> Bool { monitor.withLock { durable.contains(folder) } }
    func setDurable(_ folder: [UInt8]) { monitor.withLock { _ = durable.insert(folder) } }

    var notes: [String] { monitor.withLock { said } }

    func note(_ sentence: String) { monitor.withLock { if !said.contains(sentence) { said.append(sentence) } } }
}

/// Folders of a server whose names are made durable, beside other calls: they are opened, and then synced, without a turn of its own.
final class SFTPFolderSync {
    private let channel: SFTPChannel
    private let openings: [SFTPChannel.Ticket]
    private var syncs: [SFTPChannel.Ticket]?
    private var isPartial = false

    static let noSync =
        "the server cannot be told to write to its medium at once (it lacks fsync@openssh.com): what was stored last may be lost when its power fails"
    static let noFolderSync =
        "the server does not make the names of new objects durable at once: the last ones may be lost when its power fails"

    /// - Parameter folders: by their paths in the store; nothing is done where the server has no such call.
    init(_ server: SFTPServer, _ channel: SFTPChannel, _ folders: [[UInt8]]) throws(SFTPFailure) {
        self.channel = channel
        var openings: [SFTPChannel.Ticket] = []
        if channel.has(.synchronize) {
            for folder in folders { openings.append(try channel.submit(.open(server.path(folder), .read))) }
        }
        self.openings = openings
    }

    /// Only after the names are there. Waits for the folders to be open.
    func begin() throws(SFTPFailure) {
        var result: [SFTPChannel.Ticket] = []
        for opening in openings {
            do throws(SFTPFailure) {
                let handle = try channel.handle(opening)
                result.append(try channel.submit(.extended(.synchronize, handle)))
                channel.drop(try channel.submit(.about(handle, .close)))
            } catch {
                guard let status = error.status else { throw error }
                // Of a folder that is gone no name is left.
                if status != .absent { isPartial = true }
            }
        }
        syncs = result
    }

    func finish(verb: String, _ name: String, _ memory: SFTPMemory) throws(SFTPFailure) {
        if syncs == nil { try begin() }
        if !channel.has(.synchronize) { memory.note(Self.noSync) }
        for sync in syncs ?? [] {
            do throws(SFTPFailure) { try channel.finish(sync) } catch {
                switch error.status {
                case .badMessage?, .unsupported?: isPartial = true  // Some file systems have it for files alone.
                case nil: throw error
                default:
                    throw .explained(StoreError(.notDurable, verb, name, "the server could not sync its folder"))
                }
            }
        }
        if isPartial { memory.note(Self.noFolderSync) }
    }

    /// Nobody needs them any more. What `begin` has opened it closes itself.
    func drop() {
        guard syncs == nil else { return }
        syncs = []
        for opening in openings { channel.drop(opening) }
    }
}
