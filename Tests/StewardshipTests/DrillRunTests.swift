// A drill with nobody there: what it comes to is on record and told, and is tried again when that makes sense.

import Images
import Machine
import Platform
import Reporting
import TestSupport
import Testing

@testable import Stewardship

@Suite struct DrillRunTests {
    private let scratch = Scratch()
    private let stores: FolderStores

    init() throws {
        stores = try FolderStores(scratch, ["nas"])
        try makeFolders(scratch.file("tree"))
        try writeNew(scratch.file("tree/file"), Array("one".utf8))
    }

    private func job(_ change: (inout DrillSettings) -> Void = { $0.isAllowedHere = true }) -> Job {
        var job = Job(name: "plant", source: .paths([scratch.file("tree")]), to: ["nas"])
        job.timing = Timing(every: day)
        var drill = DrillSettings()
        (drill.every, drill.key, drill.kind) = (30 * day, .credential("drill-key"), .full)
        change(&drill)
        job.drill = drill
        return job
    }

    /// Makes an image.
    private func back(_ job: Job, at now: Int64) throws {
        guard let lock = try ScheduleLock(scratch.places) else { throw Interrupted(mend: "somebody has the lock") }
        var run = JobRun(
            job, stores, scratch.places, tool: "test", moment: { moment(now) },
            Reporter(progress: Progress(), findings: Findings(), warn: { _ in }))
        #expect(try run.run(.all, holding: lock).lastAttempt?.exitStatus == 0)
    }

    @discardableResult
    private func drill(_ job: Job, at now: Int64, progress: Progress = Progress()) throws -> DrillRun.Outcome {
        guard let lock = try ScheduleLock(scratch.places) else { throw Interrupted(mend: "somebody has the lock") }
        return try DrillRun(
            job, stores, scratch.places, tool: "test", moment: { moment(now) },
            Reporter(progress: progress, findings: Findings(), warn: { _ in })
        ).run(holding: lock)
    }

    private var known: JobRecord.Known { JobRecord.read("plant", scratch.places) }

    private func isDue(_ job: Job, at now: Int64) -> Bool? {
        job.drillDueness(known.record, at: moment(now))?.isDue
    }

    private func health(_ job: Job, at now: Int64) -> JobHealth { JobHealth(job, known, since: monday, now: now) }

    @Test("One that is due is made, its report holds, it is on record, and none is due until its interval is over")
    func passed() throws {
        let job = job()
        try back(job, at: monday)
        let runs = known.record.lastAttempt
        #expect(isDue(job, at: monday + 60) == true)
        let outcome = try drill(job, at: monday + 60)
        #expect(outcome.attempt.exitStatus == 0 && outcome.attempt.sentence.contains("full: passed"))
        let record = try #require(known.record.drill)
        #expect(record.lastSuccess == monday + 60 && record.failuresInARow == 0 && record.begun == nil)
        let last = try #require(record.last)
        #expect(last.kind == .full && last.verdict == .passed && last.began == monday + 60)
        #expect(last.measuredSeconds != nil && last.projectedSeconds == nil && record.obstacle == nil)
        let report = try DrillReport.check(BytePath(last.report)).report
        #expect(report.id == last.number && report.job == "plant" && report.identity.from.contains("drill-key"))
        #expect(report.identity.isOnMachine == true && report.identity.recipients.first?.hasPrefix("age1") == true)
        #expect(isDue(job, at: monday + 20 * day) == false && isDue(job, at: monday + 31 * day) == true)
        // The run before it is what it was, and the next one takes nothing away.
        #expect(known.record.lastAttempt == runs)
        try back(job, at: monday + 2 * day)
        #expect(known.record.drill == record)
        #expect(health(job, at: monday + 2 * day).verdict == .fine)
        let late = health(job, at: monday + 33 * day)
        #expect(late.reasons.contains { $0.contains("it was last drilled 32 d ago") }, "\(late.reasons)")
        #expect(late.objections.contains { $0.reason.contains("`holdfast drill plant`") && $0.verdict == .warning })
    }

