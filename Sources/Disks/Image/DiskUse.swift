// What of a disk is in use by this machine: its mounted file systems are read as files, and what else uses it keeps it from being imaged.

internal import Glibc
internal import Platform

struct DiskUse {
    /// A file system, or a subvolume of one, where it is mounted.
    struct MountedTree {
        var device: BlockDevice
        var point: BytePath
        /// The same as text.
        var name: String
        /// Of btrfs: what is mounted there, from its top on.
        var subvolume: String?

        /// Whether the kernel has it where the table on the disk says: who divides a disk that is in use changes the one and not the other.
        func lies(at range: Range<UInt64>) -> Bool {
            // The kernel counts in 512 bytes; a disk has no such file.
            let start = BlockDevice.text("/sys/class/block/\(device.name)/start").flatMap { UInt64($0) } ?? 0
            return start.multiplied(saturating: 512) == range.lowerBound
                && device.size == range.upperBound - range.lowerBound
        }
    }

    /// By the number of the partition; 0: the disk itself.
    var mounts: [Int: [MountedTree]] = [:]

    /// Nobody uses it.
    init() {}

    /// - Throws: `DiskError` where something uses it that keeps its content from being read as one state.
    init(of disk: BlockDevice) throws {
        let path = disk.path
        // Swap needs no content; who has it open only looks, as far as anybody knows; what is mounted is looked at below.
        let harmless = [" is swap space", " is open in ", " is mounted at ", " belongs to the mounted btrfs "]
        let uses = disk.uses()
        let others = uses.filter { use in !harmless.contains { use.contains($0) } }
        guard others.isEmpty else { throw DiskError.inUse(path, others) }
        let all = try Mount.all()
        for device in [disk] + disk.partitions.compactMap({ BlockDevice(named: $0) }) {
            let number = device.disk == nil ? 0 : Self.number(of: device)
            let mounted = all.filter { mount in
                mount.device == device.number
                    || mount.source.isAbsolute && BlockDevice.at(mount.source)?.number == device.number
            }
            let trees = try Self.trees(mounted, device)
            let isUsed = uses.contains {
                $0.hasPrefix("\(device.name) is mounted at ") || $0.hasPrefix("\(device.name) belongs to ")
            }
            if isUsed, trees.isEmpty {
                throw DiskError.inUse(path, ["\(device.name) is mounted where it cannot be read from here"])
            }
            if !trees.isEmpty { mounts[number] = trees }
        }
    }

    /// `sda2`, `nvme0n1p2`
    private static func number(of partition: BlockDevice) -> Int {
        Int(BlockDevice.text("/sys/class/block/\(partition.name)/partition") ?? "") ?? 0
    }

    /// Each file system, or subvolume, once: where its path is the shortest.
    private static func trees(_ mounted: [Mount], _ device: BlockDevice) throws -> [MountedTree] {
        var found: [BytePath: MountedTree] = [:]
        for mount in mounted.sorted(by: { $0.point.bytes.count < $1.point.bytes.count }) where found[mount.root] == nil
        {
            // A folder of it that is mounted somewhere else, too, is in the tree.
            guard let folder = try? Descriptor.open(mount.point, .directory),  // What covers it is another one.
                try Mount.holding(folder)?.id == mount.id,
                mount.type == "btrfs" ? folder.isSubvolume : mount.root == "/"
            else { continue }
            guard let name = String(validating: mount.point.bytes, as: UTF8.self),
                let root = String(validating: mount.root.bytes, as: UTF8.self)
            else { throw DiskError.inUse(device.path, ["it is mounted at \(mount.point), which is no text"]) }
            found[mount.root] = MountedTree(
                device: device, point: mount.point, name: name,
                subvolume: mount.type == "btrfs" && root != "/" ? String(root.dropFirst()) : nil)
        }
        return found.values.sorted { $0.point.bytes.count < $1.point.bytes.count }
    }
}
