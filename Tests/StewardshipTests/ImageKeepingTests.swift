// What rules say of the images of a store: which of them they are asked of, what a plan is refused for, and when a series may end.

import Machine
import Platform
import Reporting
import Testing

@testable import Images
@testable import Stewardship

@Suite struct ImageKeepingTests {
    private static let day: Int64 = 86_400
    private static let now: Int64 = 1_763_380_800

    /// An image a day, the first the newest and of the highest sequence.
    private func images(_ count: Int, series: String = "press-01/plc", of writer: UInt8 = 1) -> [PruneImage] {
        (0..<count).map { number in
            let place = PruneImage.Place(
                group: Self.identifier(1), writer: Self.identifier(writer), image: Self.identifier(UInt8(number)))
            var image = PruneImage(place)
            image.series = series
            image.sequence = UInt64(count - number)
            image.time = Self.now - Int64(number) * Self.day
            return image
        }
    }

    private static func identifier(_ number: UInt8) -> Identifier {
        Identifier([UInt8](repeating: number, count: 16)) ?? .zero
    }

    private func keeping(_ word: String, _ value: String, series: String? = nil) throws -> ImageKeeping {
        var rules = KeepRules()
        try rules.set(word, to: value)
        return ImageKeeping(rules, series: series, now: Self.now + 60)
    }

    /// As the store makes one of a choice.
    private func plan(_ images: [PruneImage], _ choice: PruneChoice, time: Int64? = nil) -> PrunePlan {
        var plan = PrunePlan(PruneSettings(tool: "test")) { _ in choice }
        plan.take(images) { choice.removed.contains($0.id) }
        plan.basis = choice.basis
        plan.time = time
        return plan
    }

    private func numbers(_ images: [PruneImage], _ choice: PruneChoice) -> [Int] {
        images.indices.filter { !choice.removed.contains(images[$0].id) }
    }

    @Test("Each kept image has its reasons in restic's words, and the choice tells by which rules it was made")
    func reasons() throws {
        let images = images(5)
        let choice = try keeping("daily", "2").choose(images)
        #expect(numbers(images, choice) == [0, 1])
        #expect(choice.reasons[images[0].id] == ["daily snapshot", "newest of its series"])
        #expect(choice.reasons[images[1].id] == ["daily snapshot"] && choice.reasons.count == 2)
        #expect(choice.basis == ["--keep-daily 2", ""])
    }

    @Test("Pinned images stay, the newest that was read whole stays, and one that was found damaged is no proof")
    func guarded() throws {
        var images = images(9)
        images[4].isPinned = true
        images[3].proof = PruneImage.Proof(result: .damaged, isOfEveryChunk: true, time: Self.now)
        images[5].proof = PruneImage.Proof(result: .whole, isOfEveryChunk: false, time: Self.now)
        images[6].proof = PruneImage.Proof(result: .whole, isOfEveryChunk: true, time: Self.now)
        images[7].proof = PruneImage.Proof(result: .seed, isOfEveryChunk: true, time: Self.now)
        let choice = try keeping("last", "1").choose(images)
        #expect(numbers(images, choice) == [0, 4, 6])
        #expect(choice.reasons[images[4].id] == ["pinned"])
        #expect(choice.reasons[images[6].id] == ["newest that was proven"])
    }

    @Test("What does not count is no matter of rules: it neither goes by them nor takes another's place")
    func uncounted() throws {
        var images = images(5)
        images[0].problem = "it is damaged"
        images[1].isUnfinished = true
        let choice = try keeping("last", "1").choose(images)
        #expect(numbers(images, choice) == [0, 1, 2])
        #expect(choice.reasons.keys.contains(images[2].id) && choice.reasons.count == 1)
    }

    @Test(
        "An image whose time is doubtful pushes none of the machine's out, and is none that `within` reaches back from")
    func doubtful() throws {
        var images = images(6)
        for number in [0, 1, 2] { images[number].isTimeDoubtful = true }
        let choice = try keeping("daily", "2").choose(images)
        #expect(numbers(images, choice) == [0, 1, 3, 4])
    }

