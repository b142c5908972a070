// What this machine is: its name, its hardware series, its users, and where programs keep what is theirs.

internal import CLinux
internal import Glibc

public enum HostFacts {
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

    /// The machine id of systemd and D-Bus, or nil where there is none.
    public static var machineIdentifier: String? {
        guard let bytes = try? readWhole("/etc/machine-id", limit: 64) else { return nil }
        let text = String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
        return text.isEmpty ? nil : text
    }

    /// Who is at work: the user behind sudo or doas, where there is one.
    public static var userName: String {
        if let behind = environment("SUDO_USER") ?? environment("DOAS_USER") { return behind.description }
        guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else { return "\(getuid())" }
        return String(cString: name)
    }

    /// The running kernel, as `uname -r` says it.
    public static var kernelRelease: String {
        var names = utsname()
        guard uname(&names) == 0 else { return "unknown" }
        return withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

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

    public static var workingFolder: BytePath {
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        guard getcwd(&buffer, buffer.count) != nil else { return "/" }
        return BytePath(buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }

    /// Lets this process open as many files as the system allows it: a deep tree needs one for each level.
    public static func raiseOpenFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Keeps the secrets of this process out of core dumps and away from debuggers of the same user.
public func refuseCoreDumps() { clinux_refuse_core_dumps() }

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
