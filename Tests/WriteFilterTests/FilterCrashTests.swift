// A command of the filter that is killed between any two system calls leaves, at the next start, what was decided before or after
// it, and what is protected as it was or with all that was committed.

import Glibc
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing
import WriteFilter

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "filters are mounted by root"))
struct FilterCrashTests {
    private static let changes = [
        "write", "rename", "renameat", "unlink", "unlinkat", "mkdir", "mkdirat", "fchown", "fchownat", "fchmod",
        "utimensat", "fsetxattr", "fsync", "syncfs", "mount", "umount2", "ioctl", "linkat", "renameat2", "symlinkat",
        "open_tree", "move_mount", "fsmount",
    ]

    /// Runs a command, and the programs that it calls, killed at a call; whether it came to its end.
    private func run(_ command: String, _ place: FilteredPlace, killedAt call: String, _ number: Int) -> Bool {
        shell(
            """
            HOME=\(place.scratch) HOLDFAST_CONFIG= strace -f -qq -o /dev/null -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number) \
            \(builtProgram) \(command) --state \(place.state) --yes --quiet >\(place.scratch)/out 2>&1; echo $?
            """) == "0\n"
    }

    /// The machine starts again: mounts are gone, and the start runs.
    private func restart(_ place: FilteredPlace) throws {
        place.leave()
        let alarms = try place.start()
        try #require(alarms == [], "\(alarms)")
    }

    @Test("A commit that is killed anywhere brings everything or nothing")
    func commit() throws {
        let place = try FilteredPlace()
        let old = "mkdir -p conf data; echo 1 > conf/a; echo 2 > b; echo 3 > data/c"
        let new =
            "echo bad > conf/a; rm -r b data; mkdir -p new/deep; echo n > new/deep/n; echo x > data; ln -s a conf/l"
        shell("cd \(place.root); \(old)")
        try place.setUp()
        try place.enable()
        let before = place.look(times: false)
        shell("cd \(place.root); \(new)")
        let after = place.look(times: false)
        var seen = (old: 0, new: 0)
        let places = try forEachPlace(of: Self.changes, step: 5) { call, number in
            let isWhole = run("filter commit --all --path \(place.root)", place, killedAt: call, number)
            try restart(place)
            let now = place.look(times: false)
            try #require(now == after || now == before && !isWhole, "killed at \(call) \(number): a mixture\n\(now)")
            try #require(shell("ls -A \(place.root) | grep -c holdfast") == "0\n", "killed at \(call) \(number)")
            if now == after { seen.new += 1 } else { seen.old += 1 }
            // Back to where the next one begins.
            _ = try place.filter.disable(place.root, holding: place.filter.lock())
            shell("cd \(place.root); rm -rf *; \(old)")
            try place.enable()
            let names = try ProtectedTree.points(state: place.state).map(\.name)
            let tree = try ProtectedTree.open(state: place.state, progress: Progress(), findings: Findings())
            try tree.destroy(tree.planDestroy(names, factory: true), holding: tree.lock())
            shell("cd \(place.root); \(new)")
            return isWhole
        }
        print("a commit killed at \(places) places, \(seen.old) times nothing of it")
        #expect(seen.old > 3 && seen.new > Self.changes.count)
    }

    @Test("Enabling, excepting and disabling that are killed anywhere are decided or not, and the next start follows")
    func decisions() throws {
        let place = try FilteredPlace()
        shell("cd \(place.root); mkdir log data; echo 1 > a; echo l > log/l")
        try place.setUp()
        let options = "--path \(place.root)"
        let places = try forEachPlace(of: Self.changes, step: 5) { call, number in
            var isWhole = run("filter enable --size 32MB \(options)", place, killedAt: call, number)
            try restart(place)
            let isEnabled = try place.filter.plans().first?.isEnabled ?? false
            try #require(isEnabled || !isWhole, "killed at \(call) \(number)")
            try #require((FilterMounts.lower(of: place.root) != nil) == isEnabled)
            if !isEnabled { try place.enable(size: 32 << 20) }
            let isAdded = run("filter except add \(place.root)/log \(options)", place, killedAt: call, number)
            let exceptions = try place.status.plan.exceptions
            try #require(exceptions == [place.root.appending("log")] || exceptions.isEmpty && !isAdded)
            let isDisabled = run("filter disable \(options)", place, killedAt: call, number)
            try restart(place)
            let isWritable = try !place.status.plan.isEnabled
            try #require(isWritable || !isDisabled, "killed at \(call) \(number)")
            try #require((FilterMounts.lower(of: place.root) == nil) == isWritable)
            try #require(shell("cat \(place.root)/a \(place.root)/log/l") == "1\nl\n")
            _ = try place.filter.disable(place.root, holding: place.filter.lock())
            isWhole = isWhole && isAdded && isDisabled
            let names = try ProtectedTree.points(state: place.state).map(\.name)
            let tree = try ProtectedTree.open(state: place.state, progress: Progress(), findings: Findings())
            try tree.destroy(tree.planDestroy(names, factory: true), holding: tree.lock())
            shell("rm -r \(place.state)/filter")
            return isWhole
        }
        print("enabling, excepting and disabling killed at \(places) places")
        #expect(places > 20)
    }
}
