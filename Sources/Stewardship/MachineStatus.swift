// What there is to know of a machine at one glance. It needs no privilege.

public import Boot
public import Machine
internal import Platform
public import RestorePoints
public import WriteFilter

public struct MachineStatus: Sendable {
    public var tree: ProtectedTree.Overview
    public var filters: [WriteFilter.Status]
    /// Why nothing is known of the filters, though something may be.
    public var filterProblem: String?
    /// What else is under way or was interrupted, in sentences.
    public var underWay: [String] = []
    /// What starts when the machine's own system does not; nil where nobody can see it, too.
    public var recovery: RecoverySystem?
    /// How far trials of `/` return by themselves: 2: also where kernel or initramfs do not start; 1: what goes wrong once its initramfs has found
    /// `/`. nil where they do not, or nobody can see it.
    public var trialLevel: Int?
    /// Why no more.
    private var trialLimit: String?

    /// The same in a sentence.
    public var trials: String? {
        guard let trialLevel else { return nil }
        let hang = TrialGuards.hasWatchdog ? "" : "; there is no watchdog, so a hang waits for a power cycle"
        return trialLevel > 1
            ? "level 2: they return by themselves, also where kernel or initramfs do not start\(hang)"
            : "level 1: they return by themselves once the initramfs has found /; no more, since \(trialLimit ?? "nobody knows why")\(hang)"
    }

    private mutating func findTrialLevel(_ state: BytePath) throws {
        guard tree.root == "/", tree.backend != .zfs, try Initramfs.obstacle(state: state) == nil else { return }
        let obstacle = try StartCounter.obstacle(state: state)
        (trialLevel, trialLimit) = (obstacle == nil ? 2 : 1, obstacle.map { "\($0)" })
    }

    /// How it is now.
    public static func now(_ places: Places) throws -> MachineStatus {
        var status = MachineStatus(tree: try ProtectedTree.overview(state: places.state), filters: [])
        do { status.filters = try WriteFilter(state: places.state).status(consumers: 0) } catch {
            status.filterProblem = "\(error)"
        }
        // The EFI system partition is root's to look at.
        if status.tree.root == "/" { status.recovery = try? RecoverySystem.installed(state: places.state) }
        try? status.findTrialLevel(places.state)
        if status.tree.obstacle == nil, try ProtectedTree.isTidy(state: places.state) == false {
            status.underWay.append(
                "a point is being made or destroyed, or that was interrupted; `holdfast recover` takes away what is left of it"
            )
        }
        for entry in try Journal(state: places.state).entries() {
            if case .setup = entry, status.tree.obstacle == nil,
                let end = try ProtectedTree.interruptedEnd(state: places.state)
            {
                status.underWay.append("\(end)" + (end.mend.map { "; \($0)" } ?? ""))
                continue
            }
            // A place may have several commits.
            if let sentence = sentence(entry), status.underWay.last != sentence { status.underWay.append(sentence) }
        }
        return status
    }

    /// nil: it is told elsewhere.
    private static func sentence(_ entry: Journal.Entry) -> String? {
        switch entry {
        case .rollback, .points, .trial: nil
        case .commit(let place, _): "what was committed of \(place) waits for the next start"
        case .setup: "a set-up, or the end of one, is under way, or was interrupted; the same `holdfast setup` goes on"
        case .wipe(let device): "the wipe of \(printable(device)) is not at its end; the same `holdfast wipe` goes on"
        case .freeSpace:
            "free space is being wiped, or that was interrupted; the same `holdfast wipe` takes away what is left of it"
        }
    }
}
