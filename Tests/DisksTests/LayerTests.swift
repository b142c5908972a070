// Volumes that hold others: of LVM and of mirrors only what is used is read, with all else emptied everything in them is what it was, and what is damaged
// is not believed.

import Disks
import Images
import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "volumes are mounted to be looked at"))
struct LayerTests {
    /// A volume group on a file of 400 MB with a root of 100 MB, one in two pieces, a hidden one of 20 MB, and the rest free; LVM's own program writes what it is, without a
    /// kernel that knows it.
    private static let group = """
        exec 2>/dev/null; set -e
        truncate -s 400M pv; L=$(losetup -f --show pv); trap 'losetup -d $L' EXIT
        pvcreate -qy $L >said; vgcreate -qy NAME $L >said; vgcfgbackup -f text NAME >said
        python3 - <<X
        text = open("text").read()
        def volume(name, *segments, status='"READ", "WRITE", "VISIBLE"'):
            def segment(number, first, count, place):
                return ('segment%d {\\nstart_extent = %d\\nextent_count = %d\\ntype = "striped"\\nstripe_count = 1\\nstripes = [\\n"pv0", %d\\n]\\n}\\n'
                        % (number, first, count, place))
            first, parts = 0, ""
            for number, (place, count) in enumerate(segments, 1):
                parts += segment(number, first, count, place); first += count
            return ('%s {\\nid = "%s-aaaa-bbbb-cccc-dddd-eeee-ffffff"\\nstatus = [%s]\\nflags = []\\nsegment_count = %d\\n%s}\\n'
                    % (name, (name * 6)[:6], status, len(segments), parts))
        volumes = "logical_volumes {\\n" + volume("root", (5, 25)) + volume("cut", (40, 3), (50, 2)) + volume("pool", (60, 5), status='"READ", "WRITE"') + "}\\n"
        end = text.rindex("}")
        open("text", "w").write(text[:end] + volumes + text[end:])
        X
        vgcfgrestore -f text NAME >said
        """

    private func make(_ scratch: Scratch) -> String {
        let name = "hf\(UInt32.random(in: 0...9_999_999))"
        return shell(
            """
            cd \(scratch.path); exec 2>&1
            head -c 400M /dev/urandom >/dev/null
            (\(Self.group.replacing("NAME", with: name)))
            mkdir t; cp -r /usr/include/linux t/; truncate -s 100M p; mkfs.ext4 -q -d t p
            dd if=p of=pv bs=1M seek=$((1 + 5 * 4)) conv=notrunc status=none
            head -c 20M /dev/urandom >r; dd if=r of=pv bs=1M seek=$((1 + 40 * 4)) count=12 conv=notrunc status=none; dd if=r of=pv bs=1M seek=$((1 + 50 * 4)) skip=12 count=8 conv=notrunc status=none
            head -c 20M /dev/urandom >h; mkfs.ext4 -q -E nodiscard h; dd if=h of=pv bs=1M seek=$((1 + 60 * 4)) conv=notrunc status=none
            """)
    }

    @Test("Of a volume group at rest what is free is not read, and all volumes are what they were")
    func group() throws {
        let scratch = Scratch()
        #expect(make(scratch) == "")
        let survey = try DiskSurvey(SourceDisk(scratch.file("pv")))
        let volume = try #require(survey.description.volumes.first)
        #expect(volume.content == "LVM2_member" && volume.way == .blocks, "\(volume)")
        #expect((50 << 20..<80 << 20).contains(volume.used), "\(volume.used)")
        shell("cp \(scratch.file("pv")) \(scratch.file("copy"))")
        let stream = try #require(survey.streams.first)
        _ = try keepOnly(Erased(parts: stream.usedParts()), of: scratch.file("copy"))
        let seen = shell(
            """
            cd \(scratch.path); exec 2>&1; dd if=copy of=q bs=1M skip=21 count=100 status=none; e2fsck -fn q >said 2>&1 || cat said
            mkdir m; mount -o loop,ro q m; diff -r t m | grep -v lost+found; umount m
            (dd if=copy bs=1M skip=161 count=12 status=none; dd if=copy bs=1M skip=201 count=8 status=none) | cmp - r
            cmp -n 1048576 pv copy; dd if=copy bs=1M skip=241 count=20 status=none | cmp - h
            """)
        #expect(seen == "")
    }

