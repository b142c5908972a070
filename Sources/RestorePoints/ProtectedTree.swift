// A protected tree and its points: setting up, looking, creating, destroying.

internal import Boot
internal import Images
public import Machine
public import Platform
public import Reporting

/// What the commands of restore points work on.
public final class ProtectedTree {
    let area: StateArea
    let configuration: StateArea.Configuration
    let backend: any Backend
    let progress: Progress
    let findings: Findings
    /// What goes with `/` and is not in it.
    let boot: BootFolders
    /// What stands around the making of points and snapshots.
    public var hooks = Hooks()

    public var root: BytePath { configuration.rootPath }
    let ground: Ground
    /// Where the tree itself is: below a write filter, where one covers it.
    var place: BytePath { ground.place(of: root) }
    /// The folder with what Holdfast knows about it.
    public var state: BytePath { area.folder }
    public var backendKind: BackendKind { configuration.backend }
    /// Whether a rollback is done at the next boot, before anything uses the tree.
    public var isSwitchedAtBoot: Bool { backend.appliesAtBoot }

    init(
        area: StateArea, configuration: StateArea.Configuration, backend: any Backend, progress: Progress,
        findings: Findings, boot: BootFolders, ground: Ground
    ) {
        self.ground = ground
        self.findings = findings
        self.boot = boot
        self.area = area
        self.configuration = configuration
        self.backend = backend
        self.progress = progress
    }

    // MARK: Opening

    /// Opens the tree whose state is in a folder.
    /// - Parameter ground: where on the disk it is.
    public static func open(
        state: BytePath, ground: Ground = .running, progress: Progress, findings: Findings
    ) throws -> ProtectedTree {
        do {
            let area = StateArea(folder: state)
            let configuration = try area.readConfiguration()
            let root = configuration.rootPath
            // Between the two names of a rollback on ZFS nothing is mounted there; what finishes it knows the datasets by their GUIDs.
            let isBetween = try configuration.backend == .zfs && area.readSwitch() != nil
            if configuration.home != nil, !isBetween { _ = try configuration.open(at: ground.place(of: root)) }
            return ProtectedTree(
                area: area, configuration: configuration,
                backend: try makeBackend(
                    configuration, ground: ground, state: state, progress: progress, findings: findings),
                progress: progress, findings: findings,
                boot: BootFolders(
                    configuration.boot, ground: ground, state: state, progress: progress, findings: findings),
                ground: ground)
        } catch { throw PointError.wrapping(error) }
    }

    static func makeBackend(
        _ configuration: StateArea.Configuration, ground: Ground, state: BytePath, progress: Progress,
        findings: Findings
    ) throws -> any Backend {
        let root = configuration.rootPath
        let place = ground.place(of: root)
        switch configuration.backend {
        case .btrfs:
            let live = configuration.facts["live"].map { BytePath(decodeHexadecimal($0) ?? []) }
            return try BtrfsBackend(
                root: root, place: place, tree: configuration.id, live: live, state: state, findings: findings)
        case .tree:
            return TreeBackend(
                root: root, place: place, isAtRest: ground.isAtRest, state: state, progress: progress,
                findings: findings
            ) {
                try configuration.open(at: place)
            }
        case .zfs:
            return try ZFSBackend(
                root: root, place: place, tree: configuration.id, facts: configuration.facts, state: state,
                findings: findings)
        }
    }

    // MARK: Looking

    /// What covers the tree, and what does not.
    public func coverage() throws -> [Preflight] {
        try translated { try backend.coverage() }
    }

    /// What is protected, and by what. Needs no privilege where the state can be read.
    public static func facts(state: BytePath) throws -> (root: BytePath, backend: BackendKind) {
        do {
            let configuration = try StateArea(folder: state).readConfiguration()
            return (configuration.rootPath, configuration.backend)
        } catch { throw PointError.wrapping(error) }
    }

    /// All points in the order of their making. Needs no privilege where the state can be read.
    public static func points(state: BytePath) throws -> [RestorePoint] {
        do { return try StateArea(folder: state).readTable().points } catch { throw PointError.wrapping(error) }
    }

    /// The point in whose state the live tree was last, by its id: what was changed since was changed from there.
    public static func base(state: BytePath) throws -> String? {
        do { return try StateArea(folder: state).readTable().base } catch { throw PointError.wrapping(error) }
    }

    public func points() throws -> [RestorePoint] { try translated { try area.readTable().points } }

    /// For each point, by its id, the bytes that would be free again if it alone were destroyed, as far as that can be told.
    public func space() throws -> [String: UInt64] {
        try translated {
            let points = try area.readTable().points
            let bytes = try backend.space(of: points.map(\.handle))
            return Dictionary(points.compactMap { point in bytes[point.handle].map { (point.id, $0) } }) { first, _ in
                first
            }
        }
    }

