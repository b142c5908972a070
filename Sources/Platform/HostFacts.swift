// What this machine is: its name, its hardware series, its users, and where programs keep what is theirs.

internal import CLinux
internal import Glibc

public enum HostFacts {
    /// The arguments of this process as bytes, its name first. They need nothing of /proc.
    public static let arguments: [[UInt8]] = (0..<clinux_argument_count()).compactMap { index in
        guard let start = clinux_argument(index) else { return nil }
        return Array(UnsafeRawBufferPointer(start: start, count: strlen(start)))
    }

    public static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, 255) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Vendor and product as the firmware gives them ("Beckhoff Automation / C6015-0010"), or "unknown".
    public static var hardwareSeries: String {
        let parts = ["sys_vendor", "product_name"].compactMap { name -> String? in
            guard let bytes = try? readWhole(BytePath("/sys/class/dmi/id/\(name)"), limit: 256) else { return nil }
            let text = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).first.map(String.init)
            return text.flatMap { $0.isEmpty ? nil : $0 }
        }
        return parts.isEmpty ? "unknown" : parts.joined(separator: " / ")
    }

    /// What the board says of itself, which no other one does (SMBIOS 3.6, 7.2.1); nil where it says nothing, or is not asked by root.
    public static var boardIdentifier: String? {
        guard let text = BlockDevice.text("/sys/class/dmi/id/product_uuid")?.lowercased(), text.count == 36,
            // As boards have it whose maker has given them none.
            Set(text.filter { $0 != "-" }).count > 2
        else { return nil }
        return text
    }

    /// The machine id of systemd and D-Bus, or nil where there is none.
    public static var machineIdentifier: String? {
        guard let bytes = try? readWhole("/etc/machine-id", limit: 64) else { return nil }
        let text = String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
        return text.isEmpty ? nil : text
    }

    /// Seconds since the machine started, those that it slept through included: no clock that is set does harm.
    public static var secondsSinceStart: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec)
    }

    /// Who is at work: the user behind sudo or doas, where there is one.
    public static var userName: String {
        if let behind = environment("SUDO_USER") ?? environment("DOAS_USER") { return behind.description }
        guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else { return "\(getuid())" }
        return String(cString: name)
    }

    /// Who logged in, whatever user the command runs as by now; nil where nobody did, as at boot or from a timer.
    public static var loginName: String? {
        guard let bytes = try? readWhole("/proc/self/loginuid", limit: 64),
            let id = UInt32(String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)), id != .max,
            let entry = getpwuid(id), let name = entry.pointee.pw_name
        else { return nil }
        return String(cString: name)
    }

    /// Where the command was typed: `ssh 10.0.0.5`, a terminal, or nil.
    public static var origin: String? {
        if let address = connectionAddress { return "ssh \(address)" }
        for descriptor in CInt(0)...2 {
            if let name = ttyname(descriptor) { return String(cString: name) }
        }
        return nil
    }

    /// sudo and doas take the variable away, so the processes above are asked, too.
    private static var connectionAddress: String? {
        if let own = environment("SSH_CONNECTION") {
            return own.description.split(separator: " ").first.map(String.init)
        }
        var process = getppid()
        let name = Array("SSH_CONNECTION=".utf8)
        for _ in 0..<16 where process > 1 {
            let folder = "/proc/\(process)"
            if let variables = try? readWhole(BytePath("\(folder)/environ"), limit: 1 << 20),
                let found = variables.split(separator: 0).first(where: { $0.starts(with: name) })
            {
                return printable(found.dropFirst(name.count).prefix { $0 != UInt8(ascii: " ") })
            }
            guard let status = try? readWhole(BytePath("\(folder)/stat"), limit: 4096) else { return nil }
            // The second field is the name in parentheses, which may hold anything; the parent comes two after it.
            let fields = String(decoding: status, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
            guard fields.count > 1, let parent = Int32(fields[1]) else { return nil }
            process = parent
        }
        return nil
    }

    /// Whether the clock follows a time source, as far as the kernel knows.
    public static var clockIsSynchronised: Bool { clinux_clock_is_synchronised() == 1 }

    /// Identifies this boot of the machine.
    public static var bootIdentifier: String {
        guard let bytes = try? readWhole("/proc/sys/kernel/random/boot_id", limit: 128) else { return "unknown" }
        return String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
    }

    /// The running kernel, as `uname -r` says it.
    public static var kernelRelease: String {
        var names = utsname()
        guard uname(&names) == 0 else { return "unknown" }
        return withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Whether this thread reads and writes only when nobody else does, as what runs by itself.
    public static var givesWay: Bool { clinux_has_idle_class() == 1 }

    public static var isRoot: Bool { geteuid() == 0 }

    public static func environment(_ name: String) -> BytePath? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return BytePath(Array(UnsafeBufferPointer(start: value, count: strlen(value))).map { UInt8(bitPattern: $0) })
    }

    /// The folder of the XDG base directory specification, `variable`, or its default below the home folder.
    public static func userFolder(_ variable: String, default fallback: String) -> BytePath {
        if let given = environment(variable), given.isAbsolute { return given.appending("holdfast") }
        return homeFolder.appending(fallback).appending("holdfast")
    }

    public static var homeFolder: BytePath {
        if let home = environment("HOME"), home.isAbsolute { return home }
        guard let entry = getpwuid(getuid()), let home = entry.pointee.pw_dir else { return "/" }
        return BytePath(Array(UnsafeBufferPointer(start: home, count: strlen(home))).map { UInt8(bitPattern: $0) })
    }

    /// - Throws: where it was removed, or no path leads to it: nothing can be found from there.
    public static var workingFolder: BytePath {
        get throws(SystemError) {
            var buffer = [CChar](repeating: 0, count: 1 << 16)
            guard getcwd(&buffer, buffer.count) != nil else { throw SystemError(errno, "find", "the working folder") }
            return BytePath(buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
        }
    }

    /// Lets this process open as many files as the system allows it: a deep tree needs one for each level.
    public static func raiseOpenFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Has large buffers given back as soon as they are free. The library would keep more of them the larger they are, and for each thread that asks
/// anew: with objects that are sent and read in parts of megabytes, half as much again as is in use.
public func returnLargeMemory() { clinux_return_large_memory() }

/// Keeps the secrets of this process out of core dumps and away from debuggers of the same user.
public func refuseCoreDumps() { clinux_refuse_core_dumps() }

/// Puts a line into the system's log, where there is one.
public func logToSystem(_ text: String) {
    "holdfast".withCString { program in text.withCString { clinux_log(program, $0) } }
}

/// The width of a terminal, or 0 where the descriptor is none.
public func terminalColumns(_ descriptor: CInt) -> Int { Int(clinux_terminal_columns(descriptor)) }

/// Names of users and groups, looked up once each: the tables are small, the files of a tree many.
public struct OwnerNames {
    private var users: [UInt32: [UInt8]] = [:]
    private var groups: [UInt32: [UInt8]] = [:]

    public init() {}

    /// The user's name, empty where it has none.
    public mutating func user(_ id: UInt32) -> [UInt8] {
        if let known = users[id] { return known }
        let name = getpwuid(id).flatMap { Self.bytes($0.pointee.pw_name) } ?? []
        users[id] = name
        return name
    }

    /// The group's name, empty where it has none.
    public mutating func group(_ id: UInt32) -> [UInt8] {
        if let known = groups[id] { return known }
        let name = getgrgid(id).flatMap { Self.bytes($0.pointee.gr_name) } ?? []
        groups[id] = name
        return name
    }

    private static func bytes(_ text: UnsafeMutablePointer<CChar>?) -> [UInt8]? {
        text.map { Array(UnsafeBufferPointer(start: $0, count: strlen($0))).map { UInt8(bitPattern: $0) } }
    }
}
