// `holdfast create`: tags the state of now.

internal import ArgumentParser
internal import Images
internal import Machine
internal import Platform
internal import RestorePoints

/// `key=value`.
struct TagArgument: ExpressibleByArgument {
    var key: String
    var value: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        (key, value) = (parts[0], parts[1])
    }
}

struct CreateCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Tag the state of now as a restore point.",
        discussion: discussion(
            examples: "holdfast create Commissioning --message \"line 3 runs\"",
            "holdfast create before-update --tag ticket=4711",
            "holdfast create delivered --factory # factory-reset returns to it"))

    @Argument(help: "The point's name (default: the time, as 2026-11-20T08:56:14Z).")
    var name: String?

    @Option(help: "What to remember about it.")
    var message = ""

    @Option(name: .customLong("tag"), help: ArgumentHelp("A fact about it; may be repeated.", valueName: "k=v"))
    var tags: [TagArgument] = []

    @Flag(help: "A state that factory-reset returns to.")
    var factory = false

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        var request = PointRequest(name: name)
        request.message = message
        request.tags = Dictionary(tags.map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last })
        request.isFactory = factory
        let asked = request
        let tree = try state.open(session)
        let lock = try tree.lock()
        let created = try session.working { try tree.create(asked, user: HostFacts.userName, holding: lock) }
        for finding in created.preflight { session.console.warning(finding.sentence) }
        session.show(
            [("point", JSON.point(created.point)), ("findingCount", .number(created.findings))]
                + session.console.findingMembers,
            summary: ["created \(created.point.name)"])
        return session.outcome(created.findings)
    }
}
