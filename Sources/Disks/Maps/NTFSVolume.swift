// NTFS, as far as it has to be known which clusters hold something, and whether Windows has it in use: its boot sector, the first records of
// its master file table, and its root folder (as the Linux kernel's fs/ntfs3/ntfs.h has them).

public import Images
internal import Platform

/// An NTFS file system at rest.
public struct NTFSVolume: Sendable {
    /// Bytes.
    public let clusterSize: Int
    public let clusterCount: UInt64
    /// Whether Windows has marked it as in use, or to be checked.
    public let isDirty: Bool
    /// Whether a Windows that sleeps on the disk has it in use, as after each "shut down" with its fast start: then its map is of before.
    public let isHibernated: Bool

    private let files: FileTable
    private let bitmap: FileTable.Content

    /// - Throws: `DiskFormatError` where it is none, or says what cannot be.
    public init(_ disk: any DiskBytes) throws {
        files = try FileTable(disk)
        clusterSize = files.clusterSize
        clusterCount = files.clusterCount
        guard let bitmap = try files.record(6).content(.data), bitmap.length >= (clusterCount + 7) / 8 else {
            throw DiskFormatError("it has no map of its clusters, or one that is too short")
        }
        self.bitmap = bitmap
        guard let information = try files.record(3).content(.volumeInformation) else {
            throw DiskFormatError("it does not say whether it is in use")
        }
        let bytes = try files.read(information, at: 0, count: 12)
        isDirty = bytes.little(UInt16.self, at: 10) & 1 != 0
        isHibernated = try Self.isHibernated(files)
    }

    /// Whether the file that a sleeping Windows keeps its memory in has something in it.
    private static func isHibernated(_ files: FileTable) throws -> Bool {
        guard let number = try files.number(of: "hiberfil.sys"), let content = try files.record(number).content(.data),
            content.length >= 4096
        else { return false }
        let first = String(decoding: try files.read(content, at: 0, count: 4), as: UTF8.self).lowercased()
        return first == "hibr" || first == "wake"
    }

    /// What is used: all clusters that are not called free, and what is behind the last.
    public func usedParts() -> some UsedParts { Parts(self) }

    private struct Parts: UsedParts {
        private static let pieceLength: UInt64 = 1 << 18

        private let volume: NTFSVolume
        private var runs: UnitRuns
        private var cluster: UInt64 = 0
        private var piece: [UInt8] = []
        private var isFinished = false

        init(_ volume: NTFSVolume) {
            self.volume = volume
            runs = UnitRuns(first: 0, unit: UInt64(volume.clusterSize), end: volume.files.disk.size)
        }

        mutating func next() throws -> Range<UInt64>? {
            while !isFinished {
                if cluster >= volume.clusterCount {
                    isFinished = true
                    runs.finish()
                } else {
                    let byte = cluster / 8 % Self.pieceLength
                    if byte == 0 && cluster % 8 == 0 {
                        let start = cluster / 8
                        let rest = (volume.clusterCount + 7) / 8 - start  // safe: there are clusters left
                        piece = try volume.files.read(volume.bitmap, at: start, count: Int(min(Self.pieceLength, rest)))
                    }
                    let bits = piece[Int(byte)]
                    if cluster % 8 == 0, bits == 0 || bits == 0xFF, volume.clusterCount - cluster >= 8 {
                        runs.add(8, isUsed: bits != 0)
                        cluster += 8
                    } else {
                        runs.add(1, isUsed: bits >> (cluster % 8) & 1 != 0)
                        cluster += 1
                    }
                }
                if let part = runs.takeFinished() { return part }
            }
            return runs.takeLast()
        }
    }
}

/// The master file table of NTFS, and what its records have.
struct FileTable {
    enum Kind: UInt32 {
        case attributeList = 0x20
        case fileName = 0x30
        case volumeInformation = 0x70
        case data = 0x80
        case indexRoot = 0x90
        case indexAllocation = 0xA0
    }