    @Test("A mirror's member is taken by what is used in it", arguments: ["1.0", "1.1", "1.2"])
    func mirror(_ version: String) throws {
        let scratch = Scratch()
        // As mdadm writes it (include/uapi/linux/raid/md_p.h), where no kernel knows arrays.
        let made = shell(
            """
            cd \(scratch.path); exec 2>&1; mkdir t; cp -r /usr/include/linux t/; truncate -s 100M p; mkfs.ext4 -q -d t p; truncate -s 110M disk
            python3 - \(version) <<'X'
            import struct, sys
            version = sys.argv[1]
            size, data = 110 << 20, (0 if version == "1.0" else 2 << 20)
            place = {"1.0": ((size >> 9) - 16) // 8 * 8 * 512, "1.1": 0, "1.2": 4096}[version]
            block = bytearray(4096)
            struct.pack_into("<IIII", block, 0, 0xa92b4efc, 1, 0, 0)
            block[16:32] = bytes(range(16)); block[32:41] = b"lab:7    "
            struct.pack_into("<QIIQIII", block, 64, 0, 1, 0, (100 << 20) >> 9, 0, 0, 2)
            struct.pack_into("<QQQQ", block, 128, data >> 9, (100 << 20) >> 9, place >> 9, 0)
            struct.pack_into("<I", block, 220, 128)
            struct.pack_into("<HH", block, 256, 0, 1)
            words = list(struct.unpack("<64I", block[:256])); words[54] = 0
            check = sum(words) + sum(struct.unpack("<2H", block[256:260])); rest = struct.unpack("<128H", block[256:512])
            with open("disk", "r+b") as file:
                file.seek(data); file.write(open("p", "rb").read()); file.seek(place); file.write(block)
            X
            """)
        #expect(made == "")
        let survey = try DiskSurvey(SourceDisk(scratch.file("disk")))
        let volume = try #require(survey.description.volumes.first)
        // What blkid makes of it without a checksum is its own affair.
        if volume.content == "linux_raid_member" {
            #expect(volume.way == .blocks && volume.used < 60 << 20, "\(volume)")
            #expect(survey.description.system == nil)
        } else {
            Issue.record("blkid does not know it: \(volume)")
        }
    }

    @Test("A logical volume of more extents than there are numbers for is none that is believed")
    func overflow() throws {
        let scratch = Scratch()
        #expect(make(scratch) == "")
        let changed = shell(
            """
            cd \(scratch.path); exec 2>&1; python3 - <<'X'
            import re, struct
            with open("pv", "r+b") as file:
                disk = bytearray(file.read(1 << 20)); place = disk.index(b" LVM2 x[5A%r0N*>") - 4
                offset, length = struct.unpack_from("<QQ", disk, place + 40)
                text = bytes(disk[place + offset:place + offset + length])
                text = re.sub(rb"extent_count = \\d+", b"extent_count = 18446744073709551615", text)
                text = re.sub(rb'stripes = \\[\\s*"pv0", (\\d+)\\s*\\]', rb'stripes = ["pv0", \\1, "pv0", \\1]', text)
                assert text.count(b'", 5, "pv0", 5]') == 1
                disk[place + offset:place + offset + len(text)] = text; struct.pack_into("<Q", disk, place + 48, len(text))
                file.seek(0); file.write(disk)
            X
            """)
        #expect(changed == "")
        let volume = try #require(try DiskSurvey(SourceDisk(scratch.file("pv"))).description.volumes.first)
        #expect(volume.way == .raw && volume.why?.contains("beyond its end") == true, "\(volume)")
    }

    @Test("No change of a volume group's text, or of its header, traps")
    func mutations() throws {
        let scratch = Scratch()
        #expect(make(scratch) == "")
        let path = scratch.file("pv")
        let file = try Descriptor.open(path, .readWrite)
        var good = [UInt8](repeating: 0, count: 64 << 10)
        _ = try good.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        var random = SystemRandomNumberGenerator()
        // Label, headers and texts.
        let places = good.indices.filter { good[$0] != 0 }
        for _ in 0..<300 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = places.randomElement(using: &random) ?? 0
                bytes[place] =
                    Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random) : UInt8.random(in: 0x30...0x39, using: &random)
            }
            try bytes.withUnsafeBytes { try file.write($0, at: 0) }
            let survey = try DiskSurvey(SourceDisk(path))
            for stream in survey.streams {
                var parts = try stream.usedParts()
                var end: UInt64 = 0
                while let part = try parts.next() {
                    #expect(part.lowerBound >= end && part.upperBound <= stream.size)
                    end = part.upperBound
                }
            }
        }
    }
}

/// Parts of a kind that is not known.
private struct Erased: UsedParts {
    var parts: any UsedParts

    mutating func next() throws -> Range<UInt64>? { try parts.next() }
}
