// What is mounted where (proc(5), mountinfo).

internal import CLinux
internal import Glibc

/// One line of the kernel's list of mounts.
public struct Mount: Sendable, Hashable {
    public var id: UInt64
    /// The mount that it is on.
    public var parent: UInt64
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

    /// Where a path in this mount is in the file system.
    package func pathInFileSystem(of path: BytePath) -> BytePath {
        path == point ? root : root.appending(point.remainder(of: path))
    }

    /// All mounts of each mount namespace that has a process, with one of those; what cannot be seen is left out.
    static func allNamespaces() -> [(process: Int32, mounts: [Mount])] {
        var seen: Set<[UInt8]> = []
        let processes = BlockDevice.names(in: "/proc").compactMap { Int32($0) }.sorted()
        return ([getpid()] + processes).compactMap { process in
            guard let folder = try? Descriptor.open(BytePath("/proc/\(process)/ns"), .directory),
                let namespace = try? folder.readLink(Array("mnt".utf8)), seen.insert(namespace).inserted,
                let bytes = try? readWhole(BytePath("/proc/\(process)/mountinfo"), limit: 1 << 24)
            else { return nil }
            return (process, bytes.split(separator: UInt8(ascii: "\n")).compactMap { Mount(line: $0) })
        }
    }

    /// The uppermost mount of a place, by its name.
    public static func at(_ point: BytePath) throws(SystemError) -> Mount? {
        try all().last { $0.point == point }
    }

    /// Whether what is in it is gone with the power; devtmpfs is what /dev is where nobody mounted anything below it, rootfs an initramfs.
    public var isInMemory: Bool { ["tmpfs", "ramfs", "devtmpfs", "rootfs"].contains(type) }

    /// The mount that holds an open file.
    public static func holding(_ file: Descriptor) throws(SystemError) -> Mount? {
        let id = try file.status().mount
        return try all().first { $0.id == id }
    }

    /// The UUID on its device, of FAT the serial number, as the links of udev and the kernel's list of btrfs tell it.
    public var deviceUUID: String? {
        guard source.isAbsolute, let device = try? Descriptor.open(source, .place).status(),
            device.kind == .blockDevice,
            let name = BlockDevice(number: "\(device.nodeMajor):\(device.nodeMinor)")?.name
        else { return nil }
        if type == "btrfs" {
            return BlockDevice.names(in: "/sys/fs/btrfs").first {
                exists(BytePath("/sys/fs/btrfs/\($0)/devices/\(name)"))
            }
        }
        let folder = "/dev/disk/by-uuid"
        guard let links = try? Descriptor.open(BytePath(folder), .directory) else { return nil }
        return BlockDevice.names(in: folder).first { link in
            (try? links.readLink(Array(link.utf8))).map { BytePath($0).lastComponent == Array(name.utf8) } ?? false
        }
    }

    init?(line: ArraySlice<UInt8>) {
        let fields = line.split(separator: UInt8(ascii: " "))
        guard let dash = fields.firstIndex(of: [UInt8(ascii: "-")]), dash >= 6, fields.count > dash + 2,
            let id = UInt64(String(decoding: fields[0], as: UTF8.self)),
            let parent = UInt64(String(decoding: fields[1], as: UTF8.self))
        else { return nil }
        self.id = id
        self.parent = parent
        device = String(decoding: fields[2], as: UTF8.self)
        root = BytePath(unescapedField(fields[3]))
        point = BytePath(unescapedField(fields[4]))
        type = String(decoding: fields[dash + 1], as: UTF8.self)
        source = BytePath(unescapedField(fields[dash + 2]))
        let both = [fields[5]] + (fields.count > dash + 3 ? [fields[dash + 3]] : [])
        options = both.flatMap { String(decoding: $0, as: UTF8.self).split(separator: ",").map(String.init) }
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

/// Takes away the uppermost mount of a place.
public func unmount(_ target: BytePath) throws(SystemError) {
    try check("unmount", target.description) { target.withCString { clinux_unmount($0) } }
}

/// Takes away the uppermost mount of a place with all that is mounted in it; what is still used is gone once nothing uses it.
public func unmountTree(_ target: BytePath) throws(SystemError) {
    try check("unmount", target.description) { target.withCString { clinux_unmount_tree($0) } }
}

extension Descriptor {
    /// What tells the file system of this open folder from others, on this machine and later; nil where nothing does.
    public func fileSystemIdentifier(of mount: Mount) throws(SystemError) -> String? {
        switch mount.type {
        case "ext2", "ext3", "ext4":
            // Made of its UUID (ext4_statfs), and known to whoever has it mounted.
            var result = statvfs()
            try check("look at", "the file system") { fstatvfs(raw, &result) }
            return hexadecimal(withUnsafeBytes(of: UInt64(result.f_fsid).bigEndian) { Array($0) })
        case "zfs": return nil
        default: return mount.deviceUUID
        }
    }

    /// The path of this open folder in its file system, whatever of that is mounted and where.
    public func pathInFileSystem(of mount: Mount) throws(SystemError) -> BytePath {
        mount.pathInFileSystem(of: BytePath(try pathNow()))
    }
}
