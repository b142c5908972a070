// `holdfast diff`: what has changed.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import RestorePoints

struct DiffCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Compare two points, or a point with the live tree.",
        discussion: discussion(
            "Each line: + added, - removed, * changed, m only owner, mode, time, attributes or flags.",
            examples: "holdfast diff # what has changed since",
            "holdfast diff Commissioning # since that point",
            "holdfast diff Commissioning before-update # from the one to the other"))

    @Argument(help: "The older state (default: the point that `status` marks with here).", completion: .points)
    var from: String?

    @Argument(help: "The newer state (default: the live tree).", completion: .points)
    var to: String?

    @Flag(help: "Read every file: a change that kept size and time is found too.")
    var content = false

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
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
        if session.console.isJSON {
            session.console.document(
                .object([
                    ("from", .text(old.name)), ("to", new.map { .text($0.name) }),
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
            session.console.note("\(old.name) → \(new?.name ?? "now"): " + Text.counts(of: differences))
        }
        return .done
    }
}

extension Text {
    /// `3 added, 0 removed, 1 changed, 0 in metadata only`.
    static func counts(of differences: [Difference]) -> String {
        differences.counts.map { "\(number($0.count)) \($0.kind.word)" }.joined(separator: ", ")
    }
}

extension [Difference] {
    /// How many there are of each kind.
    var counts: [(kind: Difference.Kind, count: UInt64)] {
        Difference.Kind.allCases.map { kind in (kind, UInt64(clamping: count { $0.kind == kind })) }
    }
}

extension Difference.Kind {
    var mark: String {
        switch self {
        case .added: "+"
        case .removed: "-"
        case .changed: "*"
        case .metadata: "m"
        }
    }

    var word: String { self == .metadata ? "in metadata only" : rawValue }
}
