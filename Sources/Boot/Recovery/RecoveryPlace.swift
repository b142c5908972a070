// Where a machine keeps the system that it starts when its own does not: where a boot loader finds it without `/`, if there is such a place.

internal import Machine
public import Platform

/// A folder that GRUB reads.
public struct RecoveryPlace: Sendable, Hashable {
    public enum Kind: String, Sendable {
        /// The EFI system partition: nothing of `/` or `/boot` is needed.
        case firmware
        /// The state of Holdfast, on a file system that GRUB reads.
        case state
        case boot
    }

    public let kind: Kind
    /// Where it is while the machine runs.
    public let folder: BytePath
    /// What GRUB calls it: the path in its file system.
    let loaderPath: BytePath

    private static let firmwareFolders: [BytePath] = ["/boot/efi", "/efi", "/boot"]
    /// What Debian's GRUB reads on a partition, an array or a logical volume.
    private static let readable: Set<String> = ["ext2", "ext3", "ext4", "xfs", "btrfs", "vfat"]
    /// Stays free.
    private static let rest: UInt64 = 32 << 20

    /// All places, the best first.
    /// - Parameter root: where `/` of the machine is.
    static func all(state: BytePath, root: BytePath = "/") throws -> [RecoveryPlace] {
        var places: [RecoveryPlace] = []
        for point in firmwareFolders.map({ $0.placed(below: root) }) {
            guard let mount = try Mount.at(point), mount.type == "vfat" else { continue }
            places.append(RecoveryPlace(kind: .firmware, folder: point.appending("holdfast"), loaderPath: "/holdfast"))
        }
        for (kind, folder) in [
            (Kind.state, state.appending("recovery")), (.boot, BytePath("/boot/holdfast").placed(below: root)),
        ] {
            let open = try Descriptor.open(nearestExisting(folder), .directory)
            guard let mount = try Mount.holding(open), readable.contains(mount.type), mount.type != "vfat" else {
                continue
            }
            // Not of something that is opened first.
            guard !isEncrypted(mount) else { continue }
            let inside = mount.pathInFileSystem(of: folder)
            guard inside.isPlainInScripts else { continue }
            places.append(RecoveryPlace(kind: kind, folder: folder, loaderPath: inside))
        }
        return places
    }

    /// The first with room for two generations of this size, or that has one already.
    static func choose(state: BytePath, needed: UInt64) throws -> RecoveryPlace? {
        try all(state: state).first { place in
            if exists(place.folder.appending(RecoverySystem.listName)) { return true }
            let (wanted, isTooLarge) = needed.multipliedReportingOverflow(by: 2)
            return try !isTooLarge
                && Descriptor.open(nearestExisting(place.folder), .directory).space().free > wanted + rest
        }
    }

    /// Whether something has to be opened before `/` can be read.
    static func isEncrypted(root: BytePath) throws -> Bool {
        let below = try BlockDevice.below(Descriptor.open(FilterMounts.lower(of: root) ?? root, .directory))
        return below.contains { (BlockDevice.text("/sys/class/block/\($0)/dm/uuid") ?? "").hasPrefix("CRYPT-") }
    }

    private static func isEncrypted(_ mount: Mount) -> Bool {
        // What cannot be looked at is taken for what GRUB cannot read.
        guard let device = BlockDevice.at(mount.source) else { return mount.type != "btrfs" }
        let uuid = BlockDevice.text("/sys/class/block/\(device.name)/dm/uuid") ?? ""
        return uuid.hasPrefix("CRYPT-")
    }
}

extension BytePath {
    /// What has this absolute path, where `/` is mounted somewhere.
    fileprivate func placed(below root: BytePath) -> BytePath {
        root == "/" ? self : root.appending(BytePath("/").remainder(of: self))
    }
}
