// `holdfast prune --from`, `retire` and pins of images: what the rules do not keep is not listed any more, what they keep restores, and nothing
// goes that nobody has seen.

import TestSupport
import Testing

@Suite struct PruneStoreTests {
    /// A store with four images of one series, `one` … `four`, and one of another; with a steward's key.
    private func stored() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree other; head -c 300000 /dev/urandom >other/a; holdfast store init store --quiet
            for name in one two three four; do
              head -c 300000 /dev/urandom >tree/$name; holdfast backup tree --to store --name $name --series $(hostname)/plc --quiet
            done
            holdfast backup other --to store --name other --series $(hostname)/other --quiet
            holdfast key steward --to store --output steward.key --quiet; mv \(place.identity) it.txt
            """)
        return place
    }

    private func prune(_ place: Workplace, _ words: String, _ verb: String = "prune") -> Outcome {
        place.shell("setsid -w holdfast \(verb) --from store --identity steward.key \(words)")
    }

    private func names(_ place: Workplace) -> Set<String> {
        let outcome = place.shell(
            "holdfast images --from store --identity it.txt --json | python3 -c 'import json, sys; [print(i.get(\"name\", \"\")) for i in json.load(sys.stdin)[\"images\"]]'"
        )
        return Set(outcome.output.split(separator: "\n").map(String.init))
    }

    /// Sets `id` to that of an image.
    private static func id(of name: String) -> String {
        """
        id=$(holdfast images --from store --identity it.txt --json | python3 -c 'import json, sys; print([i["image"] for i in json.load(sys.stdin)["images"] if i.get("name") == sys.argv[1]][0])' \(name))
        """
    }

    private static let all: Set = ["one", "two", "three", "four", "other"]

    @Test(
        "A dry run says what goes, what stays and why, and changes nothing; its plan does just that, and what stays restores"
    )
    func plan() {
        let place = stored()
        let before = place.shell("cd store && find . -type f | sort | xargs sha256sum").output
        let dry = prune(place, "--keep-last 3 --dry-run")
        #expect(dry.status == 0 && dry.output.contains("1 of 5 images go"), "\(dry)")
        #expect(dry.output.contains(/plc of \S+ stays: last snapshot, newest of its series/), "\(dry)")
        #expect(place.shell("cd store && find . -type f | sort | xargs sha256sum").output == before)
        let id = dry.output.firstMatch(of: /plan ([0-9a-f]{16})/)?.1 ?? ""
        #expect(prune(place, "--keep-last 2 --plan \(id) --yes").status == 4)
        let bare = prune(place, "--plan \(id) --yes")
        #expect(bare.status == 4 && bare.output.contains("with the rules that it was made by"), "\(bare)")
        #expect(bare.output.contains("--keep-daily 7 --plan \(id)`"), "\(bare)")
        #expect(names(place) == Self.all)
        let done = prune(place, "--keep-last 3 --plan \(id) --yes")
        #expect(done.status == 0 && done.output.contains("removed 1 image"), "\(done)")
        #expect(names(place) == Self.all.subtracting(["one"]))
        for name in ["two", "four", "other"] {
            let restored = place.shell("holdfast restore \(name) --from store --identity it.txt --to out-\(name)")
            #expect(restored.status == 0, "\(restored)")
        }
        #expect(place.shell("diff -r tree out-four && diff -r other out-other").status == 0)
    }

    @Test("What a revoked writer wrote is named until a person has it removed; no rule of a series touches it")
    func revoked() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 >tree/file; holdfast store init store --quiet; holdfast backup tree --to store --name true --quiet
            sleep 1; date -u +%Y-%m-%dT%H:%M:%SZ >since; sleep 1
            head -c 100000 /dev/urandom >tree/garbage; for name in bad worse; do holdfast backup tree --to store --name $name --quiet; done
            holdfast key steward --to store --output steward.key --quiet
            holdfast store revoke $(hostname) --since $(cat since) --from store --yes --quiet; mv \(place.identity) it.txt
            """)
        #expect(place.shell("holdfast images --from store --identity it.txt").status == 3)
        let series = prune(place, "--series $(hostname)/tree --keep-last 1 --yes")
        #expect(!series.output.contains("removed"), "\(series)")
        let dry = prune(place, "--dry-run")
        #expect(dry.output.contains(/goes: its writer was revoked\n/), "\(dry)")
        #expect(dry.output.contains("2 of 3 images go; 2 of these of a writer that was revoked"), "\(dry)")
        #expect(prune(place, "").status == 4)
        let done = prune(place, "--yes")
        #expect(done.status == 0 && done.output.contains("removed 2 images"), "\(done)")
        for look in ["images", "verify --read-data"] {
            let seen = place.shell("holdfast \(look) --from store --identity it.txt")
            #expect(seen.status == 0, "\(look): \(seen)")
        }
        #expect(
            place.shell("holdfast restore latest --from store --identity it.txt --to out && cat out/file; ls out")
                .output.contains("1\nfile\n"))
    }

    @Test("Without a rule no image goes, and without a terminal none that --yes does not confirm")
    func refused() {
        let place = stored()
        #expect(prune(place, "--yes").status == 0 && names(place) == Self.all)
        let silent = prune(place, "--keep-last 3")
        #expect(silent.status == 4 && silent.output.contains("--yes"), "\(silent)")
        #expect(names(place) == Self.all)
    }

    @Test("Half or more of a series goes only where the plan is named that somebody has seen")
    func half() {
        let place = stored()
        // All of one day: what goes of that does not count.
        let young = prune(place, "--keep-last 1 --dry-run")
        #expect(young.status == 0 && !young.output.contains("would be refused"), "\(young)")
        place.shell(
            "for name in one two three; do \(Self.id(of: "$name")); touch -d '20 days ago' $(find store/i -name \"$id*\"); done"
        )
        let refused = prune(place, "--keep-last 1 --yes")
        #expect(refused.status == 4 && refused.output.contains("half or more"), "\(refused)")
        #expect(refused.output.contains(/half or more of the series \S+ \(3 of 4\)/), "\(refused)")
        let dry = prune(place, "--keep-last 1 --dry-run --json")
        #expect(
            dry.output.contains(#""halved":[{"series":"#) && dry.output.contains(#""removed":3,"kept":1}"#), "\(dry)")
        let id = refused.output.firstMatch(of: /--plan ([0-9a-f]{16})/)?.1 ?? ""
        let unanswered = prune(place, "--keep-last 1 --plan \(id)")
        #expect(unanswered.status == 4 && unanswered.output.contains("give `--yes` as well"), "\(unanswered)")
        #expect(prune(place, "--keep-last 1 --yes --plan \(id)").status == 0)
        #expect(names(place) == ["four", "other"])
    }

    @Test(
        "An image that cannot be read takes no other's place, holds back what its writer stored, and is named with status 3"
    )
    func damaged() {
        let place = stored()
        place.shell(
            """
            \(Self.id(of: "three"))
            for copy in $(find store/i -name "$id*"); do printf xxxx | dd of=$copy bs=1 seek=300 conv=notrunc status=none; done
            """)
        let dry = prune(place, "--keep-last 2 --dry-run --json")
        #expect(dry.status == 3 && dry.output.contains(#""heldBack":["#), "\(dry)")
        let done = prune(place, "--keep-last 2 --yes")
        #expect(done.status == 3 && done.output.contains("damaged: image"), "\(done)")
        #expect(done.output.contains("nothing is removed of 1 writer that"), "\(done)")
        #expect(names(place).isSuperset(of: ["two", "four", "other"]) && !names(place).contains("one"))
    }

    @Test("A pinned image stays until it is unpinned, and is shown to be the reason")
    func pinned() {
        let place = stored()
        #expect(place.shell("holdfast pin one --from store --identity steward.key").status == 0)
        let list = place.shell("holdfast images --from store --identity it.txt --verbose").output
        #expect(
            list.split(separator: "\n").filter { $0.contains("(pinned) ") }.map { $0.contains("(pinned) one ") } == [
                true
            ])
        let document = place.shell("holdfast images --from store --identity it.txt --json --verbose").output
        #expect(document.ranges(of: #""pinned":true"#).count == 1 && document.ranges(of: #""pinned":false"#).count == 4)
        let kept = prune(place, "--keep-last 3 --yes --json")
        #expect(kept.status == 0 && kept.output.contains(#""reasons":["pinned"]"#), "\(kept)")
        #expect(names(place) == Self.all)
        #expect(place.shell("holdfast unpin one --from store --identity steward.key").status == 0)
        #expect(prune(place, "--keep-last 3 --yes").status == 0)
        #expect(names(place) == Self.all.subtracting(["one"]))
    }

    @Test("A series ends by `retire` alone, when nobody has written it for so long, and the others are untouched")
    func retire() {
        let place = stored()
        let young = prune(place, "$(hostname)/plc --after 1d --yes", "retire")
        #expect(young.status == 4 && young.output.contains("is not over"), "\(young)")
        let unknown = prune(place, "nobody/plc --after 1d --yes", "retire")
        #expect(unknown.status == 2 && unknown.output.contains("/plc"), "\(unknown)")
        #expect(names(place) == Self.all)
        #expect(prune(place, "$(hostname)/plc --after 0d", "retire").status == 4)
        let blind = prune(place, "$(hostname)/plc --after 0d --yes", "retire")
        #expect(blind.status == 4 && blind.output.contains("--plan ID"), "\(blind)")
        let shown = prune(place, "$(hostname)/plc --after 0d --dry-run", "retire").output
        let id = shown.split(separator: "\n").last { $0.hasPrefix("plan ") }?.dropFirst(5) ?? ""
        let done = prune(place, "$(hostname)/plc --after 0d --yes --plan \(id)", "retire")
        #expect(done.status == 0, "\(done)")
        #expect(names(place) == ["other"])
    }

    @Test(
        "Bad input is refused with the status and what is allowed, and who may not prune is told so before anything is done",
        arguments: [
            ("prune --from store --points --keep-last 1", 2, "either --points or --from STORE"),
            ("prune --from store --keep-tag a", 2, "holdfast pin NAME --from STORE"),
            ("prune --points --series a --keep-last 1", 2, "--series chooses among the images"),
            ("prune --from store --series nobody/plc --keep-last 1 --yes --identity steward.key", 2, "there are "),
            ("prune --from nowhere --keep-last 1", 2, "nowhere"),
            ("retire a --from store", 2, "--after"), ("retire a --from store --after 1", 2, "1 has no unit"),
            ("retire --from store --after 1y", 2, "series"),
            ("pin nobody --from store --identity steward.key", 2, "there is no image nobody"),
        ])
    func badInput(words: String, status: Int32, text: String) {
        let place = stored()
        let outcome = place.shell("setsid -w holdfast \(words)")
        #expect(outcome.status == status && outcome.output.contains(text), "\(outcome)")
        #expect(names(place) == Self.all)
    }
}
