// A restore that names no image: a list on a terminal, a refusal without one.

import TestSupport
import Testing

@Suite struct ImageChoiceTests {
    /// Three images of two series, the newest the last.
    private func store(_ place: Workplace) {
        place.shell("mkdir tree; echo 1 > tree/file")
        place.holdfast("backup tree --to store --name one")
        place.shell("sleep 1; echo 2 > tree/file; holdfast backup tree --to store --name two --quiet")
        place.shell("sleep 1; echo 3 > tree/file; holdfast backup tree --to store --name one --quiet")
    }

    private func ids(_ place: Workplace) -> [String] {
        place.shell("holdfast images --from store | tail -n +2 | cut -c1-8").output.split(separator: "\n").map(
            String.init)
    }

    /// Answers what is asked at a terminal of 80 columns.
    private func asked(_ place: Workplace, _ answers: String, _ arguments: String) -> Outcome {
        place.shell(
            "printf '\(answers)' | script -qec \"stty cols 80 rows 24; holdfast restore \(arguments)\" /dev/null | tr -d '\\r'; exit ${PIPESTATUS[1]}"
        )
    }

    @Test(
        "Without an image a restore lists them, the newest first, and takes a number or an id; nonsense is asked again")
    func list() throws {
        let place = Workplace()
        store(place)
        let ids = ids(place)
        try #require(ids.count == 3)
        let host = place.shell("hostname | tr -d '\\n'").output
        for (answers, content) in [("1\\n", "3"), ("7\\nx\\n2\\n", "2"), ("\(ids[0])\\n", "1")] {
            let chosen = asked(place, answers, "--from store --to out")
            #expect(place.shell("cat out/file; rm -r out").output == content + "\n", "\(answers): \(chosen)")
            let lines = chosen.output.split(separator: "\n").map(String.init)
            let rows = lines.filter { $0.hasPrefix("1  ") || $0.hasPrefix("2  ") || $0.hasPrefix("3  ") }
            #expect(
                zip(rows, ids.reversed()).allSatisfy { $0.dropFirst(3).hasPrefix($1) } && rows.count == 3, "\(chosen)")
            #expect(rows.allSatisfy { $0.contains(host) && $0.contains("/") && $0.count <= 80 }, "\(chosen)")
            #expect(chosen.output.contains("Restore which image? [1-3]"), "\(chosen)")
        }
        let series = asked(place, "1\\n", "--from store --to out --series \(host)/two")
        #expect(place.shell("cat out/file").output == "2\n" && series.output.contains("[1-1]"), "\(series)")
    }

    @Test(
        "A series or a host chooses in every command that reads a store; one that is not there is named with those that are"
    )
    func filters() {
        let place = Workplace()
        store(place)
        let host = place.shell("hostname | tr -d '\\n'").output
        let options = "--series \(host)/two"
        let copied = place.shell("holdfast copy --from store --to some \(options)")
        #expect(copied.output.contains("copied 1 image:"), "\(copied)")
        #expect(place.shell("holdfast images --from some --quiet | tail -n +2 | wc -l").output.hasSuffix("1\n"))
        let latest = place.shell("holdfast copy latest --from store --to other \(options)")
        #expect(latest.status == 0 && latest.output.contains("copied 1 image:"), "\(latest)")
        let file = place.shell("holdfast copy latest --from store --output two.hf \(options)")
        #expect(file.status == 0 && place.shell("holdfast images --input two.hf").output.contains(" two "), "\(file)")
        place.shell("holdfast store init third --quiet")
        let anew = place.shell("holdfast copy --from store --to third --host \(host) --series \(host)/one")
        #expect(anew.status == 0 && anew.output.contains("copied 2 images:"), "\(anew)")
        for image in ["", "latest"] {
            let verified = place.shell("holdfast verify \(image) --from store \(options)")
            #expect(verified.status == 0 && verified.output.contains("checked store: 1 image,"), "\(verified)")
        }
        for command in [
            "copy --from store --to last", "copy latest --from store --to last", "verify --from store",
            "verify latest --from store", "restore latest --from store --to x",
        ] {
            let series = place.shell("holdfast \(command) --series typo")
            #expect(series.status == 2, "\(series)")
            #expect(
                series.output.contains("has no image of series typo; it has the series \(host)/one, \(host)/two"),
                "\(series)")
            let other = place.shell("holdfast \(command) --host typo")
            #expect(other.status == 2, "\(other)")
            #expect(other.output.contains("no image of host typo; it has the hosts \(host)"), "\(other)")
        }
        let single = place.shell("holdfast verify --input two.hf \(options)")
        #expect(single.status == 2 && single.output.contains("a single file holds one"), "\(single)")
    }

    @Test("Where nothing is chosen, nothing is restored")
    func nothing() {
        let place = Workplace()
        store(place)
        for answers in ["\\n", "9\\n\\n", ""] {
            let outcome = asked(place, answers, "--from store --to out")
            #expect(outcome.output.contains("nothing was chosen"), "\(outcome)")
            #expect(place.shell("ls").output == "home\nstore\ntree\n")
        }
    }

    @Test(
        "Without a terminal a restore that names no image is refused, with the command that lists them, and asks for no key"
    )
    func unattended() {
        let place = Workplace()
        store(place)
        let outcome = place.shell("setsid -w holdfast restore --from store --to out --identity /nowhere")
        #expect(
            outcome.status == 2 && outcome.output.contains("`holdfast images --from store` lists them"), "\(outcome)")
        #expect(place.shell("ls").output == "home\nstore\ntree\n")
    }

    @Test(
        "A name of many images names the newest of them, by the clock on the wall, and no more than one can look through"
    )
    func ambiguous() {
        let place = Workplace()
        place.shell(
            "mkdir tree; holdfast store init store --quiet; for i in $(seq 12); do holdfast backup tree --to store --quiet; done"
        )
        let outcome = place.shell("TZ=Europe/Berlin holdfast restore tree --from store --to out")
        let newest = ids(place).last ?? "none"
        #expect(outcome.status == 2, "\(outcome)")
        #expect(outcome.output.contains("could be any of these 12 images: \(newest) of "), "\(outcome)")
        #expect(outcome.output.split(separator: ";").count == 12 && outcome.output.contains("; …"), "\(outcome)")
        #expect(outcome.output.contains(" CET") || outcome.output.contains(" CEST"), "\(outcome)")
    }

    @Test("A short name that an id happens to begin with is a name; four digits are an id")
    func shortNames() {
        let place = Workplace()
        place.shell(
            "mkdir tree; holdfast store init store --quiet; holdfast backup tree --to store --quiet --name other")
        let id = ids(place).last ?? "none"
        let name = String(id.prefix(2))
        let outcome = place.shell(
            """
            holdfast restore \(name) --from store --to out; echo $?
            touch tree/named; holdfast backup tree --to store --quiet --name \(name)
            holdfast restore \(name) --from store --to out --quiet && ls out
            holdfast restore \(id.prefix(4)) --from store --to other --quiet && ls other
            """)
        #expect(outcome.output.contains("no image") && outcome.output.hasSuffix("\n2\nnamed\n"), "\(outcome)")
    }

    @Test("On 80 columns a list shows ids, times and findings, however long the names are")
    func narrow() {
        let place = Workplace()
        place.shell("mkdir tree; holdfast store init store --quiet")
        let long = String(repeating: "long", count: 20)
        place.shell("holdfast backup tree --to store --quiet --name \(long)")
        let list = place.shell("script -qec \"stty cols 80; holdfast images --from store\" /dev/null | tr -d '\\r'")
        let lines = list.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 2 && lines.allSatisfy { $0.count <= 80 }, "\(list)")
        #expect(lines.first?.contains("SOURCE") == true && lines.last?.contains("lon…") == true, "\(list)")
        // By a pipe all of it.
        #expect(place.shell("holdfast images --from store").output.contains(long))
    }
}
