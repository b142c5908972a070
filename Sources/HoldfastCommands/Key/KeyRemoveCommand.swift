// `holdfast key remove`: takes a recipient's key file out of a store.

internal import ArgumentParser
internal import Images
internal import Platform

struct KeyRemoveCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a recipient from a store.",
        discussion: "Who has opened the store before, or has a copy of it, may have kept what opens it.")

    @Argument(help: "age1…, or passphrase.")
    var recipient: String

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var from: StoreArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let path = try session.place(from).path
        guard try Store.recipients(path).contains(recipient) else {
            throw ImageError.unknownRecipient(recipient: recipient, store: path.description)
        }
        try session.confirm("Remove \(recipient) from \(path)? It will no longer open this store.")
        try Store.remove(recipient: recipient, from: path)
        session.show([("recipient", .text(recipient))], summary: ["\(recipient) no longer opens \(path)"])
        return .done
    }
}
