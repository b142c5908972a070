// `holdfast log` and `holdfast log verify`: what was done to this machine, by whom, and whether the record of it can be believed.

internal import ArgumentParser
internal import AuditLog
internal import Images
internal import Machine
internal import Platform

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Show what was done to this machine; check that the record is whole.",
        discussion: discussion(
            examples: "holdfast log --since 12h # what was done during the night", "holdfast log verify"),
        subcommands: [LogShowCommand.self, LogVerifyCommand.self], defaultSubcommand: LogShowCommand.self)
}

extension StatefulCommand {
    func log(_ session: Session) throws -> AuditLog {
        let log = AuditLog(folder: state.places(session).log)
        guard log.isBegun else {
            throw Problem.usage(
                "there is no log in \(log.folder)", hint: "the first command that changes something begins one")
        }
        return log
    }
}

/// A time, or how long ago: `2026-11-20`, `2026-11-20T08:56:14Z`, `90m`, `12h`, `7d`.
struct SinceArgument: ExpressibleByArgument {
    private let text: String

    init?(argument: String) {
        let digits = argument.prefix { $0.isNumber }
        if digits.count < argument.count, let number = Int64(digits), number < 1_000_000,
            let seconds = ["m": 60, "h": 3600, "d": 86_400][String(argument.dropFirst(digits.count))]
        {
            text = Timestamp(seconds: Timestamp.now().seconds - number * Int64(seconds), nanoseconds: 0).text
            return
        }
        let form = Array("0000-00-00T00:00:00Z")
        guard argument.count >= 10, argument.count <= form.count,
            zip(argument, form).allSatisfy({ $1 == "0" ? ("0"..."9").contains($0) : $0 == $1 })
        else { return nil }
        text = argument
    }

    /// Times of that form stand in the order of their text.
    func includes(_ time: String) -> Bool { time >= text }
}

struct LogShowCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what was done to this machine.",
        discussion: discussion(
            examples: "holdfast log --since 12h # what was done during the night",
            "holdfast log --verb rollback # every rollback, and by whom", "holdfast log --user anna --since 2026-11-20")
    )

    @Option(
        help: ArgumentHelp("From when on: 2026-11-20, 2026-11-20T08:56:14Z, or 90m, 12h, 7d ago.", valueName: "time"))
    var since: SinceArgument?

    @Option(help: ArgumentHelp("What this person did, or was done as this user.", valueName: "name"))
    var user: String?

    @Option(help: ArgumentHelp("This command alone.", valueName: "verb"))
    var verb: String?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let records: [AuditRecord]
        do {
            records = try log(session).records()
        } catch let error as SystemError where error.isPermission {
            throw Problem.refused("no permission to read the log", hint: "be root, or use sudo or doas")
        }
        let wanted = records.filter { record in
            since?.includes(record.time) ?? true && (user.map { [record.login, record.user].contains($0) } ?? true)
                && (verb.map { $0 == record.verb } ?? true)
        }
        if session.console.isJSON {
            session.console.document(.list(wanted.map(JSON.record)))
        } else {
            var table = Table([
                ("N", .right), ("TIME", .left), ("WHO", .left), ("", .left), ("COMMAND", .left),
            ])
            for record in wanted {
                let who = [record.login ?? record.user, record.origin].compactMap { $0 }.joined(separator: " ")
                table.add([
                    "\(record.sequence)", record.time + (record.clockIsSynchronised ? "" : "?"), Text.safe(who),
                    record.phase.rawValue + (record.status.map { " \($0)" } ?? ""),
                    // What came of it stands where the command does, which its intent has told.
                    Text.safe(record.text ?? ([record.verb] + record.arguments).joined(separator: " ")),
                ])
            }
            session.console.result(wanted.isEmpty ? "nothing\n" : table.text)
        }
        return .done
    }
}

struct LogVerifyCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check that the log is whole, in order, and written by this machine.",
        discussion: discussion(
            """
            Whether log and key were both put back to an older state can only be told from outside: by the log's head that every \
            image carries (--from), or that was written down (--anchor).
            """,
            examples: "holdfast log verify", "holdfast log verify --from nas # with the heads in its images"))

    @Option(
        name: .customLong("anchor"), help: ArgumentHelp("A head that was noted; may be repeated.", valueName: "head"))
    var anchors: [String] = []

    @Option(help: ArgumentHelp("A store with images of this machine.", valueName: "store"))
    var from: StoreArgument?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let log = try log(session)
        guard HostFacts.isRoot else {
            throw Problem.refused("the log's key is root's", hint: "be root, or use sudo or doas")
        }
        var known = try anchors.map { text in
            guard let anchor = AuditAnchor(text) else {
                throw Problem.usage("\(Text.safe(text)) is no head of a log: a number, `:` and 64 digits")
            }
            return anchor
        }
        if let from {
            known += try session.open(from, for: .read).images()
                .filter { $0.label?.isOf(host: HostFacts.hostName) == true }.compactMap {
                    $0.label.flatMap { AuditAnchor($0.logHead) }
                }
        }
        let result = try log.verify(anchors: known)
        for note in result.notes { session.console.note(note) }
        session.show(
            [
                ("sound", .flag(result.isSound)), ("records", .number(result.records)),
                ("anchors", .number(UInt64(result.anchors))), ("head", result.head.map { .text($0.description) }),
                ("findings", .list(result.findings.map { .text($0.description) })),
                ("notes", .list(result.notes.map(JSON.text))),
            ],
            summary: result.findings.map(\.description) + [
                (result.isSound ? "sound" : "NOT sound") + ": \(Text.counted(result.records, "record", "records")), "
                    + "\(Text.counted(UInt64(result.anchors), "head", "heads")) noted elsewhere found in it",
                "head \(result.head?.description ?? "none")",
            ]
                + (result.isSound && result.anchors == 0
                    ? [
                        "no head that was noted elsewhere was asked for: that log and key were not both put back to an older state, only those tell (--from STORE, --anchor HEAD)"
                    ] : []))
        return result.isSound ? .done : .findings
    }
}

extension JSON {
    static func record(_ record: AuditRecord) -> JSON {
        .object([
            ("sequence", .number(record.sequence)), ("time", .text(record.time)),
            ("clockIsSynchronised", .flag(record.clockIsSynchronised)), ("boot", .text(record.boot)),
            ("login", record.login.map(JSON.text)), ("user", .text(record.user)),
            ("origin", record.origin.map(JSON.text)), ("host", .text(record.host)),
            ("phase", .text(record.phase.rawValue)), ("verb", .text(record.verb)),
            ("arguments", .list(record.arguments.map(JSON.text))), ("object", record.object.map(JSON.text)),
            ("status", record.status.map { .number(UInt64(clamping: $0)) }), ("text", record.text.map(JSON.text)),
        ])
    }
}
