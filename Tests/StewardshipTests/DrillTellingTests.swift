// What a monitor, metrics and files are told of drills.

import Machine
import Platform
import TestSupport
import Testing

@testable import Stewardship

@Suite struct DrillTellingTests {
    private static let now = monday + 100 * day

    private func job(_ change: (inout DrillSettings) -> Void = { _ in }) -> Job {
        var job = Job(name: "plant", source: .paths(["/srv"]), to: ["nas"])
        job.timing = Timing(every: day)
        var drill = DrillSettings()
        (drill.every, drill.key) = (30 * day, .credential("drill-key"))
        change(&drill)
        job.drill = drill
        return job
    }

    /// A job whose images are right.
    private func known(_ change: (inout DrillRecord) -> Void) -> JobRecord.Known {
        var record = JobRecord(job: "plant")
        record.lastSuccess = Self.now - hour
        var store = JobRecord.StoreRecord(isCopy: false)
        (store.lastSuccess, store.series) = (Self.now - hour, "press-01/plant")
        record.stores["nas"] = store
        var drill = DrillRecord(job: "plant")
        change(&drill)
        record.drill = drill
        return JobRecord.Known(record: record)
    }

    private func health(
        _ job: Job, since: Int64? = monday, _ change: (inout DrillRecord) -> Void = { _ in }
    ) -> JobHealth {
        JobHealth(job, known(change), since: since, now: Self.now)
    }

    private func completed(_ verdict: DrillReport.Verdict, _ kind: DrillReport.Kind = .full) -> DrillRecord.Completed {
        DrillRecord.Completed(
            began: Self.now - day, ended: Self.now - day + 60, durationSeconds: 60, kind: kind, verdict: verdict,
            reason: "of 9 entries 1 are not what the image says", report: "/var/lib/holdfast/drills/d.json",
            number: "1",
            measuredSeconds: kind == .full ? 42 : nil, projectedSeconds: kind == .sample ? 99 : nil)
    }

    @Test("A drill is overdue once its interval and a twelfth of it have gone by, whoever is to make it")
    func overdue() {
        let limit = 30 * day + 30 * day / 12
        for (age, verdict) in [
            (limit - 1, Verdict.fine), (limit, .warning), (400 * day, .warning), (-2 * day, .warning),
        ] {
            #expect(health(job()) { $0.lastSuccess = Self.now - age }.verdict == verdict, "\(age)")
            #expect(health(job { $0.key = nil }) { $0.lastSuccess = Self.now - age }.verdict == verdict, "\(age)")
            #expect(health(job { $0.every = nil }) { $0.lastSuccess = Self.now - age }.verdict == .fine)
        }
        // One that was never made, from when the job became known.
        #expect(health(job(), since: Self.now - limit + 1).verdict == .fine)
        let never = health(job(), since: Self.now - limit)
        #expect(never.verdict == .warning && never.reasons.count == 1)
        #expect(
            never.reasons[0].contains("no drill of it has passed yet")
                && never.reasons[0].contains("`holdfast drill plant`"))
        #expect(health(job(), since: nil).verdict == .warning)
        // Without an image that is told already.
        let none = JobHealth(
            job(), JobRecord.Known(record: JobRecord(job: "plant")), firstDue: Self.now, since: monday, now: Self.now)
        #expect(none.reasons.isEmpty, "\(none.reasons)")
    }

    @Test("A drill that failed is critical until one passes, one that could not be made a warning, with what mends it")
    func failed() {
        let failed = health(job()) { record in
            record.lastSuccess = Self.now - 40 * day
            record.last = completed(.failed)
            record.obstacle = "the store is away; mount it"
        }
        #expect(failed.verdict == .critical && failed.reasons.count == 3, "\(failed.reasons)")
        #expect(failed.reasons[0].contains("of 9 entries 1") && failed.reasons[0].contains("/drills/d.json"))
        #expect(failed.reasons.allSatisfy { $0.contains("`holdfast drill plant`") })
        let away = health(job()) { record in
            record.lastSuccess = Self.now - day
            record.last = completed(.passed)
            record.obstacle = "the store is away; mount it"
        }
        #expect(away.verdict == .warning && away.reasons.first?.contains("the store is away; mount it") == true)
        // Of what is made by hand, nobody else is kept from it.
        let byHand = health(job { $0.key = nil }) { record in
            record.lastSuccess = Self.now - day
            record.obstacle = "the store is away"
        }
        #expect(byHand.verdict == .fine)
        #expect(
            health(job()) { record in
                record.lastSuccess = Self.now - day
                record.last = completed(.findings)
            }.verdict == .fine)
        var damaged = known { $0.lastSuccess = Self.now }
        damaged.drillDamage = "it is damaged"
        #expect(JobHealth(job(), damaged, since: monday, now: Self.now).verdict == .warning)
        damaged.damage = "the other is, too"
        #expect(JobHealth(job(), damaged, since: monday, now: Self.now).reasons.count == 2)
    }

    @Test("A job that is there for the drills of another machine's images is not late for having none of its own")
    func elsewhere() {
        var job = job()
        (job.timing, job.series) = (nil, "press-01/plant")
        var record = JobRecord(job: "plant")
        let first = JobHealth(job, JobRecord.Known(record: record), since: Self.now, now: Self.now)
        #expect(first.verdict == .fine, "\(first.reasons)")
        #expect(JobHealth(job, JobRecord.Known(record: record), since: monday, now: Self.now).verdict == .warning)
        record.drill = DrillRecord(job: "plant")
        record.drill?.lastSuccess = Self.now - day
        #expect(JobHealth(job, JobRecord.Known(record: record), since: monday, now: Self.now).verdict == .fine)
    }

    @Test(
        "Metrics have the last success, how long it took, and the time of a restore, measured or projected and never both"
    )
    func metrics() {
        func text(_ kind: DrillReport.Kind) -> String {
            let jobs = [
                health(job()) { record in
                    record.lastSuccess = Self.now - day
                    record.last = completed(.passed, kind)
                }
            ]
            return Metrics.text(jobs, version: "1", host: "press-01", failedNotices: 0)
        }
        let labels = #"job="plant",series="press-01/plant""#
        let full = text(.full)
        #expect(full.contains("\nholdfast_drill_last_success_timestamp_seconds{\(labels)} \(Self.now - day)\n"))
        #expect(full.contains("\nholdfast_drill_duration_seconds{\(labels)} 60\n"))
        #expect(
            full.contains("\nholdfast_drill_rto_seconds{\(labels),way=\"measured\"} 42\n")
                && !full.contains("projected\"}"))
        let sample = text(.sample)
        #expect(sample.contains("\nholdfast_drill_rto_seconds{\(labels),way=\"projected\"} 99\n"))
        #expect(!sample.contains("measured\"}"))
        let none = Metrics.text([health(job())], version: "1", host: "press-01", failedNotices: 0)
        #expect(!none.contains("holdfast_drill_"))
    }

    @Test("A command that a monitor is told has what it was called with, and no bar gets into its line")
    func commands() {
        let answer = PluginAnswer(
            [health(job()) { $0.lastSuccess = Self.now - 40 * day }], completing: { $0 + " --state /opt/a|b" })
        #expect(answer.text.hasPrefix("WARNING - plant: it was last drilled 40 d ago"), "\(answer.text)")
        #expect(answer.text.contains(" --state /opt/a/b | ") && answer.text.count(where: { $0 == "|" }) == 1)
    }
}
