// A job does what it can for each store, knows afterwards what it did, and does what was missed when that can be done.

import Images
import Machine
import Platform
import Reporting
import TestSupport
import Testing

@testable import Stewardship

@Suite struct JobRunTests {
    private let scratch = Scratch()
    private let stores: FolderStores
    private let said = Said()

    final class Said: @unchecked Sendable {
        private let monitor = Monitor()
        private var lines: [String] = []
        func add(_ line: String) { monitor.withLock { lines.append(line) } }
        var all: String { monitor.withLock { lines.joined(separator: "\n") } }
    }

    init() throws {
        stores = try FolderStores(scratch, ["nas", "other"])
        try makeFolders(scratch.file("tree"))
        try writeNew(scratch.file("tree/file"), Array("one".utf8))
    }

    private func job(_ change: (inout Job) -> Void = { _ in }) -> Job {
        var job = Job(name: "plant", source: .paths([scratch.file("tree")]), to: ["nas", "other"])
        job.timing = Timing(every: day)
        change(&job)
        return job
    }

    @discardableResult
    private func run(
        _ job: Job, _ extent: JobRun.Extent = .due, at now: Int64, upFor: Int64 = 100 * day,
        progress: Progress = Progress()
    ) throws -> JobRecord {
        guard let lock = try ScheduleLock(scratch.places) else { throw Interrupted(mend: "somebody has the lock") }
        let reporter = Reporter(progress: progress, findings: Findings(), warn: { [said] in said.add($0) })
        var run = JobRun(job, stores, scratch.places, tool: "test", moment: { moment(now, upFor: upFor) }, reporter)
        return try run.run(extent, holding: lock)
    }

    private func known() -> JobRecord { JobRecord.read("plant", scratch.places).record }

    @Test("A run puts an image into each store, and all of what came of it on record")
    func record() throws {
        let record = try run(job(), at: monday)
        #expect(record == known())
        #expect(try stores.images("nas") == 1 && stores.images("other") == 1)
        let attempt = try #require(record.lastAttempt)
        #expect(attempt.began == monday && attempt.exitStatus == 0 && attempt.findings == 0 && !attempt.wasReread)
        #expect(attempt.sentence.contains("nas: the image ") && attempt.sentence.contains("; other: the image "))
        let image = try #require(attempt.image)
        #expect(image.files == 1 && image.processedBytes == 3 && image.series == record.stores["nas"]?.series)
        #expect(record.lastSuccess == monday && record.failuresInARow == 0 && record.begun == nil)
        #expect(try #require(record.nextDue) > monday)
        // It is due no more, and nothing is done.
        #expect(try run(job(), at: monday + 60).lastAttempt?.sentence == "nothing was to be done")
        #expect(try stores.images("nas") == 1)
    }

    @Test("A store that is away stops no other, and alone gets what it has missed when it is back")
    func away() throws {
        try stores.take("nas")
        let failed = try run(job(), at: monday)
        #expect(failed.lastAttempt?.exitStatus == 2 && failed.failuresInARow == 1 && failed.lastSuccess == nil)
        #expect(failed.stores["nas"]?.failuresInARow == 1 && failed.stores["nas"]?.lastSuccess == nil)
        #expect(failed.stores["other"]?.lastSuccess == monday)
        #expect(said.all.contains("plant: nas: "), "\(said.all)")
        try stores.bring("nas")
        // Not before the quarter of an hour is over.
        stores.calls = []
        try run(job(), at: monday + 600)
        #expect(stores.calls.isEmpty)
        let record = try run(job(), at: monday + 901)
        #expect(stores.calls == ["write nas"])
        #expect(record.lastAttempt?.exitStatus == 0 && record.failuresInARow == 0 && record.lastSuccess == monday)
        #expect(try stores.images("nas") == 1 && stores.images("other") == 1)
    }

