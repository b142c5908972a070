// The programs that were started with a group of their own, so that none of them, nor what they have started in turn, outlives its time or this
// program. What is typed at the terminal does not reach them.

internal import Glibc

enum RunningGroups {
    private static let monitor = Monitor()
    /// By the numbers of the programs that lead them, for which nobody has waited yet: so each number is still that program's.
    nonisolated(unsafe) private static var leaders: Set<pid_t> = []
    nonisolated(unsafe) private static var isEnding = false

    /// Starts a program, unless this one is ending.
    /// - Parameter body: starts it, and returns the error's number, or 0, and the program's.
    /// - Returns: the error's number, or 0.
    static func start(_ name: String, ofItsOwn: Bool, _ body: () -> (CInt, pid_t)) throws(SystemError) -> CInt {
        if !ofItsOwn { return body().0 }
        return try monitor.withLock { () throws(SystemError) in
            if isEnding { throw SystemError(ECANCELED, "run", name) }
            let (code, child) = body()
            if code == 0 { leaders.insert(child) }
            return code
        }
    }

    /// Whether a program has ended. Its number stays its own until `collect`.
    static func hasEnded(_ child: pid_t, _ name: String) throws(SystemError) -> Bool {
        var information = siginfo_t()
        try check("wait for", name) { waitid(P_PID, id_t(child), &information, WEXITED | WNOHANG | WNOWAIT) }
        return information.si_signo != 0
    }

    /// Takes the status of a program that has ended, and with that its number.
    static func collect(_ child: pid_t, _ name: String, options: CInt = 0) throws(SystemError) -> CInt? {
        try monitor.withLock { () throws(SystemError) in
            var status: CInt = 0
            if try check("wait for", name, { waitpid(child, &status, options) }) == 0 { return nil }
            leaders.remove(child)
            return status
        }
    }

    /// Ends a program with all that it has started: its group is asked to end, and whatever is still there after the grace is ended, whether
    /// the program itself is or not. It is still to be waited for.
    static func end(_ leader: pid_t, grace: Int) { end([leader], milliseconds: grace * 1000) }

    /// Ends all of them, since this program ends: nothing is started any more, and nobody else gets to wait for them.
    static func endAll(grace milliseconds: Int) {
        monitor.withLock {
            isEnding = true
            end(leaders, milliseconds: milliseconds)
        }
    }

    private static func end(_ leaders: Set<pid_t>, milliseconds: Int) {
        if leaders.isEmpty { return }
        // Whoever is not in the group any more is found by its parents, as long as there are some.
        var family = RunningProcess.family(of: leaders, known: [])
        for leader in leaders { kill(-leader, SIGTERM) }
        var (waited, pause) = (0, 5)
        while waited < milliseconds {
            family = RunningProcess.family(of: leaders, known: family)
            if family.isEmpty, leaders.allSatisfy({ (try? hasEnded($0, "")) != false }) { break }
            usleep(UInt32(pause) * 1000)
            waited += pause
            pause = min(2 * pause, 100)
        }
        for leader in leaders { kill(-leader, SIGKILL) }
        for other in RunningProcess.family(of: leaders, known: family) { kill(other.id, SIGKILL) }
    }
}

/// Ends every program that this one has started with a limit or to talk to, with all that these have started. For whoever ends this program
/// without waiting for its work.
public func endStartedPrograms() { RunningGroups.endAll(grace: 1000) }
