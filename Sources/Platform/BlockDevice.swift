// Block devices: what they are, and opening one so that nobody else comes to use it.

internal import CLinux
internal import Glibc

/// A block device, as sysfs tells of it (Documentation/ABI/testing/sysfs-block).
public struct BlockDevice: Sendable, Hashable {
    public enum Kind: String, Sendable {
        case nvme = "NVMe"
        case sata = "SATA"
        case scsi = "SCSI"
        case usb = "USB"
        case mmc = "eMMC"
        case sd = "SD"
        case virtual
        case loop
        case mapper
        case raid
        case other
    }

    /// The kernel's name: `sda`, `nvme0n1p1`.
    public var name: String
    /// `8:1`, as the kernel's lists of mounts have it.
    public var number: String
    public var kind: Kind
    /// Bytes.
    public var size: UInt64
    public var model: String
    /// Empty where it has none: then its name stands for it.
    public var serial: String
    public var isReadOnly: Bool
    /// The disk that a partition is on.
    public var disk: String?
    /// Its partitions.
    public var partitions: [String]
    /// The kernel's number of what is attached by this name: another one once it was taken away, or its medium was changed
    /// (Documentation/ABI/stable/sysfs-block, diskseq). nil before Linux 5.15.
    public var sequence: UInt64?

    public var path: BytePath { BytePath("/dev/\(name)") }
    /// What somebody types to confirm that this one is meant.
    public var confirmation: String { serial.isEmpty ? name : serial }

    /// The disk that it is on, or itself.
    public var wholeDisk: BlockDevice { disk.flatMap { BlockDevice(named: $0) } ?? self }

    /// All disks that have a size, by their names. Partitions are in them.
    public static func disks() -> [BlockDevice] {
        names(in: "/sys/block").sorted().compactMap { BlockDevice(named: $0) }.filter { $0.size > 0 }
    }

    /// What a path leads to; nil where that is no block device.
    public static func at(_ path: BytePath) -> BlockDevice? {
        guard let status = try? Descriptor.open(path, .place).status(), status.kind == .blockDevice else { return nil }
        return BlockDevice(number: "\(status.nodeMajor):\(status.nodeMinor)")
    }

    public init?(number: String) {
        let place = Self.realPath("/sys/dev/block/\(number)")
        self.init(named: String(decoding: BytePath(place).lastComponent, as: UTF8.self))
    }

    public init?(named name: String) {
        let folder = "/sys/class/block/\(name)"
        guard let number = Self.text("\(folder)/dev"), let sectors = UInt64(Self.text("\(folder)/size") ?? "") else {
            return nil
        }
        self.name = name
        self.number = number
        // The kernel counts in 512 bytes, whatever the device's own sectors are.
        size = sectors * 512
        let place = Self.realPath(folder)
        let isPartition = exists(BytePath("\(folder)/partition"))
        disk = isPartition ? String(decoding: BytePath(place).parent.lastComponent, as: UTF8.self) : nil
        partitions = Self.names(in: place).filter { exists(BytePath("\(place)/\($0)/partition")) }.sorted()
        let whole = disk.map { "/sys/class/block/\($0)" } ?? folder
        sequence = Self.text("\(whole)/diskseq").flatMap { UInt64($0) }
        isReadOnly = Self.text("\(whole)/ro") == "1" || Self.text("\(folder)/ro") == "1"
        kind = Self.kind(disk ?? name, whole, place)
        model = [
            Self.text("\(whole)/device/vendor"),
            Self.text("\(whole)/device/model") ?? Self.text("\(whole)/device/name"),
        ]
        // A virtio disk has its vendor as a number.
        .compactMap { $0 }.filter { $0 != "ATA" && !$0.hasPrefix("0x") && !$0.isEmpty }.joined(separator: " ")
        serial = Self.serial(whole, place)
    }