    @Test(
        "A store on this machine takes what is made while the line is down, and all of it is copied on when it is back")
    func spool() throws {
        let job = job {
            $0.to = ["nas"]
            $0.copies = ["offsite"]
            $0.timing = Timing(every: 3600)
        }
        for hours in 0..<5 {
            try writeNew(scratch.file("tree/file \(hours)"), [UInt8(hours)])
            // An hour and what the timer may be late.
            let record = try run(job, at: monday + Int64(hours) * (hour + 600))
            #expect(record.stores["nas"]?.exitStatus == 0 && record.stores["offsite"]?.exitStatus == 2)
            #expect(record.lastSuccess == nil)
        }
        #expect(try stores.images("nas") == 5)
        // It was not tried each hour.
        #expect(try #require(known().stores["offsite"]).failuresInARow < 5)
        try writeNew(scratch.file("line"), [])
        stores.calls = []
        let record = try run(job, at: monday + 10 * hour)
        #expect(stores.calls == ["write nas", "copy nas offsite"])
        #expect(try stores.images("offsite") == 6)
        #expect(
            record.stores["offsite"]?.covers == record.stores["nas"]?.lastSuccess && record.lastAttempt?.exitStatus == 0
        )
        // Once more there is nothing to copy.
        stores.calls = []
        try run(job, at: monday + 10 * hour + 60)
        #expect(stores.calls.isEmpty)
    }

    @Test("Everything is read anew as often as that is wanted, and each image restores alone")
    func reread() throws {
        let job = job { $0.timing = Timing(every: day, reread: 7 * day) }
        var read: [Bool] = []
        for number in 0..<16 {
            let record = try run(job, at: monday + Int64(number) * day + 12 * hour)
            read.append(try #require(record.lastAttempt).wasReread)
            // What has just changed is read again in any case.
            if read[number] { #expect(record.lastAttempt?.image?.filesRead == 1) }
        }
        #expect(read == (0..<16).map { $0 == 7 || $0 == 14 })
    }

    @Test("After each run the newest image is proven, and its content as often as the share says")
    func verify() throws {
        let job = job {
            $0.to = ["nas"]
            $0.verify = 40
        }
        var calls: [String] = []
        for number in 0..<6 {
            stores.calls = []
            let record = try run(job, at: monday + Int64(number) * day + 12 * hour)
            calls.append(stores.calls.last ?? "")
            #expect(record.stores["nas"]?.verifyStatus == 0 && record.lastAttempt?.exitStatus == 0)
        }
        // 40, 80, 120, 60, 100, 40
        #expect(calls == ["", "", " with content", "", " with content", ""].map { "verify nas\($0)" })
    }

    @Test("Each store has its own share of the proof, and what is due of it stays due until its content was read")
    func verifyStaysDue() throws {
        let job = job {
            $0.to = ["nas", "other"]
            $0.verify = 50
        }
        func proofs(_ number: Int64) throws -> [String] {
            stores.calls = []
            try run(job, .all, at: monday + number * hour)
            return stores.calls.filter { $0.hasPrefix("verify") }
        }
        #expect(try proofs(0) == ["verify nas", "verify other"])
        try stores.take("other")
        #expect(try proofs(1) == ["verify nas with content"])
        try stores.bring("other")
        // What cannot be proven once is proven the next time.
        stores.before = { if $0.hasPrefix("verify other") { throw KeepError.noRules } }
        #expect(try proofs(2) == ["verify nas", "verify other with content"])
        stores.before = { _ in }
        #expect(try proofs(3) == ["verify nas with content", "verify other with content"])
        #expect(try proofs(4) == ["verify nas", "verify other"])
    }

    @Test("Who asks for a job gets all of it, due or not")
    func named() throws {
        try run(job(), at: monday)
        try run(job(), .all, at: monday + 60)
        #expect(try stores.images("nas") == 2 && stores.images("other") == 2)
    }

    @Test("A run that is interrupted is on record as that, and goes on where it was with the next one")
    func interrupted() throws {
        let progress = Progress()
        stores.before = { if $0 == "write other" { progress.requestStop() } }
        #expect(throws: Interrupted.self) { try run(job(), at: monday, progress: progress) }
        let record = known()
        #expect(record.lastAttempt?.exitStatus == 130 && record.begun == nil && record.failuresInARow == 0)
        #expect(record.stores["nas"]?.lastSuccess == monday && record.stores["other"] == nil)
        stores.before = { _ in }
        stores.calls = []
        try run(job(), at: monday + 60)
        #expect(stores.calls == ["write other"])
    }

    @Test("A run whose program was ended is said by the next one, which comes later each time")
    func ended() throws {
        var record = JobRecord(job: "plant")
        record.begun = monday
        try record.write(scratch.places)
        stores.calls = []
        try run(job(), at: monday + 60)
        #expect(stores.calls.isEmpty)
        let next = try run(job(), at: monday + 1000)
        #expect(said.all.contains("the run of plant of 2026-01-05T00:00:00Z did not come to its end"), "\(said.all)")
        #expect(next.lastAttempt?.exitStatus == 0 && next.stores["nas"]?.failuresInARow == 0)
    }

    @Test("Where what comes of it cannot be put on record, nothing is begun: it would be done over and over")
    func noRecord() throws {
        try makeFolders(scratch.places.jobs)
        // Its name is taken by a folder that no file replaces.
        try makeFolders(scratch.places.jobs.appending("plant.json"))
        #expect(throws: StewardError.self) { try run(job(), at: monday) }
        #expect(stores.calls.isEmpty)
        #expect(said.all.contains("cannot be read"), "\(said.all)")
    }

    @Test("One process at a time runs jobs")
    func lock() throws {
        let places = scratch.places
        func isFree() throws -> Bool { if let lock = try ScheduleLock(places) { use(lock) } else { false } }
        func use(_ lock: consuming ScheduleLock) -> Bool {
            _ = lock
            return true
        }
        #expect(try isFree())
        func whileHeld(_ lock: borrowing ScheduleLock) throws {
            #expect(try !isFree())
            #expect(ScheduleLock.isHeld(places))
        }
        if let lock = try ScheduleLock(places) { try whileHeld(lock) }
        #expect(!ScheduleLock.isHeld(places))
        #expect(try isFree())
    }

    @Test(
        "What no rule keeps is removed once a day of the stores that were served; what goes wrong with that takes no image away"
    )
    func thinnedOut() throws {
        var rules = KeepRules()
        try rules.set("daily", to: "7")
        let job = job { $0.keep = rules }
        func prunes() -> [String] { stores.calls.filter { $0.hasPrefix("prune") } }
        try stores.take("other")
        stores.pruned = { "removed 1 image" }
        let first = try run(job, at: monday)
        #expect(prunes().count == 1 && prunes()[0].hasPrefix("prune nas of "), "\(prunes())")
        #expect(first.lastAttempt?.sentence.contains("nas: removed 1 image") == true)
        #expect(first.stores["nas"]?.lastPruned == monday && first.stores["nas"]?.pruneStatus == 0)
        try stores.bring("other")
        // Served within the day: thinned out with the next.
        try run(job, .all, at: monday + 2 * hour)
        #expect(prunes().count == 2 && prunes()[1].hasPrefix("prune other of "), "\(prunes())")
        stores.pruned = { throw KeepError.noRules }
        let failed = try run(job, .all, at: monday + day)
        #expect(failed.lastAttempt?.exitStatus == 3 && failed.lastSuccess == monday + day && failed.failuresInARow == 0)
        #expect(failed.stores["nas"]?.pruneStatus == 2 && said.all.contains("nas: nothing was removed: "))
        let health = JobHealth(job, JobRecord.Known(record: failed), now: monday + day + hour)
        #expect(health.verdict == .warning && health.reasons[0].hasPrefix("nas was not thinned out"))
        stores.pruned = { nil }
        let without = try run(job, .all, at: monday + 2 * day)
        #expect(without.lastAttempt?.exitStatus == 0 && said.all.contains("that wants the key of a steward"))
    }

    @Test("A key that opens no content proves none: damage that was found stays told until the content was read again")
    func hollowProof() throws {
        let job = job {
            $0.to = ["nas"]
            $0.verify = 100
        }
        #expect(try run(job, at: monday).stores["nas"]?.verifyStatus == 0)
        let volumes = shell("find \(stores.folder("nas"))/v -type f").split(separator: "\n")
        for volume in volumes { shell("printf XXXXXXXX | dd of=\(volume) bs=1 seek=400 conv=notrunc 2>/dev/null") }
        let damaged = try run(job, .all, at: monday + hour)
        #expect(damaged.stores["nas"]?.verifyStatus == 3, "\(said.all)")
        stores.opensContent = false
        let hollow = try run(job, .all, at: monday + 2 * hour)
        #expect(hollow.stores["nas"]?.verifyStatus == 3 && hollow.lastAttempt?.exitStatus == 3)
        #expect(said.all.contains("its content was not proven"))
        #expect(hollow.stores["nas"]?.lastVerified == monday + hour)
        #expect(hollow.lastAttempt?.sentence.contains("nas: its content was not proven") == true)
    }

    @Test("Why a proof could not be made is told until it was made, and takes no damage away that was found before")
    func obstacle() throws {
        let job = job {
            $0.to = ["nas"]
            $0.verify = 50
        }
        func reasons(_ record: JobRecord) -> [String] {
            JobHealth(job, JobRecord.Known(record: record), now: monday + day).reasons
        }
        func isTold(_ record: JobRecord) -> Bool {
            reasons(record).first?.hasPrefix("nas: its content was not proven: the key at hand opens none") == true
        }
        stores.opensContent = false
        #expect(try reasons(run(job, .all, at: monday)).isEmpty)
        #expect(try isTold(run(job, .all, at: monday + hour)))
        // A proof without content is none of content.
        #expect(try isTold(run(job, .all, at: monday + 2 * hour)))
        stores.opensContent = true
        #expect(try reasons(run(job, .all, at: monday + 3 * hour)).isEmpty)
        stores.before = { if $0.hasPrefix("verify") { throw KeepError.noRules } }
        let failed = try run(job, .all, at: monday + 4 * hour)
        #expect(
            reasons(failed).first?.hasPrefix("nas: nothing was proven: \(KeepError.noRules.description)") == true,
            "\(reasons(failed))")
        stores.before = { _ in }
        #expect(try reasons(run(job, .all, at: monday + 5 * hour)).isEmpty)
        // Damage that was found is not taken back by a proof that could not be made.
        var known = try run(job, .all, at: monday + 6 * hour)
        known.stores["nas"]?.verifyStatus = 3
        try known.write(scratch.places)
        stores.before = { if $0.hasPrefix("verify") { throw KeepError.noRules } }
        let both = try run(job, .all, at: monday + 7 * hour)
        #expect(
            both.stores["nas"]?.verifyStatus == 3 && reasons(both).contains { $0.hasPrefix("nas: nothing was proven") })
    }

    @Test("An image without a file where the one before had some is a finding: what was mounted there may be missing")
    func emptySource() throws {
        #expect(try run(job(), at: monday).lastAttempt?.exitStatus == 0)
        shell("rm \(scratch.file("tree"))/file")
        let empty = try run(job(), .all, at: monday + hour)
        #expect(empty.lastAttempt?.exitStatus == 3 && empty.lastAttempt?.image?.files == 0)
        // That is how it is now.
        #expect(try run(job(), .all, at: monday + 2 * hour).lastAttempt?.exitStatus == 0)
    }
}
