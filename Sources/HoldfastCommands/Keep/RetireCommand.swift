// `holdfast retire`: the end of a series, which nothing else empties.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Stewardship

struct RetireCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "End a series of a store: remove all its images.",
        discussion: discussion(
            """
            It is refused while the newest image of the series is younger than --after. What is pinned stays. The room is \
            free again after the grace of the store, with a later `holdfast prune`.
            """,
            examples: "holdfast retire press-01/plc --from nas --after 1y --dry-run",
            "holdfast retire press-01/plc --from nas --after 1y"))

    @Argument(help: "The series, as `holdfast images --json` shows it.", completion: .series)
    var series: NameArgument

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var from: StoreArgument

    @Option(
        help: ArgumentHelp("How long ago its newest image must have been made (1y, 6m, 30d).", valueName: "span"),
        transform: KeepOptions.duration)
    var after: KeepDuration

    @OptionGroup var plan: PlanOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let retirement = SeriesRetirement(series.text, after: after)
        var pruning = StorePruning(
            store: try session.open(from, for: .prune, writing: !plan.dryRun),
            occasion: .retirement(series: retirement.series), choose: { retirement.choose($0) },
            members: [("series", .text(series.text)), ("after", .text("\(after)"))])
        pruning.verb = .retire
        pruning.check = { plan, isNamed in
            // What was made a moment ago may be in use: somebody has to have seen what goes.
            if after.isZero, !isNamed {
                throw Problem.refused(
                    "with --after of no time at all a series in use goes as well",
                    hint: "look at it with `--dry-run`, and repeat with `--plan ID`")
            }
            try retirement.check(plan, now: Timestamp.now().seconds)
        }
        pruning.question = "End the series \(Text.safe(series.text))? None of its images can be restored then."
        return try session.prune(pruning, plan)
    }
}
