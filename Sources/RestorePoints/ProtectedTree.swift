// A protected tree: its points, and every command that changes them. One mechanism, the journalled switch, serves rollback,
// undo and factory reset.

public import Images
public import Platform

/// What the commands of restore points work on.
public final class ProtectedTree {
    let area: StateArea
    let configuration: StateArea.Configuration
    let backend: any Backend
    let progress: Progress

    public var root: BytePath { BytePath(BtrfsBackend.bytes(configuration.rootBytes)) }
    public var backendKind: BackendKind { configuration.backend }

    init(area: StateArea, configuration: StateArea.Configuration, backend: any Backend, progress: Progress) {
        self.area = area
        self.configuration = configuration
        self.backend = backend
        self.progress = progress
    }

    // MARK: Setting up

    /// Protects a tree.
    /// - Parameters:
    ///   - kind: nil: btrfs where `root` is a subvolume, else a plain tree.
    ///   - state: a folder for what Holdfast knows; it must not be rolled back with the tree.
    /// - Throws: `PointError`
    public static func setUp(
        root: BytePath, state: BytePath, kind: BackendKind?, progress: Progress, findings: Findings
    ) throws -> ProtectedTree {
        do {
            let area = StateArea(folder: state)
            guard HostFacts.isRoot else { throw PointError.notPermitted("protect \(root)") }
            if area.isSetUp {
                throw PointError.alreadySetUp(
                    state: state, root: try open(state: state, progress: progress, findings: findings).root)
            }
            let folder = try Descriptor.open(root, .directory)
            let kind = kind ?? (folder.isSubvolume ? .btrfs : .tree)
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
            var configuration = StateArea.Configuration(
                id: try randomIdentifier(), root: root.description, rootBytes: hexadecimal(root.bytes), backend: kind)
            let backend = try makeBackend(configuration, state: state, progress: progress, findings: findings)
            if let btrfs = backend as? BtrfsBackend { configuration.facts = btrfs.facts }
            let tree = ProtectedTree(area: area, configuration: configuration, backend: backend, progress: progress)
            var table = StateArea.Table()
            try area.write(&table)
            // From here on it is set up.
            try area.write(configuration)
            return tree
        } catch { throw PointError.wrapping(error) }
    }

    /// Opens the tree whose state is in a folder.
    public static func open(state: BytePath, progress: Progress, findings: Findings) throws -> ProtectedTree {
        do {
            let area = StateArea(folder: state)
            let configuration = try area.readConfiguration()
            return ProtectedTree(
                area: area, configuration: configuration,
                backend: try makeBackend(configuration, state: state, progress: progress, findings: findings),
                progress: progress)
        } catch { throw PointError.wrapping(error) }
    }

    private static func makeBackend(
        _ configuration: StateArea.Configuration, state: BytePath, progress: Progress, findings: Findings
    ) throws -> any Backend {
        let root = BytePath(BtrfsBackend.bytes(configuration.rootBytes))
        switch configuration.backend {
        case .btrfs:
            let live = configuration.facts["live"].map { BytePath(BtrfsBackend.bytes($0)) }
            return try BtrfsBackend(root: root, tree: configuration.id, live: live, own: [state])
        case .tree: return TreeBackend(root: root, state: state, progress: progress, findings: findings)
        case .zfs: throw PointError.noBackend(root: root, reason: "this version has no ZFS backend yet")
        }
    }

    // MARK: Looking

    /// What covers the tree, and what does not.
    public func coverage() throws -> [Preflight] { try translated { try backend.coverage() } }

    /// What is protected, and by what. Needs no privilege where the state can be read.
    public static func facts(state: BytePath) throws -> (root: BytePath, backend: BackendKind) {
        do {
            let configuration = try StateArea(folder: state).readConfiguration()
            return (BytePath(BtrfsBackend.bytes(configuration.rootBytes)), configuration.backend)
        } catch { throw PointError.wrapping(error) }
    }

