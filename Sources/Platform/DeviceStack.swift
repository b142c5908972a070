// What lies on what: the disks that a file is on, through file systems, mappings, arrays and loop devices, and what a loop device stands on.

internal import CLinux
internal import Glibc

/// What a loop device stands on.
public struct LoopBacking: Sendable, Hashable {
    public var file: FileIdentity
    /// Whether that is a device: `8:0`.
    public var device: String?
    /// Whether Holdfast made it, to look into a part of a disk.
    public var isOwn: Bool

    /// - Parameter loop: its name; nil where nothing is attached to it, or it is none.
    init?(of loop: String) {
        // What is gone, or cannot be looked at, stands on nothing that anybody could find.
        guard let file = try? Descriptor.open(BytePath("/dev/\(loop)"), .nonBlocking) else { return nil }
        var backing = clinux_loop_backing()
        guard clinux_ask_loop(file.raw, &backing) == 0 else { return nil }
        self.file = FileIdentity(
            device: UInt64(backing.dev_major) << 32 | UInt64(backing.dev_minor), inode: backing.inode)
        device = backing.rdev_major == 0 ? nil : "\(backing.rdev_major):\(backing.rdev_minor)"
        isOwn = backing.is_own != 0
    }
}

extension BlockDevice {
    /// What this loop device stands on; nil where it is none.
    public var backing: LoopBacking? { kind == .loop ? LoopBacking(of: name) : nil }

    /// All block devices that an open file lies on: that of its file system, and what that stands on, down to the disks.
    /// - Throws: `SystemError` where that cannot be asked.
    public static func below(_ file: Descriptor) throws(SystemError) -> Set<String> {
        var found: Set<String> = []
        var waiting = try devices(of: file)
        while let device = waiting.popLast() {
            guard found.insert(device.name).inserted else { continue }
            if let disk = device.disk, let disk = BlockDevice(named: disk) { waiting.append(disk) }
            waiting += names(in: "/sys/class/block/\(device.name)/slaves").compactMap { BlockDevice(named: $0) }
            guard let backing = device.backing else { continue }
            if let number = backing.device, let below = BlockDevice(number: number) {
                waiting.append(below)
            } else if let path = device.backingPath, let below = try? Descriptor.open(path, .place),
                // Another one may have its name here: then nobody can tell where it is.
                FileIdentity(try below.status()) == backing.file
            {
                waiting += try devices(of: below)
            }
        }
        return found
    }

    private var backingPath: BytePath? {
        // One that has no path any more lies where nobody finds it.
        guard let bytes = try? readWhole(BytePath("/sys/block/\(name)/loop/backing_file"), limit: 1 << 16) else {
            return nil
        }
        return BytePath(Array(bytes.dropLast()))
    }

    /// The devices of the file system that an open file is in.
    private static func devices(of file: Descriptor) throws(SystemError) -> [BlockDevice] {
        let number = try file.status().fileSystemNumber
        if let device = BlockDevice(number: number) { return [device] }
        // btrfs has numbers of its own.
        guard let mount = try Mount.holding(file), mount.source.isAbsolute,
            let device = BlockDevice.at(mount.source)
        else { return [] }
        let others = names(in: "/sys/fs/btrfs").map { "/sys/fs/btrfs/\($0)/devices" }
            .filter { exists(BytePath("\($0)/\(device.name)")) }
            .flatMap { names(in: $0) }
        return [device] + others.filter { $0 != device.name }.compactMap { BlockDevice(named: $0) }
    }

    /// Other loop devices that stand on the same file: what is written by one of them changes what the other has.
    static func siblings(of device: BlockDevice) -> [DeviceUse] {
        guard let backing = device.backing, backing.device == nil else { return [] }
        return names(in: "/sys/block").filter { $0.hasPrefix("loop") && $0 != device.name }.compactMap { loop in
            guard LoopBacking(of: loop)?.file == backing.file else { return nil }
            return DeviceUse(
                kind: .loop, device: device.name, description: "\(loop) stands on the same file as \(device.name)")
        }
    }
}
