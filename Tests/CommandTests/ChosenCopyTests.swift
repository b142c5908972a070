// A copy of chosen images: what was not chosen is not missing in it.

import Platform
import TestSupport
import Testing

@Suite struct ChosenCopyTests {
    private func place() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; holdfast store init store --quiet
            for name in one two; do holdfast backup tree --to store --name $name --quiet; done; holdfast images --from store --quiet
            """)
        return place
    }

    @Test("A copy of one series is whole on a machine that has seen the others, and has to have the newest of its own")
    func series() {
        let place = place()
        #expect(place.shell("holdfast copy --series $(hostname)/one --from store --to some --quiet").status == 0)
        for command in [
            "images --from some", "verify --from some --read-data", "store check some",
            "restore latest --from some --to out",
            "copy --from some --to third",
        ] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 0, "\(outcome)")
        }
        // What it never had is told, and is no damage of it.
        place.shell(
            "holdfast backup tree --to store --name one --quiet; holdfast backup tree --to store --name two --quiet")
        let behind = place.shell("holdfast images --from some")
        #expect(behind.status == 0 && behind.output.contains("2 series"), "\(behind)")
        #expect(place.shell("holdfast copy --series $(hostname)/one --from store --to some --quiet").status == 0)
        let other = place.shell("holdfast restore latest --series $(hostname)/two --from some --to out2")
        #expect(other.status == 2, "\(other)")
        // What it had, it has to have.
        place.shell("find some/i -name \"$(holdfast images --from some --quiet | awk 'END { print $1 }')*\" -delete")
        for command in ["images", "verify", "restore latest --to out3"] {
            let gone = place.shell("holdfast \(command) --from some")
            #expect(gone.status == 3 && gone.output.contains("/one: its image"), "\(gone)")
        }
    }

    @Test("A copy that is behind is whole, and says what it lacks and what brings it up to date")
    func behind() {
        let place = place()
        place.shell(
            "holdfast copy --from store --to copy --quiet; echo 2 > tree/file; holdfast backup tree --to store --name one --quiet"
        )
        place.shell(
            "holdfast key add --to store --recipient $(age-keygen 2>/dev/null | sed -n 's/.*public key: //p') --quiet")
        for command in [
            "images --from copy", "verify --from copy --read-data",
            "restore latest --series $(hostname)/one --from copy --to out",
            "copy --from copy --to third", "restore latest --series $(hostname)/one --from copy --dry-run",
        ] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 0, "\(outcome)")
            let named = outcome.output.split(separator: "\n").filter {
                $0.contains("/one: its newest image") && $0.contains("holdfast copy --from /") && $0.contains("/copy`")
            }
            #expect(named.count == 1, "\(outcome)")
        }
        #expect(place.shell("cat out/file").output == "1\n")
        #expect(place.shell("holdfast copy --from store --to copy --quiet").status == 0)
        let level = place.shell("holdfast images --from copy")
        #expect(level.status == 0 && !level.output.contains("copy --from"), "\(level)")
    }

    @Test("Whoever forgets what is gone at one place still knows what others have, and a later loss there is told")
    func forgotten() {
        let place = place()
        place.shell("holdfast copy --from store --to copy --quiet; holdfast images --from copy --quiet")
        place.shell("find copy/i -name \"$(holdfast images --from copy --quiet | awk 'END { print $1 }')*\" -delete")
        #expect(place.shell("holdfast images --from copy").status == 3)
        #expect(place.shell("holdfast verify --forget --from copy").status == 0)
        let behind = place.shell("holdfast images --from copy")
        #expect(behind.status == 0 && behind.output.contains("its newest image"), "\(behind)")
        place.shell("find store/i -name \"$(holdfast images --from store --quiet | awk 'END { print $1 }')*\" -delete")
        let lost = place.shell("holdfast images --from store")
        #expect(lost.status == 3 && lost.output.contains("/two: its image"), "\(lost)")
    }

    @Test("Images that were chosen by their ids are all that a copy of them has to have")
    func ids() {
        let place = place()
        let id = place.shell("holdfast images --from store | awk 'NR == 2 { print $1 }'").output.dropLast()
        #expect(place.shell("holdfast copy \(id) --from store --to some --quiet").status == 0)
        #expect(place.shell("holdfast verify --from some").status == 0)
    }

    @Test(
        "At a place where nobody has looked before, what is missing may be damage, or the place a copy of chosen images: it is told once as the first, then as the second"
    )
    func unknown() {
        let place = place()
        place.shell("holdfast copy --series $(hostname)/one --from store --to some --quiet; mv some moved")
        let outcome = place.shell("holdfast verify --from moved")
        #expect(outcome.status == 3 && outcome.output.contains("or one of chosen images"), "\(outcome)")
        let again = place.shell("holdfast verify --from moved")
        #expect(again.status == 0 && again.output.contains("its newest image"), "\(again)")
    }
}
