// What can be set of the policy: [policy], and [policy.NAME] for the machines of a line.

internal import Images
internal import Machine
internal import Platform
internal import Stewardship

enum PolicySettingTable {
    static let shared = SettingTable(
        name: "policy",
        explanation: [
            "What a plant has to keep, whatever its runs say of themselves: `holdfast policy check` compares it with what the stores show."
        ],
        settings: [
            Setting(
                name: "certificates", wants: "a path",
                explanation: ["A folder of the certificates of media that were wiped or destroyed."], standard: "none",
                example: #"certificates = "/srv/holdfast/certificates""#
            ) { value, source, result in result.policy.certificates = try source.absolute(value, "certificates") },
            Setting(
                name: "drills", wants: "a path",
                explanation: ["A folder of the signed reports of drills."], standard: "none",
                example: #"drills = "/srv/holdfast/drills""#
            ) { value, source, result in result.policy.drills = try source.absolute(value, "drills") },
            Setting(
                name: "signers", wants: "a path",
                explanation: [
                    "The public keys that may have signed certificates and reports, a key a line, as a machine has its own in",
                    "certificate/key.pub of its state.",
                ],
                standard: "nobody; then none of them is believed",
                example: "signers = \"\(Places.standardConfiguration)/signers\""
            ) { value, source, result in result.policy.signers = try source.absolute(value, "signers") },
        ])

    static let table = SettingTable(
        name: "policy.NAME",
        explanation: [
            "The rules for the machines of a line. A rule that is not set asks for nothing. Where several tables are for a series, it keeps",
            "the rules of each.",
        ],
        settings: machines + copies + proof + keys, holds: true)

    private static let machines = [
        Setting(
            name: "series", wants: "an array of patterns",
            explanation: [
                "The series that are meant. A * stands for any part of a name up to a slash. One without a * has to be in a store."
            ],
            standard: "all", example: #"series = ["press-*/system"]"#
        ) { value, source, result in
            result.rules.series = try source.texts(value, "series", "patterns").map { NamePattern($0.text) }
        },
        Setting(
            name: "machines", wants: "an array of names",
            explanation: [
                "The machines that are meant, each by what its series begin with, up to the slash. Each has to have an image, and one in a",
                "store that no table knows is told as a stranger.",
            ],
            standard: "all that series means", example: #"machines = ["press-01", "press-02"]"#
        ) { value, source, result in
            result.rules.machines = try source.texts(value, "machines", "names").map { name in
                guard !name.text.contains("/") else {
                    throw source.problem(name.place, "a machine's name ends before the slash of its series")
                }
                return name.text
            }
        },
        Setting(
            name: "portable", wants: "an array of patterns",
            explanation: ["Machines that are carried about: each wants one copy more than copies says."],
            standard: "none", example: #"portable = ["service-*"]"#
        ) { value, source, result in
            result.rules.portable = try source.texts(value, "portable", "patterns").map { NamePattern($0.text) }
        },
        Setting(
            name: "line", wants: "a name", explanation: ["What people call these machines together, for pages."],
            standard: "the table's own name", example: #"line = "Press line 3""#
        ) { value, source, result in result.rules.line = try source.text(value, "line", "a name") },
        Setting(
            name: "site", wants: "a name", explanation: ["Where they stand, for pages."], standard: "none",
            example: #"site = "plant north""#
        ) { value, source, result in result.rules.site = try source.text(value, "site", "a name") },
        Setting(
            name: "stores", wants: "an array of stores",
            explanation: ["Where copies of their images are, each by its name in [stores], a path or a URL."],
            standard: "all of [stores]", example: #"stores = ["nas"]"#
        ) { value, source, result in
            let stores = try source.texts(value, "stores", "stores")
            guard !stores.isEmpty else { throw source.problem(value.place, "stores names no store") }
            result.rules.stores = stores.map(\.text)
        },
    ]

