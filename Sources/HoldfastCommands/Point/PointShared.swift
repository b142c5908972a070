// What the commands of restore points share.

internal import ArgumentParser
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints
internal import Stewardship

struct StateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where Holdfast keeps what it knows about the protected tree (default: \(Places.standardState)).",
            valueName: "dir"))
    var state: PathArgument?

    @Option(
        help: ArgumentHelp(
            "Where / of a machine is mounted that does not run, as its recovery system has it.", valueName: "dir",
            visibility: .hidden))
    var machineAt: PathArgument?

    /// Where on the disks the machine is.
    var ground: Ground { machineAt.map { .resting(at: $0.path) } ?? .running }

    /// The machine's places, with the state that was given.
    func places(_ session: Session) -> Places { state.map { session.places.with(state: $0.path) } ?? session.places }

    func open(_ session: Session) throws -> ProtectedTree {
        let tree = try ProtectedTree.open(
            state: places(session).state, ground: ground, progress: session.progress, findings: session.findings)
        // They are programs of the machine that does not run.
        if machineAt == nil { tree.hooks = session.configuration.hooks }
        return tree
    }
}

/// A command that works on the protected tree.
protocol StatefulCommand: HoldfastCommand {
    var state: StateOptions { get }
}

extension Session {
    /// Shows a plan, asks for it, carries it out and tells what came of it.
    func carryOut(
        _ plan: SwitchPlan, on tree: ProtectedTree, _ options: PlanOptions?, reboot: Bool = false
    ) throws -> Outcome {
        try plan.require(options?.plan)
        let isDryRun = options?.dryRun == true
        if !isDryRun { try tree.check(plan) }
        // What somebody is about to confirm has the sum of it; a script that answers beforehand does not wait for that.
        let isShown = plan.verb != "cancel" && (isDryRun || !global.isYes)
        let changes = isShown ? try changes(plan, tree) : nil
        guard
            try agree(
                to: plan, options, lines: lines(plan, tree, changes), members: document(plan, changes),
                question: question(plan, tree), guarded: plan.isForTransfer ? .transfer : nil)
        else { return .done }
        let lock = try tree.lock()
        let switched = try working { try tree.carryOut(plan, user: HostFacts.userName, holding: lock) }
        show(document(switched), summary: lines(switched) + (plan.trial.map(lines) ?? []))
        try watch(tree)
        if switched.isPending, reboot { try restartMachine() }
        return switched.findings > 0 ? .findings : .done
    }

    /// Goes on with a switch that was interrupted, before another one is planned: what that makes a point is part of what the plan rests on.
    /// - Parameter target: the name of the point that is asked for; nil: any.
    /// - Returns: what came of it, where that is what was asked for; nil where it is still to be done.
    func finishInterrupted(_ tree: ProtectedTree, _ verb: String, to target: String?) throws -> Outcome? {
        if try ProtectedTree.pending(state: tree.state)?.isWaiting == true { return nil }
        let lock = try tree.lock()
        guard case .finished(let switched) = try working({ try tree.recover(holding: lock) }) else { return nil }
        console.note("went on with the \(switched.verb) to \(switched.target.name), which was interrupted")
        guard switched.verb == verb, target == nil || target == switched.target.name else { return nil }
        show(document(switched), summary: lines(switched))
        return switched.findings > 0 ? .findings : .done
    }

    /// nil where it cannot be told: whether the plan can be carried out is found out by that, and not here.
    private func changes(_ plan: SwitchPlan, _ tree: ProtectedTree) throws -> [Difference]? {
        do { return try working { try tree.diff(from: nil, to: plan.target, content: false) } } catch {
            if error is Interrupted { throw error }
            console.warning("what changes by that cannot be told: \(Problem(error).message)")
            return nil
        }
    }

    private func question(_ plan: SwitchPlan, _ tree: ProtectedTree) -> String {
        switch plan.verb {
        case "cancel": "Take back the rollback to \(plan.target.name) that waits for the next boot?"
        default: "Bring \(tree.root) back to \(plan.target.name)?"
        }
    }

    private func lines(_ plan: SwitchPlan, _ tree: ProtectedTree, _ changes: [Difference]?) -> [String] {
        if plan.verb == "cancel" {
            return ["the rollback to \(plan.target.name), which waits for the next boot, is taken back"]
        }
        var lines = [
            "\(tree.root) goes back to \(plan.target.name) of \(Text.time(Timestamp(seconds: plan.target.time, nanoseconds: 0)))"
        ]
        if let changes {
            lines.append("what changes by that: " + Text.counts(of: changes))
            if !changes.isEmpty {
                lines.append("`holdfast diff \(plan.target.name)` lists them, as changes since then")
            }
        }
        lines.append(
            plan.keepsBefore
                ? "the state of now stays as a point, and `holdfast undo` returns to it"
                : "the state of now is NOT kept")
        lines.append(
            plan.discards.isEmpty
                ? "no point is discarded" : "these points go: " + plan.discards.map(\.name).joined(separator: ", "))
        if !plan.keeps.isEmpty {
            lines.append("kept as they are: " + plan.keeps.map(\.description).joined(separator: ", "))
        }
        return lines + (plan.trial.map(self.lines) ?? [])
    }

    private func document(_ plan: SwitchPlan, _ changes: [Difference]?) -> [(String, JSON?)] {
        [
            ("changes", changes.map { .object($0.counts.map { ($0.kind.rawValue, .number($0.count)) }) }),
            ("target", JSON.point(plan.target)),
            ("keepsBefore", .flag(plan.keepsBefore)), ("discards", .list(plan.discards.map { .text($0.name) })),
            ("keeps", .list(plan.keeps.map { .object(JSON.path($0)) })), ("trial", plan.trial.map(JSON.trial)),
        ]
    }

    private func lines(_ switched: ProtectedTree.Switched) -> [String] {
        if switched.verb == "cancel" { return ["taken back: the rollback to \(switched.target.name)"] }
        if switched.isPending {
            return [
                "\(switched.target.name) will be in use after the next boot; until then `holdfast undo` takes it back"
            ]
        }
        var lines = ["back at \(switched.target.name)"]
        if let before = switched.before {
            lines.append("what was there stays as \(before.name); `holdfast undo` returns to it")
        }
        return lines
    }

    private func document(_ switched: ProtectedTree.Switched) -> [(String, JSON?)] {
        [
            ("verb", .text(switched.verb)), ("target", JSON.point(switched.target)),
            ("before", switched.before.map(JSON.point)), ("pending", .flag(switched.isPending)),
            ("findingCount", .number(switched.findings)),
        ] + console.findingMembers
    }
}

extension JSON {
    static func point(_ point: RestorePoint) -> JSON { .object(pointMembers(point)) }

    static func pointMembers(_ point: RestorePoint) -> [(String, JSON?)] {
        [
            ("name", .text(point.name)), ("id", .text(point.id)),
            ("time", .time(Timestamp(seconds: point.time, nanoseconds: 0))), ("user", .text(point.user)),
            ("host", .text(point.host)), ("message", .text(point.message)),
            ("tags", .object(point.tags.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })),
            ("origin", .text(point.origin.rawValue)), ("factory", .flag(point.isFactory)),
            ("pinned", .flag(point.isPinned)),
            ("kernel", .text(point.kernel)), ("failedTrial", point.failedTrial.map(JSON.text)),
        ]
    }

    static func preflight(_ finding: Preflight) -> JSON {
        .object([
            ("code", .text(finding.code)), ("sentence", .text(finding.sentence)), ("mend", finding.mend.map(JSON.text)),
            ("refuses", .flag(finding.isRefusal)),
        ])
    }
}
