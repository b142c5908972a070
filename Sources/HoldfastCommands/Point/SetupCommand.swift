// `holdfast setup`: protects a tree, or takes that back.

internal import ArgumentParser
internal import Boot
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints
internal import Stewardship
internal import WriteFilter

struct BackendArgument: WordArgument {
    var kind: BackendKind

    static var allValueStrings: [String] { BackendKind.allCases.map(\.rawValue) }

    init?(argument: String) {
        guard let kind = BackendKind(rawValue: argument) else { return nil }
        self.kind = kind
    }
}

struct SetupCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup", abstract: "Protect a tree with restore points.",
        discussion: discussion(
            """
            Without --root it says what it would do with / here, and asks. On btrfs and ZFS a point costs next to nothing; any \
            other folder is kept as images beside the state. Of / the boot menu gets an entry that repairs the machine, where squashfs-tools, \
            busybox, cpio and zstd are installed. The last thing that it does is the point `factoryreset`.
            """,
            examples: "holdfast setup # this machine, after a question",
            "holdfast setup --root /opt/plc # a folder",
            "holdfast setup --remove --points keep # not any more; the points stay"))

    /// What becomes of the points.
    enum Points: String, ExpressibleByArgument, CaseIterable { case keep, destroy }

    @Option(help: ArgumentHelp("The tree to protect.", valueName: "path"))
    var root: PathArgument?

    @Option(
        help: ArgumentHelp(
            "A folder outside of the tree that goes with it (default for /: /boot and the EFI system partition, where they are file systems of their own).",
            valueName: "path"))
    var boot: PathArgument?

    @Option(help: "btrfs, zfs or tree (default: what the file system gives).")
    var backend: BackendArgument?

    @Option(help: ArgumentHelp("Take over the points of a set-up whose state is lost.", valueName: "id"))
    var adopt: NameArgument?

    @Flag(help: "Only bring what the boot runs up to date with this program.")
    var refresh = false

    @Flag(help: "Take the protection back; the tree, the log and the keys stay.")
    var remove = false

    @Option(help: ArgumentHelp("With --remove: keep the points, or destroy them.", valueName: "keep|destroy"))
    var points: Points?

    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if points != nil, !remove { throw ValidationError("--points goes with --remove.") }
        if plan.dryRun || plan.plan != nil, !remove || points == nil {
            throw ValidationError("--dry-run and --plan go with --remove --points.")
        }
        if remove || refresh, root != nil || boot != nil || backend != nil || adopt != nil || (remove && refresh) {
            throw ValidationError(
                "--remove and --refresh are about the tree that is protected, and take no other option.")
        }
    }

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        if FilterMounts.lower(of: "/") != nil { throw FilterError.active(what: "what set-up changes") }
        if remove { return try endProtection(session) }
        if refresh {
            let tree = try state.open(session)
            let lock = try tree.lock()
            try tree.refresh(holding: lock)
            try filter(session).refresh(holding: lock)
            try Schedule(state.places(session)).refresh()
            let recovery = try tree.root == "/" ? makeRecovery(tree.state, session) : nil
            session.show(
                [("refreshed", .flag(true)), ("recovery", recovery.map(JSON.text))],
                summary: ["what the boot runs is this program now"] + (recovery.map { [$0] } ?? []))
            return .done
        }
        return try protect(root.map { try $0.absolute } ?? proposed(session), session)
    }

    /// Says what was found, and asks.
    private func proposed(_ session: Session) throws -> BytePath {
        let folder = state.places(session).state
        guard session.hasTerminal || session.global.isYes, !Places.isSetUp(folder) else {
            throw Problem.usage("give the tree to protect, as --root PATH", hint: "`holdfast setup --help` tells more")
        }
        let found = try ProtectedTree.proposal(state: folder)
        switch found.backend {
        case .btrfs: session.console.note("/ is a btrfs subvolume: a point is a snapshot, and costs next to nothing")
        case .zfs: session.console.note("/ is a ZFS dataset: a point is a snapshot, and costs next to nothing")
        case .tree:
            session.console.note(
                "/ is on a file system without snapshots: a point is an image of what has changed, and the first takes as long as a backup"
            )
        }
        if !found.boot.isEmpty {
            session.console.note(
                found.boot.map(\.description).joined(separator: " and ")
                    + (found.boot.count == 1 ? " goes" : " go") + " with each point")
        }
        session.console.note("what Holdfast knows will be in \(folder), which no rollback reaches")
        if let obstacle = found.obstacle { session.console.warning(obstacle.advice) }
        try session.confirm("Protect / with restore points?")
        return "/"
    }

    private func protect(_ root: BytePath, _ session: Session) throws -> Outcome {
        let folder = state.places(session).state
        if let adopt {
            try session.confirm(
                "Take over the points of the set-up \(adopt.text)? Where its state is not lost, two would have the same points, and each could destroy them."
            )
        }
        let tree = try ProtectedTree.setUp(
            root: root, state: folder, kind: backend?.kind, boot: boot?.absolute, adopting: adopt?.text,
            progress: session.progress, findings: session.findings)
        // Its entry in the boot menu is part of the first point.
        let recovery = try root == "/" ? makeRecovery(folder, session) : nil
        let coverage = try tree.coverage() + tree.pointsOfOthers()
        for finding in coverage { session.console.warning(finding.advice) }
        let known = try tree.points()
        var made: ProtectedTree.Created?
        // Points that were there already have theirs.
        if !known.contains(where: \.isFactory) {
            var request = PointRequest(name: "factoryreset")
            request.message = "as it was when it was set up"
            request.isFactory = true
            let lock = try tree.lock()
            let asked = request
            made = try session.working { try tree.create(asked, user: HostFacts.userName, holding: lock) }
            for finding in made?.preflight ?? [] { session.console.warning(finding.sentence) }
        }
        var lines =
            (recovery.map { [$0] } ?? []) + [
                "\(tree.root) is protected (\(tree.backendKind.rawValue)); its state is in \(folder)"
            ]
        if !known.isEmpty {
            lines.append("\(Text.counted(UInt64(known.count), "point", "points")) of before are there again")
        }
        if tree.root == "/", tree.backendKind != .zfs {
            let limits = try tree.trialLimits().filter { $0.code != "trial-no-start" }
            lines +=
                [
                    "what is tried (`holdfast rollback NAME --trial`) returns by itself\(limits.isEmpty ? ", also where kernel or initramfs do not start" : ", but:")"
                ]
                + limits.map { "  " + $0.sentence }
        }
        if made != nil { lines.append("factoryreset holds the state of now; `holdfast create NAME` makes more") }
        session.show(
            JSON.path(tree.root, key: "root") + JSON.path(folder, key: "state") + [
                ("backend", .text(tree.backendKind.rawValue)), ("recovery", recovery.map(JSON.text)),
                ("point", made.map { JSON.point($0.point) }),
                ("adopted", .number(UInt64(known.count))), ("coverage", .list(coverage.map(JSON.preflight))),
            ] + session.console.findingMembers, summary: lines)
        return session.outcome(made?.findings ?? 0)
    }

    /// - Returns: what came of it; what keeps it from being there is a warning.
    private func makeRecovery(_ folder: BytePath, _ session: Session) throws -> String? {
        switch try session.working({ try RecoveryBoot.install(state: folder, stop: session.progress.stop) }) {
        case .installed(let system):
            if let reason = system.missesFirmware {
                session.console.warning(
                    "the firmware's own menu does not have the way to repair this machine: \(reason)")
            }
            return "the boot menu has “\(RecoverySystem.title)”, \(system.words)"
        case .notPossible(let reason, let mend):
            session.console.warning(
                "the boot menu gets no way to repair this machine: \(reason)" + (mend.map { "; \($0)" } ?? ""))
            return nil
        }
    }

    private func endProtection(_ session: Session) throws -> Outcome {
        let tree = try state.open(session)
        if let first = try filter(session).status(consumers: 0).first(where: { $0.plan.isEnabled || !$0.isOver }) {
            throw Problem.refused(
                "a write filter is decided for \(first.plan.path), or is not at its end",
                hint: "`holdfast filter disable --path \(first.plan.path)`, and reboot where it is /")
        }
        let choice = try points ?? choose(tree, session)
        let plan = try tree.planEnd(keepingPoints: choice == .keep)
        let names = plan.points.map(\.name)
        guard
            try session.agree(
                to: plan, self.plan, lines: ["points: " + (names.isEmpty ? "none" : names.joined(separator: ", "))],
                members: [("points", .list(names.map(JSON.text))), ("kept", .flag(plan.keepsPoints))],
                question: "Take back the protection of \(tree.root), and "
                    + (plan.keepsPoints ? "keep these points?" : "destroy these points for good?"),
                guarded: plan.keepsPoints || plan.points.isEmpty ? nil : .destroy)
        else { return .done }
        let lock = try tree.lock()
        try session.working { try tree.endProtection(plan, holding: lock) }
        // Its units know the state by name, and a set-up that is taken back leaves none of ours.
        let ranJobs = try Schedule(state.places(session)).disable(holding: lock)
        session.show(
            JSON.path(tree.root, key: "root") + [
                ("points", .list(names.map(JSON.text))), ("kept", .flag(choice == .keep)),
            ],
            summary: [
                "\(tree.root) is not protected any more, and stays as it is",
                choice == .keep
                    ? "the points stay; `holdfast setup --root \(tree.root)` has them again"
                    : "the points are destroyed",
                "log and keys stay in \(tree.state)",
            ] + (ranJobs ? ["no job runs by itself any more; `holdfast schedule enable` has them do so again"] : []))
        return .done
    }

    private func choose(_ tree: ProtectedTree, _ session: Session) throws -> Points {
        session.console.note("points: " + (try tree.points().map(\.name).joined(separator: ", ")))
        let words: [Points] = [.keep, .destroy]
        let lines = ["1  keep     they stay, and another set-up has them again", "2  destroy  they are gone for good"]
        return words[
            try session.choose(
                "What is to become of the points?", from: lines, names: words.map(\.rawValue),
                hint: "give --points keep or --points destroy")]
    }
}
