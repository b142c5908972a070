// `holdfast diff`: what has changed.

internal import ArgumentParser
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints
internal import Stewardship

struct DiffCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Compare two points, or a point or an image with the live tree.",
        discussion: discussion(
            """
            Each line: + added, - removed, * changed, m only owner, mode, time, attributes or flags. With --from STORE the first word is an \
            image, and what it was made of is compared with what is there now; that wants an identity. A line with ? is what the image has and \
            nobody looked at, since another file system is mounted over it.
            """,
            examples: "holdfast diff # what has changed since",
            "holdfast diff Commissioning before-update # from the one to the other",
            "holdfast diff --from nas --content # since the newest image"))

    @Argument(
        help:
            "The older state (default: the point that `status` marks with here; with --from the newest image of this machine).",
        completion: .pointsOrImages)
    var from: String?

    @Argument(help: "The newer state (default: the live tree).", completion: .points)
    var to: String?

    @Flag(help: "Read every file: a change that kept size and time is found too.")
    var content = false

    @Option(
        name: .customLong("from"),
        help: ArgumentHelp("Compare an image of this store with what is there now.", valueName: "store"))
    var store: StoreArgument?

    @Option(help: ArgumentHelp("Only images of this series.", valueName: "series"), completion: .series)
    var series: NameArgument?

    @Option(help: ArgumentHelp("Leave out what may differ: a pattern of paths; may be repeated.", valueName: "pattern"))
    var expected: [PatternArgument] = []

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if store != nil && to != nil {
            throw ValidationError("With --from STORE one image is compared with what is there now.")
        }
        if store == nil && series != nil { throw ValidationError("--series chooses among the images of a store.") }
    }

    func perform(_ session: Session) throws -> Outcome {
        if let store { return try compare(store, session) }
        let tree = try state.open(session)
        let points = try tree.points()
        let base = try ProtectedTree.base(state: tree.state)
        guard let old = try from.map(tree.point) ?? points.first(where: { $0.id == base }) ?? points.last else {
            throw Problem.usage("there is no point to compare with", hint: "`holdfast create` makes one")
        }
        let new = try to.map(tree.point)
        if to == nil, FilterMounts.lower(of: tree.root) != nil {
            session.console.warning(
                "a write filter covers \(tree.root): what this session wrote and did not commit is not compared")
        }
        let differences = try session.working { try tree.diff(from: old, to: new, content: content) }
        show(differences, from: old.name, to: new?.name, session)
        return .done
    }

    private func show(_ differences: [Difference], from old: String, to new: String?, _ session: Session) {
        let patterns = expected.map(\.pattern)
        let differences =
            patterns.isEmpty ? differences : differences.filter { !$0.isExpected(by: patterns) }
        if session.console.isJSON {
            session.console.document(
                .object([
                    ("from", .text(old)), ("to", new.map(JSON.text)),
                    (
                        "differences",
                        .list(differences.map { .object([("kind", .text($0.kind.rawValue))] + JSON.path($0.path)) })
                    ),
                ]))
        } else {
            for difference in differences {
                let path = difference.path.bytes.isEmpty ? "." : difference.path
                session.console.result("\(difference.kind.mark) \(path)\n")
            }
            session.console.note("\(Text.safe(old)) → \(new ?? "now"): " + Text.counts(of: differences))
        }
    }

    /// An image, and what it was made of as it is now.
    private func compare(_ argument: StoreArgument, _ session: Session) throws -> Outcome {
        let store = try session.open(argument, for: .read)
        let filter = ImageFilter(
            series: series?.text, host: series == nil && from == nil ? HostFacts.hostName : nil)
        let image = try store.find(from ?? "latest", filter)
        image.lost.forEach(session.findings.add)
        if let note = image.note { session.findings.add(note) }
        if image.label?.isOfDisk == true {
            throw Problem.usage("an image of a disk is not compared", hint: "`holdfast verify` checks it")
        }
        let places = state.places(session)
        let differences = try session.working {
            try Difference.ofMachine(
                from: store.listing(of: image), own: places.ownFiles(), content: content, progress: session.progress)
        }
        show(differences, from: String(image.id.description.prefix(8)), to: nil, session)
        return session.outcome(0)
    }
}

extension Text {
    /// `3 added, 0 removed, 1 changed, 0 in metadata only`.
    static func counts(of differences: [Difference]) -> String {
        differences.counts.map { "\(number($0.count)) \($0.kind.word)" }.joined(separator: ", ")
    }
}

extension [Difference] {
    /// How many there are of each kind; of what was not compared only where there is some.
    var counts: [(kind: Difference.Kind, count: UInt64)] {
        Difference.Kind.allCases.map { kind in (kind, UInt64(clamping: count { $0.kind == kind })) }
            .filter { $0.kind != .uncompared || $0.count > 0 }
    }
}

extension Difference.Kind {
    var word: String {
        switch self {
        case .added, .removed, .changed: rawValue
        case .metadata: "in metadata only"
        case .uncompared: "not compared, since another file system is mounted over it"
        }
    }
}
