// The table of sector 0 with its chain of extended ones, as Linux reads it (block/partitions/msdos.c).

enum DOSTable {
    /// Types of a partition that has others in it.
    static let extended: Set<UInt8> = [0x05, 0x0F, 0x85]
    /// The kernel ends a chain after as many; one that leads back to itself ends, too.
    private static let longestChain = 100

    private struct Slot {
        var isActive: Bool
        var type: UInt8
        /// Sectors.
        var start: UInt32
        var count: UInt32

        init(_ sector: [UInt8], _ index: Int) {
            let offset = 446 + 16 * index
            isActive = sector[offset] & 0x80 != 0
            type = sector[offset + 4]
            start = sector.little(UInt32.self, at: offset + 8)
            count = sector.little(UInt32.self, at: offset + 12)
        }
    }

    /// Whether a GPT stands behind it.
    static func isProtective(_ sector: [UInt8]) -> Bool { (0..<4).contains { Slot(sector, $0).type == 0xEE } }

    static func read(_ disk: any DiskBytes, _ boot: [UInt8]) throws -> PartitionTable? {
        let unit = UInt64(disk.sectorSize)
        // As the kernel tells a table from a file system's own boot sector: each entry is active or not, and nothing else.
        guard (0..<4).allSatisfy({ boot[446 + 16 * $0] & 0x7F == 0 }) else { return nil }
        let slots = (0..<4).map { Slot(boot, $0) }
        guard slots.contains(where: { $0.count > 0 }) else { return nil }
        var table = PartitionTable(
            kind: .dos, id: .dos(boot.little(UInt32.self, at: 440)), partitions: [], bootSector: boot)
        func add(_ number: Int, _ slot: Slot, at start: UInt64, link: UInt64? = nil) {
            let partition = Partition(
                number: number, start: start, length: UInt64(slot.count) * unit,  // safe: 32 bits, and a sector
                type: .dos(slot.type), attributes: slot.isActive ? 0x80 : 0, link: link)
            if partition.end > disk.size { table.remarks.append("partition \(number) ends beyond the end of the disk") }
            table.partitions.append(partition)
        }
        for (index, slot) in slots.enumerated() where slot.count > 0 {
            add(index + 1, slot, at: UInt64(slot.start) * unit)  // safe: as above
        }
        var number = 5
        for slot in slots where slot.count > 0 && extended.contains(slot.type) {
            let chain = try readChain(disk, from: UInt64(slot.start))
            for (slot, link) in chain.slots {
                // safe: two numbers of 33 and 32 bits, and a sector
                add(number, slot, at: (link + UInt64(slot.start)) * unit, link: link * unit)
                number += 1
            }
            if let remark = chain.remark { table.remarks.append("the chain of logical partitions \(remark)") }
        }
        return table
    }

    /// Each sector of the chain has one partition, counted from that sector, and the next sector, counted from the first.
    /// - Returns: each partition with the number of the sector that describes it, and why the chain is not whole.
    private static func readChain(
        _ disk: any DiskBytes, from first: UInt64
    ) throws -> (slots: [(Slot, link: UInt64)], remark: String?) {
        let unit = UInt64(disk.sectorSize)
        var found: [(Slot, link: UInt64)] = []
        var seen: Set<UInt64> = []
        var place = first
        while seen.count < longestChain {
            guard seen.insert(place).inserted else { return (found, "leads back to itself") }
            let sector: [UInt8]
            // safe: 33 bits, and a sector
            do { sector = try disk.bytes(at: place * unit, count: 512) } catch is DiskFormatError {
                return (found, "leads beyond the end of the disk")
            }
            guard sector[510] == 0x55, sector[511] == 0xAA else {
                return (found, "ends in a sector that is none of it")
            }
            let slots = (0..<4).map { Slot(sector, $0) }
            for slot in slots where slot.count > 0 && !extended.contains(slot.type) { found.append((slot, place)) }
            guard let next = slots.first(where: { $0.count > 0 && extended.contains($0.type) }) else {
                return (found, nil)
            }
            place = first + UInt64(next.start)  // safe: two numbers of 33 and 32 bits
        }
        return (found, "is longer than \(longestChain)")
    }

