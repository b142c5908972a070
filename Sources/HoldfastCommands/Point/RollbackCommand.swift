// `holdfast rollback`: brings the tree back to a point.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import RestorePoints

struct RollbackCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Bring the tree back to a restore point.",
        discussion: discussion(
            """
            Nothing is lost: the state of now stays as a point, newer points stay, and `holdfast undo` returns. Without a name \
            it asks.
            """,
            examples: "holdfast rollback # asks, by a list",
            "holdfast rollback Commissioning --dry-run # what would change",
            "holdfast rollback Good --reboot --trial # returns unless confirmed"))

    @Argument(help: "The point.", completion: .points)
    var name: String?

    @Flag(help: "Discard the points that are newer; pinned and factory points stay.")
    var discardNewer = false

    @Flag(help: "Restart the machine where it takes effect only then.")
    var reboot = false

    @OptionGroup var trial: TrialOptions
    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        try trial.check()
        if discardNewer, trial.terms != nil {
            throw ValidationError("--discard-newer and --trial exclude each other: a trial may return.")
        }
    }

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let tree = try state.open(session)
        if !plan.dryRun, let outcome = try session.finishInterrupted(tree, "rollback", to: name) { return outcome }
        let target = try name.map(tree.point) ?? Self.choose(tree, session)
        return try session.carryOut(
            tree.planRollback(to: target, discardNewer: discardNewer, trial: trial.terms), on: tree, plan,
            reboot: reboot)
    }

    /// What a terminal of 24 lines shows with the question.
    private static let shownAtOnce = 18

    /// Asks, by a numbered list, the newest first.
    static func choose(_ tree: ProtectedTree, _ session: Session) throws -> RestorePoint {
        let points = Array(try tree.points().reversed())
        if points.isEmpty {
            throw Problem.usage("there is no point to go back to", hint: "`holdfast create` makes one")
        }
        let now = Timestamp.now().seconds
        var table = Table(
            [("", .right), ("NAME", .left), ("TIME", .left), ("AGE", .right), ("MESSAGE", .left)], lessNeeded: [2])
        for (number, point) in points.prefix(shownAtOnce).enumerated() {
            let time = Text.time(Timestamp(seconds: point.time, nanoseconds: 0))
            table.add(["\(number + 1)", point.name, time, Text.age(now - point.time), Text.safe(point.message)])
        }
        var lines = table.text(columns: session.columnsOfTerminal).split(separator: "\n").map(String.init)
        if points.count > shownAtOnce {
            lines.append("… and \(points.count - shownAtOnce) older: `holdfast status` lists all; a name is taken, too")
        }
        return points[try session.choose("Back to which point?", from: lines, names: points.map(\.name))]
    }
}

struct UndoCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Return to the state that the last rollback left; repeated, back again.",
        discussion: discussion(
            examples: "holdfast undo # after a question", "holdfast undo --dry-run # what it would return to"))

    @OptionGroup var trial: TrialOptions
    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws { try trial.check() }

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let tree = try state.open(session)
        if !plan.dryRun, let outcome = try session.finishInterrupted(tree, "undo", to: nil) { return outcome }
        return try session.carryOut(tree.planUndo(trial: trial.terms), on: tree, plan)
    }
}

struct KeepArgument: WordArgument {
    var set: KeepSet

    static var allValueStrings: [String] { KeepSet.allCases.map(\.rawValue) }

    init?(argument: String) {
        guard let set = KeepSet(rawValue: argument) else { return nil }
        self.set = set
    }
}

struct FactoryResetCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "factory-reset", abstract: "Bring the tree back to the state in which it was delivered.",
        discussion: discussion(
            "All of that state is back, its passwords too.",
            examples: "holdfast factory-reset --keep network --keep identity # on its place again",
            "holdfast factory-reset --for-transfer # before it is sold"))

    @Option(help: ArgumentHelp("The factory point (default: the newest).", valueName: "name"), completion: .points)
    var to: String?

    @Option(help: ArgumentHelp("Keep identity, network or licences as they are; may be repeated.", valueName: "set"))
    var keep: [KeepArgument] = []

    @Flag(help: "Leave nothing of the owner: every other point and the state of now go, for good.")
    var forTransfer = false

    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let tree = try state.open(session)
        if !plan.dryRun, let outcome = try session.finishInterrupted(tree, "factory-reset", to: to) { return outcome }
        let outcome = try session.carryOut(
            tree.planFactoryReset(to: to, keep: Set(keep.map(\.set)), forTransfer: forTransfer), on: tree, plan)
        if !plan.dryRun, tree.root == "/" {
            session.console.warning("the passwords of that state are back: set them anew")
        }
        return outcome
    }
}
