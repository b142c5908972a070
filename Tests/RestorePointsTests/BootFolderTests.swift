// A /boot that is a file system of its own goes with the points of the tree.

import Images
import Platform
import RestorePoints
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
        #expect(shell("ls \(place.state)/boot/store/i | wc -l") == "0\n")
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
}
