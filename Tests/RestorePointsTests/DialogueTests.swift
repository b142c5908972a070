// What people and programs meet: the dialogue, the exit statuses, and the words of the tool that many hands know.

import AuditLog
import Glibc
import Images
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct DialogueTests {
    /// Runs a command line with `holdfast` and `restorepoint` in its path; the exit status is the last line.
    private func run(_ command: String, _ place: Place) -> [String] {
        shell(
            """
            export HOME=\(place.scratch)/home; export XDG_CONFIG_HOME=$HOME/c XDG_STATE_HOME=$HOME/s XDG_CACHE_HOME=$HOME/k HOLDFAST_CONFIG=
            mkdir -p $HOME/bin; ln -sf \(builtProgram) $HOME/bin/holdfast; ln -sf \(builtProgram) $HOME/bin/restorepoint
            PATH=$HOME/bin:$PATH; S="--state \(place.state)"; cd \(place.scratch); { \(command); } >$HOME/out 2>&1; s=$?; tr -d "\\r" <$HOME/out; echo $s
            """
        ).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    @Test("restorepoint speaks the words of the tool that it stands for")
    func restorepoint() throws {
        let place = try Place(.tree)
        _ = run("holdfast setup --root plant $S", place)
        #expect(run("restorepoint create your-restorepoint $S", place) == ["your-restorepoint", "0"])
        #expect(
            run("restorepoint status $S", place)
                == ["last BE: \(place.root)", "factoryreset", "your-restorepoint", "0"])
        place.write("later", "x")
        let said = run("restorepoint rollback your-restorepoint --yes $S", place)
        #expect(said.first == "the following will be reset to your-restorepoint:")
        #expect(said.contains { $0.hasPrefix("nothing was deleted") } && said.last == "0")
        #expect(!exists(place.root.appending("later")))
    }

    @Test("Whoever is asked for a rollback sees the sum of what changes by it, and a dry run has it, too")
    func sum() throws {
        let place = try Place(.tree)
        for number in 1...5 { place.write("\(number)", "x") }
        _ = run("holdfast setup --root plant $S", place)
        place.write("1", "other")
        shell("cd \(place.root); rm 2 3; echo new > new")
        let sum = "what changes by that: 2 added, 1 removed, 1 changed, 1 in metadata only"
        #expect(run("holdfast rollback factoryreset --dry-run $S", place).contains(sum))
        #expect(
            run("holdfast rollback factoryreset --dry-run --json $S", place).joined().contains(
                #""changes":{"added":2,"removed":1,"changed":1"#))
        let asked = run("printf 'no\n' | script -qec \"holdfast rollback factoryreset $S\" /dev/null", place)
        #expect(asked.contains(sum) && asked.last == "4", "\(asked)")
        #expect(exists(place.root.appending("new")))
    }

    @Test(
        "Commands that are named can be typed as they stand, mistyped names meet what was meant, tables fit 80 columns")
    func words() throws {
        let place = try Place(.tree)
        place.write("file", "1")
        _ = run(
            "holdfast setup --root plant $S; holdfast create Commissioning --message \"$(printf %90s x)\" $S", place)
        let mistyped = run("holdfast rollback commisioning $S", place)
        #expect(
            mistyped == [
                "error: there is no point commisioning",
                "hint: did you mean the point Commissioning? `holdfast status --state \(place.state)` lists them", "2",
            ])
        let value = run("holdfast filter enable --overlay disc $S", place)
        #expect(value.contains { $0.contains("'memory' and 'disk'") } && value.last == "2", "\(value)")
        place.write("file", "2")
        _ = run("holdfast create later $S; holdfast rollback Commissioning --yes $S", place)
        // Of the point that the tree stands on, and not of the one that the rollback has made.
        #expect(run("holdfast diff $S 2>&1", place).contains { $0.hasPrefix("Commissioning → now: 0 added") })
        let table = run("script -qec 'stty cols 80; holdfast status --state \(place.state)' /dev/null", place)
        #expect(table.contains { $0.contains("before-rollback.") } && table.allSatisfy { $0.count <= 80 }, "\(table)")
    }

    @Test("A rollback that is refused is refused before anybody is asked, and names the filter that is in the way")
    func refusedFirst() throws {
        let place = try Place(.tree)
        place.write("in/file", "x")
        _ = run("holdfast setup --root plant $S", place)
        _ = run("holdfast filter enable --path $PWD/plant/in --size 32MB $S", place)
        let asked = run("printf 'y\\n' | script -qec \"holdfast rollback factoryreset $S\" /dev/null", place)
        #expect(asked.last == "4" && !asked.joined().contains("Bring"), "\(asked)")
        #expect(asked.joined().contains("a write filter covers \(place.root)/in"), "\(asked)")
        place.write("in/written", "x")
        #expect(
            run("setsid -w holdfast filter disable --path $PWD/plant/in $S", place).last == "4",
            "what would be forgotten is asked for")
        #expect(exists(place.root.appending("in/written")))
        #expect(run("holdfast filter disable --path $PWD/plant/in --yes $S", place).last == "0")
        #expect(run("holdfast rollback factoryreset --yes $S", place).last == "0")
    }

    @Test("Every changing command leaves its intent and its result on the log, refusals too")
    func log() throws {
        let place = try Place(.tree)
        _ = run("holdfast setup --root plant $S", place)
        let commands = [
            "create good", "status", "diff good", "rollback nope --yes", "rollback good --dry-run", "rollback good",
            "rollback good --yes", "undo --yes", "pin good", "destroy good --yes", "recover", "log",
        ]
        let ended = commands.map { run("setsid -w holdfast \($0) $S", place).last ?? "" }
        #expect(ended == ["0", "0", "0", "2", "0", "4", "0", "0", "0", "4", "0", "0"])
        let log = AuditLog(folder: place.state.appending("log"))
        let said = try log.records().dropFirst(3).map { record in
            "\(record.verb) \(record.phase.rawValue)" + (record.status.map { " \($0)" } ?? "")
        }
        #expect(
            said == [
                "create intent", "create result 0", "rollback intent", "rollback refusal 2", "rollback intent",
                "rollback refusal 4", "rollback intent", "rollback result 0", "undo intent", "undo result 0",
                "pin intent", "pin result 0", "destroy intent", "destroy refusal 4",
            ])
        #expect(run("holdfast log verify $S", place).first == "sound: 17 records, 0 heads noted elsewhere found in it")
        // Images carry the head; a log and a key that were put back are found from there.
        shell("cp -a \(place.state)/log \(place.scratch)/old")
        #expect(
            run("holdfast store init store --quiet; holdfast backup plant --to store --quiet $S", place).last == "0")
        #expect(run("holdfast log verify --from store $S", place).last == "0")
        shell(
            "chattr -a \(place.state)/log/audit.jsonl; rm -r \(place.state)/log; mv \(place.scratch)/old \(place.state)/log"
        )
        #expect(run("holdfast log verify $S", place).last == "0")
        let found = run("holdfast log verify --from store $S", place)
        #expect(found.first == "it does not contain record 17 as it was noted elsewhere" && found.last == "3")
    }

    @Test("Without a name a rollback asks by a numbered list and then for a yes; anything else changes nothing")
    func menu() throws {
        let place = try Place(.tree)
        _ = run("holdfast setup --root plant $S; holdfast create good $S", place)
        for (answers, isBack) in [
            ("9\\n", false), ("\\n", false), ("1\\nn\\n", false), ("nope\\ngood\\ny\\n", true), ("2\\ny\\n", true),
        ] {
            place.write("later", "x")
            let said = run("printf '\(answers)' | script -qec \"holdfast rollback $S\" /dev/null", place)
            #expect(said.contains { $0.contains("  factoryreset  ") } && said.contains { $0.contains("  good  ") })
            #expect(said.last == (isBack ? "0" : "4"), "\(said)")
            #expect(exists(place.root.appending("later")) == !isBack)
        }
    }

    @Test(
        "Every refusal has its status, one sentence and a mend, and changes nothing",
        arguments: [
            ("holdfast status --state /nowhere", 2), ("holdfast create good $S", 2), ("holdfast create 'a b' $S", 2),
            ("holdfast rollback nope --yes $S", 2), ("holdfast rollback good $S </dev/null", 4),
            ("holdfast undo --yes $S", 2),
            ("holdfast rollback good --plan 0123456789abcdef --yes $S", 4),
            ("holdfast destroy factoryreset --yes $S", 4),
            ("holdfast destroy nope --yes $S", 2), ("holdfast setup --root plant $S", 2),
            ("holdfast factory-reset --to nope --yes $S", 2), ("holdfast diff nope $S", 2),
            ("echo '{' > state/points.json; echo '{' > state/points.2.json; holdfast status $S", 4),
            ("rm state/points*.json; holdfast create x $S", 4),
            ("echo '{\"version\": 9}' > state/points.json; holdfast create x $S", 4),
            ("mkdir -p state/journal; echo '{' > state/journal/rollback.json; holdfast create x $S", 4),
            ("echo '{' > state/journal.json; holdfast create x $S", 4),
            ("setpriv --reuid 65534 --clear-groups holdfast create x $S", 4),
            ("holdfast setup --root /nowhere --state other", 1),
            ("holdfast setup --root plant --backend zfs --state other", 4),
        ])
    func refusals(_ command: String, _ status: Int) throws {
        let place = try Place(.tree)
        shell("chmod 755 \(place.scratch)")
        place.write("file", "as it was")
        _ = run("holdfast setup --root plant $S; holdfast create good $S", place)
        let before = place.look()
        // As without a terminal: nobody is there to ask.
        let said = run("setsid -w bash -c '\(command.replacingQuotes())'", place)
        #expect(said.last == "\(status)", "\(said)")
        #expect(said.count { $0.hasPrefix("error: ") } == 1, "\(said)")
        #expect(place.look() == before)
    }
}

extension String {
    /// For use between single quotes.
    fileprivate func replacingQuotes() -> String {
        split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
            .split(separator: "$S", omittingEmptySubsequences: false).joined(separator: "'\"$S\"'")
    }
}
