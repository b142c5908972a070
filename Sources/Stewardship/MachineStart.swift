// What is done while the machine starts, in the initramfs, before anything uses `/`: a rollback that waits for that, and the write filter.

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
    private var isNeeded: Bool { filter.concernsRoot || hasRollback }

    /// What cannot be looked at is for `run` to say.
    private var hasRollback: Bool {
        do { return try ProtectedTree.pending(state: state.now) != nil } catch { return true }
    }

    /// Whether it changes anything that stays.
    public var changesSomething: Bool {
        do { return try hasRollback || filter.changesRoot } catch { return true }
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
        } catch { done.alarms.append("what was under way could not be ended: \(explained(error).sentence)") }
        if case .finished(let switched) = done.recovery, !switched.isPending {
            done.wantsRestart = !exists(root.appending("lib/modules").appending(HostFacts.kernelRelease))
            if done.wantsRestart { return done }
        }
        if filter.concernsRoot {
            done.alarms = try filter.startRoot(
                at: root, state: state.later, alarms: done.alarms, findings: findings, holding: lock)
        }
        return done
    }
}
