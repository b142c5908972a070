// `holdfast trial` and `confirm`: a state that returns by itself unless it is kept.

internal import ArgumentParser
internal import AuditLog
internal import Boot
internal import Glibc
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints
internal import Stewardship

struct TrialCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trial", abstract: "Try what is changed next: it returns by itself unless it is confirmed.",
        discussion: discussion(
            """
            `holdfast rollback NAME --trial` tries a point; this is for updates. `holdfast confirm` keeps what is on trial. Programs in \(Places.trialChecks) confirm it, once all \
            succeed.
            """,
            examples: "holdfast trial start # then update, and reboot",
            "holdfast trial status"),
        subcommands: [TrialStartCommand.self, TrialStatusCommand.self, TrialWatchCommand.self, TrialReturnCommand.self])
}

struct TrialStartCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Begin the trial of what is changed from now on, such as packages.",
        discussion: discussion(
            """
            It makes a point, or takes one that is there. The next start counts: unless it is confirmed within the minutes, and at any \
            restart before, the machine returns to the point, and what did not hold stays as another.
            """,
            examples: "holdfast trial start # then upgrade, and reboot",
            "holdfast trial start 30 --point before-update"))

    @Argument(help: "Within how many minutes of the start it is to be confirmed (default: 10).")
    var minutes: MinutesArgument?

    @Option(help: ArgumentHelp("Return to this point, and make none.", valueName: "name"), completion: .points)
    var point: String?

    @OptionGroup var level: TrialLevelOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws { try level.check() }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        var terms = TrialTerms()
        if let minutes { terms.minutes = minutes.minutes }
        terms.level = level.trialLevel
        let asked = terms
        let tree = try state.open(session)
        let lock = try tree.lock()
        let trial = try session.working {
            try tree.beginTrial(asked, returningTo: point, user: HostFacts.userName, holding: lock)
        }
        session.show(
            [("trial", JSON.trial(trial))] + session.console.findingMembers,
            summary: ["what is changed from now on is on trial from the next start on; it returns to \(trial.returnTo)"]
                + session.lines(asked))
        return .done
    }
}

struct TrialStatusCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Tell what is on trial, and what did not hold.",
        discussion: discussion(examples: "holdfast trial status", "holdfast trial status --json # for programs"))

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        guard let trial = try ProtectedTree.trial(state: state.places(session).state) else {
            session.show([], summary: ["nothing is on trial"])
            return .done
        }
        let lines = (trial.lines ?? []).map { "  " + $0 }
        session.show(
            [("trial", JSON.trial(trial))],
            summary: [TrialHealth(trial).reason]
                + (lines.isEmpty ? [] : ["the system's journal ended with"] + lines)
                + (trial.stage == .failed ? ["`holdfast confirm` takes note of that"] : []))
        return trial.stage == .open ? .done : .findings
    }
}

struct ConfirmCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "confirm", abstract: "Keep the state that is on trial.",
        discussion: discussion(
            "Where it did not hold and the machine is back already, that is said (3), and taken note of.",
            examples: "holdfast confirm # what is in use now stays"))

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let tree = try state.open(session)
        let lock = try tree.lock()
        let confirmation = try session.working { try tree.confirmTrial(holding: lock) }
        try TrialGuards.remove()
        let (word, sentence, outcome): (String, String, Outcome) =
            switch confirmation {
            case .none: ("none", "nothing is on trial: the state of now stays anyway", .done)
            case .kept(let trial): ("kept", "\(trial.subject) is confirmed, and stays", .done)
            case .acknowledged(let trial):
                ("failed", "there is nothing to keep: " + TrialHealth(trial).reason, .findings)
            case .unreadable:
                ("unreadable", "what was known of a trial could not be read; the state of now stays", .findings)
            }
        session.show([("confirmed", .text(word))] + session.console.findingMembers, summary: [sentence])
        return outcome
    }
}

/// What the recovery system runs where the boot loader has started it since a state on trial was not confirmed.
struct TrialReturnCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "return", abstract: "Return from what is on trial; the recovery system runs it.",
        shouldDisplay: false)

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    var goesOnRegardless: Bool { true }

    func check() throws {
        if state.machineAt == nil { throw ValidationError("This is for a machine that does not run: --machine-at.") }
    }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let tree = try state.open(session)
        let lock = try tree.lock()
        let found = try session.working {
            try tree.returnAtRest(
                reason: "the machine was started again before it was confirmed",
                lines: { TrialJournal.last(in: state.machineAt?.path) }, holding: lock)
        }
        let words = RecoverCommand.words(found)
        session.show(
            [("trial", .text(words?.word ?? "none"))] + session.console.findingMembers,
            summary: [words?.sentence ?? "nothing is on trial: the machine starts as it is"])
        return session.outcome(0)
    }
}

/// What systemd runs while a state is on trial.
struct TrialWatchCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Confirm the state that is on trial, or return from it; systemd runs it.",
        shouldDisplay: false)

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    var goesOnRegardless: Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let watch = TrialWatch(state: state.places(session).state)
        var isTold = false
        while true {
            try session.progress.checkStop()
            switch try watch.step(now: HostFacts.secondsSinceStart, isTold: isTold, stop: session.progress.stop) {
            case .over: return .done
            case .wait(let seconds): try pause(seconds, session)
            case .warn(let text):
                session.console.warning(text)
                // Whoever is logged in; without the program the journal has it.
                _ = try? runProgram(["wall", ProgramWord(text)], limit: 20)
                isTold = true
            case .confirm: try confirm(session)
            case .returns(let reason): try comeBack(reason, session)
            }
        }
    }

    private func pause(_ seconds: Int64, _ session: Session) throws {
        for _ in 0..<max(1, seconds) * 4 {
            usleep(250_000)
            try session.progress.checkStop()
        }
    }

    private func confirm(_ session: Session) throws {
        let tree = try state.open(session)
        record(.intent, "the checks have succeeded", session)
        let lock = try tree.lock()
        let confirmation = try tree.confirmTrial(holding: lock)
        try TrialGuards.remove()
        guard case .kept(let trial) = confirmation else { return }
        let sentence = "\(trial.subject) is confirmed by the checks, and stays"
        record(.result, sentence, session)
        session.console.note(sentence)
    }

    /// Whatever cannot be noted of it, the machine restarts: a start that finds it unconfirmed returns as well.
    private func comeBack(_ reason: String, _ session: Session) throws {
        session.console.warning("the state on trial does not hold: \(reason); this machine restarts, and returns")
        do {
            let tree = try state.open(session)
            let lock = try tree.lock()
            guard try tree.failTrial(reason: reason, lines: TrialJournal.now(), holding: lock) else { return }
        } catch { session.console.warning("why cannot be noted: \(Problem(error).message)") }
        record(.result, "the state on trial does not hold: \(reason)", session)
        while true {
            do { return try restartMachine() } catch {
                session.console.warning("\(Problem(error).message); it is tried again")
                try pause(30, session)
            }
        }
    }

    private func record(_ phase: AuditEvent.Phase, _ text: String, _ session: Session) {
        let places = state.places(session)
        do {
            let log = AuditLog(folder: places.log)
            try log.begin(verb: "trial")
            try log.append(
                AuditEvent(
                    phase, verb: "trial", arguments: [],
                    object: ProtectedTree.facts(state: places.state).root.description,
                    status: phase == .intent ? nil : 0, text: Text.safe(text)))
        } catch { session.console.warning("this is not on record: \(Problem(error).message)") }
    }
}
