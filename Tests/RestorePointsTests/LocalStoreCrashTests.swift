// The store of a plain tree's points, with commands that were killed while they made it or took points from it: the next command mends it.

import Images
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct LocalStoreCrashTests {
    private let place: Place

    init() throws { place = try Place(.tree) }

    private func holdfast(_ words: String, under tracer: String = "") -> (status: String, output: String) {
        let text = shell(
            """
            export HOME=\(place.scratch) XDG_CONFIG_HOME=\(place.scratch)/c XDG_STATE_HOME=\(place.scratch)/s HOLDFAST_CONFIG=
            \(tracer) \(builtProgram) \(words) --state \(place.state) >\(place.scratch)/out 2>&1; echo $?; cat \(place.scratch)/out
            """)
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts.first ?? "", parts.last ?? "")
    }

    private func strace(_ call: String, _ number: Int, _ what: String, on path: String = "") -> String {
        "strace -f -qq -o /dev/null \(path) -e trace=\(call) -e inject=\(call):\(what):when=\(number)"
    }

    /// Goes to a point and back; what stands in the way fails the test.
    private func expectRollbacks(_ what: String) throws {
        for command in ["rollback good --yes", "undo --yes"] {
            let came = holdfast(command)
            try #require(came.status == "0", "\(what): \(command): \(came)")
        }
        try #require(shell("cat \(place.root)/file") == "now", "\(what)")
        let leftovers = try place.open().points().map(\.name).filter { $0 != "factoryreset" && $0 != "good" }
        if !leftovers.isEmpty { try place.open().destroy(leftovers, factory: false) }
    }

    private func fill() throws -> ProtectedTree {
        place.write("file", "good")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        place.write("file", "now")
        return tree
    }

    @Test(
        "After a point was destroyed and that ended anywhere, rollbacks go on",
        arguments: [
            ("rename", "signal=KILL"), ("unlinkat", "signal=KILL"), ("fsync", "signal=KILL"),
            ("rename", "error=ENOSPC"), ("fsync", "error=EIO"),
        ])
    func destroy(_ call: String, _ what: String) throws {
        let tree = try fill()
        let places = try forEachPlace(of: [call], step: 5) { call, number in
            if try !tree.points().contains(where: { $0.name == "goes" }) {
                _ = try tree.create(PointRequest(name: "goes"), user: "test")
            }
            let came = holdfast("destroy goes --yes --quiet", under: strace(call, number, what))
            try expectRollbacks("\(what) at \(call) \(number)")
            return came.status == "0"
        }
        #expect(places > 2)
    }

    @Test("A store that remembers an image that was destroyed, as an older program left it, is mended by any command")
    func wedged() throws {
        let tree = try fill()
        _ = try tree.create(PointRequest(name: "goes"), user: "test")
        let memory = "\(place.state)/machine/stores/*/memory"
        shell("cp \(memory) \(place.scratch)/memory")
        try tree.destroy(["goes"], factory: false)
        shell("cp \(place.scratch)/memory $(echo \(memory))")
        try expectRollbacks("after an older program")
    }

    @Test("An image of a point that the table has is missed, whatever else was forgotten")
    func missed() throws {
        let tree = try fill()
        let point = try #require(try tree.points().first { $0.name == "good" })
        shell("find \(place.state)/store/i -type f -name '*\(point.handle)*' -delete")
        #expect(try tree.create(PointRequest(name: "more"), user: "test").findings > 0)
    }

    @Test("A set-up that was killed while its store became one is done by the same command")
    func setUp() throws {
        place.write("file", "now")
        let file = "\(place.state)/store/HOLDFAST"
        for (call, number) in [("write", 1), ("fsync", 1)] {
            _ = holdfast(
                "setup --root \(place.root) --yes", under: strace(call, number, "signal=KILL", on: "-P \(file)"))
            try #require(!exists(place.state.appending("store/HOLDFAST.2")), "\(call): it was not killed")
            let came = holdfast("setup --root \(place.root) --yes")
            try #require(came.status == "0", "\(call): \(came)")
            try #require(holdfast("create more").status == "0")
            shell("chattr -R -f -ia \(place.state); rm -rf \(place.state)")
        }
    }

    @Test("A set-up goes on with a store that a power cut left torn", arguments: ["", "holdfast sto", "zeros"])
    func torn(_ header: String) throws {
        place.write("file", "now")
        _ = holdfast(
            "setup --root \(place.root) --yes",
            under: strace("write", 1, "signal=KILL", on: "-P \(place.state)/store/HOLDFAST"))
        let file = "\(place.state)/store/HOLDFAST"
        shell(header == "zeros" ? "head -c 300 /dev/zero >\(file)" : "printf '\(header)' >\(file)")
        for command in ["setup --root \(place.root) --yes", "create more"] {
            let came = holdfast(command)
            #expect(came.status == "0", "\(command): \(came)")
        }
    }
}
