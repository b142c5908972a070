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
    private init?(on device: BlockDevice) throws(SystemError) {
        // To blkid a device that does not answer is like one on which there is nothing.
        let file = try Descriptor.open(device.path, .nonBlocking)
        var sector = [UInt8](repeating: 0, count: 512)
        do throws(SystemError) { _ = try file.read(intoArray: &sector) } catch {
            throw SystemError(error.code, "read", device.path.description)
        }
        let result = try runProgram(
            ["blkid", "-p", "-u", "filesystem", "-o", "udev", ProgramWord(device.path)], limit: 30)
        guard result.status == 0 else {
            if result.status == 2, result.errors.isEmpty { return nil }
            let reason = result.status == 8 ? "it has the marks of several file systems" : result.complaint
            throw SystemError(EIO, "find out what is on", device.path.description, detail: reason)
        }
        let facts = Self.facts(result.output)
        guard let type = facts["ID_FS_TYPE"], let label = facts["ID_FS_LABEL_ENC"], !label.isEmpty else { return nil }
        self.device = device
        self.type = printable(type)
        description = Self.describe(device, self.type)
        self.label = label
        identifier = printable(facts["ID_FS_UUID_ENC"] ?? [])
    }

    /// The lines `KEY=value` of blkid. Values of keys that end in `_ENC` have what is no plain text as `\x20`, the backslash too; of its ways
    /// to write a label it is the one that loses nothing.
    static func facts(_ output: [UInt8]) -> [String: [UInt8]] {
        var facts: [String: [UInt8]] = [:]
        for line in output.split(separator: UInt8(ascii: "\n")) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let key = String(decoding: line[..<equals], as: UTF8.self)
            let value = line[(equals + 1)...]
            facts[key] = key.hasSuffix("_ENC") ? decoded(value) : Array(value)
        }
        return facts
    }

    private static func decoded(_ value: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = value
        while let byte = rest.popFirst() {
            let digits = rest.dropFirst().prefix(2)
            if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"), digits.count == 2,
                let escaped = decodeHexadecimal(String(decoding: digits, as: UTF8.self))
            {
                result += escaped
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
            }
        }
        return result
    }
}
