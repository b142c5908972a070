// `holdfast package …`: what the scripts and the hook of the Debian package call. None of it stops a package manager,
// unless the configuration wants a fresh backup and there is none.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import Reporting
internal import RestorePoints
internal import Stewardship

struct PackageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "package", abstract: "What the Debian package calls.", shouldDisplay: false,
        subcommands: [Changing.self, Upgraded.self, Removing.self])

    /// Before packages are changed.
    struct Changing: StatefulCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a fresh backup and the point before-packages.TIME, where the configuration wants them.")
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        var goesOnRegardless: Bool { true }

        func isRecorded(in session: Session) -> Bool {
            session.configuration.makesPointBeforePackages || session.configuration.packageBackup != nil
        }

        func perform(_ session: Session) throws -> Outcome {
            var (members, summary): ([(String, JSON?)], [String]) = ([], [])
            var outcome = Outcome.done
            if let backup = session.configuration.packageBackup {
                switch make(backup, session) {
                case .hadItsOwn:
                    session.console.note(
                        "this run of the package manager had its backup by the job \(backup.job) already")
                case .made:
                    members.append(("backup", .text(backup.job)))
                    summary.append("made a backup by the job \(backup.job)")
                case .missing(let reason):
                    let sentence = "there is no fresh backup by the job \(backup.job): \(reason)"
                    guard !backup.isRequired else {
                        // The one status at which the hook has apt stop.
                        throw Problem.refused(
                            "no package is changed: \(sentence)",
                            hint:
                                "once that is mended, `holdfast schedule run \(backup.job)` makes one; with required = false in [packages] apt goes on without"
                        )
                    }
                    session.console.warning("\(sentence); packages are changed all the same")
                    outcome = .findings
                }
            }
            if session.configuration.makesPointBeforePackages {
                do {
                    if let created = try makePoint(session) {
                        for finding in created.preflight { session.console.warning(finding.sentence) }
                        members.append(("point", JSON.point(created.point)))
                        summary.append("created \(created.point.name)")
                        if session.outcome(created.findings) == .findings { outcome = .findings }
                    }
                } catch {
                    let problem = Problem(error)
                    session.console.warning("the point before-packages is not made: \(problem.message)")
                    outcome = .findings
                }
            }
            if !members.isEmpty { session.show(members, summary: summary) }
            return outcome
        }

        /// Has this program do the job as `schedule run` does, in a process that can be ended.
        private func make(_ backup: PackageBackup, _ session: Session) -> PackageBackup.Outcome {
            let places = state.places(session)
            do {
                let job = try session.configuration.job(named: backup.job)
                var words = [
                    try ProgramWord(ProgramFiles.executable), "schedule", "run", ProgramWord(job.name), "--quiet",
                    "--state", ProgramWord(places.state),
                ]
                if let path = global.config?.path ?? HostFacts.environment("HOLDFAST_CONFIG") {
                    words += ["--config", ProgramWord(try path.normalized(relativeTo: HostFacts.workingFolder))]
                }
                return backup.make(job, places, by: words, stop: session.progress.stop)
            } catch { return .missing(Problem(error).message) }
        }

        private func makePoint(_ session: Session) throws -> ProtectedTree.Created? {
            try session.working {
                try PackageChange(state.places(session)).makePoint(
                    user: HostFacts.userName, progress: session.progress, findings: session.findings,
                    hooks: session.configuration.hooks)
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
