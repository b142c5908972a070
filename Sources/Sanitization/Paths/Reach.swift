// Whether writing over a file reaches the blocks that it was in. Where it does not, nothing that is written says otherwise.

internal import Glibc
internal import Machine
internal import Platform

/// What overwriting reaches on a mounted file system.
public struct Reach: Sendable {
    /// Why old content may be left; empty where there is nothing to be said against it.
    public private(set) var reasons: [String] = []
    /// What cannot be seen from here.
    public private(set) var notes: [String] = []
    /// Whether names go through a journal.
    let hasJournal: Bool
    /// The device that the file system is on, where it is one.
    let device: BlockDevice?

    init(_ mount: Mount) {
        device = BlockDevice(number: mount.device)
        hasJournal = ["ext3", "ext4", "xfs"].contains(mount.type)
        look(at: mount)
    }

    private mutating func look(at mount: Mount) {
        if FilterMounts.isSession(mount) {
            reasons.append("the write filter covers it, and what is protected stays below")
            return
        }
        switch mount.type {
        case "ext2", "vfat", "exfat": break
        case "xfs": break
        case "ext3", "ext4":
            if Self.journalsData(mount) {
                reasons.append("the file system keeps content in its journal, too (data=journal)")
            }
        case _ where mount.isInMemory:
            let swap = (try? readWhole("/proc/swaps", limit: 1 << 20)) ?? []
            if swap.count(where: { $0 == UInt8(ascii: "\n") }) > 1 {
                reasons.append("it is in memory, which may have been written to swap space")
            }
            return
        case "btrfs", "zfs", "bcachefs", "nilfs2", "f2fs":
            reasons.append("\(mount.type) writes elsewhere, and leaves the old blocks as they are")
        case "overlay": reasons.append("an overlay leaves what is below it as it is")
        case "nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "virtiofs":
            reasons.append("what the server keeps is not known here (\(mount.type))")
        default: reasons.append("nothing is known of how \(mount.type) writes")
        }
        if let device = BlockDevice(number: mount.device) { look(at: device) }
    }

    /// Down to the disks that it stands on.
    private mutating func look(at device: BlockDevice) {
        let disk = device.wholeDisk
        switch disk.kind {
        case .nvme, .mmc, .sd: reasons.append("\(disk.name) is flash, which writes elsewhere")
        case .usb: reasons.append("\(disk.name) is behind USB, and most likely flash, which writes elsewhere")
        case .sata, .scsi:
            if !Self.rotates(disk) {
                reasons.append("\(disk.name) does not say that it rotates; flash writes elsewhere")
            }
        case .virtual, .other: notes.append("what \(disk.name) stands on is not seen from here")
        case .mapper where !Self.isPlain(disk):
            reasons.append("\(disk.name) may keep old blocks: it is a snapshot, stands on one, or is not known")
        case .mapper, .raid:
            for below in BlockDevice.names(in: "/sys/class/block/\(disk.name)/slaves").sorted() {
                if let below = BlockDevice(named: below) { look(at: below) }
            }
        case .loop:
            guard let file = BlockDevice.text("/sys/block/\(disk.name)/loop/backing_file"),
                let open = try? Descriptor.open(BytePath(file), .place), let mount = try? Mount.holding(open)
            else { return notes.append("what \(disk.name) stands on is not seen from here") }
            look(at: mount)
        }
    }

    /// Encryption, and volumes that are simply there; LVM marks what its snapshots and pools are made of behind a dash.
    private static func isPlain(_ mapping: BlockDevice) -> Bool {
        let name = BlockDevice.text("/sys/class/block/\(mapping.name)/dm/uuid") ?? ""
        return name.hasPrefix("CRYPT-") || name.hasPrefix("LVM-") && !name.dropFirst(4).contains("-")
    }

    private static func journalsData(_ mount: Mount) -> Bool {
        if mount.options.contains("data=journal") { return true }
        // A default that was laid down in the file system shows only here.
        let name = BlockDevice(number: mount.device)?.name ?? ""
        let options = (try? readWhole(BytePath("/proc/fs/\(mount.type)/\(name)/options"), limit: 1 << 16)) ?? []
        return String(decoding: options, as: UTF8.self).split(separator: "\n").contains("data=journal")
    }

    /// VPD page B1 tells the rotation rate (SBC-4); the kernel's own word for it is true for whatever says nothing.
    private static func rotates(_ disk: BlockDevice) -> Bool {
        guard let page = try? readWhole(BytePath("/sys/block/\(disk.name)/device/vpd_pgb1"), limit: 256), page.count > 5
        else { return false }
        return Int(page[4]) << 8 | Int(page[5]) > 1
    }
}
