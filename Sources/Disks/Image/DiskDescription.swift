// What an image says of a disk, before any of its content: how it is divided, and which file holds what, taken how. A JSON document.

internal import FoundationEssentials
internal import Platform

public struct DiskDescription: Codable, Hashable, Sendable {
    public var version = 1
    /// What it was called where the image was made; another start may call another disk so.
    public var name: String
    public var model: String?
    public var serial: String?
    /// Bytes.
    public var size: UInt64
    /// Bytes of a logical sector.
    public var sectorSize: Int
    /// nil: it has none, and one volume is all of it.
    public var table: Table?
    /// In the order of their places.
    public var volumes: [Volume]
    /// The system that starts from it, where there is one.
    public var system: SystemOnDisk?
    /// The machine that made the image, by what its board says; absent where the disk was a file, or the board says nothing.
    public var machine: String?
    /// What of the disk is not in the image, and why.
    public var leftOut: [Gap] = []
    /// Of a btrfs that is read as files: the snapshots in it, which are not in the image.
    public var snapshots: [String]?
    /// What of the table is not as it should be, each in a sentence.
    public var remarks: [String] = []

    public struct Table: Codable, Hashable, Sendable {
        /// `gpt` or `dos`.
        public var kind: String
        /// A GUID, or 8 hexadecimal digits.
        public var id: String
        /// Sector 0, 512 bytes in hexadecimal digits.
        public var bootSector: String
        public var entryCount: Int?
        /// Bytes.
        public var firstUsable: UInt64?
        public var partitions: [Entry]
    }

    public struct Entry: Codable, Hashable, Sendable {
        public var number: Int
        /// Bytes.
        public var start: UInt64
        public var length: UInt64
        /// A GUID, or 2 hexadecimal digits.
        public var type: String
        public var id: String?
        /// Units of UTF-16: what a table holds need not be a text.
        public var name: [UInt16]?
        public var attributes: UInt64?
        public var link: UInt64?
    }

    public struct Volume: Codable, Hashable, Sendable {
        /// The name of its file in the image.
        public var stream: String
        /// The number of its partition; nil of what lies in none.
        public var partition: Int?
        /// The stream of the volume that it lies in, as a logical volume in a physical one: what that one's stream does not have. Absent of others.
        public var within: String?
        /// Bytes.
        public var start: UInt64
        public var size: UInt64
        public var way: Way
        /// Bytes of it that are read.
        public var used: UInt64
        /// As blkid calls it: `ext4`, `LVM2_member`; nil where it is not known.
        public var content: String?
        public var contentID: String?
        public var label: String?
        /// Of a *tree*: what its files, the file system itself and some room to work in take, in bytes.
        var smallestSize: UInt64 {
            var size = used.adding(saturating: used / 8).adding(saturating: 64 << 20)
            if let files = recipe?.tableLength(on: size) {
                size.add(saturating: files.multiplied(saturating: UInt64(clamping: recipe?.inodeSize ?? 256)))
            }
            // mkfs.xfs makes none that is smaller.
            return content == "xfs" ? max(size, 300 << 20) : size
        }
        /// Of a *tree*: the sources of the image that its files are in, and how its file system is made anew.
        public var trees: [Tree]?
        public var recipe: FileSystemRecipe?
        /// Why it is taken this way, where another one would have been better.
        public var why: String?
        /// Why it is taken this way.
        public var reason: String {
            if let why { return why }
            switch way {
            case .blocks:
                return content.map { ["LVM2_member", "linux_raid_member"].contains($0) } == true
                    ? "what is used in it is known" : "it was not in use, and cleanly unmounted"
            case .tree:
                let places = (trees ?? []).map(\.source)
                let more = (recipe?.elsewhere ?? []).map { "; \($0), and a restored one has its own" }.joined()
                return
                    "it was mounted at \(places.prefix(3).joined(separator: ", "))\(places.count > 3 ? ", …" : "")\(more)"
            case .swap: return "nobody needs what was swapped out"
            case .raw: return partition == nil ? "it is in no partition" : "nothing is known of what is in it"
            }
        }
    }

