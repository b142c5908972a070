// A program that is talked to while it runs: ssh, which carries a conversation with a server.

internal import Glibc

/// A program in a session of its own: what is typed at this terminal, Ctrl-C too, does not reach it. It gets three descriptors and no other,
/// and works in `/`.
public final class ChildProgram: @unchecked Sendable {
    /// Its standard input and its standard output, as one socket.
    public let stream: Descriptor
    /// What it complains of.
    public let errors: Descriptor
    /// Its number, for as long as `end` has not returned.
    public let identifier: Int32

    private let monitor = Monitor()
    private var isEnded = false

    /// - Parameters:
    ///   - words: the program's absolute path, or a name that is looked for where the system's programs are, and its arguments.
    ///   - variables: the names of the variables that it gets of this program's environment.
    public init(_ words: [ProgramWord], variables: [String] = []) throws(SystemError) {
        let name = words.first?.shown ?? ""
        let (stream, its) = try pair(name)
        let (errors, complaints) = try pair(name)
        identifier = try spawn(
            words, folders: systemFolders + localFolders,
            variables: variables.compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } },
            descriptors: (its, its, complaints), .ownSession)
        self.stream = stream
        self.errors = errors
    }

    deinit { end(within: 0) }

    /// Sends all of the bytes.
    public func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            // Never by SIGPIPE: that one has ended is an error like others.
            sent += try check("write to", "a program") {
                Glibc.send(stream.raw, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, CInt(MSG_NOSIGNAL))
            }
        }
    }

    /// What has come of its output, without waiting.
    /// - Returns: 0 where it has closed it; nil where nothing is there yet.
    public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int? {
        do throws(SystemError) {
            return try check("read from", "a program") {
                recv(stream.raw, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
            }
        } catch {
            if error.code == EAGAIN { return nil }
            throw error
        }
    }

    /// Waits for its output or its complaints.
    /// - Returns: whether there are some of each, or an end.
    public func wait(
        milliseconds: Int, includingErrors: Bool = true
    ) throws(SystemError) -> (stream: Bool, errors: Bool) {
        var places = [
            pollfd(fd: stream.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: includingErrors ? errors.raw : -1, events: Int16(POLLIN), revents: 0),
        ]
        do throws(SystemError) {
            try check("wait for", "a program") { poll(&places, 2, CInt(clamping: milliseconds)) }
        } catch { throw error }
        return (places[0].revents != 0, places[1].revents != 0)
    }

    /// No more is said, in either direction: whoever waits to send or for output goes on, and the program meets the end of its input.
    public func hangUp() { shutdown(stream.raw, CInt(SHUT_RDWR)) }

    /// Waits for its end, and ends it, with what it has started, where it takes longer. May be called several times.
    public func end(within milliseconds: Int) {
        monitor.withLock {
            if isEnded { return }
            hangUp()
            isEnded = true
            var waited = 0
            while waited < milliseconds, (try? RunningGroups.hasEnded(identifier, "")) == false {
                usleep(10_000)
                waited += 10
            }
            if waited >= milliseconds {
                // Its number is still its own: nobody has waited for it.
                kill(-identifier, SIGKILL)
                kill(identifier, SIGKILL)
            }
            // Where there is nothing to wait for, nothing is left.
            while (try? RunningGroups.hasEnded(identifier, "")) == false { usleep(1000) }
            _ = try? RunningGroups.collect(identifier, "")
        }
    }
}

/// The two ends of a socket; both are closed in whatever else is run.
private func pair(_ name: String) throws(SystemError) -> (Descriptor, Descriptor) {
    var ends: [CInt] = [-1, -1]
    try check("make a socket for", name) {
        socketpair(AF_UNIX, CInt(bitPattern: SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
    }
    return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
}
