// What a folder's owner does beside root's filter, and what other programs have left in it: nothing leads out of the folder, and nothing that
// is not the session's own is touched.

import Glibc
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing
import WriteFilter

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "filters are mounted by root"))
struct HostileFilterTests {
    /// A place whose commit waits, as after a restart: nothing is mounted, and the folder is its owner's.
    private func waiting(_ change: String, _ commit: [String]) throws -> FilteredPlace {
        let place = try FilteredPlace()
        shell(
            "cd \(place.root); mkdir -p conf data/sub; echo 1 >conf/a; echo d >data/d; mkdir \(place.scratch)/outside; echo o >\(place.scratch)/outside/a"
        )
        try place.setUp()
        try place.enable()
        shell("cd \(place.root); \(change)")
        let child = shell("cd \(place.root); sleep 4000 >/dev/null 2>&1 & echo -n $!")
        let committed = try place.commit(commit.map { place.root.appending($0) })
        #expect(!committed.isApplied && committed.changes > 0)
        shell("kill \(child); sleep 0.2")
        place.leave()
        return place
    }

    @Test(
        "A commit that waits follows no link that was put in its way, names it, and is done with",
        arguments: [
            ("echo 2 >conf/a", "conf/a", "mv conf old; ln -s ../outside conf"),
            ("rm conf/a", "conf/a", "mv conf old; ln -s ../outside conf"),
            ("rm -r conf", "conf", "mv conf old; ln -s ../outside conf"),
            ("mkdir conf/new; echo n >conf/new/a", "conf/new", "mv conf old; ln -s ../outside conf"),
            ("chown 1234 conf; chmod 700 conf", "conf", "mv conf old; ln -s ../outside conf"),
            ("echo 2 >conf/a", "conf/a", "rm conf/a; ln -s ../../outside/a conf/a"),
        ])
    func links(change: String, path: String, swap: String) throws {
        let place = try waiting(change, [path])
        let outside = "cd \(place.scratch)/outside; stat -c '%n %U %a %s' . *; cat a"
        let before = shell(outside)
        shell("cd \(place.root); \(swap)")
        _ = try place.start()
        #expect(shell(outside) == before)
        #expect(try place.status.waitingCommits == 0, "it does not stand in the way for ever")
        #expect(try place.status.session.mode == .overlay)
    }

