// `holdfast destroy` and `recover`.

internal import ArgumentParser
internal import Boot
internal import Machine
internal import Platform
internal import RestorePoints
internal import Stewardship
internal import WriteFilter

struct DestroyCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "destroy", abstract: "Delete restore points; the live tree stays as it is.",
        discussion: discussion(
            examples: "holdfast destroy before-update test-3", "holdfast destroy test-3 --dry-run # what would go"))

    @Argument(help: "The points.", completion: .points)
    var names: [String]

    @Flag(help: "Factory points, too.")
    var factory = false

    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let tree = try state.open(session)
        if !self.plan.dryRun, try tree.wereBeingDestroyed(names) {
            let lock = try tree.lock()
            _ = try session.working { try tree.recover(holding: lock) }
            return show(session)
        }
        let plan = try tree.planDestroy(names, factory: factory)
        var lines = plan.points.map { point in
            let time = Text.time(Timestamp(seconds: point.time, nanoseconds: 0))
            return "\(point.name) of \(time) goes" + (point.message.isEmpty ? "" : ": \(Text.safe(point.message))")
        }
        if plan.endsUndo { lines.append("`holdfast undo` has nothing to return to then") }
        let question = "Delete \(names.joined(separator: ", "))? Nobody can go back there then."
        guard
            try session.agree(
                to: plan, self.plan, lines: lines, members: [("points", .list(plan.points.map(JSON.point)))],
                question: question)
        else { return .done }
        let lock = try tree.lock()
        try session.working { try tree.destroy(plan, holding: lock) }
        return show(session)
    }

    private func show(_ session: Session) -> Outcome {
        session.show(
            [("destroyed", .list(names.map(JSON.text)))], summary: ["destroyed " + names.joined(separator: ", ")])
        return .done
    }
}

struct RecoverCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Finish or clear what was under way; the boot runs it.",
        discussion: discussion(
            "Every changing command does the same first. With nothing under way it does nothing.",
            examples: "holdfast recover # after a power cut; the next boot does it, too"))

    @Flag(help: "The machine starts: count it where a state is on trial, and return from one that did not hold.")
    var start = false

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    var goesOnRegardless: Bool { true }

    /// Each boot runs it, and mostly finds nothing.
    func isRecorded(in session: Session) -> Bool {
        // What cannot be looked at is for the log, too.
        let state = state.places(session).state
        do {
            if try ProtectedTree.pending(state: state) != nil { return true }
            return try start && ProtectedTree.trial(state: state)?.isOpen == true
        } catch { return true }
    }

    func perform(_ session: Session) throws -> Outcome {
        let tree = try state.open(session)
        let lock = try tree.lock()
        let recovery = try session.working { try tree.recover(holding: lock) }
        let folders = try filter(session).recover(findings: session.findings, holding: lock)
        let trial = start ? try session.working { try meetTrial(of: tree, session, holding: lock) } : nil
        let (word, summary) = Self.words(recovery)
        session.show(
            [("recovery", .text(word)), ("trial", trial.map { .text($0.word) })] + JSON.paths(folders, key: "filters")
                + session.console.findingMembers,
            summary: (word == "nothing" && (!folders.isEmpty || trial != nil) ? [] : [summary])
                + (trial.map { [$0.sentence] } ?? [])
                + folders.map { "went on with what was under way with the write filter of \($0)" })
        return session.outcome(0)
    }

    private func meetTrial(
        of tree: ProtectedTree, _ session: Session, holding lock: borrowing MachineLock
    ) throws -> (word: String, sentence: String)? {
        let found = try tree.meetTrial(isBoot: false, lines: { TrialJournal.last(in: nil) }, holding: lock)
        switch found {
        case .open: try session.watch(tree)
        case .returned(_, let switched) where switched.isPending: try restartMachine()
        case .returned, .none, .waits, .later: break
        }
        return Self.words(found)
    }

    /// nil where nothing is on trial.
    static func words(_ trial: ProtectedTree.TrialAtStart) -> (word: String, sentence: String)? {
        switch trial {
        case .none: nil
        case .waits(let trial): ("waits", "\(trial.subject) is on trial once it is in use")
        case .open(let trial):
            (
                "open",
                trial.starts == 0
                    ? "\(trial.subject) is on trial since before this start of the machine, which counts nothing: `holdfast undo` returns to \(trial.returnTo) now"
                    : "\(trial.subject) is on trial, start \(trial.starts): not confirmed within \(Text.counted(UInt64(max(0, trial.seconds / 60)), "minute", "minutes")), it returns to \(trial.returnTo)"
            )
        case .later(let trial):
            ("later", "\(trial.subject) did not hold on trial; the return to \(trial.returnTo) comes with this start")
        case .returned(let trial, let switched):
            (
                "returned",
                "\(trial.subject) did not hold on trial: \(trial.reason ?? ""); \(trial.returnTo) "
                    + (switched.isPending ? "comes back with the next start" : "is back")
            )
        }
    }

    /// For programs and for people.
    static func words(_ recovery: ProtectedTree.Recovery) -> (String, String) {
        switch recovery {
        case .nothing: ("nothing", "nothing was under way")
        case .tidied: ("tidied", "took away what was left of a point that was being made or destroyed")
        case .cleared(let target):
            ("cleared", "a rollback to \(target.name) was interrupted before it began; nothing has changed")
        case .finished(let switched) where switched.isPending:
            ("pending", "the rollback to \(switched.target.name) waits for the next boot")
        case .finished(let switched): ("finished", "finished the rollback to \(switched.target.name)")
        }
    }
}
