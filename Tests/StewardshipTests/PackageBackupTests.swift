// A package manager waits for a fresh backup, and never longer than it was told.

import Glibc
import Machine
import Platform
import Reporting
import TestSupport
import Testing

@testable import Stewardship

@Suite struct PackageBackupTests {
    let scratch = Scratch()

    private func job() -> Job { Job(name: "plant", source: .paths(["/srv"]), to: ["nas", "local"]) }

    /// What a run would leave on record, of a store that has its image or has not.
    private func record(_ store: String?, sentence: String = "nas: away") throws {
        var record = JobRecord(job: "plant")
        let now = Timestamp.now().seconds
        if let store {
            record.stores[store] = JobRecord.StoreRecord(isCopy: false)
            record.stores[store]?.lastSuccess = now
        }
        record.lastAttempt = JobRecord.JobAttempt(
            began: now, ended: now, durationSeconds: 0, exitStatus: store == nil ? 1 : 0, sentence: sentence)
        try record.write(scratch.places)
    }

    private func program(_ text: String) throws -> [ProgramWord] {
        ["/bin/sh", "-c", ProgramWord(text)]
    }

    private func make(
        _ text: String, limit: Int64 = 20, isRequired: Bool = false, caller: String = "a", stop: Stop = Stop()
    ) throws -> PackageBackup.Outcome {
        var backup = PackageBackup(job: "plant")
        backup.limit = limit
        backup.isRequired = isRequired
        return backup.make(job(), scratch.places, by: try program(text), caller: caller, stop: stop)
    }

    @Test("One store with its image is a fresh backup, whatever the run ended with; an image of yesterday is none")
    func fresh() throws {
        var old = JobRecord(job: "plant")
        old.stores["local"] = JobRecord.StoreRecord(isCopy: false)
        old.stores["local"]?.lastSuccess = Timestamp.now().seconds - 10
        old.lastAttempt = JobRecord.JobAttempt(
            began: Timestamp.now().seconds - 10, ended: 0, durationSeconds: 0, exitStatus: 0, sentence: "done")
        try old.write(scratch.places)
        #expect(
            try make("echo 'warning: x' >&2; echo 'error: no line' >&2; exit 1", caller: "1") == .missing("no line"))
        // It becomes known while the program runs.
        let copy = scratch.file("new.json")
        try record("local")
        try renameFile(JobRecord.path("plant", scratch.places), to: copy)
        try old.write(scratch.places)
        let moved = try make("mv \(copy) \(JobRecord.path("plant", scratch.places)); exit 1", caller: "2")
        #expect(moved == .made)
    }

    @Test("Why there is none is what the run has on record")
    func reason() throws {
        let copy = scratch.file("new.json")
        try record(nil, sentence: "nas: there is no store")
        try renameFile(JobRecord.path("plant", scratch.places), to: copy)
        let outcome = try make("mv \(copy) \(JobRecord.path("plant", scratch.places)); exit 4")
        #expect(outcome == .missing("nas: there is no store"))
        try removeFile(JobRecord.path("plant", scratch.places))
        #expect(try make("exit 7", caller: "2") == .missing("it ended with 7"))
    }

    @Test("A run of the package manager waits once; who was refused for want of a backup may ask again")
    func once() throws {
        let place = scratch.file("runs")
        func runs() -> Int { ((try? readWhole(place, limit: 100)) ?? []).count }
        #expect(try make("printf x >> \(place); exit 1") == .missing("it ended with 1"))
        #expect(try make("printf x >> \(place)") == .hadItsOwn && runs() == 1)
        _ = try make("printf x >> \(place)", caller: "b")
        #expect(runs() == 2)
        for number in 3...4 {
            _ = try make("printf x >> \(place); exit 1", isRequired: true, caller: "c")
            #expect(runs() == number)
        }
    }

    @Test("A run that is not done within the limit is asked to stop, and nobody waits on")
    func limit() throws {
        let place = scratch.file("asked")
        let start = HostFacts.secondsSinceStart
        let outcome = try make("trap 'echo stopped > \(place); exit 130' TERM; sleep 60 & wait", limit: 1)
        #expect(outcome == .missing("it was not done within less than a minute, and was stopped; its next run goes on"))
        #expect(HostFacts.secondsSinceStart - start < 10)
        #expect(try readWhole(place, limit: 100) == Array("stopped\n".utf8))
    }

    @Test("Another run that goes on is waited for, and no longer than the limit")
    func otherRun() throws {
        do {
            let lock = try ScheduleLock(scratch.places)
            let start = HostFacts.secondsSinceStart
            let outcome = try make("exit 0", limit: 1)
            #expect(outcome == .missing("another run was not at its end within less than a minute"))
            #expect(HostFacts.secondsSinceStart - start < 10)
            let stop = Stop()
            stop.requestStop()
            #expect(try make("exit 0", caller: "b", stop: stop) == .missing("it was interrupted"))
            _ = consume lock
        }
        #expect(try make("exit 3", caller: "c") == .missing("it ended with 3"))
    }
}