    @Test("What somebody planted under the names that a commit works with is neither taken nor touched")
    func planted() throws {
        let place = try FilteredPlace()
        shell(
            """
            cd \(place.root); mkdir -p conf .holdfast-commit\(place.root)/conf .holdfast-commit.half; echo 1 >conf/a
            echo evil >.holdfast-commit\(place.root)/conf/a
            """)
        try place.setUp()
        try place.enable()
        shell("echo 2 >\(place.root)/conf/a")
        #expect(try place.commit(nil).isApplied)
        _ = try place.filter.disable(place.root, holding: place.filter.lock())
        #expect(
            shell("cd \(place.root); cat conf/a .holdfast-commit\(place.root)/conf/a; ls -d .holdfast-commit.half")
                == "2\nevil\n.holdfast-commit.half\n")
    }

    @Test(
        "What overlays of others have left on the disk stays: whiteouts, and their marks on folders that a session changes"
    )
    func otherOverlays() throws {
        let place = try FilteredPlace()
        shell(
            """
            cd \(place.root); mkdir -p engine/diff/opaque; mknod engine/diff/gone c 0 0; mknod engine/diff/back c 0 0; echo 1 >engine/diff/file
            setfattr -n trusted.overlay.opaque -v y engine/diff/opaque; setfattr -n trusted.overlay.origin -v o engine/diff
            """)
        try place.setUp()
        try place.enable()
        shell(
            """
            cd \(place.root)/engine/diff; echo 2 >file; echo n >new; echo o >opaque/in; chmod 700 . opaque; echo b >back
            """)
        #expect(try place.commit(nil).isApplied)
        _ = try place.filter.disable(place.root, holding: place.filter.lock())
        #expect(
            shell(
                """
                cd \(place.root)/engine/diff; cat file new opaque/in back; stat -c '%n %F %a' gone opaque .
                getfattr --only-values -n trusted.overlay.opaque opaque; getfattr --only-values -n trusted.overlay.origin .
                """)
                == "2\nn\no\nb\ngone character special file 644\nopaque directory 700\n. directory 700\nyo")
    }

    @Test("A commit keeps what was written to a folder that became an exception in this session")
    func laterException() throws {
        let place = try FilteredPlace()
        shell("cd \(place.root); mkdir retain screens log; echo 1 >screens/s")
        try place.setUp()
        try place.enable()
        _ = try place.filter.addExceptions(
            [place.root.appending("retain")], nil, to: place.root, holding: place.filter.lock())
        shell("cd \(place.root); echo keep >retain/x; echo 2 >screens/s")
        #expect(try place.commit([place.root.appending("screens")]).isApplied)
        #expect(shell("cd \(place.root); cat retain/x screens/s") == "keep\n2\n")
    }

    @Test("What is mounted in a filtered folder keeps its writes, and outlives commit, discard and disable")
    func mountsInside() throws {
        let place = try FilteredPlace()
        shell(
            """
            cd \(place.root); mkdir -p conf in/side deep/er; echo 1 >conf/a; mount -t tmpfs one in; mkdir in/ner; mount -t tmpfs two in/ner
            mount -t tmpfs three deep/er; echo i >in/file; echo n >in/ner/file
            """)
        defer { shell("umount \(place.root)/in/ner \(place.root)/in \(place.root)/deep/er") }
        try place.setUp()
        try place.enable()
        #expect(try place.status.session.mode == .overlay)
        shell("cd \(place.root); echo 2 >>in/file; echo 2 >>in/ner/file; echo 3 >deep/er/f; echo 2 >conf/a")
        #expect(try place.commit(nil).isApplied)
        shell("cd \(place.root); echo 3 >conf/a; echo 3 >>in/file")
        #expect(try place.filter.discard(nil, holding: place.filter.lock()).now == [place.root])
        #expect(shell("cd \(place.root); cat conf/a in/file") == "2\ni\n2\n3\n")
        #expect(try place.filter.disable(place.root, holding: place.filter.lock()).isWritable)
        #expect(
            shell("cd \(place.root); cat conf/a in/file in/ner/file deep/er/f; mountpoint -q in/ner && echo there")
                == "2\ni\n2\n3\nn\n2\n3\nthere\n")
    }

    @Test("A folder that is reached by a link is not filtered, and its own name is said")
    func linkedPlace() throws {
        let place = try FilteredPlace()
        try place.setUp()
        shell("cd \(place.scratch); mkdir -p real/plant; ln -s real link")
        var request = WriteFilter.Request()
        request.path = place.scratch.appending("link/plant")
        let asked = request
        let refused = try #require(throws: FilterError.self) {
            try place.filter.enable(
                asked, user: "test", progress: Progress(), findings: Findings(), holding: place.filter.lock())
        }
        #expect(refused.exitStatus == 4 && refused.mend?.contains("\(place.scratch)/real/plant") == true, "\(refused)")
        // One that was a folder when it was decided, and is a link at the next start.
        try place.enable()
        place.leave()
        shell("cd \(place.scratch); mv plant moved; ln -s real/plant plant")
        let alarms = try place.start()
        #expect(alarms.contains { $0.contains("NOT protected") }, "\(alarms)")
        #expect(shell("ls -A \(place.scratch)/real/plant") == "")
        shell("cd \(place.scratch); rm plant; mv moved plant")
    }

    @Test("A path that is neither in the session nor on the disk is refused")
    func nothingThere() throws {
        let place = try FilteredPlace()
        shell("mkdir \(place.root)/conf")
        try place.setUp()
        try place.enable()
        for path in ["typo", "conf/typo", "no/typo"] {
            let refused = try #require(throws: FilterError.self) { try place.commit([place.root.appending(path)]) }
            #expect(refused.exitStatus == 4, "\(path): \(refused)")
        }
        #expect(try place.status.waitingCommits == 0)
    }

    @Test("A filtered folder looks like the one below, and its own mode and attributes can be committed")
    func ownAttributes() throws {
        let place = try FilteredPlace()
        shell("cd \(place.root); echo 1 >a; chmod 1750 .; chown 1234:1235 .; setfattr -n user.plant -v 7 .")
        let look = "cd \(place.root); stat -c '%a %u %g' .; getfattr --only-values -n user.plant ."
        let before = shell(look)
        try place.setUp()
        try place.enable()
        #expect(shell(look) == before)
        shell("cd \(place.root); chmod 755 .; setfattr -n user.plant -v 8 .")
        #expect(try place.commit(nil).isApplied)
        _ = try place.filter.disable(place.root, holding: place.filter.lock())
        #expect(shell(look) == "755 1234 1235\n8")
    }

    @Test("Nobody but root gets to what is below a filter")
    func runtimeFolder() throws {
        let place = try FilteredPlace()
        shell("echo 1 >\(place.root)/a; chmod 777 \(place.root) \(place.scratch)")
        try place.setUp()
        try place.enable()
        let lower = FilterMounts.base(of: place.root).appending("lower/a")
        #expect(
            shell("setpriv --reuid 65534 --clear-groups sh -c 'echo x >\(lower)' 2>/dev/null; cat \(lower)") == "1\n")
    }
}
