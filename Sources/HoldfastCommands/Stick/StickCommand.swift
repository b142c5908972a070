// `holdfast stick`: the rescue stick, made, brought up to date, checked.

internal import ArgumentParser

struct StickCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stick", abstract: "Make a stick that starts a machine and holds images.",
        discussion: discussion(
            "A machine is started from it with the firmware's boot menu (often F7, F11 or F12), and the rest is done by numbers.",
            examples: "holdfast stick create /dev/sdb # all that is on it will be gone", "holdfast stick check /dev/sdb"
        ),
        subcommands: [StickCreateCommand.self, StickUpdateCommand.self, StickCheckCommand.self])
}