    /// All points in the order of their making. Needs no privilege where the state can be read.
    public static func points(state: BytePath) throws -> [RestorePoint] {
        do { return try StateArea(folder: state).readTable().points } catch { throw PointError.wrapping(error) }
    }

    public func points() throws -> [RestorePoint] { try translated { try area.readTable().points } }

    /// A switch that is prepared and not in use yet, or that was interrupted.
    public struct Pending: Sendable {
        public var target: RestorePoint
        /// Whether the next boot, or the next mount, will show the new state; otherwise it was interrupted.
        public var isWaiting: Bool
    }

    public static func pending(state: BytePath) throws -> Pending? {
        do {
            guard let journal = try StateArea(folder: state).readJournal() else { return nil }
            return Pending(target: journal.target, isWaiting: journal.stage == .pending)
        } catch { throw PointError.wrapping(error) }
    }

    /// The point of that name.
    public func point(named name: String) throws -> RestorePoint {
        guard let point = try points().first(where: { $0.name == name }) else {
            throw PointError.unknownPoint(name: name)
        }
        return point
    }

    /// What differs between two states; nil is the live tree.
    public func diff(
        from old: RestorePoint?, to new: RestorePoint?, content: Bool
    ) throws -> [Difference] {
        try translated {
            try Difference.between(
                backend.listing(of: old?.handle), backend.listing(of: new?.handle), content: content, progress: progress
            )
        }
    }

    // MARK: Changing points

    public struct Created: Sendable {
        public var point: RestorePoint
        /// Entries that are not in it, or not as they should be; each was named.
        public var findings: UInt64
    }

    /// Tags the state of now.
    public func create(_ request: PointRequest, user: String) throws -> Created {
        try changing { table in
            let time = Timestamp.now().seconds
            let name = request.name ?? Self.freeName(Self.timeName(time), in: table)
            if let reason = RestorePoint.problem(withName: name) {
                throw PointError.badName(name: name, reason: reason)
            }
            if table.points.contains(where: { $0.name == name }) { throw PointError.nameTaken(name: name) }
            var point = RestorePoint(
                id: try Self.randomIdentifier(), name: name, time: time, user: user, host: HostFacts.hostName,
                message: request.message, tags: request.tags, origin: .requested, isFactory: request.isFactory,
                isPinned: false, handle: "", kernel: HostFacts.kernelRelease)
            let (handle, findings) = try backend.create(point.id)
            point.handle = handle
            table.points.append(point)
            // The table is the commit point: what it does not name is cleared by the next command.
            try area.write(&table)
            return Created(point: point, findings: findings)
        }
    }

    /// Deletes points; the live tree stays as it is.
    /// - Parameter factory: whether factory points may go.
    public func destroy(_ names: [String], factory: Bool) throws {
        try changing { table in
            let points = try names.map { name in
                guard let point = table.points.first(where: { $0.name == name }) else {
                    throw PointError.unknownPoint(name: name)
                }
                if point.isPinned { throw PointError.isPinned(name: name) }
                if point.isFactory && !factory { throw PointError.isFactory(name: name) }
                return point
            }
            try remove(Set(points.map(\.id)), from: &table)
        }
    }

    /// First from the table, then from the disk: a crash between leaves what the next command clears.
    private func remove(_ ids: Set<String>, from table: inout StateArea.Table) throws {
        let gone = table.points.filter { ids.contains($0.id) }
        if gone.isEmpty { return }
        table.points.removeAll { ids.contains($0.id) }
        if let undo = table.undo, ids.contains(undo) { table.undo = nil }
        try area.write(&table)
        for point in gone { try backend.destroy(point.handle) }
        if backendKind == .tree { try backend.clear(keeping: Set(table.points.map(\.handle)), isThorough: true) }
    }

