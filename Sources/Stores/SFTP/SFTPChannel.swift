// One conversation with an SFTP server, through a program of its own. Requests are sent without waiting for the answers to those before; a
// thread hands the answers to whoever waits for them, by their numbers, and ends the conversation where none comes for too long.
//
// A crash leaves nothing: the program meets the end of its input, and ends.

internal import Glibc
internal import Platform
internal import Reporting

final class SFTPChannel: @unchecked Sendable {
    /// Requests and bytes that are on their way at once, here and there.
    static let requestLimit = 64
    static let windowLimit = 4 << 20
    private static let patienceWhenStopped: UInt64 = 3_000_000_000

    /// A request that is on its way, or its answer.
    final class Ticket {
        fileprivate let weight: Int
        fileprivate let sent: UInt64
        fileprivate var isDropped = false
        fileprivate var answer: SFTPReply?

        fileprivate init(weight: Int) {
            self.weight = weight
            sent = monotonicNanoseconds()
        }
    }

    private let child: ChildProgram
    private let location: SFTPLocation
    private let deadline: UInt64
    let stop: Stop
    private let monitor = Monitor()
    /// Held by whoever sends, so that no packet gets into another.
    private let sending = Monitor()
    // All below belong to `monitor`.
    private var waiting: [UInt32: Ticket] = [:]
    private var lastIdentifier: UInt32 = 0
    private var bytesUnderWay = 0
    /// When something was heard last, or asked for after a time in which nothing was.
    private var quietSince = monotonicNanoseconds()
    private var version: Set<String>?
    private var loss: SFTPLoss?
    private var isClosing = false
    /// Handles of files that were opened for somebody who did not wait for it.
    private var orphans: [[UInt8]] = []

    private(set) var extensions: Set<String> = []
    /// How much is read and written with one request.
    private(set) var readLength = 32 << 10
    private(set) var writeLength = 32 << 10
    private(set) var handleLimit = 100

    /// Runs the program, and greets the server.
    /// - Parameters:
    ///   - location: for people.
    ///   - deadline: after how many milliseconds without an answer the conversation is over.
    ///   - stop: once it is asked for, no answer is waited for any longer than a few seconds.
    init(_ words: [ProgramWord], variables: [String], location: SFTPLocation, deadline: Int, stop: Stop)
        throws(SFTPFailure)
    {
        do throws(SystemError) {
            child = try ChildProgram(words, variables: variables)
        } catch {
            throw .lost(SFTPLoss(.refused, error.description, mend: "install what is missing"))
        }
        self.location = location
        self.stop = stop
        self.deadline = UInt64(max(1, deadline)) * 1_000_000
        // It ends with the conversation, and nobody waits for it.
        _ = WorkerThread { self.listen() }
        do throws(SFTPFailure) {
            try greet()
        } catch {
            close()
            throw error
        }
    }

    private func greet() throws(SFTPFailure) {
        send(SFTPRequest.initialize().head(identifier: nil), nil)
        extensions = try monitor.withLock { () throws(SFTPFailure) in
            while version == nil && loss == nil { monitor.wait() }
            if let loss { throw .lost(loss) }
            return version ?? []
        }
        guard has(.limits) else { return }
        let reply = try ask(.extended(.limits))
        guard case .extended(let bytes) = reply else { return }
        var reader = SFTPReader(bytes)
        let limits: SFTPLimits
        do throws(SFTPGarbage) { limits = try reader.limits() } catch { throw fail(error) }
        // Neither more than we take in one packet nor less than every server has to take.
        func length(_ limit: UInt64) -> Int {
            let packet = limits.packet == 0 ? 34_000 : limits.packet
            let allowed = min(limit == 0 ? 32 << 10 : limit, packet < 2048 ? 1024 : packet - 1024, 255 << 10)
            return max(1024, Int(clamping: allowed))
        }
        readLength = length(limits.read)
        writeLength = length(limits.write)
        if limits.handles > 0 { handleLimit = Int(clamping: min(max(limits.handles, 8), 1000)) }
    }

