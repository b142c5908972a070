// The kernel's own maps of ext4 and XFS: with all that they call free emptied, a file system is whole. One that was not unmounted is refused:
// its map lies.

import Disks
import Images
import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "mounts want root"))
struct RestingVolumeTests {
    struct Kind: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var type: String
        var make: String
        var check: String
    }

    static let kinds = [
        Kind(testDescription: "ext4", type: "ext4", make: "mkfs.ext4 -q", check: "e2fsck -fn"),
        Kind(
            testDescription: "ext4 of 1,024 bytes a block, without a journal", type: "ext4",
            make: "mkfs.ext4 -q -b 1024 -O ^has_journal", check: "e2fsck -fn"),
        Kind(
            testDescription: "btrfs", type: "btrfs", make: "mkfs.btrfs -q",
            check: "btrfs check --check-data-csum --readonly"),
        Kind(
            testDescription: "btrfs, each block once", type: "btrfs", make: "mkfs.btrfs -q -m single",
            check: "btrfs check --check-data-csum --readonly"),
        Kind(testDescription: "XFS", type: "xfs", make: "mkfs.xfs -q", check: "xfs_repair -n"),
    ]

    private func rest(_ path: BytePath, _ type: String, from start: UInt64 = 0) throws -> VolumeMount {
        let file = try Descriptor.open(path)
        return try VolumeMount(of: file, start..<UInt64(file.status().size), sectorSize: 512, type: type)
    }

    /// A file system of 400 MB with files, some of which are gone, in `disk` from `start` on; their sums in `sums`. `last` is done before it is unmounted.
    private func make(_ kind: Kind, _ scratch: Scratch, start: UInt64 = 0, last: String = "") -> String {
        shell(
            """
            cd \(scratch.path); exec 2>&1; set -e
            truncate -s 400M plain; \(kind.make) plain >/dev/null
            mkdir mount; mount -o loop plain mount
            for i in $(seq 80); do head -c $((i * i * 300)) /dev/urandom >mount/f$i; done; sync -f mount
            rm $(seq -f 'mount/f%.0f' 1 2 80); mkdir mount/dir; head -c 5000000 /dev/urandom >mount/dir/new
            (cd mount; find . -type f | sort | xargs sha256sum) >sums
            \(last)
            # Another test's namespace may have it mounted, too, for a while.
            sync -f mount; umount mount
            if [ \(start) != 0 ]; then truncate -s \(start) disk; cat plain >>disk; else mv plain disk; fi
            """)
    }

    @Test(
        "What is free can go: the files are what they were, and its own checker finds nothing", arguments: kinds,
        [0, 1 << 20])
    func map(_ kind: Kind, _ start: UInt64) throws {
        let scratch = Scratch()
        #expect(make(kind, scratch, start: start) == "")
        let path = scratch.file("disk")
        let before = shell("sha256sum <\(path)")
        let used: UInt64
        do {
            let volume = try rest(path, kind.type, from: start)
            shell("tail -c +\(start + 1) \(path) >\(scratch.file("copy"))")
            used = try keepOnly(volume.usedParts(), of: scratch.file("copy"))
        }
        #expect(used < 150 << 20, "\(used)")
        #expect(shell("sha256sum <\(path)") == before, "it was not written to")
        let check = shell(
            """
            cd \(scratch.path); exec 2>&1; \(kind.check) copy >said 2>&1 || cat said
            mount -o loop,ro copy mount; (cd mount; sha256sum --quiet -c ../sums); umount mount
            """)
        #expect(check == "")
    }

    @Test("One that was not unmounted is refused, and not written to", arguments: [kinds[0], kinds[2], kinds[4]])
    func notClean(_ kind: Kind) throws {
        let scratch = Scratch()
        // What the medium has while it is mounted is what a power cut leaves.
        let last = "for i in $(seq 40); do echo $i >mount/last$i; sync mount/last$i; done; cp --sparse=always plain cut"
        #expect(make(kind, scratch, last: last) == "")
        let path = scratch.file("cut")
        let before = shell("sha256sum <\(path)")
        let refusal = #expect(throws: VolumeMount.Refusal.self) { try rest(path, kind.type) }
        // btrfs has no number of its own for it.
        #expect(refusal == .notClean || kind.type == "btrfs", "\(refusal as Any)")
        #expect(shell("sha256sum <\(path)") == before)
    }

    @Test("What the kernel cannot mount is refused with its words, and leaves no loop device behind")
    func unknown() throws {
        let scratch = Scratch()
        let path = scratch.file("disk")
        shell("head -c 8000000 /dev/urandom >\(path)")
        for type in ["ext4", "xfs", "no-such-type"] {
            do {
                _ = try rest(path, type)
                Issue.record("it is mounted")
            } catch VolumeMount.Refusal.unknown(let words) { #expect(!words.isEmpty) }
        }
        #expect(!shell("losetup -l").contains("\(path)"))
    }
}
