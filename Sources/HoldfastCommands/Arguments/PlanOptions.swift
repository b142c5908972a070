// What every command that destroys or switches takes: a look at its plan, and the plan's id.

internal import ArgumentParser
internal import Machine

struct PlanOptions: ParsableArguments {
    @Flag(help: "Show the plan and do nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Do what a dry run has shown, or refuse where it would be something else by now.", valueName: "id"))
    var plan: String?
}

extension Session {
    /// Shows what is planned and has it confirmed.
    /// - Parameters:
    ///   - options: nil: the command has none.
    ///   - lines: what it does, for people.
    ///   - members: the same for programs.
    ///   - question: nil: nobody has to be asked.
    /// - Returns: whether it is to be done; not after a dry run.
    func agree(
        to plan: some Plan, _ options: PlanOptions?, lines: [String], members: [(String, JSON?)] = [],
        question: String?
    ) throws -> Bool {
        try plan.require(options?.plan)
        for finding in plan.findings where !finding.isRefusal { console.warning(finding.sentence) }
        if options?.dryRun == true {
            show(
                members + [
                    ("plan", .text(plan.id)), ("verb", .text(plan.verb)),
                    ("findings", .list(plan.findings.map(JSON.preflight))),
                ], summary: lines + ["plan \(plan.id)"])
            for finding in plan.findings where finding.isRefusal {
                console.warning("it would be refused: \(finding.sentence)")
            }
            return false
        }
        if !console.isJSON { lines.forEach(console.note) }
        if let question {
            let hint = options?.plan.map { _ in
                "`--plan` says what is meant, and answers no question: give `--yes` as well"
            }
            try confirm(question, hint: hint ?? "answer it with `--yes`")
        }
        return true
    }
}
