// GUID partition tables (UEFI 2.10, chapter 5): two headers, each with its entries, each with its checksum. Either one will do.

internal import Platform

enum GPTTable {
    private static let magic = Array("EFI PART".utf8)
    /// Linux takes no other size (block/partitions/efi.c).
    private static let entrySize = 128
    /// More than any tool makes, and 1 MiB of entries.
    static let mostEntries = 8192

    private struct Header {
        var disk: GUID
        var other: UInt64
        var firstUsable: UInt64
        var entryCount: Int
        var entries: [UInt8]
        /// Sector.
        var entriesStart: UInt64
    }

    /// nil where neither header is whole.
    static func read(_ disk: any DiskBytes, _ boot: [UInt8]) throws -> PartitionTable? {
        let unit = UInt64(disk.sectorSize)
        let last = disk.size / unit - 1  // safe: it has a sector, as sector 0 was read
        var remarks: [String] = []
        var found: Header?
        var places = [(UInt64(1), "first"), (last, "second")]
        while let (place, name) = places.first {
            places.removeFirst()
            do {
                let header = try readHeader(disk, at: place)
                if found == nil {
                    found = header
                } else if found?.disk != header.disk || found?.entries != header.entries {
                    remarks.append("the two GPT headers say different things; the first counts")
                }
                if name == "first", header.entriesStart != 2 {
                    remarks.append(
                        "its entries begin in sector \(header.entriesStart), and a restore puts them into sector 2: what a loader has there is not in the image"
                    )
                }
                // A disk that was copied onto a larger one has its second header where the smaller one ended.
                if name == "first", header.other != last, header.other < last {
                    places = [(header.other, "second")]
                    remarks.append("the second GPT header is not at the end of the disk")
                }
            } catch let error as DiskFormatError {
                remarks.append("the \(name) GPT header is damaged: \(error)")
            } catch let error as SystemError where error.isBadPlace {
                remarks.append("the \(name) GPT header cannot be read: \(error.reason)")
            }
        }
        guard let header = found else { return nil }
        var table = PartitionTable(kind: .gpt, id: .gpt(header.disk), partitions: [], bootSector: boot)
        table.entryCount = header.entryCount
        table.firstUsable = header.firstUsable.multiplied(saturating: unit)
        table.remarks = remarks
        for index in 0..<header.entryCount {
            let entry = Array(header.entries[index * entrySize..<(index + 1) * entrySize])  // safe: as many were read
            let type = GUID(entry[0..<16])
            if type.isZero { continue }
            let (first, end) = (entry.little(UInt64.self, at: 32), entry.little(UInt64.self, at: 40))
            guard first <= end, end <= last else {
                table.remarks.append("partition \(index + 1) lies beyond the end of the disk, or ends before it begins")
                continue
            }
            var name = (0..<36).map { entry.little(UInt16.self, at: 56 + 2 * $0) }
            if let zero = name.firstIndex(of: 0) { name.removeSubrange(zero...) }
            table.partitions.append(
                Partition(
                    number: index + 1, start: first * unit, length: (end - first + 1) * unit,  // safe: within the disk
                    type: .gpt(type), id: GUID(entry[16..<32]), name: name,
                    attributes: entry.little(UInt64.self, at: 48)))
        }
        return table
    }

    private static func readHeader(_ disk: any DiskBytes, at place: UInt64) throws -> Header {
        let unit = UInt64(disk.sectorSize)
        let sector = try disk.bytes(at: place.multiplied(saturating: unit), count: disk.sectorSize)
        guard Array(sector[0..<8]) == magic else { throw DiskFormatError("it has no signature") }
        let length = Int(sector.little(UInt32.self, at: 12))
        guard length >= 92, length <= sector.count else { throw DiskFormatError("its length is \(length)") }
        var checked = Array(sector[0..<length])
        checked.put(little: UInt32(0), at: 16)
        guard CRC32.of(checked) == sector.little(UInt32.self, at: 16) else {
            throw DiskFormatError("its checksum is wrong")
        }
        guard sector.little(UInt64.self, at: 24) == place else { throw DiskFormatError("it belongs elsewhere") }
        let (count, size) = (sector.little(UInt32.self, at: 80), sector.little(UInt32.self, at: 84))
        guard count > 0, count <= UInt32(mostEntries), size == UInt32(entrySize) else {
            throw DiskFormatError("it has \(count) entries of \(size) bytes")
        }
        let entries = try disk.bytes(
            at: sector.little(UInt64.self, at: 72).multiplied(saturating: unit), count: Int(count) * entrySize)
        guard CRC32.of(entries) == sector.little(UInt32.self, at: 88) else {
            throw DiskFormatError("the checksum of its entries is wrong")
        }
        return Header(
            disk: GUID(sector[56..<72]), other: sector.little(UInt64.self, at: 32),
            firstUsable: sector.little(UInt64.self, at: 40),
            entryCount: Int(count), entries: entries, entriesStart: sector.little(UInt64.self, at: 72))
    }

