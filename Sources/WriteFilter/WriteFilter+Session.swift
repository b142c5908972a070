// What is done within a session, at its start and about its writes: start, watch, commit, discard.

public import Machine
public import Platform
public import Reporting
internal import RestorePoints

extension WriteFilter {
    // MARK: The start of the machine

    /// Starts the filters of folders, and looks after what the initramfs did.
    /// - Returns: what is not as it was decided, in sentences.
    public func start(findings: Findings, holding lock: borrowing MachineLock) throws -> [String] {
        try changing(holding: lock) {
            var alarms: [String] = []
            let isService = try takeServiceToken()
            for place in try area.places() {
                // What is the matter with one stops no other.
                do { try start(place, isService: isService, findings) } catch {

                    // What the initramfs did about `/`, it has written down itself.
                    if place == "/" {
                        alarms.append("\(FilterError.wrapping(error))")
                    } else if FilterSession(path: place).unfinished == nil {
                        // `status` says it, too, until it is; what is under way it says anyway.
                        _ = try FilterMounts.makeBase(of: place)
                        try FilterSession.write(
                            [.alarm("\(place) is NOT protected: \(FilterError.wrapping(error))")], for: place)
                    }
                }
            }
            if FilterSession(path: "/").mode == .overlay { alarms += coverBoot() }
            return try alarms + status(consumers: 0).flatMap(\.alarms)
        }
    }

    private func start(_ place: BytePath, isService: Bool, _ findings: Findings) throws {
        guard let plan = try area.plan(of: place) else { return }
        if place == "/" {
            if plan.isEnabled { try noteMade(plan) }
            return
        }
        if try settle(place, findings) || FilterMounts.lower(of: place) != nil || FilterMounts.forgets(place) != nil {
            return
        }
        try StagedCommit.apply(
            journal, for: place, on: Descriptor.openWithoutLinks(place, .directory), findings: findings)
        if plan.isEnabled, !isService {
            try FolderOverlay.start(plan)
            try noteMade(plan)
        }
    }

    /// A service start is spent by whoever comes first: by the initramfs where `/` is filtered, else here.
    private func takeServiceToken() throws -> Bool {
        if FilterSession(path: "/").mode == .service { return true }
        guard exists(area.serviceToken) else { return false }
        // That of a `/` that is filtered is spent, or it could not be: then nothing runs without a filter. Nor where that cannot be told.
        do { if try area.plan(of: "/")?.isEnabled == true { return false } } catch { return false }
        try forgetService()
        return true
    }

    /// What is beside `/` and belongs to its kernel is filtered with it: a kernel that came without its modules would not start.
    private func coverBoot() -> [String] {
        ["/boot", "/boot/efi", "/efi"].map(BytePath.init(_:)).compactMap { place in
            guard let mount = try? Mount.at(place), !FilterMounts.isSession(mount),
                FilterMounts.lower(of: place) == nil
            else { return nil }
            do {
                // FAT has no names that an overlay could work with: it becomes read-only.
                if mount.type == "vfat" {
                    let covering = try Descriptor.open(place, .directory).cloneMount()
                    try covering.makeMountReadOnly()
                    try covering.attach(to: Descriptor.open(place, [.directory, .place]))
                } else {
                    try FolderOverlay.start(FilterPlan(path: place, size: 256 << 20))
                }
                return nil
            } catch { return "\(place) is NOT protected: \(FilterError.wrapping(error))" }
        }
    }

    // MARK: Fullness

    public enum Level: String, Sendable, Comparable {
        case normal, warning, critical

        private var rank: Int { self == .normal ? 0 : self == .warning ? 1 : 2 }
        public static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
    }

    /// Remembers how full the overlays are, and calls the hooks where a threshold was crossed.
    /// - Parameters:
    ///   - hooks: a folder of programs, each of which is told the level, the place, the bytes used and the limit.
    ///   - warn: is told of what could not be run.
    /// - Returns: the highest level.
    public func watch(hooks: BytePath, warn: (String) -> Void = { _ in }) throws -> Level {
        try translated {
            var highest = Level.normal
            for plan in try area.plans() {
                guard let now = Consumption.now(of: plan.path) else { continue }
                try Consumption.remember(plan.path)
                let level: Level =
                    now.percent >= plan.critical ? .critical : now.percent >= plan.warning ? .warning : .normal
                highest = max(highest, level)
                let file = FilterMounts.base(of: plan.path).appending("level")
                let last = (try? readRegular(file, limit: 64)).flatMap {
                    Level(rawValue: String(decoding: $0, as: UTF8.self))
                }
                if last ?? .normal == level { continue }
                try replaceFile(file, Array(level.rawValue.utf8), mode: 0o644)
                call(hooks, level, plan.path, now, warn)
            }
            return highest
        }
    }

