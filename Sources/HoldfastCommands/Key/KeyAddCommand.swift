// `holdfast key add`: lets somebody else open a store.

internal import ArgumentParser
internal import Cryptography
internal import Images
internal import Reporting

struct KeyAddCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Let another recipient open a store.",
        discussion: discussion(
            """
            Given for a recipient that opens the store already, --label changes its label and nothing else. --reader takes \
            the right to change keys from one that has it; that makes new keys, as `holdfast key remove` does.

            A store has one passphrase. Another one takes its place, with new keys: holdfast opens nothing of the store with \
            the one before any more. Whoever knows that one and has the store can still get at what was written before.
            """,
            examples: "holdfast key add \"$(cat anna.pub)\" --to nas --reader --label \"anna's laptop\"",
            "holdfast key add passphrase --to nas # it is asked for"))

    @Argument(help: "age1…, or the word passphrase, which is then asked for.")
    var recipient: String

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var to: StoreArgument

    @Flag(help: "It opens what is in the store, and changes no keys.")
    var reader = false

    @Option(
        help: ArgumentHelp(
            "Whose it is, for people: \"anna's laptop\", \"safe, paper copy\". Everybody who has the store can read it.",
            valueName: "text"))
    var label: String?

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    /// nil for a passphrase.
    private func ageRecipient() throws -> AgeRecipient? {
        recipient == "passphrase" ? nil : try RecipientArgument(recipient).recipient
    }

    func check() throws {
        do { _ = try ageRecipient() } catch let error as ValidationError {
            throw ValidationError("Cannot use the recipient \(Text.safe(recipient)): \(clause(error.message)).")
        }
        guard let label else { return }
        if !ArgumentText.isText(label) { throw ValidationError("The label is no UTF-8 text.") }
        if let objection = StoreReader.objection(toLabel: label) {
            throw ValidationError("\(Text.safe(label)) cannot be a label: \(objection).")
        }
    }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let age = try ageRecipient()
        let name = age?.string ?? recipient
        let store = try session.openGoverned(to)
        let known = store.readers.first { $0.name == name }
        let isDemotion = reader && known?.governs == true
        if let known, isDemotion { try confirmDemotion(of: known, store, session) }
        var isReplacement = false
        // A passphrase that is given is wanted, with a label or without.
        if let label, known != nil, !isDemotion, age != nil || session.global.passphraseFile == nil {
            try store.setLabel(label, of: name)
        } else if let age {
            try store.add(.age(age), governs: !reader, label: label) {
                try session.keptPassphrase(of: store.subject)
            }
        } else if isDemotion {
            guard let kept = try session.keptPassphrase(of: store.subject) else {
                throw ImageError.passphraseNeeded(store: store.subject)
            }
            try store.add(.passphrase(kept), governs: false, label: label)
        } else {
            let given = try session.newPassphrase()
            isReplacement = try known != nil && !store.isOpened(by: given)
            if isReplacement { try confirmReplacement(store, session) }
            try store.add(.passphrase(given), governs: !reader, label: label)
        }
        guard let added = try session.readers(to).first(where: { $0.name == name }) else {
            throw ImageError.unknownRecipient(recipient: name, store: store.subject)
        }
        var summary = ["\(added.shown) can open \(store.subject)"]
        if isReplacement {
            summary.append("with the passphrase before, holdfast opens nothing of \(store.subject) any more")
        }
        if isDemotion || isReplacement {
            summary.append("replicas follow with the next `holdfast copy --from … --to …`")
        }
        if known?.governs == true && (isDemotion || isReplacement) {
            summary.append(
                "it governed, and can still make keys for itself: `holdfast store rekey STORE` ends that")
        }
        session.show(added.members, summary: summary)
        return .done
    }

    private func confirmReplacement(_ store: Store, _ session: Session) throws {
        try session.confirm(
            """
            Replace the passphrase of \(store.subject)? holdfast opens nothing of it with the one before any more; whoever \
            knows that one and has the store can still get at what was written before, and at nothing later.
            """)
    }

    private func confirmDemotion(of known: StoreReader, _ store: Store, _ session: Session) throws {
        // Who would be missed as a governor is missed as a reader who governs.
        try store.checkRemoval(of: [known.name])
        try session.confirm(
            """
            Take from \(known.shown) the right to change who opens \(store.subject)? It goes on reading, and it has the \
            root key still: `holdfast store rekey STORE` ends that.
            """)
    }
}

extension StoreReader {
    /// `age1… "anna's laptop" (reads only)`
    var shown: String {
        Text.safe(name) + (label.isEmpty ? "" : " \"\(Text.safe(label))\"") + (governs ? "" : " (reads only)")
    }

    var members: [(String, JSON?)] {
        [("recipient", .text(name)), ("label", label.isEmpty ? nil : .text(label)), ("governs", .flag(governs))]
    }
}
