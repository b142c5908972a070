// From the arguments to the exit status.

internal import ArgumentParser
internal import Glibc
internal import Platform
internal import Reporting
internal import Stewardship

/// Runs the command line of this process and ends it.
public func main() -> Never {
    keepStandardDescriptors()
    let progress = Progress()
    let arguments = ArgumentText.ofProcess()
    if arguments.first == Completion.request {
        Completion.keepQuietAndShort()
    } else {
        Interruption.watch(progress.stop)
    }
    HostFacts.raiseOpenFileLimit()
    refuseCoreDumps()
    returnLargeMemory()
    let root = command(named: ArgumentText.programName)
    exit(run(ArgumentText.behindCommand(arguments, in: root), as: root, progress: progress))
}

/// What the program is, by the name that it was called by.
private func command(named name: String) -> any ParsableCommand.Type {
    switch name {
    case "restorepoint": RestorepointCommand.self
    case "bwf": BwfCommand.self
    case "TcBackup.sh": TcBackupCommand.self
    case "TcRestore.sh": TcRestoreCommand.self
    default: RootCommand.self
    }
}

/// Runs a command and returns its exit status.
/// - Parameter root: what the program is called as.
func run(
    _ arguments: [String], as root: any ParsableCommand.Type = RootCommand.self, progress: Progress
) -> Int32 {
    if let details = Version.details(arguments) {
        Console(isJSON: false).result(details)
        return 0
    }
    do {
        var command = try root.parseAsRoot(try TrialOptions.plain(arguments))
        if let command = command as? any HoldfastCommand {
            return run(command, arguments, verb: CommandWords.find(arguments, in: root), progress: progress)
        }
        try command.run()
        return 0
    } catch {
        if let problem = error as? Problem {
            let console = Console(isJSON: arguments.contains("--json"))
            return end(problem, verb: CommandWords.find(arguments, in: root), on: console)
        }
        let text = root.fullMessage(for: error)
        if root.exitCode(for: error).isSuccess, unknownCommand(arguments, root) == nil {
            let isScript = arguments.first?.hasPrefix(CompletionScript.option) == true
            let shown = isScript ? CompletionScript.mended(text, of: root._commandName) : arranged(text)
            Console(isJSON: false).result(shown + "\n")
            return 0
        }
        // Its last line says "See 'holdfast backup --help' for more information."
        let help = text.split(separator: "\n").last.map { $0.split(separator: "'") } ?? []
        let problem =
            unknownCommand(arguments, root)
            ?? .usage(
                clause(root.message(for: error)), hint: help.count == 3 ? "`\(help[1])` tells more" : nil)
        return end(
            problem, verb: CommandWords.find(arguments, in: root), on: Console(isJSON: arguments.contains("--json")))
    }
}

private func run(
    _ command: any HoldfastCommand, _ arguments: [String], verb: [String], progress: Progress
) -> Int32 {
    let options = command.global
    let console = Console(
        isJSON: options.json, isQuiet: options.quiet, isVerbose: options.verbose,
        named: NamedCommands(command, in: RootCommand.self))
    do {
        do { try command.check() } catch let error as ValidationError {
            throw Problem.usage(
                clause(error.message), hint: "`holdfast \(verb.joined(separator: " ")) --help` tells more")
        }
        let session = try Session(
            options, progress: progress, console: console, needsConfiguration: !command.goesOnRegardless)
        try command.makeReady(session)
        let recorder = Recorder(command, verb, Array(arguments.dropFirst(verb.count)), session)
        do { try recorder?.intend() } catch {
            guard command.goesOnRegardless else { throw error }
            console.warning("it goes on without a record: \(Problem(error).message)")
        }
        let outcome: Outcome
        do {
            outcome = try command.perform(session)
        } catch {
            let error = asked(error, progress.stop)
            recorder?.finish(Problem(error))
            throw error
        }
        recorder?.finish(outcome)
        if let code = console.failureOfOutput { throw SystemError(code, "write", "standard output") }
        return outcome.rawValue
    } catch {
        return end(Problem(error), verb: verb, on: console)
    }
}

/// Says what went wrong. A monitor takes every status for an answer: what `check` cannot judge is unknown to it.
/// - Returns: the exit status.
private func end(_ problem: Problem, verb: [String], on console: Console) -> Int32 {
    if verb == [CheckCommand._commandName] {
        let answer = PluginAnswer(unknown: Text.withoutKeys(problem.message))
        if console.isJSON {
            report(problem, on: console, as: [("state", .text(answer.verdict.word)), ("status", .number(3))])
        } else {
            console.result(answer.text)
        }
        return answer.verdict.rawValue
    }
    report(problem, on: console)
    return problem.status
}

/// A help text in the order of use: ArgumentParser puts options with a title, which belong to every command, before those without, and what a
/// discussion ends with, the examples, before everything.
private func arranged(_ text: String) -> String {
    var sections = text.split(separator: "\n\n", omittingEmptySubsequences: false).map(String.init)
    if let common = sections.firstIndex(where: { $0.hasPrefix("EVERYWHERE:") }),
        let own = sections.firstIndex(where: { $0.hasPrefix("OPTIONS:") }), common < own
    {
        sections.insert(sections.remove(at: common), at: own)
    }
    if let examples = sections.firstIndex(where: { $0.hasPrefix(examplesHeading) }) {
        let paragraph = sections.remove(at: examples)
        // The help ends with an empty line.
        let isEnded = sections.last?.isEmpty == true
        sections.insert(paragraph, at: sections.count - (isEnded ? 1 : 0))
    }
    return sections.joined(separator: "\n\n")
}

/// What a command ended with; once it was interrupted, whatever went wrong is what that looks like from where it was noticed.
private func asked(_ error: any Error, _ stop: Stop) -> any Error {
    stop.hasInterrupted && Problem(error).status != Interruption.status ? Interrupted() : error
}

/// What is said of a line that names no command; whatever else could be said of it follows from that.
private func unknownCommand(_ arguments: [String], _ root: any ParsableCommand.Type) -> Problem? {
    guard let unknown = CommandWords.unknown(arguments, in: root) else { return nil }
    let suggestion = unknown.meant.map { ". Did you mean \($0)?" } ?? ""
    return .usage(
        "there is no command \(Text.safe(unknown.word))\(suggestion)", hint: "`holdfast --help` lists the commands")
}

/// - Parameter members: what the document has besides.
private func report(_ problem: Problem, on console: Console, as members: [(String, JSON?)] = []) {
    var problem = problem
    let message = Text.withoutKeys(problem.message)
    if message != problem.message {
        problem.message = message
        problem.hint = "that is a private key; what is given to others is the public one, age1…"
    }
    problem.hint = problem.hint.map(console.completing)
    console.error(problem)
    if console.isJSON { console.document(.object(members + [("error", problem.document)] + console.findingMembers)) }
}

/// Where one of the three standard descriptors is closed, the next file that is opened would take its place, and
/// messages would be written into it. They get one that refuses instead.
private func keepStandardDescriptors() {
    for (descriptor, mode) in [(CInt(0), O_WRONLY), (1, O_RDONLY), (2, O_RDWR)] where fcntl(descriptor, F_GETFD) < 0 {
        _ = open("/dev/null", mode)
    }
}
