// `--trial` of what goes to another state, and what people are told of it.

internal import ArgumentParser
internal import Boot
internal import Machine
internal import Platform
internal import RestorePoints
internal import Stewardship

/// The number of minutes that a trial lasts.
struct MinutesArgument: ExpressibleByArgument {
    let minutes: Int

    init?(argument: String) {
        guard let minutes = Int(argument), (1...TrialTerms.longest).contains(minutes) else { return nil }
        self.minutes = minutes
    }
}

struct TrialLevelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Accept which accidents do not return by themselves: 1: what stops the machine before its initramfs finds /; 0: all that `holdfast recover --start` is not called after.",
            valueName: "0|1"))
    var trialLevel: Int?

    func check() throws {
        if let trialLevel, !(0...1).contains(trialLevel) { throw ValidationError("--trial-level is 0 or 1.") }
    }
}

struct TrialOptions: ParsableArguments {
    @Flag(
        help:
            "Have it return by itself, unless `holdfast confirm` keeps it within 10 minutes of the start; --trial=MINUTES gives it others."
    )
    var trial = false

    @Option(help: ArgumentHelp("The same as --trial=MINUTES.", valueName: "minutes"))
    var trialMinutes: MinutesArgument?

    @OptionGroup var level: TrialLevelOptions

    @Flag(help: "Try a point again of which a trial has failed.")
    var again = false

    /// nil: it stays.
    var terms: TrialTerms? {
        guard trial || trialMinutes != nil else { return nil }
        var terms = TrialTerms()
        if let trialMinutes { terms.minutes = trialMinutes.minutes }
        terms.level = level.trialLevel
        terms.isAgain = again
        return terms
    }

    func check() throws {
        try level.check()
        if terms == nil, again || level.trialLevel != nil {
            throw ValidationError("--again and --trial-level go with --trial.")
        }
    }

    /// `--trial=20` in the form that an option has which wants a value.
    /// - Throws: `Problem` for `--trial 20`, where the minutes would be taken for a point.
    static func plain(_ arguments: [String]) throws -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        if let place = arguments[..<end].firstIndex(of: "--trial"), place + 1 < end, Int(arguments[place + 1]) != nil {
            throw Problem.usage(
                "--trial takes its minutes with an equals sign",
                hint: "--trial=\(arguments[place + 1]); a point of that name stands before --trial")
        }
        return arguments[..<end].map { $0.hasPrefix("--trial=") ? "--trial-minutes" + $0.dropFirst(7) : $0 }
            + arguments[end...]
    }
}

extension Session {
    /// What a trial asks of people.
    func lines(_ terms: TrialTerms) -> [String] {
        let checks = TrialChecks()
        if terms.level == 0 {
            return [
                "on trial, and nothing watches its minutes: it returns where `holdfast recover --start` is called at a later start of the machine, unless `holdfast confirm` keeps it; `holdfast undo` returns at once"
            ]
        }
        let refused = checks.refused().map { "\($0.program) will not be run, and so fails the trial: \($0.reason)" }
        return [
            "on trial: it returns by itself unless it is confirmed within \(terms.minutes) minute\(terms.minutes == 1 ? "" : "s"), and at any restart before that",
            checks.areThere
                ? "the checks in \(checks.folder) confirm it, once all succeed; so does `holdfast confirm`"
                : "there is no check in \(checks.folder), so that somebody has to confirm it: `holdfast confirm`",
        ] + refused
    }

    /// Has a trial watched that runs already, and nothing where none does.
    func watch(_ tree: ProtectedTree) throws {
        guard let trial = try ProtectedTree.trial(state: tree.state), trial.stage == .open else {
            return try TrialGuards.remove()
        }
        guard trial.deadline() != nil else { return }
        try TrialGuards.install(root: "/", state: tree.state)
        if let complaint = try TrialGuards.start() {
            console.warning("nothing restarts this machine at the end of the trial: \(complaint)")
        }
    }
}

extension JSON {
    static func trial(_ trial: Trial) -> JSON {
        .object([
            ("state", .text(trial.stage.rawValue)), ("verb", .text(trial.verb)),
            ("target", trial.target.map(JSON.text)),
            ("returnTo", .text(trial.returnTo)), ("minutes", .seconds(trial.seconds / 60)),
            ("level", .seconds(Int64(trial.level))), ("triesLeft", .seconds(Int64(max(0, trial.triesLeft)))),
            ("starts", .seconds(Int64(trial.starts))),
            ("secondsLeft", trial.deadline().map { .seconds(max(0, $0 - HostFacts.secondsSinceStart)) }),
            ("reason", trial.reason.map(JSON.text)), ("problem", trial.problem.map(JSON.text)),
            ("ended", trial.ended.map { .time(Timestamp(seconds: $0, nanoseconds: 0)) }),
            ("journal", trial.lines.map { .list($0.map(JSON.text)) }),
        ])
    }

    static func trial(_ terms: TrialTerms) -> JSON {
        .object([("minutes", .seconds(Int64(terms.minutes))), ("level", terms.level.map { .seconds(Int64($0)) })])
    }
}
