// A byte that was changed is told by the next run, whatever size and time say; what is expected is not.

import Images
import Machine
import Platform
import Reporting
import TestSupport
import Testing

@testable import Stewardship

@Suite struct IntegrityTests {
    private let scratch = Scratch()
    private let stores: FolderStores
    private var tree: BytePath { scratch.file("tree") }

    init() throws {
        stores = try FolderStores(scratch, ["nas"])
        shell(
            "mkdir -p \(scratch.path)/tree/bin \(scratch.path)/tree/log \(scratch.path)/second; head -c 300000 /dev/urandom >\(scratch.path)/tree/bin/plc; echo 1 >\(scratch.path)/tree/log/today; echo x >\(scratch.path)/second/plc"
        )
    }

    private func job(expected: [String] = ["log", "*.tmp"]) -> Job {
        var job = Job(name: "plant", source: .paths([tree, scratch.file("second")]), to: ["nas"])
        job.timing = Timing(every: day)
        job.integrity = .latest
        job.expected = expected.map { Array($0.utf8) }
        return job
    }

    private func run(_ job: Job, day number: Int64, accepts: Bool = false) throws -> JobRecord {
        guard let lock = try ScheduleLock(scratch.places) else { throw Interrupted(mend: "somebody has the lock") }
        let reporter = Reporter(progress: Progress(), findings: Findings(), warn: { _ in })
        var run = JobRun(job, stores, scratch.places, tool: "test", moment: { moment(monday + number * day) }, reporter)
        run.accepts = accepts
        return try run.run(.all, holding: lock)
    }

    private func health(_ job: Job, day number: Int64) -> JobHealth {
        JobHealth(job, JobRecord.read("plant", scratch.places), now: monday + number * day + 60)
    }

