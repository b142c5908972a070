// Where on a disk its partitions are, and what lies beside them: loaders, marks of arrays, and what else somebody put where no partition is.

internal import Glibc
internal import Images
internal import Platform

extension DiskSurvey {
    /// Of what is in no partition so much is taken at both ends, in bytes: what lies in the middle of more is left out, and said.
    static let longestGapPart: UInt64 = 64 << 20

    mutating func add(partitionsOf table: PartitionTable) throws {
        // An extended one holds nothing but others.
        let all = table.partitions.filter { !$0.isContainer && $0.length > 0 }.sorted { $0.start < $1.start }
        let tableEnd = table.endOfTable(sectorSize: disk.sectorSize)
        var end = tableEnd
        for (index, partition) in all.enumerated() {
            guard partition.end <= disk.size else {
                throw DiskError.damagedTable(disk.path, "partition \(partition.number) ends beyond the end of the disk")
            }
            guard partition.start >= end || index == 0 && partition.start >= tableEnd else {
                throw DiskError.damagedTable(disk.path, "partition \(partition.number) begins within another one")
            }
            try add(gap: end..<partition.start, of: table, isFirst: index == 0)
            try add(
                stream: "part\(partition.number)", partition: partition.number, partition.start..<partition.end,
                isDivided: true)
            end = partition.end
        }
        let second = table.startOfSecond(diskSize: disk.size, sectorSize: disk.sectorSize)
        try add(gap: end..<max(end, second), of: table, isFirst: false)
    }

    /// Adds what is not zeros of a gap. The first has a loader as a rule, and is taken as it is, but for what is too long.
    private mutating func add(gap: Range<UInt64>, of table: PartitionTable, isFirst: Bool) throws {
        let unit = UInt64(disk.sectorSize)
        // The sectors that describe logical partitions are the table's, and are made anew.
        var place = gap.lowerBound
        let links = table.partitions.compactMap(\.link).filter { gap.contains($0) }.sorted()
        for link in links + [gap.upperBound] {
            if place < link { try add(pieces: place..<link, isFirst: isFirst && place == gap.lowerBound) }
            place = max(place, min(link.adding(saturating: unit), gap.upperBound))
        }
    }

    private mutating func add(pieces gap: Range<UInt64>, isFirst: Bool) throws {
        let ends = DiskRestoration.ends(of: gap)
        for (index, part) in ends.enumerated() {
            if try isFirst && index == 0 || hasContent(part) {
                let number = description.volumes.filter { $0.partition == nil }.count
                try add(stream: number == 0 ? "gap" : "gap\(number + 1)", partition: nil, part, isDivided: true)
            }
        }
        guard ends.count == 2 else { return }
        description.leftOut.append(
            DiskDescription.Gap(
                start: ends[0].upperBound, size: ends[1].lowerBound - ends[0].upperBound,  // safe: in order
                why: "no partition has it, and it is too far from any to be a loader's"))
    }

    /// Whether there is anything but zeros; what cannot be read is named when it is to be read.
    private func hasContent(_ range: Range<UInt64>) throws(SystemError) -> Bool {
        let bytes = disk.bytes
        var place = range.lowerBound
        while place < range.upperBound {
            let end = min(place.adding(saturating: 1 << 20), range.upperBound)
            do throws(SystemError) {
                if !(try bytes.read(place..<end).withUnsafeBytes { isAllZero($0) }) { return true }
            } catch {
                guard error.isBadPlace else { throw error }
                return true
            }
            place = end
        }
        return false
    }
}
