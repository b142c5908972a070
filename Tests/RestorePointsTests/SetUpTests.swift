// Protecting a tree and taking that back, and points whose state is lost.

import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct SetUpTests {
    private func run(_ words: String, _ place: Place, before: String = "", behind: String = "") -> (
        status: String, said: String
    ) {
        let said = shell(
            """
            export HOME=\(place.scratch)/home XDG_CONFIG_HOME=\(place.scratch)/c XDG_STATE_HOME=\(place.scratch)/s XDG_CACHE_HOME=\(place.scratch)/k HOLDFAST_CONFIG=
            cd /; \(before) \(builtProgram) \(words) --state \(place.state)\(behind) 2>&1; echo $?
            """
        ).replacing("\r", with: "").split(separator: "\n").map(String.init)
        return (said.last ?? "", said.dropLast().joined(separator: "\n"))
    }

    @Test("A set-up beside a store of points whose key is lost is refused, and leaves nothing half-way")
    func lostKey() throws {
        let place = try Place(.tree)
        place.write("file", "good")
        try #require(run("setup --root \(place.root)", place).status == "0")
        shell(
            "cd \(place.state); mkdir ../kept; mv identity.txt store ../kept; chattr -R -f -a .; rm -r *; mv ../kept/store ."
        )
        for _ in 1...2 {
            let refused = run("setup --root \(place.root)", place)
            #expect(refused.status == "4" && refused.said.contains("nothing else opens the points in"), "\(refused)")
            #expect(!exists(place.state.appending("protected.json")) && !exists(place.state.appending("identity.txt")))
        }
        #expect(run("status", place).status == "2")
        shell("mv \(place.state)/../kept/identity.txt \(place.state)")
        // The key that writes is another one, and it is made anew.
        let again = run("setup --root \(place.root)", place)
        #expect(again.status == "0", "\(again)")
        shell("rm -r \(place.state)/machine; echo bad >\(place.root)/file")
        for words in ["create other", "rollback factoryreset --yes", "undo --yes", "rollback factoryreset --yes"] {
            let outcome = run(words, place)
            #expect(outcome.status == "0", "\(words): \(outcome)")
        }
        #expect(shell("cat \(place.root)/file") == "good")
    }

    @Test(
        "Protection that is taken back leaves the tree, and its points where they are kept: another set-up has them",
        arguments: SemanticsTests.kinds)
    func removed(_ kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("file", "good")
        try #require(run("setup --root \(place.root)", place).status == "0")
        for words in ["create one", "pin one"] {
            let outcome = run(words, place)
            #expect(outcome.status == "0", "\(words): \(outcome)")
        }
        place.write("file", "bad")
        #expect(run("setup --remove", place, before: "setsid -w").status == "4", "there is nobody to ask")
        let removed = run("setup --remove --points keep --yes", place)
        #expect(removed.status == "0" && removed.said.contains("points: factoryreset, one"), "\(removed)")
        #expect(run("status", place).status == "2" && run("rollback one --yes", place).status == "2")
        #expect(shell("cat \(place.root)/file") == "bad")
        let other = place.scratch.appending("other")
        try makeFolders(other)
        let refused = run("setup --root \(other) --backend tree", place)
        #expect(refused.status == "4" && refused.said.contains("holds points of \(place.root)"), "\(refused)")
        let again = run("setup --root \(place.root)", place)
        #expect(again.status == "0" && again.said.contains("2 points of before are there again"), "\(again)")
        #expect(run("rollback one --yes", place).status == "0")
        #expect(shell("cat \(place.root)/file") == "good")

        #expect(run("setup --remove --points destroy --yes", place).status == "0")
        #expect(shell("cat \(place.root)/file") == "good")
        #expect(run("setup --root \(place.root)", place).status == "0")
        let tree = try place.open()
        #expect(try tree.points().map(\.name) == ["factoryreset"])
        #expect(try tree.pointsOfOthers().isEmpty, "nothing is left of what was destroyed")
        #expect(run("log verify", place).status == "0")
    }

    @Test(
        "Points whose state is lost are named by the next set-up, and can be adopted or removed",
        arguments: SemanticsTests.kinds.filter { $0 != .tree })
    func lost(_ kind: BackendKind) throws {
        let place = try Place(kind)
        place.write("file", "good")
        try #require(run("setup --root \(place.root)", place).status == "0")
        place.write("file", "better")
        #expect(run("create one", place).status == "0")
        place.write("file", "bad")
        shell("chattr -R -f -ia \(place.state); rm -rf \(place.state)")
        let named = run("setup --root \(place.root)", place)
        let id = try #require(named.said.split(separator: "--adopt ").last?.prefix(16))
        #expect(named.status == "0" && named.said.contains("2 points of another set-up, \(id), are here"), "\(named)")
        #expect(run("setup --remove --points destroy --yes", place).status == "0")
        #expect(run("setup --root \(place.root) --adopt 0123456789abcdef --yes", place).status == "2")
        let adopted = run("setup --root \(place.root) --adopt \(id) --yes", place)
        #expect(adopted.status == "0" && adopted.said.contains("2 points of before are there again"), "\(adopted)")
        let points = try place.open().points()
        #expect(
            points.count == 3 && points.map(\.name).prefix(2).allSatisfy { $0.hasPrefix("found.") },
            "\(points.map(\.name))")
        #expect(abs(points[1].time - Timestamp.now().seconds) < 600)
        #expect(run("rollback \(points[1].name) --yes", place).status == "0")
        #expect(shell("cat \(place.root)/file") == "better")
        #expect(run("rollback \(points[0].name) --yes", place).status == "0")
        #expect(shell("cat \(place.root)/file") == "good")
        #expect(run("destroy \(points[0].name) --yes", place).status == "0")
    }

    @Test("Without --root it says what it found, and asks; where nobody is there to ask, it is a mistake of usage")
    func proposed() throws {
        let place = try Place(.tree)
        let usage = run("setup", place, before: "setsid -w")
        #expect(usage.status == "2" && usage.said.contains("--root PATH"))
        let asked = shell(
            """
            export HOME=\(place.scratch)/home HOLDFAST_CONFIG=
            printf 'no\\n' | script -qec '\(builtProgram) setup --state \(place.state)' /dev/null; echo $?
            """)
        #expect(
            asked.contains("what Holdfast knows will be in \(place.state)")
                && asked.contains("Protect / with restore points?"))
        #expect(asked.hasSuffix("4\n") && !exists(place.state.appending("protected.json")), "\(asked)")
    }
}
