// A key that opens a machine's images and lies on the machine itself: the policy tells it, by the reports of drills.

import Platform
import Testing

@testable import Stewardship

@Suite struct PolicyKeyTests {
    @Test(
        "A key on the machine itself fails by the newest drill that nobody gave one for, refused or not, unless it is allowed; then it is told"
    )
    func keyOnMachine() {
        func yard(
            _ drills: [(age: Int64, isOnMachine: Bool?)], _ change: (inout PolicyYard) -> Void = { _ in }
        ) -> PolicyYard {
            var yard = PolicyYard()
            guard case .items(var items, _) = yard.evidence.drills else { return yard }
            for (age, isOnMachine) in drills {
                var drill = items[0]
                drill.time = PolicyYard.now - age
                (drill.hasPassed, drill.verdict) = (false, "not completed")
                drill.unattendedKey = isOnMachine.map {
                    DrillEvidence.UnattendedKey(from: "the file /root/key", host: "press-01", isOnMachine: $0)
                }
                items.append(drill)
            }
            yard.evidence.drills = .items(items, refused: [])
            change(&yard)
            return yard
        }
        let key = "key on the machine of press-01/plc"
        #expect(yard([(60, true)]).wrong() == [key])
        #expect(yard([]).wrong().isEmpty && yard([(60, false)]).wrong().isEmpty && yard([(60, nil)]).wrong().isEmpty)
        // It was taken away since; a drill by hand says nothing of that.
        #expect(yard([(600, true), (60, false)]).wrong().isEmpty)
        #expect(yard([(600, true), (60, nil)]).wrong() == [key] && yard([(-1000, true)]).wrong().isEmpty)
        let allowed = yard([(60, true)]) { $0.policy.tables[0].allowsKeyOnMachine = true }
        #expect(allowed.wrong().isEmpty)
        let line = allowed.run().lines.first { $0.rule == .keyOnMachine }
        #expect(line?.verdict == .holds && line?.found == "the file /root/key, on press-01")
        let page = String(decoding: allowed.run().page(tool: "test"), as: UTF8.self)
        #expect(page.contains("the file /root/key, on press-01"))
    }
}