    /// The point of that name.
    public func point(named name: String) throws -> RestorePoint {
        try Self.point(named: name, in: points())
    }

    /// The same point, and not another one of its name.
    static func point(_ point: RestorePoint, in points: [RestorePoint]) throws(PointError) -> RestorePoint {
        if let known = points.first(where: { $0.id == point.id }) { return known }
        throw .unknownPoint(name: point.name, near: nil)
    }

    private static func point(named name: String, in points: [RestorePoint]) throws(PointError) -> RestorePoint {
        if let point = points.first(where: { $0.name == name }) { return point }
        throw .unknownPoint(name: name, near: Self.name(near: name, among: points))
    }

    /// The points that have something at a path, which is absolute and in the tree.
    public func points(holding path: BytePath) throws -> [RestorePoint] {
        let place = BytePath(Array(root.remainder(of: path)))
        return try translated {
            try area.readTable().points.filter { point in
                try backend.listing(of: point.handle).entries.contains { $0.path == place }
            }
        }
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

    /// What of the live tree is not as in a point: each file is read, and another time alone is none. Paths are absolute.
    public func deviations(from point: RestorePoint) throws -> [Difference] {
        try translated {
            try Difference.between(
                backend.listing(of: point.handle), backend.listing(of: nil),
                Difference.Comparison(content: true, ignoresTimes: true, isLive: true, tellsUncompared: true), progress
            ).map {
                Difference(
                    kind: $0.kind, path: $0.path.bytes.isEmpty ? root : root.appending($0.path.bytes), source: root)
            }
        }
    }

    // MARK: Changing points

    public struct Created: Sendable {
        public var point: RestorePoint
        /// Entries that are not in it, or not as they should be; each was named.
        public var findings: UInt64
        /// What ought to be known of it.
        public var preflight: [Preflight]
    }

    /// Tags the state of now.
    public func create(
        _ request: PointRequest, user: String, holding lock: borrowing MachineLock
    ) throws -> Created {
        try changing(holding: lock) { table in
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
            let preflight =
                try Preflight.common(place) + Preflight.packages(in: place, isRefusal: false)
                + backend.preflightCreate() + (place == root ? [] : [Preflight.filtered(root)])
            let refusals = preflight.filter(\.isRefusal)
            if !refusals.isEmpty { throw PointError.refused(refusals) }
            // A crash from here to the table leaves what the next command takes away.
            try area.write(StateArea.Unfinished(made: [point.id]))
            let findings: UInt64
            do {
                point.boot = try boot.keep(table.points, name: point.id)
                (point.handle, findings) = try hooks.around("create", root, progress, self.findings) {
                    try backend.create(point.id)
                }
                table.points.append(point)
                table.base = point.id
                // The commit point.
                try area.write(&table)
            } catch {
                // What was made is taken away now or by the next command; why it failed is what counts.
                try? finishUnfinished()
                throw error
            }
            try area.removeUnfinished()
            return Created(point: point, findings: findings, preflight: preflight)
        }
    }

    /// The plan of deleting points.
    /// - Parameter factory: whether factory points may go.
    public func planDestroy(_ names: [String], factory: Bool) throws -> DestroyPlan {
        try translated { try planDestroy(names, factory: factory, area.readTable()) }
    }

    private func planDestroy(_ names: [String], factory: Bool, _ table: StateArea.Table) throws -> DestroyPlan {
        let trial = try area.readTrial().flatMap { $0.isOpen ? $0 : nil }
        let points = try names.map { name in
            let point = try Self.point(named: name, in: table.points)
            if let trial, trial.returnID == point.id {
                throw PointError.trialNeeds(name: name, subject: trial.subject)
            }
            if let trial, trial.targetID == point.id { throw PointError.isOnTrial(name: name) }
            if point.isPinned { throw PointError.isPinned(name: name) }
            if point.isFactory && !factory { throw PointError.isFactory(name: name) }
            return point
        }
        return DestroyPlan(
            points: points, endsUndo: points.contains { $0.id == table.undo }, factory: factory, tree: configuration.id)
    }

    /// Deletes points; the live tree stays as it is.
    public func destroy(_ plan: DestroyPlan, holding lock: borrowing MachineLock) throws {
        try changing(holding: lock) { table in
            try plan.check(
                isStill: { try planDestroy(plan.points.map(\.name), factory: plan.factory, table) },
                unless: PointError.self)
            try remove(Set(plan.points.map(\.id)), from: &table)
        }
    }

    /// Whether these points are what an interrupted deletion was about, which the next command takes away.
    public func wereBeingDestroyed(_ names: [String]) throws -> Bool {
        try translated {
            let gone = try area.readUnfinished().names ?? []
            let known = try area.readTable().points.map(\.name)
            return names.allSatisfy { gone.contains($0) && !known.contains($0) }
        }
    }

    /// First from the table, then from the disk: a crash between leaves what the next command takes away.
    func remove(_ ids: Set<String>, from table: inout StateArea.Table) throws {
        let gone = table.points.filter { ids.contains($0.id) }
        if gone.isEmpty { return }
        table.points.removeAll { ids.contains($0.id) }
        if let undo = table.undo, ids.contains(undo) { table.undo = nil }
        if let base = table.base, ids.contains(base) { table.base = nil }
        // What an earlier one named is still to go.
        var unfinished = try area.readUnfinished()
        unfinished.left?.removeAll { ids.contains($0) }
        unfinished.destroyed += gone.map(\.handle)
        unfinished.names = (unfinished.names ?? []) + gone.map(\.name)
        unfinished.boot += gone.flatMap { $0.boot ?? [] }
        try area.write(unfinished)
        try area.write(&table)
        try finishUnfinished()
    }

    /// Takes away what was being made or destroyed and is in no table.
    func finishUnfinished() throws {
        let unfinished = try area.readUnfinished()
        let points = try area.readTable().points
        for id in unfinished.made where !points.contains(where: { $0.id == id }) {
            try backend.discard(id)
            try boot.discard(id)
        }
        // The state itself would be a point by now.
        for id in unfinished.left ?? [] where !points.contains(where: { $0.id == id }) { try boot.discard(id) }
        for handle in unfinished.destroyed where !points.contains(where: { $0.handle == handle }) {
            try backend.destroy(handle)
        }
        try boot.destroy(unfinished.boot, keeping: points)
        try backend.tidy()
        try area.removeUnfinished()
    }

    /// A pinned point is not destroyed.
    public func setPinned(_ isPinned: Bool, _ name: String, holding lock: borrowing MachineLock) throws {
        try changing(holding: lock) { table in
            let point = try Self.point(named: name, in: table.points)
            for index in table.points.indices where table.points[index].id == point.id {
                table.points[index].isPinned = isPinned
            }
            try area.write(&table)
        }
    }

    /// Does one change at a time, after whatever an earlier one left undone.
    /// - Parameter isEnd: protection is taken back.
    func changing<Result>(
        holding lock: borrowing MachineLock, isEnd: Bool = false, _ body: (inout StateArea.Table) throws -> Result
    ) throws -> Result {
        try check(lock)
        return try translated {
            if let record = try area.readSetUp() {
                if record.isEnd, !isEnd { throw PointError.endsProtection(root: root, keepsPoints: record.keepsPoints) }
                // It was at its end, but for this.
                if !record.isEnd { try area.removeSetUp() }
            }
            var table = try area.readTable()
            switch try recover(&table) {
            case .nothing, .tidied: break
            case .cleared(let target):
                note("a rollback to \(target.name) was interrupted before it began; nothing has changed by it")
            case .finished(let switched):
                if switched.isPending { throw PointError.pending(target: switched.target.name) }
                note("finished the \(switched.verb) to \(switched.target.name), which was interrupted")
            }
            if area.hasUnfinished { try finishUnfinished() }
            _ = try settledTrial(&table)
            bringProgramCopyUpToDate()
            return try body(&table)
        }
    }

    func note(_ sentence: String) { findings.add(Finding(.note, subject: "\(root)", sentence)) }

    /// What the start of the machine runs goes with the program. An older one reads this state, too, so that failing at it stops nothing; and a session
    /// of the write filter may have a program that the disk does not.
    private func bringProgramCopyUpToDate() {
        let copy = ProgramCopy(state: state)
        guard copy.isThere, FilterMounts.lower(of: "/") == nil else { return }
        do { try copy.bringUpToDate() } catch {
            findings.add(
                Finding(
                    .note, subject: "what the boot runs",
                    "it could not be brought up to date with this program: \(explained(error).sentence)"))
        }
    }

    /// The lock that what changes this tree is handed.
    /// - Throws: `PointError.locked` where another command has it, and stays at it.
    public func lock() throws -> MachineLock {
        guard HostFacts.isRoot else { throw PointError.notPermitted("change the points of \(root)") }
        do { return try MachineLock(state) } catch is MachineLocked { throw PointError.locked } catch {
            throw PointError.wrapping(error)
        }
    }

    /// A lock of another state holds nobody off.
    func check(_ lock: borrowing MachineLock) throws {
        guard lock.state == state else { throw PointError.library("the lock of \(lock.state) is not that of \(state)") }
    }

    func translated<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch { throw PointError.wrapping(error) }
    }
}
