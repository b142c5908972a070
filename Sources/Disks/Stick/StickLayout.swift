// Where what is on a stick. The first entry of the table is what holds images: old Windows shows that one alone of a removable medium; it comes
// second on the stick. The second entry is what firmware starts from: type 0xEF, which Windows leaves alone, and active, which a BIOS wants.

internal import Platform

struct StickLayout: Equatable {
    static let boot: Range<UInt64> = 1 << 20..<513 << 20
    /// FAT32 wants more clusters than this has sectors otherwise.
    static let smallestData: UInt64 = 64 << 20
    static let sector: UInt64 = 512
    /// What a DOS table can say, and so much stays free at the end, where another table's copy may be.
    private static let end: UInt64 = 1 << 41
    private static let rest: UInt64 = 1 << 20

    static let smallest = boot.upperBound + smallestData + rest

    /// By which the stick knows itself: the table's id, and the volume id of what holds images.
    let id: UInt32
    /// What holds images.
    let data: Range<UInt64>

    /// - Parameters:
    ///   - size: of the medium.
    ///   - dataSize: of what holds images; nil: all there is.
    init?(size: UInt64, dataSize: UInt64?, id: UInt32) {
        guard size >= Self.smallest else { return nil }
        let room = min(size, Self.end) - Self.rest - Self.boot.upperBound
        let wanted = min(dataSize ?? room, room) / (1 << 20) * (1 << 20)
        guard wanted >= Self.smallestData else { return nil }
        data = Self.boot.upperBound..<Self.boot.upperBound + wanted  // safe: below 2 TiB
        self.id = id
    }

    /// As it is on a medium; nil where that is none of ours.
    init?(_ table: PartitionTable) {
        guard case .dos(let id) = table.id, table.partitions.count == 2,
            let data = table.partitions.first(where: { $0.number == 1 }),
            let boot = table.partitions.first(where: { $0.number == 2 }),
            case .dos(0x0C) = data.type, case .dos(0xEF) = boot.type,
            boot.start == Self.boot.lowerBound, boot.end == Self.boot.upperBound, data.start == boot.end
        else { return nil }
        self.id = id
        self.data = data.start..<data.end
    }

    /// Eight hexadecimal digits.
    var name: String { String(String(UInt64(id) | 1 << 32, radix: 16, uppercase: true).suffix(8)) }

    /// Sector 0, with the code that a BIOS starts.
    func firstSector(code: [UInt8]) throws -> [UInt8] {
        var sector = [UInt8](repeating: 0, count: 512)
        sector.replaceSubrange(0..<min(440, code.count), with: code.prefix(440))
        sector.put(little: id, at: 440)
        sector[510] = 0x55
        sector[511] = 0xAA
        func partition(_ number: Int, _ range: Range<UInt64>, _ type: UInt8, active: Bool) -> Partition {
            Partition(
                number: number, start: range.lowerBound, length: range.upperBound - range.lowerBound, type: .dos(type),
                attributes: active ? 0x80 : 0)
        }
        let table = PartitionTable(
            kind: .dos, id: .dos(id),
            partitions: [partition(1, data, 0x0C, active: false), partition(2, Self.boot, 0xEF, active: true)],
            bootSector: sector)
        let pieces = try DOSTable.encode(table, unit: Self.sector)
        return pieces.first { $0.offset == 0 }?.bytes ?? sector
    }
}
