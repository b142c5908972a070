// `holdfast key remove`: takes a recipient's key file out of a store.

internal import ArgumentParser
internal import Images
internal import Platform

struct KeyRemoveCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a recipient from a store.",
        discussion: discussion(
            """
            The store gets new keys for everybody who stays: what is written from now on the removed recipient does not open. \
            What was written before it still opens, and so it does every copy; a replica follows with the next `holdfast copy`. \
            With a passphrase that was removed holdfast opens nothing any more; whoever knows it and has the store can still \
            get at what was written before. \
            Who governed the store has its root key, too: `holdfast store rekey` removes him as well, and ends that, also afterwards.
            """,
            examples: "holdfast key remove \"$(cat anna.pub)\" --from nas",
            "holdfast key remove passphrase --from nas --dry-run # who stays"))

    @Argument(help: "age1…, or passphrase.")
    var recipient: String

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var from: StoreArgument

    @OptionGroup var plan: PlanOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let store = try session.openGoverned(from)
        let plan = try store.planRemoval(of: recipient)
        let listed = plan.listed
        let shown = listed?.shown ?? Text.safe(recipient)
        let isPassphrase = recipient == "passphrase"
        let consequence =
            isPassphrase
            ? "holdfast will open nothing of it with that one any more; whoever knows it and has the store can still get at what was written before, and at nothing later."
            : "It will open nothing that is written from now on."
        guard
            try session.agree(
                to: plan, self.plan,
                lines: [
                    "\(shown) is taken out of \(store.subject), which gets new keys",
                    "these open it from then on: " + plan.staying.map(\.shown).joined(separator: ", "),
                ],
                members: [
                    ("recipient", .text(recipient)), ("staying", .list(plan.staying.map { .text($0.name) })),
                ], question: "Remove \(shown) from \(store.subject)? \(consequence)")
        else { return .done }
        try store.remove(plan) { try session.keptPassphrase(of: store.subject) }
        session.show(
            [("recipient", .text(recipient))],
            summary: [
                isPassphrase
                    ? "holdfast opens nothing of \(store.subject) with \(shown) any more"
                    : "\(shown) opens nothing that is written to \(store.subject) from now on",
                "replicas follow with the next `holdfast copy --from … --to …`",
            ]
                + (listed?.governs == true
                    ? ["it governed, and can still make keys for itself: `holdfast store rekey STORE` ends that"] : []))
        return .done
    }
}
