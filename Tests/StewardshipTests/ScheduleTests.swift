// What runs jobs by itself, and what has them rest.

import Boot
import Glibc
import Platform
import Reporting
import RestorePoints
import Stores
import TestSupport
import Testing

@testable import Stewardship

@Suite struct ScheduleTests {
    @Test("The units are such as systemd takes, with idle classes, limits and the processors that no task has")
    func units() throws {
        let scratch = Scratch()
        let units = ScheduleUnits(
            program: "/bin/true", configuration: "/etc/holdfast/config.toml", state: "/var/lib/holdfast",
            processors: ProcessorSet("0-1,3"), memory: 1 << 29)
        #expect(units.isPlain)
        for line in [
            "CPUSchedulingPolicy=idle", "Nice=19", "IOSchedulingClass=idle", "MemoryHigh=268435456",
            "MemoryMax=536870912",
            "CPUAffinity=0-1,3", "NoNewPrivileges=yes", "TimeoutStartSec=infinity",
            "ExecStart=/bin/true schedule run --quiet --config /etc/holdfast/config.toml --state /var/lib/holdfast",
        ] { #expect(units.serviceText.contains("\n\(line)\n"), "\(line)") }
        for line in ["OnBootSec=5min", "OnUnitInactiveSec=15min", "RandomizedDelaySec=2min"] {
            #expect(units.timerText.contains("\n\(line)\n"), "\(line)")
        }
        #expect(!units.timerText.contains("Persistent"))
        var without = units
        without.processors = nil
        #expect(!without.serviceText.contains("CPUAffinity"))
        without.state = "/var/lib/hold fast"
        #expect(!without.isPlain)
        try writeNew(scratch.file("holdfast-schedule.service"), Array(units.serviceText.utf8))
        try writeNew(scratch.file("holdfast-schedule.timer"), Array(units.timerText.utf8))
        let said = shell(
            "command -v systemd-analyze >/dev/null || exit; cd \(scratch.path); SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no ./holdfast-schedule.service ./holdfast-schedule.timer 2>&1"
        )
        let ours = said.split(separator: "\n").filter { $0.contains("holdfast-schedule") }
        #expect(ours.isEmpty, "\(ours.joined(separator: "\n"))")
    }

    @Test("Work rests while it is held, goes on afterwards, and can be ended while it rests")
    func rest() throws {
        final class Counter: @unchecked Sendable {
            private let monitor = Monitor()
            private var count = 0
            func add() { monitor.withLock { count += 1 } }
            var value: Int { monitor.withLock { count } }
        }
        let (stop, counter) = (Stop(), Counter())
        let worker = WorkerThread {
            while (try? stop.checkStop()) != nil {
                counter.add()
                usleep(1000)
            }
        }
        while counter.value < 10 { usleep(1000) }
        stop.setHeld(true)
        // At most the step that was going on.
        usleep(20_000)
        let held = counter.value
        usleep(300_000)
        #expect(counter.value == held)
        stop.setHeld(false)
        while counter.value == held { usleep(1000) }
        stop.setHeld(true)
        usleep(20_000)
        stop.requestStop()
        worker.join()
    }

    @Test("While work is held, nothing of a store is read or begun, and what was begun there is brought to its end")
    func storeRests() throws {
        let scratch = Scratch()
        let stop = Stop()
        try makeFolders(scratch.file("store"))
        let store = StoppingStore(FolderStore(scratch.file("store")), stop)
        let upload = try store.create("a")
        stop.setHeld(true)
        try upload.commit()
        let worker = WorkerThread { #expect(throws: StoreError.self) { _ = try store.list("") } }
        usleep(200_000)
        // It did not come back with a list.
        stop.requestStop()
        worker.join()
    }

    @Test("Between two hooks nothing rests: what the first has stopped of the plant waits for the second")
    func hooks() throws {
        let progress = Progress()
        progress.stop.setHeld(true)
        var passed = false
        try Hooks(before: "/bin/true", after: "/bin/true").around("backup", "/", progress, Findings()) {
            try progress.checkStop()
            passed = true
        }
        #expect(passed)
    }

    @Test("A hold is a file that is there, or a program that ends with 0, and what cannot be asked holds, too")
    func hold() throws {
        let scratch = Scratch()
        let file = Hold.file(scratch.file("hold"))
        #expect(file.reason(nil) == nil)
        try writeNew(scratch.file("hold"), [])
        #expect(file.reason(nil) != nil)
        #expect(Hold.file(scratch.file("hold/below")).reason(nil) == nil)
        #expect(Hold.command(["/bin/true"]).reason(nil) != nil)
        #expect(Hold.command(["/bin/false"]).reason(nil) == nil)
        #expect(Hold.command(["/bin/sh", "-c", "exit 3"]).reason(nil) == nil)
        #expect(Hold.command(["/nowhere/program"]).reason(nil)?.contains("could not be asked") == true)
        #expect(Hold.command(["/bin/sh", "-c", "kill -9 $$"]).reason(nil)?.contains("could not be asked") == true)
        #expect(Hold.command(["/bin/sh", "-c", "exit 127"]).reason(nil)?.contains("could not be asked") == true)
        #expect(throws: StewardError.self) { _ = try HoldWatch(file, Stop(), scratch.places, tell: { _ in }) }
        try removeFile(scratch.file("hold"))
        let stop = Stop()
        let watch = try HoldWatch(file, stop, scratch.places, tell: { _ in })
        try writeNew(scratch.file("hold"), [])
        var waited = 0
        while !stop.isHeld {
            usleep(10_000)
            waited += 1
        }
        #expect(waited < 90, "\(waited)")
        watch.end()
        #expect(!stop.isHeld)
    }

    @Test(
        "Lists of processors are read and written as the kernel has them",
        arguments: [("0-3,5", "0-3,5"), ("5,0,1", "0-1,5"), ("0", "0"), ("", ""), ("0, 2", "0,2"), ("3-3", "3")])
    func processors(text: String, written: String) throws { #expect(try #require(ProcessorSet(text)).text == written) }

    @Test(
        "What is no list of processors is refused",
        arguments: ["(null)", "-1", "0-", "3-1", "0,,1", "a", "99999", "0-8192"])
    func noProcessors(text: String) { #expect(ProcessorSet(text) == nil) }

    @Test("Scheduled work has the idle classes, and as many workers as processors that it may use")
    func classes() throws {
        let said = WorkerResult()
        WorkerThread {
            said.lines = giveWay(on: ProcessorSet("0"))
            said.count = processorCount
            said.policy = sched_getscheduler(0)
        }.join()
        #expect(said.lines.isEmpty && said.count == 1 && said.policy == 5)
        #expect(processorCount >= 1)
    }

    private final class WorkerResult: @unchecked Sendable {
        var lines: [String] = ["?"]
        var count = 0
        var policy: CInt = -1
    }
}
