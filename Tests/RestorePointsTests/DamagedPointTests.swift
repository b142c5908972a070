// Points that are damaged, and state in odd places.

import Images
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct DamagedPointTests {
    @Test("A rollback to a damaged point is refused before anything has changed, and others still work")
    func damaged() throws {
        let place = try Place(.tree)
        shell("head -c 2000000 /dev/urandom > \(place.root)/large")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        // The content of this point is in a volume of its own.
        shell("head -c 2000000 /dev/urandom > \(place.root)/large; touch \(place.state)/reference; sleep 0.02")
        _ = try tree.create(PointRequest(name: "two"), user: "test")
        shell("head -c 3000000 /dev/urandom > \(place.root)/large")
        shell(
            """
            for f in $(find \(place.state)/store/v -newer \(place.state)/reference -size +1000k -type f); do
            printf DAMAGE | dd of=$f bs=1 seek=700000 conv=notrunc status=none; done
            """)
        let now = place.look()
        let plan = try tree.planRollback(to: tree.point(named: "two"), discardNewer: false)
        do {
            _ = try tree.carryOut(plan, user: "test")
            Issue.record("a damaged point was applied")
        } catch let error as PointError {
            #expect(error.exitStatus == 4 && error.mend != nil, "\(error)")
        }
        #expect(place.look() == now)
        #expect(try tree.points().map(\.name) == ["one", "two"])
        #expect(try ProtectedTree.pending(state: place.state) == nil)
        _ = try tree.carryOut(tree.planRollback(to: tree.point(named: "one"), discardNewer: false), user: "test")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(place.look() == now)
    }

    @Test("What a kill left of an image's root stops no change, and goes with the next one")
    func cutRoot() throws {
        let place = try Place(.tree)
        let tree = try place.setUp()
        for name in ["one", "two"] {
            place.write("file", name)
            _ = try tree.create(PointRequest(name: name), user: "test")
        }
        let images = "\(place.state)/store/i"
        let cut = String(repeating: "0123456789abcdef", count: 2)
        shell("cd \(images); first=$(find . -type f | head -1); head -c 100 $first > $(dirname $first)/\(cut)")
        #expect(shell("find \(images) -name \(cut) -size 100c | wc -l") == "1\n")
        _ = try tree.carryOut(tree.planRollback(to: tree.point(named: "one"), discardNewer: false), user: "test")
        try tree.destroy(["two"], factory: false)
        #expect(shell("cat \(place.root)/file; find \(images) -name \(cut) | wc -l") == "one0\n")
    }

    @Test("What is mounted in a plain tree belongs to nobody there: points, rollback and diff leave it alone")
    func mountedInside() throws {
        let place = try Place(.tree)
        place.write("file", "good")
        shell(
            "mkdir \(place.root)/other; chmod 700 \(place.root)/other; mount -t tmpfs none \(place.root)/other; chmod 711 \(place.root)/other"
        )
        defer { shell("umount \(place.root)/other") }
        place.write("other/kept", "x")
        // The same file system, mounted a second time.
        shell(
            "mkdir \(place.scratch)/outside \(place.root)/bound; mount --bind \(place.scratch)/outside \(place.root)/bound"
        )
        defer { shell("umount \(place.root)/bound") }
        place.write("bound/kept", "z")
        let tree = try place.setUp()
        let point = try tree.create(PointRequest(name: "good"), user: "test").point
        place.write("file", "bad")
        place.write("other/more", "y")
        shell("chmod 755 \(place.root)/other")
        let switched = try tree.carryOut(tree.planRollback(to: point, discardNewer: false), user: "test")
        #expect(switched.findings == 0)
        #expect(shell("cat \(place.scratch)/outside/*") == "z")
        #expect(try tree.diff(from: point, to: nil, content: true).isEmpty)
        #expect(shell("cat \(place.root)/file \(place.root)/other/*; stat -c %a \(place.root)/other") == "goodxy755\n")
    }

    @Test("State inside of a plain tree is left alone by points, rollback and diff")
    func stateInside() throws {
        let place = try Place(.tree)
        let state = place.root.appending("holdfast-state")
        place.write("file", "good")
        let tree = try ProtectedTree.setUp(
            root: place.root, state: state, kind: nil, progress: Progress(), findings: Findings())
        let point = try tree.create(PointRequest(name: "good"), user: "test").point
        place.write("file", "bad")
        place.write("more", "x")
        #expect(
            try Set(tree.diff(from: point, to: nil, content: true).map(\.path)) == ["", "file", "more"])
        _ = try tree.carryOut(tree.planRollback(to: point, discardNewer: false), user: "test")
        #expect(shell("cat \(place.root)/file; ls \(place.root)") == "goodfile\nholdfast-state\n")
        let again = try ProtectedTree.open(state: state, progress: Progress(), findings: Findings())
        #expect(try again.points().count == 2)
        _ = try again.carryOut(again.planUndo(), user: "test")
        #expect(shell("cat \(place.root)/file \(place.root)/more") == "badx")
    }
}
