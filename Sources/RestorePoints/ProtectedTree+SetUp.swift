// Protecting a tree, and taking that back.

internal import AuditLog
internal import Boot
public import Machine
public import Platform
public import Reporting

extension ProtectedTree {
    // MARK: Proposing

    /// What a set-up of `/` would do here.
    public struct Proposal: Sendable {
        public var backend: BackendKind
        /// File systems of their own that go with each point.
        public var boot: [BytePath]
        /// What would be missing then.
        public var obstacle: Preflight?
    }

    public static func proposal(state: BytePath) throws -> Proposal {
        do {
            let kind = try kind(of: Descriptor.open("/", .directory), at: "/")
            return Proposal(
                backend: kind, boot: BootPlace.ofThisMachine.map(\.pathOfFolder),
                obstacle: kind == .tree ? try TreeBackend.obstacleAtBoot(state: state, isRefusal: false) : nil)
        } catch { throw PointError.wrapping(error) }
    }

    private static func kind(of folder: Descriptor, at root: BytePath) throws -> BackendKind {
        let isDataset = try Mount.holding(folder).map { $0.type == "zfs" && $0.point == root } ?? false
        return isDataset ? .zfs : folder.isSubvolume ? .btrfs : .tree
    }

    // MARK: Setting up

    /// Protects a tree. Where protection was taken back and the points were kept, they are points again.
    /// - Parameters:
    ///   - kind: nil: btrfs where `root` is a subvolume, ZFS where it is a dataset, else a plain tree.
    ///   - state: a folder for what Holdfast knows; it must not be rolled back with the tree.
    ///   - adopted: the id of a set-up whose state is lost: its points become those of this one.
    /// - Throws: `PointError`
    public static func setUp(
        root: BytePath, state: BytePath, kind: BackendKind?, boot: BytePath? = nil, adopting adopted: String? = nil,
        progress: Progress, findings: Findings
    ) throws -> ProtectedTree {
        do {
            let area = StateArea(folder: state)
            guard HostFacts.isRoot else { throw PointError.notPermitted("protect \(root)") }
            if area.isSetUp {
                let tree = try open(state: state, progress: progress, findings: findings)
                // One that was interrupted before its first point goes on.
                if tree.root == root, try tree.points().isEmpty { return tree }
                throw PointError.alreadySetUp(state: state, root: tree.root)
            }
            let folder = try Descriptor.open(root, .directory)
            let kind = try kind ?? Self.kind(of: folder, at: root)
            if root == "/" { try StatePlace.make(state, kind: kind) }
            try makeFolders(state, mode: 0o755)
            if kind == .btrfs, let place = try? Descriptor.open(state, .place), place.isOnBtrfs,
                try place.status().device == folder.status().device
            {
                throw PointError.noBackend(
                    root: root,
                    reason:
                        "the state folder \(state) is in it and would be rolled back with it; give another with --state"
                )
            }
            let earlier = try area.readRemoved()
            if let earlier, earlier.rootPath != root || earlier.backend != kind {
                throw PointError.otherPoints(state: state, root: earlier.rootPath)
            }
            var configuration =
                try earlier
                ?? StateArea.Configuration(
                    id: adopted ?? randomIdentifier(), root: root.description, rootBytes: hexadecimal(root.bytes),
                    backend: kind)
            // Whoever reads the state of `/` has it from there.
            configuration.home = root == "/" ? nil : try TreeHome(of: folder)
            let backend = try makeBackend(
                configuration, ground: .running, state: state, progress: progress, findings: findings)
            try backend.checkBeforeSetUp()
            configuration.facts = backend.facts
            configuration.boot = boot.map { [BootPlace($0)] } ?? (root == "/" ? BootPlace.ofThisMachine : [])
            let tree = ProtectedTree(
                area: area, configuration: configuration, backend: backend, progress: progress,
                findings: findings,
                boot: BootFolders(configuration.boot, state: state, progress: progress, findings: findings),
                ground: .running)
            // A crash from here to the configuration leaves it not set up, and repeating this goes on.
            try area.write(StateArea.SetUpRecord(isEnd: false))
            if earlier == nil {
                var table = try adopted.map { try tree.table(adopting: $0) } ?? StateArea.Table()
                try area.write(&table)
            }
            try AuditLog(folder: state.appending("log")).begin(verb: "setup")
            try BootIntegration.install(root: root, state: state, atBoot: backend.returnsAtBoot)
            // From here on it is set up.
            try area.write(configuration)
            try area.forgetRemoved()
            try area.removeSetUp()
            return tree
        } catch { throw PointError.wrapping(error) }
    }

    /// Points whose names are lost get new ones, in the order of their making.
    private func table(adopting id: String) throws -> StateArea.Table {
        guard let found = try backend.found()[id] else { throw PointError.unknownSetUp(id: id) }
        var table = StateArea.Table()
        for point in found.sorted(by: { $0.number < $1.number }) {
            table.points.append(
                RestorePoint(
                    id: point.id, name: Self.freeName("found.\(Self.timeName(point.time))", in: table),
                    time: point.time, user: "", host: HostFacts.hostName, message: "of a set-up whose state was lost",
                    tags: [:], origin: .requested, isFactory: false, isPinned: false, handle: point.handle, kernel: ""))
        }
        return table
    }

    /// Points of other set-ups, which may be those of a state that is lost.
    public func pointsOfOthers() throws -> [Preflight] {
        try translated {
            try backend.found().filter { $0.key != configuration.id }.sorted { $0.key < $1.key }.map { id, points in
                Preflight(
                    "other-points",
                    "\(points.count) point\(points.count == 1 ? "" : "s") of another set-up, \(id), \(points.count == 1 ? "is" : "are") here",
                    mend:
                        "where its state is lost, `holdfast setup --remove --points destroy` and then `holdfast setup --root \(root) --adopt \(id)` have them again",
                    isRefusal: false)
            }
        }
    }

    /// Brings what the boot runs up to date with this program.
    public func refresh(holding lock: borrowing MachineLock) throws {
        try check(lock)
        try translated {
            guard HostFacts.isRoot else { throw PointError.notPermitted("change \(area.folder)") }
            if root == "/" { try StatePlace.moveConfiguration(to: state) }
            try BootIntegration.install(root: root, state: area.folder, atBoot: backend.returnsAtBoot)
        }
    }

    // MARK: Taking it back

    /// The plan of ending the protection.
    /// - Parameter keepingPoints: they stay where they are, and another set-up of the same tree has them again.
    public func planEnd(keepingPoints: Bool) throws -> EndPlan {
        EndPlan(points: try points(), keepsPoints: keepingPoints, tree: configuration.id)
    }

    /// Ends the protection of the tree, which stays as it is. So does the rest of the state: log, keys, configuration.
    public func endProtection(_ plan: EndPlan, holding lock: borrowing MachineLock) throws {
        let keepingPoints = plan.keepsPoints
        try changing(holding: lock, isEnd: true) { table in
            try plan.check(isStill: planEnd(keepingPoints: keepingPoints))
            try refuseOpenTrial()
            // Until it is at its end, nothing else is done with what may be gone by half.
            try area.write(StateArea.SetUpRecord(isEnd: true, keepsPoints: keepingPoints))
            if !keepingPoints {
                try remove(Set(table.points.map(\.id)), from: &table)
                try backend.leave()
            }
            // A crash from here on leaves it set up, and repeating this ends it.
            try BootIntegration.remove(root: root, state: state)
            try area.setRemoved(keepingPoints: keepingPoints)
            try area.removeSetUp()
        }
    }
}
