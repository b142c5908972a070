// Other programs, run to their end. Never through a shell: each word is one argument.

internal import CLinux
internal import Glibc
public import Reporting

/// What a program that ended said.
public struct ProgramResult: Sendable {
    /// The exit status; 128 and the signal's number where one ended it.
    public var status: Int32
    public var output: [UInt8]
    public var errors: [UInt8]

    /// The lines of the output, without those that are empty.
    public var lines: [String] {
        String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The first line of what it complained of.
    public var complaint: String {
        printable((errors.split(separator: UInt8(ascii: "\n")).first ?? []).prefix(2000))
    }
}

/// Where programs are looked for, whatever the caller's own path says. `/usr/local` is not among them: on Debian a group may write
/// there, and what is called here comes from packages.
let systemFolders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]

/// Where programs are that were installed by hand: for what is the administrator's own.
let localFolders = ["/usr/local/sbin", "/usr/local/bin"]

/// The Debian packages of the programs that are called by name.
private let packages = [
    "btrfs": "btrfs-progs", "zfs": "zfsutils-linux", "zpool": "zfsutils-linux", "modprobe": "kmod", "umount": "mount",
    "update-initramfs": "initramfs-tools", "systemctl": "systemd", "reboot": "systemd-sysv", "cp": "coreutils",
    "rmdir": "coreutils", "ssh": "openssh-client", "ssh-keygen": "openssh-client",
    "blkid": "util-linux", "fsck.fat": "dosfstools",
    "fsck.exfat": "exfatprogs", "mkfs.ext4": "e2fsprogs", "dumpe2fs": "e2fsprogs", "e2fsck": "e2fsprogs",
    "resize2fs": "e2fsprogs", "mkfs.xfs": "xfsprogs",
    "xfs_info": "xfsprogs", "mkfs.btrfs": "btrfs-progs", "mkfs.vfat": "dosfstools", "efibootmgr": "efibootmgr",
]

/// The program of a name in the system's folders, or the path itself.
func program(_ word: ProgramWord) throws(SystemError) -> BytePath {
    if word.bytes.first == UInt8(ascii: "/") { return BytePath(word.bytes) }
    if !word.bytes.isEmpty, !word.bytes.contains(UInt8(ascii: "/")) {
        for folder in systemFolders {
            let path = BytePath(folder).appending(word.bytes)
            if exists(path) { return path }
        }
    }
    throw .missingProgram(word.shown)
}

/// Where a program of a name is in the system's folders; nil where it is in none.
public func programPath(_ name: String) -> BytePath? {
    // Failed is what is not there: it could not be started, either.
    try? program(ProgramWord(name))
}

extension SystemError {
    /// A program that is not there, with the package that has it.
    public static func missingProgram(_ name: String) -> SystemError {
        SystemError(ENOENT, "run", name + (packages[name].map { ", which the package \($0) has" } ?? ""))
    }
}

/// Runs a program and waits for it. Its language is C, it works in `/`, and it gets nothing of this
/// program's environment.
/// - Parameters:
///   - words: the program's absolute path, or a name that is looked for where the system's programs are, and its arguments.
///   - input: what it reads; nil: nothing.
///   - variables: the names of the variables that it gets of this program's environment; for this program itself.
///   - isHook: it is somebody's own program, which may want to find others that were installed by hand.
///   - limit: the seconds after which it is asked to end, with what it has started.
///   - grace: the seconds that they have for that; then they are ended.
///   - outputLimit: how many bytes it may print, its complaints among them; it holds where there is a limit of seconds, too.
///   - stop: ends it, too.
///   - isEnough: with a limit: ends it, too, once that is so, with the status that it then has.
/// - Throws: where it is not there or cannot be started, took longer than the limit (ETIMEDOUT), or printed more than it may (EFBIG); a status
///   other than 0 is for the caller to judge.
public func runProgram(
    _ words: [ProgramWord], input: [UInt8]? = nil, variables: [String] = [], isHook: Bool = false, limit: Int? = nil,
    grace: Int = 5, outputLimit: UInt64 = .max, stop: Stop? = nil, isEnough: (() -> Bool)? = nil
) throws(SystemError) -> ProgramResult {
    let name = words.first?.shown ?? ""
    // Files rather than pipes: nothing waits for anything, however much either stream holds.
    let (output, errors) = (try temporaryFile(), try temporaryFile())
    let given: Descriptor
    if let input {
        given = try temporaryFile()
        try given.write(input)
        lseek(given.raw, 0, SEEK_SET)
    } else {
        given = try Descriptor.open("/dev/null")
    }
    let child = try spawn(
        words, folders: systemFolders + (isHook ? localFolders : []),
        variables: variables.compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } },
        descriptors: (given, output, errors), limit == nil ? .same : .ownGroup)
    var status: CInt = 0
    if let limit {
        let isTooLong = {
            // What cannot be looked at is looked at once more when it is read.
            [output, errors].reduce(UInt64(0)) { $0 &+ ((try? $1.status().size) ?? 0) } > outputLimit
        }
        status = try wait(
            for: child, name, limit, grace, isTooLong: outputLimit == .max ? nil : isTooLong, stop, isEnough)
    } else {
        try check("wait for", name) { waitpid(child, &status, 0) }
    }
    return ProgramResult(
        status: exitStatus(status),
        output: try content(output, of: name), errors: try content(errors, of: name))
}