    func has(_ name: SFTPRequest.Extension) -> Bool { extensions.contains(name.rawValue) }

    var isLost: Bool { monitor.withLock { loss != nil || isClosing } }

    // MARK: Asking

    /// Sends a request, as soon as the window has room for it.
    func submit(_ request: SFTPRequest, _ payload: UnsafeRawBufferPointer? = nil) throws(SFTPFailure) -> Ticket {
        let ticket = Ticket(weight: request.weight)
        let (identifier, left) = try monitor.withLock { () throws(SFTPFailure) in
            while loss == nil && !waiting.isEmpty
                && (waiting.count >= Self.requestLimit || bytesUnderWay + ticket.weight > Self.windowLimit)
            {
                monitor.wait()
            }
            if let loss { throw .lost(loss) }
            if waiting.isEmpty { quietSince = monotonicNanoseconds() }
            repeat { lastIdentifier &+= 1 } while waiting[lastIdentifier] != nil
            waiting[lastIdentifier] = ticket
            bytesUnderWay += ticket.weight
            defer { orphans = [] }
            return (lastIdentifier, orphans)
        }
        send(request.head(identifier: identifier), payload)
        for handle in left { drop(try submit(.about(handle, .close))) }
        return ticket
    }

    /// Waits for the answer.
    func answer(to ticket: Ticket) throws(SFTPFailure) -> SFTPReply {
        try monitor.withLock { () throws(SFTPFailure) in
            while ticket.answer == nil && loss == nil { monitor.wait() }
            guard let answer = ticket.answer else { throw .lost(loss ?? SFTPLoss(.unreachable, "")) }
            return answer
        }
    }

    func ask(_ request: SFTPRequest) throws(SFTPFailure) -> SFTPReply { try answer(to: submit(request)) }

    /// Nobody waits for the answer. A file that it opens is closed again.
    func drop(_ ticket: Ticket) {
        monitor.withLock {
            ticket.isDropped = true
            if let answer = ticket.answer { forget(answer) }
        }
    }

    /// Has a handle closed, with the next request: nobody waits for that.
    func abandon(_ handle: [UInt8]) { monitor.withLock { orphans.append(handle) } }

    private func forget(_ answer: SFTPReply) {
        if case .handle(let handle) = answer { orphans.append(handle) }
    }

    private func send(_ head: [UInt8], _ payload: UnsafeRawBufferPointer?) {
        sending.withLock {
            do throws(SystemError) {
                var failure: SystemError?
                head.withUnsafeBytes { head in
                    do throws(SystemError) { try child.send(head) } catch { failure = error }
                }
                if let failure { throw failure }
                if let payload { try child.send(payload) }
            } catch {
                // The thread that listens knows why, in a moment.
                child.hangUp()
            }
        }
    }

    /// Ends the conversation because of what the server sent.
    func fail(_ garbage: SFTPGarbage) -> SFTPFailure {
        let loss = SFTPLoss(garbage, beginning: [], hadBegun: true)
        end(loss)
        child.hangUp()
        return .lost(loss)
    }

    /// Ends the conversation. What is on its way is lost.
    func close() {
        monitor.withLock { isClosing = true }
        child.hangUp()
    }

    private func end(_ loss: SFTPLoss) {
        monitor.withLock {
            if self.loss == nil { self.loss = loss }
            waiting = [:]
            monitor.wakeAll()
        }
    }

    // MARK: Listening

