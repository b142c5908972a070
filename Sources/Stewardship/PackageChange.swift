// What a package manager's change means for this machine: a point before it, what the start runs after it, and what stays where the program goes.

internal import Boot
public import Machine
internal import Platform
public import Reporting
public import RestorePoints
internal import WriteFilter

public struct PackageChange: Sendable {
    private let places: Places
    private var filter: WriteFilter { WriteFilter(state: places.state) }
    /// What the start of the machine runs.
    private var copy: ProgramCopy { ProgramCopy(state: places.state) }

    public init(_ places: Places) { self.places = places }

    // MARK: Before

    /// What tells the run of the package manager that a point was made for.
    private static let run = "run"
    private static let prefix = "before-packages."

    /// Makes the point of the state before packages are changed.
    /// - Returns: nil where there is one for this run of the package manager, which may change packages in several steps.
    public func makePoint(
        user: String, progress: Progress, findings: Findings, hooks: Hooks
    ) throws -> ProtectedTree.Created? {
        let tree = try ProtectedTree.open(state: places.state, progress: progress, findings: findings)
        tree.hooks = hooks
        // Whoever changes packages has not asked for what goes on with it.
        if let pending = try ProtectedTree.pending(state: places.state) {
            throw StewardError.rollbackUnderWay(target: pending.target.name)
        }
        let lock = try tree.lock()
        let run = RunningProcess.caller
        let isThere = try tree.points().contains { $0.name.hasPrefix(Self.prefix) && $0.tags[Self.run] == run }
        if isThere { return nil }
        var request = PointRequest(name: try tree.freeName(Self.prefix + Timestamp.now().text))
        request.message = "before packages were changed"
        request.tags = [Self.run: run]
        if tree.root != "/" {
            findings.add(
                Finding(
                    .note, tree.root,
                    "it alone is protected: \(request.name ?? "") holds nothing that packages change elsewhere"))
        }
        return try tree.create(request, user: user, holding: lock)
    }

    // MARK: After

    public enum Refreshed: Sendable {
        /// Nothing of this machine's start runs Holdfast.
        case notSetUp
        case done
        /// Why not now, in a sentence; each start of the machine tries again.
        case waits(String)
    }

    /// Whether `refresh` is called at each start.
    public static var isAtEachStart: Bool { exists("/usr/lib/systemd/system/holdfast-refresh.service") }

    /// Brings what the start of the machine runs, and what runs jobs, up to date with this program.
    public func refresh(progress: Progress, findings: Findings) throws -> Refreshed {
        let isScheduled = Schedule(places).isEnabled
        guard Places.isSetUp(places.state) || isScheduled else { return .notSetUp }
        // What runs jobs is this program itself, which waits for nothing. Under a filter it is put there again at each start.
        try Schedule(places).refresh()
        guard Places.isSetUp(places.state) else { return .done }
        if FilterMounts.lower(of: "/") != nil {
            return .waits("/ is filtered: what is installed now is forgotten at the next start, unless it is committed")
        }
        let tree = try ProtectedTree.open(state: places.state, progress: progress, findings: findings)
        // The start carries it out with the program that has planned it.
        if let pending = try ProtectedTree.pending(state: places.state) {
            guard copy.isThere else { return .notSetUp }
            return .waits("the rollback to \(pending.target.name) comes first")
        }
        do {
            let lock = try tree.lock()
            try tree.refresh(holding: lock)
            try filter.refresh(holding: lock)
        } catch let error as PointError {
            guard case .locked = error else { throw error }
            return .waits(error.sentence)
        }
        return copy.isThere || isScheduled ? .done : .notSetUp
    }

    // MARK: Removal of the program

    /// Has nothing call the program any more that runs it by itself; where it comes back, so does that.
    public func endSchedule() throws { _ = try Schedule(places).removeUnits() }

    /// What stays where the program goes, in sentences.
    public func remains() -> [String] {
        var lines: [String] = []
        if Places.isSetUp(places.state) {
            lines.append("state and restore points stay in \(places.state)")
        }
        if Schedule(places).isEnabled {
            lines.append("the jobs of the configuration run no more; with the program they come back")
        }
        if copy.isThere {
            lines.append(
                "the start of the machine goes on running \(copy.script), a copy of this program; its `setup --remove` takes the protection back"
            )
        }
        // What cannot be told is no reason to keep the program.
        for plan in (try? filter.plans()) ?? [] where plan.isEnabled {
            lines.append(
                "\(plan.path) goes on being filtered: `\(copy.script) filter disable --path \(plan.path)` ends that"
            )
        }
        if let pending = try? ProtectedTree.pending(state: places.state) {
            lines.append(
                copy.isThere
                    ? "the rollback to \(pending.target.name) is carried out all the same"
                    : "the rollback to \(pending.target.name) is not at its end: `holdfast recover` goes on with it, before this program goes"
            )
        }
        return lines
    }
}