    @Test(
        "One changed byte with its size and time is told by record, health, metrics and policy; what is expected is not"
    )
    func byte() throws {
        #expect(try run(job(), day: 0).integrity == nil)
        shell(
            """
            cd \(scratch.path)/tree; touch -r bin/plc ../stamp
            printf 'x' | dd of=bin/plc bs=1 seek=150000 conv=notrunc status=none; touch -r ../stamp bin/plc
            echo more >>log/today; echo new >log/tomorrow; echo t >bin/x.tmp
            """)
        let record = try run(job(), day: 1)
        #expect(
            record.integrity?.deviations == 1 && record.integrity?.names == ["* \(tree)/bin/plc"],
            "\(String(describing: record.integrity))")
        #expect(record.lastAttempt?.exitStatus == 3 && record.lastSuccess == monday + day)
        let health = health(job(), day: 1)
        #expect(health.verdict == .critical && health.reasons.contains { $0.contains("bin/plc") }, "\(health.reasons)")
        #expect(
            Metrics.text([health], version: "1", host: "h", failedNotices: 0).contains(
                "holdfast_integrity_deviations{job=\"plant\""))
        var evidence = PolicyEvidence(time: monday + day)
        evidence.integrity = [IntegrityLook(job(), record.integrity)]
        let lines = PolicyCheck.run(Policy(), evidence).lines
        #expect(lines.map(\.verdict) == [.fails] && lines[0].found.contains("bin/plc"), "\(lines)")
        #expect(health.reasons.contains { $0.contains("`expected`") && $0.contains("schedule run plant --accept`") })
    }

    @Test(
        "What was found stays critical though newer images have it, until it is put right; then the newest is compared")
    func standing() throws {
        _ = try run(job(), day: 0)
        shell("cd \(scratch.path)/tree/bin; cp -p plc ../../plc; echo evil >>plc")
        let first = try run(job(), day: 1)
        for number in 2...3 {
            let again = try run(job(), day: Int64(number))
            #expect(again.integrity?.deviations == 1 && again.lastAttempt?.exitStatus == 3)
            #expect(again.integrity?.base == first.integrity?.base)
            #expect(health(job(), day: Int64(number)).verdict == .critical)
        }
        shell("echo more >\(scratch.path)/second/plc")
        #expect(try run(job(), day: 4).integrity?.deviations == 2)
        shell("cd \(scratch.path); mv plc tree/bin/plc; echo x >second/plc")
        // No image is made of that: what was gone by is gone by once more, not the newest one, which is not as it was.
        try stores.take("nas")
        let away = try run(job(), day: 5)
        #expect(away.integrity?.obstacle != nil && away.integrity?.deviations == 2, "\(away)")
        try stores.bring("nas")
        stores.before = { if $0.hasPrefix("write") { throw StewardError.noTimers } }
        #expect(try run(job(), day: 6).integrity?.deviations == 0)
        stores.before = { _ in }
        let right = try run(job(), day: 7)
        #expect(right.integrity?.deviations == 0 && right.integrity?.base == first.integrity?.base, "\(right)")
        #expect(right.lastAttempt?.exitStatus == 0 && health(job(), day: 7).verdict == .fine)
        let last = try run(job(), day: 8)
        #expect(last.integrity?.deviations == 0 && last.integrity?.base != first.integrity?.base, "\(last)")
    }

    @Test("What somebody accepts is right from then on, and named; what comes after that is told again")
    func accepted() throws {
        _ = try run(job(), day: 0)
        shell("echo evil >>\(scratch.path)/tree/bin/plc")
        _ = try run(job(), day: 1)
        let record = try run(job(), day: 2, accepts: true)
        #expect(record.integrity?.deviations == 0 && record.lastAttempt?.exitStatus == 0, "\(record)")
        #expect(record.lastAttempt?.sentence.contains("accepted 1 deviation") == true, "\(record)")
        #expect(record.lastAttempt?.sentence.contains("* \(tree)/bin/plc") == true, "\(record)")
        #expect(health(job(), day: 2).verdict == .fine)
        #expect(try run(job(), day: 3).integrity?.deviations == 0)
        shell("echo worse >>\(scratch.path)/tree/bin/plc")
        #expect(try run(job(), day: 4).integrity?.deviations == 1)
    }

    @Test(
        "Where the image that is gone by cannot be opened, or is gone, the alarm stays, which policy and metrics tell")
    func gone() throws {
        _ = try run(job(), day: 0)
        shell("echo evil >>\(scratch.path)/tree/bin/plc")
        let found = try run(job(), day: 1)
        stores.opening = { throw StewardError.noTimers }
        let closed = try run(job(), day: 2)
        #expect(closed.integrity?.obstacle != nil && closed.integrity?.image == found.integrity?.image, "\(closed)")
        stores.opening = {}
        #expect(try run(job(), day: 3).integrity?.obstacle == nil)
        stores.removed = found.integrity.flatMap(\.image).map { [$0.image] } ?? []
        for number in Int64(4)...5 {
            let record = try run(job(), day: number)
            #expect(record.integrity?.deviations == 1 && record.integrity?.names == found.integrity?.names)
            #expect(record.integrity?.obstacle?.contains("in nas no more") == true, "\(record)")
            let health = health(job(), day: number)
            #expect(health.verdict == .critical && health.reasons.contains { $0.contains("in nas no more") })
            #expect(Metrics.text([health], version: "1", host: "h", failedNotices: 0).contains("integrity_deviations{"))
            var evidence = PolicyEvidence(time: monday + number * day)
            evidence.integrity = [IntegrityLook(job(), record.integrity)]
            #expect(PolicyCheck.run(Policy(), evidence).lines.map(\.verdict) == [.fails])
        }
        #expect(try run(job(), day: 6, accepts: true).integrity?.obstacle == nil)
        #expect(try run(job(), day: 7).integrity?.deviations == 0 && health(job(), day: 7).verdict == .fine)
    }

    @Test("What images took up while nothing could be compared is told by the first run that can")
    func blind() throws {
        _ = try run(job(), day: 0)
        _ = try run(job(), day: 1)
        stores.opening = { throw StewardError.noTimers }
        shell("echo evil >>\(scratch.path)/tree/bin/plc")
        #expect(try run(job(), day: 2).integrity?.obstacle != nil)
        #expect(try run(job(), day: 3).integrity?.obstacle != nil)
        stores.opening = {}
        #expect(try run(job(), day: 4).integrity?.names == ["* \(tree)/bin/plc"])
    }

    @Test("What the image has, and an exclude of now selects, is no less looked at; what is new there may come")
    func excluded() throws {
        _ = try run(job(), day: 0)
        var other = job()
        other.excludes = [Array("bin".utf8)]
        shell("cd \(scratch.path)/tree/bin; echo evil >>plc; echo new >new")
        #expect(try run(other, day: 1).integrity?.names == ["* \(tree)/bin/plc"])
    }

    @Test(
        "What excludes keeps out of the image is no deviation, however it is written; what the image has elsewhere is",
        arguments: ["cache", "log/cache", "/log/cache/", "l*/c?che", "SCRATCH/tree/log/cache", "log/cache/*"])
    func excludedAsInImages(pattern: String) throws {
        var excluding = job(expected: [])
        excluding.excludes = [Array(pattern.replacing("SCRATCH", with: "\(scratch.path)").utf8)]
        shell("cd \(scratch.path)/tree; mkdir log/cache; echo 1 >log/cache/a")
        _ = try run(excluding, day: 0)
        shell("cd \(scratch.path)/tree; echo 2 >log/cache/a; echo new >log/cache/b")
        let record = try run(excluding, day: 1)
        #expect(record.integrity?.deviations == 0, "\(record)")
        let (_, listing) = try stores.newest(of: #require(record.stores["nas"]?.series), in: "nas", rate: nil)
        #expect(!listing.entries.contains { $0.path.components.contains(Array("a".utf8)[...]) })
        shell(
            "cd \(scratch.path); mkdir -p tree/bin/log/kept second/other; echo evil >tree/bin/log/kept/a; echo evil >second/other/a"
        )
        let names = try run(excluding, day: 2).integrity?.names ?? []
        #expect(
            names.contains("+ \(tree)/bin/log/kept/a") && names.contains("+ \(scratch.path)/second/other/a"), "\(names)"
        )
    }

    @Test("A pattern with a slash excludes at its place alone, in the image as in the comparison")
    func excludedAtItsPlace() throws {
        var excluding = job(expected: [])
        excluding.excludes = [Array("log/cache".utf8)]
        shell("cd \(scratch.path); mkdir -p tree/bin/log/cache")
        _ = try run(excluding, day: 0)
        shell("cd \(scratch.path); echo evil >tree/bin/log/cache/a")
        #expect(try run(excluding, day: 1).integrity?.names == ["+ \(tree)/bin/log/cache/a"])
    }

    @Test("What is expected is a name, a path of the machine, or one below a source")
    func expectedPaths() throws {
        _ = try run(job(), day: 0)
        shell("echo more >>\(scratch.path)/tree/log/today")
        for (number, pattern) in ["log/today", "\(tree)/log", "today", "log"].enumerated() {
            let record = try run(job(expected: [pattern]), day: Int64(number + 1))
            #expect(record.integrity?.deviations == 0, "\(pattern): \(record)")
            shell("echo more >>\(scratch.path)/tree/log/today")
        }
        #expect(try run(job(expected: ["/log/today", "bin/today"]), day: 9).integrity?.deviations == 1)
    }

    @Test(
        "The policy's line says when was compared and since when something differs, and believes no comparison of long ago"
    )
    func dates() throws {
        func line(_ record: JobRecord, day number: Int64) throws -> PolicyLine {
            var evidence = PolicyEvidence(time: monday + number * day)
            evidence.integrity = [IntegrityLook(job(), record.integrity)]
            return try #require(PolicyCheck.run(Policy(), evidence).lines.first)
        }
        _ = try run(job(), day: 0)
        let right = try run(job(), day: 1)
        let holds = try line(right, day: 2)
        #expect(holds.verdict == .holds && holds.found.contains("compared 24 h ago"), "\(holds)")
        #expect(holds.evidence.map(\.time) == [monday + day] && holds.since == nil)
        let old = try line(right, day: 10)
        #expect(old.verdict == .unknown && old.found.contains("compared 9 d ago, and it is to be no older"), "\(old)")
        shell("echo evil >>\(scratch.path)/tree/bin/plc")
        for number in Int64(3)...4 {
            let fails = try line(run(job(), day: number), day: number)
            #expect(fails.verdict == .fails && fails.since == monday + 3 * day, "\(fails)")
            #expect(fails.evidence.map(\.time) == [monday + number * day], "\(fails)")
        }
        stores.opening = { throw StewardError.noTimers }
        let closed = try line(run(job(), day: 5), day: 5)
        #expect(closed.verdict == .fails && closed.since == monday + 3 * day, "\(closed)")
        #expect(closed.found.contains("compared 24 h ago") && closed.found.contains("came to nothing"), "\(closed)")
        #expect(closed.evidence.map(\.time) == [monday + 4 * day], "\(closed)")
    }

    @Test("A comparison that came to nothing says when that was, and when the last one did")
    func datesOfNothing() throws {
        _ = try run(job(), day: 0)
        _ = try run(job(), day: 1)
        stores.opening = { throw StewardError.noTimers }
        var evidence = PolicyEvidence(time: monday + 3 * day)
        evidence.integrity = [IntegrityLook(job(), try run(job(), day: 3).integrity)]
        let line = try #require(PolicyCheck.run(Policy(), evidence).lines.first)
        #expect(line.verdict == .unknown && line.evidence.map(\.time) == [monday + 3 * day], "\(line)")
        #expect(line.found.contains("the last that did was 2 d ago"), "\(line)")
    }

    @Test("A record of an older program is read, and has no image to go by")
    func older() throws {
        try makeFolders(scratch.places.jobs, mode: 0o755)
        shell(
            """
            cat >\(scratch.places.jobs)/plant.json <<'END'
            {"version": 1, "job": "plant", "failuresInARow": 0, "stores": {},
             "integrity": {"time": 1767571200, "base": "image 3f9a01bc", "deviations": 1, "names": ["* /a"]}}
            END
            """)
        let known = JobRecord.read("plant", scratch.places)
        #expect(known.damage == nil && known.record.integrity?.deviations == 1, "\(known)")
        #expect(known.record.integrity?.image == nil)
    }

    @Test("Added and removed files and other modes are deviations, also in a second source; another time alone is none")
    func kinds() throws {
        _ = try run(job(), day: 0)
        shell(
            "cd \(scratch.path); touch -d 2001-01-01 tree/bin/plc; chmod 4755 second/plc; echo n >tree/bin/new; rm tree/log/today"
        )
        let record = try run(job(expected: []), day: 1)
        #expect(
            record.integrity?.names == ["+ \(tree)/bin/new", "- \(tree)/log/today", "m \(scratch.path)/second/plc"],
            "\(String(describing: record.integrity))")
        #expect(try run(job(expected: ["*"]), day: 2).integrity?.deviations == 0)
    }

    @Test("Where there is no key, or no point of the name, it is said that nothing was compared, and the image is made")
    func obstacle() throws {
        _ = try run(job(), day: 0)
        var other = job()
        other.integrity = .point("Commissioning")
        let record = try run(other, day: 1)
        #expect(record.integrity?.obstacle != nil && record.lastAttempt?.exitStatus == 3)
        #expect(record.lastSuccess == monday + day && health(other, day: 1).verdict == .warning)
        other.integrity = nil
        #expect(try run(other, day: 2).integrity == nil)
    }
}
