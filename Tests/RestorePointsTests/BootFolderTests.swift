// A /boot that is a file system of its own goes with the points of the tree.

import Images
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct BootFolderTests {
    private func setUp(_ place: Place) throws -> (ProtectedTree, boot: BytePath) {
        let boot = place.scratch.appending("boot")
        shell(
            """
            mkdir -p \(boot)/grub/i386-pc; cd \(boot); head -c 2000000 /dev/urandom > vmlinuz-1; echo 1 > grub/grub.cfg
            echo loader > grub/i386-pc/normal.mod
            """)
        let tree = try ProtectedTree.setUp(
            root: place.root, state: place.state, kind: place.kind, boot: boot, progress: Progress(),
            findings: Findings())
        return (tree, boot)
    }

    private func look(_ boot: BytePath) -> String {
        shell(
            "cd \(boot); find . -type f ! -path './grub/i386-pc/*' -printf '%p %m %T@ ' -exec sha256sum {} \\; | sort")
    }

    @Test(
        "A rollback brings back the kernel and the menu that belong to the state, and undo those that it left",
        arguments: SemanticsTests.kinds)
    func kernel(_ kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("version", "1")
        let (tree, boot) = try setUp(place)
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        _ = try tree.create(PointRequest(name: "two"), user: "test")
        #expect(shell("ls \(place.state)/boot/store/i | grep -vc '\\.2$'") == "1\n", "unchanged, it is kept once")
        let old = look(boot)
        shell(
            """
            cd \(boot); mv vmlinuz-1 vmlinuz-2; head -c 100 /dev/urandom > initrd-2; echo 2 > grub/grub.cfg
            echo newer > grub/i386-pc/normal.mod
            """)
        place.write("version", "2")
        let new = look(boot)
        _ = try tree.carryOut(tree.planRollback(to: tree.point(named: "one"), discardNewer: false), user: "test")
        #expect(look(boot) == old)
        #expect(shell("cat \(boot)/grub/i386-pc/normal.mod") == "newer\n", "the boot loader's modules stay as they are")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(look(boot) == new)
        #expect(shell("cat \(place.root)/version") == "2")
        // The image goes with the last point that needs it.
        try tree.destroy(tree.points().map(\.name), factory: false)
        #expect(shell("find \(place.state)/boot/store/i -type f | wc -l") == "0\n")
    }

    @Test(
        "What brings a machine back is not brought back itself: the recovery system, and what the boot loader counts in",
        arguments: SemanticsTests.kinds)
    func recoverySystem(_ kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("version", "1")
        let (tree, boot) = try setUp(place)
        shell(
            "mkdir -p \(boot)/holdfast/A; echo 1 > \(boot)/holdfast/A/vmlinuz; echo 1 > \(boot)/holdfast/trial-1a2b3c4d"
        )
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        shell("cd \(boot)/holdfast; mv A B; echo 2 > trial-1a2b3c4d; echo 2 > ../grub/grub.cfg")
        place.write("version", "2")
        _ = try tree.carryOut(tree.planRollback(to: tree.point(named: "one"), discardNewer: false), user: "test")
        #expect(
            shell("cd \(boot); ls holdfast; cat holdfast/trial-1a2b3c4d; cat grub/grub.cfg")
                == "B\ntrial-1a2b3c4d\n2\n1\n")
    }

    @Test("A damaged image of /boot refuses the rollback before anything has changed", arguments: SemanticsTests.kinds)
    func damaged(_ kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("version", "1")
        let (tree, boot) = try setUp(place)
        let point = try tree.create(PointRequest(name: "one"), user: "test").point
        shell("echo 2 > \(boot)/grub/grub.cfg; rm \(boot)/vmlinuz-1")
        place.write("version", "2")
        shell(
            """
            for f in $(find \(place.state)/boot/store/v -size +1000k -type f); do
            printf DAMAGE | dd of=$f bs=1 seek=700000 conv=notrunc status=none; done
            """)
        let now = look(boot)
        #expect(throws: PointError.self) {
            try tree.carryOut(tree.planRollback(to: point, discardNewer: false), user: "test")
        }
        #expect(look(boot) == now)
        #expect(shell("cat \(place.root)/version") == "2")
        #expect(try ProtectedTree.pending(state: place.state) == nil)
    }

    @Test("A rollback that waits for the next mount takes /boot along, and taking it back brings /boot back")
    func cancel() throws {
        let place = try Place(.btrfs)
        place.write("version", "1")
        let point = place.scratch.appending("plant")
        shell(
            """
            mkdir \(point); mount -o subvol=/plant $(findmnt -no SOURCE \(place.scratch)/mount | head -1 | sed 's/\\[.*//') \(point)
            """)
        defer { shell("umount \(point)") }
        let boot = place.scratch.appending("boot")
        shell("mkdir \(boot); echo 1 > \(boot)/menu")
        let tree = try ProtectedTree.setUp(
            root: point, state: place.state, kind: .btrfs, boot: boot, progress: Progress(), findings: Findings())
        let one = try tree.create(PointRequest(name: "one"), user: "test").point
        shell("echo 2 > \(boot)/menu")
        place.write("version", "2")
        let switched = try tree.carryOut(tree.planRollback(to: one, discardNewer: false), user: "test")
        #expect(switched.isPending && shell("cat \(boot)/menu") == "1\n")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(shell("cat \(boot)/menu \(point)/version") == "2\n2")
        #expect(try ProtectedTree.pending(state: place.state) == nil)
    }

    @Test(
        "An EFI system partition goes along, kernels and menu; its boot loader stays, as its modules do",
        .enabled(if: hasFAT, "this kernel has no FAT; Tests/Lab/inside runs it where one has"),
        arguments: SemanticsTests.kinds)
    func systemPartition(_ kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("version", "1")
        let partition = place.scratch.appending("efi")
        shell(
            """
            truncate -s 64M \(partition).disk; mkfs.vfat \(partition).disk; mkdir \(partition)
            mount -o loop,umask=0077 \(partition).disk \(partition)
            cd \(partition); mkdir -p EFI/debian EFI/Linux loader/entries; echo loader-1 > EFI/debian/grubx64.efi
            head -c 3000000 /dev/urandom > EFI/Linux/debian-1.efi; echo 1 > loader/entries/debian-1.conf
            """)
        defer { shell("umount \(partition)") }
        func look() -> String {
            shell(
                "cd \(partition); find . ! -path './EFI/debian*' -type f -printf '%p %T@ ' -exec sha256sum {} \\; | sort"
            )
        }
        let tree = try ProtectedTree.setUp(
            root: place.root, state: place.state, kind: place.kind, boot: partition, progress: Progress(),
            findings: Findings())
        let one = try tree.create(PointRequest(name: "one"), user: "test").point
        let old = look()
        shell(
            """
            cd \(partition); mv EFI/Linux/debian-1.efi EFI/Linux/debian-2.efi; mv loader/entries/debian-1.conf loader/entries/debian-2.conf
            echo 2 > loader/entries/debian-2.conf; echo loader-2 > EFI/debian/grubx64.efi
            """)
        let new = look()
        _ = try tree.carryOut(tree.planRollback(to: one, discardNewer: false), user: "test")
        #expect(look() == old)
        #expect(shell("cat \(partition)/EFI/debian/grubx64.efi") == "loader-2\n")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(look() == new)
        // What is in the place of a partition that is not mounted is not it.
        shell("umount \(partition); mkdir \(partition)/EFI")
        #expect(throws: PointError.self) { try tree.create(PointRequest(name: "two"), user: "test") }
        shell("rmdir \(partition)/EFI; mount -o loop \(partition).disk \(partition)")
    }

    private static let hasFAT = shell("modprobe -q vfat; grep -c '\tvfat$' /proc/filesystems") == "1\n"
}
