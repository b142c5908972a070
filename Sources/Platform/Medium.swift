// Media, which are found by the label of the file system on them. What a device holds is what blkid says of its bytes now, not what somebody
// noted when it came: nothing is taken for granted of a name, and nothing has to run beside.

internal import Glibc

/// A block device with a file system that has a label.
public struct Medium: Sendable, Hashable {
    /// The partition, or the disk where the file system is on all of it.
    public let device: BlockDevice
    /// As blkid calls it: `vfat`, `ext4`.
    public let type: String
    /// From outside: it may hold anything.
    public let label: [UInt8]
    /// As blkid writes it; empty where there is none.
    fileprivate let identifier: String

    /// `sdb1 (SanDisk Ultra, serial number 4C5300, 15.7 GB, vfat)`, as it was when it was found: who has pulled it is to know it again.
    public let description: String

    private static func describe(_ device: BlockDevice, _ type: String) -> String {
        let disk = device.wholeDisk
        let facts = [
            disk.model, disk.serial.isEmpty ? "without a serial number" : "serial number \(disk.serial)",
            size(device.size), type,
        ]
        return "\(device.name) (\(facts.filter { !$0.isEmpty }.joined(separator: ", ")))"
    }

    private static func size(_ bytes: UInt64) -> String {
        let tenths = bytes / 100_000_000
        return tenths >= 10 ? "\(tenths / 10).\(tenths % 10) GB" : "\(bytes / 1_000_000) MB"
    }
}

/// What was found where media were looked for.
public struct MediaFound: Sendable {
    public internal(set) var media: [Medium] = []
    /// Devices that could not be looked at: what is not found may be on one of them.
    public internal(set) var failures: [SystemError] = []

    /// Those with this label. A disk whose partition is the same file system, as disks that are written from an image for CDs have it, is
    /// named by the partition alone.
    public func labelled(_ label: [UInt8]) -> [Medium] {
        let found = media.filter { $0.label == label }
        return found.filter { whole in
            !found.contains {
                $0.device.disk == whole.device.name && $0.identifier == whole.identifier && $0.type == whole.type
            }
        }
    }
}

extension Medium {
    /// All that have a label, by their names.
    ///
    /// A device of which something else is made, such as a member of an array or what a mapping stands on, is none: what is made of it is.
    /// - Parameter loops: loop devices that count, too, for tests. Others are files of this machine and no media.
    public static func all(loops: Set<String> = []) throws(SystemError) -> MediaFound {
        let folder: BytePath = "/sys/class/block"
        let names = try DirectoryListing(of: Descriptor.open(folder, .directory))
        var found = MediaFound()
        for name in (0..<names.count).map({ String(decoding: names[$0], as: UTF8.self) }).sorted() {
            // A floppy disk drive answers after seconds that it has none.
            let isLeftOut = ["ram", "zram", "fd"].contains { name.hasPrefix($0) }
            if isLeftOut || (name.hasPrefix("loop") && !loops.contains(name)) { continue }
            // A drive without a medium has no size.
            guard let device = BlockDevice(named: name), device.size > 0,
                BlockDevice.names(in: "\(folder)/\(name)/holders").isEmpty
            else { continue }
            do throws(SystemError) {
                if let medium = try Medium(on: device) { found.media.append(medium) }
            } catch {
                // Taken out since it was listed.
                if ![ENOMEDIUM, ENXIO, ENODEV].contains(error.code) { found.failures.append(error) }
            }
        }
        return found
    }

    /// What is on a device; nil where that is no file system with a label.
    /// - Parameter isNamed: whether the device was named, so that nothing has to tell it from others: then a label is not wanted.
    public init?(on device: BlockDevice, isNamed: Bool = false) throws(SystemError) {
        // To blkid a device that does not answer is like one on which there is nothing.
        let file = try Descriptor.open(device.path, .nonBlocking)
        var sector = [UInt8](repeating: 0, count: 512)
        do throws(SystemError) { _ = try file.read(intoArray: &sector) } catch {
            throw SystemError(error.code, "read", device.path.description)
        }
        let content: ContentProbe?
        do { content = try ContentProbe.look(at: device.path, for: .fileSystems) } catch {
            let reason: String
            switch error {
            case ContentProbe.Doubt.several: reason = "it has the marks of several file systems"
            case ContentProbe.Doubt.failed(let complaint): reason = complaint
            default: reason = "\(error)"
            }
            throw SystemError(EIO, "find out what is on", device.path.description, detail: reason)
        }
        guard let content, isNamed || !content.label.isEmpty else { return nil }
        self.device = device
        type = content.type
        description = Self.describe(device, content.type)
        label = content.label
        identifier = content.identifier
    }
}
