// `holdfast schedule enable` and `disable`: whether jobs run by themselves.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import Stewardship

struct ScheduleEnableCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Have jobs run by themselves.",
        discussion: discussion(
            """
            It installs a service and a timer of systemd, which asks every quarter of an hour what is due. What runs gives way to \
            everything else: idle classes of processor and disk, the processors that no task of the plant has, and a limit of memory, \
            as [schedule] in the configuration says. Repeat it where that was changed. Hooks run without the right to gain rights: \
            runuser works in them, sudo does not.
            """,
            examples: "holdfast schedule enable", "holdfast schedule enable --config /root/line3.toml"))

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        guard HostFacts.isRoot else { throw Problem.refused("only root can have jobs run by themselves") }
        let configuration = session.configuration
        try configuration.schedule.hold?.check()
        if FilterMounts.lower(of: "/") != nil, !PackageChange.isAtEachStart {
            session.console.warning(
                "/ is filtered: the next start has forgotten the timer, and only the Debian package brings it back each time"
            )
        }
        try Schedule(state.places(session)).enable(
            configuration: global.config?.absolute ?? HostFacts.environment("HOLDFAST_CONFIG"),
            processors: configuration.schedule.processors,
            memory: configuration.schedule.memory ?? Schedule.standardMemory)
        let timed = configuration.jobs.filter { $0.timing != nil || $0.drill?.isUnattended == true }
        if timed.isEmpty { session.console.warning("no job of the configuration is ever due: none has `every`") }
        session.show(
            [("enabled", .flag(true)), ("jobs", .list(timed.map { .text($0.name) }))],
            summary: [
                "jobs run by themselves from now on"
                    + (timed.isEmpty ? "" : ": " + timed.map(\.name).joined(separator: ", "))
            ])
        return .done
    }
}

struct ScheduleDisableCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Have nothing run by itself any more.",
        discussion: discussion(
            "A run that goes on ends by itself. What is known of the jobs stays.", examples: "holdfast schedule disable"
        ))

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        guard HostFacts.isRoot else { throw Problem.refused("only root can have nothing run by itself any more") }
        let wasEnabled = try Schedule(state.places(session)).disable()
        session.show(
            [("enabled", .flag(false))],
            summary: [wasEnabled ? "nothing runs by itself any more" : "nothing did run by itself"])
        return .done
    }
}
