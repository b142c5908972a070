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
        // Another choice beside it, and repeated.
        place.shell(
            "holdfast backup tree --to store --name one --quiet; holdfast backup tree --to store --name two --quiet")
        let behind = place.shell("holdfast images --from some")
        #expect(behind.status == 3 && behind.output.contains("/one: its image"), "\(behind)")
        #expect(!behind.output.contains("/two: its image"), "\(behind)")
        #expect(place.shell("holdfast copy --series $(hostname)/two --from store --to some --quiet").status == 0)
        let both = place.shell("holdfast copy latest --series $(hostname)/one --from store --to some --quiet")
        #expect(both.status == 0, "\(both)")
        #expect(place.shell("holdfast verify --from some").status == 0)
        place.shell("holdfast backup tree --to store --name two --quiet")
        #expect(place.shell("holdfast images --from some").output.contains("/two: its image"))
        // All of it: from then on all has to be there.
        #expect(place.shell("holdfast copy --from store --to some --quiet").status == 0)
        place.shell("holdfast backup tree --to store --name three --quiet")
        #expect(place.shell("holdfast images --from some").output.contains("/three: its image"))
        place.shell("holdfast copy --series $(hostname)/one --from store --to some --quiet")
        #expect(place.shell("holdfast images --from some").status == 3)
    }

    @Test("Images that were chosen by their ids are all that a copy of them has to have")
    func ids() {
        let place = place()
        let id = place.shell("holdfast images --from store | awk 'NR == 2 { print $1 }'").output.dropLast()
        #expect(place.shell("holdfast copy \(id) --from store --to some --quiet").status == 0)
        #expect(place.shell("holdfast verify --from some").status == 0)
    }

    @Test("Where nobody knows what was chosen, the finding says that it may be a copy of chosen images")
    func unknown() {
        let place = place()
        place.shell("holdfast copy --series $(hostname)/one --from store --to some --quiet; mv some moved")
        let outcome = place.shell("holdfast verify --from moved")
        #expect(outcome.status == 3 && outcome.output.contains("or one of chosen images"), "\(outcome)")
    }
}
