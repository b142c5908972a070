// Sentences that send somebody the right way.

import TestSupport
import Testing

@Suite struct HintTests {
    @Test("A list of a series or host that is not there ends with 2 and names those that are")
    func typo() {
        let place = Workplace()
        place.shell("mkdir tree; holdfast store init store --quiet; holdfast backup tree --to store --quiet")
        for option in ["--series typo", "--host typo"] {
            let outcome = place.shell("holdfast images --from store \(option)")
            #expect(outcome.status == 2 && outcome.output.contains("typo; it has the "), "\(outcome)")
        }
    }

    @Test("A restore looks whether the store is there before it says that no image is named")
    func noStore() {
        let place = Workplace()
        let outcome = place.shell("setsid -w holdfast restore --from missing --to out")
        #expect(outcome.status == 2 && outcome.output.contains("there is no missing"), "\(outcome)")
    }

    @Test("A copy into another store says that it is another one, where no identity is at hand")
    func otherStore() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; holdfast store init store --quiet; holdfast store init other --quiet
            holdfast backup tree --to store --quiet; mv home/config/holdfast/identity.txt away
            """)
        let outcome = place.shell("setsid -w holdfast copy --from store --to other")
        #expect(outcome.output.contains("other is another store than store, and no identity was given"), "\(outcome)")
        #expect(outcome.status != 0 && outcome.output.contains("the place of a copy of it"), "\(outcome)")
    }

    @Test("Minutes of a trial behind a blank are not taken for a point: the right form is told")
    func minutesOfTrial() {
        let place = Workplace()
        for words in ["rollback --trial 5", "rollback Good --trial 5 --yes", "undo --trial 20"] {
            let outcome = place.shell("holdfast \(words) --state state")
            #expect(
                outcome.status == 2 && outcome.output.contains("--trial=\(words.contains("20") ? 20 : 5)"), "\(outcome)"
            )
        }
    }
}
