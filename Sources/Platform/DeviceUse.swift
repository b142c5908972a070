// What uses a block device: found by every way that there is, since none of them knows all.

internal import Glibc

/// One use of a device.
public struct DeviceUse: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// A file system of it is mounted, here or in another namespace.
        case mounted
        /// It belongs to a file system that is mounted, perhaps by another of its devices.
        case fileSystem
        /// A mapping or an array stands on it.
        case layer
        case loop
        case pool
        case swap
        /// A program has it open, and may only look.
        case open
    }
    public let kind: Kind
    /// The device, or the partition.
    public let device: String
    /// A sentence without its full stop.
    public let description: String
}

extension BlockDevice {
    /// What uses this device, a partition of it, or the disk that it is on. What only the kernel knows shows when it is opened exclusively.
    public func uses() -> [DeviceUse] {
        let whole = wholeDisk
        let all = [whole] + whole.partitions.compactMap { BlockDevice(named: $0) }
        var found: [DeviceUse] = []
        for device in all {
            found += Self.mounts(of: device) + Self.holders(of: device) + Self.swap(on: device)
            found += Self.fileSystems(with: device) + Self.loops(on: device)
        }
        found += Self.siblings(of: whole) + Self.pools(with: all) + Self.programs(with: all)
        return found.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// The same, without those who only look for a moment at all devices, as udev and losetup do.
    public func lastingUses() -> [DeviceUse] {
        Self.lasting(uses) { $0.allSatisfy { $0.kind == .open } }
    }

    /// Asks again, for three seconds, as long as what is there may go by itself.
    private static func lasting<Use>(_ find: () -> [Use], mayGo: ([Use]) -> Bool) -> [Use] {
        var found = find()
        for _ in 0..<15 where !found.isEmpty && mayGo(found) {
            usleep(200_000)
            found = find()
        }
        return found
    }

    /// In the namespaces of all programs: a mount need not be seen from here.
    private static func mounts(of device: BlockDevice) -> [DeviceUse] {
        var found: [DeviceUse] = []
        for (_, mounts) in Mount.allNamespaces() {
            for mount in mounts where mount.device == device.number || mount.source == device.path {
                let use = DeviceUse(
                    kind: .mounted, device: device.name, description: "\(device.name) is mounted at \(mount.point)")
                if !found.contains(use) { found.append(use) }
            }
        }
        return found
    }

    /// Mappings and arrays that stand on it, not on a partition of it.
    public var holders: [BlockDevice] {
        Self.names(in: "/sys/class/block/\(name)/holders").sorted().compactMap { BlockDevice(named: $0) }
    }

    private static func holders(of device: BlockDevice) -> [DeviceUse] {
        names(in: "/sys/class/block/\(device.name)/holders").map { holder in
            let name = text("/sys/class/block/\(holder)/dm/name")
            return DeviceUse(
                kind: .layer, device: device.name, description: "\(device.name) is part of \(name ?? holder)")
        }
    }

    private static func swap(on device: BlockDevice) -> [DeviceUse] {
        guard let table = try? readWhole("/proc/swaps", limit: 1 << 20) else { return [] }
        return table.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line in
            guard let path = line.split(separator: UInt8(ascii: " ")).first,
                BlockDevice.at(BytePath(Array(path)))?.number == device.number
            else { return nil }
            return DeviceUse(kind: .swap, device: device.name, description: "\(device.name) is swap space")
        }
    }

    /// A file system of several devices names only one of them where it is mounted.
    private static func fileSystems(with device: BlockDevice) -> [DeviceUse] {
        names(in: "/sys/fs/btrfs").filter { exists(BytePath("/sys/fs/btrfs/\($0)/devices/\(device.name)")) }
            .map {
                DeviceUse(
                    kind: .fileSystem, device: device.name,
                    description: "\(device.name) belongs to the mounted btrfs \($0)")
            }
    }

    /// A loop device on top opens the one below like any program does.
    private static func loops(on device: BlockDevice) -> [DeviceUse] {
        names(in: "/sys/block").filter { $0.hasPrefix("loop") }.compactMap { loop in
            guard let file = text("/sys/block/\(loop)/loop/backing_file"),
                BlockDevice.at(BytePath(file))?.number == device.number
            else { return nil }
            return DeviceUse(kind: .loop, device: device.name, description: "\(loop) stands on \(device.name)")
        }
    }

    /// Loop devices that stand on a file. The kernel takes its time with one that nobody uses any more.
    public static func lastingLoops(on file: FileIdentity) -> [String] {
        lasting({ loops(on: file) }) { _ in true }
    }

    private static func loops(on file: FileIdentity) -> [String] {
        names(in: "/sys/block").filter { $0.hasPrefix("loop") }.filter { loop in
            // By whatever path it was attached, in whatever namespace.
            if let backing = LoopBacking(of: loop) { return backing.file == file }
            // It cannot be opened here, as by who is not root.
            guard let bytes = try? readWhole(BytePath("/sys/block/\(loop)/loop/backing_file"), limit: 1 << 16) else {
                return false
            }
            // The path with a line's end; one that is gone is no file that anybody could name.
            return FileIdentity(BytePath(Array(bytes.dropLast()))) == file
        }
    }

    private static func pools(with devices: [BlockDevice]) -> [DeviceUse] {
        guard exists("/proc/spl/kstat/zfs"), let list = try? runProgram(["zpool", "list", "-vHPL"]) else { return [] }
        let words = list.lines.flatMap { $0.split(separator: "\t").map(String.init) }
        return devices.filter { device in words.contains { BytePath($0) == device.path } }
            .map {
                DeviceUse(kind: .pool, device: $0.name, description: "\($0.name) belongs to an imported ZFS pool")
            }
    }

    /// Programs that have it open, exclusively or not.
    private static func programs(with devices: [BlockDevice]) -> [DeviceUse] {
        let numbers = Dictionary(devices.map { ($0.number, $0.name) }, uniquingKeysWith: { first, _ in first })
        var found: [DeviceUse] = []
        for process in names(in: "/proc") where process.first?.isNumber == true && process != "\(getpid())" {
            for file in names(in: "/proc/\(process)/fd") {
                guard
                    let status = try? Descriptor.open(BytePath("/proc/\(process)/fd/\(file)"), .place).status(),
                    status.kind == .blockDevice, let name = numbers["\(status.nodeMajor):\(status.nodeMinor)"]
                else { continue }
                let program = text("/proc/\(process)/comm")
                let use = DeviceUse(
                    kind: .open, device: name, description: "\(name) is open in \(program ?? "?") (\(process))")
                // Whoever looks after all disks has them open now and then.
                if !found.contains(use), program != "(udev-worker)" { found.append(use) }
            }
        }
        return found
    }
}
