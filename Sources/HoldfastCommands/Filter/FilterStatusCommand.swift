// `holdfast filter status`: this session and the next, how full it is, and what fills it. It needs no privilege.

internal import ArgumentParser
internal import Platform
internal import WriteFilter

struct FilterStatusCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show this session and the next, how full the overlay is, and what fills it.",
        discussion: discussion(
            "Exit status 3: the overlay is filled above the warning threshold, or something is not as it was decided.",
            examples: "holdfast filter status",
            "holdfast filter status --path /opt/hmi --json # one folder, for a program"))

    @Option(help: ArgumentHelp("Only this filtered folder.", valueName: "dir"))
    var path: PathArgument?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let wanted = try path?.absolute
        let all = try filter(session).status().filter { wanted == nil || $0.plan.path == wanted }
        if let wanted, all.isEmpty { throw FilterError.notDecided(path: wanted) }
        if session.console.isJSON {
            session.console.document(.object([("filters", .list(all.map { .object(JSON.filter($0)) }))]))
        } else if all.isEmpty {
            session.console.result("no write filter\n")
        }
        for status in all {
            if !session.console.isJSON { lines(status).forEach { session.console.result(Text.safe($0) + "\n") } }
            status.alarms.forEach(session.console.warning)
            if status.isWarning, let worst = status.consumers.first {
                session.console.warning(
                    "the overlay of \(status.plan.path) is filling up; \(worst.folder) takes the most"
                        + (worst.programs.isEmpty ? "" : ", written by \(Text.users(worst.programs))")
                        + (worst.programs.first.map { "; `kill -STOP \($0.id)` holds it" } ?? ""))
            }
        }
        return all.contains { $0.isWarning || !$0.alarms.isEmpty } ? .findings : .done
    }

    private func lines(_ status: WriteFilter.Status) -> [String] {
        var lines = [
            "\(status.plan.path)", "  this session  \(status.session.mode.rawValue)", "  next session  \(status.next)",
        ]
        if let now = status.consumption {
            var line = "  overlay       \(Text.size(now.used)) of \(Text.size(now.limit)), \(now.percent) %"
            if let growth = now.growth, growth > 0, let left = now.minutesLeft {
                line += "; grows by \(Text.size(growth)) a minute, full in \(Text.age(Int64(left) * 60))"
            }
            lines.append(line)
        }
        for exception in status.plan.exceptions {
            let known = status.session.exceptions.first { $0.path == exception }
            let word = known.map { $0.isPersistent ? "stays" : "does NOT stay" } ?? "from the next start on"
            lines.append("  exception     \(exception) (\(status.session.mode == .overlay ? word : "stays"))")
        }
        if status.waitingCommits > 0 {
            lines.append("  committed     waits for the next start (\(status.waitingCommits))")
        }
        if !status.consumers.isEmpty {
            var table = Table([
                ("", .left), ("BYTES", .right), ("FILES", .right), ("FOLDER", .left), ("PROGRAMS", .left),
            ])
            for consumer in status.consumers {
                table.add([
                    "", Text.size(consumer.bytes), Text.number(consumer.files), consumer.folder.description,
                    Text.users(consumer.programs),
                ])
            }
            lines += table.text.split(separator: "\n").map(String.init)
        }
        return lines
    }
}

extension WriteFilter.Status {
    /// What the next start does, in a word.
    var next: String {
        if !plan.isEnabled { return "writable" }
        return isServiceNext ? "service" : "overlay"
    }
}

extension JSON {
    static func filter(_ status: WriteFilter.Status) -> [(String, JSON?)] {
        let session = status.session
        return JSON.filter(status.plan) + [
            ("session", .text(session.mode.rawValue)), ("next", .text(status.next)),
            ("used", status.consumption.map { .number($0.used) }),
            ("limit", status.consumption.map { .number($0.limit) }),
            ("percent", status.consumption.map { .number($0.percent) }),
            ("bytesPerMinute", status.consumption?.growth.map(JSON.number)),
            ("minutesLeft", status.consumption?.minutesLeft.map(JSON.number)),
            (
                "persistent",
                .list(
                    session.exceptions.map { .object(JSON.path($0.path) + [("persistent", .flag($0.isPersistent))]) })
            ),
            ("waitingCommits", .number(UInt64(status.waitingCommits))),
            (
                "consumers",
                .list(
                    status.consumers.map { consumer in
                        .object(
                            JSON.path(consumer.folder) + [
                                ("bytes", .number(consumer.bytes)), ("files", .number(consumer.files)),
                                ("programs", .list(consumer.programs.map { .text($0.description) })),
                            ])
                    })
            ),
            ("alarms", .list(status.alarms.map(JSON.text))),
        ]
    }
}
