// `holdfast store revoke`: ends a machine's right to write.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Reporting

struct StoreRevokeCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "End a machine's right to write to a store.",
        discussion: discussion(
            """
            The store gets new keys for everybody else. The images of the machine that are there still count, unless \
            --since says from when on they do not: those that say a later time, and those that came to the store later, \
            whatever they say. Which do not is named before it asks; while images that this machine has seen there are \
            missing, nothing is done. A replica follows with the next `holdfast copy`. Another machine goes on \
            with its series after `holdfast store join STORE --replace WRITER`.
            """,
            examples: "holdfast store revoke press-01 --from nas # it was stolen",
            "holdfast store revoke press-01 --from nas --since 2026-11-20"))

    @Argument(help: "The machine's name, or the beginning of its id, as `holdfast store info` shows them.")
    var writer: NameArgument

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var from: StoreArgument

    @Option(help: ArgumentHelp("Its images from this time on count no more (2026-11-20T08:56:14Z).", valueName: "time"))
    var since: TimeArgument?

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let store = try session.openGoverned(from)
        let meant = try store.writer(named: writer.text)
        let right = meant.isSteward ? "to look after" : "to write to"
        let plan = meant.isSteward ? nil : try store.revocationPlan(writer: writer.text, since: since?.seconds)
        plan?.elsewhere.forEach(session.findings.add)
        let images = plan.map {
            " \($0.sentence) Images of it that are in other copies of the store alone will not count there."
        }
        try session.confirm(
            "End the right of \(Text.safe(meant.name)) (\(meant.id.prefix(8))) \(right) \(store.subject)?\(images ?? "")"
        )
        try store.revoke(writer: writer.text, since: since?.seconds) { try session.keptPassphrase(of: store.subject) }
        session.show(
            [("writer", .text(writer.text))]
                + (plan.map {
                    [
                        ("counting", .number(UInt64($0.counting))),
                        ("ending", .list($0.ending.map { .text($0.id) })),
                    ]
                } ?? []),
            summary: (plan.map { [$0.sentence] } ?? []) + [
                "\(Text.safe(writer.text)) writes to \(store.subject) no more; copy the store to its replicas"
            ])
        return session.outcome(0)
    }
}

extension Store.RevocationPlan {
    /// How many images go on counting, and which do not.
    fileprivate var sentence: String {
        let count =
            "\(Text.counted(UInt64(counting), "image", "images")) of it that \(counting == 1 ? "is" : "are") there"
        let on = "\(count) \(counting == 1 ? "counts" : "count") on"
        if ending.isEmpty { return "\(on)." }
        let shown = ending.prefix(20).map {
            $0.id + ($0.isLate ? " (came later)" : $0.isDamaged ? " (damaged)" : "")
        }.joined(separator: ", ")
        let late = ending.count(where: \.isLate)
        let more = ending.count > 20 ? " and \(ending.count - 20) more" : ""
        let came =
            late == 0
            ? ""
            : "; \(late) of them \(late == 1 ? "says" : "say") an earlier time, and came to the store later, as do those that were copied back to it"
        return "\(on), \(ending.count) \(ending.count == 1 ? "does" : "do") not: \(shown)\(more)\(came)."
    }
}
