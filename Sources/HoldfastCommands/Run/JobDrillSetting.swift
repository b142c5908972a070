// How a job's images are proven: drill of [jobs.NAME].

internal import Platform
internal import Stewardship

enum JobDrillSetting {
    private static let keys = [
        "kind", "files", "health", "every", "rto", "rpo", "from", "scratch", "identity", "credential", "here",
    ]

    static let setting = Setting(
        name: "drill", wants: "a table with \(keys.joined(separator: ", "))",
        explanation: [
            "What `holdfast drill NAME` restores and compares: kind sample (so many files that chance chooses, and all that the start needs),",
            "full, or boot, of trees and of disks (health is what a shell in it runs, for 0); how often (every), the goals for the time of a restore (rto) and the age of an image (rpo), the store (from), the folder",
            "for what is restored (scratch). Where nobody is there to give a key: identity, a file that is its owner's alone, or credential,",
            "the name of one of systemd's: with every and one of them `holdfast schedule run` makes the drill when it is due. On the machine that",
            "was backed up such a key is taken with here = true only, which `holdfast policy check` tells.",
        ],
        standard: "kind = \"sample\", files = \(DrillRequest.standardFiles), from the first store of to",
        example: #"drill = { kind = "full", every = "30d", rto = "4h", credential = "drill-key" }"#
    ) { value, source, result in
        var drill = DrillSettings()
        for part in try source.table(value, "drill", keys) { try read(part, source, &drill, &result.job) }
        result.job.drill = drill
    }

    private static func read(
        _ part: TOMLValue, _ source: SettingSource, _ drill: inout DrillSettings, _ job: inout ConfiguredJob
    ) throws {
        func isFirstKey() throws {
            if drill.key != nil {
                throw source.problem(part.keyPlace, "drill has identity and credential: one is enough")
            }
        }
        switch part.key {
        case "kind":
            guard let kind = part.string.flatMap(DrillKindArgument.init) else {
                throw source.problem(part.place, "kind wants \"sample\", \"full\" or \"boot\"")
            }
            drill.kind = kind.kind
        case "files":
            guard let count = part.integer, (0...100_000).contains(count) else {
                throw source.problem(part.place, "files wants a number from 0 to 100000")
            }
            drill.files = Int(clamping: count)
        case "every": drill.every = try JobSettingTable.span(part, "every", source)
        case "rto": drill.recoveryTime = try JobSettingTable.span(part, "rto", source)
        case "rpo": drill.recoveryPoint = try JobSettingTable.span(part, "rpo", source)
        case "from":
            let name = try source.text(part, "from", "the name of a store")
            drill.store = name
            job.drillStore = TOMLText(text: name, place: part.place)
        case "health": drill.health = try source.text(part, "health", "a command")
        case "scratch": drill.scratch = try source.absolute(part, "scratch")
        case "identity":
            try isFirstKey()
            drill.key = .file(try source.absolute(part, "identity"))
        case "credential":
            try isFirstKey()
            let name = try source.text(part, "credential", "the name of a credential")
            // As systemd has them: it is a name in a folder.
            guard !name.contains("/"), name != ".", name != "..", name.utf8.count <= 255 else {
                throw source.problem(part.place, "credential wants a name without slashes")
            }
            drill.key = .credential(name)
        default: drill.isAllowedHere = try source.flag(part, "here")
        }
    }
}
