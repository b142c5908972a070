// What can be set of one job: [jobs.NAME].

internal import Platform
internal import RestorePoints
internal import Stewardship

enum JobSettingTable {
    static let table = SettingTable(
        name: "jobs.NAME",
        explanation: [
            "A job: what is backed up regularly, where to, when, and how long it is kept. `holdfast schedule run` does what is due,",
            "and `holdfast schedule enable` has that happen by itself. An interrupted or missed run is made up for.",
        ],
        settings: content + places + times + care, holds: true)

    private static let content = [
        Setting(
            name: "sources", wants: "an array of paths",
            explanation: ["The folders and files. What a snapshot can be made of is read from one."],
            standard: "none; sources, disk or point has to be there", example: #"sources = ["/", "/boot", "/boot/efi"]"#
        ) { value, source, result in
            guard let paths = value.array, !paths.isEmpty else {
                throw source.problem(value.place, "sources wants an array of paths")
            }
            result.job.sources = try paths.map { try source.absolute($0, "sources") }
        },
        Setting(
            name: "disk", wants: "a device",
            explanation: [
                "In place of sources: a whole disk, with what makes it start. What is mounted is read file by file. Names in /dev may change",
                "from one start to the next; those in /dev/disk/by-id do not.",
            ],
            standard: "none", example: #"disk = "/dev/disk/by-id/ata-Example_SSD_1234""#, isAlternative: true
        ) { value, source, result in
            result.job.disk = try source.absolute(value, "disk")
        },
        Setting(
            name: "point", wants: "the name of a restore point, or \"new\"",
            explanation: [
                "In place of sources: the protected tree as it was at that point. With new, one is made each time."
            ],
            standard: "none", example: #"point = "new""#, isAlternative: true
        ) { value, source, result in
            let name = try source.text(value, "point", "the name of a restore point, or \"new\"")
            if let reason = name == "new" ? nil : RestorePoint.problem(withName: name) {
                throw source.problem(value.place, "point wants the name of a restore point, or \"new\": \(reason)")
            }
            result.job.point = name
        },
        Setting(
            name: "excludes", wants: "an array of patterns",
            explanation: [
                "What is left out: names (*.tmp), or with a slash paths below the sources. Of a disk nothing is."
            ],
            standard: "nothing", example: #"excludes = ["*.tmp", "/var/cache"]"#
        ) { value, source, result in
            result.job.excludesPlace = value.keyPlace
            result.job.excludes = try source.texts(value, "excludes", "patterns").map { element in
                guard !element.text.allSatisfy({ $0 == "/" }) else {
                    throw source.problem(element.place, "a pattern of excludes would leave everything out")
                }
                return Array(element.text.utf8)
            }
        },
        Setting(
            name: "name", wants: "a name", explanation: ["What the images are called."],
            standard: "the job's own name", example: #"name = "line3""#
        ) { value, source, result in
            let name = try source.text(value, "name", "a name")
            guard name != "latest" else {
                throw source.problem(value.place, "an image cannot be named latest: that is the newest one of a series")
            }
            result.job.imageName = name
        },
        Setting(
            name: "series", wants: "a name", explanation: ["The series that the images belong to."],
            standard: "this machine's, of the images' name", example: #"series = "press-01/system""#
        ) { value, source, result in result.job.series = try source.text(value, "series", "a name") },
        Setting(
            name: "hooks", wants: "a table with before and after, each a path",
            explanation: ["Programs around the making of the snapshot, or around the backup where there is none."],
            standard: "those of [hooks]",
            example: #"hooks = { before = "/usr/local/sbin/pause", after = "/usr/local/sbin/go-on" }"#
        ) { value, source, result in
            try source.checkHooks()
            var hooks = Hooks()
            for part in try source.table(value, "hooks", ["before", "after"]) {
                let path = try source.absolute(part, part.key)
                if part.key == "before" { hooks.before = path } else { hooks.after = path }
            }
            result.job.hooks = hooks
        },
    ]

    private static let places = [
        Setting(
            name: "to", wants: "an array of stores",
            explanation: [
                "Where the images go, each by its name in [stores], a path or a URL. A store that is away stops no other,",
                "and gets what it has missed when it is back.",
            ],
            standard: "none; it has to be there", example: #"to = ["nas"]"#
        ) { value, source, result in result.job.to = try stores(value, "to", source) },
        Setting(
            name: "copy_to", wants: "an array of stores",
            explanation: [
                "Where the images are copied to afterwards, from the first store of to. With a store on this machine there, that one",
                "takes what is made while the line is down, and it is copied on when the line is back.",
            ],
            standard: "nowhere", example: #"copy_to = ["/mnt/usb/line3"]"#
        ) { value, source, result in result.job.copies = try stores(value, "copy_to", source) },
        Setting(
            name: "rate", wants: "a size, such as 2MB",
            explanation: ["How many bytes a second each store is read and written with at most."],
            standard: "that of the store", example: #"rate = "4MB""#
        ) { value, source, result in result.job.rate = try source.rate(value) },
        Setting(
            name: "class", wants: "high, normal or low",
            explanation: ["Which data goes first, where several jobs are due."], standard: "normal",
            example: #"class = "high""#
        ) { value, source, result in
            guard let priority = value.string.flatMap(Job.Priority.init) else {
                throw source.problem(value.place, "class wants \"high\", \"normal\" or \"low\"")
            }
            result.job.priority = priority
        },
    ]

