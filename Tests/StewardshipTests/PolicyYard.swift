// A plant on paper: three stores and two machines, with ten days of images, that keeps its policy to the letter.

import Platform
import Reporting
import Testing

@testable import Images
@testable import Stewardship

struct PolicyYard {
    static let now: Int64 = 1_800_000_000
    static let day: Int64 = 86_400
    static let machines = ["press-01", "press-02"]

    var policy = Policy()
    var evidence = PolicyEvidence(time: now)

    init() {
        var rules = PolicyRules(name: "presses")
        rules.machines = Self.machines
        rules.series = [NamePattern("press-*/plc")]
        rules.stores = ["nas", "office", "bank"]
        rules.copies = 3
        rules.sites = 3
        rules.wantsOffsite = true
        rules.age = 26 * 3600
        rules.proven = 31 * Self.day
        var keep = KeepRules()
        try? keep.set("daily", to: "7")
        rules.keep = keep
        rules.keepAtMost = 365 * Self.day
        rules.recipients = 2
        rules.wantsMounts = true
        rules.uncovered = [NamePattern("/mnt/*")]
        var media = MediaRules()
        media.kinds = ["usb"]
        media.fileSystems = ["exfat"]
        media.least = 1000
        media.age = 1000 * Self.day
        media.wantsCustody = true
        media.wantsCertificate = true
        rules.media = media
        policy.tables = [rules]
        for name in rules.stores {
            var facts = MediumFacts(kind: "usb")
            facts.fileSystem = "exfat"
            facts.capacity = 2000
            facts.serials = ["S-\(name)"]
            evidence.stores.append(
                StoreView(
                    name: name, site: "site of \(name)", isOffsite: name == "bank", look: .found(Self.store()),
                    medium: .facts(facts)))
            var medium = KnownMedium(name: "stick of \(name)")
            medium.store = name
            medium.serial = "S-\(name)"
            medium.since = Self.now - 100 * Self.day
            medium.custody = "safe"
            policy.media.append(medium)
        }
        var old = KnownMedium(name: "old stick")
        old.serial = "S-old"
        old.ended = Self.now - 50 * Self.day
        policy.media.append(old)
        evidence.certificates = .items(
            [MediumCertificate(file: "old.json", serial: "S-old", achieved: "purge", ended: "2026-10-01T00:00:00Z")],
            refused: [])
        rules.drilled = 90 * Self.day
        policy.tables = [rules]
        evidence.drills = .items(
            Self.machines.map {
                DrillEvidence(
                    file: "\($0).json", series: "\($0)/plc", image: "0123456789", time: Self.now - 30 * Self.day,
                    kind: "full",
                    hasPassed: true,
                    verdict: "passed",
                    unattendedKey: DrillEvidence.UnattendedKey(
                        from: "the file /root/key", host: "office", isOnMachine: false))
            }, refused: [])
        for machine in Self.machines {
            evidence.mounts[ExactText("\(machine)/plc")] = .missing(
                ["/mnt/nas"], image: ObjectID(first16: [UInt8](repeating: 7, count: 16)[...]))
        }
    }

    static func store() -> StoreEvidence {
        var store = StoreEvidence(store: "0", time: now)
        store.series = machines.map { series("\($0)/plc") }
        store.readers = ["age1one", "age1two"].map { StoreReader(name: $0, governs: true) }
        return store
    }

    /// Ten days, the newest two hours ago, and proven.
    static func series(_ name: String, count: Int = 10) -> SeriesEvidence {
        var series = SeriesEvidence(name: name)
        series.images = (0..<count).map { number in
            image(name, sequence: UInt64(number + 1), age: 7200 + Int64(count - 1 - number) * day)
        }
        series.images[count - 1].proof = PruneImage.Proof(result: .seed, isOfEveryChunk: true, time: now - 3600)
        series.whole = series.images.last
        series.sources = ["/"]
        return series
    }

    static func image(_ series: String, sequence: UInt64, age: Int64) -> PruneImage {
        let bytes = (0..<16).map { UInt8(truncatingIfNeeded: sequence >> (8 * ($0 % 8))) }
        var image = PruneImage(PruneImage.Place(group: .zero, writer: .zero, image: ObjectID(first16: bytes[...])))
        image.series = series
        image.sequence = sequence
        image.time = now - age
        image.writerName = "writer"
        image.contentBytes = 1000 + sequence
        return image
    }

    /// Changes what was found in one store.
    mutating func change(_ store: String, _ body: (inout StoreEvidence) -> Void) {
        for index in evidence.stores.indices where evidence.stores[index].name == store || store.isEmpty {
            guard case .found(var found) = evidence.stores[index].look else { continue }
            body(&found)
            evidence.stores[index].look = .found(found)
        }
    }

    /// Changes a series in each store.
    mutating func change(series: String, in store: String = "", _ body: (inout SeriesEvidence) -> Void) {
        change(store) { found in
            for index in found.series.indices where found.series[index].name == series { body(&found.series[index]) }
        }
    }

    func run() -> PolicyResult { PolicyCheck.run(policy, evidence) }

    /// `rule of subject` of what does not hold.
    func wrong(_ verdict: PolicyLine.Verdict = .fails) -> [String] {
        run().lines.filter { $0.verdict == verdict }.map { "\($0.rule.rawValue) of \($0.subject)" }
    }
}