    private static let copies = [
        Setting(
            name: "copies", wants: "a number",
            explanation: [
                "How many of the stores have a copy: the newest image of the series, or one that copy_age allows."
            ],
            standard: "not asked", example: "copies = 2"
        ) { value, source, result in result.rules.copies = try source.count(value, "copies") },
        Setting(
            name: "copy_age", wants: "a span, such as 26h or 8d",
            explanation: ["How old the newest image of a copy may be, where it is not the newest that there is."],
            standard: "what age says; without that only the newest", example: #"copy_age = "8d""#
        ) { value, source, result in result.rules.copyAge = try source.span(value, "copy_age") },
        Setting(
            name: "sites", wants: "a number",
            explanation: ["At how many sites the copies are: site in [stores.NAME] says where a store stands."],
            standard: "not asked", example: "sites = 2"
        ) { value, source, result in result.rules.sites = try source.count(value, "sites") },
        Setting(
            name: "offsite", wants: "true or false",
            explanation: ["Whether one of the copies is in a store that has offsite = true."], standard: "false",
            example: "offsite = true"
        ) { value, source, result in result.rules.wantsOffsite = try source.flag(value, "offsite") },
        Setting(
            name: "age", wants: "a span, such as 26h",
            explanation: ["How old the newest image may be, by the store's clock."],
            standard: "not asked", example: #"age = "26h""#
        ) { value, source, result in result.rules.age = try source.span(value, "age") },
        Setting(
            name: "mounts", wants: "true or false",
            explanation: [
                "Whether all that is mounted on the machine is in an image, or in that of another series of it. That is asked of the newest",
                "image, and wants an identity: with a steward's key alone it cannot be looked at, which is told.",
            ],
            standard: "false", example: "mounts = true"
        ) { value, source, result in result.rules.wantsMounts = try source.flag(value, "mounts") },
        Setting(
            name: "uncovered", wants: "an array of patterns",
            explanation: ["Mounts that need not be in any image; a * stands for any part of a path up to a slash."],
            standard: "none", example: #"uncovered = ["/mnt/*"]"#
        ) { value, source, result in
            result.rules.uncovered = try source.texts(value, "uncovered", "patterns").map { NamePattern($0.text) }
        },
    ]

    private static let proof = [
        Setting(
            name: "proven", wants: "a span, such as 31d",
            explanation: [
                "How long ago an image of the series was read whole at most: `holdfast verify --read-data --share` notes it in the store."
            ],
            standard: "not asked", example: #"proven = "31d""#
        ) { value, source, result in result.rules.proven = try source.span(value, "proven") },
        Setting(
            name: "drilled", wants: "a span, such as 90d",
            explanation: [
                "How long ago the series was restored for trial at most, and came back: a signed report of `holdfast drill` in the folder",
                "that drills of [policy] names.",
            ],
            standard: "not asked", example: #"drilled = "90d""#
        ) { value, source, result in result.rules.drilled = try source.span(value, "drilled") },
        Setting(
            name: "keep", wants: "a table with \(keepWords.joined(separator: ", ")), as a job's keep has them",
            explanation: [
                "What has to be there of the past, in all stores together: so many days, weeks, months that have an image, or a span",
                "that it reaches back. A series whose first image is there has lost nothing.",
            ],
            standard: "not asked", example: #"keep = { daily = 7, weekly = 4, monthly = 12, within = "14d" }"#
        ) { value, source, result in
            let keep = try source.keepRules(value, keepWords)
            guard !keep.isEmpty else { throw source.problem(value.place, "keep has no rule") }
            result.rules.keep = keep
        },
        Setting(
            name: "keep_at_most", wants: "a span, such as 2y",
            explanation: [
                "How old the oldest image may be in any store: pinned ones, and those of machines that are gone, count."
            ],
            standard: "any age", example: #"keep_at_most = "2y""#
        ) { value, source, result in result.rules.keepAtMost = try source.span(value, "keep_at_most") },
    ]

    private static let keys = [
        Setting(
            name: "recipients", wants: "a number",
            explanation: [
                "How many recipients open each of the stores: with one alone a lost identity is the end of all images."
            ],
            standard: "not asked", example: "recipients = 2"
        ) { value, source, result in result.rules.recipients = try source.count(value, "recipients") },
        Setting(
            name: "lost", wants: "an array of recipients",
            explanation: [
                "Recipients (age1…) whose identity is lost, or in other hands: they may open none of the stores."
            ],
            standard: "none",
            example: #"lost = ["age1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0jqxuzx4"]"#
        ) { value, source, result in
            result.rules.lostRecipients = try source.texts(value, "lost", "recipients").map { recipient in
                guard recipient.text.hasPrefix("age1") || recipient.text == "passphrase" else {
                    throw source.problem(recipient.place, "lost wants recipients, age1…")
                }
                return recipient.text
            }
        },
        Setting(
            name: "key_on_machine", wants: "true or false",
            explanation: [
                "Whether a key that opens a machine's images may be on it, with nobody there: so with here = true in the drill of a job.",
                "Reports of drills show it; allowed or not, it is told.",
            ],
            standard: "false", example: "key_on_machine = true"
        ) { value, source, result in result.rules.allowsKeyOnMachine = try source.flag(value, "key_on_machine") },
        Setting(
            name: "media", wants: "a table with \(mediaWords.joined(separator: ", "))",
            explanation: [
                "What the media of the stores are: kinds and file_systems are lists of words, capacity is the least, age the longest time in",
                "use, custody = true asks for somebody who says where each is kept, certificates = true for a certificate of each that is out",
                "of use. Kinds are \(MediumFacts.kinds.joined(separator: ", ")).",
            ],
            standard: "not asked",
            example:
                #"media = { kinds = ["usb"], capacity = "500GB", age = "3y", custody = true }"#
        ) { value, source, result in result.rules.media = try media(value, source) },
    ]