/// What `waitpid` says of how a program ended as a shell says it: its exit status, or 128 and the number of the signal that ended it.
func exitStatus(_ status: CInt) -> Int32 { status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f) }

/// Waits for a program with a limit; what is not done by then, or when a stop is asked for, is asked to end and then ended, with all that it
/// has started. What prints too much is ended at once: it is held in memory.
/// - Returns: how it ended, as `waitpid` says it.
private func wait(
    for child: pid_t, _ name: String, _ limit: Int, _ grace: Int, isTooLong: (() -> Bool)?, _ stop: Stop?,
    _ isEnough: (() -> Bool)?
) throws(SystemError) -> CInt {
    func ends(within seconds: Int, or isStopped: () -> Bool) throws(SystemError) -> Bool {
        var pause: UInt32 = 1000
        let end = HostFacts.secondsSinceStart + Int64(seconds)
        repeat {
            if try RunningGroups.hasEnded(child, name) { return true }
            usleep(pause)
            pause = min(2 * pause, isTooLong == nil ? 100_000 : 10_000)
        } while HostFacts.secondsSinceStart < end && !isStopped()
        return false
    }
    /// One that waits for a server that is gone ends when the kernel lets it. Nobody else waits for that.
    func collect() throws(SystemError) -> CInt {
        _ = try ends(within: 5, or: { false })
        return try RunningGroups.collect(child, name, options: WNOHANG) ?? SIGKILL
    }
    var hasEnough = false
    let isDone = try ends(within: limit) {
        hasEnough = isEnough?() ?? false
        return hasEnough || (stop?.isStopRequested ?? false) || (isTooLong?() ?? false)
    }
    if isTooLong?() ?? false {
        RunningGroups.end(child, grace: 0)
        _ = try collect()
        throw SystemError(EFBIG, "run", name, detail: "it printed more than it may")
    }
    // What it has left at work is its own matter: it has come to its end in time.
    if isDone { return try collect() }
    let isStopped = hasEnough || stop?.isStopRequested ?? false
    RunningGroups.end(child, grace: grace)
    let status = try collect()
    if !isStopped {
        throw SystemError(ETIMEDOUT, "run", name, detail: "it was not done after \(limit) s, and was ended")
    }
    return status
}

private func temporaryFile() throws(SystemError) -> Descriptor {
    try Descriptor(owning: check("make a file in", "memory") { clinux_memory_file() })
}

private func content(_ file: Descriptor, of name: String) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(min(try file.status().size, 1 << 26)))
    lseek(file.raw, 0, SEEK_SET)
    let count = try file.read(intoArray: &bytes)
    return Array(bytes[..<count])
}

/// Has the service manager restart the machine, in order.
public func restartMachine() throws(SystemError) {
    for words: [ProgramWord] in [["systemctl", "reboot"], ["reboot"]] {
        if let result = try? runProgram(words), result.status == 0 { return }
    }
    throw SystemError(ENOENT, "restart", "the machine")
}