    private static func kind(_ name: String, _ folder: String, _ place: String) -> Kind {
        if name.hasPrefix("nvme") { return .nvme }
        if name.hasPrefix("loop") { return .loop }
        if name.hasPrefix("dm-") { return .mapper }
        if name.hasPrefix("md") { return .raid }
        if name.hasPrefix("vd") { return .virtual }
        if name.hasPrefix("mmcblk") { return text("\(folder)/device/type") == "SD" ? .sd : .mmc }
        if place.contains("/usb") { return .usb }
        if name.hasPrefix("sd") { return text("\(folder)/device/vendor") == "ATA" ? .sata : .scsi }
        return .other
    }

    /// VPD page 0x80, then what the driver says, then the serial number of the USB device that it is in.
    private static func serial(_ folder: String, _ place: String) -> String {
        if let page = try? readWhole(BytePath("\(folder)/device/vpd_pg80"), limit: 4096), page.count > 4 {
            let text = printable(page.dropFirst(4)).trimmed
            if !text.isEmpty { return text }
        }
        for file in ["serial", "device/serial"] {
            if let text = text("\(folder)/\(file)"), !text.isEmpty { return text }
        }
        var above = BytePath(place)
        while above.components.count > 3 {
            above = above.parent
            if exists(above.appending("idVendor")) { return text("\(above)/serial") ?? "" }
        }
        return ""
    }

    // MARK: sysfs

    package static func text(_ file: String) -> String? {
        guard let bytes = try? readWhole(BytePath(file), limit: 4096) else { return nil }
        return printable(bytes.filter { $0 != UInt8(ascii: "\n") && $0 != 0 }).trimmed
    }

    package static func names(in folder: String) -> [String] {
        guard let folder = try? Descriptor.open(BytePath(folder), .directory),
            let names = try? DirectoryListing(of: folder)
        else { return [] }
        return (0..<names.count).map { String(decoding: names[$0], as: UTF8.self) }
    }

    private static func realPath(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

extension Descriptor {
    /// Opens a block device for reading and writing past the kernel's cache, so that nobody else mounts it or takes it while it is open
    /// (open(2), O_EXCL). EBUSY: somebody has.
    public static func openExclusively(_ path: BytePath) throws(SystemError) -> Descriptor {
        try Descriptor(
            owning: check("open", path.description) {
                path.withCString { clinux_openat(AT_FDCWD, $0, O_RDWR | O_EXCL | O_CLOEXEC | clinux_O_DIRECT, 0) }
            })
    }

    /// Opens a block device for reading only, past the kernel's cache.
    public static func openUncached(_ path: BytePath) throws(SystemError) -> Descriptor {
        try Descriptor(
            owning: check("open", path.description) {
                path.withCString { clinux_openat(AT_FDCWD, $0, O_RDONLY | O_CLOEXEC | clinux_O_DIRECT, 0) }
            })
    }

    /// Has what is read next of a block device come from the device. The kernel keeps what was read of a disk apart from what was read and written
    /// of its partitions: as long as one of those is in use, the disk's part of that stays what it once was.
    /// - Throws: EACCES: only root may.
    public func forgetCachedBlocks() throws(SystemError) {
        try check("have read anew", "the device") { clinux_block_forget(raw) }
    }

    /// Has the kernel read the partition table of this disk anew; whether it does.
    public func rereadTable() -> Bool { clinux_block_reread(raw) == 0 }

    /// Makes a range of a block device zeros; whether it did. Both ends are at whole sectors.
    public func zeroBlocks(_ range: Range<UInt64>) -> Bool {
        clinux_block_zero(raw, range.lowerBound, range.upperBound - range.lowerBound) == 0
    }

    /// Length and logical sector size of a block device, in bytes.
    public func blockFacts() throws(SystemError) -> (bytes: UInt64, sector: Int) {
        var bytes: UInt64 = 0
        var sector: UInt32 = 0
        try check("ask for the size of", "the device") { clinux_block_facts(raw, &bytes, &sector) }
        return (bytes, Int(sector))
    }

    /// Tells a device that it needs to keep nothing. It may do so, or not; data is not gone for that.
    public func discardAll(_ bytes: UInt64) -> Bool { clinux_block_discard(raw, 0, bytes) == 0 }
}