    private static let keepWords = KeepPeriod.allCases.map(\.rawValue) + ["within"]
    private static let mediaWords = ["kinds", "file_systems", "capacity", "age", "custody", "certificates"]

    private static func media(_ value: TOMLValue, _ source: SettingSource) throws -> MediaRules {
        var rules = MediaRules()
        for part in try source.table(value, "media", mediaWords) {
            switch part.key {
            case "kinds":
                rules.kinds = try source.texts(part, "kinds", "words").map { word in
                    guard MediumFacts.kinds.contains(word.text) else {
                        throw source.problem(
                            word.place,
                            "there is no kind \(word.text); there are \(MediumFacts.kinds.joined(separator: ", "))")
                    }
                    return word.text
                }
            case "file_systems": rules.fileSystems = try source.texts(part, "file_systems", "words").map(\.text)
            case "capacity":
                guard let size = part.string.flatMap(SizeArgument.init) else {
                    throw source.problem(part.place, "capacity wants a size as a string, such as \"500GB\"")
                }
                rules.least = size.bytes
            case "age": rules.age = try source.span(part, "age")
            case "custody": rules.wantsCustody = try source.flag(part, "custody")
            default: rules.wantsCertificate = try source.flag(part, "certificates")
            }
        }
        return rules
    }
}

/// What can be said of one medium: [media.NAME].
enum MediaSettingTable {
    static let table = SettingTable(
        name: "media.NAME",
        explanation: ["A medium with a store on it: what nobody can measure. The policy goes by it."],
        settings: [
            Setting(
                name: "serial", wants: "a serial number",
                explanation: [
                    "As `holdfast disks` shows it: by it the medium is known wherever it is, and its certificate is found."
                ],
                standard: "none; it is known by its store", example: #"serial = "4C530001230""#
            ) { value, source, result in result.medium.serial = try source.text(value, "serial", "a serial number") },
            Setting(
                name: "store", wants: "a store", explanation: ["The store that is on it, by its name in [stores]."],
                standard: "none", example: #"store = "nas""#
            ) { value, source, result in result.medium.store = try source.text(value, "store", "a store") },
            Setting(
                name: "since", wants: "a day", explanation: ["When its use began."], standard: "not known",
                example: #"since = "2026-03-01""#
            ) { value, source, result in result.medium.since = try source.day(value, "since") },
            Setting(
                name: "ended", wants: "a day",
                explanation: [
                    "When its use ended: from then on the policy may ask for a certificate that it was wiped."
                ],
                standard: "it is in use", example: #"ended = "2027-03-01""#
            ) { value, source, result in result.medium.ended = try source.day(value, "ended") },
            Setting(
                name: "custody", wants: "a text", explanation: ["Where it is kept, and by whom."],
                standard: "not known",
                example: #"custody = "safe of building 2, A. Berg""#
            ) { value, source, result in result.medium.custody = try source.text(value, "custody", "a text") },
        ], holds: true)
}

extension Configuration {
    /// Reads the tables of the policy, or of media.
    /// - Returns: the stores that they name.
    mutating func readPolicy(_ value: TOMLValue, _ source: SettingSource) throws -> [TOMLText] {
        guard let parts = value.table else { throw source.problem(value.place, "[\(value.key)] wants to be a table") }
        var named: [TOMLText] = []
        for part in parts {
            guard let values = part.table else {
                if value.key == "policy" {
                    try read(part, of: PolicySettingTable.shared, source)
                    continue
                }
                throw source.problem(
                    part.keyPlace,
                    "\(part.key) stands below [media], where each medium has a table of its own, such as [media.NAME]")
            }
            if value.key == "policy" {
                rules = PolicyRules(name: part.key)
                for value in values { try read(value, of: PolicySettingTable.table, source) }
                named += try values.filter { $0.key == "stores" }.flatMap { try source.texts($0, "stores", "stores") }
                policy.tables.append(rules)
            } else {
                medium = KnownMedium(name: part.key)
                for value in values { try read(value, of: MediaSettingTable.table, source) }
                named += values.filter { $0.key == "store" }.map { TOMLText(text: $0.string ?? "", place: $0.place) }
                policy.media.append(medium)
            }
        }
        return named
    }
}