    /// A pinned point is not destroyed.
    public func setPinned(_ isPinned: Bool, _ name: String) throws {
        try changing { table in
            guard let index = table.points.firstIndex(where: { $0.name == name }) else {
                throw PointError.unknownPoint(name: name)
            }
            table.points[index].isPinned = isPinned
            try area.write(&table)
        }
    }

    // MARK: Planning

    /// The plan of a rollback to a point.
    public func planRollback(to target: RestorePoint, discardNewer: Bool) throws -> Plan {
        try translated {
            let table = try area.readTable()
            let newer = table.points.drop { $0.id != target.id }.dropFirst()
            return try plan(
                "rollback", target, table, discards: discardNewer ? newer.filter { !$0.isPinned && !$0.isFactory } : [])
        }
    }

    /// The plan of the way back from the last rollback.
    public func planUndo() throws -> Plan {
        try translated {
            let table = try area.readTable()
            if let journal = try area.readJournal(), journal.stage == .pending {
                return try plan("cancel", journal.target, table, discards: [])
            }
            guard let target = table.points.first(where: { $0.id == table.undo }) else {
                throw PointError.nothingToUndo
            }
            return try plan("undo", target, table, discards: [])
        }
    }

    /// The plan of a factory reset.
    /// - Parameters:
    ///   - name: nil: the newest factory point.
    ///   - forTransfer: discards every other point.
    public func planFactoryReset(to name: String?, forTransfer: Bool) throws -> Plan {
        try translated {
            let table = try area.readTable()
            let target =
                try name.map(point) ?? table.points.last { $0.isFactory } ?? { throw PointError.noFactoryPoint }()
            return try plan(
                "factory-reset", target, table, discards: forTransfer ? table.points.filter { !$0.isFactory } : [],
                keepsBefore: !forTransfer)
        }
    }

    private func plan(
        _ verb: String, _ target: RestorePoint, _ table: StateArea.Table, discards: some Collection<RestorePoint>,
        keepsBefore: Bool = true
    ) throws -> Plan {
        Plan(
            verb: verb, target: target, discards: Array(discards), keepsBefore: keepsBefore,
            findings: verb == "cancel" ? [] : try backend.preflightRollback(), revision: table.revision,
            tree: configuration.id)
    }

    // MARK: Switching

    /// What came of a switch.
    public struct Switched: Sendable {
        public var target: RestorePoint
        /// The state that was left, as a point; nil where the plan was to keep none, and until a pending switch is in use.
        public var before: RestorePoint?
        public var isPending: Bool
        /// Entries that could not be brought into the target's state; each was named.
        public var findings: UInt64
    }

    /// Carries out a plan, if it still fits.
    public func carryOut(_ plan: Plan, user: String) throws -> Switched {
        if plan.verb == "cancel" { return try cancel(plan) }
        let refusals = plan.findings.filter(\.isRefusal)
        if !refusals.isEmpty { throw PointError.refused(refusals) }
        return try changing { table in
            guard table.revision == plan.revision, table.points.contains(plan.target) else {
                throw PointError.stalePlan(id: plan.id)
            }
            let time = Timestamp.now().seconds
            let before = RestorePoint(
                id: try Self.randomIdentifier(),
                name: Self.freeName(
                    "before-rollback.\(Self.timeName(time))", in: table),
                time: time, user: user, host: HostFacts.hostName,
                message: "what \(plan.verb) to \(plan.target.name) left",
                tags: [:], origin: .beforeRollback, isFactory: false, isPinned: false, handle: "",
                kernel: HostFacts.kernelRelease)
            var discards = plan.discards.map(\.id)
            if !plan.keepsBefore { discards.append(before.id) }
            var journal = StateArea.Journal(
                stage: .preparing, verb: plan.verb, target: plan.target, before: before, discards: discards,
                change: nil,
                boot: currentBoot())
            // A crash from here to `committing` leaves the old state, and things that nobody knows, which the next call clears.
            try area.write(journal)
            do {
                journal.change = try backend.prepare(target: plan.target.handle, before: before.id)
            } catch {
                try? backend.clear(keeping: Set(table.points.map(\.handle)), isThorough: true)
                try area.removeJournal()
                throw error
            }
            journal.stage = .committing
            // From here on the target is to be the live state; whoever finds this goes on.
            try area.write(journal)
            return try goOn(&journal, &table)
        }
    }

