// What there is to know of a protected tree from its state alone: it needs no privilege, and opens no backend.

internal import Machine
public import Platform

extension ProtectedTree {
    /// A switch that is prepared and not in use yet, or that was interrupted.
    public struct Pending: Sendable {
        public var target: RestorePoint
        /// Whether the next boot, or the next mount, will show the new state; otherwise it was interrupted.
        public var isWaiting: Bool
        /// Whether the machine has booted since, and still runs in the old state.
        public var isMissed: Bool
    }

    public static func pending(state: BytePath) throws -> Pending? {
        do {
            guard let journal = try StateArea(folder: state).readSwitch() else { return nil }
            return Pending(
                target: journal.target, isWaiting: journal.waits,
                isMissed: journal.waits && journal.boot != HostFacts.bootIdentifier)
        } catch { throw PointError.wrapping(error) }
    }

    /// The end of a protection that is not at its end.
    public static func interruptedEnd(state: BytePath) throws -> PointError? {
        do {
            let area = StateArea(folder: state)
            guard let record = try area.readSetUp(), record.isEnd else { return nil }
            return .endsProtection(root: try area.readConfiguration().rootPath, keepsPoints: record.keepsPoints)
        } catch { throw PointError.wrapping(error) }
    }

    /// Whether nothing is left, or being made or destroyed, that is in no table.
    public static func isTidy(state: BytePath) throws -> Bool {
        do { return try StateArea(folder: state).readUnfinished().isEmpty } catch { throw PointError.wrapping(error) }
    }

    /// The tree, its points and what is under way, all of one moment.
    public struct Overview: Sendable {
        public var root: BytePath
        public var backend: BackendKind
        public var points: [RestorePoint]
        /// The point in whose state the live tree was last.
        public var base: RestorePoint?
        /// The point that `undo` returns to.
        public var undo: RestorePoint?
        public var pending: Pending?
        /// What there is of a trial.
        public var trial: Trial?
        /// What of the state is lost or damaged, where a copy of it is there.
        public var damage: PointError?
        /// What of it is damaged and has no copy: nothing is changed until that is mended.
        public var obstacle: PointError?
    }

    /// Needs no privilege where the state can be read.
    public static func overview(state: BytePath) throws -> Overview {
        do {
            let area = StateArea(folder: state)
            let configuration = try area.readConfiguration()
            var table = try area.readTable()
            let problem = area.journalProblem()
            // What cannot be read is told as that, beside the points.
            func pendingNow() throws -> Pending? { problem == nil ? try pending(state: state) : nil }
            var waiting = try pendingNow()
            // Whoever only looks holds no lock: what changed between the two readings is read again.
            for _ in 0..<10 {
                let again = try area.readTable()
                if again.revision == table.revision { break }
                table = again
                waiting = try pendingNow()
            }
            return Overview(
                root: configuration.rootPath, backend: configuration.backend, points: table.points,
                base: table.points.first { $0.id == table.base },
                undo: table.points.first { $0.id == table.undo }, pending: waiting,
                trial: problem == nil ? try area.readTrial() : nil,
                damage: area.tableProblem(), obstacle: problem)
        } catch { throw PointError.wrapping(error) }
    }
}
