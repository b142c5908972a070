// Which parts of a FAT file system are used: with all others emptied its files are what they were, and fsck finds nothing wrong.

import Disks
import Images
import Platform
import TestSupport
import Testing

/// Empties all of a file that the parts do not name; how much they name.
func keepOnly(_ parts: some UsedParts, of path: BytePath) throws -> UInt64 {
    var parts = parts
    let file = try Descriptor.open(path, .readWrite)
    let size = UInt64(try file.status().size)
    var (end, used) = (UInt64(0), UInt64(0))
    func empty(_ range: Range<UInt64>) {
        if !range.isEmpty {
            #expect(file.punchHole(offset: Int64(range.lowerBound), length: Int64(range.upperBound - range.lowerBound)))
        }
    }
    while let part = try parts.next() {
        #expect(!part.isEmpty && part.upperBound <= size && (part.lowerBound > end || end == 0), "in order, and apart")
        empty(end..<part.lowerBound)
        used += part.upperBound - part.lowerBound
        end = part.upperBound
    }
    empty(end..<size)
    return used
}

@Suite struct FATVolumeTests {
    struct Form: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var width: FATVolume.Width
        var kilobytes: Int
        var options: String
        var sectorSize = 512
    }

    static let forms = [
        Form(testDescription: "a floppy", width: .fat12, kilobytes: 1440, options: ""),
        Form(testDescription: "FAT16", width: .fat16, kilobytes: 60 << 10, options: "-F 16"),
        Form(
            testDescription: "FAT32 whose table is longer than a piece of it", width: .fat32, kilobytes: 300 << 10,
            options: "-F 32 -s 1"),
        Form(
            testDescription: "FAT32 of 4,096 bytes a sector, one table", width: .fat32, kilobytes: 300 << 10,
            options: "-F 32 -s 1 -S 4096 -f 1", sectorSize: 4096),
    ]

    private func volume(_ path: BytePath) throws -> FATVolume {
        let file = try Descriptor.open(path)
        return try FATVolume(OpenDisk(file, size: UInt64(file.status().size), sectorSize: 512, subject: "\(path)"))
    }

    @Test("What is not used can go, and every file is what it was", arguments: forms)
    func files(_ form: Form) throws {
        let scratch = Scratch()
        let path = scratch.file("fat")
        let said = shell(
            """
            cd \(scratch.path); exec 2>&1; export MTOOLS_SKIP_CHECK=1
            truncate -s \(form.kilobytes)K fat; mkfs.fat \(form.options) fat >/dev/null
            mkdir files; for i in $(seq 60); do head -c $((i * i * \(form.kilobytes) / 400)) /dev/urandom >files/f$i; done
            mcopy -i fat files/* ::; mdel -i fat $(seq -f '::f%.0f' 1 3 60); mmd -i fat ::dir
            mcopy -i fat files/f3 files/f6 ::dir; rm $(seq -f 'files/f%.0f' 1 3 60)
            """)
        #expect(said == "")
        let fat = try volume(path)
        #expect(fat.width == form.width && !fat.isDirty && fat.sectorSize == form.sectorSize)
        let used = try keepOnly(fat.usedParts(), of: path)
        #expect(used < UInt64(form.kilobytes) << 10 / 2, "\(used)")
        let check = shell(
            """
            cd \(scratch.path); exec 2>&1; export MTOOLS_SKIP_CHECK=1
            fsck.fat -n fat >said || cat said; mkdir back; mcopy -i fat -s '::*' back; mkdir files/dir; cp files/f3 files/f6 files/dir; diff -r files back
            """)
        #expect(check == "")
    }

    @Test(
        "One that was not unmounted says so, as Linux and as Windows mark it", arguments: forms.dropFirst(),
        ["linux", "windows"])
    func dirty(_ form: Form, _ by: String) throws {
        let scratch = Scratch()
        let path = scratch.file("fat")
        shell("truncate -s \(form.kilobytes)K \(path); mkfs.fat \(form.options) \(path)")
        #expect(try !volume(path).isDirty)
        let reserved = (form.width == .fat32 ? 32 : form.sectorSize == 4096 ? 1 : 4) * form.sectorSize
        // The high byte of the table's second entry.
        let (place, byte) =
            by == "linux" ? (form.width == .fat32 ? 0x41 : 0x25, "1") : (reserved + (form.width == .fat32 ? 7 : 3), "7")
        shell("printf '\\00\(byte)' | dd of=\(path) bs=1 seek=\(place) conv=notrunc status=none")
        #expect(try volume(path).isDirty)
    }

    @Test("What is no FAT file system, or says what cannot be, is refused and ends nothing")
    func hostile() throws {
        let scratch = Scratch()
        let path = scratch.file("fat")
        shell("truncate -s 1440K \(path); mkfs.fat \(path)")
        var disk = MemoryDisk(try readWhole(path, limit: 2 << 20))
        let whole = disk.contents
        var random = SystemRandomNumberGenerator()
        for round in 0..<20000 {
            disk.contents.replaceSubrange(0..<512, with: whole[0..<512])
            for _ in 0...round % 3 {
                disk.contents[Int.random(in: 11..<70, using: &random)] =
                    [0, 1, 2, 127, 128, 255, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random)
                    ?? 0
            }
            guard let volume = try? FATVolume(disk) else { continue }
            var (parts, end) = (volume.usedParts(), UInt64(0))
            while let part = try parts.next() {
                #expect(part.lowerBound >= end && part.upperBound <= disk.size)
                end = part.upperBound
            }
        }
        #expect(throws: DiskFormatError.self) { try FATVolume(MemoryDisk([UInt8](repeating: 0, count: 100))) }
        #expect(throws: DiskFormatError.self) { try FATVolume(MemoryDisk([UInt8](repeating: 0xFF, count: 4096))) }
    }
}
