// Whom and what is told how the jobs stand: [notify] and [status].

internal import Platform
internal import Stewardship
internal import Stores

enum TellingSettingTables {
    static let notify = SettingTable(
        name: "notify",
        explanation: [
            "Who is told when a job begins and how it ended. A message that does not arrive is said and counted, and changes nothing else."
        ],
        settings: [
            Setting(
                name: "ping", wants: "a URL that begins with https:// or http://",
                explanation: [
                    "Where it is told as Healthchecks and its like expect: POST to the URL when it went well (with what was found in the",
                    "body), to URL/start when it begins, to URL/fail when it failed. Three attempts of 10 seconds.",
                ],
                standard: "nowhere", example: #"ping = "https://hc.example.com/ping/5e1b6f0a-plant""#
            ) { value, source, result in
                guard let address = value.string.flatMap(MessageAddress.init) else {
                    throw source.problem(
                        value.place, "ping wants a URL that begins with https:// or http://, without a user in it")
                }
                result.notifier.ping = address
            },
            Setting(
                name: "command", wants: "a path",
                explanation: [
                    "A program that is run each time and gets the event on its standard input, as one line of JSON. It has 30 seconds.",
                    "Mail, SMS and chats are what such a program does. Run by root it has to be root's.",
                ],
                standard: "none", example: #"command = "/usr/local/lib/holdfast/mail-plant""#
            ) { value, source, result in
                let command = try source.absolute(value, "command")
                try source.checkHooks("programs of [notify]")
                result.notifier.command = command
            },
        ])

    static let status = SettingTable(
        name: "status",
        explanation: [
            "Files that say how the jobs stand, written whenever `holdfast schedule run` was called, due or not. Their folders have to be there."
        ],
        settings: [
            Setting(
                name: "json", wants: "a path", explanation: ["Everything that is known, as JSON."], standard: "none",
                example: #"json = "/run/plant/backup.json""#
            ) { value, source, result in result.statusFiles.json = try source.absolute(value, "json") },
            Setting(
                name: "value", wants: "a path",
                explanation: ["One digit for a PLC's alarm: 0 all is well, 1 look at it, 2 act, 3 there is no job."],
                standard: "none", example: #"value = "/run/plant/backup""#
            ) { value, source, result in result.statusFiles.value = try source.absolute(value, "value") },
            Setting(
                name: "metrics", wants: "a path that ends in .prom",
                explanation: ["Metrics for the textfile collector of Prometheus' node exporter."], standard: "none",
                example: #"metrics = "/var/lib/prometheus/node-exporter/holdfast.prom""#
            ) { value, source, result in
                let path = try source.absolute(value, "metrics")
                guard path.bytes.suffix(5).elementsEqual(".prom".utf8) else {
                    throw source.problem(
                        value.place, "metrics wants a path that ends in .prom: others are not collected")
                }
                result.statusFiles.metrics = path
            },
        ])
}
