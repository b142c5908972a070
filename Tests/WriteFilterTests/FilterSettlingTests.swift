// A command of a folder's filter that is killed between any two system calls is brought to its end by the next one, within the same
// session: the folder is covered again, what is committed is on the disk, and what was not to be forgotten is seen.

import Glibc
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing
import WriteFilter

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "filters are mounted by root"))
struct FilterSettlingTests {
    /// The calls that move what covers the folder, and that part one step from the next. The long form kills at each of them.
    /// - Parameter sample: those of the short form.
    private func calls(_ sample: String...) -> [String] {
        runsAll
            ? [
                "move_mount", "umount2", "fsconfig", "open_tree", "fsmount", "renameat", "rename", "fsync", "unlink",
                "unlinkat",
                "mkdirat", "syncfs",
            ] : sample
    }
    private static let step = 9

    /// Runs the program, killed at a call; its exit status.
    private func holdfast(
        _ words: String, _ place: FilteredPlace, killedAt call: String = "", _ number: Int = 0, group: String = "filter"
    ) -> String {
        let strace =
            call.isEmpty
            ? "" : "strace -f -qq -o /dev/null -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number)"
        let folders = "HOME=\(place.scratch) XDG_CONFIG_HOME=\(place.scratch)/c XDG_STATE_HOME=\(place.scratch)/s"
        return shell(
            """
            \(folders) HOLDFAST_CONFIG= \(strace) \(builtProgram) \(group) \(words) --state \(place.state) >\(place.scratch)/out 2>&1; echo -n $?
            """)
    }

    private func said(_ place: FilteredPlace) -> String { shell("cat \(place.scratch)/out") }

    /// A folder with an exception, and with something mounted in it.
    private func filtered() throws -> FilteredPlace {
        let place = try FilteredPlace()
        try place.setUp()
        shell(
            """
            cd \(place.root); mkdir conf log nested; echo l >log/l; echo 1 >conf/a; echo 1 >b; echo 1 >gone
            mount -t tmpfs none nested; echo m >nested/m
            """)
        try place.enable()
        _ = try place.filter.addExceptions(
            [place.root.appending("log")], nil, to: place.root, holding: place.filter.lock())
        _ = try place.filter.discard(place.root, holding: place.filter.lock())
        return place
    }

    private static let old = "1\n1\n1\n"
    private static let new = "2\n2\nn\n"
    private func writeOld(_ place: FilteredPlace) {
        shell("cd \(place.root); echo 1 >conf/a; echo 1 >b; echo 1 >gone; rm -rf new late")
    }
    private func writeNew(_ place: FilteredPlace) {
        shell("cd \(place.root); echo 2 >conf/a; echo 2 >b; rm gone; mkdir new; echo n >new/n")
    }
    private func seen(_ place: FilteredPlace, _ folder: BytePath? = nil) -> String {
        shell("cd \(folder ?? place.root); cat conf/a b gone new/n 2>/dev/null; ls -A | grep holdfast")
    }

    /// Covered whole or not at all: exceptions reach the disk, what was mounted in it is seen, and no mount is left over.
    private func isCovered(_ place: FilteredPlace, _ what: String) throws -> Bool {
        let isCovered = FilterMounts.lower(of: place.root) != nil
        let mounts = shell(
            "grep -c -e ' \(place.root)[ /]' -e ' \(FilterMounts.base(of: place.root))/' /proc/self/mounts")
        // The one that is mounted in it; what is below, the memory, the cover, the same on it, and the exception.
        try #require(mounts == (isCovered ? "6\n" : "1\n"), "\(what): \(said(place)) \(shell("cat /proc/self/mounts"))")
        if isCovered {
            shell("touch \(place.root)/log/probe")
            try #require(shell("ls \(place.lower)/log; rm \(place.root)/log/probe") == "l\nprobe\n", "\(what)")
        }
        try #require(shell("cat \(place.root)/nested/m") == "m\n", "\(what)")
        return isCovered
    }

    /// After a kill: a folder that is not covered is no secret.
    private func checkAlarm(_ place: FilteredPlace, _ what: String) throws {
        let status = try place.status
        let isSaid = status.alarms.contains { $0.contains("goes on with it") }
        let isCovered = FilterMounts.lower(of: place.root) != nil
        try #require(isSaid || isCovered || !status.plan.isEnabled, "\(what): \(status.alarms)")
    }

    private func end(_ place: FilteredPlace, with words: String, _ what: String) throws {
        let status = holdfast(words, place)
        try #require(status == "0", "\(what), then \(words): \(said(place))")
        try #require(try place.status.alarms == [], "\(what), then \(words)")
    }

