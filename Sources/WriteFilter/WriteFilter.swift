// The write filter of a machine: what is decided for the next start, and what is done at once where that is possible.

internal import Boot
internal import Glibc
public import Machine
public import Platform
public import Reporting
public import RestorePoints

public struct WriteFilter {
    let state: BytePath
    let area: FilterArea
    var journal: Journal { Journal(state: state) }

    /// - Parameter state: the folder with the state of restore points.
    public init(state: BytePath) {
        self.state = state
        area = FilterArea(state: state)
    }

    // MARK: Looking

    public func plans() throws -> [FilterPlan] { try translated { try area.plans() } }

    /// The filtered place that is meant by these paths: the innermost that holds each. Without paths it is `/` where that has a filter, or the only
    /// place that has one.
    public func place(of paths: [BytePath]) throws -> BytePath {
        let places = try plans().map(\.path)
        if paths.isEmpty {
            if places.contains("/") || places.isEmpty { return "/" }
            if places.count > 1 { throw FilterError.whichPlace(places) }
            return places[0]
        }
        let meant = try paths.map { path in
            let around = places.filter { $0 == path || path.isBelow($0) }
            guard let inner = around.max(by: { $0.bytes.count < $1.bytes.count }) else {
                throw FilterError.notDecided(path: path)
            }
            return inner
        }
        if Set(meant).count > 1 { throw FilterError.whichPlace(Set(meant).sorted { $0.bytes.count < $1.bytes.count }) }
        return meant[0]
    }

    // MARK: Deciding

    public struct Request: Sendable {
        public var path: BytePath = "/"
        /// nil: memory, or what was decided before.
        public var overlay: FilterPlan.Overlay?
        /// nil: half of the memory, or what was decided before.
        public var size: UInt64?
        public var sets: [ExceptionSet] = []
        public var warning: UInt64?
        public var critical: UInt64?

        public init() {}
    }

    public struct Enabled: Sendable {
        public var plan: FilterPlan
        /// The point of the state that is protected from now on.
        public var point: RestorePoint?
        /// Whether it was not decided before.
        public var isNew = false
        /// Whether it is active now; otherwise from the next start on.
        public var isActive: Bool
        /// What uses it, for which it has to wait.
        public var users: [TreeUse] = []
    }

    /// Has a place filtered: `/` from the next start on, a folder at once where nothing uses it.
    /// - Throws: `FilterError`
    public func enable(
        _ request: Request, user: String, progress: Progress, findings: Findings, holding lock: borrowing MachineLock
    ) throws -> Enabled {
        try changing(holding: lock) {
            let place = request.path
            // While it is in use, what was cut short stays as it is.
            var isSettled = true
            do { try settle(place, findings) } catch FilterError.busy { isSettled = false }
            let before = try area.plan(of: place)
            var plan = before ?? FilterPlan(path: place, size: defaultSize)
            let isNew = !plan.isEnabled
            try check(place)
            plan.overlay = request.overlay ?? plan.overlay
            if plan.overlay == .disk { try checkClone(of: place) }
            plan.size = request.size ?? plan.size
            try check(size: plan.size)
            plan.warning = request.warning ?? plan.warning
            plan.critical = request.critical ?? plan.critical
            if !exists(area.planFile(of: place)), place == "/" {
                for path in ExceptionSet.standard where try isFolder(path) { try add(path, to: &plan) }
            }
            for set in request.sets { try add(set, to: &plan) }
            plan.small = smallOnes(of: plan)
            let session = FilterSession(path: place)
            var enabled = Enabled(plan: plan, isActive: session.mode == .overlay)
            enabled.isNew = isNew && session.mode != .overlay
            if place == "/" {
                if session.mode != .overlay {
                    try ProgramCopy(state: state).bringUpToDate()
                    try Initramfs.install(state: state, isDistrusted: !alarms(plan, session).isEmpty)
                    try Units.installFilter(state: state)
                }
            } else {
                try Units.installFilter(state: state)
            }
            if isNew, session.mode != .overlay {
                enabled.point = try tag(place, user, progress, findings, holding: lock)
            }
            // From here on it is decided.
            plan.isEnabled = true
            enabled.plan = plan
            if place == "/" || session.mode == .overlay || !isSettled {
                try decide(plan)
                if !isSettled { enabled.users = FolderOverlay.lastingUsers(of: place) }
                return enabled
            }
            do {
                try FilterSession.noting(.forgetting, of: place) {
                    try decide(plan)
                    try FolderOverlay.requireUnused(place)
                }
            } catch FilterError.busy(_, let users) {
                enabled.users = users
                return enabled
            }
            do { try FolderOverlay.start(plan) } catch {
                // What cannot be had now is not what every start tries from now on.
                try area.restore(before, of: place)
                // Where none was wanted before, nothing is under way either.
                if before?.isEnabled != true { try? FolderOverlay.stop(place) }
                throw error
            }
            try noteMade(plan)
            tellAlarms(of: place, findings)
            enabled.isActive = true
            return enabled
        }
    }

