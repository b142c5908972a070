// `holdfast key steward`: makes the key of who looks after a store.

internal import ArgumentParser
internal import Cryptography
internal import Images
internal import Platform

struct KeyStewardCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "steward",
        abstract: "Make a key that lists and looks after all images of a store, and opens no content.",
        discussion: discussion(
            "Give the file with --identity, as to `holdfast images` or `holdfast verify --mark`.",
            examples: "holdfast key steward --to nas --output steward.key"))

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var to: StoreArgument

    @Option(help: ArgumentHelp("The new file; it is secret.", valueName: "file"))
    var output: PathArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        if output.isStandard { throw Problem.usage("a key is not shown", hint: "give a file") }
        let store = try session.openGoverned(to)
        // The file first: a place that cannot be written leaves no key in the store.
        if exists(output.path) {
            throw Problem.refused("\(output.path) exists already", hint: "give another file with `--output FILE`")
        }
        let key = try store.issueSteward(name: HostFacts.hostName)
        var bytes = key.encoded()
        defer { erase(&bytes) }
        try writeNew(output.path, bytes, mode: 0o600)
        session.show(
            JSON.path(output.path), summary: ["steward key of \(store.subject) in \(output.path); keep it secret"])
        return .done
    }
}