    /// Clusters that lie one behind the other; with no place where they are a hole.
    struct Run {
        var first: UInt64?
        var count: UInt64
    }

    /// What an attribute holds.
    struct Content {
        /// Bytes.
        var length: UInt64
        /// In the record itself.
        var inline: [UInt8]?
        var runs: [Run] = []
    }

    let disk: any DiskBytes
    let clusterSize: Int
    let clusterCount: UInt64
    private let recordSize: Int
    private let indexSize: Int
    /// Where the table's first cluster is; its first sixteen records lie there whole.
    private let start: UInt64
    private var table: Content?

    init(_ disk: any DiskBytes) throws {
        let boot = try disk.bytes(at: 0, count: 512)
        guard Array(boot[3..<11]) == Array("NTFS    ".utf8) else {
            throw DiskFormatError("its boot sector is none of NTFS")
        }
        let sector = Int(boot.little(UInt16.self, at: 11))
        // Above 128 it is a power of two, counted down from 256.
        let perCluster = boot[13] <= 128 ? Int(boot[13]) : boot[13] >= 0xF4 ? 1 << (256 - Int(boot[13])) : 0
        guard [512, 1024, 2048, 4096].contains(sector), perCluster > 0, perCluster & (perCluster - 1) == 0,
            sector * perCluster <= 2 << 20
        else { throw DiskFormatError("its boot sector says what cannot be of sectors and clusters") }
        clusterSize = sector * perCluster
        let sectors = boot.little(UInt64.self, at: 40)
        guard sectors > 0, sectors <= disk.size / UInt64(sector) else {
            throw DiskFormatError("it says that it has \(sectors) sectors of \(sector) bytes")
        }
        clusterCount = sectors / UInt64(perCluster)
        func size(_ byte: UInt8) -> Int {
            byte < 0x80 ? Int(byte) * sector * perCluster : byte >= 0xE1 ? 1 << (256 - Int(byte)) : 0
        }
        recordSize = size(boot[64])
        indexSize = size(boot[68])
        guard [1024, 2048, 4096].contains(recordSize), (512...65536).contains(indexSize), indexSize % 512 == 0 else {
            throw DiskFormatError("its boot sector says what cannot be of its records")
        }
        let first = boot.little(UInt64.self, at: 48)
        guard first < clusterCount else { throw DiskFormatError("its file table lies beyond its end") }
        start = first * UInt64(clusterSize)  // safe: within the disk
        self.disk = disk
        table = try record(0).content(.data)
    }

    // MARK: Records

    struct Record {
        let bytes: [UInt8]

        /// What the attribute without a name has; nil where there is none. One whose parts are in several records is none of those that are
        /// needed here.
        func content(_ kind: Kind, named name: String = "") throws -> Content? {
            var offset = Int(bytes.little(UInt16.self, at: 20))
            while offset >= 0, offset + 24 <= bytes.count {
                let type = bytes.little(UInt32.self, at: offset)
                if type == 0xFFFF_FFFF { break }
                let length = Int(bytes.little(UInt32.self, at: offset + 4))
                guard length >= 24, length <= bytes.count - offset else {
                    throw DiskFormatError("an attribute is too long")
                }
                let attribute = Array(bytes[offset..<offset + length])
                if type == Kind.attributeList.rawValue { throw DiskFormatError("a record of it is in several parts") }
                if type == kind.rawValue, try Self.name(attribute) == name { return try Self.content(attribute) }
                offset += length
            }
            return nil
        }

        private static func name(_ attribute: [UInt8]) throws -> String {
            let (count, offset) = (Int(attribute[9]), Int(attribute.little(UInt16.self, at: 10)))
            guard count == 0 || offset + 2 * count <= attribute.count else {
                throw DiskFormatError("a name is too long")
            }
            return String(
                decoding: (0..<count).map { attribute.little(UInt16.self, at: offset + 2 * $0) }, as: UTF16.self)
        }

