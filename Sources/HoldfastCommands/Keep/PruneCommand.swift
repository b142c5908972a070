// `holdfast prune`: removes what no rule keeps, of the points of a tree or of the images of a store.

internal import ArgumentParser
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints
internal import Stewardship

struct PruneCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Remove what no rule keeps.",
        discussion: discussion(
            """
            What one of the rules keeps is kept. Each counts periods that have something, in UTC; --keep-within reaches back \
            from the newest, and is what somebody who adds images cannot fill. Whatever the rules say, these stay: the \
            newest of a series, the newest that was proven, what is pinned, factory points, the point that the tree stands \
            on, and the one that `holdfast undo` returns to. Half or more of a \
            series, or of all, goes with --plan alone.

            Of a store it wants the key of a steward, or an identity that governs. Room is free again after a grace, \
            with a later prune; without a rule that is all it does, but for images that do not count since \
            `holdfast store revoke`: they go, too, unless --series is given.
            """,
            examples: "holdfast prune --points --keep-within 30d --keep-monthly 12",
            "holdfast prune --from nas --keep-daily 7 --dry-run # what goes, and why not",
            "holdfast prune --from nas --identity steward.key # frees what has waited"))

    @Flag(help: "Thin out the restore points.")
    var points = false

    @Option(help: ArgumentHelp("Thin out the images of this store.", valueName: "store"))
    var from: StoreArgument?

    @Option(help: ArgumentHelp("Only images of this series.", valueName: "series"), completion: .series)
    var series: NameArgument?

    @OptionGroup var keep: KeepOptions
    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if points == (from != nil) { throw ValidationError("Give either --points or --from STORE.") }
        if series != nil && points { throw ValidationError("--series chooses among the images of a store.") }
    }

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let rules = try keep.rules()
        guard let from else {
            if rules.isEmpty, plan.plan != nil { throw withoutRules() }
            if rules.isEmpty { throw KeepError.noRules }
            return try session.prunePoints(of: state.open(session), by: rules, plan)
        }
        if !rules.tags.isEmpty { throw KeepError.tagsOfImages }
        let keeping = ImageKeeping(rules, series: series?.text, now: Timestamp.now().seconds)
        var pruning = StorePruning(
            store: try session.open(from, for: .prune, writing: !plan.dryRun),
            occasion: .asked(series: keeping.series), choose: { keeping.choose($0) },
            members: [("rules", .text(rules.description)), ("series", series.map { .text($0.text) })])
        pruning.check = { plan, isNamed in try keeping.check(plan, isNamed: isNamed) }
        if rules.isEmpty { pruning.misfit = withoutRules() }
        return try session.prune(pruning, plan)
    }

    /// A plan rests on the rules that it was made by, which its id does not tell.
    private func withoutRules() -> Problem {
        let id = plan.plan.map { shellWord(printable($0.utf8)) } ?? ""
        let what = from.map { "--from \($0)" } ?? "--points"
        let chosen = series.map { " --series \(shellWord(Text.safe($0.text)))" } ?? ""
        return .refused(
            "without rules the plan is another one than \(id): it is carried out with the rules that it was made by",
            hint:
                "give those of the dry run once more: `holdfast prune \(what)\(chosen) --keep-daily 7 --plan \(id)`, with yours for --keep-daily 7"
        )
    }
}

extension Session {
    fileprivate func prunePoints(
        of tree: ProtectedTree, by rules: KeepRules, _ options: PlanOptions
    ) throws -> Outcome {
        if !options.dryRun { try finishInterrupted(tree) }
        let plan = try tree.planPrune(rules)
        let frees = try space(of: plan, tree)
        let lines = lines(plan, frees)
        var members = members(plan, frees)
        if plan.goes.isEmpty, !options.dryRun {
            // There is nothing to ask for, and another plan's id is still another plan.
            try plan.require(options.plan)
            show(members + [("plan", .text(plan.id))], summary: Array(lines.suffix(1)))
            return .done
        }
        if options.dryRun {
            members += refusal { try plan.summary.check(plan: plan.id, isNamed: $0) }
        } else {
            try plan.require(options.plan)
            try plan.summary.check(plan: plan.id, isNamed: options.plan != nil)
        }
        let count = Text.counted(UInt64(plan.goes.count), "point", "points")
        guard
            try agree(
                to: plan, options, lines: lines, members: members,
                question: "Delete \(count)? Nobody can go back there then.")
        else { return .done }
        let lock = try tree.lock()
        try working { try tree.prune(plan, holding: lock) }
        show(members + [("plan", .text(plan.id))], summary: ["destroyed \(count): \(names(plan.goes))"])
        return outcome(0)
    }

    /// What an earlier command left is no matter of rules.
    private func finishInterrupted(_ tree: ProtectedTree) throws {
        let pending = try ProtectedTree.pending(state: tree.state)
        let isTidy = try ProtectedTree.isTidy(state: tree.state)
        if pending?.isWaiting == true || (pending == nil && isTidy) { return }
        let lock = try tree.lock()
        _ = try working { try tree.recover(holding: lock) }
    }

    /// nil where it cannot be told: whether the plan can be carried out is found out by that, and not here.
    private func space(of plan: PointPrunePlan, _ tree: ProtectedTree) throws -> UInt64? {
        if plan.goes.isEmpty { return 0 }
        do {
            let space = try working { try tree.space() }
            return plan.goes.saturatingSum { space[$0.id] ?? 0 }
        } catch {
            if error is Interrupted { throw error }
            return nil
        }
    }

    private func names(_ points: [RestorePoint]) -> String { points.map(\.name).joined(separator: ", ") }

    private func lines(_ plan: PointPrunePlan, _ frees: UInt64?) -> [String] {
        let lines = plan.decided.map { point, reasons in
            let time = Text.time(Timestamp(seconds: point.time, nanoseconds: 0))
            let words = Text.safe(reasons.map(\.description).joined(separator: ", "))
            return "\(point.name) of \(time) " + (reasons.isEmpty ? "goes" : "stays: \(words)")
        }
        let stays = Text.counted(UInt64(plan.decided.count - plan.goes.count), "point", "points")
        if plan.goes.isEmpty { return lines + ["nothing goes; \(stays) stay\(plan.decided.count == 1 ? "s" : "")"] }
        let room = frees.map { "; that frees \(Text.size($0)) or more" } ?? ""
        return lines + [
            "\(plan.goes.count) of \(Text.counted(UInt64(plan.decided.count), "point", "points")) go\(room)"
        ]
    }

    private func members(_ plan: PointPrunePlan, _ frees: UInt64?) -> [(String, JSON?)] {
        [
            ("rules", .text(plan.rules.description)), ("remove", .list(plan.goes.map(JSON.point))),
            (
                "keep",
                .list(
                    plan.decided.filter { !$0.reasons.isEmpty }.map { point, reasons in
                        .object(
                            JSON.pointMembers(point) + [("reasons", .list(reasons.map { .text($0.description) }))])
                    })
            ),
            ("frees", frees.map(JSON.number)),
        ]
    }
}
