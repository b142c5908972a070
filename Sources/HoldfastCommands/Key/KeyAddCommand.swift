// `holdfast key add`: lets somebody else open a store.

internal import ArgumentParser
internal import Cryptography
internal import Images

struct KeyAddCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Let another recipient open a store.")

    @Argument(help: "age1…, or the word passphrase, which is then asked for.")
    var recipient: String

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var to: StoreArgument

    @Flag(help: "It opens what is in the store, and changes no keys.")
    var reader = false

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let store = try session.open(to, for: .read)
        let added: StoreRecipient
        if recipient == "passphrase" {
            added = .passphrase(try session.newPassphrase())
        } else {
            do {
                added = .age(try AgeRecipient(recipient))
            } catch {
                throw Problem.usage("cannot use the recipient \(recipient): \(error.sentence)")
            }
        }
        try store.add(added, governs: !reader)
        session.show([("recipient", .text(added.name))], summary: ["\(added.name) can open \(store.subject)"])
        return .done
    }
}