    // MARK: Writing

    /// The sectors of the chain from its end on, then sector 0.
    static func encode(_ table: PartitionTable, unit: UInt64) throws -> [(offset: UInt64, bytes: [UInt8])] {
        func sectors(_ bytes: UInt64, of partition: Partition) throws -> UInt32 {
            guard let count = UInt32(exactly: bytes / unit) else {
                throw DiskFormatError("partition \(partition.number) lies beyond what a DOS table can say")
            }
            return count
        }
        func entry(_ partition: Partition, type: UInt8? = nil, from base: UInt64) throws -> [UInt8] {
            guard case .dos(let own) = partition.type, partition.start >= base else {
                throw DiskFormatError("partition \(partition.number) has no place in a DOS table")
            }
            // Heads and cylinders say "see the sectors", as every tool of today writes them.
            var bytes: [UInt8] = [
                partition.attributes & 0x80 != 0 ? 0x80 : 0, 0xFE, 0xFF, 0xFF, type ?? own, 0xFE, 0xFF, 0xFF,
            ]
            bytes += [UInt8](repeating: 0, count: 8)
            bytes.put(little: try sectors(partition.start - base, of: partition), at: 8)
            bytes.put(little: try sectors(partition.length, of: partition), at: 12)
            return bytes
        }
        func put(_ entry: [UInt8], _ index: Int, in sector: inout [UInt8]) {
            sector.replaceSubrange(446 + 16 * index..<462 + 16 * index, with: entry)
        }
        var pieces: [(offset: UInt64, bytes: [UInt8])] = []
        let logical = table.partitions.filter { $0.number > 4 }
        let container = table.partitions.first(where: \.isContainer)
        // A sector of the chain has one as a rule; the kernel takes each of its entries.
        var groups: [ArraySlice<Partition>] = []
        for (index, partition) in logical.enumerated() {
            if index > 0, logical[index - 1].link == partition.link, let last = groups.popLast() {
                groups.append(logical[last.startIndex...index])
            } else {
                groups.append(logical[index...index])
            }
        }
        for (index, group) in groups.enumerated() {
            guard let first = group.first, let container, let link = first.link, link >= container.start,
                link < container.end, link % unit == 0, index > 0 || link == container.start
            else { throw DiskFormatError("partition \(group.first?.number ?? 0) lies in no extended one") }
            let next = index + 1 < groups.count ? groups[index + 1] : nil
            let places = next == nil ? [0, 1, 2, 3] : [0, 2, 3]
            guard group.count <= places.count, !pieces.contains(where: { $0.offset == link }) else {
                throw DiskFormatError("partition \(first.number) has no place in its chain")
            }
            var sector = [UInt8](repeating: 0, count: 512)
            for (place, partition) in zip(places, group) { put(try entry(partition, from: link), place, in: &sector) }
            if let next, let start = next.first?.link {
                // From there to the end of what is described there, counted from the first.
                let end = next.map(\.end).max() ?? 0
                guard end >= start else { throw DiskFormatError("partition \(next.first?.number ?? 0) has no length") }
                let step = Partition(number: first.number, start: start, length: end - start, type: .dos(0x05))
                put(try entry(step, from: container.start), 1, in: &sector)
            }
            (sector[510], sector[511]) = (0x55, 0xAA)
            pieces.append((link, sector))
        }
        pieces.reverse()
        var boot = table.bootSector
        guard boot.count == 512 else { throw DiskFormatError("sector 0 is not there") }
        for index in 0..<4 {
            guard let partition = table.partitions.first(where: { $0.number == index + 1 }) else {
                put([UInt8](repeating: 0, count: 16), index, in: &boot)
                continue
            }
            var bytes = try entry(partition, from: 0)
            // What it said of heads and cylinders stays with a partition that stays where it was.
            let before = Array(boot[446 + 16 * index..<462 + 16 * index])
            if before[8...] == bytes[8...], before[4] == bytes[4] { bytes = before }
            put(bytes, index, in: &boot)
        }
        if case .dos(let id) = table.id { boot.put(little: id, at: 440) }
        (boot[510], boot[511]) = (0x55, 0xAA)
        return pieces + [(0, boot)]
    }
}
