// A physical volume of LVM (lvm2, lib/format_text/layout.h): which of its extents the logical volumes have, and where each of those lies that is in
// one piece. What is known of none is used; what no volume has is free.

internal import Platform

struct LVMMember {
    struct LogicalVolume: Equatable {
        var name: String
        /// As the kernel has it, without dashes; empty where the text has none.
        var id: String
        /// Bytes of the physical volume.
        var range: Range<UInt64>
        /// Whether that is all of it, and nothing else is made of it: then its content can be looked at there.
        var isWhole: Bool
    }

    /// Where extents begin; all before is LVM's own.
    let start: UInt64
    /// In their order.
    let volumes: [LogicalVolume]
    /// What lies behind the last extent, which LVM may use for a second copy of its text.
    let end: UInt64

    /// More than any group has that somebody made by hand.
    private static let longestText = 16 << 20

    /// - Throws: `DiskFormatError` where it is none, or says what cannot be.
    init(_ disk: any DiskBytes) throws {
        let text = try Self.text(of: disk)
        let groups = try LVMText.read(text.bytes).members?.values.filter { $0["extent_size"] != nil } ?? []
        guard groups.count == 1, let group = groups.first,
            let extent = group["extent_size"]?.number?.multiplied(saturating: 512), extent > 0, extent <= disk.size,
            let own = group["physical_volumes"]?.members?.first(where: { entry in
                entry.value["id"]?.text?.filter { $0 != "-" } == text.id
            }),
            let begin = own.value["pe_start"]?.number?.multiplied(saturating: 512),
            let count = own.value["pe_count"]?.number, begin <= disk.size, count <= (disk.size - begin) / extent
        else { throw DiskFormatError("the text of its volume group does not fit it") }
        var found: [LogicalVolume] = []
        for (name, volume) in group["logical_volumes"]?.members ?? [:] {
            // What LVM hides is what other volumes are made of, as a pool or the slower side of a cache: what looks like a file system in it may be
            // a part of one, or what that once was.
            let isVisible = volume["status"]?.list?.contains(.text("VISIBLE")) == true
            let segments = (volume.members ?? [:]).filter { $0.key.hasPrefix("segment") && $0.value.members != nil }
            for segment in segments.values {
                for (place, length) in try Self.areas(of: segment, on: own.key) {
                    guard place <= count, length <= count - place else {
                        throw DiskFormatError("the volume \(printable(name.utf8)) lies beyond its end")
                    }
                    // safe: within the disk, as compared
                    let range = begin + place * extent..<begin + (place + length) * extent
                    let isWhole = isVisible && segments.count == 1 && Self.isPlain(segment)
                    let id = volume["id"]?.text?.filter { $0 != "-" } ?? ""
                    found.append(LogicalVolume(name: name, id: id, range: range, isWhole: isWhole))
                }
            }
        }
        found.sort { $0.range.lowerBound < $1.range.lowerBound }
        for (one, other) in zip(found, found.dropFirst()) where one.range.upperBound > other.range.lowerBound {
            throw DiskFormatError("two of its logical volumes lie over each other")
        }
        start = begin
        volumes = found
        end = begin + count * extent  // safe: as compared
    }

    private static func isPlain(_ segment: LVMValue) -> Bool {
        segment["type"]?.text == "striped" && segment["stripe_count"]?.number == 1
    }

    /// First extent and number of extents on a physical volume.
    private static func areas(of segment: LVMValue, on own: String) throws -> [(UInt64, UInt64)] {
        guard let count = segment["extent_count"]?.number, count > 0 else {
            throw DiskFormatError("a segment of its logical volumes has no length")
        }
        // Others are made of logical volumes, which are in the list themselves.
        guard let stripes = segment["stripes"]?.list, !stripes.isEmpty, stripes.count.isMultiple(of: 2) else {
            return []
        }
        let (whole, rest) = count.quotientAndRemainder(dividingBy: UInt64(stripes.count / 2))
        let each = whole.adding(saturating: rest > 0 ? 1 : 0)
        return try stride(from: 0, to: stripes.count, by: 2).compactMap { index in
            guard stripes[index].text == own else { return nil }
            guard let place = stripes[index + 1].number else {
                throw DiskFormatError("a segment of its logical volumes has no place")
            }
            return (place, each)
        }
    }

    /// The text that counts now, and the volume's own id.
    private static func text(of disk: any DiskBytes) throws -> (bytes: [UInt8], id: String) {
        let sectors = try disk.bytes(at: 0, count: 2048)
        guard
            let label = (0..<4).first(where: { sector in
                Array(sectors[sector * 512..<sector * 512 + 8]) == Array("LABELONE".utf8)
                    && Array(sectors[sector * 512 + 24..<sector * 512 + 32]) == Array("LVM2 001".utf8)
            })
        else { throw DiskFormatError("it has no label of LVM") }
        let sector = Array(sectors[label * 512..<(label + 1) * 512])
        let header = Int(clamping: sector.little(UInt32.self, at: 20))
        guard header >= 32, header <= 512 - 56 else { throw DiskFormatError("the label of LVM is damaged") }
        let id = String(decoding: sector[header..<header + 32], as: UTF8.self)
        // Two lists of places, each with an end of zeros: where content is, where texts are.
        var (place, lists) = (header + 40, 0)
        while place + 16 <= 512 {
            let offset = sector.little(UInt64.self, at: place)
            place += 16
            if offset == 0 {
                lists += 1
                if lists == 2 { break }
            } else if lists == 1, let text = try text(in: disk, at: offset) {
                return (text, id)
            }
        }
        throw DiskFormatError("it has no text of a volume group")
    }

    /// nil: there is none in this place, as of a volume that no group has.
    private static func text(in disk: any DiskBytes, at area: UInt64) throws -> [UInt8]? {
        let header = try disk.bytes(at: area, count: 512)
        guard Array(header[4..<20]) == Array(" LVM2 x[5A%r0N*>".utf8), header.little(UInt64.self, at: 24) == area else {
            throw DiskFormatError("the header of its texts is damaged")
        }
        let size = header.little(UInt64.self, at: 32)
        let (offset, length) = (header.little(UInt64.self, at: 40), header.little(UInt64.self, at: 48))
        if length == 0 { return nil }
        guard offset >= 512, offset < size, length <= size - 512, length <= UInt64(longestText),
            area.addingReportingOverflow(size).overflow == false
        else { throw DiskFormatError("the header of its texts is damaged") }
        // It goes round: behind the end comes what is behind the header.
        let first = min(length, size - offset)
        var text = try disk.bytes(at: area + offset, count: Int(first))  // safe: compared
        if first < length { text += try disk.bytes(at: area + 512, count: Int(length - first)) }  // safe: as above
        return text
    }
}