        private static func content(_ attribute: [UInt8]) throws -> Content {
            if attribute[8] == 0 {
                let (length, offset) = (
                    Int(attribute.little(UInt32.self, at: 16)), Int(attribute.little(UInt16.self, at: 20))
                )
                guard offset <= attribute.count, length <= attribute.count - offset else {
                    throw DiskFormatError("what an attribute holds is too long")
                }
                return Content(length: UInt64(length), inline: Array(attribute[offset..<offset + length]))
            }
            guard attribute.count >= 64 else { throw DiskFormatError("an attribute is too short") }
            // Compressed and encrypted ones are none of those that are needed here.
            guard attribute.little(UInt16.self, at: 12) & 0x40FF == 0 else {
                throw DiskFormatError("what is needed of it is compressed or encrypted")
            }
            return Content(
                length: attribute.little(UInt64.self, at: 48),
                runs: try runs(attribute[min(Int(attribute.little(UInt16.self, at: 32)), attribute.count)...]))
        }

        /// Each run: a byte with two lengths, then how many clusters, then how far the first lies from that of the run before.
        private static func runs(_ bytes: ArraySlice<UInt8>) throws -> [Run] {
            var rest = bytes
            var (result, place): ([Run], Int64) = ([], 0)
            func number(_ count: Int, isSigned: Bool) throws -> Int64 {
                guard count <= 8, rest.count >= count else { throw DiskFormatError("a run is too long") }
                var value = isSigned && (rest.dropFirst(count - 1).first ?? 0) >= 0x80 ? Int64(-1) : 0
                for byte in rest.prefix(count).reversed() { value = value << 8 | Int64(byte) }
                rest = rest.dropFirst(count)
                return value
            }
            while let head = rest.popFirst(), head != 0 {
                let count = try number(Int(head & 0xF), isSigned: false)
                guard count > 0 else { throw DiskFormatError("a run has no length") }
                if head >> 4 == 0 {
                    result.append(Run(first: nil, count: UInt64(count)))
                    continue
                }
                let (sum, isBeyond) = place.addingReportingOverflow(try number(Int(head >> 4), isSigned: true))
                guard !isBeyond, sum >= 0 else { throw DiskFormatError("a run lies before the beginning") }
                place = sum
                result.append(Run(first: UInt64(sum), count: UInt64(count)))
            }
            return result
        }
    }

    /// A record of the table, whole.
    func record(_ number: UInt64) throws -> Record {
        let offset = number.multiplied(saturating: UInt64(recordSize))
        let bytes: [UInt8]
        if let table, number >= 16 {
            bytes = try read(table, at: offset, count: recordSize)
        } else {
            guard number < 16 else { throw DiskFormatError("its file table is not known") }
            bytes = try disk.bytes(at: start + offset, count: recordSize)  // safe: within the disk, and 64 KiB
        }
        return Record(bytes: try repaired(bytes, "FILE"))
    }

    /// The last two bytes of each 512 are kept apart, so that a record that was cut off is known.
    private func repaired(_ bytes: [UInt8], _ magic: String) throws -> [UInt8] {
        guard Array(bytes[0..<4]) == Array(magic.utf8) else { throw DiskFormatError("a record of it is damaged") }
        let (offset, count) = (Int(bytes.little(UInt16.self, at: 4)), Int(bytes.little(UInt16.self, at: 6)))
        guard count == bytes.count / 512 + 1, offset + 2 * count <= 510 else {
            throw DiskFormatError("a record of it is damaged")
        }
        var bytes = bytes
        for index in 1..<count {
            guard bytes[512 * index - 2] == bytes[offset], bytes[512 * index - 1] == bytes[offset + 1] else {
                throw DiskFormatError("a record of it was cut off")
            }
            bytes[512 * index - 2] = bytes[offset + 2 * index]
            bytes[512 * index - 1] = bytes[offset + 2 * index + 1]
        }
        return bytes
    }

