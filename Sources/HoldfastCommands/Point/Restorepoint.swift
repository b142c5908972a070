// `restorepoint`, a second name of this program: the words and the dialogue of TwinCAT/BSD's tool, so that instructions written
// for it hold. Unlike there, nothing is deleted by a rollback.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import RestorePoints

struct RestorepointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restorepoint", abstract: "Restore points, by the words of TwinCAT/BSD; `holdfast` can more.",
        discussion: discussion(examples: "restorepoint create Commissioning", "restorepoint rollback Commissioning"),
        version: Version.tool,
        subcommands: [Status.self, Create.self, Rollback.self, Destroy.self])

    struct Status: StatefulCommand {
        static let configuration = CommandConfiguration(abstract: "List the restore points.")
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func perform(_ session: Session) throws -> Outcome {
            let folder = state.places(session).state
            session.console.result("last BE: \(try ProtectedTree.facts(state: folder).root)\n")
            for point in try ProtectedTree.points(state: folder) { session.console.result(point.name + "\n") }
            return .done
        }
    }

    struct Create: StatefulCommand {
        static let configuration = CommandConfiguration(abstract: "Create a restore point.")
        @Argument(help: "Its name (default: the time).") var name: String?
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func isRecorded(in session: Session) -> Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            let tree = try state.open(session)
            let lock = try tree.lock()
            let created = try session.working {
                try tree.create(PointRequest(name: name), user: HostFacts.userName, holding: lock)
            }
            for finding in created.preflight { session.console.warning(finding.sentence) }
            session.console.result(created.point.name + "\n")
            return session.outcome(created.findings)
        }
    }

    struct Rollback: StatefulCommand {
        static let configuration = CommandConfiguration(abstract: "Return to a restore point.")
        @Argument(help: "The point (default: it asks).", completion: .points) var name: String?
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func isRecorded(in session: Session) -> Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            let tree = try state.open(session)
            let target = try name.map(tree.point) ?? RollbackCommand.choose(tree, session)
            session.console.result("the following will be reset to \(target.name):\n\(tree.root)\n")
            let outcome = try session.carryOut(
                tree.planRollback(to: target, discardNewer: false), on: tree, nil, reboot: true)
            session.console.result("nothing was deleted: newer points and the state that was left are still there\n")
            return outcome
        }
    }

    struct Destroy: StatefulCommand {
        static let configuration = CommandConfiguration(abstract: "Destroy a restore point; live data stays.")
        @Argument(help: "The point.", completion: .points) var name: String
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func isRecorded(in session: Session) -> Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            let tree = try state.open(session)
            let plan = try tree.planDestroy([name], factory: false)
            guard
                try session.agree(
                    to: plan, nil, lines: [], question: "Destroy \(name)? All live data stays.")
            else { return .done }
            let lock = try tree.lock()
            try session.working { try tree.destroy(plan, holding: lock) }
            return .done
        }
    }
}
