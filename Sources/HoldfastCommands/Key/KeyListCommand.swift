// `holdfast key list`: who can open a store.

internal import ArgumentParser
internal import Cryptography
internal import Images

struct KeyListCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List who can open a store.",
        discussion: discussion(examples: "holdfast key list --from nas"))

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var from: StoreArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let recipients = try session.readers(from)
        let own = Set(try session.identities().map(\.recipient.string))
        if session.console.isJSON {
            let list = recipients.map {
                JSON.object($0.members + [("identityAtHand", .flag(own.contains($0.name)))])
            }
            session.console.document(.object([("recipients", .list(list))]))
        } else {
            let lines = recipients.map {
                $0.shown + (own.contains($0.name) ? " (identity at hand)" : "") + "\n"
            }
            session.console.result(lines.joined())
        }
        return .done
    }
}
