// What is done while the machine starts, in the initramfs, before anything uses `/`: a rollback that waits for that, and the write filter.

internal import Boot
internal import Machine
public import Platform
public import Reporting
public import RestorePoints
internal import WriteFilter

public struct MachineStart: Sendable {
    /// Where `/` is mounted.
    private let root: BytePath
    /// Where the state is now, and once the machine runs.
    private let state: (now: BytePath, later: BytePath)

    public init(root: BytePath, state: BytePath, later: BytePath) {
        self.root = root
        self.state = (state, later)
    }

    private var filter: WriteFilter { WriteFilter(state: state.now) }

    /// Whether there is anything to do.
    private var isNeeded: Bool { filter.concernsRoot || hasRollback || hasTrial }

    /// Whether `/` is on trial.
    private var hasTrial: Bool {
        do {
            guard let trial = try ProtectedTree.trial(state: state.now), trial.isOpen else { return false }
            return try ProtectedTree.facts(state: state.now).root == "/"
        } catch { return Places.isSetUp(state.now) }
    }

    /// What cannot be looked at is for `run` to say.
    private var hasRollback: Bool {
        do { return try ProtectedTree.pending(state: state.now) != nil } catch { return true }
    }

    /// Whether it changes anything that stays.
    public var changesSomething: Bool {
        do { return try hasRollback || hasTrial || filter.changesRoot } catch { return true }
    }

    /// Has the disk writable, where there is anything to do: until then nothing can be put on record either.
    public func makeReady() throws {
        guard isNeeded else { return }
        for place in [root, state.now] {
            guard let mount = try Mount.holding(Descriptor.open(place, .directory)), mount.isReadOnly else { continue }
            try Descriptor.open(mount.point, .directory).makeFileSystemWritable()
        }
    }

    public struct Done: Sendable {
        public var recovery = ProtectedTree.Recovery.nothing
        public var trial = ProtectedTree.TrialAtStart.none
        /// What is not as it was decided, in sentences.
        public var alarms: [String] = []
        /// Whether the kernel that runs is not the one of the state that is there now, which has to be started first.
        public var wantsRestart = false
    }

    /// Does what is to be done; whatever of it fails, the rest is done.
    /// - Throws: where nothing could be done.
    public func run(progress: Progress, findings: Findings) throws -> Done {
        var done = Done()
        guard isNeeded else { return done }
        let lock = try MachineLock(state.now)
        do {
            let tree = try ProtectedTree.open(
                state: state.now, ground: .starting(at: root), progress: progress, findings: findings)
            if tree.isSwitchedAtBoot { done.recovery = try tree.recover(isBoot: true, holding: lock) }
            if case .finished(let switched) = done.recovery, !switched.isPending { done.wantsRestart = isOfOtherKernel }
            // A start that begins anew is none in the state on trial.
            if tree.root == "/", !done.wantsRestart { try meetTrial(of: tree, &done, holding: lock) }
        } catch { done.alarms.append("what was under way could not be ended: \(explained(error).sentence)") }
        if done.wantsRestart { return done }
        if filter.concernsRoot {
            done.alarms = try filter.startRoot(
                at: root, state: state.later, alarms: done.alarms, findings: findings, holding: lock)
        }
        return done
    }

    /// Whether the kernel that runs has no modules in the state that is there now.
    private var isOfOtherKernel: Bool {
        !exists(root.appending("lib/modules").appending(HostFacts.kernelRelease))
    }

    /// Counts the start, or returns. What fails of it is told, and the machine starts.
    private func meetTrial(
        of tree: ProtectedTree, _ done: inout Done, holding lock: borrowing MachineLock
    ) throws {
        do {
            done.trial = try tree.meetTrial(isBoot: true, lines: { TrialJournal.last(in: root) }, holding: lock)
        } catch { done.alarms.append("the trial could not be looked after: \(explained(error).sentence)") }
        switch done.trial {
        case .open:
            do { try TrialGuards.install(root: root, state: state.later) } catch {
                done.alarms.append("not all that watches over the trial is there: \(explained(error).sentence)")
            }
        case .returned(_, let switched): done.wantsRestart = switched.isPending || isOfOtherKernel
        case .none, .waits, .later: break
        }
    }
}
