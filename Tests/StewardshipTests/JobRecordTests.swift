// A record that is damaged, or none of ours, is said, and costs a run at most.

import Machine
import Platform
import TestSupport
import Testing

@testable import Stewardship

@Suite struct JobRecordTests {
    private let scratch = Scratch()
    private var path: BytePath { scratch.places.jobs.appending("plant.json") }

    private func full() -> JobRecord {
        var record = JobRecord(job: "plant")
        record.lastSuccess = monday
        record.lastAttempt = .init(
            began: monday, ended: monday + 5, durationSeconds: 5, exitStatus: 0, sentence: "\"line 3\"\n\u{1}ß")
        var store = JobRecord.StoreRecord(isCopy: false)
        store.lastSuccess = monday
        record.stores["nas"] = store
        record.verify = .init(collected: 40)
        return record
    }

    @Test("What was written is read again")
    func roundTrip() throws {
        #expect(JobRecord.read("plant", scratch.places).damage == nil)
        try full().write(scratch.places)
        let known = JobRecord.read("plant", scratch.places)
        #expect(known.record == full() && known.damage == nil)
        #expect(try Descriptor.open(path).status().mode & 0o777 == 0o644)
    }

    @Test("A record cut off anywhere is as good as none, and that is said")
    func truncated() throws {
        try full().write(scratch.places)
        let whole = try readWhole(path, limit: 1 << 20)
        // Without its last line end it is whole.
        for length in 0..<whole.count - 2 {
            try replaceFile(path, Array(whole[..<length]))
            let known = JobRecord.read("plant", scratch.places)
            #expect(known.record == JobRecord(job: "plant") && known.damage != nil, "\(length)")
        }
    }

    @Test("A bit that fell over brings nothing down, and no number that nothing can be reckoned with is believed")
    func flipped() throws {
        try full().write(scratch.places)
        let whole = try readWhole(path, limit: 1 << 20)
        for index in whole.indices {
            for bit in [0, 3, 6] {
                var bytes = whole
                bytes[index] ^= 1 << bit
                try replaceFile(path, bytes)
                let known = JobRecord.read("plant", scratch.places)
                var job = Job(name: "plant", source: .paths(["/"]), to: ["nas"])
                job.timing = Timing(every: day)
                #expect(job.dueness(known.record, at: moment(monday))?.next != nil)
            }
        }
    }

    @Test(
        "What is none of ours is said",
        arguments: [
            "", "[]", "{}", "null", "{\"version\":1}", #"{"version":2,"job":"plant","failuresInARow":0,"stores":{}}"#,
            #"{"version":1,"job":"other","failuresInARow":0,"stores":{}}"#,
            #"{"version":1,"job":"plant","failuresInARow":-1,"stores":{}}"#,
            #"{"version":1,"job":"plant","failuresInARow":9223372036854775807,"stores":{}}"#,
            #"{"version":1,"job":"plant","failuresInARow":99999999999999999999,"stores":{}}"#,
            #"{"version":1,"job":"plant","failuresInARow":0,"stores":{},"lastSuccess":9223372036854775807}"#,
            #"{"version":1,"job":"plant","failuresInARow":0,"stores":{},"begun":-9223372036854775808}"#,
            #"{"version":1,"job":"plant","failuresInARow":0,"stores":{"a":{"isCopy":false,"exitStatus":0,"sentence":"","failuresInARow":0,"lastAttempt":9e18}}}"#,
            #"{"version":1,"job":"plant","failuresInARow":0,"stores":{},"verify":{"collected":18446744073709551615}}"#,
            String(repeating: "[", count: 100_000), "\u{feff}", String(repeating: " ", count: 1 << 18) + "{}",
        ])
    func foreign(text: String) throws {
        try makeFolders(scratch.places.jobs)
        try writeNew(path, Array(text.utf8))
        let known = JobRecord.read("plant", scratch.places)
        #expect(known.record == JobRecord(job: "plant"))
        #expect(try #require(known.damage).contains("plant"))
    }

    @Test("What is no file is not waited for, and no link is needed")
    func noFile() throws {
        for command in ["mkfifo", "mkdir", "ln -s /nowhere", "ln -s ."] {
            shell("mkdir -p \(scratch.places.jobs); rm -rf \(path); \(command) \(path)")
            let known = JobRecord.read("plant", scratch.places)
            #expect(known.record == JobRecord(job: "plant"), "\(command)")
        }
    }

    @Test("A name of a job is one of a file in its folder, and no other")
    func names() {
        for name in ["plant", "Line-3_a.b", "0", String(repeating: "a", count: 64)] {
            #expect(Job.isName(name), "\(name)")
        }
        for name in ["", "..", ".a", "-a", "a/b", "a b", "ä", "schedule", String(repeating: "a", count: 65), "a\u{0}"] {
            #expect(!Job.isName(name), "\(name)")
        }
    }
}
