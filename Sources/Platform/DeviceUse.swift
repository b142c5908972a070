// What uses a block device: found by every way that there is, since none of them knows all.

internal import Glibc

extension BlockDevice {
    /// What uses this device, a partition of it, or the disk that it is on, in sentences. What only the kernel knows shows when it is opened
    /// exclusively.
    public func uses() -> [String] {
        let whole = wholeDisk
        let all = [whole] + whole.partitions.compactMap { BlockDevice(named: $0) }
        var found: [String] = []
        for device in all {
            found += Self.mounts(of: device) + Self.holders(of: device) + Self.swap(on: device)
            found += Self.fileSystems(with: device) + Self.loops(on: device)
        }
        found += Self.pools(with: all) + Self.programs(with: all)
        return found.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// In the namespaces of all programs: a mount need not be seen from here.
    private static func mounts(of device: BlockDevice) -> [String] {
        var found: [String] = []
        for (_, mounts) in Mount.allNamespaces() {
            for mount in mounts where mount.device == device.number || mount.source == device.path {
                let text = "\(device.name) is mounted at \(mount.point)"
                if !found.contains(text) { found.append(text) }
            }
        }
        return found
    }

    /// Mappings and arrays above it.
    private static func holders(of device: BlockDevice) -> [String] {
        names(in: "/sys/class/block/\(device.name)/holders").map { holder in
            let name = text("/sys/class/block/\(holder)/dm/name")
            return "\(device.name) is part of \(name ?? holder)"
        }
    }

    private static func swap(on device: BlockDevice) -> [String] {
        guard let table = try? readWhole("/proc/swaps", limit: 1 << 20) else { return [] }
        return table.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line in
            guard let path = line.split(separator: UInt8(ascii: " ")).first,
                BlockDevice.at(BytePath(Array(path)))?.number == device.number
            else { return nil }
            return "\(device.name) is swap space"
        }
    }

    /// A file system of several devices names only one of them where it is mounted.
    private static func fileSystems(with device: BlockDevice) -> [String] {
        names(in: "/sys/fs/btrfs").filter { exists(BytePath("/sys/fs/btrfs/\($0)/devices/\(device.name)")) }
            .map { "\(device.name) belongs to the mounted btrfs \($0)" }
    }

    /// A loop device on top opens the one below like any program does.
    private static func loops(on device: BlockDevice) -> [String] {
        names(in: "/sys/block").filter { $0.hasPrefix("loop") }.compactMap { loop in
            guard let file = text("/sys/block/\(loop)/loop/backing_file"),
                BlockDevice.at(BytePath(file))?.number == device.number
            else { return nil }
            return "\(loop) stands on \(device.name)"
        }
    }

    /// Loop devices that stand on a file.
    public static func loops(on file: FileIdentity) -> [String] {
        names(in: "/sys/block").filter { $0.hasPrefix("loop") }.filter { loop in
            guard let bytes = try? readWhole(BytePath("/sys/block/\(loop)/loop/backing_file"), limit: 1 << 16) else {
                return false
            }
            // The path with a line's end; one that is gone is no file that anybody could name.
            return FileIdentity(BytePath(Array(bytes.dropLast()))) == file
        }
    }

    private static func pools(with devices: [BlockDevice]) -> [String] {
        guard exists("/proc/spl/kstat/zfs"), let list = try? runProgram(["zpool", "list", "-vHPL"]) else { return [] }
        let words = list.lines.flatMap { $0.split(separator: "\t").map(String.init) }
        return devices.filter { device in words.contains { BytePath($0) == device.path } }
            .map { "\($0.name) belongs to an imported ZFS pool" }
    }

    /// Programs that have it open, exclusively or not.
    private static func programs(with devices: [BlockDevice]) -> [String] {
        let numbers = Dictionary(devices.map { ($0.number, $0.name) }, uniquingKeysWith: { first, _ in first })
        var found: [String] = []
        for process in names(in: "/proc") where process.first?.isNumber == true && process != "\(getpid())" {
            for file in names(in: "/proc/\(process)/fd") {
                guard
                    let status = try? Descriptor.open(BytePath("/proc/\(process)/fd/\(file)"), .place).status(),
                    status.kind == .blockDevice, let name = numbers["\(status.nodeMajor):\(status.nodeMinor)"]
                else { continue }
                let text = "\(name) is open in \(text("/proc/\(process)/comm") ?? "?") (\(process))"
                // Whoever looks after all disks has them open now and then.
                if !found.contains(text), Self.text("/proc/\(process)/comm") != "(udev-worker)" { found.append(text) }
            }
        }
        return found
    }
}
