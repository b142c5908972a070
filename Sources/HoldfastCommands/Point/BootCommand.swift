// `holdfast boot`: what the initramfs runs.

internal import ArgumentParser
internal import Boot
internal import Machine
internal import Platform
internal import Stewardship

struct BootCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "boot",
        abstract: "Do what is to be done before anything uses /; the initramfs runs it.",
        discussion: """
            A rollback that waits for the start is carried out, a start in a state on trial is counted, or returns, what was committed goes to the disk, and the write filter comes over \
            the root. Exit status \(Initramfs.restartStatus): the state that is there now has another kernel, which is to be started.
            """, shouldDisplay: false)

    @Option(help: ArgumentHelp("Where / is mounted.", valueName: "dir"))
    var root: PathArgument

    @Option(
        help: ArgumentHelp(
            "Where the state is once the machine runs (default: \(Places.standardState)).", valueName: "dir"))
    var at: PathArgument?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    var goesOnRegardless: Bool { true }

    func check() throws {
        if !root.path.isAbsolute || at?.path.isAbsolute == false { throw ValidationError("Give whole paths.") }
    }

    private func start(_ session: Session) -> MachineStart {
        MachineStart(root: root.path, state: state.places(session).state, later: at?.path ?? Places.standardState)
    }

    func isRecorded(in session: Session) -> Bool { start(session).changesSomething }

    func makeReady(_ session: Session) throws { try start(session).makeReady() }

    func perform(_ session: Session) throws -> Outcome {
        if FilterMounts.lower(of: "/") != nil || root.path == "/" {
            throw Problem.refused("the machine is running already, and this is for its start", hint: "reboot")
        }
        let start = start(session)
        let done = try session.working { try start.run(progress: session.progress, findings: session.findings) }
        done.alarms.forEach(session.console.warning)
        let (word, summary) = RecoverCommand.words(done.recovery)
        let trial = RecoverCommand.words(done.trial)
        session.show(
            [
                ("recovery", .text(word)), ("trial", trial.map { .text($0.word) }),
                ("alarms", .list(done.alarms.map(JSON.text))),
                ("wantsRestart", .flag(done.wantsRestart)),
            ] + session.console.findingMembers,
            summary: (word == "nothing" ? [] : [summary]) + (trial.map { [$0.sentence] } ?? []))
        if done.wantsRestart { return .restart }
        return done.alarms.isEmpty ? session.outcome(0) : .findings
    }
}
