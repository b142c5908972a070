// What must not be believed, and what must not be left behind: a table that is gone, a tree that is not mounted, a step that cannot be done.

import Glibc
import Images
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct TrustTests {
    private func make(_ tree: ProtectedTree, _ name: String) throws {
        _ = try tree.create(PointRequest(name: name), user: "test")
    }

    private func status(_ body: () throws -> Void) -> (status: Int32, text: String)? {
        do {
            try body()
            return nil
        } catch {
            let error = error as? any Explained
            return (error?.exitStatus ?? -1, error.map { "\($0.sentence) \($0.mend ?? "")" } ?? "")
        }
    }

    /// What the backend holds, whatever the table says.
    private func held(_ place: Place) -> String {
        place.kind == .btrfs
            ? shell("btrfs subvolume list \(place.scratch)/mount | awk '{print $9}' | sort")
            : shell("cd \(place.state)/store; find i v -type f | sort")
    }

    @Test(
        "A lost or damaged table is replaced by its copy; without either, no point is taken for garbage",
        arguments: [BackendKind.btrfs, .tree])
    func lostTable(kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("a", "1")
        var tree = try place.setUp()
        try make(tree, "one")
        place.write("a", "2")
        try make(tree, "two")
        for spoil in ["rm points.json", "echo '{' >points.json", "rm points.2.json", ": >points.2.json"] {
            shell("cd \(place.state); \(spoil)")
            tree = try place.open()
            #expect(try tree.points().map(\.name) == ["one", "two"], "\(spoil)")
            try tree.setPinned(true, "one")
            try tree.setPinned(false, "one")
        }
        let before = held(place)
        shell("cd \(place.state); mkdir away; mv points.json points.2.json away")
        tree = try place.open()
        for (verb, body): (String, () throws -> Void) in [
            ("create", { try self.make(tree, "three") }),
            ("destroy", { try tree.destroy(tree.planDestroy(["one"], factory: true), holding: tree.lock()) }),
            ("recover", { try tree.recover(holding: tree.lock()) }),
            ("undo", { _ = try tree.planUndo() }),
        ] {
            #expect(status(body)?.status == 4, "\(verb)")
        }
        #expect(held(place) == before)
        shell("cd \(place.state); mv away/points.2.json .")
        try make(tree, "three")
        #expect(try tree.points().map(\.name) == ["one", "two", "three"])
    }

    @Test("What no table names stays, be it somebody's", arguments: [BackendKind.btrfs, .tree])
    func foreign(kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("a", "1")
        let tree = try place.setUp()
        try make(tree, "one")
        // A table from before the last point, as of a state that was put back.
        shell("cd \(place.state); mkdir old; cp points*.json old")
        place.write("a", "2")
        try make(tree, "two")
        let before = held(place).split(separator: "\n")
        shell("cd \(place.state); cp old/* .")
        place.write("a", "3")
        try make(tree, "three")
        try tree.destroy(tree.planDestroy(["three"], factory: false), holding: tree.lock())
        #expect(Set(before).isSubset(of: Set(held(place).split(separator: "\n"))))
    }

    @Test(
        "A tree whose file system is not mounted is neither tagged nor filled", arguments: [BackendKind.tree, .btrfs])
    func notMounted(kind: BackendKind) throws {
        let place = try Place(kind)
        let (root, mount) = (place.root, kind == .tree ? place.root : place.scratch.appending("mount"))
        let (one, other) = (place.scratch.appending("one"), place.scratch.appending("other"))
        if kind == .tree {
            shell(
                "for f in \(one) \(other); do truncate -s 32M $f; mkfs.ext4 -q $f; done; mount -o loop \(one) \(root)")
        }
        defer { shell("umount \(mount); umount \(mount)") }
        place.write("a", "1")
        let tree = try place.setUp()
        try make(tree, "one")
        place.write("a", "2")
        try make(tree, "two")
        shell("umount \(mount); mkdir -p \(root)")
        for _ in 0..<2 {
            let refused = status { _ = try place.open() }
            #expect(refused?.status == 4 && refused?.text.contains("mount") == true, "\(refused?.text ?? "none")")
            #expect(!shell("ls -A \(root)").contains("a"))
            if kind == .tree { shell("mount -o loop \(other) \(root)") }
        }
        // Looking at what there is needs no tree.
        #expect(try ProtectedTree.overview(state: place.state).points.count == 2)
        shell(
            kind == .tree
                ? "umount \(root); mount -o loop \(one) \(root)" : "mount -o loop \(place.scratch)/disk \(mount)")
        try make(place.open(), "three")
    }

    @Test("A switch whose step fails is taken back at once, and no later command carries it out")
    func takenBack() throws {
        let place = try Place(.btrfs)
        place.write("a", "1")
        let tree = try place.setUp()
        try make(tree, "one")
        place.write("a", "2")
        let plan = try tree.planRollback(to: tree.point(named: "one"), discardNewer: false)
        // Between plan and switch something is mounted over the subvolume.
        shell("mount -t tmpfs none \(place.root)")
        #expect(status { _ = try tree.carryOut(plan, user: "test", holding: tree.lock()) } != nil)
        shell("umount \(place.root)")
        #expect(try ProtectedTree.pending(state: place.state) == nil)
        try make(tree, "two")
        #expect(shell("cat \(place.root)/a") == "2")
        #expect(try tree.points().map(\.name) == ["one", "two"])
        #expect(!held(place).contains("incoming"))
    }

    @Test("A rollback on a tight disk takes away first, and one that has no room leaves all as it was")
    func tight() throws {
        let place = try Place(.tree)
        let disk = place.scratch.appending("disk")
        shell(
            "truncate -s 64M \(disk); mkfs.ext4 -q -m 0 -O ^has_journal \(disk); mount -o loop \(disk) \(place.root); mkdir \(place.root)/tree"
        )
        defer { shell("umount \(place.root)") }
        let root = place.root.appending("tree")
        let tree = try ProtectedTree.setUp(
            root: root, state: place.state, kind: .tree, progress: Progress(), findings: Findings())
        shell("cd \(root); head -c 30M /dev/urandom >a; mkdir d; echo 1 >d/f; sha256sum a >\(place.scratch)/sum")
        try make(tree, "one")
        shell("cd \(root); rm -r a d; mkdir new; head -c 40M /dev/urandom >new/b; ln -s b new/l")
        let look = "cd \(root); find . -printf '%p %y %s %T@\\n' | sort; find . -type f | sort | xargs sha256sum"
        let before = shell(look)
        let plan = try tree.planRollback(to: tree.point(named: "one"), discardNewer: false)
        #expect(try tree.carryOut(plan, user: "test", holding: tree.lock()).findings == 0)
        #expect(shell("cd \(root); sha256sum -c \(place.scratch)/sum; ls; cat d/f") == "a: OK\na\nd\n1\n")
        // Back, with somebody else's file in the way.
        shell("head -c 18M /dev/urandom >\(place.root)/others")
        let now = shell(look)
        let undo = try tree.planUndo()
        let refused = status { _ = try tree.carryOut(undo, user: "test", holding: tree.lock()) }
        #expect(refused?.status == 1, "\(refused?.text ?? "none")")
        #expect(shell(look) == now)
        #expect(try ProtectedTree.pending(state: place.state) == nil)
        shell("rm \(place.root)/others")
        let again = try tree.planUndo()
        #expect(try tree.carryOut(again, user: "test", holding: tree.lock()).findings == 0)
        #expect(shell(look) == before)
    }

    @Test("A subvolume in the tree that would have no place in the point refuses the rollback beforehand")
    func nestedPlace() throws {
        let place = try Place(.btrfs)
        place.write("data", "a file")
        let tree = try place.setUp()
        try make(tree, "one")
        shell("cd \(place.root); rm data; mkdir data; btrfs -q subvolume create data/inner; echo 1 >data/inner/x")
        let plan = try tree.planRollback(to: tree.point(named: "one"), discardNewer: false)
        #expect(plan.findings.contains { $0.code == "nested-place" && $0.isRefusal })
        #expect(status { _ = try tree.carryOut(plan, user: "test", holding: tree.lock()) }?.status == 4)
        try make(tree, "two")
        #expect(shell("cat \(place.root)/data/inner/x") == "1\n")
    }

    @Test("An active swap file refuses a rollback as it refuses a point")
    func swap() throws {
        let place = try Place(.btrfs)
        let tree = try place.setUp()
        try make(tree, "one")
        let swap = place.root.appending("swap")
        shell(
            "truncate -s 0 \(swap); chattr +C \(swap); head -c 16M /dev/zero > \(swap); mkswap -q \(swap); chmod 600 \(swap)"
        )
        try #require(shell("swapon \(swap) && echo -n yes") == "yes", "this machine has no swap files")
        defer { shell("swapoff \(swap)") }
        let plan = try tree.planRollback(to: tree.point(named: "one"), discardNewer: false)
        #expect(plan.findings.contains { $0.code == "swap-file" && $0.isRefusal })
    }

    @Test(
        "What uses a tree otherwise than by an open file refuses its rollback: a map, a loop device, a mount elsewhere")
    func inUse() throws {
        let place = try Place(.tree)
        shell("head -c 1M /dev/urandom >\(place.root)/image; mkdir \(place.root)/part \(place.scratch)/there")
        let tree = try place.setUp()
        try make(tree, "one")
        func codes() throws -> [String] {
            try tree.planRollback(to: tree.point(named: "one"), discardNewer: false).findings.filter(\.isRefusal)
                .map { "\($0.code) \($0.sentence)" }
        }
        #expect(try codes() == [])
        let mapper = shell(
            "python3 -c 'import mmap, os, time; f = os.open(\"\(place.root)/image\", os.O_RDWR); m = mmap.mmap(f, 0); os.close(f); time.sleep(4072)' >/dev/null 2>&1 & sleep 1; echo -n $!"
        )
        #expect(try codes().contains { $0.hasPrefix("busy") && $0.contains("python3 (\(mapper))") })
        shell("kill \(mapper); sleep 0.3")
        let loop = shell("losetup -f --show \(place.root)/image").dropLast()
        #expect(try codes().contains { $0.contains("loop device") })
        shell("losetup -d \(loop); mount --bind \(place.root)/part \(place.scratch)/there")
        #expect(try codes().contains { $0.contains("\(place.scratch)/there") })
        shell("umount \(place.scratch)/there")
        // In a namespace of its own.
        let inside = shell(
            "unshare -m sh -c 'mount --bind \(place.root)/part \(place.scratch)/there; exec sleep 4073' >/dev/null 2>&1 & sleep 1; echo -n $!"
        )
        #expect(try codes().contains { $0.contains("for process") })
        shell("pkill -f 'sleep 4073'; kill \(inside)")
    }

    @Test(
        "What a factory reset keeps is kept by its name, whatever a shell would make of that, and whatever the point has there"
    )
    func keptNames() throws {
        for kind in [BackendKind.btrfs, .tree] {
            let place = try Place(kind)
            shell(
                "cd \(place.root); mkdir -p etc/ssh etc/network/old; echo f >etc/network/old/x; echo old >etc/hostname; echo b >'etc/ssh/ssh_host_[a]'"
            )
            let tree = try place.setUp()
            _ = try tree.create(
                {
                    var request = PointRequest(name: "delivered"); request.isFactory = true; return request
                }(), user: "test")
            shell(
                """
                cd \(place.root); rm -r etc/network; ln -s ../outside etc/network; echo new >etc/hostname; echo n >'etc/ssh/ssh_host_[a]'
                echo n >etc/ssh/ssh_host_a; mkdir outside; echo o >outside/x
                """)
            let plan = try tree.planFactoryReset(to: nil, keep: [.identity, .network], forTransfer: false)
            #expect(try tree.carryOut(plan, user: "test", holding: tree.lock()).findings == 0)
            #expect(
                shell(
                    "cd \(place.root)/etc; cat hostname 'ssh/ssh_host_[a]' ssh/ssh_host_a; readlink network; ls ..; ls -A \(place.state) | grep -c keeping"
                ) == "new\nn\nn\n../outside\netc\n0\n", "\(kind)")
        }
    }
}
