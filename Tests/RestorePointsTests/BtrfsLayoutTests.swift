// Layouts of btrfs on which rollbacks of other tools go wrong: mounted subvolumes, nested ones, programs at work.

import Images
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct BtrfsLayoutTests {
    /// The tree of a place, mounted by its name as a root file system is.
    private final class MountedPlace {
        let place: Place
        let point: BytePath
        var state: BytePath { place.state }

        init() throws {
            place = try Place(.btrfs)
            point = place.scratch.appending("running")
            shell("mkdir \(point)")
            mount()
        }

        func mount() {
            shell("mount -o subvol=/plant $(findmnt -no SOURCE \(place.scratch)/mount | sed 's/\\[.*//') \(point)")
        }

        deinit { shell("umount \(point)") }

        func setUp() throws -> ProtectedTree {
            try ProtectedTree.setUp(root: point, state: state, kind: nil, progress: Progress(), findings: Findings())
        }

        func open() throws -> ProtectedTree {
            try ProtectedTree.open(state: state, progress: Progress(), findings: Findings())
        }
    }

    @Test("The rollback of a mounted subvolume waits until it is mounted anew, and keeps what was written until then")
    func pending() throws {
        let mounted = try MountedPlace()
        shell("echo good > \(mounted.point)/file")
        let tree = try mounted.setUp()
        #expect(tree.backendKind == .btrfs)
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        shell("echo bad > \(mounted.point)/file")
        let switched = try tree.carryOut(
            tree.planRollback(to: tree.point(named: "good"), discardNewer: false), user: "test")
        #expect(switched.isPending && switched.before == nil)
        #expect(try ProtectedTree.pending(state: mounted.state)?.isWaiting == true)
        #expect(shell("cat \(mounted.point)/file") == "bad\n", "what runs goes on")
        #expect(throws: PointError.self) { try tree.create(PointRequest(name: "meanwhile"), user: "test") }
        // The afternoon's work, after the command was typed.
        shell("echo afternoon > \(mounted.point)/file")

        // The next boot.
        shell("umount \(mounted.point)")
        mounted.mount()
        #expect(shell("cat \(mounted.point)/file") == "good\n")
        let next = try mounted.open()
        guard case .finished(let finished) = try next.recover() else {
            Issue.record("the boot found nothing to finish")
            return
        }
        #expect(!finished.isPending)
        #expect(try ProtectedTree.pending(state: mounted.state) == nil)
        // The way back holds what was written last.
        _ = try next.carryOut(next.planUndo(), user: "test")
        shell("umount \(mounted.point)")
        mounted.mount()
        #expect(shell("cat \(mounted.point)/file") == "afternoon\n")
        _ = try mounted.open().recover()
    }

    @Test("A rollback that waits for the next boot can be taken back, and leaves nothing")
    func cancelled() throws {
        let mounted = try MountedPlace()
        shell("echo good > \(mounted.point)/file")
        let tree = try mounted.setUp()
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        shell("echo bad > \(mounted.point)/file")
        _ = try tree.carryOut(tree.planRollback(to: tree.point(named: "good"), discardNewer: false), user: "test")
        let plan = try tree.planUndo()
        #expect(plan.verb == "cancel")
        _ = try tree.carryOut(plan, user: "test")
        #expect(try ProtectedTree.pending(state: mounted.state) == nil)
        shell("umount \(mounted.point)")
        mounted.mount()
        #expect(shell("cat \(mounted.point)/file") == "bad\n")
        #expect(try mounted.open().points().map(\.name) == ["good"])
        #expect(shell("ls \(mounted.place.scratch)/mount/@holdfast/* | wc -l") == "1\n")
    }

    @Test(
        "Subvolumes in the tree go on with their content through rollback and undo, also where the point has no folder for them"
    )
    func nested() throws {
        let place = try Place(.btrfs)
        place.write("file", "good")
        shell("btrfs -q subvolume create \(place.root)/containers; echo one > \(place.root)/containers/data")
        let tree = try place.setUp()
        #expect(try tree.coverage().map(\.code) == ["nested-subvolumes"])
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        place.write("file", "bad")
        shell(
            """
            echo two > \(place.root)/containers/data; mkdir -p \(place.root)/later/deep
            btrfs -q subvolume create \(place.root)/later/deep/sub; echo kept > \(place.root)/later/deep/sub/data
            """)
        let nested = { shell("cat \(place.root)/containers/data \(place.root)/later/deep/sub/data") }
        _ = try tree.carryOut(tree.planRollback(to: tree.point(named: "good"), discardNewer: false), user: "test")
        #expect(shell("cat \(place.root)/file") == "good")
        #expect(nested() == "two\nkept\n")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(shell("cat \(place.root)/file") == "bad")
        #expect(nested() == "two\nkept\n")
    }

    @Test("A tree in which programs work, and a default subvolume, are refused with a code and a mend; nothing changes")
    func refused() throws {
        let place = try Place(.btrfs)
        place.write("file", "good")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        place.write("file", "bad")
        func codes() throws -> [String] { try refusals(tree, to: tree.point(named: "good"), place) }
        let process = shell("cd \(place.root); sleep 4000 >/dev/null 2>&1 & echo -n $!")
        #expect(try codes() == ["busy"])
        shell("kill -9 \(process); while kill -0 \(process) 2>/dev/null; do sleep 0.01; done")
        shell("btrfs subvolume set-default \(place.root)")
        #expect(try codes() == ["default-subvolume"])
        shell("btrfs subvolume set-default 5 \(place.root)")
        #expect(try codes() == [])
    }

    @Test(
        "Mounts that would show the old state again, or keep a subvolume where it is, are refused with a code and a mend"
    )
    func mounts() throws {
        let place = try Place(.btrfs)
        place.write("file", "good")
        shell("btrfs -q subvolume create \(place.root)/inner")
        let device = shell("findmnt -no SOURCE \(place.scratch)/mount | head -1 | sed 's/\\[.*//' | tr -d '\\n'")
        // With a blank, which the tables write as \040.
        let (point, inner) = (place.scratch.appending("the plant"), place.scratch.appending("inner"))
        shell("mkdir '\(point)' \(inner); mount -o subvol=/plant \(device) '\(point)'")
        defer { shell("umount \(inner) '\(point)'") }
        let tree = try ProtectedTree.setUp(
            root: point, state: place.state, kind: .btrfs, progress: Progress(), findings: Findings())
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        /// Whether a dry run names the code and a real one is refused, as the table of file systems would have it.
        func refuses(_ code: String, table: String) -> Bool {
            let said = shell(
                """
                echo '\(table)' > \(place.scratch)/fstab
                unshare -m bash -c 'mount --bind \(place.scratch)/fstab /etc/fstab; cd /
                c="\(builtProgram) rollback good --state \(place.state)"
                $c --dry-run --json 2>/dev/null; $c --yes >/dev/null 2>&1; echo $?'
                """)
            return said.contains("\"code\":\"\(code)\"") && said.hasSuffix("\n4\n")
        }
        #expect(refuses("mounted-by-number", table: "\(device) \(place.scratch)/the\\040plant btrfs subvolid=256 0 0"))
        shell("mount -o subvol=/plant/inner \(device) \(inner)")
        #expect(refuses("nested-mounted", table: "\(device) \(place.scratch)/the\\040plant btrfs subvol=/plant 0 0"))
        #expect(try ProtectedTree.pending(state: place.state) == nil)
    }

    @Test("Folders that are no subvolumes, and state inside of the tree, are refused")
    func setups() throws {
        let place = try Place(.btrfs)
        shell("mkdir \(place.root)/folder")
        #expect(throws: PointError.self) {
            try ProtectedTree.setUp(
                root: place.root.appending("folder"), state: place.state, kind: .btrfs, progress: Progress(),
                findings: Findings())
        }
        #expect(throws: PointError.self) {
            try ProtectedTree.setUp(
                root: place.root, state: place.root.appending("state"), kind: .btrfs, progress: Progress(),
                findings: Findings())
        }
        #expect(throws: PointError.self) {
            try ProtectedTree.setUp(
                root: place.scratch.appending("mount"), state: place.state, kind: .btrfs, progress: Progress(),
                findings: Findings())
        }
    }
}
