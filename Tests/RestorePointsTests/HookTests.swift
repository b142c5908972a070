// Hooks: whose they are, how long they may take, and what becomes of a point when they fail.

import Glibc
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct HookTests {
    private func hook(_ place: Place, _ name: String, _ text: String) -> BytePath {
        let file = place.scratch.appending(name)
        shell("printf '%s\\n' '#!/bin/sh' '\(text)' >\(file); chmod 755 \(file)")
        return file
    }

    @Test(
        "A hook that others may change is not run as root, nor one in a folder of theirs, nor from a configuration of theirs"
    )
    func owners() throws {
        let place = try Place(.tree)
        let tree = try place.setUp()
        let ran = place.scratch.appending("ran")
        let file = hook(place, "hook", "touch \(ran)")
        #expect(ProgramOwner.problem(file) == nil)
        for (spoil, undo) in [
            ("chown 1234 \(file)", "chown 0 \(file)"), ("chmod o+w \(file)", "chmod o-w \(file)"),
            ("chgrp 1234 \(file); chmod g+w \(file)", "chgrp 0 \(file); chmod g-w \(file)"),
            ("chmod 777 \(place.scratch)", "chmod 755 \(place.scratch)"),
            ("chown 1234 \(place.scratch)", "chown 0 \(place.scratch)"),
            (
                "mv \(file) \(file).1; ln -s \(file).1 \(file); chown -h 1234 \(file)",
                "rm \(file); mv \(file).1 \(file)"
            ),
            (
                "mkdir -m 777 \(place.scratch)/open; mv \(file) \(place.scratch)/open; ln -s open/hook \(file)",
                "rm \(file); mv \(place.scratch)/open/hook \(file)"
            ),
        ] {
            shell(spoil)
            tree.hooks = Hooks(before: file)
            let refused = #expect(throws: PointError.self, "\(spoil)") {
                try tree.create(PointRequest(name: "one"), user: "test")
            }
            #expect(refused?.description.contains("not run") == true, "\(refused.map { "\($0)" } ?? "")")
            shell(undo)
        }
        #expect(!exists(ran) && ProgramOwner.problem(file) == nil)
        shell("cd \(place.scratch); printf '[hooks]\\nbefore = \"\(file)\"\\n' >c.toml; chown 1234 c.toml")
        let said = shell(
            "\(builtProgram) create one --state \(place.state) --config \(place.scratch)/c.toml 2>&1; echo $?")
        #expect(said.hasSuffix("\n4\n") && said.contains("belongs to another user"), "\(said)")
        // What the start of the machine runs goes on without it.
        let recovered = shell(
            "\(builtProgram) recover --state \(place.state) --config \(place.scratch)/c.toml 2>&1; echo $?")
        #expect(recovered.hasSuffix("\n0\n") && recovered.contains("without a configuration"), "\(recovered)")
        shell("echo 'nonsense' >\(place.scratch)/c.toml")
        for verb in ["recover", "filter start", "filter watch"] {
            let said = shell(
                "\(builtProgram) \(verb) --state \(place.state) --config \(place.scratch)/c.toml 2>&1; echo $?")
            #expect(said.hasSuffix("0\n") && said.contains("without a configuration"), "\(said)")
        }
    }

    @Test("A second hook that fails is a finding, and the point is there; a first one that fails leaves none")
    func failing() throws {
        let place = try Place(.tree)
        let tree = try place.setUp()
        let fails = hook(place, "fails", "exit 7")
        tree.hooks = Hooks(after: fails)
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        #expect(try tree.points().map(\.name) == ["one"])
        tree.hooks = Hooks(before: fails)
        #expect(throws: PointError.self) { try tree.create(PointRequest(name: "two"), user: "test") }
        #expect(try tree.points().map(\.name) == ["one"])
        shell("printf '[hooks]\\nafter = \"\(fails)\"\\n' >\(place.scratch)/c.toml")
        let said = shell(
            "\(builtProgram) create three --state \(place.state) --config \(place.scratch)/c.toml 2>&1; echo $?")
        #expect(
            said.hasSuffix("3\n") && said.contains("let programs go on") == false
                && said.contains("lets programs go on"), "\(said)")
    }

    @Test("A hook that never ends goes with the command that is asked to end, and holds nobody up")
    func endless() throws {
        let place = try Place(.tree)
        _ = try place.setUp()
        let endless = hook(place, "endless", "trap \"\" TERM; sleep 4077 & sleep 4078")
        shell("printf '[hooks]\\nbefore = \"\(endless)\"\\n' >\(place.scratch)/c.toml")
        let said = shell(
            """
            \(builtProgram) create one --state \(place.state) --config \(place.scratch)/c.toml >/dev/null 2>&1 & pid=$!
            sleep 1; kill -TERM $pid; wait $pid; echo $?; sleep 0.2; pgrep -f 'sleep 407[78]' | wc -l
            """)
        #expect(said == "130\n0\n", "\(said)")
        #expect(shell("\(builtProgram) create two --state \(place.state) >/dev/null 2>&1; echo $?") == "0\n")
    }

    @Test("A hook that prints without end is ended, and little of it is kept")
    func flood() throws {
        let place = try Place(.tree)
        let tree = try place.setUp()
        tree.hooks = Hooks(before: hook(place, "flood", "yes >&2"))
        let refused = #expect(throws: PointError.self) { try tree.create(PointRequest(name: "one"), user: "test") }
        #expect(refused?.description.contains("printed more than it may") == true, "\(refused.map { "\($0)" } ?? "")")
        tree.hooks = Hooks(before: hook(place, "long", "head -c 1000000 /dev/zero >&2; exit 1"))
        let long = #expect(throws: PointError.self) { try tree.create(PointRequest(name: "one"), user: "test") }
        #expect((long?.description.utf8.count ?? .max) < 20_000)
    }
}
