// A store that lost images or was rolled back: whoever works with what is left is told what was there.

import Platform
import TestSupport
import Testing

@Suite struct LostImageTests {
    /// A store put back to what it was before its newest image, and a machine that has seen that.
    private func rolledBack() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; holdfast store init store --quiet; holdfast backup tree --to store --quiet
            cp -a store before; echo 2 > tree/file; holdfast backup tree --to store --quiet
            rm -r store; mv before store; holdfast store init other --quiet
            """)
        return place
    }

    @Test(
        "What works with the latest image of a store that was rolled back names the newer one first, does its work, and ends with 3",
        arguments: [
            "restore latest --from store --to out", "restore latest --from store --dry-run",
            "restore latest --from store --to out --copy-first",
            "restore latest --from store --series $(hostname)/tree --to out",
            "restore latest --from store --host $(hostname) --to out",
            "export latest --from store > out.tar", "copy latest --from store --output out.hf",
            "copy latest --from store --to out", "copy --from store --to out", "copy latest --from store --to other",
            "copy --from store --to other", "copy --from store --to out --host $(hostname)",
            "copy --from store --to out --series $(hostname)/tree", "verify latest --from store",
            "verify --from store --host $(hostname)", "images --from store",
        ])
    func latest(command: String) {
        let place = rolledBack()
        let outcome = place.shell("holdfast \(command)")
        #expect(outcome.status == 3, "\(outcome)")
        let named = outcome.output.split(separator: "\n").filter {
            $0.contains("number 2, which this machine has seen")
        }
        #expect(named.count == 1, "\(outcome)")
        if command.hasPrefix("restore") {
            #expect(
                outcome.output.hasPrefix("damaged: series ") || outcome.output.hasPrefix("warning: series "),
                "\(outcome)")
        }
        if command.contains("--to out") && command.hasPrefix("restore") {
            #expect(place.shell("cat out/file").output == "1\n")
        } else if command.contains(" out") {
            #expect(place.shell("ls -d out*").status == 0)
        }
    }

    @Test("The numbered list of a store that was rolled back comes with the newer image that is gone")
    func list() {
        let place = rolledBack()
        let outcome = place.shell(
            "printf '1\\n' | script -qec \"stty cols 80 rows 24; holdfast restore --from store --to out\" /dev/null | tr -d '\\r'; exit ${PIPESTATUS[1]}"
        )
        #expect(outcome.output.contains("number 2, which this machine has seen"), "\(outcome)")
        #expect(place.shell("cat out/file").output == "1\n", "\(outcome)")
    }

    @Test("An image that is named by its id, and one of another series, is not held against what is gone")
    func others() {
        let place = rolledBack()
        place.shell("holdfast backup tree --to store --name two --quiet")
        let id =
            place.shell("holdfast images --from store --quiet | awk 'NR == 2 { print $1 }'; true").output
            .split(separator: "\n").last.map(String.init) ?? ""
        for command in [
            "restore \(id) --from store --to out", "restore latest --from store --series $(hostname)/two --to out",
            "copy --from store --to out2 --series $(hostname)/two",
        ] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 0, "\(outcome)")
        }
    }

    @Test("A machine that only writes, and has no identity, forgets images that are gone, too")
    func forgottenByWriter() {
        let place = rolledBack()
        place.shell("mv home/config/holdfast/identity.txt away")
        for extra in ["--read-data", "--mark"] {
            let outcome = place.shell("holdfast verify --forget \(extra) --from store")
            #expect(outcome.status == 1 && outcome.output.contains("no identity"), "\(outcome)")
        }
        #expect(place.shell("holdfast images --from store").status == 3)
        let forgotten = place.shell("holdfast verify --forget --from store")
        #expect(forgotten.status == 0 && forgotten.output.contains("are forgotten"), "\(forgotten)")
        #expect(forgotten.output.contains("nothing was checked"), "\(forgotten)")
        #expect(place.shell("holdfast images --from store").status == 0)
        let document = place.shell("holdfast verify --forget --from store --json")
        #expect(document.status == 0 && document.output.contains("\"checked\":false"), "\(document)")
    }

    @Test("A series that was ended at the only place that had it is missed at no other")
    func ended() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; holdfast store init store --quiet; holdfast backup tree --to store --quiet
            holdfast copy --from store --to copy --quiet --yes; holdfast backup tree --to store --name other --quiet
            holdfast images --from copy --quiet
            """)
        let series = "$(hostname)/other"
        let plan =
            place.shell(
                "holdfast retire \(series) --from store --after 0d --dry-run --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"plan\"])'"
            ).output.split(separator: "\n").last ?? ""
        let ended = place.shell("holdfast retire \(series) --from store --after 0d --plan \(plan) --yes")
        #expect(ended.status == 0, "\(ended)")
        for command in ["images --from store", "images --from copy", "verify --from copy", "backup tree --to copy"] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 0 && !outcome.output.contains("not there"), "\(command): \(outcome)")
        }
    }

    @Test(
        "An older image that is gone is named to whoever has seen it, and to its writer at each backup, until that is known"
    )
    func older() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; holdfast store init store --quiet
            for i in 1 2 3; do echo $i > tree/file; holdfast backup tree --to store --quiet; sleep 0.02; done
            cp -a store whole; rm $(ls -tr $(find store/i -type f) | head -2)
            """)
        for command in ["images --from store", "verify --from store", "backup tree --to store", "verify --from store"] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 3, "\(command): \(outcome)")
            let named = outcome.output.split(separator: "\n").filter {
                $0.contains("not there") && !$0.contains("not chosen")
            }
            // Who looks for a copy first may find one; who forgets first looks for none.
            #expect(
                named.count == 1
                    && named.allSatisfy { $0.contains(/holdfast copy --from COPY --to STORE.*verify --forget/) },
                "\(command): \(outcome)")
        }
        #expect(place.shell("holdfast verify latest --forget --from store").status == 2)
        #expect(place.shell("holdfast verify --forget --from store").status == 0)
        for command in ["images --from store", "verify --from store", "backup tree --to store"] {
            #expect(place.shell("holdfast \(command)").status == 0, "\(command)")
        }
        // The older copy of the store is no stranger's, and has the image.
        #expect(place.shell("holdfast copy --from store --to whole && holdfast verify --from whole").status == 0)
        #expect(place.shell("holdfast backup tree --to whole").status == 0)
    }
}