    private func decide(_ plan: FilterPlan) throws {
        try area.write(plan)
        try forgetService()
    }

    /// A point of the state that is protected from now on; nil where the protected tree does not hold it.
    private func tag(
        _ place: BytePath, _ user: String, _ progress: Progress, _ findings: Findings,
        holding lock: borrowing MachineLock
    ) throws -> RestorePoint? {
        let tree = try ProtectedTree.open(state: state, progress: progress, findings: findings)
        let here = try Descriptor.open(place, [.directory, .place]).status()
        let border = TreeBorder(try Descriptor.open(tree.root, [.directory, .place]).status())
        guard place == tree.root || place.isBelow(tree.root) && !border.isCrossed(by: here) else { return nil }
        var point = PointRequest(name: try tree.freeName("before-filter.\(Timestamp.now().text)"))
        point.message = "what the write filter of \(place) protects"
        return try tree.create(point, user: user, holding: lock).point
    }

    private func check(_ place: BytePath) throws {
        do throws(SystemError) {
            _ = try Descriptor.openWithoutLinks(place, .directory)
        } catch {
            switch error.code {
            case ENOTDIR: throw FilterError.badPlace(path: place, reason: "it is no folder", mend: nil)
            case ELOOP:
                let real = (try? Descriptor.open(place, [.directory, .place]).pathNow()).map { BytePath($0) }
                throw FilterError.badPlace(
                    path: place, reason: "a symbolic link leads to it, or it is one",
                    mend: real.map { "give the folder that it leads to, \($0)" })
            default: throw FilterError.badPlace(path: place, reason: error.reason, mend: nil)
            }
        }
        guard try OverlayLayer.isKnown() else { throw FilterError.noOverlay }
        if place == "/" { return }
        if place.bytes.count > FilterMounts.longestPath {
            throw FilterError.badPlace(
                path: place,
                reason: "its path has more than \(FilterMounts.longestPath) bytes, which an overlay does not take",
                mend: "filter a folder above it, or mount it at a shorter path and filter that")
        }
        if state == place || state.isBelow(place) {
            throw FilterError.badPlace(path: place, reason: "Holdfast's state is in it", mend: nil)
        }
        if FilterMounts.lower(of: place) == nil, FilterMounts.forgets(place) != nil {
            throw FilterError.badPlace(path: place, reason: "it is in what is filtered already", mend: nil)
        }
        for other in try area.plans() where other.path != "/" && other.isEnabled {
            if other.path.isBelow(place) || place.isBelow(other.path) {
                throw FilterError.badPlace(
                    path: place, reason: "\(other.path) is filtered by itself",
                    mend: "`holdfast filter disable --path \(other.path)` first")
            }
        }
    }

    /// Clones want a file system that makes them, and leave out what is mounted or nested inside.
    private func checkClone(of place: BytePath) throws {
        func refuse(_ reason: String, _ mend: String) -> FilterError {
            .badPlace(path: place, reason: reason, mend: mend)
        }
        let tree = try ProtectedTree.open(state: state, progress: Progress(), findings: Findings())
        guard place == "/", tree.root == "/", tree.backendKind != .tree else {
            throw refuse(
                "only / on btrfs or ZFS has its writes on the disk", "have them in memory: `--overlay memory`")
        }
        if let finding = try tree.coverage().first(where: { $0.code.hasPrefix("nested-") }) {
            throw refuse(finding.sentence, "have the writes in memory: `--overlay memory`")
        }
    }

    private var memory: UInt64 { UInt64(sysconf(Int32(_SC_PHYS_PAGES))) * UInt64(sysconf(Int32(_SC_PAGESIZE))) }
    private static let leastSize: UInt64 = 16 << 20
    private var defaultSize: UInt64 { ((memory / 2) >> 20) << 20 }

    private func check(size: UInt64) throws {
        if size < Self.leastSize { throw FilterError.tooSmall(size: size, least: Self.leastSize) }
        if size > memory / 10 * 8 { throw FilterError.tooLarge(size: size, memory: memory) }
    }

    private func isFolder(_ path: BytePath) throws -> Bool {
        guard let status = try? Descriptor.open(path, [.place, .noFollow]).status() else { return false }
        return try status.kind == .directory && Mount.at(path) == nil
    }

    /// Folders in which a login, a shutdown and most programs want to write something, however full the overlay is.
    private func smallOnes(of plan: FilterPlan) -> [FilterPlan.Small] {
        guard plan.path == "/", plan.overlay == .memory else { return [] }
        return [("/root", 16), ("/tmp", 64), ("/var/tmp", 64), ("/var/lib/systemd", 8)].compactMap { place, size in
            let path = BytePath(place)
            guard let status = try? Descriptor.open(path, [.place, .noFollow]).status(), status.kind == .directory,
                (try? Mount.at(path)) == nil || FilterMounts.lower(of: "/") != nil,
                !plan.exceptions.contains(where: { $0 == path || path.isBelow($0) || $0.isBelow(path) })
            else { return nil }
            return FilterPlan.Small(path: path, size: UInt64(size) << 20)
        }
    }

