// `holdfast package …`: what the scripts and the hook of the Debian package call. None of it ever stops a package manager.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import RestorePoints
internal import Stewardship

struct PackageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "package", abstract: "What the Debian package calls.", shouldDisplay: false,
        subcommands: [Changing.self, Upgraded.self, Removing.self])

    /// Before packages are changed.
    struct Changing: StatefulCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the point before-packages.TIME, where the configuration wants it.")
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        var goesOnRegardless: Bool { true }

        func isRecorded(in session: Session) -> Bool { session.configuration.makesPointBeforePackages }

        func perform(_ session: Session) throws -> Outcome {
            guard session.configuration.makesPointBeforePackages else { return .done }
            do {
                let created = try session.working {
                    try PackageChange(state.places(session)).makePoint(
                        user: HostFacts.userName, progress: session.progress, findings: session.findings,
                        hooks: session.configuration.hooks)
                }
                guard let created else { return .done }
                for finding in created.preflight { session.console.warning(finding.sentence) }
                session.show([("point", JSON.point(created.point))], summary: ["created \(created.point.name)"])
                return session.outcome(created.findings)
            } catch {
                let problem = Problem(error)
                session.console.warning("no point of before is made: \(problem.message)")
                return .findings
            }
        }
    }

    /// After the program was installed or upgraded, and at each start.
    struct Upgraded: StatefulCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring what the start of the machine runs up to date with this program.")
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        var goesOnRegardless: Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            switch try PackageChange(state.places(session)).refresh(
                progress: session.progress, findings: session.findings)
            {
            case .notSetUp: break
            case .done:
                session.show(
                    [("refreshed", .flag(true))], summary: ["what the start of the machine runs is this program now"])
            case .waits(let reason):
                session.show(
                    [("refreshed", .flag(false))],
                    summary: [
                        "what the start of the machine runs is the program of before, until a later start: \(reason)"
                    ])
            }
            return session.outcome(0)
        }
    }

    /// Before the program goes.
    struct Removing: StatefulCommand {
        static let configuration = CommandConfiguration(abstract: "Say what stays.")
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        var goesOnRegardless: Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            let change = PackageChange(state.places(session))
            let lines = change.remains()
            do { try change.endSchedule() } catch {
                session.console.warning("the timer of the jobs stays: \(Problem(error).message)")
            }
            if !lines.isEmpty { session.show([], summary: lines) }
            return .done
        }
    }
}
