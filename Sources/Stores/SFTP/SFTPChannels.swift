// The conversations with one server. What one carries at a time is limited by ssh to 2 MiB, so where calls overlap there are several; each is
// begun when it is wanted. One that ended is replaced by the next call.

internal import Platform

final class SFTPChannels: @unchecked Sendable {
    private struct Entry {
        var channel: SFTPChannel
        var users: Int
    }

    private let connect: @Sendable () throws(SFTPFailure) -> SFTPChannel
    private let most: Int
    private let monitor = Monitor()
    private var entries: [Entry] = []
    /// A server that lets us in once may not do it a second time.
    private var limit: Int
    private var isConnecting = false
    private var attempts = 0
    /// Of the attempt of this number.
    private var failure: (attempt: Int, failure: SFTPFailure)?
    /// The server was silent when the work was asked to stop. What is still to be removed then would wait for it anew each time.
    private var isGivenUp = false

    init(most: Int, connect: @escaping @Sendable () throws(SFTPFailure) -> SFTPChannel) {
        self.most = max(1, most)
        limit = self.most
        self.connect = connect
    }

    deinit { for entry in entries { entry.channel.close() } }

    /// How many there are.
    var count: Int { monitor.withLock { entries.count { !$0.channel.isLost } } }

    /// Makes a call on the conversation that has the least to do, or on this one.
    /// - Parameter isSmall: to begin another one would take longer than the call.
    func with<R>(
        _ wanted: SFTPChannel? = nil, isSmall: Bool = false, _ body: (SFTPChannel) throws(SFTPFailure) -> R
    ) throws(SFTPFailure) -> R {
        if monitor.withLock({ isGivenUp }) { throw .lost(SFTPLoss(.interrupted, "")) }
        do throws(SFTPFailure) {
            let channel = try take(wanted, isSmall)
            defer { monitor.withLock { count(channel, -1) } }
            return try body(channel)
        } catch {
            if case .lost(let loss) = error, loss.reason == .interrupted { monitor.withLock { isGivenUp = true } }
            throw error
        }
    }

    private func count(_ channel: SFTPChannel, _ change: Int) {
        if let index = entries.firstIndex(where: { $0.channel === channel }) { entries[index].users += change }
    }

    private func take(_ wanted: SFTPChannel?, _ isSmall: Bool) throws(SFTPFailure) -> SFTPChannel {
        let known = try monitor.withLock { () throws(SFTPFailure) -> SFTPChannel? in
            while true {
                entries.removeAll { $0.channel.isLost }
                if entries.isEmpty { limit = most }
                if let wanted {
                    count(wanted, 1)
                    return wanted
                }
                let best = entries.min { $0.users < $1.users }
                if let best, isSmall || best.users == 0 || isConnecting || entries.count >= limit {
                    count(best.channel, 1)
                    return best.channel
                }
                if !isConnecting {
                    isConnecting = true
                    attempts += 1
                    return nil
                }
                let attempt = attempts
                while isConnecting, attempts == attempt { monitor.wait() }
                // What one could not reach the others need not try as well.
                if let failure, failure.attempt == attempt, entries.isEmpty { throw failure.failure }
            }
        }
        if let known { return known }
        do throws(SFTPFailure) {
            let channel = try connect()
            monitor.withLock {
                entries.append(Entry(channel: channel, users: 1))
                isConnecting = false
                monitor.wakeAll()
            }
            return channel
        } catch {
            let other = monitor.withLock { () -> SFTPChannel? in
                isConnecting = false
                failure = (attempts, error)
                monitor.wakeAll()
                let best = entries.filter { !$0.channel.isLost }.min { $0.users < $1.users }
                if let best {
                    limit = entries.count
                    count(best.channel, 1)
                }
                return best?.channel
            }
            if let other { return other }
            throw error
        }
    }
}

/// Files that are open on a server, for sources: as many at most as a server is sure to allow.
final class SFTPOpenFiles: @unchecked Sendable {
    private struct Entry {
        var channel: SFTPChannel
        var handle: [UInt8]
        var users: Int
        var lastUse: UInt64
        /// It is closed as soon as nobody uses it: the server gives its handle to another file then.
        var isUnwanted = false
    }

    private let limit: Int
    private let monitor = Monitor()
    private var entries: [UInt64: Entry] = [:]
    private var uses: UInt64 = 0
    private var lastKey: UInt64 = 0

    init(limit: Int) { self.limit = limit }

    var count: Int { monitor.withLock { entries.count } }

    /// A name for a source.
    func newKey() -> UInt64 {
        monitor.withLock {
            lastKey += 1
            return lastKey
        }
    }

    /// Keeps what was opened for a source, and closes what was not used for the longest time, where there are too many.
    /// - Parameter isUsed: it stays open until `giveBack`.
    /// - Returns: false where there is one already.
    @discardableResult
    func keep(_ key: UInt64, _ channel: SFTPChannel, _ handle: [UInt8], isUsed: Bool = false) -> Bool {
        monitor.withLock {
            if let old = entries[key], !old.channel.isLost || old.users > 0 { return false }
            uses += 1
            entries[key] = Entry(channel: channel, handle: handle, users: isUsed ? 1 : 0, lastUse: uses)
            while entries.count > min(limit, channel.handleLimit / 2) {
                let idle = entries.filter { $0.value.users == 0 && $0.key != key }
                guard let oldest = idle.min(by: { $0.value.lastUse < $1.value.lastUse }) else { break }
                entries[oldest.key] = nil
                oldest.value.channel.abandon(oldest.value.handle)
            }
            return true
        }
    }

    /// What is open for a source; it stays so until `giveBack`. nil where it has to be opened again.
    func use(_ key: UInt64) -> (channel: SFTPChannel, handle: [UInt8])? {
        monitor.withLock {
            guard var entry = entries[key], !entry.isUnwanted else { return nil }
            if entry.channel.isLost {
                if entry.users == 0 { entries[key] = nil }
                return nil
            }
            uses += 1
            entry.users += 1
            entry.lastUse = uses
            entries[key] = entry
            return (entry.channel, entry.handle)
        }
    }

    func giveBack(_ key: UInt64) {
        monitor.withLock {
            entries[key]?.users -= 1
            if entries[key]?.isUnwanted ?? false { closeIfIdle(key) }
        }
    }

    /// It has to be opened again. Closed as soon as nobody uses it.
    func close(_ key: UInt64) {
        monitor.withLock {
            entries[key]?.isUnwanted = true
            closeIfIdle(key)
        }
    }

    private func closeIfIdle(_ key: UInt64) {
        guard let entry = entries[key], entry.users <= 0 else { return }
        entries[key] = nil
        entry.channel.abandon(entry.handle)
    }
}
