// `holdfast setup`: protects a tree.

internal import ArgumentParser
internal import Images
internal import Machine
internal import Platform
internal import RestorePoints
internal import WriteFilter

struct BackendArgument: ExpressibleByArgument {
    var kind: BackendKind

    init?(argument: String) {
        guard let kind = BackendKind(rawValue: argument) else { return nil }
        self.kind = kind
    }
}

struct SetupCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup", abstract: "Protect a tree with restore points.",
        discussion: """
            On btrfs the tree has to be a subvolume, and a point costs next to nothing; any other folder is kept as images \
            beside the state. The last thing that it does is the point `factoryreset`.
            """)

    @Option(help: ArgumentHelp("The tree to protect.", valueName: "path"))
    var root: PathArgument?

    @Option(
        help: ArgumentHelp(
            "A folder outside of the tree that goes with it (default for /: /boot and the EFI system partition, where they are file systems of their own).",
            valueName: "path"))
    var boot: PathArgument?

    @Flag(help: "Only bring what the boot runs up to date with this program.")
    var refresh = false

    @Option(help: "btrfs, zfs or tree (default: what the file system gives).")
    var backend: BackendArgument?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let folder = state.places(session).state
        if FilterMounts.lower(of: "/") != nil { throw FilterError.active(what: "what set-up installs") }
        if refresh {
            try state.open(session).refresh()
            session.show([("refreshed", .flag(true))], summary: ["what the boot runs is this program now"])
            return .done
        }
        guard let root else { throw Problem.usage("give the tree to protect, as --root PATH") }
        let tree = try ProtectedTree.setUp(
            root: root.absolute, state: folder, kind: backend?.kind,
            boot: boot?.absolute,
            progress: session.progress, findings: session.findings)
        let coverage = try tree.coverage()
        for finding in coverage { session.console.warning(finding.sentence) }
        var request = PointRequest(name: "factoryreset")
        request.message = "as it was when it was set up"
        request.isFactory = true
        let lock = try tree.lock()
        let created = try session.working { try tree.create(request, user: HostFacts.userName, holding: lock) }
        for finding in created.preflight { session.console.warning(finding.sentence) }
        session.show(
            JSON.path(tree.root, key: "root") + JSON.path(folder, key: "state") + [
                ("backend", .text(tree.backendKind.rawValue)), ("point", JSON.point(created.point)),
                ("coverage", .list(coverage.map(JSON.preflight))),
            ] + session.console.findingMembers,
            summary: [
                "\(tree.root) is protected (\(tree.backendKind.rawValue)); its state is in \(folder)",
                "factoryreset holds the state of now; `holdfast create NAME` makes more",
            ])
        return session.outcome(created.findings)
    }
}