    @Test("Rules for one series leave the others alone, whatever they say")
    func series() throws {
        let all = images(4) + images(4, series: "press-02/plc", of: 2)
        let keeping = try keeping("last", "3", series: "press-02/plc")
        let choice = keeping.choose(all)
        #expect(numbers(all, choice) == [0, 1, 2, 3, 4, 5, 6])
        #expect(throws: Never.self) { try keeping.check(plan(all, choice), isNamed: false) }
    }

    @Test("A series that is not there is refused with those that are")
    func unknownSeries() throws {
        let all = images(4)
        let keeping = try keeping("last", "3", series: "press-2/plc")
        let error = #expect(throws: KeepError.self) {
            try keeping.check(plan(all, keeping.choose(all)), isNamed: false)
        }
        #expect(error?.exitStatus == 2 && error?.mend?.contains("press-01/plc") == true)
    }

    @Test("Rules for one series are measured by that one: half or more of it goes with the plan's id alone")
    func tooMuch() throws {
        let all = (0..<20).flatMap { images(4, series: "press-\($0)/plc", of: UInt8($0)) }
        let keeping = try keeping("last", "1", series: "press-7/plc")
        let plan = plan(all, keeping.choose(all))
        let error = #expect(throws: KeepError.self) { try keeping.check(plan, isNamed: false) }
        #expect(error?.exitStatus == 4 && error?.mend?.contains(plan.id) == true)
        #expect(throws: Never.self) { try keeping.check(plan, isNamed: true) }
    }

    @Test("An image without any time is kept as if it were the newest that may be, or the oldest, and traps nothing")
    func timeless() throws {
        var images = images(3)
        images[1].time = nil
        images[1].machineTime = Timestamp(seconds: .max, nanoseconds: 0)
        #expect(numbers(images, try keeping("last", "3").choose(images)) == [0, 1, 2])
        images[1].machineTime = Timestamp(seconds: .min, nanoseconds: 0)
        #expect(numbers(images, try keeping("within", "30d").choose(images)) == [0, 2])
    }

    // MARK: The end of a series

    @Test(
        "A series ends only when its newest image is old enough by the earlier of both clocks",
        arguments: [
            (span: "30d", machine: 31, store: 31 as Int64?, isOver: true), ("30d", 29, 29, false),
            // A clock that is ahead ends nothing.
            ("30d", 4000, 29, false), ("30d", 29, 4000, false), ("30d", 31, nil, true), ("30d", 29, nil, false),
            ("1m", 31, 31, true), ("0d", 0, 0, true),
        ])
    func retire(span: String, machine: Int64, store: Int64?, isOver: Bool) throws {
        let all = images(4) + images(4, series: "press-02/plc", of: 2)
        let retirement = SeriesRetirement("press-01/plc", after: try KeepDuration(span))
        let choice = retirement.choose(all)
        #expect(numbers(all, choice) == [4, 5, 6, 7])
        let plan = plan(all, choice, time: store.map { Self.now + $0 * Self.day })
        var refusal: KeepError?
        do { try retirement.check(plan, now: Self.now + machine * Self.day) } catch { refusal = error }
        #expect((refusal == nil) == isOver, "\(refusal?.description ?? "")")
        if let refusal { #expect(refusal.exitStatus == 4 && refusal.description.contains("less than \(span) ago")) }
    }

    @Test("A series of which one image has no time is not over, and one that is spelt otherwise is not it")
    func notOver() throws {
        var all = images(4)
        all[2].time = nil
        let retirement = SeriesRetirement("press-01/plc", after: try KeepDuration("1d"))
        #expect(throws: KeepError.self) {
            try retirement.check(plan(all, retirement.choose(all)), now: Self.now + 4000 * Self.day)
        }
        let other = SeriesRetirement("press-01/PLC", after: try KeepDuration("1d"))
        let error = #expect(throws: KeepError.self) {
            try other.check(plan(all, other.choose(all)), now: Self.now + 4000 * Self.day)
        }
        #expect(error?.exitStatus == 2 && other.choose(all).removed.isEmpty)
    }
}
