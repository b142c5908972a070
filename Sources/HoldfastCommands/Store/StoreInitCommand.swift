// `holdfast store init`: makes a store and joins this machine to it.

internal import ArgumentParser
internal import Images
internal import Platform

struct StoreInitCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a store in a new or empty folder.")

    @Argument var store: StoreArgument

    @OptionGroup var recipients: RecipientOptions

    @Option(help: "The machines of one group share content (default: this machine alone).")
    var group: NameArgument?

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let path = try session.place(store).path
        // Before anybody is asked for a passphrase, or an identity made, for nothing.
        if Store.exists(path) { throw ImageError.alreadyAStore(path: path.description) }
        let wanted = try session.recipients(recipients, of: path.description)
        let store = try Store.create(path, recipients: wanted, group: group?.text, machine: session.machine)
        session.show(
            [("store", .text(store.identifier))] + JSON.path(path)
                + [("recipients", .list(wanted.map { .text($0.name) })), ("group", store.groupName.map(JSON.text))],
            summary: ["store \(store.identifier) in \(path)"] + wanted.map { "recipient \($0.name)" })
        return .done
    }
}