    @Test(
        "A key on the machine itself is refused where the job does not allow it: on record, told, and not tried again for a day"
    )
    func refused() throws {
        let job = job { _ in }
        try back(job, at: monday)
        let outcome = try drill(job, at: monday + 60)
        #expect(outcome.attempt.exitStatus == 3 && outcome.done?.report.verdict == .notCompleted)
        #expect(outcome.done?.report.identity.isOnMachine == true)
        let record = try #require(known.record.drill)
        #expect(
            record.obstacle?.contains("is not to lie here") == true && record.obstacle?.contains("here = true") == true)
        #expect(record.last == nil && record.lastSuccess == nil && record.failuresInARow == 1)
        for later in [900, 4 * hour, 23 * hour] { #expect(isDue(job, at: monday + later) == false) }
        #expect(isDue(job, at: monday + 25 * hour) == true)
        let told = health(job, at: monday + hour)
        #expect(told.verdict == .warning && told.reasons.count == 1, "\(told.reasons)")
        // No image is worse for it.
        #expect(known.record.stores["nas"]?.exitStatus == 0 && known.record.lastAttempt?.exitStatus == 0)
    }

    @Test("A store that is away is told, tried again after a quarter of an hour, and forgotten once a drill was made")
    func away() throws {
        let job = job()
        try back(job, at: monday)
        try stores.take("nas")
        #expect(try drill(job, at: monday + 60).attempt.exitStatus == 3)
        #expect(isDue(job, at: monday + 900) == false && isDue(job, at: monday + 961) == true)
        #expect(try drill(job, at: monday + 961).attempt.exitStatus == 3)
        #expect(isDue(job, at: monday + 961 + 1799) == false && isDue(job, at: monday + 961 + 1801) == true)
        #expect(known.record.drill?.failuresInARow == 2 && health(job, at: monday + 962).verdict == .warning)
        try stores.bring("nas")
        #expect(try drill(job, at: monday + hour).attempt.exitStatus == 0)
        #expect(known.record.drill?.obstacle == nil && known.record.drill?.failuresInARow == 0)
        #expect(health(job, at: monday + hour).verdict == .fine)
    }

    @Test("A key that is not there is told with what mends it, whatever else there is")
    func noKey() throws {
        let job = job()
        try back(job, at: monday)
        try drill(job, at: monday + 60)
        stores.noDrillKey = .badKey(job: "plant", reason: "there is no credential drill-key")
        try drill(job, at: monday + 40 * day)
        let record = try #require(known.record.drill)
        // What the last one came to stands.
        #expect(record.last?.verdict == .passed && record.obstacle?.contains("LoadCredential=") == true)
        #expect(isDue(job, at: monday + 40 * day + 4 * hour) == false)
    }

    @Test("One that is interrupted stays due, counts as no failure, and is no obstacle")
    func interrupted() throws {
        let job = job()
        try back(job, at: monday)
        let progress = Progress()
        stores.before = { call in if call.hasPrefix("drill nas") { progress.requestStop() } }
        #expect(throws: Interrupted.self) { try drill(job, at: monday + 60, progress: progress) }
        let record = try #require(known.record.drill)
        #expect(record.begun == nil && record.failuresInARow == 0 && record.obstacle == nil && record.last == nil)
        #expect(isDue(job, at: monday + 70) == true)
    }

    @Test("One whose program was ended is told and waits; one that the machine stopped goes on at once")
    func ended() throws {
        let job = job()
        try back(job, at: monday)
        try DrillRecord.change("plant", scratch.places) { $0.begun = monday + 60 }
        #expect(isDue(job, at: monday + 120) == false && isDue(job, at: monday + 961) == true)
        let restarted = job.drillDueness(known.record, at: moment(monday + 6000, upFor: 5900))
        #expect(restarted?.reason == .neverDone)
        stores.before = { call in
            guard call == "drill key" else { return }
            let record = DrillRecord.read("plant", self.scratch.places).record
            #expect(record?.obstacle?.contains("the program was ended") == true && record?.failuresInARow == 1)
            #expect(record?.begun == monday + 961)
        }
        #expect(try drill(job, at: monday + 961).attempt.exitStatus == 0)
        #expect(known.record.drill?.obstacle == nil)
    }

