// Each finding that keeps a point or a rollback from being untrue, on a machine that has what it finds.

import Glibc
import Images
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct PreflightTests {
    /// The codes for which a point is refused; none where it is not.
    private func refusals(of name: String, _ tree: ProtectedTree) -> [String] {
        do {
            try make(tree, name)
        } catch let error as PointError {
            #expect(error.exitStatus == 4 && error.mend != nil, "\(error)")
            if case .refused(let findings) = error { return findings.map(\.code) }
        } catch {}
        return []
    }

    private func make(_ tree: ProtectedTree, _ name: String) throws {
        _ = try tree.create(PointRequest(name: name), user: "test")
    }

    @Test("A full file system refuses points and rollbacks while there is still room to mend it")
    func lowSpace() throws {
        let place = try Place(.btrfs)
        let tree = try place.setUp()
        try make(tree, "one")
        shell("head -c 700M /dev/zero | tr '\\0' x > \(place.root)/fills 2>/dev/null; sync")
        #expect(refusals(of: "two", tree) == ["low-space"])
        let plan = try tree.planRollback(to: tree.point(named: "one"), discardNewer: false)
        #expect(plan.findings.contains { $0.code == "low-space" && $0.isRefusal })
        shell("rm \(place.root)/fills; sync")
        try make(tree, "two")
    }

    @Test("A tree that is mounted read-only is neither tagged nor rolled back")
    func readOnly() throws {
        let place = try Place(.btrfs)
        let tree = try place.setUp()
        try make(tree, "one")
        shell("mount -o remount,ro \(place.scratch)/mount")
        #expect(refusals(of: "two", tree) == ["read-only"])
        shell("mount -o remount,rw \(place.scratch)/mount")
    }

    @Test("An active swap file refuses a point where the kernel would, with the mend")
    func swapFile() throws {
        let place = try Place(.btrfs)
        let tree = try place.setUp()
        let swap = place.root.appending("swap")
        shell(
            "btrfs filesystem mkswapfile -q --size 16m \(swap) 2>/dev/null || (truncate -s 0 \(swap); chattr +C \(swap); head -c 16M /dev/zero > \(swap); mkswap -q \(swap))"
        )
        let active = shell("chmod 600 \(swap); swapon \(swap) && echo -n yes")
        defer { shell("swapoff \(swap)") }
        try #require(active == "yes", "this machine has no swap files")
        #expect(refusals(of: "one", tree) == ["swap-file"])
        #expect(try tree.points().isEmpty)
    }

    @Test("Packages that are being installed refuse a rollback, and are said of a point")
    func packages() throws {
        let place = try Place(.tree)
        shell("mkdir -p \(place.root)/var/lib/dpkg; touch \(place.root)/var/lib/dpkg/lock")
        let tree = try place.setUp()
        try make(tree, "one")
        let holder = shell(
            """
            python3 -c 'import fcntl, time; f = open("\(place.root)/var/lib/dpkg/lock", "w"); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(60)' \
            >/dev/null 2>&1 & echo -n $!; sleep 0.5
            """)
        defer { shell("kill \(holder)") }
        #expect(
            try tree.create(PointRequest(name: "two"), user: "test").preflight.map(\.code) == ["packages-in-progress"])
        let plan = try tree.planRollback(to: tree.point(named: "one"), discardNewer: false)
        #expect(plan.findings.contains { $0.code == "packages-in-progress" && $0.isRefusal })
    }

    @Test("Containers' subvolumes, and others inside of the tree, are named at set-up and before a rollback")
    func nested() throws {
        let place = try Place(.btrfs)
        shell(
            """
            cd \(place.root); mkdir -p var/lib/docker/btrfs; btrfs -q subvolume create var/lib/docker/btrfs/one
            btrfs -q subvolume create data
            """)
        let tree = try place.setUp()
        #expect(try tree.coverage().map(\.code) == ["nested-subvolumes", "container-subvolumes"])
        try make(tree, "one")
        let plan = try tree.planRollback(to: tree.point(named: "one"), discardNewer: false)
        #expect(plan.findings.map(\.code) == ["nested-subvolumes", "container-subvolumes"])
        #expect(plan.findings.filter(\.isRefusal).isEmpty)
    }

    @Test("A /boot that ought to go along and is not mounted refuses a point")
    func bootNotMounted() throws {
        let place = try Place(.tree)
        let tree = try ProtectedTree.setUp(
            root: place.root, state: place.state, kind: .tree, boot: place.scratch.appending("boot"),
            progress: Progress(), findings: Findings())
        #expect(refusals(of: "one", tree) == ["boot-not-mounted"])
    }
}
