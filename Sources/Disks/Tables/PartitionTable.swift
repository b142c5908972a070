// How a disk is divided: what a DOS or GPT table says, in bytes, so that it can be written for a disk with other sectors.

internal import Platform

/// A globally unique identifier as GPT has it: the first three fields little-endian (UEFI 2.10, appendix A).
public struct GUID: Sendable, Hashable, CustomStringConvertible {
    /// 16 bytes, as on the disk.
    public let bytes: [UInt8]

    init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// `C12A7328-F81F-11D2-BA4B-00A0C93EC93B`; nil where it is none.
    public init?(_ text: String) {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12], let bytes = decodeHexadecimal(groups.joined().lowercased())
        else {
            return nil
        }
        self.bytes = Array(bytes[0..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed() + bytes[8...])
    }

    public var description: String {
        let digits = hexadecimal(
            Array(bytes[0..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed() + bytes[8...])
        ).uppercased()
        var (text, rest) = ("", digits[...])
        for (index, count) in [8, 4, 4, 4, 12].enumerated() {
            text += (index == 0 ? "" : "-") + rest.prefix(count)
            rest = rest.dropFirst(count)
        }
        return text
    }

    var isZero: Bool { bytes.allSatisfy { $0 == 0 } }
}

/// One partition.
public struct Partition: Sendable, Hashable {
    /// As the kernel counts: from 1 on, of a DOS table logical ones from 5 on.
    public var number: Int
    /// Bytes from the disk's beginning.
    public var start: UInt64
    /// Bytes.
    public var length: UInt64
    public var type: PartitionType
    /// Of GPT; of a DOS table it follows from the disk's id and the number.
    public var id: GUID?
    /// Of GPT, at most 36 units of UTF-16.
    public var name: [UInt16] = []
    /// GPT's 64 bits; of a DOS table bit 7 is "active".
    public var attributes: UInt64 = 0
    /// Of a logical partition of a DOS table: where the sector is that describes it, in bytes.
    public var link: UInt64?

    public var end: UInt64 { start.adding(saturating: length) }

    /// Whether it is there for the logical ones in it.
    var isContainer: Bool {
        if case .dos(let type) = type { number <= 4 && DOSTable.extended.contains(type) } else { false }
    }
}

public enum PartitionType: Sendable, Hashable {
    case dos(UInt8)
    case gpt(GUID)
}

/// The table of a disk.
public struct PartitionTable: Sendable, Hashable {
    public enum Kind: String, Sendable {
        case dos
        case gpt
    }

    public enum Identity: Sendable, Hashable {
        case dos(UInt32)
        case gpt(GUID)
    }

    public var kind: Kind
    public var id: Identity
    /// In the order of their numbers.
    public var partitions: [Partition]
    /// Sector 0 as it is: the code that a BIOS starts, and what a DOS table says.
    public var bootSector: [UInt8]
    /// Of GPT: how many entries the table has room for.
    public var entryCount = 128
    /// Of GPT: from where on partitions may lie, in bytes; tools leave more room than the table needs.
    public var firstUsable: UInt64 = 0
    /// What is not as it should be, each in a sentence: a header that is damaged, a partition beyond the end.
    public var remarks: [String] = []

    /// Where the table at the beginning of the disk ends, in bytes.
    func endOfTable(sectorSize: Int) -> UInt64 {
        let unit = UInt64(sectorSize)
        switch kind {
        case .dos: return unit
        // safe: at most 1 MiB of entries, of 128 bytes each
        case .gpt: return (2 + (UInt64(entryCount) * 128 + unit - 1) / unit) * unit
        }
    }

    /// Where the table at the end of the disk begins, in bytes.
    func startOfSecond(diskSize: UInt64, sectorSize: Int) -> UInt64 {
        switch kind {
        case .dos: return diskSize
        case .gpt:
            let room = endOfTable(sectorSize: sectorSize) - UInt64(sectorSize)
            return diskSize - min(diskSize, room)
        }
    }

    /// Reads the table of a disk; nil where there is none.
    ///
    /// As the kernel decides: a GPT counts where sector 0 has an entry of type EE, or else that is a DOS table and the GPT a remnant.
    public static func read(_ disk: any DiskBytes) throws -> PartitionTable? {
        let sector = max(512, disk.sectorSize)
        guard disk.size >= UInt64(sector) else { return nil }
        let boot = try disk.bytes(at: 0, count: 512)
        guard boot[510] == 0x55, boot[511] == 0xAA else { return nil }
        if DOSTable.isProtective(boot), let table = try GPTTable.read(disk, boot) { return table }
        // A file system has these two bytes as well, and no entries that could be partitions.
        return try DOSTable.read(disk, boot)
    }

    /// What has to be written where, for a disk of this size: sector 0 comes last, so that a disk that was cut off does not start half.
    /// - Throws: `DiskFormatError` where it does not fit.
    public func encoded(diskSize: UInt64, sectorSize: Int) throws -> [(offset: UInt64, bytes: [UInt8])] {
        let unit = UInt64(sectorSize)
        for partition in partitions {
            guard partition.start % unit == 0, partition.length % unit == 0 else {
                throw DiskFormatError("partition \(partition.number) is not of whole sectors of \(sectorSize) bytes")
            }
            guard partition.end <= diskSize else {
                throw DiskFormatError(
                    "partition \(partition.number) ends at byte \(partition.end), and the disk at \(diskSize)")
            }
        }
        switch kind {
        case .gpt: return try GPTTable.encode(self, diskSize: diskSize, unit: unit)
        case .dos: return try DOSTable.encode(self, unit: unit)
        }
    }
}
