// What the kernel says about a file (statx), as a value.

internal import CLinux
internal import Glibc

public enum FileKind: UInt8, Sendable, Hashable {
    case file = 1
    case directory = 2
    case symbolicLink = 3
    case hardLink = 4
    case characterDevice = 5
    case blockDevice = 6
    case fifo = 7
    case socket = 8
}

/// A moment with nanoseconds; seconds since 1970, negative before.
public struct Timestamp: Hashable, Comparable, Sendable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    public static func now() -> Timestamp {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Timestamp(seconds: Int64(now.tv_sec), nanoseconds: UInt32(now.tv_nsec))
    }
}

public struct FileStatus: Sendable, Hashable {
    public var kind: FileKind
    public var mode: UInt32
    public var linkCount: UInt32
    public var user: UInt32
    public var group: UInt32
    public var inode: UInt64
    public var size: UInt64
    /// Bytes that the file takes on the medium.
    public var allocated: UInt64
    /// The file system, as long as it stays mounted.
    public var device: UInt64
    public var nodeMajor: UInt32
    public var nodeMinor: UInt32
    public var modified: Timestamp
    public var changed: Timestamp
    public var mount: UInt64

    /// Whether content or anything else about the inode can have changed between two looks.
    public func isSameState(as other: FileStatus) -> Bool {
        inode == other.inode && device == other.device && size == other.size && modified == other.modified
            && changed == other.changed
    }
}

extension Descriptor {
    /// The state of `name` below this folder; links are not followed.
    public func status(of name: [UInt8]) throws(SystemError) -> FileStatus {
        var result = clinux_stat()
        try check("look at", printable(name)) { withNullTerminated(name) { clinux_stat(raw, $0, &result) } }
        return FileStatus(result)
    }

    public func status() throws(SystemError) -> FileStatus {
        var result = clinux_stat()
        try check("look at", "the file") { clinux_stat(raw, "", &result) }
        return FileStatus(result)
    }
}

extension FileStatus {
    /// `8:1`, as the kernel numbers the file system that it is in.
    var fileSystemNumber: String { "\(device >> 32):\(device & 0xffff_ffff)" }

    init(_ stat: CLinux.clinux_stat) {
        kind =
            switch mode_t(stat.mode) & S_IFMT {
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            default: .file
            }
        mode = stat.mode & 0o7777
        linkCount = stat.nlink
        user = stat.uid
        group = stat.gid
        inode = stat.ino
        size = stat.size
        allocated = stat.blocks.multiplied(saturating: 512)
        device = UInt64(stat.dev_major) << 32 | UInt64(stat.dev_minor)
        nodeMajor = stat.rdev_major
        nodeMinor = stat.rdev_minor
        modified = Timestamp(seconds: stat.mtime_seconds, nanoseconds: stat.mtime_nanoseconds)
        changed = Timestamp(seconds: stat.ctime_seconds, nanoseconds: stat.ctime_nanoseconds)
        mount = stat.mount_id
    }
}

/// Where a tree ends: at whatever is mounted in it, be it from the same file system, and at other subvolumes.
public struct TreeBorder: Sendable {
    private let mount: UInt64
    private let device: UInt64

    /// - Parameter root: the tree's root.
    public init(_ root: FileStatus) {
        mount = root.mount
        device = root.device
    }

    public func isCrossed(by status: FileStatus) -> Bool {
        status.mount != mount || (status.kind == .directory && status.device != device)
    }
}

/// Which file of which file system, whatever its name.
public struct FileIdentity: Hashable, Sendable {
    private var device: UInt64
    private var inode: UInt64

    public init(_ status: FileStatus) { self.init(device: status.device, inode: status.inode) }

    /// - Parameter device: as `FileStatus` has it.
    init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    /// Of what a path leads to; nil where there is nothing.
    public init?(_ path: BytePath) {
        guard let status = try? Descriptor.open(path, .place).status() else { return nil }
        self.init(status)
    }
}
