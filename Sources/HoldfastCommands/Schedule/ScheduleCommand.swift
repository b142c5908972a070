// `holdfast schedule`: groups what is done about jobs, and what its commands share.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import Stewardship

struct ScheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule", abstract: "Do regularly what the configuration wants.",
        discussion: discussion(
            """
            A job is a table [jobs.NAME] of the configuration: what is backed up, where to, how often. holdfast.toml(5) tells \
            what can stand there.
            """,
            examples: "holdfast schedule enable # from now on by itself",
            "holdfast schedule status # what was done, and what is due",
            "holdfast schedule run plant # this job, now"),
        subcommands: [
            ScheduleStatusCommand.self, ScheduleRunCommand.self, ScheduleEnableCommand.self,
            ScheduleDisableCommand.self,
        ])
}

/// What is known of a job, and when it is due.
struct JobState {
    var job: Job
    let known: JobRecord.Known
    /// nil: it is done when somebody asks for it.
    var dueness: Dueness?
    /// nil: nobody makes one by itself, or there is nothing to restore yet.
    var drill: DrillDueness?

    init(_ job: Job, _ places: Places, at moment: Moment) {
        known = JobRecord.read(job.name, places)
        dueness = job.dueness(known.record, at: moment)
        drill = job.drillDueness(known.record, at: moment)
        self.job = job
    }

    var record: JobRecord { known.record }
    var damage: String? { known.damage }

    var isDue: Bool { dueness?.isDue ?? false }
    var isDrillDue: Bool { drill?.isDue ?? false }

    /// When the interval since the last success is over.
    private var isOver: Int64 { record.lastSuccess.map { $0 + (job.timing?.every ?? 0) } ?? .min }

    /// In the order in which they are done: by class, then what its interval is over for longest.
    static func due(_ jobs: [Job], _ places: Places, at moment: Moment) -> [JobState] {
        inOrder(jobs.map { JobState($0, places, at: moment) }.filter(\.isDue)) { $0.isOver }
    }

    /// Those whose drill is due, in the same order.
    static func drillsDue(_ jobs: [Job], _ places: Places, at moment: Moment) -> [JobState] {
        inOrder(jobs.map { JobState($0, places, at: moment) }.filter(\.isDrillDue)) {
            $0.record.drill?.lastSuccess ?? .min
        }
    }

    private static func inOrder(_ states: [JobState], by time: (JobState) -> Int64) -> [JobState] {
        states.enumerated()
            .sorted { a, b in
                let (first, second) = (a.element, b.element)
                if first.job.priority != second.job.priority { return first.job.priority < second.job.priority }
                let (one, other) = (time(first), time(second))
                return one == other ? a.offset < b.offset : one < other
            }
            .map(\.element)
    }
}

extension Configuration {
    /// The job of a name.
    func job(named name: String) throws -> Job {
        if let job = jobs.first(where: { $0.name == name }) { return job }
        throw Problem.usage(
            "there is no job \(Text.safe(name))",
            hint: jobs.isEmpty
                ? "a table [jobs.NAME] of the configuration makes one; holdfast.toml(5) tells what stands there"
                : "there are " + jobs.map(\.name).joined(separator: ", "))
    }
}

extension JSON {
    static func instant(_ seconds: Int64?) -> JSON? {
        seconds.map { .time(Timestamp(seconds: $0, nanoseconds: 0)) }
    }

    static func job(_ state: JobState) -> JSON { .object(jobMembers(state)) }

    /// With what has to be said of how it stands.
    static func job(_ state: JobState, _ health: JobHealth) -> JSON {
        .object(
            jobMembers(state) + [
                ("state", .text(health.verdict.word)), ("reasons", .list(health.reasons.map(JSON.text))),
                ("age", health.age.map(JSON.seconds)), ("warnAge", health.limits.warning.map(JSON.seconds)),
                ("criticalAge", health.limits.critical.map(JSON.seconds)), ("firstDue", instant(health.firstDue)),
            ])
    }

    private static func jobMembers(_ state: JobState) -> [(String, JSON?)] {
        let record = state.record
        return [
            ("name", .text(state.job.name)), ("class", .text(state.job.priority.rawValue)),
            ("lastSuccess", instant(record.lastSuccess)),
            ("failuresInARow", .number(UInt64(record.failuresInARow))),
            ("due", .flag(state.isDue)), ("next", instant(state.dueness?.next)),
            ("lastAttempt", record.lastAttempt.map(attempt)),
            (
                "stores",
                .list(
                    (state.job.to + state.job.copies).map { name in
                        let known = record.stores[name]
                        return .object([
                            ("name", .text(name)), ("copy", .flag(state.job.copies.contains(name))),
                            ("lastAttempt", instant(known?.lastAttempt)), ("lastSuccess", instant(known?.lastSuccess)),
                            (
                                "status",
                                known?.lastAttempt.flatMap { _ in known.map { .number(UInt64(clamping: $0.exitStatus)) }
                                }
                            ),
                            ("sentence", known.map { .text($0.sentence) }),
                            ("failuresInARow", known.map { .number(UInt64($0.failuresInARow)) }),
                            ("image", known?.image.map(JSON.text)), ("series", known?.series.map(JSON.text)),
                            ("lastReread", instant(known?.lastReread)),
                            ("lastVerified", instant(known?.lastVerified)),
                        ])
                    })
            ),
            ("integrity", record.integrity.map(integrity)), ("drill", drill(state)),
            ("damage", state.damage.map(JSON.text)),
        ]
    }

    private static func integrity(_ compared: JobRecord.IntegrityRecord) -> JSON {
        .object([
            ("time", instant(compared.time)), ("compared", instant(compared.compared)),
            ("since", instant(compared.since)), ("base", compared.base.map(JSON.text)),
            ("deviations", .number(compared.deviations)), ("names", .list(compared.names.map(JSON.text))),
            ("obstacle", compared.obstacle.map(JSON.text)),
        ])
    }

    private static func attempt(_ attempt: JobRecord.JobAttempt) -> JSON {
        .object([
            ("began", instant(attempt.began)), ("ended", instant(attempt.ended)),
            ("seconds", .seconds(attempt.durationSeconds)), ("status", .number(UInt64(clamping: attempt.exitStatus))),
            ("sentence", .text(attempt.sentence)), ("reread", .flag(attempt.wasReread)),
            ("findings", .number(attempt.findings)),
            ("files", attempt.image.map { .number($0.files) }),
            ("filesRead", attempt.image.map { .number($0.filesRead) }),
            ("contentBytes", attempt.image.map { .number($0.processedBytes) }),
            ("bytesNew", attempt.image.map { .number($0.newBytes) }),
            ("bytesStored", attempt.image.map { .number($0.storedBytes) }),
        ])
    }
}