    @Test("A record of drills that is damaged is told, costs a drill, and takes nothing of the images' record along")
    func damaged() throws {
        let job = job()
        try back(job, at: monday)
        try drill(job, at: monday + 60)
        let path = DrillRecord.path("plant", scratch.places)
        let whole = try readWhole(path, limit: 1 << 16)
        for length in 0..<whole.count - 2 {
            try replaceFile(path, Array(whole[..<length]))
            #expect(known.record.drill == nil && known.drillDamage != nil && known.damage == nil, "\(length)")
        }
        #expect(isDue(job, at: monday + 120) == true && health(job, at: monday + 120).verdict == .warning)
        #expect(known.record.stores["nas"]?.lastSuccess == monday)
        for text in [
            "{}", #"{"version":2,"job":"plant","failuresInARow":0}"#,
            #"{"version":1,"job":"other","failuresInARow":0}"#,
            #"{"version":1,"job":"plant","failuresInARow":-1}"#,
            #"{"version":1,"job":"plant","failuresInARow":0,"lastSuccess":9223372036854775807}"#,
            String(repeating: " ", count: 1 << 16) + "{}",
        ] {
            try replaceFile(path, Array(text.utf8))
            #expect(known.record.drill == nil && known.drillDamage != nil, "\(text.prefix(80))")
        }
        #expect(try drill(job, at: monday + 120).attempt.exitStatus == 0)
        #expect(known.drillDamage == nil && isDue(job, at: monday + 180) == false)
    }

    @Test("A record of a job that an older program wrote is read, and its first drill is due")
    func older() throws {
        try makeFolders(scratch.places.jobs)
        try writeNew(
            JobRecord.path("plant", scratch.places),
            Array(
                #"{"version":1,"job":"plant","failuresInARow":0,"lastSuccess":\#(monday),"stores":{"nas":{"isCopy":false,"exitStatus":0,"sentence":"","failuresInARow":0,"lastSuccess":\#(monday),"series":"press-01/plant"}}}"#
                    .utf8))
        #expect(known.damage == nil && known.drillDamage == nil && known.record.drill == nil)
        #expect(isDue(job(), at: monday + 60) == true)
    }

    @Test("Where nothing can be put on record no drill is begun")
    func noRecord() throws {
        let job = job()
        try back(job, at: monday)
        try makeFolders(DrillRecord.path("plant", scratch.places))
        stores.calls = []
        #expect(throws: StewardError.self) { try drill(job, at: monday + 60) }
        #expect(stores.calls.isEmpty)
    }

    @Test(
        "By hand, what proves less than the job asks for does not stand for it, and what finds damage is told at once")
    func byHand() throws {
        let job = job()
        try back(job, at: monday)
        func note(_ kind: DrillReport.Kind, _ verdict: DrillReport.Verdict) throws -> String? {
            var report = try DrillReport(kind, tool: "test")
            (report.verdict, report.reason) = (verdict, "tree/file: it is missing")
            let done = DrillWork.Done(report: report, file: "/srv/r.json", digest: "0", durationSeconds: 7)
            return try DrillRecord.note(done, of: job, scratch.places, began: monday + 60, ended: monday + 67)
        }
        #expect(try note(.sample, .passed)?.contains("does not count for plant") == true)
        #expect(try note(.full, .notCompleted) == nil && known.record.drill == nil)
        #expect(try note(.sample, .failed) == nil)
        let told = health(job, at: monday + hour)
        #expect(told.verdict == .critical && told.reasons.first?.contains("/srv/r.json") == true, "\(told.reasons)")
        // Neither a lesser one nor one that came to nothing takes that back.
        #expect(try note(.sample, .passed) != nil && note(.full, .notCompleted) == nil)
        #expect(health(job, at: monday + hour).verdict == .critical)
        #expect(try note(.boot, .findings) == nil)
        #expect(health(job, at: monday + hour).verdict == .fine && known.record.drill?.lastSuccess == monday + 60)
        #expect(isDue(job, at: monday + hour) == false)
    }
}
