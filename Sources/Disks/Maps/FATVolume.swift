// FAT12, FAT16 and FAT32, as far as it has to be known which clusters hold something (Microsoft, "FAT: General Overview of On-Disk Format",
// 1.03; fatgen103).

public import Images
internal import Platform

/// A FAT file system at rest.
public struct FATVolume: Sendable {
    public enum Width: Int, Sendable {
        case fat12 = 12
        case fat16 = 16
        case fat32 = 32
    }

    public let width: Width
    /// Bytes.
    public let sectorSize: Int
    /// Bytes.
    public let clusterSize: Int
    public let clusterCount: UInt64
    /// Whether it was taken away without being unmounted, or its medium had errors: then it may be that something is used and not marked.
    public let isDirty: Bool

    private let disk: any DiskBytes
    /// Where the first table begins, bytes.
    private let tableStart: UInt64
    /// Bytes.
    private let tableSize: UInt64
    /// Where cluster 2 begins, bytes.
    private let dataStart: UInt64

    /// - Throws: `DiskFormatError` where it is none, or says what cannot be.
    public init(_ disk: any DiskBytes) throws {
        let boot = try disk.bytes(at: 0, count: 512)
        let sector = Int(boot.little(UInt16.self, at: 11))
        let perCluster = Int(boot[13])
        let reserved = UInt64(boot.little(UInt16.self, at: 14))
        let tables = UInt64(boot[16])
        let rootEntries = UInt64(boot.little(UInt16.self, at: 17))
        let sectors16 = boot.little(UInt16.self, at: 19)
        let sectors = sectors16 != 0 ? UInt64(sectors16) : UInt64(boot.little(UInt32.self, at: 32))
        let tableSectors16 = boot.little(UInt16.self, at: 22)
        let tableSectors = tableSectors16 != 0 ? UInt64(tableSectors16) : UInt64(boot.little(UInt32.self, at: 36))
        guard [512, 1024, 2048, 4096].contains(sector), perCluster > 0, perCluster & (perCluster - 1) == 0,
            reserved > 0,
            (1...2).contains(tables), tableSectors > 0, sectors > 0
        else { throw DiskFormatError("its boot sector is none of a FAT file system") }
        let unit = UInt64(sector)
        // safe: of numbers of 32 bits and less
        let rootSectors = (rootEntries * 32 + unit - 1) / unit
        let metadata = reserved + tables * tableSectors + rootSectors
        guard sectors >= metadata, sectors * unit <= disk.size else {
            throw DiskFormatError("it says that it has \(sectors) sectors of \(sector) bytes")
        }
        clusterCount = (sectors - metadata) / UInt64(perCluster)
        // The one rule by which the kind is told, however the entries are called.
        width = clusterCount < 4085 ? .fat12 : clusterCount < 65525 || tableSectors16 != 0 ? .fat16 : .fat32
        sectorSize = sector
        clusterSize = sector * perCluster
        tableStart = reserved * unit
        tableSize = tableSectors * unit
        dataStart = metadata * unit
        self.disk = disk
        // Two entries before the first cluster.
        guard (clusterCount + 2) * UInt64(width.rawValue) <= tableSize * 8 else {
            throw DiskFormatError("its table is too short for its \(clusterCount) clusters")
        }
        let flags = boot[width == .fat32 ? 0x41 : 0x25]
        let second = try disk.bytes(at: tableStart, count: 8)
        let isCleared =
            switch width {
            case .fat12: false
            case .fat16: second.little(UInt16.self, at: 2) & 0xC000 != 0xC000
            case .fat32: second.little(UInt32.self, at: 4) & 0x0C00_0000 != 0x0C00_0000
            }
        // Linux sets a bit of the boot sector, Windows clears one of the table's second entry; others tell of errors.
        isDirty = flags & 0x03 != 0 || isCleared
    }

    /// What is used: all but the clusters that the first table calls free, or bad.
    public func usedParts() -> some UsedParts { Parts(self) }

    private struct Parts: UsedParts {
        /// A multiple of three bytes, as two entries of 12 bits are.
        private static let pieceLength = 3 << 18

        private let volume: FATVolume
        private var runs: UnitRuns
        /// The next cluster's number.
        private var cluster: UInt64 = 2
        private var piece: [UInt8] = []
        /// Where in the table the piece begins.
        private var pieceStart: UInt64 = 0
        private var isFinished = false

        init(_ volume: FATVolume) {
            self.volume = volume
            runs = UnitRuns(first: volume.dataStart, unit: UInt64(volume.clusterSize), end: volume.disk.size)
        }

        mutating func next() throws -> Range<UInt64>? {
            while !isFinished {
                if cluster >= volume.clusterCount + 2 {
                    isFinished = true
                    runs.finish()
                } else {
                    runs.add(1, isUsed: try isUsed(cluster))
                    cluster += 1
                }
                if let part = runs.takeFinished() { return part }
            }
            return runs.takeLast()
        }

        private mutating func isUsed(_ cluster: UInt64) throws -> Bool {
            // safe: within the table, as was looked at before
            let bit = cluster * UInt64(volume.width.rawValue)
            let place = bit / 8
            if piece.isEmpty || place < pieceStart || place - pieceStart >= UInt64(Self.pieceLength) {
                pieceStart = place / UInt64(Self.pieceLength) * UInt64(Self.pieceLength)
                // An entry may reach into the next piece.
                let end = min(pieceStart + UInt64(Self.pieceLength) + 4, volume.tableSize)
                piece =
                    try volume.disk.bytes(at: volume.tableStart + pieceStart, count: Int(end - pieceStart)) + [
                        0, 0, 0, 0,
                    ]
            }
            let offset = Int(place - pieceStart)
            switch volume.width {
            case .fat12:
                let two = piece.little(UInt16.self, at: offset)
                let entry = bit % 8 == 0 ? two & 0xFFF : two >> 4
                return entry != 0 && entry != 0xFF7
            case .fat16:
                let entry = piece.little(UInt16.self, at: offset)
                return entry != 0 && entry != 0xFFF7
            case .fat32:
                let entry = piece.little(UInt32.self, at: offset) & 0x0FFF_FFFF
                return entry != 0 && entry != 0x0FFF_FFF7
            }
        }
    }
}
