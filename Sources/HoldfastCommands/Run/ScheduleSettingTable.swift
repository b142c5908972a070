// How jobs run: [schedule].

internal import Platform
internal import Stewardship

/// What the configuration says of that.
struct ConfiguredSchedule {
    var hold: Hold?
    var processors: ProcessorSet?
    var memory: UInt64?
}

enum ScheduleSettingTable {
    static let table = SettingTable(
        name: "schedule",
        explanation: [
            "How jobs run. Where systemd runs them, `holdfast schedule enable` takes over what is changed here."
        ],
        settings: [
            Setting(
                name: "hold", wants: "a path, or the words of a command as an array",
                explanation: [
                    "What the plant sets while it must not be disturbed: a file that is there, or a program that ends with 0. Nothing begins",
                    "then, and what goes on rests until it is over. The program is asked all the time, and has to answer within 10 s;",
                    "one that cannot be asked holds work, too. `holdfast check` warns of a job once work has been held for longer than its interval.",
                ],
                standard: "none", example: #"hold = "/run/plant/producing""#
            ) { value, source, result in
                if value.array == nil {
                    result.schedule.hold = .file(try source.absolute(value, "hold"))
                    return
                }
                try source.checkHooks("words of hold")
                let words = try source.texts(value, "hold", "words of a command").map(\.text)
                guard words.first?.hasPrefix("/") == true, !words.contains(where: { $0.utf8.contains(0) }) else {
                    throw source.problem(value.place, "the first word of hold is not an absolute path")
                }
                result.schedule.hold = .command(words)
            },
            Setting(
                name: "cores", wants: "numbers of processors, such as 0-1,4",
                explanation: ["The processors on which scheduled work runs."],
                standard: "all but those that isolcpus and nohz_full keep for other tasks", example: #"cores = "0-1""#
            ) { value, source, result in
                guard let processors = value.string.flatMap({ ProcessorSet($0) }), !processors.isEmpty else {
                    throw source.problem(
                        value.place, "cores wants numbers of processors as a string, such as \"0-1,4\"")
                }
                result.schedule.processors = processors
            },
            Setting(
                name: "memory", wants: "a size from 128MB on",
                explanation: [
                    "How much memory a run has at most, what is cached for it included; from half of it on it is slowed down. For systemd."
                ],
                standard: "512MiB", example: #"memory = "512MiB""#
            ) { value, source, result in
                guard let size = value.string.flatMap(SizeArgument.init), size.bytes >= 128_000_000 else {
                    throw source.problem(value.place, "memory wants a size from \"128MB\" on as a string")
                }
                result.schedule.memory = size.bytes
            },
        ])
}
