// What keeps a disk from being imaged or restored, each in a sentence with its mend.

public import Platform
public import Reporting

public enum DiskError: Explained, Hashable {
    case noDisk(BytePath)
    case partition(BytePath)
    case inUse(BytePath, [String])
    case damagedTable(BytePath, String)
    case damagedDescription(String)
    case tooSmall(BytePath, needed: UInt64, size: UInt64)
    case noRoom(BytePath, String, needed: UInt64, room: UInt64, grows: Bool)
    case otherSectors(BytePath, image: Int, disk: Int, [String])
    case readOnly(BytePath)
    case ontoItself(BytePath, String)
    case noDevice(BytePath)
    case deadLink(BytePath, to: BytePath)
    case unfinished(BytePath)
    case beingWritten(BytePath)
    case otherPartitions(BytePath, BytePath)
    case severalNames(BytePath)
    case noSystem(BytePath)
    case twin(BytePath, id: String, of: BytePath)
    case notConfirmed(BytePath, wanted: String)
    case different(BytePath, blocks: Int, first: UInt64)

    public var description: String {
        switch self {
        case .noDisk(let path): "\(path) is neither a disk nor an image of one"
        case .partition(let path): "\(path) is a partition, and what makes a machine start is on the whole disk"
        case .inUse(let path, let uses): "\(path) is in use: \(uses.joined(separator: "; "))"
        case .damagedTable(let path, let reason): "the partition table of \(path) is damaged: \(reason)"
        case .damagedDescription(let reason): "the image cannot be restored: \(reason)"
        case .tooSmall(let path, let needed, let size):
            "\(path) is too small: it has \(size) bytes, and the smallest disk for the image \(needed)"
        case .noRoom(let path, let volume, let needed, let room, _):
            "the files of \(printable(volume.utf8)) come to \(needed) bytes, and on \(path) it will have \(room): they were compressed, or shared what they have in common, where they were read"
        case .otherSectors(let path, let image, let disk, let parts):
            "\(path) has sectors of \(disk) bytes, and what is in the image was made for \(image): \(parts.joined(separator: ", "))"
        case .twin(let path, let id, let other):
            "the btrfs with the UUID \(printable(id.utf8)) is on \(other), and no second one can be made on \(path) beside it"
        case .noSystem(let path):
            "nobody could look at a system on \(path) that is to become another machine, as of one that was not unmounted; nothing was written"
        case .severalNames(let path): "the file \(path) has other names, too, and nothing was written to it"
        case .otherPartitions(let path, let point):
            "what is mounted at \(point) is on \(path), and not where its partition table says: it was divided anew while it was in use"
        case .deadLink(let path, let target): "\(path) is a link to \(target), which is not there"
        case .noDevice(let path): "there is no device \(path)"
        case .unfinished(let path):
            "\(path) is being restored, and that is not finished: there is no disk to make an image of"
        case .beingWritten(let path): "\(path) is being read or written by another Holdfast"
        case .readOnly(let path): "\(path) is write-protected"
        case .ontoItself(let path, let name):
            "\(name) that the image would go to is on \(path) itself: it would be lost with the disk, and grows while that is read"
        case .notConfirmed(let path, let wanted):
            "not confirmed, and nothing was written: \(path) is confirmed by typing \(printable(wanted.utf8))"
        case .different(let path, let blocks, let first):
            "\(path) does not give back what was written to it: \(blocks) blocks differ, the first at byte \(first)"
        }
    }

    public var mend: String? {
        switch self {
        case .noDisk: "`holdfast disks` lists the disks"
        case .partition: "name the disk, as /dev/sda"
        case .inUse:
            "end that use (`umount`, `vgchange -an`, `mdadm --stop`), or start the machine from another medium; `holdfast backup` makes an image of files"
        case .damagedTable: "`fdisk -l` shows what it says; nothing was read"
        case .damagedDescription: nil
        case .tooSmall, .noRoom(_, _, needed: _, room: _, grows: true): "take a larger disk"
        case .noRoom:
            "it does not grow, as it is not the last one of its disk: restore its files with `holdfast restore --to DIR`, or make the image while it is not mounted"
        case .otherSectors:
            "take a disk with the same sectors, or make the image while the file systems are mounted: what is taken as files goes onto any"
        case .twin: "restore it where that disk is not attached"
        case .noSystem:
            "restore it without --new-identity, and before it is on the network remove /etc/machine-id and /etc/ssh/ssh_host_* by hand, and change /etc/hostname"
        case .severalNames: "give the name of a file that is not there yet"
        case .otherPartitions: "restart the machine, or unmount it"
        case .noDevice: "`holdfast disks` lists the disks"
        case .deadLink: "give the disk itself, or the name of a file that is not there yet"
        case .unfinished: "give the same `holdfast restore` again, which goes on"
        case .beingWritten: "wait until that has ended; no disk is restored to itself"
        case .readOnly: "take the protection off, or take another disk"
        case .ontoItself: "give a store, or a file, on another disk"
        case .notConfirmed: "give its serial number, or else its name, with --confirm"
        case .different: "take another disk: this one does not keep what it is given"
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .noDisk, .partition, .noDevice, .deadLink: 2
        case .damagedDescription: 3
        case .different: 1
        default: 4
        }
    }
}
