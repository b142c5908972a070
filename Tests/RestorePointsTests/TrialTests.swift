// A state on trial: not confirmed it returns by itself, byte for byte, and what did not hold stays as a point.

import Glibc
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct TrialTests {
    static let kinds: [BackendKind] = [.btrfs, .tree]

    /// What a test itself calls at each start.
    private static var terms: TrialTerms {
        var terms = TrialTerms()
        terms.level = 0
        return terms
    }

    /// A tree with the point `good`, gone bad since.
    private func fill(_ place: Place) throws -> (tree: ProtectedTree, good: String, bad: String) {
        shell("cd \(place.root) && mkdir -p a/b && for i in 1 2 3; do echo $i > a/$i; done && echo x > only-good")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        let good = place.look()
        shell("cd \(place.root) && echo bad > a/1 && rm -r a/b only-good && echo y > only-bad")
        return (tree, good, place.look())
    }

    private func tryGood(_ tree: ProtectedTree, _ terms: TrialTerms = Self.terms) throws {
        _ = try tree.carryOut(
            tree.planRollback(to: tree.point(named: "good"), discardNewer: false, trial: terms), user: "test")
    }

    private func trial(_ place: Place) throws -> Trial? { try ProtectedTree.trial(state: place.state) }

    /// A start of the machine, as the unit that counts them has it.
    @discardableResult
    private func start(_ place: Place, _ boot: String) throws -> ProtectedTree.TrialAtStart {
        let tree = try place.open()
        let lock = try tree.lock()
        try tree.recover(holding: lock)
        return try tree.meetTrial(isBoot: false, boot: boot, lines: { ["the last line"] }, holding: lock)
    }

    private func left(_ place: Place) throws -> [RestorePoint] {
        try place.open().points().filter { $0.origin == .beforeRollback }
    }

    @Test(
        "Not confirmed, it returns at the second start, byte for byte, and what did not hold is a point",
        arguments: kinds)
    func notConfirmed(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (tree, good, bad) = try fill(place)
        try tryGood(tree)
        #expect(try trial(place)?.stage == .open && trial(place)?.triesLeft == 1 && place.look() == good)
        guard case .open(let counted) = try start(place, "one") else { Issue.record("it is not open"); return }
        #expect(counted.triesLeft == 0 && counted.starts == 1)
        guard case .open = try start(place, "one") else { Issue.record("a start is counted twice"); return }
        shell("echo written on trial > \(place.root)/late")
        let late = place.look()
        guard case .returned(_, let switched) = try start(place, "two") else {
            Issue.record("it has not returned")
            return
        }
        #expect(!switched.isPending && place.look() == bad)
        let failed = try #require(try trial(place))
        #expect(failed.stage == .failed && failed.lines == ["the last line"] && failed.ended != nil)
        #expect(try tree.point(named: "good").failedTrial == failed.reason && failed.reason != nil)
        guard case .none = try start(place, "three") else { Issue.record("it is not at its end"); return }
        #expect(place.look() == bad, "it is not tried again")
        // What did not hold is there, with all that was written in it.
        let point = try #require(try left(place).last)
        #expect(point.failedTrial != nil)
        _ = try tree.carryOut(tree.planRollback(to: point, discardNewer: false), user: "test")
        #expect(place.look() == late)
        #expect(try trial(place) == nil, "whoever goes on has taken note of it")
    }

    @Test("A point whose trial has failed is tried again only when that is said", arguments: kinds)
    func again(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (tree, good, bad) = try fill(place)
        try tryGood(tree)
        try start(place, "one")
        try start(place, "two")
        let plan = try tree.planRollback(to: tree.point(named: "good"), discardNewer: false, trial: Self.terms)
        #expect(plan.findings.filter(\.isRefusal).map(\.code) == ["trial-failed-before"])
        #expect(throws: PointError.self) { try tree.carryOut(plan, user: "test") }
        #expect(place.look() == bad)
        var terms = Self.terms
        terms.isAgain = true
        try tryGood(tree, terms)
        #expect(try trial(place)?.stage == .open && place.look() == good)
        try start(place, "three")
        let lock = try tree.lock()
        guard case .kept = try tree.confirmTrial(holding: lock) else { Issue.record("it is not kept"); return }
        #expect(try tree.point(named: "good").failedTrial == nil)
    }

    @Test("Confirmed, it stays, however often the machine starts", arguments: kinds)
    func confirmed(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (tree, good, _) = try fill(place)
        try tryGood(tree)
        try start(place, "one")
        do {
            let lock = try tree.lock()
            guard case .kept(let trial) = try tree.confirmTrial(holding: lock) else {
                Issue.record("it is not kept")
                return
            }
            #expect(trial.target == "good")
            guard case .none = try tree.confirmTrial(holding: lock) else { Issue.record("kept twice"); return }
        }
        for boot in ["two", "three", "four"] { try start(place, boot) }
        #expect(try place.look() == good && trial(place) == nil)
        #expect(!exists(place.state.appending("journal/trial.reserve")))
    }

    @Test("While it is open, nobody goes elsewhere or destroys what it returns to, and undo returns", arguments: kinds)
    func open(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (tree, good, bad) = try fill(place)
        _ = try tree.create(PointRequest(name: "bad"), user: "test")
        try tryGood(tree)
        let back = try #require(try trial(place)).returnTo
        func refuses(_ body: () throws -> Void) -> Bool {
            do { try body() } catch let error as PointError {
                return error.exitStatus == 4 && error.mend?.contains("holdfast confirm") == true
            } catch { return false }
            return false
        }
        #expect(refuses { _ = try tree.planRollback(to: tree.point(named: "bad"), discardNewer: false) })
        #expect(refuses { _ = try tree.planFactoryReset(to: nil, forTransfer: false) })
        #expect(refuses { _ = try tree.planDestroy([back], factory: true) })
        #expect(refuses { _ = try tree.planUndo(trial: Self.terms) })
        #expect(refuses { _ = try tree.endProtection(tree.planEnd(keepingPoints: true), holding: tree.lock()) })
        #expect(refuses { _ = try tree.beginTrial(Self.terms, returningTo: "bad", user: "", holding: tree.lock()) })
        #expect(place.look() == good)
        _ = try tree.create(PointRequest(name: "meanwhile"), user: "test")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(try place.look() == bad && trial(place) == nil)
        #expect(try tree.points().allSatisfy { $0.failedTrial == nil }, "nobody says that it failed")
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(place.look() == good)
    }

    @Test("What was changed after `trial start` goes with the second start, back to the point", arguments: kinds)
    func update(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (tree, _, bad) = try fill(place)
        let begun = try tree.beginTrial(Self.terms, returningTo: nil, user: "test", holding: tree.lock())
        #expect(begun.returnTo.hasPrefix("before-trial.") && begun.deadline() == nil)
        shell("cd \(place.root) && echo updated > a/1 && mkdir new && echo n > new/file")
        let updated = place.look()
        guard case .open = try start(place, "one") else { Issue.record("it is not counted"); return }
        #expect(place.look() == updated)
        try start(place, "two")
        #expect(try place.look() == bad && trial(place)?.stage == .failed)
        let point = try #require(try left(place).last)
        #expect(try tree.diff(from: point, to: nil, content: true).isEmpty == false && point.failedTrial != nil)
        _ = try tree.carryOut(tree.planUndo(), user: "test")
        #expect(place.look() == updated)
    }

    @Test(
        "One copy of its record is enough; without both the machine starts, says it, and `confirm` mends it",
        arguments: kinds)
    func damaged(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (tree, good, bad) = try fill(place)
        try tryGood(tree)
        shell("echo garbage > \(place.state)/journal/trial.json")
        try start(place, "one")
        shell("rm \(place.state)/journal/trial.2.json")
        try start(place, "two")
        #expect(place.look() == bad)
        var terms = Self.terms
        terms.isAgain = true
        try tryGood(tree, terms)
        shell("cd \(place.state)/journal; echo garbage > trial.json; echo garbage > trial.2.json")
        #expect(throws: PointError.self) { try start(place, "three") }
        #expect(place.look() == good, "nothing is done that nobody knows")
        #expect(try ProtectedTree.overview(state: place.state).obstacle?.mend?.contains("holdfast confirm") == true)
        #expect(throws: PointError.self) { try tree.create(PointRequest(name: "x"), user: "test") }
        do {
            let lock = try tree.lock()
            guard case .unreadable = try tree.confirmTrial(holding: lock) else { Issue.record("read"); return }
        }
        _ = try tree.create(PointRequest(name: "x"), user: "test")
        #expect(place.look() == good)
    }

    @Test("A folder that nothing at the start of this machine would return is not put on trial")
    func refused() throws {
        let place = try Place(.tree)
        let (tree, _, bad) = try fill(place)
        let plan = try tree.planRollback(to: tree.point(named: "good"), discardNewer: false, trial: TrialTerms())
        let refusals = plan.findings.filter(\.isRefusal)
        #expect(refusals.map(\.code) == ["trial-no-start"] && refusals.allSatisfy { $0.mend != nil })
        #expect(throws: PointError.self) { try tree.carryOut(plan, user: "test") }
        #expect(try place.look() == bad && trial(place) == nil)
    }

    @Test("On a disk without room for anything the start is counted all the same, and the next one returns")
    func fullDisk() throws {
        let place = try Place(.btrfs)
        let (tree, good, bad) = try fill(place)
        // The state on a small disk of its own, which others have filled.
        shell(
            """
            cd \(place.scratch); mv state kept; mkdir state; truncate -s 24M small; mkfs.ext4 -q -m 0 small; mount -o loop small state
            cp -a kept/. state/; chattr -R -f -ia kept; rm -rf kept
            """)
        defer { shell("chattr -R -f -ia \(place.state); umount \(place.state)") }
        try tryGood(tree)
        func fillUp() {
            shell(
                "cd \(place.state); cat /dev/zero >> filler 2>/dev/null; sync; for i in $(seq 3000); do echo x > f$i || break; done 2>/dev/null; sync"
            )
        }
        fillUp()
        #expect(
            shell("echo x > \(place.state)/one-more-file; cat \(place.state)/one-more-file") == "", "it is not full")
        guard case .open(let counted) = try start(place, "one") else { Issue.record("not counted"); return }
        #expect(try counted.triesLeft == 0 && trial(place)?.triesLeft == 0 && place.look() == good)
        guard case .returned = try start(place, "two") else { Issue.record("not returned"); return }
        #expect(try place.look() == bad && trial(place)?.stage == .failed)
    }

    @Test(
        "The recovery system returns, whether or not a start was counted, and once; what was written stays as a point",
        arguments: kinds)
    func atRest(_ kind: BackendKind) throws {
        for counted in [false, true] {
            let place = try Place(kind)
            let (tree, _, bad) = try fill(place)
            try tryGood(tree)
            if counted { try start(place, "one") }
            shell("echo written on trial > \(place.root)/late")
            func atRest() throws -> ProtectedTree.TrialAtStart {
                let tree = try place.open()
                let lock = try tree.lock()
                return try tree.returnAtRest(reason: "it did not start", holding: lock)
            }
            guard case .returned(let trial, _) = try atRest() else { Issue.record("not returned"); continue }
            #expect(place.look() == bad && trial.stage == .failed && trial.reason == "it did not start")
            guard case .none = try atRest() else { Issue.record("returned twice"); continue }
            guard case .none = try start(place, "two") else { Issue.record("not at its end"); continue }
            #expect(place.look() == bad)
            let point = try #require(try left(place).last)
            #expect(try tree.diff(from: point, to: nil, content: false).contains { "\($0)".contains("late") })
        }
    }

    @Test("The point that is on trial stays as long as the trial is open", arguments: kinds)
    func target(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (tree, _, _) = try fill(place)
        try tryGood(tree)
        #expect(throws: PointError.self) { try tree.planDestroy(["good"], factory: true) }
        do {
            let lock = try tree.lock()
            _ = try tree.confirmTrial(holding: lock)
        }
        #expect(try tree.planDestroy(["good"], factory: true).points.count == 1)
    }

    @Test("Where the point to return to is gone that is said, and nothing pretends that the trial was confirmed")
    func returnPointGone() throws {
        let place = try Place(.tree)
        let (tree, good, _) = try fill(place)
        try tryGood(tree)
        try start(place, "one")
        let name = try #require(try trial(place)).returnTo
        for file in ["points.json", "points.2.json"] {
            shell(
                """
                python3 -c 'import json; p = "\(place.state)/\(file)"; t = json.load(open(p))
                t["points"] = [one for one in t["points"] if one["name"] != "\(name)"]; t.pop("undo", None)
                json.dump(t, open(p, "w"))'
                """)
        }
        for boot in ["two", "three"] { _ = try? start(place, boot) }
        #expect(try trial(place)?.problem?.contains(name) == true && trial(place)?.isOpen == true)
        #expect(place.look() == good)
        let lock = try tree.lock()
        guard case .kept = try tree.confirmTrial(holding: lock) else { Issue.record("not confirmed"); return }
        #expect(try trial(place) == nil)
    }

    @Test("A folder in the place of its record is damage that `confirm` takes away")
    func recordIsFolder() throws {
        let place = try Place(.tree)
        let (tree, good, _) = try fill(place)
        try tryGood(tree)
        shell(
            "cd \(place.state)/journal; rm trial.json trial.2.json; mkdir -p trial.json/x trial.2.json; echo y > trial.json/x/y"
        )
        #expect(throws: PointError.self) { try tree.create(PointRequest(name: "x"), user: "test") }
        do {
            let lock = try tree.lock()
            guard case .unreadable = try tree.confirmTrial(holding: lock) else { Issue.record("read"); return }
        }
        _ = try tree.create(PointRequest(name: "x"), user: "test")
        #expect(try trial(place) == nil && place.look() == good)
    }
}
