// `holdfast store init`: makes a store and joins this machine to it.

internal import ArgumentParser
internal import Images
internal import Platform

struct StoreInitCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a store in a new or empty folder.",
        discussion: discussion(
            examples: "holdfast store init /mnt/usb/line3",
            "holdfast store init nas --recipient \"$(cat it.pub)\" --group line-3",
            "holdfast store init /mnt/usb/line3 --passphrase # typed, no key file"))

    @Argument var store: StoreArgument

    @OptionGroup var recipients: RecipientOptions

    @Option(help: "The machines of one group share content (default: this machine alone).")
    var group: NameArgument?

    @Option(
        help: ArgumentHelp(
            "What the series of this machine begin with (default: its host's name), before a slash; may be repeated.",
            valueName: "prefix"))
    var series: [SeriesPrefixArgument] = []

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let place = try session.place(store)
        try session.refuseFile(place)
        // Before anybody is asked for a passphrase, or an identity made, for nothing.
        let objects = try session.objects(place, writing: true)
        if try Store.exists(objects) { throw ImageError.alreadyAStore(path: place.words) }
        try session.refuseUnmounted(place)
        let wanted = try session.recipients(recipients, of: place.words, isAsked: true)
        let store = try Store.create(
            objects, recipients: wanted, JoinRequest(group: group?.text, series: series.map(\.text)),
            machine: session.machine(for: place))
        session.remember(store, at: place)
        session.note(store.fingerprint)
        tellPromises(of: store, session)
        session.show(
            [("store", .text(store.identifier)), ("fingerprint", .text("\(store.fingerprint)"))]
                + JSON.place(place.location)
                + [("recipients", .list(wanted.map { .text($0.name) })), ("group", store.groupName.map(JSON.text))],
            summary: [
                "store \(store.identifier) in \(place.words)",
                "fingerprint \(store.fingerprint): write it down, with the key",
            ] + wanted.map { "recipient \($0.name)" })
        return .done
    }
}
