// The same semantics on every backend: each test runs against all of them.

import Images
import Machine
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct SemanticsTests {
    /// In the virtual machine of the lab there is ZFS, and a pool for the tests.
    static let kinds: [BackendKind] = Place.pool == nil ? [.btrfs, .tree] : [.zfs]

    /// A tree with a bit of everything, and then another state of it, in which every kind of change has happened.
    private func fill(_ place: Place) {
        shell(
            """
            cd \(place.root) && mkdir -p etc var/lib data/deep/er && echo one > etc/a && echo two > etc/b && ln -s a etc/link
            head -c 3000000 /dev/urandom > data/large && ln data/large data/second && mkfifo var/pipe && truncate -s 10M var/hole
            setfattr -n user.note -v hello etc/a && setfacl -m u:1000:r etc/b && chown 12:34 etc/b && chmod 4755 etc/b
            touch -d '2001-02-03 04:05:06.789' data/deep/er && printf 'x' > "data/a b	c"
            """)
    }

    private func spoil(_ place: Place) {
        shell(
            """
            cd \(place.root) && echo ONE > etc/a && rm etc/b && mkdir etc/b && echo new > etc/b/new && rm etc/link && ln -s b etc/link
            printf y | dd of=data/large bs=1 seek=1000 conv=notrunc status=none && rm data/second && rm -r data/deep && rm var/pipe
            echo more > more && setfattr -x user.note etc/a && chmod 600 var && rm var/hole && mkdir -p some/where && touch some/where/new
            """)
    }

    @Test("A rollback brings back every byte and attribute, and undo the state that it left", arguments: kinds)
    func rollbackAndUndo(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let tree = try place.setUp()
        let good = place.look()
        let created = try tree.create(PointRequest(name: "Commissioning"), user: "test")
        #expect(created.findings == 0)
        spoil(place)
        let spoilt = place.look()
        #expect(good != spoilt)

        let plan = try tree.planRollback(to: tree.point(named: "Commissioning"), discardNewer: false)
        let switched = try tree.carryOut(plan, user: "test")
        #expect(switched.findings == 0 && !switched.isPending)
        #expect(place.look() == good)
        #expect(switched.before?.name.hasPrefix("before-rollback.") == true)

        let undone = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(undone.findings == 0)
        #expect(place.look() == spoilt)
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(place.look() == good)
    }

    @Test("A, B, C, back to A, forward to C, undo, destroy A, undo: each state is what it was", arguments: kinds)
    func history(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let tree = try place.setUp()
        var states: [String: String] = [:]
        for name in ["A", "B", "C"] {
            place.write("etc/version", name)
            shell("touch \(place.root)/only-\(name); head -c 200000 /dev/urandom > \(place.root)/data/\(name)")
            _ = try tree.create(PointRequest(name: name), user: "test")
            states[name] = place.look()
        }
        func go(_ name: String) throws {
            _ = try tree.carryOut(tree.planRollback(to: tree.point(named: name), discardNewer: false), user: "test")
            #expect(place.look() == states[name], "\(name)")
            #expect(try ProtectedTree.base(state: place.state) == tree.point(named: name).id)
        }
        try go("A")
        #expect(try tree.points().map(\.name).starts(with: ["A", "B", "C"]), "newer points stay")
        try go("C")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(place.look() == states["A"])
        try tree.destroy(["A"], factory: false)
        #expect(place.look() == states["A"], "destroying a point leaves the live tree alone")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(place.look() == states["C"])
        #expect(throws: PointError.self) { try tree.point(named: "A") }
    }

    @Test("diff names what was added, removed, changed and what differs in its metadata alone", arguments: kinds)
    func diff(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let tree = try place.setUp()
        let point = try tree.create(PointRequest(name: "one"), user: "test").point
        #expect(try tree.diff(from: point, to: nil, content: true).isEmpty)
        place.write("etc/new", "x")
        shell("cd \(place.root); rm var/pipe; echo changed >> etc/a; chmod 640 data/large")
        var kinds: [String: Difference.Kind] = [:]
        for difference in try tree.diff(from: point, to: nil, content: false) {
            kinds[difference.path.description] = difference.kind
        }
        #expect(kinds["etc/new"] == .added)
        #expect(kinds["var/pipe"] == .removed)
        #expect(kinds["etc/a"] == .changed)
        #expect(kinds["data/large"] == .metadata)
        #expect(kinds["data/deep"] == nil)
        let second = try tree.create(PointRequest(name: "two"), user: "test").point
        #expect(
            try tree.diff(from: second, to: point, content: false).contains {
                $0.kind == .removed && $0.path == "etc/new"
            })
    }

    @Test("diff --content finds a change that kept size and time", arguments: kinds)
    func tampering(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let tree = try place.setUp()
        let point = try tree.create(PointRequest(name: "one"), user: "test").point
        shell(
            """
            cd \(place.root)/data; touch -r large /tmp/reference-\(kind.rawValue); printf z | dd of=large bs=1 seek=77 conv=notrunc status=none
            touch -r /tmp/reference-\(kind.rawValue) large; rm /tmp/reference-\(kind.rawValue)
            """)
        #expect(try tree.diff(from: point, to: nil, content: false).isEmpty)
        let found = try tree.diff(from: point, to: nil, content: true)
        #expect(found.contains { $0.kind == .changed && $0.path == "data/large" })
    }

    @Test("Bad, taken and unknown names, pinned and factory points, and nothing to undo are refused", arguments: kinds)
    func refusals(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let tree = try place.setUp()
        for name in ["", "-x", "a b", "ä", "123", String(repeating: "a", count: 65), "a/b"] {
            #expect(throws: PointError.self, "\(name)") { try tree.create(PointRequest(name: name), user: "test") }
        }
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        #expect(throws: PointError.self) { try tree.create(PointRequest(name: "one"), user: "test") }
        #expect(throws: PointError.self) { try tree.destroy(["two"], factory: false) }
        try tree.setPinned(true, "one")
        #expect(throws: PointError.self) { try tree.destroy(["one"], factory: true) }
        try tree.setPinned(false, "one")
        #expect(throws: PointError.self) { try tree.planUndo() }
        #expect(throws: PointError.self) { try tree.planFactoryReset(to: nil, forTransfer: false) }
        var factory = PointRequest(name: "factoryreset")
        factory.isFactory = true
        _ = try tree.create(factory, user: "test")
        #expect(throws: PointError.self) { try tree.destroy(["factoryreset"], factory: false) }
        #expect(throws: PointError.self) { try place.setUp() }
        #expect(try tree.points().map(\.name) == ["one", "factoryreset"])
        let unnamed = try tree.create(PointRequest(), user: "test").point
        #expect(RestorePoint.problem(withName: unnamed.name) == nil)
        let again = try tree.create(PointRequest(), user: "test").point
        #expect(again.name != unnamed.name)
    }

    @Test("What a point would free is what it alone holds", arguments: kinds)
    func space(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let tree = try place.setUp()
        shell("head -c 3000000 /dev/urandom > \(place.root)/stays")
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        shell("head -c 5000000 /dev/urandom > \(place.root)/goes; sync")
        _ = try tree.create(PointRequest(name: "two"), user: "test")
        shell("rm \(place.root)/goes; sync")
        _ = try tree.create(PointRequest(name: "three"), user: "test")
        if kind == .zfs { shell("zpool sync") }
        let space = try tree.space()
        let bytes = try ["one", "two", "three"].map { try space[tree.point(named: $0).id] ?? .max }
        #expect(bytes[0] < 1_000_000 && bytes[2] < 1_000_000, "\(bytes)")
        #expect((4_900_000...6_000_000).contains(bytes[1]), "\(bytes)")
    }

    @Test("A plan refuses when the points have changed since", arguments: kinds)
    func stalePlan(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let tree = try place.setUp()
        let one = try tree.create(PointRequest(name: "one"), user: "test").point
        let plan = try tree.planRollback(to: one, discardNewer: true)
        #expect(try tree.planRollback(to: one, discardNewer: true).id == plan.id)
        _ = try tree.create(PointRequest(name: "two"), user: "test")
        #expect(try tree.planRollback(to: one, discardNewer: true).id != plan.id)
        spoil(place)
        let before = place.look()
        #expect(throws: StalePlan.self) { try tree.carryOut(plan, user: "test") }
        #expect(place.look() == before)
    }

    @Test("A factory reset keeps what it is asked to keep, all of it, and nothing else", arguments: kinds)
    func keeps(_ kind: BackendKind) throws {
        let place = try Place(kind)
        for name in [
            "etc/hostname", "etc/ssh/ssh_host_a", "etc/ssh/ssh_host_old", "etc/ssh/sshd_config",
            "etc/network/interfaces",
        ] {
            place.write(name, "delivered")
        }
        let tree = try place.setUp()
        var factory = PointRequest(name: "delivered")
        factory.isFactory = true
        _ = try tree.create(factory, user: "test")
        shell(
            """
            cd \(place.root)/etc; for f in hostname ssh/ssh_host_a ssh/sshd_config network/interfaces; do echo -n own > $f; done
            echo -n own > ssh/ssh_host_new; chmod 600 ssh/ssh_host_new; echo -n own > network/more; echo -n own > other
            """)
        let plan = try tree.planFactoryReset(to: nil, keep: [.identity, .network], forTransfer: false)
        #expect(
            plan.keeps == [
                "etc/hostname", "etc/ssh/ssh_host_a", "etc/ssh/ssh_host_new", "etc/ssh/ssh_host_old", "etc/network",
            ])
        #expect(try plan.id != tree.planFactoryReset(to: nil, forTransfer: false).id)
        _ = try tree.carryOut(plan, user: "test")
        #expect(
            shell(
                "cd \(place.root)/etc; for f in $(find . -type f | sort); do echo $f $(cat $f); done; stat -c %a ssh/ssh_host_new"
            )
                == """
                ./hostname own
                ./network/interfaces own
                ./network/more own
                ./ssh/ssh_host_a own
                ./ssh/ssh_host_new own
                ./ssh/ssh_host_old delivered
                ./ssh/sshd_config delivered
                600

                """)
    }

    @Test("Only --discard-newer and a reset for transfer discard points", arguments: kinds)
    func discards(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let tree = try place.setUp()
        var factory = PointRequest(name: "delivered")
        factory.isFactory = true
        place.write("a", "delivered")
        _ = try tree.create(factory, user: "test")
        for name in ["one", "two", "three"] {
            place.write("a", name)
            _ = try tree.create(PointRequest(name: name), user: "test")
        }
        _ = try tree.carryOut(tree.planRollback(to: tree.point(named: "one"), discardNewer: true), user: "test")
        #expect(try tree.points().map(\.name).prefix(2) == ["delivered", "one"])
        #expect(try tree.points().count == 3, "the state that was left stays")
        _ = try tree.carryOut(tree.planFactoryReset(to: nil, forTransfer: true), user: "test")
        #expect(try tree.points().map(\.name) == ["delivered"])
        #expect(shell("cat \(place.root)/a") == "delivered")
    }
}
