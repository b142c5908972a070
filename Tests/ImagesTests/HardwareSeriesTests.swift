// Which machines are of one series is said by a file.

import Images
import Testing

@Suite struct HardwareSeriesTests {
    private let rules = HardwareSeries(
        """
        # What we deliver
        Beckhoff Automation / C6015-* | Beckhoff Automation / C6017-0010   # one image for both

        Acme / Box
        """)

    @Test(
        "Models in one line of the rules are one series, others are not",
        arguments: [
            ("Beckhoff Automation / C6015-0010", "Beckhoff Automation / C6015-0020", true),
            ("Beckhoff Automation / C6015-0010", "Beckhoff Automation / C6017-0010", true),
            ("Beckhoff Automation / C6015-0010", "Beckhoff Automation / C6017-0020", false),
            ("Acme / Box", "Acme / Box", true), ("Acme / Box", "Acme / Box 2", false),
            ("Acme / Box", "Beckhoff Automation / C6015-0010", false), ("unknown", "unknown", true),
        ])
    func series(_ one: String, _ other: String, _ isSame: Bool) {
        #expect(rules.isSame(one, other) == isSame)
        #expect(rules.isSame(other, one) == isSame)
        #expect(HardwareSeries().isSame(one, other) == (one == other))
    }
}
