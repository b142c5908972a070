// What a list of images says of the clocks.

import TestSupport
import Testing

@Suite struct ClockTests {
    @Test("An image in JSON says what the clocks of machine and store showed")
    func clocks() {
        let place = Workplace()
        place.shell("mkdir tree; echo x > tree/x")
        let made = place.holdfast("backup tree --to store")
        #expect(made.status == 0, "\(made)")
        let outcome = place.holdfast("images --from store --json")
        for member in [#""storeTime":"20"#, #""clock":""#, #""clockOffset":"#] {
            #expect(outcome.output.contains(member), "\(outcome)")
        }
    }
}
