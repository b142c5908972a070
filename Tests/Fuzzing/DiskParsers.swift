// The parsers of disks: tables, what lies in partitions, descriptions of disks, and restores of those.
//
// A disk is a list of stretches between zeros, so that a large one is a small input.

import Glibc
import Platform
import Reporting

@testable import Disks
@testable import Images

/// A disk of which the input has what is not zeros: its sector size (a power of two above 512, 2 bits) and whether sums are as they are
/// (bit 7); its size in 512 bytes (4); then stretches: place in 512 bytes (4), length (2), bytes.
struct SparseDisk: DiskBytes {
    static let headLength = 5
    static let noRepair: UInt8 = 0x80

    let size: UInt64
    let sectorSize: Int
    let subject = "it"
    private(set) var stretches: [(start: UInt64, bytes: [UInt8])] = []
    let isRepaired: Bool

    init(_ bytes: [UInt8], largest: UInt64 = 1 << 41) throws {
        guard bytes.count > Self.headLength else { throw FormatError("no disk") }
        sectorSize = 512 << Int(bytes[0] & 3)
        isRepaired = bytes[0] & Self.noRepair == 0
        size = min(UInt64(bytes.little(UInt32.self, at: 1)) * 512, largest)
        var place = Self.headLength
        while place + 6 <= bytes.count {
            let start = UInt64(bytes.little(UInt32.self, at: place)) * 512
            let length = Int(bytes.little(UInt16.self, at: place + 4))
            let end = min(place + 6 + length, bytes.count)
            stretches.append((start, Array(bytes[place + 6..<end])))
            place = end
        }
    }

    /// What is not zeros of a disk.
    static func packed(_ disk: [UInt8], sectorSize: Int = 512) -> [UInt8] {
        var result: [UInt8] = [UInt8(sectorSize.trailingZeroBitCount - 9)]
        result.append(integer: UInt32(disk.count / 512))
        var index = 0
        while index * 512 < disk.count {
            let start = index
            // NTFS has a log of such bytes, which nobody here reads.
            while index - start < 100, (index + 1) * 512 <= disk.count,
                disk[index * 512..<(index + 1) * 512].contains(where: { $0 != 0 && $0 != 0xFF })
            { index += 1 }
            if index == start {
                index += 1
                continue
            }
            var content = disk[start * 512..<index * 512]
            while content.last == 0 { content.removeLast() }
            result.append(integer: UInt32(start))
            result.append(integer: UInt16(content.count))
            result += content
        }
        return result
    }

    func read(_ range: Range<UInt64>) throws(SystemError) -> [UInt8] {
        precondition(range.upperBound <= size, "what is read lies in the disk")
        precondition(range.count <= 32 << 20, "so much is not read at once")
        var result = [UInt8](repeating: 0, count: range.count)
        for (start, bytes) in stretches {
            let part = (start..<start + UInt64(bytes.count)).clamped(to: range)
            if part.isEmpty { continue }
            result.replaceSubrange(
                Int(part.lowerBound - range.lowerBound)..<Int(part.upperBound - range.lowerBound),
                with: bytes[Int(part.lowerBound - start)..<Int(part.upperBound - start)])
        }
        return result
    }

    mutating func write(_ bytes: [UInt8], at offset: UInt64) { stretches.append((offset, bytes)) }

    /// With the right checksums in what looks like headers of a GPT.
    func repaired() throws -> SparseDisk {
        guard isRepaired, size >= 2 * UInt64(sectorSize) else { return self }
        var disk = self
        for place in [UInt64(sectorSize), (size / UInt64(sectorSize) - 1) * UInt64(sectorSize)] {
            var header = try disk.read(place..<place + UInt64(sectorSize))
            let length = Int(header.little(UInt32.self, at: 12))
            guard header.starts(with: Array("EFI PART".utf8)), (92...sectorSize).contains(length) else { continue }
            let entries = header.little(UInt64.self, at: 72).multiplied(saturating: UInt64(sectorSize))
            let count = UInt64(header.little(UInt32.self, at: 80)) * UInt64(header.little(UInt32.self, at: 84))
            if entries <= size, count <= size - entries, count <= 1 << 20 {
                header.put(little: CRC32.of(try disk.read(entries..<entries + count)), at: 88)
            }
            header.put(little: UInt32(0), at: 16)
            header.put(little: CRC32.of(header[..<length]), at: 16)
            disk.write(header, at: place)
        }
        return disk
    }
}

/// Parts that are out of order, touch each other or lie beyond the end would be an image that is wrong.
private func count(_ parts: any UsedParts, of size: UInt64) throws -> Int {
    var (parts, last, count) = (parts, Range<UInt64>?.none, 0)
    while let part = try parts.next() {
        precondition(!part.isEmpty && part.upperBound <= size, "a part lies in the volume")
        if let last { precondition(part.lowerBound > last.upperBound, "parts are in order, and apart") }
        last = part
        count += 1
    }
    return count
}

