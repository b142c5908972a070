// `holdfast key`: groups what is done to identities and recipients.

internal import ArgumentParser

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make identities; list, add and remove a store's recipients.",
        discussion: discussion(
            examples: "holdfast key generate --output it.txt > it.pub", "holdfast key list --from nas"),
        subcommands: [
            KeyGenerateCommand.self, KeyListCommand.self, KeyAddCommand.self, KeyRemoveCommand.self,
            KeyStewardCommand.self, KeySheetCommand.self,
        ])
}
