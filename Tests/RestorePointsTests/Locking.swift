// Each call of a test is a command of its own, which takes the machine's lock.

import Machine
import Platform
import RestorePoints

extension ProtectedTree {
    func create(_ request: PointRequest, user: String) throws -> Created {
        try create(request, user: user, holding: lock())
    }

    func destroy(_ names: [String], factory: Bool) throws {
        try destroy(planDestroy(names, factory: factory), holding: lock())
    }

    func setPinned(_ isPinned: Bool, _ name: String) throws { try setPinned(isPinned, name, holding: lock()) }

    func carryOut(_ plan: SwitchPlan, user: String) throws -> Switched {
        try carryOut(plan, user: user, holding: lock())
    }

    @discardableResult
    func recover() throws -> Recovery { try recover(holding: lock()) }
}
