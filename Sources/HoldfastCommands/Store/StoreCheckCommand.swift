// `holdfast store check`: the quick half of `verify`.

internal import ArgumentParser
internal import Images

struct StoreCheckCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check that a store has everything its images name, without reading content.",
        discussion: discussion(examples: "holdfast store check nas"))

    @Argument var store: StoreArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        try verify(try session.open(store, for: .verify), image: nil, readData: false, session)
    }
}
