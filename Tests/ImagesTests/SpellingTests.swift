// Names that look alike and are not the same.

import Platform
import Stores
import Testing

@testable import Images

@Suite struct SpellingTests {
    @Test("Two series whose names differ in their bytes alone are two, for whoever counts or asks")
    func spellings() throws {
        let (one, other) = ("a/caf\u{e9}", "a/cafe\u{301}")
        #expect(one == other && Array(one.utf8) != Array(other.utf8))
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let first = try plant.backup(plant.tree(), on: a, series: one)
        let second = try plant.backup(plant.tree(seed: 2), on: a, series: other)
        #expect(first.label.sequence == 1 && second.label.sequence == 1 && second.label.parent == nil)
        let store = try plant.owned()
        #expect(try store.find("latest", ImageFilter(series: one)).id == first.id)
        #expect(try store.find("latest", ImageFilter(series: other)).id == second.id)
        #expect(throws: ImageError.self) { try store.find("latest") }
        #expect(try store.lostImages(store.images()).isEmpty)
        for copy in try plant.root(first.id).name.both { try removeFile(plant.file(copy)) }
        #expect(try store.lostImages(store.images()).count == 1)
        // A machine may take a prefix that another one's only looks like.
        _ = try Store.join(
            FolderStore(plant.path), JoinRequest(series: ["caf\u{e9}/"]), credentials: plant.credentials,
            machine: plant.scratch.machine("b"))
        #expect(throws: Never.self) {
            try Store.join(
                FolderStore(plant.path), JoinRequest(series: ["cafe\u{301}/"]), credentials: plant.credentials,
                machine: plant.scratch.machine("c"))
        }
    }
}