    private static let times = [
        Setting(
            name: "every", wants: "a span, such as 4h, 1d or 1w",
            explanation: [
                "How far two images lie apart. It is reckoned from the last success of each store: what was missed since the machine",
                "was off is made up for, and what failed is tried again after 15 minutes, then more, up to 4 hours.",
            ],
            standard: "never by itself; `holdfast schedule run NAME` does it", example: #"every = "1d""#
        ) { value, source, result in
            result.job.every = try span(value, "every", source)
        },
        Setting(
            name: "window", wants: "days and hours, such as 22:00-05:00 or Mon-Fri 22:00-05:00",
            explanation: [
                "When a run may begin, by the clock on the wall; the days are those on which the hours begin. What has begun goes on to",
                "its end. This machine begins later than others by a part of the hours that is always the same, at most 4 hours.",
            ],
            standard: "always", example: #"window = "Mon-Fri 22:00-05:00""#
        ) { value, source, result in
            guard let window = value.string.flatMap(Window.init) else {
                throw source.problem(
                    value.place, "window wants days, hours or both as a string, such as \"Mon-Fri 22:00-05:00\"")
            }
            guard window.length >= Timing.least else {
                throw source.problem(value.place, "window is open for less than 15 minutes")
            }
            result.job.window = window
        },
        Setting(
            name: "reread", wants: "a span, such as 4w",
            explanation: [
                "How often everything is read anew, without the note of what has not changed: the plant's \"full\". Every image restores",
                "alone, this one and those between; it costs time, and finds a change that times and sizes do not show.",
            ],
            standard: "never by itself", example: #"reread = "4w""#
        ) { value, source, result in result.job.reread = try span(value, "reread", source) },
    ]

    private static let care = [
        Setting(
            name: "keep",
            wants: "a table with \(keepWords.joined(separator: ", ")), as prune has them behind --keep-",
            explanation: [
                "Which of the images are kept: a number or \"unlimited\", a duration for within and its like. What one of the rules keeps is",
                "kept; nothing is removed without a rule.",
            ],
            standard: "everything is kept",
            example: #"keep = { last = 3, daily = 7, weekly = 4, monthly = 12, within = "14d" }"#
        ) { value, source, result in
            let keep = try source.keepRules(value, keepWords)
            guard !keep.isEmpty else {
                throw source.problem(
                    value.place, "keep has no rule: nothing would be kept; leave it out to keep everything")
            }
            result.job.keep = keep
        },
        Setting(
            name: "verify", wants: "a share, such as 5%",
            explanation: [
                "After each run it is proven that the newest image is there; its content is read as often as this share says: with 5% in",
                "each 20th run. It wants an identity, or a steward's key, which reads no content.",
            ],
            standard: "nothing is proven", example: #"verify = "5%""#
        ) { value, source, result in
            guard let text = value.string, text.hasSuffix("%"), let share = UInt64(text.dropLast()),
                (1...100).contains(share)
            else { throw source.problem(value.place, "verify wants a share from \"1%\" to \"100%\" as a string") }
            result.job.verify = share
        },
        Setting(
            name: "integrity", wants: "\"latest\", or the name of a restore point",
            explanation: [
                "Before each run every file of the sources is read and compared with the newest image, or of the protected tree with that",
                "point: a changed byte is told though size and time are the same. Against an image it wants an identity. What differs and is",
                "not expected, or could not be looked at, is critical until a comparison finds nothing: while it stands the runs go by the same",
                "image, not by newer ones that have it. `holdfast schedule run JOB --accept` takes it as right.",
            ],
            standard: "nothing is compared", example: #"integrity = "latest""#
        ) { value, source, result in
            let name = try source.text(value, "integrity", "\"latest\", or the name of a restore point")
            if let reason = name == "latest" ? nil : RestorePoint.problem(withName: name) {
                throw source.problem(
                    value.place, "integrity wants \"latest\", or the name of a restore point: \(reason)")
            }
            result.job.integrity = name == "latest" ? .latest : .point(name)
        },
        Setting(
            name: "expected", wants: "an array of patterns",
            explanation: [
                "What may differ from then: names (*.log), paths of the machine, or with a slash that is not in front paths below the sources; a",
                "folder stands for all that is in it.",
            ],
            standard: "nothing but what excludes leaves out", example: #"expected = ["/var/log", "/opt/plc/retain"]"#
        ) { value, source, result in
            result.job.expectedPlace = value.keyPlace
            result.job.expected = try source.texts(value, "expected", "patterns").map { element in
                guard !element.text.allSatisfy({ $0 == "/" }) else {
                    throw source.problem(element.place, "a pattern of expected would let everything differ")
                }
                return Array(element.text.utf8)
            }
        },
        JobDrillSetting.setting,
    ]

