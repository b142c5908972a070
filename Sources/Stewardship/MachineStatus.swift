// What there is to know of a machine at one glance. It needs no privilege.

public import Machine
internal import Platform
public import RestorePoints
public import WriteFilter

public struct MachineStatus: Sendable {
    public var tree: ProtectedTree.Overview
    public var filters: [WriteFilter.Status]
    /// Why nothing is known of the filters, though something may be.
    public var filterProblem: String?

    /// How it is now.
    public static func now(_ places: Places) throws -> MachineStatus {
        let tree = try ProtectedTree.overview(state: places.state)
        do {
            return MachineStatus(tree: tree, filters: try WriteFilter(state: places.state).status(consumers: 0))
        } catch { return MachineStatus(tree: tree, filters: [], filterProblem: "\(error)") }
    }
}