    @Test(
        "A commit that is killed anywhere is ended by the next command, and nothing that the session wrote is lost",
        arguments: [true, false])
    func commit(ofAll: Bool) throws {
        let place = try filtered()
        defer { place.leave() }
        let folder = "--path \(place.root)"
        let command = "commit --yes " + (ofAll ? "--all \(folder)" : "\(place.root)/conf/a \(place.root)/b")
        let committed = ofAll ? Self.new : "2\n2\n1\n"
        var (round, brought) = (0, 0)
        let places = try forEachPlace(
            of: ofAll ? calls("move_mount", "renameat") : calls("umount2"), step: Self.step
        ) { call, number in
            let what = "killed at \(call) \(number)"
            writeNew(place)
            let isWhole = holdfast(command, place, killedAt: call, number) == "0"
            try checkAlarm(place, what)
            let enders = [command, "enable \(folder)", "start"]
            try end(place, with: enders[round % 3], what)
            try #require(try isCovered(place, what) && seen(place) == Self.new, "\(what): \(seen(place))")
            let disk = seen(place, place.lower)
            if disk == committed { brought += 1 }
            try #require(
                disk == committed || disk == Self.old && round % 3 > 0 && !isWhole,
                "\(what), \(enders[round % 3]): \(disk)")
            writeOld(place)
            try #require(try place.commit(nil).isApplied)
            try #require(seen(place, place.lower) == Self.old)
            round += 1
            return isWhole
        }
        print("a commit killed at \(places) places, \(brought) times the next command ended it")
        #expect(places > 2 && brought > 1)
    }

    @Test(
        "A discard and the end of a filter that are killed anywhere are ended by the next command",
        arguments: ["discard", "disable"])
    func forgetting(_ verb: String) throws {
        let place = try filtered()
        defer { place.leave() }
        let folder = "--path \(place.root)"
        var round = 0
        let places = try forEachPlace(
            of: calls(verb == "discard" ? "move_mount" : "umount2"), step: Self.step
        ) { call, number in
            let what = "killed at \(call) \(number)"
            writeNew(place)
            let isWhole = holdfast("\(verb) --yes \(folder)", place, killedAt: call, number) == "0"
            try checkAlarm(place, what)
            let ender = ["\(verb) --yes \(folder)", "enable \(folder)", "start"][round % 3]
            try end(place, with: ender, what)
            let isEnabled = try place.status.plan.isEnabled
            try #require(
                try isCovered(place, what) == isEnabled || round % 3 == 2 && verb == "disable", "\(what), \(ender)")
            let now = seen(place)
            try #require(now == Self.old || now == Self.new && round % 3 > 0 && !isWhole, "\(what), \(ender): \(now)")
            if round % 3 == 0, verb == "disable" { try #require(!exists(FilterMounts.base(of: place.root))) }
            try place.enable()
            try #require(try isCovered(place, what))
            try #require(seen(place, place.lower) == Self.old, "\(what), \(ender)")
            writeOld(place)
            round += 1
            return isWhole
        }
        print("\(verb) killed at \(places) places")
        #expect(places > 1)
    }

    @Test("A start of a filter that is killed anywhere is ended by the next command, with what was written meanwhile")
    func enabling() throws {
        let place = try filtered()
        defer { place.leave() }
        let folder = "--path \(place.root)"
        var round = 0
        let places = try forEachPlace(of: calls("move_mount", "fsconfig"), step: Self.step) { call, number in
            let what = "killed at \(call) \(number)"
            _ = try place.filter.disable(place.root, holding: place.filter.lock())
            let isWhole = holdfast("enable \(folder)", place, killedAt: call, number) == "0"
            try checkAlarm(place, what)
            shell("echo late >\(place.root)/late")
            let ender = ["enable \(folder)", "disable --yes \(folder)", "start"][round % 3]
            try end(place, with: ender, what)
            let isEnabled = try place.status.plan.isEnabled
            try #require(try isCovered(place, what) == isEnabled && (isEnabled || !isWhole || round % 3 == 1))
            if round % 3 != 1 { try #require(shell("cat \(place.root)/late") == "late\n", "\(what), \(ender)") }
            try #require(seen(place) == Self.old)
            _ = try place.filter.disable(place.root, holding: place.filter.lock())
            shell("rm -f \(place.root)/late")
            let names = try ProtectedTree.points(state: place.state).map(\.name)
            let tree = try ProtectedTree.open(state: place.state, progress: Progress(), findings: Findings())
            try tree.destroy(tree.planDestroy(names, factory: true), holding: tree.lock())
            round += 1
            return isWhole
        }
        print("enabling killed at \(places) places")
        #expect(places > 1)
    }

    @Test(
        "What was cut short waits for whoever works in the folder, is kept meanwhile, and the filter's own mounts are nobody"
    )
    func inUse() throws {
        let place = try filtered()
        defer { place.leave() }
        let folder = "--path \(place.root)"
        writeNew(place)
        let number = (1...20).first { number in
            _ = holdfast("commit --yes --all \(folder)", place, killedAt: "move_mount", number)
            return FilterMounts.lower(of: place.root) == nil
        }
        try #require(number != nil)
        let child = shell("cd \(place.root); sleep 4000 >/dev/null 2>&1 & echo -n $!")
        defer { shell("kill \(child) 2>/dev/null") }
        for words in ["enable \(folder)", "discard --yes \(folder)", "start"] {
            let status = holdfast(words, place)
            #expect(status == (words == "start" ? "3" : "0"), "\(words): \(said(place))")
            let text = said(place)
            #expect(words == "start" || text.contains("sleep (\(child))") && !text.contains("is mounted at"), "\(text)")
            #expect(holdfast("status", place) == "3")
        }
        #expect(holdfast("commit --dry-run --all \(folder)", place) == "4")
        #expect(said(place).contains("goes on with it"))
        #expect(holdfast("recover", place, group: "") == "3")
        #expect(said(place).contains("sleep (\(child))"), "\(said(place))")
        #expect(holdfast("--remove --points destroy --yes", place, group: "setup") == "4")
        #expect(
            said(place).contains("a write filter is decided for \(place.root), or is not at its end"), "\(said(place))")
        shell("kill \(child); sleep 0.2")
        #expect(holdfast("recover", place, group: "") == "0", "\(said(place))")
        #expect(said(place).contains("went on with what was under way with the write filter of \(place.root)"))
        #expect(try place.status.alarms == [])
        #expect(try isCovered(place, "in use") && seen(place) == Self.new && seen(place, place.lower) == Self.new)
    }

    @Test(
        "What somebody writes to a folder that a commit left open when it was killed is neither replaced nor deleted by what goes on with it",
        arguments: ["syncfs", "renameat", "unlinkat"])
    func writtenMeanwhile(_ call: String) throws {
        let place = try filtered()
        defer { place.leave() }
        writeNew(place)
        shell("cd \(place.root); mkdir conf/sub; echo s >conf/sub/s")
        let command = "commit --yes --all --path \(place.root)"
        let number = (1...60).first { number in
            let isWhole = holdfast(command, place, killedAt: call, number) == "0"
            return isWhole || FilterMounts.lower(of: place.root) == nil
        }
        try #require(number != nil && shell("ls \(place.state)/journal").contains("commit"))
        shell(
            "cd \(place.root); echo late >b; echo late >gone; mkdir -p conf/sub; echo late >conf/sub/s; echo late >other"
        )
        #expect(holdfast("enable --path \(place.root)", place) == "3", "\(said(place))")
        let text = said(place)
        #expect(text.contains(".meanwhile.") && text.contains("gone: it was written to while its deletion"), "\(text)")
        let disk = place.lower
        #expect(shell("cd \(disk); cat b conf/a conf/sub/s new/n; cat gone other") == "2\n2\ns\nn\nlate\nlate\n")
        #expect(shell("cd \(disk); cat b.meanwhile.* conf/sub/s.meanwhile.*") == "late\nlate\n")
        #expect(shell("cd \(place.root); cat b.meanwhile.*") == "late\n")
        #expect(holdfast("status", place) == "0", "\(said(place))")
        #expect(shell("ls \(place.state)/journal") == "", "no commit is left")
    }

    @Test(
        "A discard that an error stops in the middle is said by status, and goes on with the next command",
        arguments: 1...4)
    func discardThatFails(_ number: Int) throws {
        let place = try filtered()
        writeNew(place)
        let failed = shell(
            """
            export HOME=\(place.scratch) XDG_STATE_HOME=\(place.scratch)/s HOLDFAST_CONFIG=
            strace -f -qq -o /dev/null -e trace=move_mount -e inject=move_mount:error=ENOSPC:when=\(number) \(builtProgram) filter discard \
                --path \(place.root) --state \(place.state) --yes >\(place.scratch)/out 2>&1; echo -n $?
            """)
        if failed != "0" { #expect(holdfast("status", place) == "3", "\(said(place))") }
        let again = holdfast(
            number % 2 == 0 ? "discard --path \(place.root) --yes" : "enable --path \(place.root)", place)
        #expect(again == "0", "\(failed): \(said(place))")
        #expect(try isCovered(place, "move_mount \(number)") && seen(place) == Self.old, "\(failed): \(said(place))")
        #expect(holdfast("status", place) == "0", "\(said(place))")
    }
}
