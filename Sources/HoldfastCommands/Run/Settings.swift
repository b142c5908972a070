// What can be set in the configuration, as one table. From it come its reading and its errors, the file that explains it, and its manual
// page.

internal import Images
internal import Machine
internal import Platform
internal import RestorePoints

struct Setting: Sendable {
    /// The key; a placeholder in capitals where every key is one.
    var name: String
    /// What the value is to be, in words.
    var wants: String
    /// Sentences, one a line of the file that explains it.
    var explanation: [String]
    /// What is so without it, in words.
    var standard: String
    /// As it could stand in the file.
    var example: String
    /// It stands in place of another setting, never beside it.
    var isAlternative = false
    var read: @Sendable (TOMLValue, SettingSource, inout Configuration) throws -> Void

    var takesAnyName: Bool { name == name.uppercased() }
}

struct SettingTable: Sendable {
    /// nil: what stands before all tables.
    var name: String?
    var explanation: [String]
    var settings: [Setting]
    /// `jobs.NAME`: what stands below `jobs` are tables of their own.
    var holds = false
    /// Asked once, where the table is there.
    var check: @Sendable (SettingSource) throws -> Void = { _ in }

    func setting(_ key: String) -> Setting? { settings.first { $0.takesAnyName || $0.name == key } }
}

enum Settings {
    static let tables = [
        SettingTable(
            name: nil, explanation: [],
            settings: [
                Setting(
                    name: "identity", wants: "a path, or an array of paths",
                    explanation: [
                        "Files of private keys, as `holdfast key generate` makes them: they open stores and images.",
                        "A machine that only makes backups needs none. --identity is used instead, where it is given.",
                    ],
                    standard:
                        "identity.txt in \(Places.standardConfiguration), for others than root in ~/.config/holdfast",
                    example: "identity = \"\(Places.standardConfiguration)/identity.txt\""
                ) { value, source, configuration in
                    if let several = value.array {
                        configuration.identities = try several.map { element in
                            guard element.string != nil else {
                                throw source.problem(element.place, "identity wants paths as strings")
                            }
                            return try source.absolute(element, "identity")
                        }
                    } else if value.string != nil {
                        configuration.identities = [try source.absolute(value, "identity")]
                    } else {
                        throw source.problem(value.place, "identity wants a path, or an array of paths")
                    }
                },
                Setting(
                    name: "state", wants: "a path",
                    explanation: [
                        "The folder of what Holdfast knows: points, log, and the keys with which this machine writes to stores.",
                        "It is on no account to be lost. --state gives another place for points.",
                    ],
                    standard: "\(Places.standardState); for others than root ~/.local/state/holdfast",
                    example: "state = \"\(Places.standardState)\""
                ) { value, source, result in result.state = try source.absolute(value, "state") },
                Setting(
                    name: "cache", wants: "a path",
                    explanation: [
                        "The folder of what costs only time where it is lost: the next backup reads everything again."
                    ],
                    standard:
                        "\(Places.standardCache), or cache in the state once / is protected; for others than root ~/.cache/holdfast",
                    example: "cache = \"\(Places.standardCache)\""
                ) { value, source, result in result.cache = try source.absolute(value, "cache") },
                Setting(
                    name: "series", wants: "a path",
                    explanation: [
                        "The file that says which hardware is of one series, so that a whole system of one restores on another.",
                        "A series a line, its models between |, each as `holdfast images` shows it; a * at the end of a model",
                        "stands for any ending.",
                    ],
                    standard: "\(HardwareSeries.standardPath)", example: "series = \"\(HardwareSeries.standardPath)\""
                ) { value, source, result in result.series = try source.absolute(value, "series") },
            ]),
        SettingTable(
            name: "hooks",
            explanation: [
                "Programs that run around the making of a point or a snapshot, or after a restore. Each is told the verb and the tree. They run as",
                "root, so nobody else may be able to write them or this file. One that is not done after ten minutes is ended.",
            ],
            settings: [
                Setting(
                    name: "before", wants: "a path",
                    explanation: [
                        "It brings what writes to rest, such as a database. Where it fails, no point is made."
                    ],
                    standard: "none", example: #"before = "/usr/local/lib/holdfast/pause""#
                ) { value, source, result in result.hooks.before = try source.absolute(value, "before") },
                Setting(
                    name: "after", wants: "a path",
                    explanation: ["It lets that go on. It runs whenever the one before was started."],
                    standard: "none", example: #"after = "/usr/local/lib/holdfast/resume""#
                ) { value, source, result in result.hooks.after = try source.absolute(value, "after") },
                Setting(
                    name: "scan", wants: "a path",
                    explanation: [
                        "It looks at what `holdfast restore` has restored, before that is used. It is called with two words, restore and the folder;",
                        "for a scanner that takes a folder alone, two lines do: #!/bin/sh, and exec clamscan --recursive --infected \"$2\".",
                        "It ends with 0 where all is clean. With any other status, or where it cannot be run, restore ends with status 4, and",
                        "what was restored stays, and is not to be used. It has a day, and may print 16 MiB.",
                    ],
                    standard: "none", example: #"scan = "/usr/local/lib/holdfast/scan""#
                ) { value, source, result in result.scan = try source.absolute(value, "scan") },
            ],
            check: { source in try source.checkHooks() }),
        SettingTable(
            name: "stores",
            explanation: ["Names of stores: where a command takes a STORE, the name stands for the place."],
            settings: [
                Setting(
                    name: "NAME", wants: "a path or URL, or a table of its own",
                    explanation: [
                        "The place of a store. What is not mounted there is told from a new place: no store is made in it."
                    ],
                    standard: "none", example: #"nas = "/mnt/nas/line3""#
                ) { value, source, result in
                    // TOML takes what stands below a table for the table's, wherever it was meant to be.
                    if isMisplaced(value) {
                        throw source.problem(
                            value.keyPlace,
                            "\(value.key) stands below [stores], and would be a store of that name; a setting stands above the first table, or below its own"
                        )
                    }
                    if value.table != nil { return try result.readStore(value, source) }
                    result.stores[value.key] = ConfiguredStore(try StoreSettingTable.location(value, value.key, source))
                }
            ]),
        StoreSettingTable.table, JobSettingTable.table, ScheduleSettingTable.table, TellingSettingTables.notify,
        TellingSettingTables.status, PackageSettingTable.table, PolicySettingTable.shared, PolicySettingTable.table,
        MediaSettingTable.table,
    ]