    private func listen() {
        pthread_detach(pthread_self())
        var packets = SFTPPackets()
        var complaint: [UInt8] = []
        var isComplaining = true
        var garbage: SFTPGarbage?
        var silence: SFTPLoss?
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { room.deallocate() }
        let tick = Int(clamping: min(1000, max(5, deadline / 4_000_000)))
        do throws(SystemError) {
            while silence == nil {
                let ready = try child.wait(milliseconds: tick, includingErrors: isComplaining)
                if ready.errors { isComplaining = hear(&complaint) }
                if ready.stream {
                    guard let count = try child.receive(into: room) else { continue }
                    if count == 0 { break }
                    packets.append(UnsafeRawBufferPointer(rebasing: room[..<count]))
                    do throws(SFTPGarbage) {
                        while let packet = try packets.next() { try take(packet) }
                    } catch {
                        garbage = error
                        break
                    }
                }
                silence = overdue()
            }
        } catch {
            // Closed by force: what it complained of says more.
        }
        let (hadBegun, isClosing) = monitor.withLock { (version != nil, self.isClosing) }
        if garbage == nil, silence == nil, !isClosing {
            // Its last words come before its end; what it started may hold the pipe open for longer.
            for _ in 0..<20 where isComplaining {
                do throws(SystemError) {
                    if try child.wait(milliseconds: 100).errors { isComplaining = hear(&complaint) }
                } catch { isComplaining = false }
            }
        }
        if let garbage {
            end(SFTPLoss(garbage, beginning: packets.beginning, hadBegun: hadBegun))
        } else if let silence {
            end(silence)
        } else {
            end(SFTPLoss(complaint: complaint, hadBegun: hadBegun, at: location))
        }
        // In order where it was we who ended it.
        child.end(within: isClosing ? 1000 : 0)
    }

    /// Takes a part of what the program complains of; the last of it is kept.
    /// - Returns: whether there can be more.
    private func hear(_ complaint: inout [UInt8]) -> Bool {
        var part = [UInt8](repeating: 0, count: 4096)
        let count = part.withUnsafeMutableBytes { Glibc.read(child.errors.raw, $0.baseAddress, $0.count) }
        guard count > 0 else { return count < 0 && errno == EINTR }
        complaint += part[..<count]
        complaint.removeFirst(max(0, complaint.count - 8192))
        return true
    }

    private func take(_ packet: [UInt8]) throws(SFTPGarbage) {
        let hasBegun = monitor.withLock { version != nil }
        if !hasBegun {
            let names = try SFTPReply.decodeVersion(packet)
            monitor.withLock {
                version = names
                quietSince = monotonicNanoseconds()
                monitor.wakeAll()
            }
            return
        }
        let (identifier, reply) = try SFTPReply.decode(packet)
        let isExpected = monitor.withLock {
            guard let ticket = waiting.removeValue(forKey: identifier) else { return false }
            bytesUnderWay -= ticket.weight
            quietSince = monotonicNanoseconds()
            ticket.answer = reply
            if ticket.isDropped { forget(reply) }
            monitor.wakeAll()
            return true
        }
        if !isExpected { throw SFTPGarbage("an answer that nobody asked for") }
    }

    /// Whether the server has been silent for too long.
    private func overdue() -> SFTPLoss? {
        monitor.withLock {
            let now = monotonicNanoseconds()
            let deadline = stop.isStopRequested ? min(self.deadline, Self.patienceWhenStopped) : self.deadline
            let isWaiting = version == nil || !waiting.isEmpty
            // Of several, one may have been forgotten by the server.
            let oldest = waiting.values.lazy.map(\.sent).min() ?? now
            if isWaiting, stop.isStopRequested, now &- quietSince > deadline {
                stop.noteInterruption()
                return SFTPLoss(.interrupted, "")
            }
            guard isWaiting, now &- quietSince > deadline || now &- oldest > deadline &* 10 else { return nil }
            return SFTPLoss(.unreachable, "the server has not answered for \(deadline / 1_000_000_000) s")
        }
    }
}

/// Nanoseconds that do not jump when somebody sets the clock.
private func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
}

extension SFTPChannel {
    /// A safe place to stop, between two answers: a server that answers for ever is no reason to go on.
    func checkStop(_ verb: String) throws(SFTPFailure) {
        guard stop.isStopRequested else { return }
        stop.noteInterruption()
        throw .explained(StoreError(.interrupted, verb, ""))
    }
}
