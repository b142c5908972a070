// The rules keep what restic's keep, for the same reasons: Testdata/retention holds what restic 0.19 answered
// (Tests/Tools/restic-answers.py). Where we differ on purpose has a test of its own, with its name.

import FoundationEssentials
import Platform
import Testing

@testable import Stewardship

/// What restic was asked, and what it said.
struct ResticAnswers: Decodable {
    struct Snapshot: Decodable {
        var time: Int64
        var host: String
        var tags: [String]

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            time = try list.decode(Int64.self)
            host = try list.decode(String.self)
            tags = try list.decode([String].self)
        }
    }

    struct History: Decodable, CustomTestStringConvertible {
        var members: [Int]
        var options: [String: String]
        var tags: [String]
        /// The member's number, and those of its reasons; nil: restic refused.
        var kept: [[Int]]?

        var testDescription: String { "\(options) \(tags) of \(members.count)" }

        func rules() throws -> KeepRules {
            var rules = KeepRules()
            for (option, value) in options { try rules.set(String(option.dropFirst("keep-".count)), to: value) }
            for list in tags { try rules.set("tag", to: list) }
            return rules
        }
    }

    var restic: String
    var asked: Int64
    var reasons: [String]
    var snapshots: [Snapshot]
    var histories: [History]
    var zonedSnapshots: [Snapshot]
    var zones: [History]

    static let recorded: ResticAnswers = {
        let file = BytePath(#filePath).parent.parent.parent.appending("Testdata/retention/restic-answers.json")
        guard let bytes = try? readWhole(file, limit: 1 << 20),
            let answers = try? JSONDecoder().decode(ResticAnswers.self, from: Data(bytes))
        else { return ResticAnswers.none }
        return answers
    }()

    private static let none = ResticAnswers(
        restic: "", asked: 0, reasons: [], snapshots: [], histories: [], zonedSnapshots: [], zones: [])

    private init(
        restic: String, asked: Int64, reasons: [String], snapshots: [Snapshot], histories: [History],
        zonedSnapshots: [Snapshot], zones: [History]
    ) {
        (self.restic, self.asked, self.reasons, self.snapshots) = (restic, asked, reasons, snapshots)
        (self.histories, self.zonedSnapshots, self.zones) = (histories, zonedSnapshots, zones)
    }

    /// Number and reasons of what restic keeps.
    func said(_ history: History) -> [Int: [String]]? {
        history.kept.map { kept in
            Dictionary(uniqueKeysWithValues: kept.map { ($0[0], $0.dropFirst().map { reasons[$0] }) })
        }
    }

    /// The same of ours, without the guards.
    func ours(_ history: History, _ snapshots: [Snapshot]) throws -> [Int: [String]] {
        let states = history.members.map { number in
            let snapshot = snapshots[number]
            return KeepState(
                id: "\(number)", series: snapshot.host, time: snapshot.time, order: UInt64(number),
                tags: Set(snapshot.tags))
        }
        var result: [Int: [String]] = [:]
        for decision in try history.rules().decide(states, now: asked) {
            let words = decision.reasons.compactMap { reason -> String? in
                if case .rule(let words) = reason { words } else { nil }
            }
            if !words.isEmpty, let number = Int(decision.state.id) { result[number] = words }
        }
        return result
    }
}

@Suite struct ResticTests {
    private let answers = ResticAnswers.recorded

    @Test("What is recorded is all there: 200 histories of restic 0.19, each rule in many of them")
    func isThere() {
        #expect(answers.restic.hasPrefix("0.19"))
        #expect(answers.histories.count == 200)
        for word in KeepRules.words where word != "tag" {
            let uses = answers.histories.count { $0.options["keep-\(word)"] != nil }
            #expect(uses >= 10, "\(word): \(uses)")
        }
        #expect(answers.histories.count { !$0.tags.isEmpty } >= 20)
        // Restic's oldest, of nearly each kind, and states of a clock that was ahead.
        for period in KeepPeriod.allCases where ![.last, .hourly].contains(period) {
            #expect(answers.reasons.contains("oldest \(period.rawValue) snapshot"))
        }
        #expect(
            answers.histories.contains { history in
                history.members.contains { answers.snapshots[$0].time > answers.asked }
            })
    }

    @Test("Of each history the same states are kept as restic keeps, and for the same reasons in the same words")
    func same() throws {
        for history in answers.histories {
            let ours = try answers.ours(history, answers.snapshots)
            // Where no state has the tag, restic refuses to forget all; here the newest stays, see `RetentionTests`.
            guard let said = answers.said(history) else {
                #expect(ours.isEmpty && history.options.isEmpty, "\(history.testDescription)")
                continue
            }
            #expect(ours == said, "\(history.testDescription)")
        }
    }

    @Test("Difference: periods are those of UTC, and not of the zone that each machine had when it made the state")
    func zones() throws {
        #expect(answers.zones.count == 4)
        for history in answers.zones {
            let ours = try answers.ours(history, answers.zonedSnapshots)
            #expect(Set(ours.keys) != answers.said(history).map { Set($0.keys) }, "\(history.testDescription)")
        }
    }

    @Test("The histories are decided on with the smallest part of a second for a hundred thousand states")
    func isQuick() throws {
        var rules = KeepRules()
        for word in ["daily", "weekly", "monthly"] { try rules.set(word, to: "30") }
        try rules.set("within-hourly", to: "7d")
        let states = (0..<100_000).map { number in
            KeepState(
                id: "\(number)", series: "press-\(number % 1000)", time: 1_700_000_000 + Int64(number) * 3601,
                order: UInt64(number))
        }
        let clock = ContinuousClock()
        var decisions: [KeepDecision] = []
        let took = clock.measure { decisions = rules.decide(states, now: .max) }
        #expect(decisions.count == states.count)
        // Without optimisation, on a machine that has other work; with it a second is far off.
        #expect(took < .seconds(60), "\(took)")
    }
}
