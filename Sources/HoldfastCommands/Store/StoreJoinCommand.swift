// `holdfast store join`: gives this machine a key that writes.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Reporting

struct StoreJoinCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Let this machine write to a store.",
        discussion: discussion(
            """
            An identity or the passphrase is needed once; afterwards backups need neither. A machine that joined already \
            goes on with its key. Where one of the options below, --identity or --passphrase-file is given, it gets another \
            one in the place of its own: whoever has a copy of the old key writes no more.
            """,
            examples: "holdfast store join nas --group line-3 --identity it.txt",
            "holdfast store join nas --replace press-01 # in the place of a dead one"))

    @Argument var store: StoreArgument

    @Option(
        help:
            "The machines of one group share content (default: this machine alone; its own group, if it joined already; with --replace that one's)."
    )
    var group: NameArgument?

    @Option(
        help: ArgumentHelp(
            "What the series of this machine begin with (default: its host's name, or what they begin with, if it joined already), before a slash; may be repeated.",
            valueName: "prefix"))
    var series: [SeriesPrefixArgument] = []

    @Option(
        help: ArgumentHelp(
            "The machine whose place this one takes, by name or id: this one goes on with its series, and that one writes no more. It may be revoked already.",
            valueName: "writer"))
    var replace: NameArgument?

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let place = try session.place(store)
        let request = JoinRequest(group: group?.text, series: series.map(\.text), replaces: replace?.text)
        // The keys that lie at hand are no wish for another one.
        let isRenewal = !session.global.identities.isEmpty || session.global.passphraseFile != nil
        let joined = try session.explainingAbsence(of: place) {
            try Store.join(
                session.objects(place, writing: true), request, isRenewal: isRenewal,
                credentials: session.credentials(for: place),
                machine: session.machine(for: place))
        }
        let store = joined.store
        session.remember(store, at: place)
        if let groups = joined.otherGroups, !groups.isEmpty {
            let named = groups.prefix(10).map {
                Text.safe($0.prefix(10).joined(separator: ", ")) + ($0.count > 10 ? ", …" : "")
            }
            session.findings.add(
                Finding(
                    .note, subject: "group \"\(Text.safe(store.groupName ?? ""))\"",
                    "it is a new one: this machine shares content with no other. The machines of the store's other groups are: "
                        + named.joined(separator: "; ") + (groups.count > 10 ? "; …" : "")
                        + ". If one of these groups was meant, repeat with its name"))
        }
        session.show(
            [("store", .text(store.identifier)), ("fingerprint", .text("\(store.fingerprint)"))]
                + JSON.place(place.location) + [
                    ("group", store.groupName.map(JSON.text)), ("new", .flag(joined.isNew)),
                    (
                        "otherGroups",
                        joined.otherGroups.map { .list($0.map { .list($0.map(JSON.text)) }) }
                    ),
                ],
            summary: joined.isNew
                ? [
                    "joined store \(store.identifier) in \(place.words), group \"\(store.groupName ?? "")\"",
                    "fingerprint \(store.fingerprint)",
                ]
                : [
                    "this machine has joined store \(store.identifier) in \(place.words) already, group \"\(store.groupName ?? "")\"",
                    "fingerprint \(store.fingerprint)",
                    "it goes on with its key; with `--identity FILE` it gets another one",
                ])
        return .done
    }
}
