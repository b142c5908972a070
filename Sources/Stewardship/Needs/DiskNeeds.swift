// Which disks a machine has, how they are divided, and what is on them: from sysfs, from the database of udev, which has looked at each of them
// when it came, and from the list of mounts. No device is opened.

internal import Platform

struct DiskNeeds {
    /// A file for each device: `E:ID_FS_TYPE=ext4`.
    static let database: BytePath = "/run/udev/data"

    /// Where something is mounted, by the number of its device.
    private var points: [String: [(point: String, type: String)]] = [:]

    init(_ mounts: [Mount]) {
        for mount in mounts where mount.source.isAbsolute {
            // btrfs numbers itself; its device has the number that counts here.
            let number = BlockDevice.at(mount.source)?.number ?? mount.device
            points[number, default: []].append((mount.point.description, mount.type))
        }
    }

    func list() -> [MachineNeeds.Disk] {
        var result: [MachineNeeds.Disk] = []
        for disk in BlockDevice.disks() where disk.kind != .loop && !Self.isInMemory(disk.name) {
            guard result.count < Self.most else { break }
            result.append(describe(disk))
            result += disk.partitions.prefix(Self.most).compactMap { BlockDevice(named: $0) }.map(describe)
        }
        return result
    }

    private static let most = 1000

    private static func isInMemory(_ name: String) -> Bool { name.hasPrefix("ram") || name.hasPrefix("zram") }

    private func describe(_ device: BlockDevice) -> MachineNeeds.Disk {
        let folder = "/sys/class/block/\(device.name)"
        var disk = MachineNeeds.Disk(name: device.name, size: device.size)
        let known = Self.properties(device.number)
        disk.disk = device.disk
        if device.disk == nil {
            disk.kind = device.kind.rawValue
            disk.model = device.model.nonEmpty
            disk.serial = device.serial.nonEmpty
            disk.table = known["ID_PART_TABLE_TYPE"]
            disk.tableID = known["ID_PART_TABLE_UUID"]
            disk.on = BlockDevice.names(in: "\(folder)/slaves").sorted().nonEmpty
            if let name = BlockDevice.text("\(folder)/dm/name") { disk.label = name.nonEmpty }
        } else {
            // The kernel counts in 512 bytes.
            disk.start = BlockDevice.text("\(folder)/start").flatMap { UInt64($0) }.flatMap {
                let (bytes, isBeyond) = $0.multipliedReportingOverflow(by: 512)
                return isBeyond ? nil : bytes
            }
            disk.partitionType = known["ID_PART_ENTRY_TYPE"]
            disk.partitionID = known["ID_PART_ENTRY_UUID"]
        }
        let mounted = points[device.number] ?? []
        disk.content = known["ID_FS_TYPE"] ?? mounted.first?.type
        disk.contentID = known["ID_FS_UUID"]
        disk.label = disk.label ?? known["ID_FS_LABEL"]
        disk.mounts = Array(Set(mounted.map(\.point))).sorted().nonEmpty
        return disk
    }

    /// What udev knows of a device; nothing where it does not run.
    private static func properties(_ number: String) -> [String: String] {
        guard let bytes = try? readRegular(database.appending("b\(number)"), limit: 1 << 16) else { return [:] }
        return properties(in: bytes)
    }

    static func properties(in bytes: [UInt8]) -> [String: String] {
        var result: [String: String] = [:]
        for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: "E:".utf8) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: line[line.startIndex + 2..<equals], as: UTF8.self)
            guard name.hasPrefix("ID_FS_") || name.hasPrefix("ID_PART_") else { continue }
            result[name] = printable(line[(equals + 1)...].prefix(256)).nonEmpty
        }
        return result
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}

extension Array {
    fileprivate var nonEmpty: [Element]? { isEmpty ? nil : self }
}
