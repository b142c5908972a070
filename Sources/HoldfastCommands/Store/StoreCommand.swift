// `holdfast store`: groups what is done to a store as a whole.

internal import ArgumentParser

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Make, join, describe and check stores.",
        discussion: discussion(
            examples: "holdfast store init /mnt/nas/line3 # a new one",
            "holdfast store info nas # its fingerprint, and who opens it"),
        subcommands: [
            StoreInitCommand.self, StoreJoinCommand.self, StoreInfoCommand.self, StoreCheckCommand.self,
            StorePolicyCommand.self,
            StoreRevokeCommand.self, StoreRekeyCommand.self,
        ])
}