    // MARK: Writing

    /// The second header with its entries, the first ones, then sector 0.
    static func encode(_ table: PartitionTable, diskSize: UInt64, unit: UInt64) throws -> [(
        offset: UInt64, bytes: [UInt8]
    )] {
        guard case .gpt(let disk) = table.id, table.entryCount > 0, table.entryCount <= mostEntries else {
            throw DiskFormatError("it is no GUID partition table")
        }
        var entries = [UInt8](repeating: 0, count: table.entryCount * entrySize)
        let room = (UInt64(entries.count) + unit - 1) / unit  // safe: at most 1 MiB
        let sectors = diskSize / unit
        // Sector 0, two headers, twice the entries, and one for a partition.
        guard sectors > 2 * room + 3 else { throw DiskFormatError("the disk is too small for a GUID partition table") }
        let last = sectors - 2 - room  // safe: compared above
        let first = max(2 + room, min(table.firstUsable / unit, last))
        for partition in table.partitions {
            guard case .gpt(let type) = partition.type, let id = partition.id,
                (1...table.entryCount).contains(partition.number),
                partition.length >= unit, partition.name.count <= 36
            else { throw DiskFormatError("partition \(partition.number) has no place in a GUID partition table") }
            let (start, end) = (partition.start / unit, partition.end / unit - 1)
            guard start >= first, end <= last else {
                throw DiskFormatError("partition \(partition.number) lies where the table has to be")
            }
            let offset = (partition.number - 1) * entrySize
            entries.replaceSubrange(offset..<offset + 16, with: type.bytes)
            entries.replaceSubrange(offset + 16..<offset + 32, with: id.bytes)
            entries.put(little: start, at: offset + 32)
            entries.put(little: end, at: offset + 40)
            entries.put(little: partition.attributes, at: offset + 48)
            for (index, unit) in partition.name.enumerated() { entries.put(little: unit, at: offset + 56 + 2 * index) }
        }
        func header(at place: UInt64, other: UInt64, entriesAt: UInt64) -> [UInt8] {
            var bytes = magic + [UInt8](repeating: 0, count: Int(clamping: unit) - magic.count)
            bytes.put(little: UInt32(0x0001_0000), at: 8)
            bytes.put(little: UInt32(92), at: 12)
            bytes.put(little: place, at: 24)
            bytes.put(little: other, at: 32)
            bytes.put(little: first, at: 40)
            bytes.put(little: last, at: 48)
            bytes.replaceSubrange(56..<72, with: disk.bytes)
            bytes.put(little: entriesAt, at: 72)
            bytes.put(little: UInt32(clamping: table.entryCount), at: 80)
            bytes.put(little: UInt32(entrySize), at: 84)
            bytes.put(little: CRC32.of(entries), at: 88)
            bytes.put(little: CRC32.of(bytes[0..<92]), at: 16)
            return bytes
        }
        let end = sectors - 1
        return [
            (offset: (end - room) * unit, bytes: entries),
            (offset: end * unit, bytes: header(at: end, other: 1, entriesAt: end - room)),
            (offset: 2 * unit, bytes: entries),
            (offset: unit, bytes: header(at: 1, other: end, entriesAt: 2)),
            (offset: 0, bytes: try protective(table.bootSector, sectors: sectors)),
        ]
    }

    /// Sector 0 as it was, whose entry of type EE covers this disk: code, and what else was in it for a BIOS that wants an active entry.
    private static func protective(_ sector: [UInt8], sectors: UInt64) throws -> [UInt8] {
        guard sector.count == 512 else { throw DiskFormatError("sector 0 is not there") }
        var sector = sector
        let index: Int = (0..<4).first(where: { sector[446 + 16 * $0 + 4] == 0xEE }) ?? 0
        let offset = 446 + 16 * index
        if sector[offset + 4] != 0xEE {
            sector.replaceSubrange(446..<510, with: [UInt8](repeating: 0, count: 64))
            sector.replaceSubrange(offset..<offset + 8, with: [0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF])
            sector.put(little: UInt32(1), at: offset + 8)
        }
        // A hybrid one covers no more than the table itself, and its others are as they were.
        let others = (0..<4).contains { $0 != index && sector[446 + 16 * $0 + 4] != 0 }
        if !others { sector.put(little: UInt32(clamping: sectors - 1), at: offset + 12) }
        (sector[510], sector[511]) = (0x55, 0xAA)
        return sector
    }
}
