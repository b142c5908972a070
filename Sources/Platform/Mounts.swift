// What is mounted where (proc(5), mountinfo), and mounts that no path leads to.

internal import CLinux
internal import Glibc

/// One line of the kernel's list of mounts.
public struct Mount: Sendable, Hashable {
    public var id: UInt64
    /// `0:35`: the file system, as the kernel numbers it.
    public var device: String
    /// The folder of the file system that is mounted, `/` for all of it.
    public var root: BytePath
    public var point: BytePath
    public var type: String
    /// The device or the name of what is mounted.
    public var source: BytePath
    /// Options of this mount and of the file system: `rw`, `subvolid=256`.
    public var options: [String]

    public var isReadOnly: Bool { options.contains("ro") }

    /// All mounts that this process sees, in the kernel's order.
    public static func all() throws(SystemError) -> [Mount] {
        let bytes = try readWhole("/proc/self/mountinfo", limit: 1 << 24)
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { Mount(line: $0) }
    }

    /// The uppermost mount of a place, by its name.
    public static func at(_ point: BytePath) throws(SystemError) -> Mount? {
        try all().last { $0.point == point }
    }

    /// The mount that holds an open file.
    public static func holding(_ file: Descriptor) throws(SystemError) -> Mount? {
        let id = try file.status().mount
        return try all().first { $0.id == id }
    }

    init?(line: ArraySlice<UInt8>) {
        let fields = line.split(separator: UInt8(ascii: " "))
        guard let dash = fields.firstIndex(of: [UInt8(ascii: "-")]), dash >= 6, fields.count > dash + 2,
            let id = UInt64(String(decoding: fields[0], as: UTF8.self))
        else { return nil }
        self.id = id
        device = String(decoding: fields[2], as: UTF8.self)
        root = BytePath(unescapedField(fields[3]))
        point = BytePath(unescapedField(fields[4]))
        type = String(decoding: fields[dash + 1], as: UTF8.self)
        source = BytePath(unescapedField(fields[dash + 2]))
        let both = [fields[5]] + (fields.count > dash + 3 ? [fields[dash + 3]] : [])
        options = both.flatMap { String(decoding: $0, as: UTF8.self).split(separator: ",").map(String.init) }
    }
}

extension Descriptor {
    /// Mounts a file system where no path leads, and opens its root: the mount goes with the last descriptor below it.
    public static func mountDetached(
        _ type: String, source: BytePath, option: (String, String)? = nil
    ) throws(SystemError) -> Descriptor {
        let mount = try Descriptor(
            owning: check("mount", source.description) {
                source.withCString { source in
                    type.withCString { type in
                        guard let (key, value) = option else {
                            return clinux_mount_detached(type, source, nil, nil)
                        }
                        return key.withCString { key in
                            value.withCString { clinux_mount_detached(type, source, key, $0) }
                        }
                    }
                }
            })
        // What the kernel gives is only a place.
        return try mount.open([UInt8(ascii: ".")], .directory)
    }
}

/// Mounts a file system where a path leads, as long as the machine runs.
public func mountFileSystem(
    _ type: String, source: BytePath, at target: BytePath, options: String
) throws(SystemError) {
    try check("mount", "\(source) at \(target)") {
        source.withCString { source in
            target.withCString { target in
                type.withCString { type in options.withCString { clinux_mount(source, target, type, $0, 0) } }
            }
        }
    }
}

/// Gives a folder a second place. What is mounted in it is not there.
public func mountFolder(_ folder: BytePath, at target: BytePath) throws(SystemError) {
    try check("mount", "\(folder) at \(target)") {
        folder.withCString { folder in target.withCString { clinux_mount(folder, $0, nil, nil, clinux_MS_BIND) } }
    }
    // What is mounted in one of the two places later is not meant for the other.
    try check("mount", "\(folder) at \(target)") {
        target.withCString { clinux_mount(nil, $0, nil, nil, clinux_MS_PRIVATE) }
    }
}

/// Makes one mount read-only, and not the file system below it.
public func remountReadOnly(_ target: BytePath) throws(SystemError) {
    try check("make read-only", target.description) {
        target.withCString { clinux_mount(nil, $0, nil, nil, clinux_MS_READ_ONLY_BIND) }
    }
}

/// Takes away the uppermost mount of a place.
public func unmount(_ target: BytePath) throws(SystemError) {
    try check("unmount", target.description) { target.withCString { clinux_unmount($0) } }
}
