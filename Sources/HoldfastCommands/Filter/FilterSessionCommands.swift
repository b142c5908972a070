// `holdfast filter commit`, `discard`, and what the start of the machine and the timer run: `start`, `watch`, `apply`.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import Reporting
internal import WriteFilter

struct FilterCommitCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit", abstract: "Keep what this session wrote, or deleted, at some paths.",
        discussion: discussion(
            """
            It is durable when the command returns. In / it is brought to the disk at the next start, before anything runs; in a \
            filtered folder at once, where no program works in it. `--all --dry-run` lists what this session has changed and \
            the disk does not have.
            """,
            examples: "holdfast filter commit /etc/network # this folder",
            "holdfast filter commit --all --dry-run # what this session has changed"))

    @Argument(help: "Files and folders.") var paths: [PathArgument] = []
    @Flag(help: "Everything that this session changed.") var all = false
    @OptionGroup var place: FilterPathOption
    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if paths.isEmpty != all { throw ValidationError("Give paths, or --all.") }
    }

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let filter = filter(session)
        let paths = all ? nil : try paths.map { try $0.absolute }
        let place = try place.place(of: self.paths, in: filter)
        if plan.dryRun {
            let plan = try session.working { try filter.planCommit(paths, in: place) }
            _ = try session.agree(
                to: plan, self.plan, lines: Text.lines(of: plan), members: JSON.members(of: plan), question: nil)
            return .done
        }
        let committed = try session.working {
            try filter.commit(
                paths, in: place, asked: plan.plan, progress: session.progress, findings: session.findings,
                holding: filter.lock())
        }
        let count = Text.counted(UInt64(committed.changes), "change", "changes")
        var lines: [String]
        if committed.changes == 0 {
            lines = [
                committed.isContinued
                    ? "what was committed before is on the disk; nothing else was changed there in this session"
                    : "nothing was changed there in this session"
            ]
        } else if committed.isApplied {
            lines = ["\(count) kept, on the disk"]
        } else {
            lines = ["\(count) kept; brought to the disk at the next start"]
        }
        if !committed.users.isEmpty { lines.append("it is in use: " + Text.users(committed.users)) }
        if !all {
            lines.append("`holdfast filter commit --all --dry-run` lists what else this session changed")
        }
        session.show(
            [("changes", .number(UInt64(committed.changes))), ("applied", .flag(committed.isApplied))]
                + session.console.findingMembers, summary: lines)
        return session.findings.count > 0 ? .findings : .done
    }
}

struct FilterDiscardCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Forget what this session wrote, now, where that needs no restart.",
        discussion: discussion(
            examples: "holdfast filter discard # all filters", "holdfast filter discard --path /opt/hmi # one folder"))

    @Option(help: ArgumentHelp("The filtered folder (default: all).", valueName: "dir"))
    var path: PathArgument?

    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let filter = filter(session)
        let plan = try filter.planDiscard(path?.absolute)
        guard
            try session.agree(
                to: plan, self.plan, lines: Text.lines(of: plan), members: JSON.members(of: plan),
                question: plan.places.isEmpty ? nil : "Forget what this session wrote?")
        else { return .done }
        let (now, later) = try filter.discard(plan, findings: session.findings, holding: filter.lock())
        var lines = now.map { "\($0) is as it was protected" }
        lines += later.map {
            "\($0.path) forgets at the next start"
                + ($0.users.isEmpty ? "" : "; it is in use: \(Text.users($0.users))")
        }
        session.show(
            JSON.paths(now, key: "discarded") + JSON.paths(later.map(\.path), key: "atNextStart")
                + session.console.findingMembers,
            summary: lines.isEmpty ? ["no write filter is active"] : lines)
        return session.outcome(0)
    }
}

struct FilterStartCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start the filters of folders; the start of the machine runs it.",
        shouldDisplay: false)

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    var goesOnRegardless: Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let filter = filter(session)
        let alarms = try filter.start(findings: session.findings, holding: filter.lock())
        alarms.forEach(session.console.warning)
        return alarms.isEmpty && session.findings.count == 0 ? .done : .findings
    }
}

struct FilterWatchCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Remember how full the overlays are, and call the hooks; a timer runs it.",
        discussion: """
            Programs in \(Places.filterHooks) are called when a threshold is crossed, upwards or downwards, with the level \
            (normal, warning or critical), the place, the bytes used and the limit.
            """, shouldDisplay: false)

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    var goesOnRegardless: Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let level = try filter(session).watch(hooks: Places.filterHooks) { session.console.warning($0) }
        session.show([("level", .text(level.rawValue))], summary: [level.rawValue])
        return level == .normal ? .done : .findings
    }
}
