// `holdfast prune --points`: what the rules do not keep goes, what a machine needs stays, and nothing goes that nobody has seen.

import Platform
import TestSupport
import Testing

@Suite(.enabled(if: HostFacts.isRoot, "trees are protected by root"))
struct PrunePointsTests {
    /// A tree with the factory point and eight more, of the last eight days at this hour: day-7 … day-0.
    private func protected() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 0 >tree/a; holdfast setup --root $PWD/tree --state $PWD/state --yes --quiet
            for day in 7 6 5 4 3 2 1 0; do
              echo $day >tree/a; holdfast create day-$day --state $PWD/state --tag line=3 --quiet
            done
            cat >age.py <<'E'
            import json
            for name in ("state/points.json", "state/points.2.json"):
                table = json.load(open(name))
                for point in table["points"]:
                    if point["name"].startswith("day-"): point["time"] -= 86400 * int(point["name"][4:])
                    else: point["time"] -= 86400 * 30
                json.dump(table, open(name, "w"))
            E
            python3 age.py
            """)
        return place
    }

    private func points(_ place: Workplace) -> [String] {
        place.shell(
            "holdfast status --state $PWD/state --json | python3 -c 'import json, sys; [print(p[\"name\"]) for p in json.load(sys.stdin)[\"points\"]]'"
        ).output.split(separator: "\n").map(String.init)
    }

    private func prune(_ place: Workplace, _ words: String) -> Outcome {
        place.shell("setsid -w holdfast prune --points --state $PWD/state \(words)")
    }

    private static let all = ["factoryreset"] + (0...7).reversed().map { "day-\($0)" }

    @Test("A dry run says of each point whether it goes or why it stays, and changes nothing; its plan does just that")
    func plan() {
        let place = protected()
        let dry = prune(place, "--keep-daily 5 --dry-run")
        #expect(dry.status == 0, "\(dry)")
        for day in 0...4 { #expect(dry.output.contains(/day-\d of \S+ stays: daily snapshot/), "\(day): \(dry)") }
        #expect(dry.output.contains(/day-5 of \S+ goes\n/) && dry.output.contains(/day-7 of \S+ goes\n/), "\(dry)")
        #expect(dry.output.contains("stays: factory point\n") && dry.output.contains("3 of 9 points go"), "\(dry)")
        #expect(points(place) == Self.all)
        let id = dry.output.firstMatch(of: /plan ([0-9a-f]{16})/)?.1 ?? ""
        #expect(prune(place, "--keep-daily 6 --plan \(id) --yes").status == 4)
        let bare = prune(place, "--plan \(id) --yes")
        #expect(
            bare.status == 4 && bare.output.contains("`holdfast prune --points --keep-daily 7 --plan \(id) --state "),
            "\(bare)"
        )
        #expect(points(place) == Self.all)
        let done = prune(place, "--keep-daily 5 --plan \(id) --yes")
        #expect(done.status == 0 && done.output.contains("destroyed 3 points: day-7, day-6, day-5"), "\(done)")
        #expect(points(place) == Self.all.filter { !["day-7", "day-6", "day-5"].contains($0) })
        let again = prune(place, "--keep-daily 5")
        #expect(again.status == 0 && again.output.contains("nothing goes; 6 points stay"), "\(again)")
        let log = place.shell("holdfast log --state $PWD/state --verb prune").output
        #expect(log.contains("destroyed 3 points"), "\(log)")
    }

    @Test("Without a rule nothing is removed, and without a terminal nothing that --yes does not confirm")
    func refused() {
        let place = protected()
        let none = prune(place, "--yes")
        #expect(none.status == 2 && none.output.contains("--keep-within 30d --keep-monthly 12"), "\(none)")
        let silent = prune(place, "--keep-daily 6")
        #expect(silent.status == 4 && silent.output.contains("--yes"), "\(silent)")
        #expect(points(place) == Self.all)
    }

    @Test("Half or more of the points go only where the plan is named that somebody has seen")
    func half() {
        let place = protected()
        let refused = prune(place, "--keep-last 1 --yes")
        #expect(refused.status == 4 && refused.output.contains("half or more"), "\(refused)")
        #expect(points(place) == Self.all)
        let id = refused.output.firstMatch(of: /--plan ([0-9a-f]{16})/)?.1 ?? ""
        let dry = prune(place, "--keep-last 1 --dry-run")
        #expect(
            dry.status == 0 && dry.output.contains("plan \(id)") && dry.output.contains("without --plan it"), "\(dry)")
        let unanswered = prune(place, "--keep-last 1 --plan \(id)")
        #expect(unanswered.status == 4 && unanswered.output.contains("give `--yes` as well"), "\(unanswered)")
        #expect(prune(place, "--keep-last 1 --yes --plan \(id)").status == 0)
        #expect(points(place) == ["factoryreset", "day-0"])
    }

    @Test(
        "What is pinned, what the tree stands on and what undo returns to stay, each with its reason, and all are whole"
    )
    func needed() {
        let place = protected()
        place.shell(
            "holdfast pin day-6 --state $PWD/state; echo now >tree/a; holdfast rollback day-5 --state $PWD/state --yes")
        let outcome = prune(place, "--keep-last 1 --keep-tag nothing-has-it --yes --json --dry-run")
        let id = outcome.output.firstMatch(of: /"plan":"([0-9a-f]{16})"/)?.1 ?? ""
        for words in ["factory point", "pinned", "the tree stands on it", "undo returns to it"] {
            #expect(outcome.output.contains(#""\#(words)""#), "\(words): \(outcome)")
        }
        #expect(prune(place, "--keep-last 1 --keep-tag nothing-has-it --yes --plan \(id)").status == 0)
        let left = points(place)
        #expect(left.count == 4 && left.contains("day-6") && left.contains("day-5"), "\(left)")
        let back = place.shell("cat tree/a; holdfast undo --state $PWD/state --yes --quiet; cat tree/a")
        #expect(back.output.hasPrefix("5\n") && back.output.hasSuffix("now\n"), "\(back)")
    }

    @Test(
        "A tag keeps the points that have it, with or without its value",
        arguments: [("line", 9), ("line=3", 9), ("line=4", 2)])
    func tags(tag: String, stay: Int) {
        let place = protected()
        let outcome = prune(place, "--keep-tag \(tag) --dry-run --json")
        #expect(outcome.output.split(separator: #""reasons":"#).count - 1 == stay, "\(outcome)")
    }

    @Test("Killed on its way, the next command finishes it: each point is there whole or not at all")
    func killed() {
        let place = protected()
        let killed = place.shell(
            """
            strace -f -qq -o /dev/null -e trace=unlinkat,unlink -e inject=unlinkat,unlink:signal=KILL:when=2 \
              holdfast prune --points --keep-daily 5 --yes --state $PWD/state
            """)
        #expect(killed.status != 0, "\(killed)")
        let again = prune(place, "--keep-daily 5 --yes")
        #expect(again.status == 0, "\(again)")
        #expect(points(place) == Self.all.filter { !["day-7", "day-6", "day-5"].contains($0) })
        let back = place.shell(
            "holdfast rollback day-4 --state $PWD/state --yes --quiet; cat tree/a; holdfast diff day-4 --state $PWD/state"
        )
        #expect(back.output.hasPrefix("4\n"), "\(back)")
    }

    @Test("A rollback that was interrupted is brought to its end first, and what the tree stands on then stays")
    func interruptedRollback() {
        let place = protected()
        let killed = place.shell(
            """
            echo now >tree/a
            strace -f -qq -o /dev/null -e trace=syncfs -e inject=syncfs:signal=KILL:when=1 holdfast rollback day-6 --state $PWD/state --yes --quiet
            ls state/journal
            """)
        #expect(killed.output.contains("rollback.json"), "\(killed)")
        let dry = prune(place, "--keep-last 4 --dry-run")
        #expect(dry.status == 4 && dry.output.contains("`holdfast recover"), "\(dry)")
        let done = prune(place, "--keep-last 4 --yes")
        #expect(done.status == 0, "\(done)")
        let left = Set(points(place))
        let base = place.shell(
            "holdfast status --state $PWD/state --json | grep -o '\"base\":\"[^\"]*' | cut -d'\"' -f4"
        ).output
        #expect(left.contains(base.trimmingPrefix(/\s*/).split(separator: "\n").joined()), "\(base) \(left)")
        let back = place.shell("cat tree/a; holdfast diff --state $PWD/state; ls state/journal")
        #expect(!back.output.contains("rollback.json"), "\(back)")
        #expect(place.shell("holdfast rollback day-1 --state $PWD/state --yes --quiet; cat tree/a").output == "1\n")
    }

    @Test(
        "Each rule refuses what it cannot be, names itself and says what is allowed",
        arguments: [
            ("--keep-last x", "--keep-last", "or `unlimited`"), ("--keep-hourly -1", "--keep-hourly", "hourly"),
            ("--keep-daily 1.5", "--keep-daily", "or `unlimited`"),
            ("--keep-weekly ''", "--keep-weekly", "or `unlimited`"),
            ("--keep-monthly 7m", "--keep-monthly", "or `unlimited`"),
            ("--keep-yearly all", "--keep-yearly", "or `unlimited`"),
            ("--keep-within 30", "--keep-within", "30 has no unit"),
            ("--keep-within-hourly 1M", "--keep-within-hourly", "M is no unit"),
            ("--keep-within-daily d", "--keep-within-daily", "30d, 2w"),
            ("--keep-within-weekly 1d1d", "--keep-within-weekly", "d twice"),
            ("--keep-within-monthly 999999d", "--keep-within-monthly", "more than 100000"),
            ("--keep-within-yearly ''", "--keep-within-yearly", "it is empty"),
            ("--keep-tag a,,b", "--keep-tag", "empty tag"),
            ("--keep-daly 3", "--keep-daly", "Did you mean '--keep-daily'?"),
        ])
    func badInput(words: String, option: String, text: String) {
        let outcome = Workplace().holdfast("prune --points \(words) --state nowhere")
        #expect(outcome.status == 2 && outcome.output.contains(option) && outcome.output.contains(text), "\(outcome)")
    }
}