    private func call(
        _ hooks: BytePath, _ level: Level, _ place: BytePath, _ now: Consumption, _ warn: (String) -> Void
    ) {
        guard let folder = try? Descriptor.open(hooks, .directory), let names = try? DirectoryListing(of: folder) else {
            return
        }
        for index in 0..<names.count {
            let program = hooks.appending(names[index])
            if let problem = ProgramOwner.problem(program) {
                warn("\(program) is not run: \(problem)")
                continue
            }
            // One that fails stops neither the others nor the machine.
            do throws(SystemError) {
                let result = try runProgram(
                    [
                        ProgramWord(program), ProgramWord(level.rawValue), ProgramWord(place), "\(now.used)",
                        "\(now.limit)",
                    ], isHook: true, limit: 60)
                if result.status != 0 { warn("\(program) ended with \(result.status): \(result.complaint)") }
            } catch { warn("\(program): \(error.reason)") }
        }
    }

    // MARK: What a session wrote

    public struct Committed: Sendable {
        /// Entries that were changed.
        public var changes: Int
        /// Whether the disk has them now; otherwise they are kept, and brought there at the next start.
        public var isApplied: Bool
        /// What uses it, for which that has to wait.
        public var users: [TreeUse] = []
        /// Whether something of before was brought to its end first.
        public var isContinued = false
    }

    /// Keeps what a session wrote, or deleted, at some paths. Durable on return.
    /// - Parameters:
    ///   - paths: in one filtered place; nil: everything in it.
    ///   - asked: the id of the plan that is meant; nil: what is there now.
    ///   - findings: gets what could not be kept, or not be brought to the disk.
    public func commit(
        _ paths: [BytePath]?, in place: BytePath, asked: String? = nil, progress: Progress, findings: Findings,
        holding lock: borrowing MachineLock
    ) throws -> Committed {
        try changing(holding: lock) {
            let isContinued = try settle(place, findings)
            let plan = try stage(paths, in: place, asked, progress, findings)
            if plan.found.isEmpty { return Committed(changes: 0, isApplied: true, isContinued: isContinued) }
            if place == "/" { return Committed(changes: plan.found.count, isApplied: false) }
            var committed = try bringBelow(plan.decided, plan.found.count, findings)
            committed.isContinued = isContinued
            return committed
        }
    }

    /// Its descriptors are gone on return: they would hold the overlay.
    private func stage(
        _ paths: [BytePath]?, in place: BytePath, _ asked: String?, _ progress: Progress, _ findings: Findings
    ) throws -> CommitPlan {
        let (plan, seen) = try plan(commit: paths, in: place, isShown: asked != nil)
        try plan.require(asked)
        if !plan.found.isEmpty {
            _ = try StagedCommit(journal: journal, place: place, progress: progress).stage(
                plan.found, of: seen, findings: findings)
        }
        return plan
    }

    private func bringBelow(_ plan: FilterPlan, _ count: Int, _ findings: Findings) throws -> Committed {
        do {
            try uncovering(plan, findings) { lower in
                try StagedCommit.apply(
                    journal, for: plan.path, on: Descriptor.open(lower, .directory), findings: findings)
            }
            return Committed(changes: count, isApplied: true)
        } catch FilterError.busy(_, let users) { return Committed(changes: count, isApplied: false, users: users) }
    }

    /// The lower folder of an overlay that is there is never changed: the overlay goes for a moment, and comes back with all that it
    /// held.
    /// - Throws: `FilterError.busy`, with everything as it was
    func uncovering(_ plan: FilterPlan, _ findings: Findings, _ bring: (_ lower: BytePath) throws -> Void) throws {
        let begun = try StagedCommit.begin(journal.commits(of: plan.path), in: journal)
        do {
            try FolderOverlay.pausing(plan) { try bring(FilterMounts.base(of: plan.path).appending("lower")) }
        } catch let error as FilterError {
            if case .busy = error { for mark in begun { try removeFile(mark) } }
            throw error
        }
        tellAlarms(of: plan.path, findings)
    }

    /// Forgets now what can be forgotten without a restart: the overlays of folders that nothing uses.
    /// - Returns: the places whose writes are forgotten, and those that forget them at the next start, with what uses them.
    public func discard(_ plan: ForgetPlan, findings: Findings, holding lock: borrowing MachineLock) throws -> (
        now: [BytePath], later: [(path: BytePath, users: [TreeUse])]
    ) {
        try changing(holding: lock) {
            try plan.check(isStill: planDiscard(plan.asked))
            var (now, later): ([BytePath], [(path: BytePath, users: [TreeUse])]) = ([], [])
            for place in plan.places {
                if place.path == "/" {
                    later.append(("/", []))
                    continue
                }
                do {
                    try renew(place.decided, findings)
                    now.append(place.path)
                } catch FilterError.busy(_, let users) { later.append((place.path, users)) }
            }
            return (now, later)
        }
    }
}
