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
        /// Whether that is what is mounted where nobody names one.
        var isDefault = false
        var options: [String] = []
        /// Where it is read: what is mounted later, over it or in it, is not seen there, and what lies below such a mount is.
        var view: BytePath

        /// Where in another one of the same btrfs it is, whatever is mounted there; nil: nowhere.
        func place(in outer: MountedTree) -> BytePath? {
            guard let subvolume, subvolume != outer.subvolume else { return nil }
            guard let above = outer.subvolume else { return outer.point.appending(Array(subvolume.utf8)) }
            guard subvolume.hasPrefix(above + "/") else { return nil }
            return outer.point.appending(Array(subvolume.dropFirst(above.count + 1).utf8))
        }

        /// Whether the kernel has it where the table on the disk says: who divides a disk that is in use changes the one and not the other.
        func lies(at range: Range<UInt64>) -> Bool {
            // The kernel counts in 512 bytes; a disk has no such file.
            let start = BlockDevice.text("/sys/class/block/\(device.name)/start").flatMap { UInt64($0) } ?? 0
            return start.multiplied(saturating: 512) == range.lowerBound
                && device.size == range.upperBound - range.lowerBound
        }
    }

    /// A volume that lies in one piece in a partition and is mounted by a device of its own: a logical volume, or the content of a mirror.
    struct Layer {
        /// In the place of an id: a mirror has but one content.
        static let mirror = ""

        /// Of LVM, as the kernel has it, without dashes.
        var id: String
        /// As people call it.
        var name: String
        var trees: [MountedTree]
    }

    /// By the number of the partition; 0: the disk itself.
    var mounts: [Int: [MountedTree]] = [:]
    var layers: [Int: [Layer]] = [:]

    /// Nobody uses it.
    init() {}

    /// - Throws: `DiskError` where something uses it that keeps its content from being read as one state.
    init(of disk: BlockDevice) throws {
        let path = disk.path
        // Swap needs no content; who has it open only looks, as far as anybody knows; what is mounted is looked at below.
        let uses = disk.uses()
        let others = uses.filter { ![.swap, .open, .mounted, .fileSystem, .layer].contains($0.kind) }
        guard others.isEmpty else { throw DiskError.inUse(path, others.map(\.description)) }
        let all = try Mount.all()
        for device in [disk] + disk.partitions.compactMap({ BlockDevice(named: $0) }) {
            let number = device.disk == nil ? 0 : Self.number(of: device)
            let trees = try trees(on: device, uses, all, of: path)
            if !trees.isEmpty { mounts[number] = trees }
            if trees.isEmpty, device.holders.isEmpty, device.disk != nil || disk.partitions.isEmpty {
                try hold(device, uses, of: path)
            }
            for holder in device.holders {
                if let layer = try layer(holder, on: device, all, of: path) {
                    layers[number, default: []].append(layer)
                }
            }
        }
    }

    /// What is mounted of a device.
    private mutating func trees(
        on device: BlockDevice, _ uses: [DeviceUse], _ all: [Mount], of path: BytePath
    ) throws -> [MountedTree] {
        let mounted = all.filter { mount in
            mount.device == device.number
                || mount.source.isAbsolute && BlockDevice.at(mount.source)?.number == device.number
        }
        let trees = try self.trees(mounted, device)
        let isMounted = uses.contains { $0.device == device.name && [.mounted, .fileSystem].contains($0.kind) }
        if isMounted, trees.isEmpty {
            throw DiskError.inUse(path, ["\(device.name) is mounted where it cannot be read from here"])
        }
        guard !trees.isEmpty, let mount = mounted.first(where: { $0.type == "btrfs" }) else { return trees }
        return try withSubvolumes(trees, of: mount, device)
    }

    /// What stands on a partition; nil where nobody has that mounted.
    /// - Throws: `DiskError.inUse` where it is in use otherwise, or is none whose content lies in the partition as it is.
    private mutating func layer(
        _ holder: BlockDevice, on device: BlockDevice, _ all: [Mount], of path: BytePath
    ) throws -> Layer? {
        let folder = "/sys/class/block/\(holder.name)"
        let mapping = BlockDevice.text("\(folder)/dm/uuid")
        let name = BlockDevice.text("\(folder)/dm/name") ?? holder.name
        let id: String
        // 32 characters of the group and 32 of the volume; what LVM hides has more.
        if let mapping, mapping.hasPrefix("LVM-"), mapping.utf8.count == 4 + 64 {
            id = String(mapping.dropFirst(4 + 32))
        } else if mapping == nil, BlockDevice.text("\(folder)/md/level") == "raid1" {
            id = Layer.mirror
        } else {
            throw DiskError.inUse(path, ["\(device.name) is part of \(name)"])
        }
        let uses = holder.uses()
        let others = uses.filter {
            ![.swap, .open, .mounted, .fileSystem].contains($0.kind) || $0.device != holder.name
        }
        guard others.isEmpty else { throw DiskError.inUse(path, others.map(\.description)) }
        let trees = try trees(on: holder, uses, all, of: path)
        if trees.isEmpty { try hold(holder, uses, of: path) }
        return trees.isEmpty ? nil : Layer(id: id, name: name, trees: trees)
    }

    /// Keeps what is at rest from being mounted while it is read: of one that was in between, half would be as it was, and half as it is.
    private mutating func hold(_ device: BlockDevice, _ uses: [DeviceUse], of path: BytePath) throws {
        if uses.contains(where: { $0.device == device.name && $0.kind == .swap }) { return }
        do throws(SystemError) { held.append(try Descriptor.open(device.path, .exclusive)) } catch {
            throw error.code == EBUSY
                ? DiskError.inUse(path, ["the kernel or a program holds \(device.name)"]) : error
        }
    }

    /// What is at rest, and the roots of what is mounted; held as long as the disk is read.
    private var held: [Descriptor] = []
    /// Subvolumes that are not read: snapshots, which would take as much again.
    private(set) var snapshots: [String] = []

    /// All subvolumes of a btrfs that can be written, whatever of them is mounted: those in others behind those.
    private mutating func withSubvolumes(
        _ trees: [MountedTree], of mount: Mount, _ device: BlockDevice
    ) throws -> [MountedTree] {
        let top = try Descriptor.topLevel(of: mount).open([UInt8(ascii: ".")], .directory)
        held.append(top)
        var (trees, waiting) = (trees, [BytePath([])])
        while let above = waiting.popLast() {
            let folder = above.bytes.isEmpty ? top : try top.openBeneath(above.bytes, .directory)
            for child in try folder.nestedSubvolumes() {
                let path = above.bytes.isEmpty ? child : above.appending(child.bytes)
                guard let name = String(validating: path.bytes, as: UTF8.self) else {
                    throw DiskError.inUse(device.path, ["its subvolume \(path) has a name that is no text"])
                }
                if try top.openBeneath(path.bytes, .directory).isReadOnlySubvolume() {
                    snapshots.append(name)
                    continue
                }
                waiting.append(path)
                if trees.contains(where: { $0.subvolume == name }) { continue }
                let place = BytePath("/dev/\(device.name)/\(name)")
                trees.append(
                    MountedTree(
                        device: device, point: place, name: "/dev/\(device.name)/\(name)", subvolume: name,
                        view: BytePath("/proc/self/fd/\(top.raw)/\(name)")))
            }
        }
        let standard = try top.defaultSubvolume()
        for index in trees.indices {
            guard let subvolume = trees[index].subvolume else { continue }
            let folder = try top.openBeneath(Array(subvolume.utf8), .directory)
            trees[index].isDefault = try folder.subvolumeInfo().id == standard
        }
        return trees.sorted { ($0.subvolume ?? "").utf8.count < ($1.subvolume ?? "").utf8.count }
    }

    /// `sda2`, `nvme0n1p2`
    private static func number(of partition: BlockDevice) -> Int {
        Int(BlockDevice.text("/sys/class/block/\(partition.name)/partition") ?? "") ?? 0
    }

    /// nil: another mount covers it, which has no such folder.
    private static func opened(_ point: BytePath) throws(SystemError) -> Descriptor? {
        do throws(SystemError) { return try Descriptor.open(point, .directory) } catch {
            if error.isAbsent || error.code == ENOTDIR { return nil }
            throw error
        }
    }

    /// Each file system, or subvolume, once: where its path is the shortest.
    private mutating func trees(_ mounted: [Mount], _ device: BlockDevice) throws -> [MountedTree] {
        var found: [BytePath: MountedTree] = [:]
        for mount in mounted.sorted(by: { $0.point.bytes.count < $1.point.bytes.count }) where found[mount.root] == nil
        {
            // What another one covers is not found by its path. A folder of it that is mounted somewhere else, too, is in the tree.
            guard let folder = try Self.opened(mount.point), try Mount.holding(folder)?.id == mount.id,
                mount.type == "btrfs" ? folder.isSubvolume : mount.root == "/"
            else { continue }
            guard let name = String(validating: mount.point.bytes, as: UTF8.self),
                let root = String(validating: mount.root.bytes, as: UTF8.self)
            else { throw DiskError.inUse(device.path, ["it is mounted at \(mount.point), which is no text"]) }
            let ignored = ["noload", "norecovery", "nologreplay", "rescue=nologreplay", "rescue=all"]
            if let option = mount.options.first(where: ignored.contains) {
                throw DiskError.inUse(
                    device.path, ["it is mounted at \(mount.point) without what its journal holds (\(option))"])
            }
            let clone = try folder.cloneMount()
            held.append(clone)
            found[mount.root] = MountedTree(
                device: device, point: mount.point, name: name,
                subvolume: mount.type == "btrfs" && root != "/" ? String(root.dropFirst()) : nil,
                options: mount.options, view: BytePath("/proc/self/fd/\(clone.raw)"))
        }
        return found.values.sorted { $0.point.bytes.count < $1.point.bytes.count }
    }
}
