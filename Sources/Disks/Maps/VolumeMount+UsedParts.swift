// A volume that nobody has mounted, looked at so that not a byte of it is written: mounted from a device that is read-only. The kernel mounts
// what was cleanly unmounted, and refuses what it would have to replay first.

public import Images
internal import Platform

extension VolumeMount {
    /// The parts of it that are used.
    /// - Throws: `DiskFormatError` where what it is made of cannot be.
    public func usedParts() throws -> any UsedParts {
        guard type == "btrfs" else { return Complement(MountedFreeParts(of: folder), end: size) }
        let disk = OpenDisk(device.file, size: size, sectorSize: 512, subject: "btrfs")
        return Complement(try BtrfsFreeParts(of: folder, on: disk), end: size, keeping: BtrfsFreeParts.kept)
    }
}
