// The image of a disk is somebody's word. Whatever it says, nothing is written but the disk that was confirmed, and of that no volume but its own.

import Foundation
import Images
import Platform
import Reporting
import TestSupport
import Testing

@testable import Disks

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "volumes are mounted to be looked at"))
struct HostileDiskTests {
    static let megabyte: UInt64 = 1 << 20

    /// A disk of 64 MB with a table and two partitions, of which the second is noise.
    private func description() throws -> DiskDescription {
        let scratch = Scratch()
        shell(
            "truncate -s 64M \(scratch.file("disk")); printf 'label: gpt\\nsize=20M\\nsize=20M\\n' | sfdisk -q \(scratch.file("disk"))"
        )
        let file = try Descriptor.open(scratch.file("disk"))
        let disk = OpenDisk(file, size: 64 * Self.megabyte, sectorSize: 512, subject: "disk")
        let table = try #require(try PartitionTable.read(disk))
        let volumes = table.partitions.map { partition in
            DiskDescription.Volume(
                stream: "part\(partition.number)", partition: partition.number, start: partition.start,
                size: partition.length, way: .raw, used: partition.length)
        }
        var description = DiskDescription(
            name: "/dev/sda", size: disk.size, sectorSize: 512, volumes: volumes)
        description.table = DiskDescription.Table(table)
        return description
    }

    private struct Result {
        var error: String?
        var hasBegun = false
        var report: DiskRestoration.Report?
        var findings: [Finding] = []
        var tree: String?
    }

    private final class Found: @unchecked Sendable {
        private let monitor = Monitor()
        private var all: [Finding] = []
        var findings: [Finding] { monitor.withLock { all } }
        func add(_ finding: Finding) { monitor.withLock { all.append(finding) } }
    }