    public struct Tree: Codable, Hashable, Sendable {
        /// The path of the source.
        public var source: String
        /// The subvolume of btrfs, from the top on; absent of others.
        public var subvolume: String?
        /// Whether that is what is mounted where nobody names one; absent: no.
        public var isDefault: Bool?
    }

    public struct Gap: Codable, Hashable, Sendable {
        public var start: UInt64
        public var size: UInt64
        public var why: String
    }

    public enum Way: String, Codable, Sendable {
        /// The used parts of a file system; nobody needs the rest.
        case blocks
        /// All of it; what the image does not hold is zeros.
        case raw
        /// The files of a file system that is in use, in sources of their own.
        case tree = "files"
        /// Swap: what makes it one, and nothing of what is in it.
        case swap
    }

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }

    /// - Throws: `DiskFormatError` where it is none, or of a later version than this program's.
    public init(decoding bytes: [UInt8]) throws {
        do { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) } catch {
            throw DiskFormatError("the description of the disk is damaged")
        }
        guard version == 1 else {
            throw DiskFormatError(
                "the description of the disk is of version \(version), which this program does not know")
        }
        guard [512, 1024, 2048, 4096].contains(sectorSize), size >= 4096, size <= Self.largestDisk else {
            throw DiskFormatError("the description of the disk is of one that nobody has")
        }
        for volume in volumes where !Self.isStream(volume.stream) {
            throw DiskFormatError("\(printable(volume.stream.utf8)) is the name of no volume")
        }
    }

    /// A name of letters, digits and `-`: it is a part of paths that people are shown.
    private static func isStream(_ name: String) -> Bool {
        (1...longestStreamName).contains(name.utf8.count) && isOfLettersAndDigits(name)
    }

    static let longestStreamName = 64

    /// What the kernel can address, less what tables and sums need.
    private static let largestDisk = UInt64(Int64.max) / 2

    init(name: String, size: UInt64, sectorSize: Int, volumes: [Volume]) {
        self.name = name
        self.size = size
        self.sectorSize = sectorSize
        self.volumes = volumes
    }
}

extension DiskDescription {
    /// The smallest disk that it is restored to, in bytes: as far as anything of it lies, and, where the last is taken as files, as small as that gets.
    public var smallestTarget: UInt64 {
        var end: UInt64 = 0
        let (behind, last) = (behindPartitions, lastVolume)
        for volume in outerVolumes where !behind.contains(volume) {
            let isShrunk = volume == last && volume.way == .tree && volume.partition != nil
            let size = isShrunk ? min(volume.size, volume.smallestSize) : volume.size
            let stop = volume.start.adding(saturating: size)
            // What is made smaller ends at a whole MiB.
            end = max(end, size < volume.size ? stop.adding(saturating: (1 << 20) - 1) / (1 << 20) * (1 << 20) : stop)
        }
        for entry in table?.partitions ?? [] where entry.number != last?.partition {
            end = max(end, entry.start.adding(saturating: entry.length))
        }
        guard let table, table.kind == "gpt" else { return end }
        let unit = UInt64(max(512, sectorSize))
        // The second table, behind whole MiB.
        let room = UInt64(clamping: table.entryCount ?? 128).multiplied(saturating: 128).adding(saturating: unit)
        return end.adding(saturating: room)
    }

    /// Those that lie in none other.
    var outerVolumes: [Volume] { volumes.filter { $0.within == nil } }

    /// The one that has more room on a larger disk, or less on a smaller one: nothing but what lies behind the partitions is behind it.
    var lastVolume: Volume? {
        let behind = behindPartitions
        return outerVolumes.filter { !behind.contains($0) }.max { $0.start < $1.start }
    }

    /// What lies behind the last partition: it belongs to the end of that very disk, as the marks of arrays do, and needs no room on another.
    var behindPartitions: [Volume] {
        guard let table else { return [] }
        let end = table.partitions.map { $0.start.adding(saturating: $0.length) }.max() ?? .max
        return volumes.filter { $0.partition == nil && $0.within == nil && $0.start >= end }
    }

