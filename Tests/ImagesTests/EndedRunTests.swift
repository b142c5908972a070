// A run that ended between the two copies of its root: the next run of its machine makes it an image where nothing speaks against it.

import Cryptography
import Platform
import Reporting
import Stores
import TestSupport
import Testing

@testable import Images

@Suite struct EndedRunTests {
    private let plant: Plant
    private let a: MachineState
    private let first: BackupReport
    private let unfinished: ImageSummary

    /// A machine with one image, and one of which only the second copy was written.
    init() throws {
        plant = try Plant()
        a = try plant.machine("a", group: "line")
        first = try plant.backup(plant.tree(), on: a)
        try put(plant.scratch.file("tree/new"), [1, 2, 3])
        let cut = WatchedStore(FolderStore(plant.path)) { verb, name throws(StoreError) in
            if verb == .put, name.hasPrefix("i/"), !ObjectName.isSecond(name) {
                throw StoreError(.unreachable, "put", name)
            }
        }
        let store = try Store.open(cut, for: .write, credentials: Credentials(), machine: a)
        let request = BackupRequest(sources: [plant.scratch.file("tree")], name: "plc")
        let ended = status { _ = try store.backup(request, progress: Progress(), findings: Findings()) }
        #expect(ended == 1)
        let found = try #require(try plant.owned().images().first { $0.isUnfinished })
        #expect(found.label?.sequence == 2)
        unfinished = found
    }

    private var latest: ObjectID {
        get throws { try plant.owned().find("latest", ImageFilter(series: "a/plc")).id }
    }

    @Test("An image that only lacks its first copy gets it from the next run, which goes on with its series")
    func finished() throws {
        #expect(try latest == first.id)
        let next = try plant.backup(plant.scratch.file("tree"), on: a)
        #expect(next.label.sequence == 3 && next.label.parent == unfinished.id && next.label.newBytes == 0)
        #expect(try latest == next.id)
        let images = try plant.owned().images()
        #expect(images.count == 3 && images.allSatisfy(\.counts))
        #expect(try plant.restore(unfinished.id.description).findings == 0)
        #expect(try plant.verify().findings == 0)
    }

    @Test("Who asks for the latest image is told of a newer one that is unfinished")
    func told() throws {
        let found = try plant.owned().find("latest", ImageFilter(series: "a/plc"))
        #expect(found.id == first.id && found.note?.kind == .note)
        #expect(found.note?.reason.contains("`restore \(unfinished.id.short)` takes it") == true)
        #expect(try plant.owned().find(first.id.description).note == nil)
        let said = Said()
        _ = try plant.owned().verify(
            image: nil, readData: false, progress: Progress(), findings: Findings { said.reasons.append($0.reason) })
        #expect(said.reasons.contains { $0.contains("was finished, or this copy was removed since") })
    }

    private final class Said: @unchecked Sendable { var reasons: [String] = [] }

    @Test("One of which a volume is gone stays unfinished, by its id alone, and its number is not given again")
    func volumeGone() throws {
        let root = try plant.root(unfinished.id)
        let old = Set(try plant.root(first.id).volumes.map(\.id))
        let own = try #require(root.volumes.first { !old.contains($0.id) })
        for copy in own.name(.volume, group: root.name.group).both where exists(plant.file(copy)) {
            try removeFile(plant.file(copy))
        }
        let next = try plant.backup(plant.scratch.file("tree"), on: a)
        #expect(next.label.sequence == 3 && next.label.parent == first.id)
        #expect(try latest == next.id)
        for _ in 0..<2 {
            #expect(try plant.owned().images().filter(\.isUnfinished).map(\.id) == [unfinished.id])
            // The machine takes it for its own from now on, without the record of that run.
            try plant.backup(plant.scratch.file("tree"), on: a)
        }
    }

    @Test("One of which a volume is condemned stays unfinished")
    func condemned() throws {
        let steward = try plant.owned().issueSteward(name: "steward")
        let root = try plant.root(unfinished.id)
        try plant.condemn(root.volumes, by: steward, group: root.name.group)
        let next = try plant.backup(plant.scratch.file("tree"), on: a)
        #expect(next.label.sequence == 3 && next.label.parent == first.id)
        #expect(try plant.owned().images().filter(\.isUnfinished).map(\.id) == [unfinished.id])
    }

    @Test("One whose series went on before anybody could finish it stays unfinished")
    func seriesWentOn() throws {
        let runs = a.state.appending("stores/\(try plant.owned().id)/runs")
        let aside = plant.scratch.file("runs")
        // Another run of this machine that does not see that it ended.
        #expect(run("/bin/cp", ["-a", runs.description, aside.description]) == 0)
        try a.remember(plant.owned().id) { $0.ownRoots.insert(unfinished.id) }
        #expect(run("/bin/rm", ["-r", runs.description]) == 0)
        let next = try plant.backup(plant.scratch.file("tree"), on: a)
        #expect(next.label.sequence == 3)
        #expect(run("/bin/rm", ["-r", runs.description]) == 0)
        #expect(run("/bin/cp", ["-a", aside.description, runs.description]) == 0)
        let last = try plant.backup(plant.scratch.file("tree"), on: a)
        #expect(last.label.sequence == 4 && last.label.parent == next.id)
        #expect(try plant.owned().images().filter(\.isUnfinished).map(\.id) == [unfinished.id])
        #expect(try latest == last.id)
    }

    @Test("A first copy that was cut at any length is told as what a killed run leaves, and the image counts")
    func tornIsTold() throws {
        let root = try plant.root(unfinished.id)
        let whole = try readWhole(plant.file(root.name.second), limit: 1 << 20)
        for length in [0, 1, 60, 300, whole.count - 1] {
            try plant.overwrite(root.name.text, Array(whole.prefix(length)))
            let said = Said()
            let report = try plant.owned().verify(
                image: nil, readData: false, progress: Progress(), findings: Findings { said.reasons.append($0.reason) }
            )
            #expect(report.findings == 1)
            #expect(
                said.reasons.allSatisfy { $0.contains("was finished, or this copy was cut off since") }, "\(length)")
            #expect(try latest == unfinished.id)
        }
    }

    @Test(
        "A first copy that was cut is replaced, and where nothing can be removed the run goes on beside it",
        arguments: [true, false])
    func torn(removable: Bool) throws {
        let root = try plant.root(unfinished.id)
        let whole = try readWhole(plant.file(root.name.second), limit: 1 << 20)
        try plant.overwrite(root.name.text, Array(whole.prefix(300)))
        let store = try Store.open(
            WatchedStore(FolderStore(plant.path)) { verb, name throws(StoreError) in
                if verb == .remove, !removable { throw StoreError(.refused, "remove", name) }
            }, for: .write, credentials: Credentials(), machine: a)
        _ = try store.backup(
            BackupRequest(sources: [plant.scratch.file("tree")], name: "plc"), progress: Progress(),
            findings: Findings())
        #expect(try (readWhole(plant.file(root.name.text), limit: 1 << 20) == whole) == removable)
        #expect(try plant.restore(unfinished.id.description).findings == 0)
        #expect(try plant.owned().images().filter(\.counts).count == 3)
    }
}
