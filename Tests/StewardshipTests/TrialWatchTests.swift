// What is done about a trial while the machine runs in it follows from its record and the time alone: nothing here sleeps.

import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@testable import Stewardship

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct TrialWatchTests {
    /// A folder in its point, on trial since a moment for 20 minutes.
    private final class Place {
        let scratch: BytePath
        let state: BytePath
        let checks: BytePath
        let begun: Int64

        init(minutes: Int = 20) throws {
            scratch = BytePath("/var/tmp/holdfast-trial-\(hexadecimal(try SecureRandomName.bytes()))")
            state = scratch.appending("state")
            checks = scratch.appending("trial.d")
            let root = scratch.appending("plant")
            try makeFolders(root)
            shell("echo 1 > \(root)/file")
            let tree = try ProtectedTree.setUp(
                root: root, state: state, kind: .tree, progress: Progress(), findings: Findings())
            let lock = try tree.lock()
            _ = try tree.create(PointRequest(name: "one"), user: "test", holding: lock)
            shell("echo 2 > \(root)/file")
            var terms = TrialTerms()
            (terms.minutes, terms.level) = (minutes, 0)
            _ = try tree.carryOut(
                tree.planRollback(to: tree.point(named: "one"), discardNewer: false, trial: terms), user: "test",
                holding: lock)
            begun = HostFacts.secondsSinceStart
        }

        deinit { shell("chattr -R -f -ia \(scratch); rm -rf \(scratch)") }

        func step(_ minutes: Int64, isTold: Bool = true, isUp: Bool = true, limit: Int = 20) throws -> TrialWatch.Step {
            try TrialWatch(state: state, checks: TrialChecks(folder: checks, limit: limit), isUp: { isUp })
                .step(now: begun + 60 * minutes, isTold: isTold, stop: Stop())
        }

        /// A check, for whoever may run it.
        func check(_ name: String, _ text: String, mode: String = "755") {
            shell(
                "mkdir -p \(checks); printf '#!/bin/sh\\n\(text)\\n' > \(checks)/\(name); chmod \(mode) \(checks)/\(name)"
            )
        }
    }

    private enum SecureRandomName {
        static func bytes() throws -> [UInt8] {
            Array("\(HostFacts.secondsSinceStart).\(Int.random(in: 0..<1 << 40))".utf8)
        }
    }

    @Test("Without a check a person has to confirm it: people are told five minutes before, and then it returns")
    func byHand() throws {
        let place = try Place()
        #expect(try place.step(0, isTold: false) == .wait(5) && place.step(14, isTold: false) == .wait(5))
        guard case .warn(let text) = try place.step(16, isTold: false) else { Issue.record("nobody is told"); return }
        #expect(
            text.contains("returns to before-rollback.") && text.contains("holdfast confirm")
                && text.contains("4 minutes"))
        #expect(try place.step(16) == .wait(5))
        #expect(try place.step(21) == .returns("nobody confirmed it within 20 minutes"))
        // A file that nobody may execute is no check.
        place.check("README", "exit 0", mode: "644")
        guard case .returns = try place.step(21) else { Issue.record("it is kept"); return }
    }

    @Test("A short trial tells people at half of its time")
    func short() throws {
        let place = try Place(minutes: 4)
        #expect(try place.step(1, isTold: false) == .wait(5))
        guard case .warn = try place.step(3, isTold: false) else { Issue.record("nobody is told"); return }
    }

    @Test("It is confirmed where the system is up and all checks succeed, in the order of their names")
    func checks() throws {
        let place = try Place()
        place.check("20-second", "[ -e \(place.scratch)/first ]")
        place.check("10-first", "touch \(place.scratch)/first")
        #expect(try place.step(16) == .wait(5), "it stays up for its minutes first")
        #expect(!exists(place.scratch.appending("first")))
        guard case .returns(let reason) = try place.step(21, isUp: false) else { Issue.record("kept"); return }
        #expect(reason.contains("default.target"))
        #expect(try place.step(21) == .confirm)
    }

    @Test(
        "A check that fails, takes too long, or that others may write keeps it from being confirmed, by name",
        arguments: [
            ("exit 3", "755", "30-last ended with 3"),
            ("echo the PLC is silent >&2; exit 1", "755", "the PLC is silent"),
            ("sleep 600", "755", "30-last did not succeed"), ("exit 0", "777", "30-last is not run: others"),
        ])
    func failing(_ text: String, _ mode: String, _ said: String) throws {
        let place = try Place()
        place.check("10-first", "exit 0")
        place.check("30-last", text, mode: mode)
        guard case .returns(let reason) = try place.step(21, limit: 1) else { Issue.record("it is kept"); return }
        #expect(reason.contains(said), "\(reason)")
    }

    @Test(
        "Once it is confirmed, or its time is over, there is nothing to do; and a monitor is told until somebody takes note"
    )
    func over() throws {
        let place = try Place()
        let told = try #require(try ProtectedTree.trial(state: place.state))
        let health = TrialHealth(told, now: place.begun + 60 * 5)
        #expect(health.verdict == .warning && health.reason.contains("15 more minutes"), "\(health.reason)")
        #expect(PluginAnswer([], trial: health).verdict == .warning)
        let tree = try ProtectedTree.open(state: place.state, progress: Progress(), findings: Findings())
        let lock = try tree.lock()
        #expect(try tree.failTrial(reason: "the PLC is silent", lines: ["last"], holding: lock))
        #expect(try !tree.failTrial(reason: "twice", lines: [], holding: lock))
        #expect(try place.step(30) == .over)
        let failing = TrialHealth(try #require(try ProtectedTree.trial(state: place.state)))
        #expect(failing.reason.contains("the PLC is silent") && failing.reason.contains("the next start returns"))
        // Somebody is faster than the restart.
        guard case .kept = try tree.confirmTrial(holding: lock) else { Issue.record("not kept"); return }
        #expect(try place.step(30) == .over)
    }

    @Test("A check that will not be run is told of when the trial begins")
    func refusedChecks() throws {
        let place = try Place()
        place.check("10-own", "true")
        place.check("20-open", "true", mode: "777")
        let refused = TrialChecks(folder: place.checks).refused()
        #expect(refused.map { $0.program.lastComponent } == [Array("20-open".utf8)])
        #expect(refused.allSatisfy { $0.reason.contains("may write") })
    }
}