    /// A line for the disk and one for each volume, for people who have no key.
    var summary: [String] {
        let facts = [model, serial.map { "serial number \($0)" }, "\(size) bytes"].compactMap { $0 }.joined(
            separator: ", ")
        return ["\(name): \(facts); the smallest disk for it: \(smallestTarget) bytes"]
            + volumes.map {
                "\($0.stream): \($0.content ?? "unknown"), \($0.way.rawValue), \($0.used) of \($0.size) bytes"
            }
    }

    /// What UEFI calls an EFI system partition.
    private static let firmwareTypes = ["C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef"]

    /// The volume that a UEFI firmware starts from.
    var firmwareVolume: Volume? {
        let numbers = table?.partitions.filter { Self.firmwareTypes.contains($0.type) }.map(\.number) ?? []
        return volumes.first { $0.content == "vfat" && $0.partition.map(numbers.contains) == true }
    }
}

extension DiskDescription.Table {
    init(_ table: PartitionTable) {
        kind = table.kind.rawValue
        switch table.id {
        case .dos(let id): self.id = hexadecimal(withUnsafeBytes(of: id.bigEndian) { Array($0) })
        case .gpt(let id): self.id = id.description
        }
        bootSector = hexadecimal(table.bootSector)
        partitions = table.partitions.map(DiskDescription.Entry.init)
        if table.kind == .gpt {
            entryCount = table.entryCount
            firstUsable = table.firstUsable
        }
    }

    /// - Throws: `DiskFormatError` where it says what no table can.
    func decoded() throws -> PartitionTable {
        guard let boot = decodeHexadecimal(bootSector), boot.count == 512 else {
            throw DiskFormatError("the description of the disk has no sector 0")
        }
        let identity: PartitionTable.Identity
        switch kind {
        case "gpt":
            guard let id = GUID(id) else { throw DiskFormatError("the id of the partition table is none") }
            identity = .gpt(id)
        case "dos":
            guard let number = UInt32(id, radix: 16) else {
                throw DiskFormatError("the id of the partition table is none")
            }
            identity = .dos(number)
        default: throw DiskFormatError("the description of the disk has a partition table of an unknown kind")
        }
        var table = PartitionTable(
            kind: kind == "gpt" ? .gpt : .dos, id: identity, partitions: try partitions.map { try $0.decoded() },
            bootSector: boot)
        guard (1...GPTTable.mostEntries).contains(entryCount ?? 128), partitions.count <= GPTTable.mostEntries else {
            throw DiskFormatError("the partition table has more entries than any")
        }
        if let entryCount { table.entryCount = entryCount }
        if let firstUsable { table.firstUsable = firstUsable }
        return table
    }
}

extension DiskDescription.Entry {
    init(_ partition: Partition) {
        number = partition.number
        start = partition.start
        length = partition.length
        switch partition.type {
        case .dos(let type): self.type = hexadecimal([type])
        case .gpt(let type): self.type = type.description
        }
        id = partition.id?.description
        name = partition.name.isEmpty ? nil : partition.name
        attributes = partition.attributes == 0 ? nil : partition.attributes
        link = partition.link
    }

    func decoded() throws -> Partition {
        let type: PartitionType
        if let guid = GUID(self.type) {
            type = .gpt(guid)
        } else if let byte = UInt8(self.type, radix: 16) {
            type = .dos(byte)
        } else {
            throw DiskFormatError("partition \(number) is of an unknown type")
        }
        guard (1...GPTTable.mostEntries).contains(number) else {
            throw DiskFormatError("a partition has the number \(number)")
        }
        var partition = Partition(number: number, start: start, length: length, type: type)
        partition.id = id.flatMap { GUID($0) }
        partition.name = name ?? []
        partition.attributes = attributes ?? 0
        partition.link = link
        return partition
    }
}
