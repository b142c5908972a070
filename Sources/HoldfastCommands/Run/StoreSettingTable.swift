// What can be set of one store: [stores.NAME].

internal import Images
internal import Machine
internal import Platform
internal import Stores

/// A store as the configuration has it.
struct ConfiguredStore: Sendable {
    var settings: StoreSettings
    var mayBecomeStore = false
    var fingerprint: StoreFingerprint?
    var site: String?
    var isOffsite = false

    init(_ location: StoreLocation) { settings = StoreSettings(location) }
}

enum StoreSettingTable {
    static let table = SettingTable(
        name: "stores.NAME",
        explanation: [
            "A store with more to say of it than its place. No secret stands in this file: it names the file, or the program, that has it."
        ],
        settings: [
            Setting(
                name: "url", wants: "a path or URL",
                explanation: [
                    "The place: a path; s3://BUCKET/PREFIX?endpoint=https://HOST, with &region=… and &style=path or host;",
                    "sftp://USER@HOST:PORT/PATH, where /~/PATH is below the account's home; usb:LABEL/FOLDER, a medium by its label.",
                ],
                standard: "none; it has to be there",
                example: #"url = "s3://plant/line3?endpoint=https://s3.example.com""#
            ) { value, source, result in result.store.settings.location = try location(value, "url", source) },
            Setting(
                name: "credentials", wants: "a path, profile:NAME, systemd:NAME or imds, or the words of a command",
                explanation: [
                    "What signs requests to an object store: a file that its owner alone can read, with the lines",
                    "aws_access_key_id = … and aws_secret_access_key = …; a profile of ~/.aws; a credential that systemd gives the unit;",
                    "the role of a cloud's machine; or a program, as an array of its words, that prints them as credential_process does.",
                    "For sftp: the file of ssh's private key, where its own configuration does not name one.",
                ],
                standard:
                    "systemd's credential holdfast-s3, then AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, then the profile",
                example: "credentials = \"\(Places.standardConfiguration)/s3\""
            ) { value, source, result in result.store.settings.credentials = try credentials(value, source) },
            Setting(
                name: "ssh", wants: "the words of a command, as an array",
                explanation: [
                    "What is run in the place of ssh, with words of its own before those that Holdfast gives: another configuration, say.",
                    "The program is named by its absolute path.",
                ],
                standard: "ssh", example: "ssh = [\"/usr/bin/ssh\", \"-F\", \"\(Places.standardConfiguration)/ssh\"]"
            ) { value, source, result in
                try source.checkHooks("words of ssh")
                guard let words = value.array?.compactMap(\.string), words.count == value.array?.count,
                    words.first?.hasPrefix("/") == true
                else { throw source.problem(value.place, "ssh wants an array of words, the first an absolute path") }
                result.store.settings.ssh = words
            },
            Setting(
                name: "ca", wants: "a path",
                explanation: ["Certificates of the authorities that vouch for the server, in place of the system's."],
                standard: "the system's", example: "ca = \"\(Places.standardConfiguration)/plant-ca.pem\""
            ) { value, source, result in
                result.store.settings.transport.authorities = try source.absolute(value, "ca")
            },
            Setting(
                name: "proxy", wants: "a URL",
                explanation: ["The proxy between this machine and the server."],
                standard: "what https_proxy says in the environment",
                example: #"proxy = "http://proxy.example.com:3128""#
            ) { value, source, result in
                guard let text = value.string, !text.isEmpty else {
                    throw source.problem(value.place, "proxy wants a URL as a string")
                }
                if text.contains("@") {
                    throw source.problem(value.place, "the URL of a proxy has no place for a secret")
                }
                result.store.settings.transport.proxy = text
            },
            Setting(
                name: "no_proxy", wants: "names of hosts, with commas between them",
                explanation: ["Hosts that are reached without a proxy; * stands for all."],
                standard: "what no_proxy says in the environment",
                example: #"no_proxy = "localhost,.plant.example.com""#
            ) { value, source, result in
                guard let text = value.string else {
                    throw source.problem(value.place, "no_proxy wants a string")
                }
                result.store.settings.transport.noProxy = text
            },
            Setting(
                name: "rate", wants: "a size, such as 2MB",
                explanation: ["How many bytes a second are read and written at most, together."],
                standard: "as fast as it goes", example: #"rate = "2MB""#
            ) { value, source, result in result.store.settings.rate = try source.rate(value) },
            Setting(
                name: "site", wants: "a name",
                explanation: ["Where the store stands: copies at one site burn down together."],
                standard: "none", example: #"site = "head office""#
            ) { value, source, result in result.store.site = try source.text(value, "site", "a name") },
            Setting(
                name: "offsite", wants: "true or false",
                explanation: [
                    "Whether it stands where a fire or a theft in the plant does not reach; the policy may want a copy there."
                ],
                standard: "false", example: "offsite = true"
            ) { value, source, result in result.store.isOffsite = try source.flag(value, "offsite") },
            Setting(
                name: "create", wants: "true or false",
                explanation: [
                    "Whether a backup or copy may make a new store where none is. Without it, none means that a disk or share is missing."
                ],
                standard: "false", example: "create = true"
            ) { value, source, result in
                result.store.mayBecomeStore = try source.flag(value, "create")
            },
            Setting(
                name: "fingerprint", wants: "a store's fingerprint",
                explanation: [
                    "As `holdfast store init` shows it. Another store at this place is refused, whoever put it there."
                ],
                standard: "what this machine remembers",
                example: #"fingerprint = "ABCD EFGH IJKL MNOP QRST UVWX YZ23 4567""#
            ) { value, source, result in
                guard let fingerprint = value.string.flatMap(StoreFingerprint.init) else {
                    throw source.problem(value.place, "fingerprint wants one, as `holdfast store info` shows it")
                }
                result.store.fingerprint = fingerprint
            },
        ])

    static func location(_ value: TOMLValue, _ name: String, _ source: SettingSource) throws -> StoreLocation {
        guard let place = value.string, !place.isEmpty else {
            throw source.problem(value.place, "the store \(name) wants a path as a string")
        }
        guard place.hasPrefix("/") || StoreLocation.scheme(of: Array(place.utf8)) != nil else {
            throw source.problem(value.place, "the path of the store \(name) is not absolute")
        }
        do { return try StoreLocation(Array(place.utf8)) } catch {
            throw source.problem(value.place, error.description + (error.mend.map { "; \($0)" } ?? ""))
        }
    }

    private static func credentials(_ value: TOMLValue, _ source: SettingSource) throws -> S3CredentialSource {
        if let words = value.array {
            try source.checkHooks("words of credentials")
            return .command(
                try words.map { word in
                    guard let text = word.string else {
                        throw source.problem(word.place, "the words of the command are strings")
                    }
                    return text
                })
        }
        guard let text = value.string else {
            throw source.problem(value.place, "credentials wants a path, or the words of a command as an array")
        }
        if text == "imds" { return .machineRole }
        for (prefix, made) in [("profile:", S3CredentialSource.profile), ("systemd:", S3CredentialSource.systemd)]
        where text.hasPrefix(prefix) {
            return made(String(text.dropFirst(prefix.count)))
        }
        return .file(try source.absolute(value, "credentials"))
    }
}