/// No loop over clusters is to take longer than a second.
private let largestVolume: UInt64 = 64 << 20

func runDisk(_ parser: Parser, _ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    switch parser {
    case .diskTable: return try readTable(SparseDisk(bytes).repaired())
    case .lvmMember:
        let disk = try SparseDisk(bytes)
        let member = try LVMMember(disk)
        // As a map of it is made.
        var layers = [Layer(range: 0..<member.start)]
        for volume in member.volumes {
            let parts: @Sendable () throws -> any UsedParts = { OnePart(range: 0..<4096) }
            layers.append(Layer(range: volume.range, parts: volume.isWhole ? parts : nil))
        }
        layers.append(Layer(range: member.end..<disk.size))
        return try count(LayeredParts(layers), of: disk.size)
    case .lvmText: return try LVMText.read(bytes).members?.count ?? 0
    case .raidMember: return Int(clamping: try RAIDMember(SparseDisk(bytes)).content.upperBound)
    case .fatVolume:
        let disk = try SparseDisk(bytes, largest: largestVolume)
        return try count(FATVolume(disk).usedParts(), of: disk.size)
    case .ntfsVolume:
        let disk = try SparseDisk(bytes, largest: largestVolume)
        let volume = try NTFSVolume(disk)
        return try count(volume.usedParts(), of: disk.size) + (volume.isHibernated ? 1 : 0)
    case .volumeHeads:
        let disk = try SparseDisk(bytes)
        var count = try SwapArea(disk)?.pageSize ?? 0
        if (try? UsedMap.hasErrors(ext: disk)) == true { count += 1 }
        let folder = try Descriptor.open(fixture.folder, .directory)
        if var free = try? BtrfsFreeParts(of: folder, on: disk), (try? free.nextFree()) != nil { count += 1 }
        return count + (try RestoreNote.isOn(disk) ? 1 : 0)
    case .freeParts: return try readFreeParts(bytes)
    case .diskDescription: return try readDescription(bytes)
    case .diskRestore: return try restoreDisk(bytes, fixture)
    case .systemTexts: return try mendSystem(bytes, fixture)
    default: return 0
    }
}

private func readTable(_ disk: SparseDisk) throws -> Int {
    guard let table = try PartitionTable.read(disk) else { return 0 }
    precondition(table.endOfTable(sectorSize: disk.sectorSize) > 0)
    precondition(table.startOfSecond(diskSize: disk.size, sectorSize: disk.sectorSize) <= disk.size)
    let described = try DiskDescription.Table(table).decoded()
    guard let pieces = try? described.encoded(diskSize: disk.size, sectorSize: disk.sectorSize) else { return 1 }
    // What is written is what was read.
    var written = disk
    for piece in pieces { written.write(piece.bytes, at: piece.offset) }
    guard table.remarks.isEmpty else { return 2 }
    guard let again = try PartitionTable.read(written) else { fatalError("what was written is no table") }
    func facts(_ table: PartitionTable) -> [Partition] { table.partitions.filter { !$0.isContainer } }
    precondition(facts(again) == facts(table) && again.id == table.id, "another table")
    return 3
}

/// Two numbers after each other are a free part.
private struct AnyFreeParts: FreeParts {
    var bytes: ArraySlice<UInt8>

    mutating func nextFree() -> Range<UInt64>? {
        guard bytes.count >= 4 else { return nil }
        let head = Array(bytes.prefix(4))
        bytes = bytes.dropFirst(4)
        let start = UInt64(head.little(UInt16.self, at: 0)) << (head[3] & 0x80 != 0 ? 48 : 4)
        return start..<start.adding(saturating: UInt64(head[2]) << UInt64(head[3] & 0x3F))
    }
}

private func readFreeParts(_ bytes: [UInt8]) throws -> Int {
    guard bytes.count > 4 else { return 0 }
    let end = UInt64(bytes.little(UInt32.self, at: 0))
    return try count(
        Complement(
            AnyFreeParts(bytes: bytes.dropFirst(4)), end: end, keeping: [0..<1024, 5000..<9000, 1 << 30..<1 << 31]),
        of: end)
}