    /// Has a place writable again: `/` from the next start on, a folder at once where nothing uses it.
    /// - Returns: whether it is already, and what it has to wait for.
    public func disable(
        _ plan: ForgetPlan, findings: Findings, holding lock: borrowing MachineLock
    ) throws -> (isWritable: Bool, users: [TreeUse]) {
        try changing(holding: lock) {
            guard let place = plan.asked else { return (true, []) }
            try plan.check(isStill: planDisable(place))
            guard var decided = try area.plan(of: place) else { throw FilterError.notDecided(path: place) }
            decided.isEnabled = false
            try decide(decided)
            if place == "/" { return (FilterSession(path: "/").mode != .overlay, []) }
            do {
                try renew(decided, findings)
                return (true, [])
            } catch FilterError.busy(_, let users) { return (false, users) }
        }
    }

    /// Has the next start run without any filter, once.
    public func service(holding lock: borrowing MachineLock) throws {
        try changing(holding: lock) {
            guard try area.plans().contains(where: \.isEnabled) else { throw FilterError.notDecided(path: "/") }
            try replaceFile(area.serviceToken, Array("\(Timestamp.now().text)\n".utf8), mode: 0o644)
        }
    }

    /// Whoever decides anew does not mean a start that was wanted before.
    func forgetService() throws {
        guard exists(area.serviceToken) else { return }
        try removeFile(area.serviceToken)
        try synchronizeFolder(area.folder)
    }

    // MARK: Exceptions

    /// Adds folders whose writes stay, from the next start of the filter on.
    public func addExceptions(
        _ paths: [BytePath], _ set: ExceptionSet?, to place: BytePath, holding lock: borrowing MachineLock
    ) throws -> FilterPlan {
        try changing(holding: lock) {
            guard var plan = try area.plan(of: place) else { throw FilterError.notDecided(path: place) }
            for path in paths { try add(path, to: &plan) }
            if let set { try add(set, to: &plan) }
            plan.small = smallOnes(of: plan)
            try area.write(plan)
            return plan
        }
    }

    private func add(_ path: BytePath, to plan: inout FilterPlan) throws {
        let isThere = try ExceptionRule.check(path, in: plan.path, state: state)
        if plan.exceptions.contains(where: { $0 == path || path.isBelow($0) }) { return }
        plan.exceptions.removeAll { $0.isBelow(path) }
        plan.toMake = plan.toMake.filter { !$0.isBelow(path) }
        plan.exceptions.append(path)
        // In a session of the filter, what matters is whether the disk has it.
        let onDisk =
            FilterMounts.lower(of: plan.path).map { exists($0.appending(plan.path.remainder(of: path))) } ?? isThere
        if !onDisk { plan.toMake.insert(path) }
    }

    private func add(_ set: ExceptionSet, to plan: inout FilterPlan) throws {
        let place = plan.path
        for path in set.folders where (place == "/" || path.isBelow(place)) && exists(path) {
            guard try isFolder(path) || FilterMounts.lower(of: place) != nil else { continue }
            try add(path, to: &plan)
        }
    }

    /// Takes exceptions out; their content stays where it is, and is protected from the next start of the filter on.
    public func removeExceptions(
        _ paths: [BytePath], from place: BytePath, holding lock: borrowing MachineLock
    ) throws -> FilterPlan {
        try changing(holding: lock) {
            guard var plan = try area.plan(of: place) else { throw FilterError.notDecided(path: place) }
            for path in paths {
                guard plan.exceptions.contains(path) else { throw FilterError.unknownException(path: path) }
                plan.exceptions.removeAll { $0 == path }
                plan.toMake.remove(path)
            }
            plan.small = smallOnes(of: plan)
            try area.write(plan)
            return plan
        }
    }

    // MARK: One at a time

    /// The lock that what changes the filter is handed, the same as for restore points: a commit and a switch exclude each other.
    /// - Throws: `FilterError.locked` where another command has it, and stays at it.
    public func lock() throws -> MachineLock {
        guard HostFacts.isRoot else { throw FilterError.notPermitted("change the write filter") }
        guard (try? ProtectedTree.facts(state: state)) != nil else { throw FilterError.notSetUp(state: state) }
        do { return try MachineLock(state) } catch is MachineLocked { throw FilterError.locked } catch {
            throw FilterError.wrapping(error)
        }
    }

    func changing<Result>(holding lock: borrowing MachineLock, _ body: () throws -> Result) throws -> Result {
        // A lock of another state holds nobody off.
        guard lock.state == state else { throw FilterError.locked }
        return try translated(body)
    }

    func translated<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch { throw FilterError.wrapping(error) }
    }
}
