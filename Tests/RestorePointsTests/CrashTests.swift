// A command that is killed between any two system calls that change something leaves the old state or the new one, as the next
// call sees it, and neither point nor state is lost.

import AuditLog
import Glibc
import Images
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct CrashTests {
    /// The calls that change files, names, subvolumes or what is durable. strace counts each by itself. Where ZFS is, the machine is
    /// emulated, and each round takes half a minute: there it is what parts one step from the next.
    private static let changes =
        Place.pool != nil
        ? ["rename", "unlink", "fsync"]
        : [
            "write", "pwrite64", "ftruncate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir",
            "mkdirat",
            "symlinkat",
            "linkat", "mknodat", "fchownat", "fchown", "fchmod", "fchmodat", "utimensat", "fsetxattr", "lsetxattr",
            "fremovexattr",
            "ioctl", "fsync", "syncfs", "fallocate",
        ]

    /// Runs a command that is killed at the given call; whether it came to its end.
    private func run(_ command: String, _ place: Place, killedAt call: String, _ number: Int) -> Bool {
        let environment =
            "HOME=\(place.scratch) XDG_CONFIG_HOME=\(place.scratch)/config XDG_STATE_HOME=\(place.scratch)/s XDG_CACHE_HOME=\(place.scratch)/k HOLDFAST_CONFIG="
        let text = shell(
            """
            \(environment) strace -f -qq -o /dev/null -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number) \
            \(builtProgram) \(command) --state \(place.state) --yes --quiet >\(place.scratch)/out 2>&1; echo $?
            """)
        return text == "0\n"
    }

    private func fill(_ place: Place) {
        shell(
            """
            cd \(place.root) && mkdir -p a/b && for i in 1 2 3; do echo $i > a/$i; done && ln -s 1 a/link && ln a/2 a/b/2 && echo x > only-good
            chown 5:6 a/3 && setfattr -n user.k -v v a/1 && head -c 300000 /dev/urandom > large
            """)
    }

    private func spoil(_ place: Place) {
        shell(
            "cd \(place.root) && echo bad > a/1 && rm -r a/b only-good && mkdir only-good && echo y > only-good/in && echo z > large"
        )
    }

    @Test(
        "A rollback that is killed anywhere leaves exactly the old or the new state, and nothing is lost",
        arguments: SemanticsTests.kinds)
    func rollback(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        let good = place.look()
        spoil(place)
        _ = try tree.create(PointRequest(name: "bad"), user: "test")
        let bad = place.look()
        var states = (old: 0, new: 0)
        let places = try forEachPlace(of: Self.changes, step: 7) { call, number in
            let isWhole = run("rollback good", place, killedAt: call, number)
            let tree = try place.open()
            _ = try tree.recover()
            let now = place.look()
            let what = "killed at \(call) \(number)"
            try #require(now == good || now == bad && !isWhole, "\(what): a mixture")
            let points = try tree.points()
            try #require(points.map(\.name).starts(with: ["good", "bad"]), "\(what): a point is lost")
            try #require(try ProtectedTree.pending(state: place.state) == nil)
            if now == good {
                states.new += 1
                _ = try tree.carryOut(tree.planUndo(), user: "test")
                try #require(place.look() == bad, "\(what): the state that was left is lost")
            } else {
                states.old += 1
            }
            // Back to where the next one begins.
            let leftovers = try tree.points().map(\.name).filter { $0 != "good" && $0 != "bad" }
            if !leftovers.isEmpty { try tree.destroy(leftovers, factory: false) }
            return isWhole
        }
        print("\(kind): a rollback killed at \(places) places, \(states.old) times the old state")
        #expect(states.old > 3 && states.new > Self.changes.count, "\(states)")
    }

    @Test(
        "A point that is killed anywhere while it is made is there or not, and the tree is as it was",
        arguments: SemanticsTests.kinds)
    func create(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let tree = try place.setUp()
        let state = place.look()
        let places = try forEachPlace(of: Self.changes, step: 5) { call, number in
            let isWhole = run("create made", place, killedAt: call, number)
            let what = "killed at \(call) \(number)"
            let names = try tree.points().map(\.name)
            try #require(names == ["made"] || names == [] && !isWhole, "\(what)")
            if names == ["made"] {
                let difference = try tree.diff(from: tree.point(named: "made"), to: nil, content: true)
                try #require(difference.isEmpty, "\(what): the point is not what it says")
                try tree.destroy(["made"], factory: false)
            }
            try #require(place.look() == state)
            return isWhole
        }
        print("\(kind): a creation killed at \(places) places")
        #expect(places > 3)
        if kind == .btrfs {
            #expect(shell("ls \(place.scratch)/mount/@holdfast/* | wc -l") == "0\n", "leftovers stay")
        }
    }

    @Test(
        "The end of a protection that is killed anywhere is ended by the same command, and the tree stays as it is",
        arguments: SemanticsTests.kinds)
    func endOfProtection(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let state = place.look()
        func holdfast(_ words: String) -> Int32 {
            Int32(
                shell(
                    "\(builtProgram) \(words) --state \(place.state) --yes --quiet >\(place.scratch)/out 2>&1; echo -n $?"
                )) ?? -1
        }
        let places = try forEachPlace(of: Self.changes, step: 5) { call, number in
            let what = "killed at \(call) \(number)"
            try #require(holdfast("setup --root \(place.root)") == 0, "\(what)")
            let choice = number % 2 == 0 ? "keep" : "destroy"
            let isWhole = run("setup --remove --points \(choice)", place, killedAt: call, number)
            if !isWhole, exists(place.state.appending("protected.json")) {
                // Nothing else is begun with what may be gone by half.
                let isBegun = exists(place.state.appending("journal/setup.json"))
                try #require(holdfast("create x") == (isBegun ? 4 : 0), "\(what)")
                try #require(holdfast("setup --remove --points \(choice)") == 0, "\(what)")
            }
            if choice == "keep" {
                // Another set-up has them again, and this time they go.
                try #require(holdfast("setup --root \(place.root)") == 0, "\(what)")
                try #require(try place.open().points().first?.name == "factoryreset", "\(what)")
                try #require(holdfast("setup --remove --points destroy") == 0, "\(what)")
            }
            try #require(!exists(place.state.appending("protected.json")) && place.look() == state, "\(what)")
            if kind == .btrfs {
                try #require(!exists(place.scratch.appending("mount/@holdfast")), "\(what): points stay")
            }
            shell("chattr -R -f -ia \(place.state); rm -rf \(place.state)")
            return isWhole
        }
        print("\(kind): an end of a protection killed at \(places) places")
        #expect(places > 3)
    }

    @Test(
        "A point that is destroyed, killed anywhere, is there or gone, and nothing else is",
        arguments: SemanticsTests.kinds)
    func destroy(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        spoil(place)
        let state = place.look()
        let places = try forEachPlace(of: Self.changes, step: 5) { call, number in
            if try !tree.points().contains(where: { $0.name == "goes" }) {
                _ = try tree.create(PointRequest(name: "goes"), user: "test")
            }
            let isWhole = run("destroy goes", place, killedAt: call, number)
            let what = "killed at \(call) \(number)"
            let tree = try place.open()
            _ = try tree.recover()
            let names = try tree.points().map(\.name)
            try #require(names == ["good"] || names == ["good", "goes"] && !isWhole, "\(what): \(names)")
            try #require(place.look() == state, "\(what)")
            for name in names {
                let differences = try tree.diff(from: tree.point(named: name), to: nil, content: true)
                try #require(differences.isEmpty == (name == "goes"), "\(what): \(name) is not what it was")
            }
            return isWhole
        }
        print("\(kind): a destruction killed at \(places) places")
        #expect(places > 3)
    }

    @Test("A set-up that is killed anywhere goes on when it is repeated", arguments: SemanticsTests.kinds)
    func setUp(_ kind: BackendKind) throws {
        let place = try Place(kind)
        fill(place)
        let state = place.look()
        let places = try forEachPlace(of: Self.changes, step: 5) { call, number in
            shell(
                "chattr -R -f -a \(place.state); rm -rf \(place.state); btrfs -q subvolume delete \(place.scratch)/mount/@holdfast 2>/dev/null"
            )
            let isWhole = run("setup --root \(place.root)", place, killedAt: call, number)
            let what = "killed at \(call) \(number)"
            if !isWhole {
                _ = shell("\(builtProgram) setup --root \(place.root) --state \(place.state) --quiet")
            }
            let tree = try place.open()
            try #require(tree.points().map(\.name) == ["factoryreset"], "\(what)")
            try #require(
                tree.diff(from: tree.point(named: "factoryreset"), to: nil, content: true).isEmpty, "\(what)")
            try #require(place.look() == state, "\(what)")
            try #require(AuditLog(folder: place.state.appending("log")).verify().isSound, "\(what)")
            shell(
                "for s in \(place.scratch)/mount/@holdfast/*/*; do btrfs -q subvolume delete $s; done 2>/dev/null")
            return isWhole
        }
        print("\(kind): a set-up killed at \(places) places")
        #expect(places > 5)
    }
}
