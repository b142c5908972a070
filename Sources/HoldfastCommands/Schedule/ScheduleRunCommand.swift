// `holdfast schedule run`: what a timer or cron calls, and somebody who wants a job done now.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship

struct ScheduleRunCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Do what is due, or one job now.",
        discussion: discussion(
            """
            Without a job it does what is due and gives way to everything else on the machine; a timer or cron may call it as often \
            as it likes. A store that is away stops no other, and gets what it has missed once it is back. Drills that are due come after \
            the images, where the job names a key for them. With a job it does all of \
            that job's images at once and at full speed. Nothing begins while the plant holds work; see hold in holdfast.toml(5). What a job with \
            integrity has found stays critical until a comparison finds nothing, or --accept takes it as right.
            """,
            examples: "holdfast schedule run # what is due", "holdfast schedule run plant # this job, now",
            "holdfast schedule run plant --accept # what differs from the image is right"))

    @Argument(help: "The job; without one all that is due.", completion: .jobs)
    var job: NameArgument?

    @Flag(help: "Take what differs from the image as right from now on; the newest image is compared after that.")
    var accept = false

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if accept, job == nil { throw ValidationError("--accept wants the name of a job.") }
    }

    /// That nothing was due, every quarter of an hour, is nothing to be on record.
    func isRecorded(in session: Session) -> Bool {
        if job != nil { return true }
        return !isNothingDue(session.configuration.jobs, state.places(session))
    }

    private func isNothingDue(_ jobs: [Job], _ places: Places) -> Bool {
        let moment = Moment.current()
        return !jobs.contains { job in
            let state = JobState(job, places, at: moment)
            return state.isDue || state.isDrillDue
        }
    }

    func perform(_ session: Session) throws -> Outcome {
        let places = state.places(session)
        // Also where nothing was due: ages grow without a run.
        defer {
            let (jobs, files) = (session.configuration.jobs, session.configuration.statusFiles)
            if !files.isEmpty {
                let health = JobHealth.all(jobs, places, configured: session.configuration.written)
                files.write(health, program: Version.number, places).forEach(
                    session.console.warning)
            }
        }
        return try work(session, places)
    }

    private func work(_ session: Session, _ places: Places) throws -> Outcome {
        let configuration = session.configuration
        let named = try job.map { try configuration.job(named: $0.text) }
        if accept, let named { try checkAcceptance(named) }
        // A timer that comes to nothing, and nobody is told, looks like backups that are made.
        if configuration.jobs.isEmpty { throw withoutJobs() }
        guard let lock = try ScheduleLock(places) else {
            if let named {
                throw Problem.refused(
                    "a run is going on already, so \(named.name) was not done",
                    hint: "repeat when it has ended; `holdfast schedule status` tells")
            }
            return done(session, "a run is going on already")
        }
        do { try JobRecord.note(configuration.jobs, places, now: Timestamp.now().seconds, holding: lock) } catch {
            // No work waits for that.
            session.console.warning("since when new jobs are known is not on record: \(Problem(error).message)")
        }
        if named == nil, isNothingDue(configuration.jobs, places) {
            HeldWork.review(configuration.schedule.hold, places)
            return done(session, "nothing is due")
        }
        let watch: HoldWatch?
        do {
            watch = try configuration.schedule.hold.map {
                try HoldWatch($0, session.progress.stop, places, tell: session.console.warning)
            }
        } catch let error as StewardError {
            guard case .held = error, named == nil else { throw error }
            return done(session, error.sentence)
        }
        defer { watch?.end() }
        if named == nil {
            giveWay(on: configuration.schedule.processors ?? .housekeeping).forEach(session.console.warning)
        }
        var records: [(job: Job, record: JobRecord)] = []
        var drills: [(job: Job, outcome: DrillRun.Outcome)] = []
        if let named {
            records.append((named, try run(named, .all, session, lock)))
        } else {
            var done: Set<String> = []
            // What became due meanwhile comes in its own turn.
            while let next = JobState.due(configuration.jobs, places, at: .current()).first(where: {
                !done.contains($0.job.name)
            }) {
                done.insert(next.job.name)
                records.append((next.job, try run(next.job, .due, session, lock)))
            }
            drills = try ScheduledDrills(session: session, places: places).makeDue(holding: lock)
        }
        return show(records, drills, places, session)
    }

    private func checkAcceptance(_ job: Job) throws {
        switch job.integrity {
        case .latest: return
        case .point(let name):
            throw Problem.usage(
                "\(job.name) is compared with the point \(name), which stays as it is",
                hint: "name another point with `integrity`, or what may differ with `expected`")
        case nil:
            throw Problem.usage(
                "\(job.name) is compared with nothing, so there is nothing to accept",
                hint: "`integrity = \"latest\"` in its table has it compared")
        }
    }

    private func withoutJobs() -> Problem {
        let file = Configuration.file(global.config?.path)
        return .usage(
            exists(file)
                ? "no job is configured: \(file) has no table [jobs.NAME]"
                : "no job is configured: there is no \(file)",
            hint:
                "give the file that has the jobs with `--config FILE`, or write a table [jobs.NAME], as holdfast.toml(5) tells; where nothing is to "
                + "run by itself, `holdfast schedule disable`")
    }

    private func run(
        _ job: Job, _ extent: JobRun.Extent, _ session: Session, _ lock: borrowing ScheduleLock
    ) throws -> JobRecord {
        var job = job
        if job.hooks == nil { job.hooks = session.configuration.hooks }
        var run = JobRun(
            job, SessionStores(session: session), state.places(session), tool: Version.tool,
            secrets: session.keyFilePaths, session.reporter)
        run.accepts = accept
        let line = ProgressLine(session.progress, on: session.console)
        defer {
            line.finish()
            session.console.finishFindings()
        }
        let (notifier, places, number) = (session.configuration.notifier, state.places(session), Notifier.newRun())
        notifier.send(Notice(.start, job: job.name, run: number), places).forEach(session.console.warning)
        // Also of a run that was interrupted: who was told that it began waits for its end.
        defer {
            if let attempt = JobRecord.read(job.name, places).record.lastAttempt {
                notifier.send(.end(of: attempt, job: job.name, run: number), places).forEach(session.console.warning)
            }
        }
        return try run.run(extent, holding: lock)
    }

    private func done(_ session: Session, _ sentence: String) -> Outcome {
        session.show([("jobs", .list([])), ("sentence", .text(sentence))], summary: [sentence])
        return .done
    }

    private func show(
        _ records: [(job: Job, record: JobRecord)], _ drills: [(job: Job, outcome: DrillRun.Outcome)],
        _ places: Places, _ session: Session
    ) -> Outcome {
        let moment = Moment.current()
        let states = records.map { JobState($0.job, places, at: moment) }
        session.show(
            [("jobs", .list(states.map(JSON.job))), ("drills", .list(drills.map(ScheduledDrills.document)))]
                + session.console.findingMembers,
            summary: records.map { "\($0.job.name): \($0.record.lastAttempt?.sentence ?? "nothing was to be done")" }
                + drills.map { "\($0.job.name): \($0.outcome.attempt.sentence)" })
        let statuses =
            records.compactMap(\.record.lastAttempt?.exitStatus) + drills.map(\.outcome.attempt.exitStatus)
        if let failed = statuses.first(where: { $0 != 0 && $0 != 3 }) {
            return statuses.allSatisfy { [0, 3, 4].contains($0) } && failed == 4 ? .refused : .failed
        }
        return statuses.contains(3) || session.findings.count > 0 ? .findings : .done
    }
}
