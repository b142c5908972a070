// `holdfast store rekey`: ends the power of somebody who governed a store.

internal import ArgumentParser
internal import Images
internal import Platform

struct StoreRekeyCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "rekey", abstract: "Give a store a new root key, and with it a new fingerprint.",
        discussion: discussion(
            """
            For removing somebody who governs the store: he has its root key, and could make keys for ever. Whatever is in \
            the store stays, and restores; what the old root key signs from now on counts for nothing.

            Every other machine refuses the store until its new fingerprint is given to it once, with --store-fingerprint \
            or, on a terminal, to `holdfast store join`. Then it goes on with its own key. So does the key of a steward. \
            What `verify --share` stated has to be stated anew. Replicas follow with the next `holdfast copy`. A command \
            that was interrupted is repeated.
            """,
            examples: "holdfast store rekey nas --remove \"$(cat anna.pub)\" # anna governed it",
            "holdfast store rekey nas --writer press-01 # only that one goes on"))

    @Argument var store: StoreArgument

    @Option(
        help: ArgumentHelp(
            "Who is to govern and read the store no more: age1…, or passphrase; also one who was removed already; may be repeated.",
            valueName: "recipient"
        ))
    var remove: [NameArgument] = []

    @Option(
        help: ArgumentHelp(
            """
            A machine that goes on writing, by name or the beginning of its id (default: all); may be repeated. The right \
            of the others ends, and their images still count.
            """,
            valueName: "writer"))
    var writer: [NameArgument] = []

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let store = try session.openGoverned(store)
        let removed = remove.map(\.text)
        if !removed.isEmpty { try store.checkRemoval(of: removed, orEarlier: true) }
        for name in writer { _ = try store.writer(named: name.text) }
        let gone = removed.isEmpty ? "" : " without " + removed.map(Text.safe).joined(separator: ", ")
        let machines = writer.isEmpty ? "all machines" : writer.map { Text.safe($0.text) }.joined(separator: ", ")
        try session.confirm(
            """
            Give \(store.subject) a new root key\(gone), for \(machines)? Each machine then needs the new fingerprint, by hand.
            """
        )
        let fingerprint = try store.rekey(without: removed, writers: writer.map(\.text)) {
            try session.keptPassphrase(of: store.subject)
        }
        session.note(fingerprint)
        session.show(
            [
                ("store", .text(store.identifier)), ("fingerprint", .text("\(fingerprint)")),
                ("replaced", .text("\(store.fingerprint)")), ("removed", .list(removed.map(JSON.text))),
            ],
            summary: [
                "store \(store.identifier) has a new root key",
                "fingerprint \(fingerprint): write it down, with the key",
                "give it to each machine once: `holdfast store join STORE --store-fingerprint \(fingerprint)`",
                "replicas follow with the next `holdfast copy --from … --to …`",
            ])
        return .done
    }
}
