// `holdfast check`: what a monitor asks. It speaks the monitoring plugins' protocol, so that its exit statuses are theirs.

internal import ArgumentParser
internal import Machine
internal import Stewardship

struct CheckCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Tell a monitor how the jobs stand.",
        discussion: discussion(
            """
            For Nagios, Icinga, Checkmk and Zabbix: one line with numbers behind it, and their exit statuses: 0 all is well, 1 a \
            warning, 2 critical, 3 unknown. It looks at what this machine has noted, and asks no store; it needs no key and no privilege. \
            Without limits a job is told that was due some hours ago (1), and one that has been missed twice (2); a new one, counted \
            from when it was due for the first time. A drill that failed is critical; one that is overdue or could not be made is a warning. A state that is on trial, or did not hold, is a warning. With --json it is one document, with each job as `holdfast status` has it.
            """,
            examples: "holdfast check", "holdfast check --warn 26h --crit 50h"))

    @Option(help: ArgumentHelp("Warn of a last success that is so old (30m, 26h, 2d, 1w).", valueName: "span"))
    var warn: SpanArgument?

    @Option(help: ArgumentHelp("From so old on it is critical.", valueName: "span"))
    var crit: SpanArgument?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if let warn, let crit, crit.seconds < warn.seconds { throw ValidationError("--crit is less than --warn.") }
    }

    func perform(_ session: Session) throws -> Outcome {
        let limits = AgeLimits(warning: warn?.seconds, critical: crit?.seconds)
        let (places, moment) = (state.places(session).looking(), Moment.current())
        let states = session.configuration.jobs.map { JobState($0, places, at: moment) }
        let health = JobHealth.all(
            states.map { ($0.job, $0.known) }, places, limits: limits, configured: session.configuration.written,
            at: moment)
        let trial = TrialHealth(state.places(session))
        let answer = PluginAnswer(health, trial: trial, completing: session.console.completing)
        if session.console.isJSON {
            session.console.document(
                document(states, health, trial, answer.verdict, session.console.completing))
        } else {
            session.console.result(answer.text)
        }
        return Outcome(rawValue: answer.verdict.rawValue) ?? .findings
    }

    private func document(
        _ states: [JobState], _ health: [JobHealth], _ trial: TrialHealth?, _ verdict: Verdict,
        _ completing: (String) -> String
    ) -> JSON {
        let findings = health.flatMap { job in
            job.objections.map { objection in
                JSON.object([
                    ("job", .text(job.job)), ("state", .text(objection.verdict.word)),
                    ("reason", .text(completing(objection.reason))),
                ])
            }
        }
        return .object([
            ("state", .text(verdict.word)), ("status", .number(UInt64(verdict.rawValue))),
            ("trial", trial.map { .text($0.reason) }),
            ("jobs", .list(zip(states, health).map(JSON.job))), ("findings", .list(findings)),
        ])
    }
}
