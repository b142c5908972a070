// One page of a plant: what needs a hand first, in a size that a phone loads.

import Platform
import Reporting
import TestSupport
import Testing

@testable import Images
@testable import Stewardship

@Suite struct PlantReportTests {
    private func page(_ yard: PolicyYard) -> String {
        String(decoding: PlantReport(yard.policy, yard.evidence).page(tool: "test"), as: UTF8.self)
    }

    private func place(_ text: String, in page: String) -> String.Index? { page.firstRange(of: text)?.lowerBound }

    @Test(
        "Machines stand by site and line, those that need a hand first; each with age, goal, copies, proof and size over time"
    )
    func order() throws {
        var yard = PolicyYard()
        yard.policy.tables[0].line = "Line 3"
        yard.policy.tables[0].site = "North"
        var other = PolicyRules(name: "ovens")
        other.machines = ["a-oven"]
        other.stores = yard.policy.tables[0].stores
        other.age = 26 * 3600
        yard.policy.tables.append(other)
        yard.change("") { $0.series.append(PolicyYard.series("a-oven/plc")) }
        yard.change(series: "press-02/plc") { series in
            for index in series.images.indices { series.images[index].time? -= 10 * PolicyYard.day }
            series.whole = series.images.last
        }
        let page = page(yard)
        let first = try #require(place("North · Line 3", in: page)), second = try #require(place("<h2>ovens", in: page))
        #expect(first < second)
        #expect(
            try #require(place("press-02/plc</b></td>", in: page)) < #require(place("press-01/plc</b></td>", in: page)))
        #expect(page.contains("1 of 2 need a hand") && page.contains("1, all as it has to be"))
        #expect(page.contains("<b>10 d old</b>") && page.contains("<td data-l=\"Goal\">26 h</td>"))
        #expect(
            page.contains("nas, office, bank") && page.contains("<polyline points=\"2,") && page.contains("60 min ago")
                || page.contains("1 h ago"))
        #expect(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"))
    }

    @Test("What is of no machine stands above: a store that is away, a stranger, a medium")
    func common() throws {
        var yard = PolicyYard()
        yard.change("nas") { $0.series.append(PolicyYard.series("thief/plc")) }
        yard.policy.media[0].custody = nil
        yard.evidence.stores[2].look = .failed("its disk <is> not mounted")
        let page = page(yard)
        let list = try #require(place("Needs a hand", in: page))
        for text in ["its disk &lt;is&gt; not mounted", "unknown machine</b> thief", "media</b> stick of nas"] {
            #expect(try #require(place(text, in: page)) > list, "\(text)")
        }
        #expect(page.contains("Not in the policy") && page.contains("1 of 1 need a hand"))
    }

    @Test("The page of two thousand machines is less than 3 MB")
    func many() {
        var yard = PolicyYard()
        let names = (0..<2000).map { "machine-\($0)" }
        yard.policy.tables[0].machines = names
        yard.policy.tables[0].series = []
        yard.policy.tables[0].wantsMounts = false
        yard.policy.tables[0].age = 3600
        yard.change("") { $0.series = names.map { PolicyYard.series("\($0)/plc", count: 30) } }
        #expect(PlantReport(yard.policy, yard.evidence).page(tool: "test").count < 3_000_000)
    }
}
