// `holdfast stick`: the rescue stick, made, brought up to date, checked.

internal import ArgumentParser

struct StickCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stick", abstract: "Make a stick that starts a machine and holds images.",
        subcommands: [StickCreateCommand.self, StickUpdateCommand.self, StickCheckCommand.self])
}
