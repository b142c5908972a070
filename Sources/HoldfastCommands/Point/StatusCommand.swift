// `holdfast status`: what can be gone back to, and what is under way. It needs no privilege.

internal import ArgumentParser
internal import Boot
internal import Machine
internal import Platform
internal import RestorePoints
internal import Stewardship
internal import WriteFilter

struct StatusCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "List the restore points, the jobs, and what is pending.",
        discussion: discussion(
            """
            `here` is the point in whose state the tree was last: it was made or gone back to. Of a job it shows when each of its stores \
            got its last image, when its last drill passed, and when the next is due. `failed` is a state that did not hold on trial.
            """,
            examples: "holdfast status", "holdfast status --space # what each point would free"))

    @Flag(help: "Show what each point would free if it alone were destroyed.")
    var space = false

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let jobs = JobsShown(session, state.places(session).looking())
        let status: MachineStatus
        do { status = try MachineStatus.now(state.places(session)) } catch let error as PointError {
            // Who has jobs alone is told of those.
            guard case .notSetUp = error, !jobs.states.isEmpty else { throw error }
            if session.console.isJSON { session.console.document(.object([jobs.member])) }
            return jobs.show(session)
        }
        let (protected, points, base) = (status.tree, status.tree.points, status.tree.base)
        let (pending, filters) = (status.tree.pending, status.filters)
        let freed = space ? try session.working { try state.open(session).space() } : nil
        if session.console.isJSON {
            session.console.document(
                .object(
                    JSON.path(protected.root, key: "root") + [
                        ("backend", .text(protected.backend.rawValue)),
                        ("base", base.map { .text($0.name) }),
                        (
                            "points",
                            .list(
                                points.map { point in
                                    .object(JSON.pointMembers(point) + [("frees", freed?[point.id].map(JSON.number))])
                                })
                        ),
                        ("pending", pending.map { .text($0.target.name) }),
                        ("obstacle", protected.obstacle.map { .text($0.description) }),
                        ("damage", protected.damage.map { .text($0.description) }),
                        ("interrupted", pending.map { .flag(!$0.isWaiting) }),
                        ("missed", pending.map { .flag($0.isMissed) }),
                        ("recovery", status.recovery.map { .text($0.words) }),
                        ("trialLevel", status.trialLevel.map { .seconds(Int64($0)) }),
                        ("trial", protected.trial.map(JSON.trial)),
                        ("underWay", .list(status.underWay.map(JSON.text))),
                        ("filters", .list(filters.map { .object(JSON.filter($0)) })), jobs.member,
                    ]))
        } else {
            session.console.result("\(protected.root) (\(protected.backend.rawValue))\n")
            session.console.result(points.isEmpty ? "no points\n" : table(points, freed, base?.id))
            for filter in filters where !filter.isOver {
                let fullness = filter.consumption.map { ", \($0.percent) % full" } ?? ""
                session.console.result(
                    "write filter of \(filter.plan.path): \(filter.session.mode.rawValue)\(fullness); next start: \(filter.next)\n"
                )
            }
        }
        if !session.console.isJSON, let recovery = status.recovery {
            session.console.result("recovery: \(recovery.words)\n")
        }
        if !session.console.isJSON, let trials = status.trials { session.console.result("trials: \(trials)\n") }
        let ofJobs = jobs.show(session)
        status.underWay.forEach(session.console.warning)
        if let problem = status.filterProblem {
            session.console.warning("what the write filter does cannot be read: \(problem)")
        }
        for filter in filters { filter.alarms.forEach(session.console.warning) }
        if let pending {
            session.console.warning(
                pending.isMissed
                    ? "the rollback to \(pending.target.name) did NOT take effect at the last boot; `holdfast recover` tells why, `holdfast undo` takes it back"
                    : pending.isWaiting
                        ? "the rollback to \(pending.target.name) takes effect at the next boot; `holdfast undo` takes it back"
                        : "the rollback to \(pending.target.name) was interrupted; `holdfast recover` finishes it")
        }
        if let trial = protected.trial { session.console.warning(TrialHealth(trial).reason) }
        if protected.trial?.stage == .failed {
            session.console.warning("`holdfast trial status` tells more of that, `holdfast confirm` takes note of it")
        }
        if let obstacle = protected.obstacle {
            session.console.warning(
                "\(obstacle.description), and nothing can be changed until that is mended: \(obstacle.mend ?? "it is to be read again")"
            )
        }
        if let damage = protected.damage {
            session.console.warning(
                "\(damage.description); its copy is used, and the next change of a point writes both")
            return .findings
        }
        let isSound =
            protected.obstacle == nil && status.filterProblem == nil
            && (protected.trial.map { $0.stage == .open } ?? true)
            && filters.allSatisfy(\.alarms.isEmpty)
        return isSound ? ofJobs : .findings
    }

    private func table(_ points: [RestorePoint], _ freed: [String: UInt64]?, _ base: String?) -> String {
        var table = Table(
            [("NAME", .left), ("TIME", .left), ("AGE", .right), ("BY", .left)]
                + (freed == nil ? [] : [("FREES", .right)]) + [("", .left), ("MESSAGE", .left)], lessNeeded: [3, 1])
        let now = Timestamp.now().seconds
        for point in points {
            let marks = [
                point.id == base ? "here" : nil, point.isFactory ? "factory" : nil, point.isPinned ? "pinned" : nil,
                point.failedTrial == nil ? nil : "failed",
            ].compactMap { $0 }
            let tags = point.tags.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            table.add(
                [
                    point.name, Text.time(Timestamp(seconds: point.time, nanoseconds: 0)), Text.age(now - point.time),
                    Text.safe("\(point.user)@\(point.host)"),
                ] + (freed.map { [$0[point.id].map(Text.size) ?? "?"] } ?? []) + [
                    marks.joined(separator: " "),
                    Text.safe(([point.message] + tags).filter { !$0.isEmpty }.joined(separator: " ")),
                ])
        }
        return table.text
    }
}

/// The jobs' part of the page.
private struct JobsShown {
    let states: [JobState]
    private let health: [JobHealth]
    private let moment = Moment.current()

    init(_ session: Session, _ places: Places) {
        let moment = moment
        states = session.configuration.jobs.map { JobState($0, places, at: moment) }
        health = JobHealth.all(
            states.map { ($0.job, $0.known) }, places, configured: session.configuration.written, at: moment)
    }

    var member: (String, JSON?) { ("jobs", .list(zip(states, health).map(JSON.job))) }

    /// - Returns: what that says of the whole.
    func show(_ session: Session) -> Outcome {
        if !states.isEmpty, !session.console.isJSON { session.console.result(JobState.table(states, at: moment)) }
        for job in health { for reason in job.reasons { session.console.warning("\(job.job): \(reason)") } }
        return health.allSatisfy { $0.verdict == .fine } ? .done : .findings
    }
}
