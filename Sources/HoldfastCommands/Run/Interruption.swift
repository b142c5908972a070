// Ctrl-C and `kill`: the first asks the work to stop at a safe place, the second ends it at once. A thread of its own
// waits for the signals, so that no code runs in a handler.

internal import Glibc
internal import Platform
internal import Reporting

enum Interruption {
    static let status: Int32 = 130
    private static let monitor = Monitor()
    nonisolated(unsafe) private static var isLeftToOthers = false

    /// From now on Ctrl-C is for the program that has the terminal, and not for this one.
    static func leaveToOthers() { monitor.withLock { isLeftToOthers = true } }

    /// To be called before any other thread exists: those inherit what is blocked.
    static func watch(_ stop: Stop) {
        signal(SIGPIPE, SIG_IGN)
        // Whoever started this with a signal ignored (`nohup`, a shell's background) wants it to stay so.
        let signals = [SIGINT, SIGTERM, SIGHUP].filter { !isIgnored($0) }
        if signals.isEmpty { return }
        var blocked = set(of: signals)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
        _ = WorkerThread {
            var awaited = set(of: signals)
            while true {
                var number: CInt = 0
                guard sigwait(&awaited, &number) == 0 else { continue }
                if number == SIGINT, monitor.withLock({ isLeftToOthers }) { continue }
                if stop.isStopRequested {
                    // Nobody waits for these any more, and nothing that is typed reaches them.
                    endStartedPrograms()
                    _exit(status)
                }
                stop.requestStop()
                if number == SIGINT && isatty(2) == 1 {
                    let text = Array("\r\u{1b}[Kstopping at the next safe place; Ctrl-C again ends at once\n".utf8)
                    _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
                }
            }
        }
    }

    private static func set(of signals: [CInt]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }

    private static func isIgnored(_ number: CInt) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
