// A program that has the terminal for as long as it runs: one that asks, shows how far it is, and is ended by Ctrl-C.

internal import CLinux
internal import Glibc
public import Reporting

/// Runs a program with this one's terminal, environment and working folder, and waits for it. What is typed reaches it first: whoever calls
/// this sees to it that Ctrl-C does not end himself.
///
/// The terminal is as it was afterwards, whatever the program left: echo that it had switched off, or another group in the foreground.
/// - Parameters:
///   - words: the program's absolute path, or a name that is looked for where the system's programs are, and its arguments.
///   - variables: what it gets besides, in the place of what this program has.
///   - stop: asks it to end, too.
/// - Returns: its exit status; 128 and the signal's number where one ended it.
public func runInForeground(
    _ words: [ProgramWord], variables: [String: String] = [:], stop: Stop? = nil
) throws(SystemError) -> Int32 {
    let name = words.first?.shown ?? ""
    let path = try program(words.first ?? "")
    var settings = termios()
    let isTerminal = tcgetattr(0, &settings) == 0
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in
        withNullTerminated(word.bytes) { strdup($0) }
    }
    arguments.append(nil)
    var environment = inherited(without: Set(variables.keys))
    environment += variables.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") }
    environment.append(nil)
    defer { (arguments + environment).forEach { free($0) } }
    var child = pid_t()
    let code = path.withCString { posix_spawn(&child, $0, nil, &attributes, &arguments, &environment) }
    if code != 0 { throw SystemError(code, "run", name) }
    var status: CInt = 0
    var isAsked = false
    while try check("wait for", name, { waitpid(child, &status, WNOHANG) }) == 0 {
        if let stop, stop.isStopRequested, !isAsked {
            isAsked = true
            kill(child, SIGTERM)
        }
        usleep(20_000)
    }
    if isTerminal {
        // From the background that would stop this program, and a shell that was killed leaves it there.
        let before = signal(SIGTTOU, SIG_IGN)
        if tcgetpgrp(0) != getpgrp() { tcsetpgrp(0, getpgrp()) }
        tcsetattr(0, TCSADRAIN, &settings)
        signal(SIGTTOU, before)
    }
    return exitStatus(status)
}

/// Copies of this process's variables.
private func inherited(without names: Set<String>) -> [UnsafeMutablePointer<CChar>?] {
    var result: [UnsafeMutablePointer<CChar>?] = []
    guard var next = clinux_environment() else { return [] }
    while let variable = next.pointee {
        let bytes = UnsafeBufferPointer(start: variable, count: strlen(variable)).map { UInt8(bitPattern: $0) }
        if !names.contains(String(decoding: bytes.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)) {
            result.append(strdup(variable))
        }
        next += 1
    }
    return result
}

/// Ends the machine at once, once everything is on its disks; where nothing runs that could end it in order.
public func endMachine(restarting: Bool) throws(SystemError) {
    sync()
    try check(restarting ? "restart" : "switch off", "the machine") { clinux_end_machine(restarting ? 0 : 1) }
}
