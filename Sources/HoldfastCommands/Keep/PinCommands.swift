// `holdfast pin` and `unpin`: what is never thinned out, a restore point or an image.

internal import ArgumentParser
internal import Images
internal import Reporting
internal import RestorePoints

struct PinCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin", abstract: "Keep a point, or an image of a store, from being destroyed.",
        discussion: discussion(
            "Of a store it wants the key of a steward, or an identity that governs the store.",
            examples: "holdfast pin Commissioning", "holdfast pin 3f9a --from nas --identity steward.key"))

    @Argument(help: "The point, or the image.", completion: .pointsOrImages) var name: NameArgument
    @OptionGroup var place: PinOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        try session.setPinned(true, name.text, place.from, state)
        session.show([("pinned", .text(name.text))], summary: ["\(name.text) is pinned"])
        return session.outcome(0)
    }
}

struct UnpinCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpin", abstract: "Let a pinned point or image go again.",
        discussion: discussion(
            examples: "holdfast unpin Commissioning", "holdfast unpin 3f9a --from nas --identity steward.key"))

    @Argument(help: "The point, or the image.", completion: .pointsOrImages) var name: NameArgument
    @OptionGroup var place: PinOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        try session.setPinned(false, name.text, place.from, state)
        session.show([("unpinned", .text(name.text))], summary: ["\(name.text) is not pinned any more"])
        return session.outcome(0)
    }
}

struct PinOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The store whose image is meant (default: a restore point).", valueName: "store"))
    var from: StoreArgument?
}

extension Session {
    fileprivate func setPinned(
        _ isPinned: Bool, _ name: String, _ from: StoreArgument?, _ state: StateOptions
    ) throws {
        guard let from else {
            let tree = try state.open(self)
            return try tree.setPinned(isPinned, name, holding: tree.lock())
        }
        let store = try open(from, for: .prune, writing: true)
        let image = try store.find(name, ImageFilter())
        image.lost.forEach(findings.add)
        if isPinned { try store.pin(image, tool: Version.tool) } else { try store.unpin(image, tool: Version.tool) }
    }
}
