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

    private func run(_ job: Job, day number: Int64) throws -> JobRecord {
        guard let lock = try ScheduleLock(scratch.places) else { throw Interrupted(mend: "somebody has the lock") }
        let reporter = Reporter(progress: Progress(), findings: Findings(), warn: { _ in })
        var run = JobRun(job, stores, scratch.places, tool: "test", moment: { moment(monday + number * day) }, reporter)
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
        evidence.integrity = [("plant", record.integrity)]
        let lines = PolicyCheck.run(Policy(), evidence).lines
        #expect(lines.map(\.verdict) == [.fails] && lines[0].found.contains("bin/plc"), "\(lines)")
        // The image of that run has it: the next one finds nothing.
        let next = try run(job(), day: 2)
        #expect(
            next.integrity?.deviations == 0 && next.lastAttempt?.exitStatus == 0,
            "\(String(describing: next.integrity))")
        #expect(self.health(job(), day: 2).verdict == .fine)
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