    // MARK: Content

    /// Reads all of a part of what an attribute holds.
    func read(_ content: Content, at offset: UInt64, count: Int) throws -> [UInt8] {
        guard offset <= content.length, UInt64(count) <= content.length - offset else {
            throw DiskFormatError("what is looked for lies beyond the end")
        }
        // safe: compared with its length, which is that of the array
        if let inline = content.inline { return Array(inline[Int(offset)..<Int(offset) + count]) }
        var result: [UInt8] = []
        let unit = UInt64(clusterSize)
        var place: UInt64 = 0
        for run in content.runs where result.count < count {
            let end = place.adding(saturating: run.count.multiplied(saturating: unit))
            let wanted = offset.adding(saturating: UInt64(result.count))
            if wanted < end {
                let inside = wanted - place  // safe: runs follow each other
                let length = Int(min(UInt64(count - result.count), end - wanted))
                if let first = run.first {
                    let from = first.multiplied(saturating: unit).adding(saturating: inside)
                    result += try disk.bytes(at: from, count: length)
                } else {
                    result += [UInt8](repeating: 0, count: length)
                }
            }
            place = end
        }
        guard result.count == count else { throw DiskFormatError("what is looked for has no place") }
        return result
    }

    // MARK: The root folder

    /// More blocks than any root folder has.
    private static let indexLimit: UInt64 = 64 << 20

    /// The record of a file of the root folder, whatever case its name has; nil where there is none.
    func number(of name: String) throws -> UInt64? {
        let root = try record(5)
        guard let index = try root.content(.indexRoot, named: "$I30") else {
            throw DiskFormatError("it has no root folder")
        }
        let bytes = try read(index, at: 0, count: Int(clamping: min(index.length, 1 << 16)))
        guard bytes.count >= 32 else { throw DiskFormatError("its root folder is too short") }
        if let found = try Self.number(of: name, in: bytes, header: 16) { return found }
        guard let blocks = try root.content(.indexAllocation, named: "$I30") else { return nil }
        var offset: UInt64 = 0
        while offset < min(blocks.length, Self.indexLimit) {
            guard blocks.length - offset >= UInt64(indexSize) else { break }
            let block = try read(blocks, at: offset, count: indexSize)
            offset += UInt64(indexSize)
            // One that was never used has nothing.
            guard Array(block[0..<4]) == Array("INDX".utf8) else { continue }
            if let found = try Self.number(of: name, in: repaired(block, "INDX"), header: 24) { return found }
        }
        return nil
    }

    /// Looks through entries, which begin where the header says, counted from it.
    private static func number(of name: String, in bytes: [UInt8], header: Int) throws -> UInt64? {
        guard header + 16 <= bytes.count else { throw DiskFormatError("an index of it is too short") }
        var offset = header + Int(clamping: min(bytes.little(UInt32.self, at: header), 1 << 20))
        let end = min(bytes.count, header + Int(clamping: min(bytes.little(UInt32.self, at: header + 4), 1 << 20)))
        while offset + 16 <= end {
            let length = Int(bytes.little(UInt16.self, at: offset + 8))
            let flags = bytes.little(UInt16.self, at: offset + 12)
            // The last has no name.
            if flags & 2 != 0 { return nil }
            guard length >= 16, offset + length <= end else {
                throw DiskFormatError("an entry of an index is too long")
            }
            let place = offset + 16 + 64
            if place + 2 <= offset + length {
                let count = Int(bytes[place])
                if place + 2 + 2 * count <= offset + length {
                    let units = (0..<count).map { bytes.little(UInt16.self, at: place + 2 + 2 * $0) }
                    if String(decoding: units, as: UTF16.self).lowercased() == name {
                        return bytes.little(UInt64.self, at: offset) & 0xFFFF_FFFF_FFFF
                    }
                }
            }
            offset += length
        }
        return nil
    }
}
