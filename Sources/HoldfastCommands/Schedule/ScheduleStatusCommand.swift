// `holdfast schedule status`: what was done, and what is due. It needs no privilege.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import Stewardship

struct ScheduleStatusCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what was done, and what is due.",
        discussion: discussion(
            examples: "holdfast schedule status", "holdfast schedule status --json # for programs"))

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let places = state.places(session).looking()
        let moment = Moment.current()
        let states = session.configuration.jobs.map { JobState($0, places, at: moment) }
        let schedule = Schedule(places)
        let isRunning = ScheduleLock.isHeld(places)
        if session.console.isJSON {
            session.show(
                [
                    ("enabled", .flag(schedule.isEnabled)), ("running", .flag(isRunning)),
                    ("jobs", .list(states.map(JSON.job))),
                ], summary: [])
        } else {
            if !states.isEmpty { session.console.result(JobState.table(states, at: moment)) }
            session.console.result(
                (schedule.isEnabled
                    ? "jobs run by themselves"
                    : "nothing runs by itself here; `holdfast schedule enable` has it do so, or a line of cron")
                    + (isRunning ? "; a run is going on" : "") + "\n")
            if states.isEmpty {
                session.console.result("there is no job: a table [jobs.NAME] of the configuration makes one\n")
            }
        }
        if let hold = session.configuration.schedule.hold, hold.isSeen {
            session.console.warning("the plant holds work: \(hold.words)")
        }
        states.compactMap(\.damage).forEach(session.console.warning)
        states.compactMap(\.known.drillDamage).forEach(session.console.warning)
        for state in states {
            for due in state.dueness?.stores ?? [] where due.reason == .clockWasSet {
                session.console.warning(
                    "\(state.job.name): \(due.store): its last success lies in the future, so a clock was set; it is due now"
                )
            }
            if state.drill?.reason == .clockWasSet {
                session.console.warning(
                    "\(state.job.name): its last drill lies in the future, so a clock was set; the next one is due now")
            }
        }
        return states.allSatisfy { $0.damage == nil && $0.known.drillDamage == nil } ? .done : .findings
    }

}

extension JobState {
    /// A line for each store of each job, and for its drills.
    static func table(_ states: [JobState], at moment: Moment) -> String {
        var table = Table(
            [
                ("JOB", .left), ("STORE", .left), ("LAST SUCCESS (\(Text.zone))", .left), ("AGE", .right),
                ("NEXT", .left), ("", .left),
            ],
            lessNeeded: [5, 3])
        for state in states {
            for (index, store) in (state.job.to + state.job.copies).enumerated() {
                let known = state.record.stores[store]
                let success = known?.lastSuccess
                let due = state.dueness?.stores.first { $0.store == store }
                let next: String
                if let due {
                    next = due.due <= moment.now ? "now" : Text.localMinute(Timestamp(seconds: due.due, nanoseconds: 0))
                } else {
                    next =
                        state.job.timing == nil
                        ? "when asked" : state.job.copies.contains(store) ? "after \(state.job.to[0])" : ""
                }
                let failure = known.map {
                    $0.failuresInARow > 0
                        ? "\($0.failuresInARow) × \($0.sentence)" : $0.exitStatus == 3 ? "with findings" : ""
                }
                table.add([
                    index == 0 ? state.job.name : "", Text.safe(store),
                    success.map { Text.localMinute(Timestamp(seconds: $0, nanoseconds: 0)) } ?? "never",
                    success.map { Text.age(moment.now - $0) } ?? "", next, Text.safe(failure ?? ""),
                ])
            }
            if let cells = state.drillCells(at: moment) { table.add(cells) }
        }
        return table.text
    }
}
