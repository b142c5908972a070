// Images that are sealed and signed as they should be, by somebody who means harm: nothing they say leads outside of the
// target, stops the program or costs more than the entries that it concerns.

import Glibc
import Platform
import Reporting
import TestSupport
import Testing

@testable import Images

@Suite struct HostileTests {
    /// What a case puts into the middle of an image.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var sources: [BytePath] = ["/tree"]
        /// Whether it has to be said; else it may go by.
        var isNamed = true
        /// Whether it is only read and never restored for real.
        var isDryRun = false
        let fill: @Sendable (HostileImage) throws -> Void
        var testDescription: String { name }
    }

    @Test(
        "A hostile image writes nothing outside of its target, stops nothing, and costs only what it concerns",
        arguments: cases)
    func hostile(_ hostile: Case) throws {
        let image = try HostileImage()
        let content = Array("honest content".utf8)
        func honest(_ name: String) throws {
            image.records.file(name, slices: [(UInt64(content.count), try image.chunk(content), 0)])
        }
        image.records.source("/tree")
        image.records.enter("tree")
        try honest("before")
        try image.batch(Position())
        try hostile.fill(image)
        if !image.records.isEmpty { try image.batch(.inTree) }
        try honest("after")
        image.records.leave()
        try image.batch(.inTree)

        let surroundings = try Surroundings()
        let file = surroundings.scratch.file("image.hf")
        try put(file, image.whole(sources: hostile.sources))
        let isSaid = clean { findings in
            _ = try SingleFile.verify(
                file, credentials: image.credentials, machine: surroundings.machine, progress: Progress(),
                findings: findings)
        }
        #expect(isSaid || !hostile.isNamed || !hostile.isDryRun, "nothing was said")
        if hostile.isDryRun { return }
        // Into an empty folder, and onto what is there by then.
        for _ in 0..<2 {
            let isSaid = clean { findings in
                _ = try restore(
                    SingleFile.imageReader(
                        file, credentials: image.credentials, machine: surroundings.machine),
                    RestoreRequest(target: surroundings.target), progress: Progress(), findings: findings)
            }
            #expect(isSaid || !hostile.isNamed, "nothing was said")
            try surroundings.check()
            for name in ["before", "after"] {
                let there = try look(at: surroundings.target).keys.filter {
                    BytePath($0).lastComponent == Array(name.utf8)
                }
                #expect(!there.isEmpty, "\(name) was not restored")
                for path in there {
                    let bytes = try readWhole(surroundings.target.appending(path), limit: 1 << 20)
                    #expect(bytes == content, "\(name) has another content")
                }
            }
        }
        // By way of a store, where chunks can be read again and tar comes out.
        let store = try TestStore(surroundings.scratch)
        _ = clean { findings in
            _ = try SingleFile.copy(
                file, credentials: image.credentials,
                to: Store.open(
                    store.path, for: .write, credentials: store.credentials, machine: store.machine),
                progress: Progress(), findings: findings)
            try store.restore(to: surroundings.target, findings: findings)
            _ = try store.verify(findings: findings)
            let nowhere = try Descriptor.open("/dev/null", .write)
            _ = try store.opened().export(
                image: "latest", to: nowhere.raw, progress: Progress(), findings: findings)
        }
        try surroundings.check()
    }

    @Test("Manifests of records in any order and with any names never write outside of their target", arguments: 0..<4)
    func random(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed + 100)
        let surroundings = try Surroundings()
        let file = surroundings.scratch.file("image.hf")
        for round in 0..<(runsAll ? 2000 : 40) {
            let image = try HostileImage()
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                for _ in 0..<Int.random(in: 0..<30, using: &random) { try image.appendRandomRecord(&random) }
                var position = Position()
                position.source = Self.paths.randomElement(using: &random) ?? []
                position.depth = Int.random(in: 0...2, using: &random)
                if position.depth == 2 { position.path = image.name(&random) }
                try image.batch(position)
            }
            if exists(file) { try removeFile(file) }
            try put(file, image.whole(sources: Bool.random(using: &random) ? ["/tree"] : ["/tree", "/other"]))
            for _ in 0..<2 {
                _ = clean { findings in
                    _ = try restore(
                        SingleFile.imageReader(
                            file, credentials: image.credentials, machine: surroundings.machine),
                        RestoreRequest(target: surroundings.target), progress: Progress(), findings: findings)
                }
            }
            try surroundings.check("round \(round)")
            if round % 5 == 4 { run("/bin/rm", ["-rf", surroundings.target.description]) }
        }
    }

    /// Runs what may end with an error of ours, and says whether anything was said.
    private func clean(_ body: (Findings) throws -> Void) -> Bool {
        let findings = Findings()
        do {
            try body(findings)
        } catch is ImageError {
            return true
        } catch {
            Issue.record(error, "it did not end with an error of ours")
        }
        return findings.count > 0
    }

    fileprivate static let paths = ["/tree", "/..", "/../x", "/a/../../beside", "/link", "/", "", "tree/../.."].map {
        Array($0.utf8)
    }
}
