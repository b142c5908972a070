// Which parts of an NTFS file system are used, and whether a Windows has it in use.

import Disks
import Images
import Platform
import TestSupport
import Testing

@Suite(.enabled(if: HostFacts.isRoot, "mounts want root")) struct NTFSVolumeTests {
    private func volume(_ path: BytePath) throws -> NTFSVolume {
        let file = try Descriptor.open(path)
        return try NTFSVolume(OpenDisk(file, size: UInt64(file.status().size), sectorSize: 512, subject: "\(path)"))
    }

    /// One of 200 MB in `ntfs`, mounted where `script` is run.
    private func make(_ scratch: Scratch, options: String = "", _ script: String) -> String {
        shell(
            """
            cd \(scratch.path); exec 2>&1; truncate -s 200M ntfs; mkntfs -F -q \(options) ntfs >/dev/null 2>&1; mkdir mount
            unshare -m sh -c 'ntfs-3g ntfs mount; cd mount; \(script); cd ..; umount mount'
            """)
    }

    private static let fill = """
        for i in $(seq 80); do head -c $((i * i * 150)) /dev/urandom >f$i; done; rm $(seq -f "f%.0f" 1 2 80)
        mkdir dir; for i in $(seq 500); do echo $i >dir/a-rather-long-name-$i; done; head -c 3000000 /dev/urandom >dir/new
        find . -type f | sort | xargs -d "\\n" sha256sum >../sums
        """

    @Test("What is not used can go, and every file is what it was", arguments: ["", "-c 512", "-c 65536", "-s 4096"])
    func files(_ options: String) throws {
        let scratch = Scratch()
        #expect(make(scratch, options: options, Self.fill) == "")
        let ntfs = try volume(scratch.file("ntfs"))
        #expect(!ntfs.isDirty && !ntfs.isHibernated)
        let used = try keepOnly(ntfs.usedParts(), of: scratch.file("ntfs"))
        #expect(used < 60 << 20, "\(used)")
        let check = shell(
            """
            cd \(scratch.path); exec 2>&1; ntfsfix -n ntfs >said || cat said
            unshare -m sh -c 'ntfs-3g -o ro ntfs mount; cd mount; sha256sum --quiet -c ../sums'
            """)
        #expect(check == "")
    }

    @Test("One that Windows has marked as in use says so")
    func dirty() throws {
        let scratch = Scratch()
        #expect(make(scratch, "true") == "")
        let marked = shell(
            """
            python3 - \(scratch.file("ntfs")) <<'END'
            import struct, sys
            disk = open(sys.argv[1], "r+b")
            boot = disk.read(512)
            record = struct.unpack_from("<Q", boot, 48)[0] * boot[13] * struct.unpack_from("<H", boot, 11)[0] + 3 * 1024
            disk.seek(record)
            bytes = disk.read(1024)
            place = struct.unpack_from("<H", bytes, 20)[0]
            while struct.unpack_from("<I", bytes, place)[0] != 0x70:
                place += struct.unpack_from("<I", bytes, place + 4)[0]
            disk.seek(record + place + struct.unpack_from("<H", bytes, place + 20)[0] + 10)
            disk.write(b"\\x01")
            END
            """)
        #expect(marked == "")
        #expect(try volume(scratch.file("ntfs")).isDirty)
    }

    @Test(
        "One in which a Windows sleeps says so, in a large root folder as well, and one that has woken up does not",
        arguments: [
            ("hiberfil.sys", "hibr", true), ("HIBERFIL.SYS", "HIBR", true), ("hiberfil.sys", "RSTR", false),
            ("other.sys", "hibr", false),
        ],
        [0, 2000])
    func hibernated(_ file: (name: String, content: String, isIt: Bool), _ others: Int) throws {
        let scratch = Scratch()
        let said = make(
            scratch,
            "for i in $(seq \(others)); do : >g-$i; done; (printf \(file.content); head -c 9000 /dev/zero) >\(file.name)"
        )
        #expect(said == "")
        #expect(try volume(scratch.file("ntfs")).isHibernated == file.isIt)
    }

    @Test("What is no NTFS file system, or says what cannot be, is refused and ends nothing")
    func hostile() throws {
        let scratch = Scratch()
        shell("cd \(scratch.path); truncate -s 8M ntfs; mkntfs -F -q ntfs")
        var disk = MemoryDisk(try readWhole(scratch.file("ntfs"), limit: 8 << 20))
        _ = try NTFSVolume(disk)
        let start = Int(disk.contents[48]) * 4096
        var random = SystemRandomNumberGenerator()
        for round in 0..<30000 {
            // The boot sector, or one of the records that are looked at.
            let base = round % 4 == 0 ? 0 : start + [0, 3, 5, 6][round % 4] * 1024
            var before: [(Int, UInt8)] = []
            for _ in 0...round % 3 {
                let place = base + Int.random(in: 0..<(base == 0 ? 90 : 420), using: &random)
                before.append((place, disk.contents[place]))
                disk.contents[place] =
                    [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random)
                    ?? 0
            }
            defer { for (place, byte) in before.reversed() { disk.contents[place] = byte } }
            guard let volume = try? NTFSVolume(disk) else { continue }
            var (parts, end) = (volume.usedParts(), UInt64(0))
            while let part = try? parts.next() {
                #expect(part.lowerBound >= end && part.upperBound <= disk.size)
                end = part.upperBound
            }
        }
        #expect(throws: DiskFormatError.self) { try NTFSVolume(MemoryDisk([UInt8](repeating: 0, count: 100))) }
        #expect(throws: DiskFormatError.self) { try NTFSVolume(MemoryDisk([UInt8](repeating: 0xFF, count: 4096))) }
    }
}