    /// Restores what a description says, with noise in each of its streams; and whatever happens, looks at what is around the disk.
    private func restore(
        _ description: DiskDescription, isExact: Bool = false, identity: RestoredIdentity = .same,
        _ scratch: Scratch = Scratch()
    ) throws -> Result {
        shell("cd \(scratch.path); head -c 64M /dev/zero | tr '\\0' x >new; echo mine >other; sha256sum other >sums")
        // Others work on this machine, too, with loop devices.
        let around =
            "ls -1 /dev | grep -v ^loop; ls -1 /etc; cat /etc/hostname /etc/machine-id; losetup -l | grep -c \(scratch.path); true"
        let before = shell(around)
        let found = Found()
        var options = DiskRestoreOptions()
        options.isExact = isExact
        options.tellsFirmware = false
        var result = Result()
        autoreleased {
            let restoration = DiskRestoration(
                to: scratch.file("new"), image: "00", options, progress: Progress(),
                findings: Findings { found.add($0) }, agree: { _ in identity })
            do {
                try restoration.begin("/dev/sda", description: description.encoded())
                for volume in description.volumes where volume.way != .tree {
                    let stream = try restoration.stream(named: volume.stream, size: volume.size)
                    let noise = [UInt8](repeating: 0x6E, count: Int(min(volume.size, 1 << 20)))
                    try noise.withUnsafeBytes { try stream?.write($0, at: 0) }
                    try stream?.hole(UInt64(noise.count)..<volume.size)
                }
                for tree in description.volumes.flatMap({ $0.trees ?? [] }) {
                    do { _ = try restoration.tree(BytePath(tree.source)) } catch {
                        result.tree = explained(error).sentence
                    }
                }
                result.report = try restoration.finish()
            } catch { result.error = explained(error).sentence }
            result.hasBegun = restoration.hasBegun
        }
        result.findings = found.findings
        #expect(before == shell(around), "what is around has changed")
        #expect(shell("cd \(scratch.path); sha256sum --quiet -c sums; ls") == "new\nother\nsums\n")
        if !result.hasBegun {
            #expect(
                shell("tr -d x <\(scratch.file("new")) | wc -c") == "0\n", "it was written to before it was refused")
        }
        return result
    }

    private func autoreleased(_ body: () -> Void) { body() }

    @Test("What is no disk is refused before anything is written")
    func refused() throws {
        let good = try description()
        #expect(try restore(good).error == nil)
        var bad: [(String, DiskDescription)] = []
        func change(_ name: String, _ body: (inout DiskDescription) -> Void) {
            var copy = good
            body(&copy)
            bad.append((name, copy))
        }
        change("beyond the end") { $0.volumes[1].size = 64 << 20 }
        change("no number") { $0.volumes[1].size = .max }
        change("beyond all numbers") { $0.volumes[1].start = .max - 511 }
        change("over the table") { $0.volumes[0].start = 512 }
        change("over each other") { $0.volumes[1].start = $0.volumes[0].start + 512 }
        change("the same") { $0.volumes[1].stream = $0.volumes[0].stream }
        change("a path") { $0.volumes[0].stream = "../../../etc/passwd" }
        change("an escape") { $0.volumes[0].stream = "\u{1B}[2J" }
        change("no name") { $0.volumes[0].stream = "" }
        change("odd sectors") { $0.sectorSize = 520 }
        change("a huge disk") { $0.size = .max }
        change("many entries") { $0.table?.entryCount = 1 << 40 }
        change("no entries") { $0.table?.entryCount = 0 }
        change("a partition 0") { $0.table?.partitions[0].number = 0 }
        change("a partition beyond the end") { $0.table?.partitions[0].length = .max }
        change("a long name") { $0.table?.partitions[0].name = [UInt16](repeating: 65, count: 400) }
        change("half a sector 0") { $0.table?.bootSector = "00" }
        change("a logical one of nothing") { $0.table?.partitions[0].type = "83" }
        for (name, description) in bad {
            let result = try restore(description)
            #expect(result.error != nil && !result.hasBegun, "\(name): \(result)")
        }
    }

    @Test(
        "Only file systems of disks are mounted, whatever a volume says that it is",
        arguments: [
            "devtmpfs", "tmpfs", "proc", "sysfs", "debugfs", "overlay", "nfs", "9p", "fuse", "cgroup2",
            "ext4,usrjquota=x",
        ])
    func mounts(_ type: String) throws {
        var description = try description()
        description.volumes[0].way = .blocks
        description.volumes[0].content = type
        var system = try JSONDecoder().decode(
            SystemOnDisk.self, from: Data(#"{"volume":"part1","folder":"etc","hostName":"x"}"#.utf8))
        description.system = system
        let result = try restore(description, identity: .new(hostName: "stranger"))
        #expect(result.report?.mounted.contains("part1") != true, "\(result)")
        #expect(result.report?.changes ?? [] == [], "\(result)")
        system.inner = SystemOnDisk.Inner(offset: 0, size: 1 << 20, type: type)
        description.system = system
        description.volumes[0].content = "LVM2_member"
        let inner = try restore(description, identity: .new(hostName: "stranger"))
        #expect(inner.report?.changes ?? [] == [], "\(inner)")
        #expect(shell("cat /proc/mounts | grep -c stranger; hostname").contains("stranger") == false)
    }

    @Test("No word of a recipe becomes an option, and what is made stays in its volume")
    func recipes() throws {
        var description = try description()
        description.volumes[0].way = .tree
        description.volumes[0].content = "ext4"
        description.volumes[0].trees = [DiskDescription.Tree(source: "/", subvolume: nil)]
        func recipe(_ text: String) throws -> FileSystemRecipe {
            try JSONDecoder().decode(FileSystemRecipe.self, from: Data(text.utf8))
        }
        // nil: whether this kernel knows it.
        let recipes: [(String, Bool?)] = [
            (#"{"type":"ext4"}"#, true), (#"{"type":"ext4","label":"-F"}"#, true),
            (#"{"type":"ext4","label":"--help"}"#, true),
            (#"{"type":"ext4","label":"a\nb"}"#, true), (#"{"type":"ext4","label":"a\u0000b"}"#, false),
            (#"{"type":"ext4","label":"; touch /tmp/hostile"}"#, true), (#"{"type":"ext4","id":"-F"}"#, false),
            (#"{"type":"ext4","id":"a;b"}"#, false), (#"{"type":"ext4","features":["-E","root_owner=0:0"]}"#, false),
            (#"{"type":"ext4","features":["extent,quota"]}"#, false),
            (#"{"type":"ext4","features":["journal_dev"]}"#, false),
            (#"{"type":"ext4","blockSize":-1,"inodeSize":1048576}"#, true),
            (#"{"type":"xfs","features":["crc=1,uuid=x"]}"#, false), (#"{"type":"minix"}"#, false),
            (#"{"type":"../../bin/sh"}"#, false), (#"{"type":"vfat","label":"-F","width":32}"#, nil),
            (#"{"type":"vfat","width":99}"#, nil),
        ]
        for (text, isMade) in recipes {
            description.volumes[0].recipe = try recipe(text)
            let scratch = Scratch()
            let result = try restore(description, isExact: true, scratch)
            if let isMade { #expect((result.tree == nil) == isMade, "\(text): \(result)") }
            // The other volume is what came for it.
            let start = description.volumes[1].start
            #expect(
                shell(
                    "cd \(scratch.path); dd if=new bs=1M skip=\(start >> 20) count=20 status=none | tr -d 'n\\0' | wc -c"
                ) == "0\n",
                "\(text)")
        }
        #expect(!exists("/tmp/hostile"))
    }

    @Test("What is shorter than a sector has no note of a restore")
    func short() throws {
        #expect(try !RestoreNote.isOn(MemoryDisk([])))
        #expect(try !RestoreNote.isOn(MemoryDisk(Array("Holdfast: this disk is being restored".utf8))))
    }

    @Test("A volume without a length is none that reaches to the end of the disk")
    func empty() throws {
        var description = try description()
        description.volumes[0].way = .tree
        description.volumes[0].size = 0
        description.volumes[0].content = "ext4"
        description.volumes[0].trees = [DiskDescription.Tree(source: "/", subvolume: nil)]
        description.volumes[0].recipe = try JSONDecoder().decode(
            FileSystemRecipe.self, from: Data(#"{"type":"ext4"}"#.utf8))
        let scratch = Scratch()
        let result = try restore(description, isExact: true, scratch)
        #expect(result.tree != nil || result.error != nil, "\(result)")
        #expect(shell("blkid -p -O 1048576 \(scratch.file("new"))") == "")
    }

    @Test("A system in which nothing can be changed is named, where it was to be another machine")
    func sameMachine() throws {
        var description = try description()
        description.system = try JSONDecoder().decode(SystemOnDisk.self, from: Data(#"{"volume":"part1"}"#.utf8))
        description.volumes[1].way = .raw
        let result = try restore(description, identity: .new(hostName: nil))
        #expect(result.error == nil)
        #expect(
            result.findings.contains { $0.kind == .notRestored && $0.reason.contains("the machine that it was") },
            "\(result.findings)")
    }

    @Test(
        "No subvolume is made anywhere but in the file system that is made",
        arguments: ["..", ".", "a/../../b", "/a", "a//b", "a/", "", "a\0b", "../a"])
    func subvolumes(_ name: String) throws {
        var description = try description()
        description.size = 200 << 20
        description.volumes[1].size = 130 << 20
        description.table?.partitions[1].length = 130 << 20
        description.volumes[1].way = .tree
        description.volumes[1].content = "btrfs"
        description.volumes[1].trees = [DiskDescription.Tree(source: "/", subvolume: name)]
        description.volumes[1].recipe = try JSONDecoder().decode(
            FileSystemRecipe.self, from: Data(#"{"type":"btrfs"}"#.utf8))
        let scratch = Scratch()
        shell("ln -s /dev/null \(scratch.file("unused")); rm \(scratch.file("unused"))")
        let found = Findings()
        let restoration = DiskRestoration(
            to: scratch.file("new"), image: "", DiskRestoreOptions(), progress: Progress(), findings: found,
            agree: { _ in .same })
        try restoration.begin("/dev/sda", description: description.encoded())
        #expect(throws: DiskError.self, "\(name)") { try restoration.tree("/") }
    }
}
