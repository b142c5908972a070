// What a rollback, an undo or a factory reset is going to do, and what is asked of it.

public import Machine
public import Platform

/// What is asked for.
enum SwitchRequest: Sendable, Hashable {
    case rollback(to: RestorePoint, discardNewer: Bool)
    case undo
    /// nil: the newest factory point.
    case factoryReset(to: String?, keep: Set<KeepSet>, forTransfer: Bool)
}

/// What a rollback, an undo or a factory reset is going to do.
public struct SwitchPlan: Plan, Sendable {
    /// `rollback`, `undo`, `factory-reset`, or `cancel` for a rollback that waits for the next boot.
    public var verb: String
    public var target: RestorePoint
    /// Points that go.
    public var discards: [RestorePoint]
    /// Whether the state that is left stays as a point.
    public var keepsBefore: Bool
    /// What of the state of now is kept in the new one, below the root.
    public var keeps: [BytePath] = []
    public var findings: [Preflight]
    let request: SwitchRequest
    /// nil: it stays until somebody goes elsewhere.
    public var trial: TrialTerms?
    /// The table of points for which it was made: another one makes another plan.
    let revision: Int
    let tree: String
    /// What has the tree's path.
    let folder: FileIdentity

    /// Whether nothing of the owner is to be left.
    public var isForTransfer: Bool {
        if case .factoryReset(_, _, let forTransfer) = request { forTransfer } else { false }
    }

    public var basis: [String] {
        [tree, "\(folder)", "\(revision)", target.id, "\(keepsBefore)", discards.map(\.id).joined(separator: " ")]
            + keeps.map { hexadecimal($0.bytes) } + (trial?.basis ?? [])
    }
}

/// What the end of a protection is going to do.
public struct EndPlan: Plan, Sendable {
    public var verb: String { "setup --remove" }
    public var points: [RestorePoint]
    public var keepsPoints: Bool
    let tree: String

    public var basis: [String] { [tree, "\(keepsPoints)"] + points.map(\.id) }
}

/// What a deletion of points is going to do.
public struct DestroyPlan: Plan, Sendable {
    public var verb: String { "destroy" }
    public var points: [RestorePoint]
    /// Whether `undo` has nothing to return to then.
    public var endsUndo: Bool
    let factory: Bool
    let tree: String

    public var basis: [String] { [tree, "\(factory)", "\(endsUndo)"] + points.map(\.id) }
}
