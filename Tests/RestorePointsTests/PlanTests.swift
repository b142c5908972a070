// What destroys or switches is planned first: a dry run shows the plan and does nothing, its id asks for the very same, and what comes between is
// told instead of being run over.

import Glibc
import Machine
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct PlanTests {
    /// What may happen between a plan and its confirmation, and how it ends.
    struct Event: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var happens: String
        var ends: String
        /// Words of the reason that is told.
        var reason: String
    }

    /// With S: `--state DIR`, in the folder above the tree.
    static let events = [
        Event(
            testDescription: "a point is made",
            happens: "holdfast create later $S", ends: "true",
            reason: "changed since"),
        Event(
            testDescription: "a commit waits",
            happens: """
                holdfast filter enable --path $T/filtered --size 32MB $S; echo new > $T/filtered/new
                (exec 9< $T/filtered/new; exec sleep 4075) > /dev/null 2>&1 & sleep 0.5; holdfast filter commit --all --path $T/filtered $S
                """,
            ends: "pkill -f 'sleep 407[5]'; sleep 0.2; holdfast filter disable --path $T/filtered --yes $S",
            reason: "waits for the next start"),
        Event(
            testDescription: "something is mounted", happens: "mount -t tmpfs none $T/empty", ends: "umount $T/empty",
            reason: "empty"),
        Event(
            testDescription: "a swap file is on",
            // One that a point holds could not be used.
            happens: """
                truncate -s 0 $T/swap; chmod 600 $T/swap; chattr +C $T/swap; head -c 8M /dev/zero > $T/swap; mkswap -q $T/swap; swapon $T/swap
                """,
            ends: "swapoff $T/swap", reason: "swap"),
        Event(
            testDescription: "a loop device is on a file", happens: "losetup -f --show $T/image > loop",
            ends: "losetup -d $(cat loop)", reason: "loop"),
    ]

    @Test("What happens between a plan and its confirmation makes it stale, and nothing is changed", arguments: events)
    func races(_ event: Event) throws {
        let place = try Place(.btrfs)
        shell("cd \(place.root); mkdir empty filtered; echo one > file; truncate -s 4M image")
        let tree = try place.setUp()
        let one = try tree.create(PointRequest(name: "one"), user: "test").point
        place.write("file", "two")
        let plan = try tree.planRollback(to: one, discardNewer: false)
        #expect(plan.findings.filter(\.isRefusal).isEmpty, "\(plan.findings)")
        let happened = Self.run("\(event.happens)", place)
        #expect(happened.last == "0", "\(happened)")
        do {
            _ = try tree.carryOut(plan, user: "test")
            Issue.record("it was carried out")
        } catch let error as StalePlan {
            #expect(error.exitStatus == 4 && "\(error)".contains(event.reason), "\(error)")
        }
        #expect(shell("cat \(place.root)/file") == "two")
        #expect(Self.run(event.ends, place).last == "0")
        // As long as it lasts, no new plan is carried out, either; afterwards one is.
        _ = try tree.carryOut(tree.planRollback(to: one, discardNewer: false), user: "test")
        #expect(shell("cat \(place.root)/file") == "one\n")
    }

    @Test("On a plain tree, too, a point and a commit that come between make a plan stale", arguments: events.prefix(2))
    func racesOnPlainTree(_ event: Event) throws {
        let place = try Place(.tree)
        shell("cd \(place.root); mkdir filtered; echo one > file")
        let tree = try place.setUp()
        let one = try tree.create(PointRequest(name: "one"), user: "test").point
        place.write("file", "two")
        let plan = try tree.planRollback(to: one, discardNewer: false)
        #expect(Self.run("\(event.happens)", place).last == "0")
        #expect(throws: StalePlan.self) { try tree.carryOut(plan, user: "test") }
        #expect(shell("cat \(place.root)/file") == "two")
        shell("exec 2>/dev/null; umount -l \(place.root)/filtered")
    }

    @Test(
        "A folder or a link that takes the tree's place after the plan is neither read nor written",
        arguments: ["ln -s $PWD/other plant", "cp -a other plant", "true"], [true, false])
    func swapped(_ swap: String, _ isRollback: Bool) throws {
        let place = try Place(.tree)
        place.write("file", "one")
        let tree = try place.setUp()
        let one = try tree.create(PointRequest(name: "one"), user: "test").point
        place.write("file", "two")
        let plan = try tree.planRollback(to: one, discardNewer: false)
        shell("cd \(place.scratch); mkdir other; echo important > other/important; mv plant real; \(swap)")
        if isRollback {
            #expect(throws: StalePlan.self) { try tree.carryOut(plan, user: "test") }
        } else if swap.hasPrefix("ln") || swap == "true" {
            // Another folder of the same place, made by whoever may, is the tree.
            #expect(throws: PointError.self) { try tree.create(PointRequest(name: "late"), user: "test") }
            #expect(try tree.points().map(\.name) == ["one"])
        }
        #expect(shell("cd \(place.scratch); cat other/important real/file; ls other") == "important\ntwoimportant\n")
        shell("cd \(place.scratch); rm -rf plant; mv real plant")
        _ = try tree.carryOut(tree.planRollback(to: one, discardNewer: false), user: "test")
        #expect(shell("cat \(place.root)/file") == "one")
    }

    @Test(
        "A point that was destroyed and made again is another one: the plan is stale", arguments: SemanticsTests.kinds)
    func remade(_ kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("file", "one")
        let tree = try place.setUp()
        let one = try tree.create(PointRequest(name: "one"), user: "test").point
        let plan = try tree.planRollback(to: one, discardNewer: false)
        try tree.destroy(["one"], factory: false)
        place.write("file", "two")
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        #expect(throws: StalePlan.self) { try tree.carryOut(plan, user: "test") }
        #expect(shell("cat \(place.root)/file") == "two")
    }

    @Test("The end of a protection destroys the points that were shown, and no other")
    func endOfProtection() throws {
        let place = try Place(.tree)
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        for keepsPoints in [true, false] {
            let plan = try tree.planEnd(keepingPoints: keepsPoints)
            _ = try tree.create(PointRequest(), user: "test")
            #expect(throws: StalePlan.self) { try tree.endProtection(plan, holding: tree.lock()) }
        }
        #expect(try tree.points().count == 3)
        let shown = Self.run("holdfast setup --remove --points destroy --dry-run $S", place)
        let id = try #require(shown.first { $0.hasPrefix("plan ") }).dropFirst(5)
        #expect(shown.last == "0" && Self.run("holdfast setup --remove --dry-run $S", place).last == "2")
        #expect(Self.run("holdfast setup --remove --points keep --plan \(id) --yes $S", place).last == "4")
        #expect(Self.run("holdfast setup --remove --points destroy --plan \(id) --yes $S", place).last == "0")
    }

    @Test(
        "Something else in the place of what is under way is told by status and by what it stops, and nobody waits for it",
        arguments: [
            ("points.json", "mkfifo $J", "3", "4"), ("points.json", "echo { > $J", "3", "4"),
            ("points.json", "mkdir $J", "3", "4"), ("points.json", "ln -s /dev/zero $J", "3", "4"),
            ("rollback.json", "mkfifo $J", "3", "4"), ("rollback.json", "echo { > $J", "3", "4"),
            ("setup.json", "mkfifo $J", "3", "4"), ("commit-2f-1", "mkfifo $J", "0", "0"),
        ])
    func oddEntries(_ name: String, _ make: String, _ status: String, _ create: String) throws {
        let place = try Place(.tree)
        _ = Self.run("holdfast setup --root $T $S", place)
        let entry = "J=\(place.state)/journal/\(name); mkdir -p \(place.state)/journal; \(make)"
        #expect(Self.run(entry, place).last == "0")
        let shown = Self.run("timeout 20 holdfast status $S", place)
        #expect(shown.last == status, "\(shown)")
        let made = Self.run("timeout 20 holdfast create one $S", place)
        #expect(made.last == create, "\(made)")
        if status == "3" {
            #expect(shown.contains { $0.contains("is damaged") }, "\(shown)")
            // A set-up is none of its business.
            let recovered = name == "setup.json" ? "0" : create
            #expect(Self.run("timeout 20 holdfast recover $S", place).last == recovered)
        }
    }

    @Test("A deletion is stale where one of its points is another, pinned or gone by then")
    func destroy() throws {
        let place = try Place(.tree)
        let tree = try place.setUp()
        let changes: [() throws -> Void] = [
            { try tree.setPinned(true, "one") }, { try tree.destroy(["one"], factory: false) },
            {
                try tree.destroy(["one"], factory: false)
                _ = try tree.create(PointRequest(name: "one"), user: "test")
            },
        ]
        for change in changes {
            if try !tree.points().contains(where: { $0.name == "one" }) {
                _ = try tree.create(PointRequest(name: "one"), user: "test")
            }
            let plan = try tree.planDestroy(["one"], factory: false)
            try change()
            let names = try tree.points().map(\.name)
            #expect(throws: StalePlan.self) { try tree.destroy(plan, holding: tree.lock()) }
            #expect(try tree.points().map(\.name) == names)
            if try tree.points().contains(where: { $0.name == "one" && $0.isPinned }) {
                try tree.setPinned(false, "one")
            }
        }
        // A point that is made meanwhile has nothing to do with it.
        if try !tree.points().contains(where: { $0.name == "one" }) {
            _ = try tree.create(PointRequest(name: "one"), user: "test")
        }
        let plan = try tree.planDestroy(["one"], factory: false)
        _ = try tree.create(PointRequest(name: "two"), user: "test")
        try tree.destroy(plan, holding: tree.lock())
        #expect(try tree.points().map(\.name) == ["two"])
    }

    /// What is planned, how, and what shows that it was done.
    static let commands: [(command: String, before: String, done: String)] = [
        ("rollback one", "true", "grep -q one $T/file"),
        ("undo", "holdfast rollback one --yes $S && echo three > $T/file", "grep -q two $T/file"),
        ("factory-reset", "true", "grep -q none $T/file"),
        ("destroy one", "true", "! holdfast status $S | grep -q one"),
        (
            "filter commit --all --path $T/filtered",
            "holdfast filter enable --path $T/filtered --size 32MB $S && echo new > $T/filtered/new",
            "holdfast filter discard --yes $S && grep new $T/filtered/new"
        ),
        (
            "filter discard --path $T/filtered",
            "holdfast filter enable --path $T/filtered --size 32MB $S && echo new > $T/filtered/new",
            "! test -e $T/filtered/new"
        ),
        (
            "filter disable --path $T/filtered",
            "holdfast filter enable --path $T/filtered --size 32MB $S && echo new > $T/filtered/new",
            "! test -e $T/filtered/new && echo x > $T/filtered/x"
        ),
        ("wipe $T/file", "true", "! test -e $T/file"),
        (
            "wipe $(cat loop) --confirm $(cat loop | sed s,.*/,,)", "losetup -f --show disk > loop",
            "losetup -d $(cat loop); ! cmp -n 65536 -s disk /dev/zero"
        ),
    ]

    @Test(
        "With --dry-run it shows a plan and does nothing, with another --plan it is refused, with that one it is done",
        arguments: commands)
    func planned(_ command: String, _ before: String, _ done: String) throws {
        let place = try Place(.tree)
        defer {
            Self.run("losetup -d $(cat loop); holdfast filter disable --path $T/filtered --yes $S", place)
            shell(
                "umount -l \(place.root)/filtered 2>/dev/null; rm -rf \(FilterMounts.base(of: place.root.appending("filtered")))"
            )
        }
        let prepared = Self.run(
            """
            set -e; mkdir -p $T/filtered; echo none > $T/file; truncate -s 8M disk; holdfast setup --root $T $S
            echo one > $T/file; holdfast create one $S; echo two > $T/file; \(before)
            """, place)
        try #require(prepared.last == "0", "\(prepared)")
        let look = "find $T -type f -exec cat {} +; holdfast status $S; cmp -n 65536 disk /dev/zero"
        let state = Self.run(look, place)
        let shown = Self.run("holdfast \(command) --dry-run $S", place)
        #expect(shown.last == "0", "\(shown)")
        #expect(Self.run(look, place) == state)
        let id = try #require(shown.first { $0.hasPrefix("plan ") }).dropFirst(5)
        #expect(id.count == 16)
        #expect(
            Self.run("holdfast \(command) --dry-run --json $S", place).joined().contains("\"plan\":\"\(id)\""),
            "\(shown)")
        let refused = Self.run("holdfast \(command) --plan 0123456789abcdef --yes $S", place)
        #expect(refused.last == "4" && refused.contains { $0.contains("no longer fits") }, "\(refused)")
        #expect(Self.run(look, place) == state)
        let carriedOut = Self.run("holdfast \(command) --plan \(id) --yes $S", place)
        #expect(["0", "3"].contains(carriedOut.last), "\(carriedOut)")
        let seen = Self.run(done, place)
        #expect(seen.last == "0", "\(seen)")
    }

    /// Runs a command line with `holdfast` in its path; the exit status is the last line.
    @discardableResult
    static func run(_ command: String, _ place: Place) -> [String] {
        shell(
            """
            export HOME=\(place.scratch)/home; export XDG_CONFIG_HOME=$HOME/c XDG_STATE_HOME=$HOME/s XDG_CACHE_HOME=$HOME/k HOLDFAST_CONFIG=
            mkdir -p $HOME/bin; ln -sf \(builtProgram) $HOME/bin/holdfast
            PATH=$HOME/bin:$PATH; S="--state \(place.state)"; T=\(place.root); cd \(place.scratch); ( \(command) ) >$HOME/out 2>&1; s=$?; tr -d "\\r" <$HOME/out; echo $s
            """
        ).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
}