    /// Whether what stands below [stores] was meant for a setting. Many call a store offsite; the setting of that name is no place.
    private static func isMisplaced(_ value: TOMLValue) -> Bool {
        isSetting(value.key) && (value.key != "offsite" || value.boolean != nil)
    }

    /// Whether a word names a setting somewhere.
    private static func isSetting(_ word: String) -> Bool {
        tables.contains { table in
            table.name != "stores" && !table.holds && table.settings.contains { $0.name == word }
        }
    }

    /// `identity, state and [hooks]`: what can stand on its own, or in a table.
    static func names(in table: SettingTable) -> String {
        let names =
            table.settings.map(\.name) + (table.name == nil ? tables.compactMap { $0.name.map { "[\($0)]" } } : [])
        guard let last = names.last, names.count > 1 else { return "there is " + (names.first ?? "none") }
        return "there are " + names.dropLast().joined(separator: ", ") + " and " + last
    }
}

/// The file that is read, for what is said of it.
struct SettingSource {
    let path: BytePath

    func absolute(_ value: TOMLValue, _ key: String) throws -> BytePath {
        guard let text = value.string else { throw problem(value.place, "\(key) wants a path as a string") }
        guard text.hasPrefix("/") else { throw problem(value.place, "the path of \(key) is not absolute") }
        guard !text.utf8.contains(0) else { throw problem(value.place, "the path of \(key) holds a zero byte") }
        return BytePath(text)
    }

    /// Bytes a second.
    func rate(_ value: TOMLValue) throws -> UInt64 {
        guard let size = value.string.flatMap(SizeArgument.init) else {
            throw problem(value.place, "rate wants a size as a string, such as \"2MB\"")
        }
        return size.bytes
    }

    /// The text of a setting, which is not empty.
    func text(_ value: TOMLValue, _ key: String, _ wants: String) throws -> String {
        guard let text = value.string, !text.isEmpty else {
            throw problem(value.place, "\(key) wants \(wants) as a string")
        }
        guard !text.utf8.contains(0) else { throw problem(value.place, "\(key) holds a zero byte") }
        return text
    }

    func flag(_ value: TOMLValue, _ key: String) throws -> Bool {
        guard let isSo = value.boolean else { throw problem(value.place, "\(key) wants true or false") }
        return isSo
    }

    func texts(_ value: TOMLValue, _ key: String, _ what: String) throws -> [TOMLText] {
        guard let elements = value.array else { throw problem(value.place, "\(key) wants an array of \(what)") }
        return try elements.map { element in
            guard let text = element.string, !text.isEmpty else {
                throw problem(element.place, "\(key) wants \(what) as strings")
            }
            guard !text.utf8.contains(0) else { throw problem(element.place, "\(key) holds a zero byte") }
            return TOMLText(text: text, place: element.place)
        }
    }

    /// A span of time in seconds.
    func span(_ value: TOMLValue, _ key: String) throws -> Int64 {
        guard let span = value.string.flatMap(SpanArgument.init) else {
            throw problem(value.place, "\(key) wants a span as a string, such as \"26h\", \"31d\" or \"2y\"")
        }
        return span.seconds
    }

    /// A number of things, from 1 on.
    func count(_ value: TOMLValue, _ key: String) throws -> Int {
        guard let number = value.integer.flatMap({ Int(exactly: $0) }), (1...1000).contains(number) else {
            throw problem(value.place, "\(key) wants a number from 1 to 1000")
        }
        return number
    }

    /// A day in UTC.
    func day(_ value: TOMLValue, _ key: String) throws -> Int64 {
        guard let time = value.string.flatMap(TimeArgument.init) else {
            throw problem(value.place, "\(key) wants a day as a string, such as \"2026-03-01\"")
        }
        return time.seconds
    }

    /// The parts of a table, which has no other keys than these.
    func table(_ value: TOMLValue, _ key: String, _ keys: [String]) throws -> [TOMLValue] {
        let allowed = "\(keys.dropLast().joined(separator: ", ")) and \(keys.last ?? "")"
        guard let parts = value.table else { throw problem(value.place, "\(key) wants a table with \(allowed)") }
        for part in parts where !keys.contains(part.key) {
            throw problem(part.keyPlace, "there is no \(part.key) in \(key); there are \(allowed)")
        }
        return parts
    }

    /// Refuses what names programs where others than root could have written that into the file.
    func checkHooks(_ what: String = "hooks") throws {
        guard HostFacts.isRoot,
            let problem = ProgramOwner.problem(try path.normalized(relativeTo: HostFacts.workingFolder))
        else { return }
        throw Problem.refused(
            "the \(what) in \(path) are not run as root: \(problem)",
            hint: "`chown root \(path); chmod go-w \(path)`, its folders too")
    }

    func problem(_ place: TOMLPlace?, _ message: String) -> Problem {
        guard let place else { return .usage("\(path): \(message)") }
        return .usage("\(path), line \(place.line), column \(place.column): \(message)")
    }
}
