// What a file system has to be able to do for restore points. Commands, plans and the journal know this protocol only.

internal import Machine
internal import Platform

public enum BackendKind: String, Codable, Sendable, CaseIterable {
    case btrfs, zfs, tree
}

/// The steps of a switch that a backend takes. Each may be repeated after a crash: it looks at what is there first.
protocol Backend: AnyObject {
    /// What a later run needs to find the tree again.
    var facts: [String: String] { get }

    /// What is covered by a point and what is not, in sentences.
    func coverage() throws -> [Preflight]

    /// What would make a point untrue, or keep it from being made.
    func preflightCreate() throws -> [Preflight]

    /// What would make a rollback to a point untrue, or stop it half-way.
    func preflightRollback(to handle: String) throws -> [Preflight]

    /// Makes the state of now a point; returns its handle and how many entries could not be covered. The caller has not
    /// recorded it yet, only that it is being made: after a crash `discard` takes it away.
    func create(_ id: String) throws -> (handle: String, findings: UInt64)

    /// Deletes what a handle stands for. One that is gone already is fine.
    func destroy(_ handle: String) throws

    /// Deletes what an interrupted `create`, or a `prepare` before its switch was recorded, may have left. Nothing else is ever taken for
    /// garbage: what no table names may be somebody's points.
    /// - Parameter id: of the point that was being made.
    func discard(_ id: String) throws

    /// Deletes what `prepare` may have left of a switch that is taken back, before anything of it was live.
    /// - Parameter id: of the point that would hold the state that was to be left.
    func discardPreparation(of id: String) throws

    /// A state that some switch has left, where no record of a switch tells of it any more: nil where there is none.
    /// - Parameter left: the ids of the points that were to hold such states.
    func stray(of left: [String]) throws -> FoundPoint?

    /// Has it be what a point's handle stands for. Idempotent.
    func keep(stray: FoundPoint) throws

    /// The points of all set-ups that lie where this tree's do, by the id of the set-up: whoever has lost the state finds them again.
    func found() throws -> [String: [FoundPoint]]

    /// Gives back the space of what was destroyed, and views of backups that have ended.
    func tidy() throws

    /// Forgets what was remembered of the tree for the sake of speed: names of what its owner had are in it.
    func forget() throws

    /// Takes away where points were kept, once there are none and nobody will make any.
    func leave() throws

    /// The tree as it was at a point, read-only, for `diff` and backups; nil for the live tree.
    func listing(of handle: String?) throws -> any TreeListing

    /// The tree as a folder that nobody changes, as it was at a point, or as it is now; nil where there are no snapshots.
    func snapshot(of handle: String?) throws -> Snapshot?

    /// Bytes that would be free again if one of these points alone were destroyed, as far as that can be told.
    func space(of handles: [String]) throws -> [String: UInt64]

    // MARK: The switch

    /// Whether a switch has to wait until nothing uses the tree, which is at the next boot only.
    var appliesAtBoot: Bool { get }

    /// Whether the start of the machine can bring it back before anything uses it.
    var returnsAtBoot: Bool { get }

    var kind: BackendKind { get }

    /// Whether the live tree goes from one state to the other in one step, so that nobody writes to a mixture.
    var isSwitchedInOneStep: Bool { get }

    /// Throws where a switch to the target could not come to its end, as far as that can be told beforehand.
    func check(target: String) throws
    /// - Throws: where points could not be made, because of what an earlier set-up has left.
    func checkBeforeSetUp() throws

    /// Gets ready what can be got ready without touching the live tree. Returns what `commit` and `finish` need.
    /// - Parameter kept: what of the live tree goes into the new state, below the root.
    func prepare(target: String, before id: String, keeping kept: [BytePath]) throws -> Switch

    /// Makes the target's state the live one. Idempotent.
    func commit(_ change: Switch) throws -> SwitchResult

    /// Whether the one step is done, where it is one.
    func isCommitted(_ change: Switch) throws -> Bool
    /// Whether the live tree is in use in its new state already, so that nothing works on the old one any more.
    func isEffective(_ change: Switch) throws -> Bool

    /// Keeps the state that was left as a point; returns its handle. Idempotent.
    func finish(_ change: Switch) throws -> String

    /// Takes back what `prepare` did, or a `commit` that is not effective yet.
    func abandon(_ change: Switch) throws
}

extension Backend {
    var facts: [String: String] { [:] }
    var appliesAtBoot: Bool { false }
    var returnsAtBoot: Bool { appliesAtBoot }
    var isSwitchedInOneStep: Bool { true }
    func discardPreparation(of id: String) throws { try discard(id) }
    func keep(stray: FoundPoint) throws {}
    func check(target: String) throws {}
    func checkBeforeSetUp() throws {}
    func isCommitted(_ change: Switch) throws -> Bool { false }
    func leave() throws {}
    func forget() throws {}
    func preflightCreate() throws -> [Preflight] { [] }
    func found() throws -> [String: [FoundPoint]] { [:] }
}

/// A point whose name nobody knows any more.
struct FoundPoint: Hashable, Sendable {
    var id: String
    var handle: String
    /// Seconds since 1970.
    var time: Int64
    /// Rises with each that is made: several are made within a second.
    var number: UInt64
}

/// What a backend has to remember of a switch.
struct Switch: Codable, Hashable, Sendable {
    /// The id of the point that will hold the state that is left.
    var before: String
    /// The handle of the point that is gone to.
    var target: String
    /// The backend's own words: identities of what was live and of what is to be.
    var facts: [String: String] = [:]
    /// Lists that go with them.
    var lists: [String: [String]] = [:]
}

struct SwitchResult: Sendable {
    /// Entries that could not be brought into the target's state.
    var findings: UInt64 = 0
}
