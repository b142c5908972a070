// The drills that are due, one after the other, once nothing else is: an image that is late is worse than a proof that is.

internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship

struct ScheduledDrills {
    let session: Session
    let places: Places

    /// Makes each once.
    func makeDue(
        holding lock: borrowing ScheduleLock
    ) throws -> [(job: Job, outcome: DrillRun.Outcome)] {
        var made: [(job: Job, outcome: DrillRun.Outcome)] = []
        var done: Set<String> = []
        while let next = JobState.drillsDue(session.configuration.jobs, places, at: .current()).first(where: {
            !done.contains($0.job.name)
        }) {
            done.insert(next.job.name)
            made.append((next.job, try make(next.job, lock)))
        }
        return made
    }

    private func make(_ job: Job, _ lock: borrowing ScheduleLock) throws -> DrillRun.Outcome {
        let run = DrillRun(
            job, SessionStores(session: session), places, tool: Version.tool,
            scan: session.configuration.scan.map { RestoreScan($0) }, session.reporter
        ) { [console = session.console] in console.note("\(job.name): drill: \($0)") }
        let line = ProgressLine(session.progress, on: session.console)
        defer {
            line.finish()
            session.console.finishFindings()
        }
        let (notifier, number) = (session.configuration.notifier, Notifier.newRun())
        notifier.send(Notice(.start, job: job.name, run: number), places).forEach(session.console.warning)
        var ended = Notice(.failure, job: job.name, run: number)
        // Also of one that was interrupted: who was told that it began waits for its end.
        defer { notifier.send(ended, places).forEach(session.console.warning) }
        let outcome = try run.run(holding: lock)
        ended = .end(of: outcome.attempt, job: job.name, run: number)
        return outcome
    }

    static func document(_ drill: (job: Job, outcome: DrillRun.Outcome)) -> JSON {
        let attempt = drill.outcome.attempt
        let report = drill.outcome.done.map { JSON.drill($0.report, $0.file, $0.digest) } ?? []
        return .object(
            report.filter { !["job", "reason"].contains($0.0) } + [
                ("job", .text(drill.job.name)), ("status", .number(UInt64(clamping: attempt.exitStatus))),
                ("sentence", .text(attempt.sentence)),
            ])
    }
}