    /// Takes a switch from `committing` to its end, or to the point where it waits for the next boot.
    private func goOn(_ journal: inout StateArea.Journal, _ table: inout StateArea.Table) throws -> Switched {
        guard let change = journal.change else {
            throw PointError.damagedState(file: area.folder, reason: "the journal says nothing of the change")
        }
        if journal.stage == .committing {
            journal.findings = try backend.commit(change).findings
            journal.stage = .pending
            try area.write(journal)
        }
        guard try backend.isEffective(change) else {
            return Switched(target: journal.target, before: nil, isPending: true, findings: journal.findings)
        }
        var before = journal.before
        before.handle = try backend.finish(change)
        // Repeated after a crash: the table may have it already.
        if !table.points.contains(where: { $0.id == before.id }) {
            table.points.append(before)
            table.undo = before.id
            try area.write(&table)
        }
        try remove(Set(journal.discards), from: &table)
        try area.removeJournal()
        return Switched(
            target: journal.target, before: journal.discards.contains(before.id) ? nil : before, isPending: false,
            findings: journal.findings)
    }

    private func cancel(_ plan: Plan) throws -> Switched {
        try translated {
            let lock = try area.lock()
            defer { withExtendedLifetime(lock) {} }
            guard let journal = try area.readJournal(), journal.stage == .pending, let change = journal.change,
                try !backend.isEffective(change)
            else { throw PointError.stalePlan(id: plan.id) }
            try backend.abandon(change)
            try area.removeJournal()
            return Switched(target: journal.target, before: nil, isPending: false, findings: 0)
        }
    }

    // MARK: Recovering

    /// What `recover` found and did.
    public enum Recovery: Sendable {
        case nothing
        /// An interrupted switch was taken back: it had not touched the live tree.
        case cleared(target: RestorePoint)
        case finished(Switched)
    }

    /// Finishes or clears what was under way. Every changing command begins with it, and so does the boot.
    @discardableResult
    public func recover() throws -> Recovery {
        try translated {
            let lock = try area.lock()
            defer { withExtendedLifetime(lock) {} }
            var table = try area.readTable()
            return try recover(&table)
        }
    }

    private func recover(_ table: inout StateArea.Table) throws -> Recovery {
        guard var journal = try area.readJournal() else { return .nothing }
        switch journal.stage {
        case .preparing:
            try backend.clear(keeping: Set(table.points.map(\.handle)), isThorough: true)
            if let change = journal.change { try backend.abandon(change) }
            try area.removeJournal()
            return .cleared(target: journal.target)
        case .committing:
            journal.change?.facts["attempted"] = "yes"
            return .finished(try goOn(&journal, &table))
        case .pending: return .finished(try goOn(&journal, &table))
        }
    }

    /// Does one change at a time, after whatever an earlier one left undone.
    private func changing<Result>(_ body: (inout StateArea.Table) throws -> Result) throws -> Result {
        try translated {
            guard HostFacts.isRoot else { throw PointError.notPermitted("change the points of \(root)") }
            let lock = try area.lock()
            defer { withExtendedLifetime(lock) {} }
            var table = try area.readTable()
            if case .finished(let switched) = try recover(&table), switched.isPending {
                throw PointError.pending(target: switched.target.name)
            }
            // What a crash left of a point that was not recorded yet.
            try backend.clear(keeping: Set(table.points.map(\.handle)), isThorough: false)
            return try body(&table)
        }
    }

    private func translated<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch { throw PointError.wrapping(error) }
    }
}
