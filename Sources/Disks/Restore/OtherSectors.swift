// A disk with sectors of another size than the one in the image: what lies in bytes on the one lies so on the other, but a file system made for
// sectors of 512 bytes is none where they have 4096, and a loader that counts sectors finds nothing.

internal import Platform

extension DiskDescription {
    /// The place that GRUB has on a GPT for a BIOS, which starts no disk with sectors of 4096 bytes.
    private static let loaderType = "21686148-6449-6E6F-744E-656564454649"

    /// The same for a disk with such sectors, and the streams that have no place on it.
    ///
    /// - Throws: `DiskError.otherSectors` where something of it would not be what it was.
    func converted(toSectors sectorSize: Int, on path: BytePath) throws -> (description: Self, leftOut: Set<String>) {
        if sectorSize == self.sectorSize { return (self, []) }
        let unit = UInt64(max(512, sectorSize))
        let loaders = table?.partitions.filter { $0.type == Self.loaderType }.map(\.number) ?? []
        var (copy, leftOut, inTheWay) = (self, Set<String>(), [String]())
        copy.sectorSize = sectorSize
        copy.volumes = []
        for var volume in volumes {
            if table != nil, volume.partition == nil {
                leftOut.insert(volume.stream)
                continue
            }
            // The last sectors of a partition may be too few for one here.
            let isMadeAnew = volume.way == .tree || volume.way == .swap
            if isMadeAnew { volume.size -= volume.size % unit }
            let isLoader = volume.partition.map(loaders.contains) == true
            guard isMadeAnew || isLoader, volume.start % unit == 0, volume.size % unit == 0, volume.size > 0 else {
                inTheWay.append("\(printable(volume.stream.utf8)) (\(printable((volume.content ?? "unknown").utf8)))")
                continue
            }
            copy.volumes.append(volume)
        }
        for index in copy.table?.partitions.indices ?? 0..<0 {
            guard var entry = copy.table?.partitions[index] else { continue }
            entry.length -= entry.length % unit
            copy.table?.partitions[index] = entry
            if entry.start % unit != 0 || entry.link.map({ $0 % unit != 0 }) == true {
                inTheWay.append("partition \(entry.number), which begins within a sector")
            }
        }
        guard inTheWay.isEmpty else {
            throw DiskError.otherSectors(path, image: self.sectorSize, disk: sectorSize, inTheWay)
        }
        return (copy, leftOut)
    }
}
