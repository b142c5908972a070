// A trial whose begin is killed anywhere: the old state without a trial, or the new one with it.

import Glibc
import Machine
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct TrialCrashTests {
    private static let changes =
        runsAll
        ? ["write", "rename", "renameat2", "unlink", "unlinkat", "mkdirat", "ioctl", "fsync", "syncfs"]
        : ["rename"]

    /// Runs a command that is killed at a call, in a start of the machine of that name.
    private func run(_ command: String, _ place: Place, start: String? = nil, killedAt call: String, _ number: Int)
        -> Bool
    {
        let environment =
            "HOME=\(place.scratch) XDG_CONFIG_HOME=\(place.scratch)/c XDG_STATE_HOME=\(place.scratch)/s XDG_CACHE_HOME=\(place.scratch)/k HOLDFAST_CONFIG="
        let other = start.map {
            "echo \($0) > \(place.scratch)/id; mount --bind \(place.scratch)/id /proc/sys/kernel/random/boot_id;"
        }
        let trace =
            call.isEmpty
            ? "" : "strace -f -qq -o /dev/null -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number)"
        return shell(
            """
            unshare -m --propagation private /bin/sh -c '\(other ?? "") \(environment) \(trace) \
            \(builtProgram) \(command) --state \(place.state) --yes --quiet >\(place.scratch)/out 2>&1'; echo $?
            """) == "0\n"
    }

    private func fill(_ place: Place) throws -> (good: String, bad: String) {
        shell("cd \(place.root) && mkdir -p a/b && for i in 1 2 3; do echo $i > a/$i; done && echo x > only-good")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        let good = place.look()
        shell("cd \(place.root) && echo bad > a/1 && rm -r a/b only-good && echo y > only-bad")
        _ = try tree.create(PointRequest(name: "bad"), user: "test")
        return (good, place.look())
    }

    private func tidy(_ place: Place) throws {
        let tree = try place.open()
        let lock = try tree.lock()
        _ = try tree.confirmTrial(holding: lock)
        let names = try tree.points().map(\.name).filter { $0 != "good" && $0 != "bad" }
        if !names.isEmpty { try tree.destroy(tree.planDestroy(names, factory: false), holding: lock) }
    }

    @Test(
        "A rollback on trial that is killed anywhere is the old state without a trial, or the new one that returns",
        arguments: TrialTests.kinds)
    func begin(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (good, bad) = try fill(place)
        var states = (old: 0, new: 0)
        let places = try forEachPlace(of: Self.changes, step: 6) { call, number in
            let what = "killed at \(call) \(number)"
            let isWhole = run("rollback good --trial --trial-level 0 --again", place, killedAt: call, number)
            try place.open().recover()
            let now = place.look()
            let trial = try ProtectedTree.trial(state: place.state)
            try #require(now == good || now == bad && !isWhole, "\(what): a mixture")
            try #require((now == good) == (trial?.isOpen == true), "\(what): \(trial as Any)")
            if now == good {
                states.new += 1
                for start in ["one", "two"] {
                    try #require(run("recover --start", place, start: start, killedAt: "", 0), "\(what)")
                }
                try #require(
                    try place.look() == bad && ProtectedTree.trial(state: place.state)?.stage == .failed, "\(what)")
            } else {
                states.old += 1
            }
            try tidy(place)
            return isWhole
        }
        print("\(kind): a trial whose begin was killed at \(places) places, \(states.old) times the old state")
        #expect(states.old > 0 && states.new > 0, "\(states)")
    }

    @Test(
        "A start that is killed anywhere while it counts or returns is gone on with by the next, killed as well",
        arguments: TrialTests.kinds)
    func starts(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let (good, bad) = try fill(place)
        let places = try forEachPlace(of: Self.changes, step: 20) { call, number in
            let what = "killed at \(call) \(number)"
            try #require(run("rollback good --trial --trial-level 0 --again", place, killedAt: "", 0), "\(what)")
            let isCounted = run("recover --start", place, start: "one", killedAt: call, number)
            try #require(place.look() == good, "\(what): the first start is not too many")
            let isWhole = run("recover --start", place, start: "two", killedAt: call, number)
            _ = run("recover --start", place, start: "three", killedAt: call, number)
            for start in ["four", "five"] {
                try #require(run("recover --start", place, start: start, killedAt: "", 0), "\(what)")
            }
            try #require(place.look() == bad, "\(what): it has not returned")
            try #require(try ProtectedTree.trial(state: place.state)?.stage == .failed, "\(what)")
            let tree = try place.open()
            let left = try tree.points().filter { $0.origin == .beforeRollback && $0.failedTrial != nil }
            try #require(left.count == 1, "\(what): \(left.map(\.name))")
            try #require(try tree.diff(from: tree.point(named: "good"), to: left[0], content: true).isEmpty, "\(what)")
            try tidy(place)
            return isCounted && isWhole
        }
        print("\(kind): starts of a trial killed at \(places) places")
        #expect(places > 1)
    }
}
