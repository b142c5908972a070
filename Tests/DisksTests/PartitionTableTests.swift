// Tables as Debian's own tools make and read them; what is written anew they find nothing wrong with.

import Disks
import Platform
import TestSupport
import Testing

@Suite struct PartitionTableTests {
    struct Layout: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// For `sfdisk`.
        var script: String
        var megabytes = 64
    }

    static let layouts = [
        Layout(
            testDescription: "GPT with names and attributes",
            script: """
                label: gpt
                size=1M, type=21686148-6449-6E6F-744E-656564454649, name="boot code"
                size=10M, type=U, name="ESP", attrs="RequiredPartition LegacyBIOSBootable"
                size=20M, type=L, name="Grüße 測試"
                """),
        Layout(
            testDescription: "GPT with gaps, and numbers out of order",
            script: """
                label: gpt
                /dev/disk5 : start=90000, size=8000, type=S
                /dev/disk2 : start=4096, size=16, type=L
                /dev/disk1 : start=50000, size=30000, type=L
                """),
        Layout(
            testDescription: "DOS with an active partition",
            script: """
                label: dos
                label-id: 0xc0ffee42
                size=20M, type=83, bootable
                size=4M, type=82
                """),
        Layout(
            testDescription: "DOS with logical partitions",
            script: """
                label: dos
                size=8M, type=83
                size=50M, type=f
                /dev/disk5 : size=5M, type=83
                /dev/disk6 : size=6M, type=82
                /dev/disk7 : size=7M, type=b
                """),
    ]

    /// A file divided by `sfdisk`, its path, and what that says of it.
    private func disk(_ layout: Layout, _ scratch: Scratch) -> BytePath {
        let path = scratch.file("disk")
        shell(
            "truncate -s \(layout.megabytes)M \(path); printf '%s\\n' '\(layout.script.replacing("/dev/disk", with: "\(path)"))' | LC_ALL=C.UTF-8 sfdisk -q \(path)"
        )
        return path
    }

    private func open(_ path: BytePath) throws -> OpenDisk {
        let file = try Descriptor.open(path, .readWrite)
        return OpenDisk(file, size: try file.status().size, sectorSize: 512, subject: "\(path)")
    }

    @Test("Partitions are where sfdisk has put them, of the types, ids and names that it gave them", arguments: layouts)
    func read(_ layout: Layout) throws {
        let scratch = Scratch()
        let path = disk(layout, scratch)
        let table = try #require(try PartitionTable.read(open(path)))
        #expect(table.remarks == [])
        let said = shell("sfdisk --dump \(path) | grep -c start=")
        #expect("\(table.partitions.count)\n" == said)
        for partition in table.partitions {
            let line = shell("LC_ALL=C.UTF-8 sfdisk --dump \(path) | grep '^\(path)\(partition.number) '")
            #expect(
                line.contains("start=\(padded(partition.start / 512)), size=\(padded(partition.length / 512))"),
                "\(line)")
            switch partition.type {
            case .gpt(let type): #expect(line.contains("type=\(type), uuid=\(try #require(partition.id))"), "\(line)")
            case .dos(let type): #expect(line.contains("type=\(String(type, radix: 16))"), "\(line)")
            }
            let name = String(decoding: partition.name, as: UTF16.self)
            if table.kind == .gpt {
                #expect(shell("LC_ALL=C.UTF-8 sfdisk --part-label \(path) \(partition.number)") == "\(name)\n")
            }
            #expect(line.contains("bootable") == (table.kind == .dos && partition.attributes == 0x80), "\(line)")
        }
    }

    private func padded(_ number: UInt64) -> String {
        String(repeating: " ", count: max(0, 12 - "\(number)".count)) + "\(number)"
    }

    @Test(
        "A table that is written onto an empty disk is the one that was read, to sfdisk as well, and a larger one has its second header at its end",
        arguments: layouts, [0, 1 << 20, 100 << 20])
    func written(_ layout: Layout, more: Int) throws {
        let scratch = Scratch()
        let path = disk(layout, scratch)
        let table = try #require(try PartitionTable.read(open(path)))
        let other = scratch.file("other")
        shell("truncate -s \((layout.megabytes << 20) + more) \(other)")
        let size = UInt64((layout.megabytes << 20) + more)
        let target = try Descriptor.open(other, .readWrite)
        for piece in try table.encoded(diskSize: size, sectorSize: 512) {
            try piece.bytes.withUnsafeBytes { bytes in try target.write(bytes, at: Int64(piece.offset)) }
        }
        var again = try #require(try PartitionTable.read(open(other)))
        // Its protective entry covers the other size.
        if more > 0 { again.bootSector = table.bootSector }
        #expect(again == table)
        func dump(_ path: BytePath) -> String {
            shell("sfdisk --dump \(path) | sed 's#\(path)##; /last-lba/d; /^device/d'")
        }
        #expect(dump(other) == dump(path))
        #expect(shell("sfdisk --verify \(other) 2>&1; echo $?").hasSuffix("\n0\n"))
        if table.kind == .gpt { #expect(shell("sgdisk -v \(other)").contains("No problems found")) }
        if more == 0 && table.kind == .gpt {
            #expect(shell("cmp \(path) \(other) 2>&1; echo $?") == "0\n", "bit for bit")
        }
    }

    @Test("Either GPT header will do, and the one that is damaged is named", arguments: ["first", "second"])
    func damaged(_ which: String) throws {
        let scratch = Scratch()
        let path = disk(Self.layouts[0], scratch)
        let whole = try #require(try PartitionTable.read(open(path)))
        shell(
            "printf x | dd of=\(path) bs=1 seek=\(which == "first" ? 512 + 60 : (64 << 20) - 512 + 60) conv=notrunc status=none"
        )
        let table = try #require(try PartitionTable.read(open(path)))
        #expect(table.partitions == whole.partitions)
        #expect(table.remarks == ["the \(which) GPT header is damaged: its checksum is wrong"])
    }

    @Test("A disk that was copied onto a larger one says that its second header is not at the end")
    func grown() throws {
        let scratch = Scratch()
        let path = disk(Self.layouts[0], scratch)
        shell("truncate -s 80M \(path)")
        let table = try #require(try PartitionTable.read(open(path)))
        #expect(table.remarks == ["the second GPT header is not at the end of the disk"])
    }

    @Test("A GPT that a DOS table has replaced is no table; a file system without one has none")
    func none() throws {
        let scratch = Scratch()
        let path = disk(Self.layouts[0], scratch)
        shell("printf 'label: dos\\nsize=3M\\n' | sfdisk -q --wipe never \(path)")
        #expect(try PartitionTable.read(open(path))?.kind == .dos)
        for command in ["mkfs.ext4 -q", "mkfs.fat -F 32", "mkfs.fat -F 16", "mkfs.xfs -q", "mkswap -q", "true"] {
            let plain = scratch.file("plain")
            shell("rm -f \(plain); truncate -s 400M \(plain); \(command) \(plain) >/dev/null 2>&1")
            #expect(try PartitionTable.read(open(plain)) == nil, "\(command)")
        }
    }

    @Test(
        "A chain of logical partitions that leads back to itself, or out of the disk, ends and is named",
        arguments: [2048, 1, 0xFFFF_FFF0])
    func chain(_ next: UInt32) throws {
        let scratch = Scratch()
        let path = disk(Self.layouts[3], scratch)
        let table = try #require(try PartitionTable.read(open(path)))
        let link = try #require(table.partitions.first { $0.number == 6 }?.link)
        let first = try #require(table.partitions.first { $0.number == 5 }?.link)
        var bytes = withUnsafeBytes(of: (next == 2048 ? UInt32(0) : next).littleEndian) { Array($0) }
        if next == 1 { bytes = withUnsafeBytes(of: UInt32((link - first) / 512).littleEndian) { Array($0) } }
        let target = try Descriptor.open(path, .readWrite)
        // The second entry of the second sector of the chain: its start.
        try bytes.withUnsafeBytes { try target.write($0, at: Int64(link) + 446 + 16 + 8) }
        let broken = try #require(try PartitionTable.read(open(path)))
        #expect(
            broken.remarks.count == 1 && broken.remarks[0].hasPrefix("the chain of logical partitions"),
            "\(broken.remarks)")
        #expect(broken.partitions.count <= table.partitions.count + 1)
    }

    @Test("Logical partitions that one sector of the chain describes are written as they were")
    func crowded() throws {
        let scratch = Scratch()
        let path = disk(Self.layouts[3], scratch)
        let table = try #require(try PartitionTable.read(open(path)))
        for number in [5, 7] {
            let link = try #require(table.partitions.first { $0.number == number }?.link)
            // The last entry of its sector: 100 sectors behind the first.
            let entry: [UInt8] = [0, 0, 0, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0]
            let file = try Descriptor.open(path, .readWrite)
            try entry.withUnsafeBytes { try file.write($0, at: Int64(link) + 446 + 48) }
        }
        let crowded = try #require(try PartitionTable.read(open(path)))
        #expect(crowded.partitions.count == table.partitions.count + 2)
        let other = scratch.file("other")
        shell("truncate -s 64M \(other)")
        let target = try Descriptor.open(other, .readWrite)
        for piece in try crowded.encoded(diskSize: 64 << 20, sectorSize: 512) {
            try piece.bytes.withUnsafeBytes { bytes in try target.write(bytes, at: Int64(piece.offset)) }
        }
        #expect(try PartitionTable.read(open(other)) == crowded)
    }

    @Test("What does not fit is refused before anything is made: too small by one sector, beyond 2 TiB, other sectors")
    func refused() throws {
        let scratch = Scratch()
        for layout in Self.layouts {
            let table = try #require(try PartitionTable.read(open(disk(layout, scratch))))
            let end = table.partitions.map(\.end).max() ?? 0
            let needed = end + (table.kind == .gpt ? 33 * 512 : 0)
            #expect(throws: Never.self) { try table.encoded(diskSize: needed, sectorSize: 512) }
            #expect(throws: DiskFormatError.self) { try table.encoded(diskSize: needed - 512, sectorSize: 512) }
        }
        let dos = try #require(try PartitionTable.read(open(disk(Self.layouts[2], scratch))))
        var far = dos
        far.partitions[1].start = 3 << 40
        #expect(throws: DiskFormatError.self) { try far.encoded(diskSize: 4 << 40, sectorSize: 512) }
        let odd = try #require(try PartitionTable.read(open(disk(Self.layouts[1], scratch))))
        var moved = odd
        moved.partitions[0].start += 512
        #expect(throws: DiskFormatError.self) { try moved.encoded(diskSize: 64 << 20, sectorSize: 4096) }
    }

    @Test("No bytes that somebody may put into a table end the program")
    func flipped() throws {
        let scratch = Scratch()
        var random = SystemRandomNumberGenerator()
        for layout in Self.layouts {
            var disk = MemoryDisk(try readWhole(disk(layout, scratch), limit: 80 << 20))
            let size = disk.contents.count
            // Where tables are: each bit once would be long; some of each byte's.
            let places =
                Array(440..<512) + Array(512..<700) + Array(1024..<1500) + Array(size - 512..<size - 400)
            for place in places {
                let before = disk.contents[place]
                defer { disk.contents[place] = before }
                disk.contents[place] = UInt8.random(in: 0...255, using: &random)
                guard let table = try PartitionTable.read(disk) else { continue }
                // What cannot be said is an error.
                _ = try? table.encoded(diskSize: disk.size, sectorSize: 512)
            }
        }
    }
}
