// How another program is started: with its words, an environment of its own, three descriptors, and no signal held back.

internal import CLinux
internal import Glibc

/// What a program that is started belongs to.
enum ProgramKinship {
    /// This program's group: what is typed at the terminal reaches both.
    case same
    /// A group of its own, so that what it starts can be ended with it.
    case ownGroup
    /// A session of its own, which nothing that is typed reaches. It takes signals as programs usually do, whatever this one does, and
    /// gets no descriptor but the three.
    case ownSession
}

/// Starts a program, in `/`; its language is C.
/// - Parameters:
///   - words: the program's absolute path, or a name that is looked for where the system's programs are, and its arguments.
///   - folders: where it is to look for programs itself.
///   - variables: what else it gets as its environment, `NAME=VALUE`.
///   - descriptors: its standard input, output and errors.
/// - Returns: its number.
func spawn(
    _ words: [ProgramWord], folders: [String], variables: [String] = [],
    descriptors: (input: Descriptor, output: Descriptor, errors: Descriptor), _ kinship: ProgramKinship
) throws(SystemError) -> pid_t {
    let path = try program(words.first ?? "")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, descriptors.input.raw, 0)
    posix_spawn_file_actions_adddup2(&actions, descriptors.output.raw, 1)
    posix_spawn_file_actions_adddup2(&actions, descriptors.errors.raw, 2)
    clinux_spawn_in_root(&actions)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Signals that this program waits for in a thread of its own are blocked here; there they must not be.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var flags = Int16(POSIX_SPAWN_SETSIGMASK)
    switch kinship {
    case .same: break
    case .ownGroup: flags |= Int16(POSIX_SPAWN_SETPGROUP)
    case .ownSession:
        clinux_spawn_closing_others(&actions)
        var usual = sigset_t()
        sigemptyset(&usual)
        for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP] { sigaddset(&usual, signal) }
        posix_spawnattr_setsigdefault(&attributes, &usual)
        flags |= Int16(POSIX_SPAWN_SETSIGDEF) | clinux_POSIX_SPAWN_SETSID
    }
    posix_spawnattr_setflags(&attributes, flags)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in
        withNullTerminated(word.bytes) { strdup($0) }
    }
    arguments.append(nil)
    var environment: [UnsafeMutablePointer<CChar>?] =
        (["LC_ALL=C", "PATH=\(folders.joined(separator: ":"))"] + variables).map { strdup($0) }
    environment.append(nil)
    defer { (arguments + environment).forEach { free($0) } }
    var child = pid_t()
    let code = try RunningGroups.start(words.first?.shown ?? "", ofItsOwn: kinship != .same) {
        let code = path.withCString { posix_spawn(&child, $0, &actions, &attributes, &arguments, &environment) }
        return (code, child)
    }
    if code != 0 { throw SystemError(code, "run", words.first?.shown ?? "") }
    return child
}