private func readDescription(_ bytes: [UInt8]) throws -> Int {
    let description = try DiskDescription(decoding: bytes)
    var count = try description.encoded().count + description.summary.count
    let again = try DiskDescription(decoding: description.encoded())
    precondition(again == description, "another description")
    if let table = try? description.table?.decoded() {
        for sector in [512, 4096] {
            let pieces = try? table.encoded(diskSize: description.size, sectorSize: sector)
            for piece in pieces ?? [] {
                let end = piece.offset.adding(saturating: UInt64(piece.bytes.count))
                precondition(end <= description.size, "a table lies in its disk")
            }
            count += pieces?.count ?? 0
        }
    }
    for volume in description.volumes {
        guard let words = try? volume.recipe?.words(size: volume.size, sectorSize: 512) else { continue }
        // Options, and what follows an option: no word of the image is one by itself.
        let options = ["-q", "-f", "-F", "-O", "-b", "-I", "-U", "-m", "-i", "-n", "-L", "-N"]
        var isValue = true
        for word in words {
            if !isValue { precondition(options.contains(word.shown), "a word that nobody gave") }
            isValue =
                !isValue && !["-q", "-f"].contains(word.shown)
                && !(word.shown == "-F" && words[0].shown != "mkfs.vfat")
        }
        precondition(!words.contains { $0.bytes.contains(0) }, "a word that ends early")
        count += words.count
    }
    return count
}

/// A length (2), a description of a disk, and records.
private func restoreDisk(_ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    guard bytes.count > 2 else { return 0 }
    let length = min(Int(bytes.little(UInt16.self, at: 0)), bytes.count - 2)
    let description = Array(bytes[2..<2 + length])
    let decoded = try DiskDescription(decoding: description)
    // Kernels and `mkfs` are not what is looked at here.
    guard
        decoded.volumes.allSatisfy({ volume in
            volume.way != .tree
                && (volume.way != .blocks
                    || ["vfat", "ntfs", "LVM2_member", "linux_raid_member"].contains(volume.content ?? "ntfs"))
        })
    else { return 0 }
    let around = fixture.folder.appending("disks")
    try makeFolders(around)
    defer { empty(around) }
    let disk = around.appending("disk")
    let size = min(decoded.size, 1 << 30)
    let file = try Descriptor.open(disk, [.write, .create, .truncate])
    try file.truncate(to: Int64(clamping: size))
    try writeNew(around.appending("other"), Array("other".utf8))
    var options = DiskRestoreOptions()
    options.isExact = true
    options.tellsFirmware = false
    let findings = Findings()
    let restoration = DiskRestoration(
        to: disk, image: "00", options, progress: Progress(), findings: findings, agree: { _ in .same })
    var source: [UInt8] = []
    source.append(field: 1, text: "/dev/sda")
    source.append(field: 3, description)
    var records: [UInt8] = []
    records.append(record: .source, source)
    records += bytes[(2 + length)...]
    let reader = DiskRecordsReader(
        ManifestBatch(records: records, chunks: AnyChunks(isRandomAccess: true, group: fixture.group)))
    var count = 0
    do {
        _ = try Images.restoreDisk(reader, to: restoration, progress: Progress(), findings: findings)
        count = try restoration.finish().mounted.count
    } catch { count = -1 }
    let names = try DirectoryListing(of: Descriptor.open(around, .directory))
    precondition(names.count == 2, "something was written beside the disk")
    let (now, other) = (try file.status().size, try readWhole(around.appending("other"), limit: 64))
    precondition(now == size, "the disk has become another")
    precondition(other == Array("other".utf8), "another file was written")
    return count + Int(clamping: findings.count)
}

private final class DiskRecordsReader: BatchedImageReader {
    let label: ImageLabel? = nil
    let imageID: ObjectID? = ObjectID(first16: [UInt8](repeating: 0, count: 16)[...])
    let restoredSubject = "records"
    private var batch: ManifestBatch?

    init(_ batch: ManifestBatch) { self.batch = batch }

    func nextBatch() throws -> ManifestBatch? { batch.take() }
    func problems() -> [Finding] { [] }
}

/// Files of a system, each up to a zero: fstab, crypttab, hosts, the host's name, and what GRUB reads.
private func mendSystem(_ bytes: [UInt8], _ fixture: Fixture) throws -> Int {
    let place = fixture.folder.appending("system")
    let names = ["etc/fstab", "etc/crypttab", "etc/hosts", "etc/hostname", "boot/grub/grub.cfg"]
    for folder in ["etc", "boot/grub"] { try makeFolders(place.appending(folder)) }
    defer { empty(place) }
    let texts = bytes.split(separator: 0, maxSplits: names.count - 1, omittingEmptySubsequences: false)
    for (name, text) in zip(names, texts) { try writeNew(place.appending(name), Array(text)) }
    var root = SystemRoot(try Descriptor.open(place, .directory))
    nameByIdentifier(&root, [1: "AAAA-BBBB", 2: "11111111-2222-3333-4444-555555555555"])
    giveNewIdentity(&root, hostName: "new")
    addFallbackLoader(&root)
    return root.done.count + root.failed.count + (rootByName(in: root)?.utf8.count ?? 0)
}