    /// Images have no tags to keep them by.
    private static let keepWords = KeepRules.words.filter { $0 != "tag" }

    private static func stores(_ value: TOMLValue, _ key: String, _ source: SettingSource) throws -> [TOMLText] {
        let stores = try source.texts(value, key, "stores")
        guard !stores.isEmpty else { throw source.problem(value.place, "\(key) names no store") }
        for (index, store) in stores.enumerated() where stores[..<index].contains(where: { $0.text == store.text }) {
            throw source.problem(store.place, "\(key) names the store \(store.text) twice")
        }
        return stores
    }

    static func span(_ value: TOMLValue, _ key: String, _ source: SettingSource) throws -> Int64 {
        guard let span = value.string.flatMap(SpanArgument.init) else {
            throw source.problem(value.place, "\(key) wants a span as a string, such as \"4h\", \"1d\" or \"1w\"")
        }
        guard span.seconds >= Timing.least else { throw source.problem(value.place, "\(key) is less than 15 minutes") }
        return span.seconds
    }
}

extension SettingSource {
    /// Rules of keeping, with some of the words that there are.
    func keepRules(_ value: TOMLValue, _ words: [String]) throws -> KeepRules {
        var keep = KeepRules()
        for part in try table(value, "keep", words) {
            guard let text = part.string ?? part.integer.map({ "\($0)" }) else {
                throw problem(part.place, "\(part.key) wants a number or a string")
            }
            do throws(KeepError) { try keep.set(part.key, to: text) } catch {
                throw problem(part.place, "\(part.key): \(error.description)" + (error.mend.map { "; \($0)" } ?? ""))
            }
        }
        return keep
    }
}

/// A text and where it stands.
struct TOMLText {
    var text: String
    var place: TOMLPlace
}

/// A job as the configuration has it, while it is read.
struct ConfiguredJob {
    var sources: [BytePath]?
    var disk: BytePath?
    var point: String?
    var excludes: [[UInt8]] = []
    var excludesPlace: TOMLPlace?
    var imageName: String?
    var series: String?
    var hooks: Hooks?
    var to: [TOMLText] = []
    var copies: [TOMLText] = []
    var rate: UInt64?
    var priority = Job.Priority.normal
    var every: Int64?
    var window: Window?
    var reread: Int64?
    var keep: KeepRules?
    var verify: UInt64?
    var integrity: Job.Integrity?
    var expected: [[UInt8]] = []
    var expectedPlace: TOMLPlace?
    var drill: DrillSettings?
    /// The store that its drills read, and where that stands.
    var drillStore: TOMLText?

    /// The job, once all that stands of it was read.
    /// - Parameter table: where it stands.
    func job(_ table: TOMLValue, _ source: SettingSource) throws -> Job {
        func problem(_ message: String) -> Problem { source.problem(table.keyPlace, "the job \(table.key) \(message)") }
        guard Job.isName(table.key) else {
            throw source.problem(
                table.keyPlace,
                "\(table.key) is no name of a job: that has 1 to 64 letters, digits, dots, dashes and underlines, begins with a letter or digit, and is not schedule"
            )
        }
        let content: Job.Source
        switch (sources, disk, point) {
        case (let paths?, nil, nil): content = .paths(paths)
        case (nil, let device?, nil): content = .disk(device)
        case (nil, nil, "new"?): content = .newPoint
        case (nil, nil, let name?): content = .point(name)
        case (nil, nil, nil): throw problem("has neither sources, disk nor point")
        default: throw problem("has more than one of sources, disk and point")
        }
        if case .disk = content, let excludesPlace {
            throw source.problem(
                excludesPlace,
                "excludes goes with sources: of a disk nothing is left out, and \(table.key) is of a disk")
        }
        if to.isEmpty { throw problem("has no store to write to: set to") }
        if let both = copies.first(where: { copy in to.contains { $0.text == copy.text } }) {
            throw source.problem(both.place, "the store \(both.text) is written to and copied to")
        }
        if integrity == nil, let expectedPlace {
            throw source.problem(expectedPlace, "expected goes with integrity, which \(table.key) does not have")
        }
        if case .disk = content, integrity != nil {
            throw problem("is of a disk, which is not compared: leave integrity out")
        }
        if every == nil, window != nil { throw problem("has a window and is never due: set every") }
        if every == nil, reread != nil { throw problem("has reread and is never due: set every") }
        if let every, let reread, reread < every { throw problem("is to be read anew more often than it is done") }
        var job = Job(name: table.key, source: content, to: to.map(\.text))
        job.excludes = excludes
        job.series = series
        job.imageName = imageName
        job.copies = copies.map(\.text)
        job.timing = every.map { Timing(every: $0, window: window ?? Window(), reread: reread) }
        job.rate = rate
        job.priority = priority
        job.keep = keep
        job.verify = verify
        job.integrity = integrity
        job.expected = expected
        job.drill = drill
        job.hooks = hooks
        return job
    }
}
