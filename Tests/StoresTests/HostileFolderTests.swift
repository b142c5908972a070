// Somebody who may write to the folder of a store swaps its names for links while root works in it. Root must not be led out: nothing of the
// tree outside is read, changed or removed.

import Glibc
import Platform
import Stores
import Synchronization
import TestSupport
import Testing

/// A store with `v/ab/…`, a canary with the same names outside, and links to it under hidden names, ready to be swapped in.
private struct HostilePlace {
    let place: StorePlace
    let canary: CanaryTree
    let outside: BytePath
    /// What can be swapped: the folder of folders, a folder, an object.
    let pairs: [(BytePath, BytePath)]

    /// - Parameter number: of the place in the scratch folder.
    init(_ scratch: ScratchFolder, _ number: Int = 0) throws {
        place = StorePlace(scratch, name: "store-\(number)")
        let (folder, outside) = (place.folder, scratch.path.appending("outside-\(number)"))
        for (top, text) in [(folder, "inside"), (outside, "outside")] {
            for name in ["", "v", "v/ab"] { plantFolder(top.appending(name)) }
            for name in ["one", "two"] { try plant(top.appending("v/ab/\(name)"), text) }
        }
        pairs = [("v", ".v"), ("v/ab", "v/.ab"), ("v/ab/one", "v/ab/.one")].map { name, link in
            plantLink(folder.appending(link), to: outside.appending(name))
            return (folder.appending(name), folder.appending(link))
        }
        self.outside = outside
        canary = CanaryTree(outside)
    }

    /// Puts the object and the link to swap it for in place again, if root has removed one of them.
    func restock(_ folder: Descriptor) {
        let isLink = ["one", ".one"].map { (try? folder.status(of: bytes($0)))?.kind == .symbolicLink }
        if isLink.contains(true) { return }
        try? folder.remove(bytes(".one"))
        try? folder.makeSymbolicLink(bytes(".one"), target: outside.appending("v/ab/one").bytes)
    }

    /// Whether all that stands outside is what stood there before. Looking touches it.
    func isOutsideSound() throws -> Bool {
        for (folder, expected) in [("", ["v"]), ("v", ["ab"]), ("v/ab", ["one", "two"])] {
            let listing = try DirectoryListing(of: Descriptor.open(outside.appending(folder), .directory))
            if (0..<listing.count).map({ listing[$0] }) != expected.map({ bytes($0) }) { return false }
        }
        return try ["one", "two"].allSatisfy { name in
            var content = [UInt8](repeating: 0, count: 100)
            let count = try Descriptor.open(outside.appending("v/ab/\(name)")).read(intoArray: &content)
            return Array(content[..<count]) == bytes("outside")
        }
    }
}

/// What root does, by name; each answers with what it has read.
private let operations: [(name: String, run: @Sendable (any ObjectStore) throws(StoreError) -> [UInt8])] = [
    (
        "list",
        { store throws(StoreError) in
            _ = try store.list("v"); return []
        }
    ),
    ("open", { store throws(StoreError) in try store.open("v/ab/one", length: nil).read(at: 0, count: 6) }),
    (
        "put",
        { store throws(StoreError) in
            try store.put("v/ab/new", bytes("new")); return []
        }
    ),
    (
        "put into a new folder",
        { store throws(StoreError) in
            try store.put("v/cd/new", bytes("new")); return []
        }
    ),
    (
        "abandon",
        { store throws(StoreError) in
            let upload = try store.create("v/ab/new")
            try upload.append(bytes("new"))
            upload.abandon()
            return []
        }
    ),
    (
        "remove",
        { store throws(StoreError) in
            try store.remove("v/ab/one"); return []
        }
    ),
]

@Suite("A folder of somebody hostile") struct HostileFolderTests {
    /// Runs each operation once per system call and pair of names, and swaps the pair just before that call.
    /// - Returns: what was led outside.
    private func swapAtEveryCall(
        _ makeStore: @escaping @Sendable (BytePath) -> any ObjectStore
    ) throws -> (escapes: Set<String>, places: Int) {
        var escapes: Set<String> = []
        var places = 0
        let scratch = try ScratchFolder()
        for operation in operations {
            for pair in 0..<3 {
                var number = 1
                while true {
                    let hostile = try HostilePlace(scratch, places * 10 + pair)
                    let (name, link) = hostile.pairs[pair]
                    let folder = hostile.place.folder
                    let got = Mutex<[UInt8]>([])
                    let count = stopping(at: nameCalls + ["readlink"]) { call in
                        if call.number == number { exchange(name, link) }
                        return 0
                    } during: {
                        do throws(StoreError) {
                            let bytes = try operation.run(makeStore(folder))
                            got.withLock { $0 = bytes }
                        } catch {}
                    }
                    let isTouched = !hostile.canary.touches().isEmpty
                    let isRead = got.withLock { $0 }.starts(with: bytes("outsid"))
                    if try isTouched || isRead || !hostile.isOutsideSound() {
                        escapes.insert(operation.name)
                    }
                    places += 1
                    if count < number { break }
                    number += 1
                }
            }
        }
        return (escapes, places)
    }

    @Test("Names swapped for links before any system call lead root nowhere")
    func everyCall() throws {
        let found = try swapAtEveryCall { FolderStore($0) }
        #expect(found.escapes == [])
        #expect(found.places > 60)
    }

    @Test("The same swaps lead a store that works by path outside, in every operation")
    func everyCallNaive() throws {
        let found = try swapAtEveryCall { NaiveStore($0) }
        #expect(found.escapes == ["list", "open", "put", "abandon", "remove"])
    }

    /// Works in the folder for some time while its names are swapped as fast as possible.
    /// - Returns: what was touched outside, what was done, and how often the names were swapped.
    private func race(seconds: Int64, _ makeStore: (BytePath) -> any ObjectStore) throws -> (Set<String>, Int, Int) {
        let hostile = try HostilePlace(ScratchFolder())
        let store = makeStore(hostile.place.folder)
        let folder = try Descriptor.open(hostile.place.folder.appending("v/ab"), .directory)
        let swapper = Swapper(hostile.pairs)
        let end = Timestamp.now().seconds + seconds
        var touches: Set<String> = []
        var done = 0
        while Timestamp.now().seconds < end {
            for operation in operations {
                do throws(StoreError) {
                    if try operation.run(store).starts(with: bytes("outsid")) {
                        touches.insert("read by \(operation.name)")
                    }
                    done += 1
                } catch {}
            }
            for name in ["v/ab/new", "v/cd/new"] { do throws(StoreError) { try store.remove(name) } catch {} }
            do throws(StoreError) { try store.put("v/ab/one", bytes("inside")) } catch {}
            hostile.restock(folder)
            touches.formUnion(hostile.canary.touches())
        }
        let swaps = swapper.end()
        touches.formUnion(hostile.canary.touches())
        if try !hostile.isOutsideSound() { touches.insert("changed") }
        return (touches, done, swaps)
    }

    @Test("Names swapped for links as fast as can be lead root nowhere")
    func freeRunning() throws {
        let (touches, done, swaps) = try race(seconds: runsAll ? 600 : 5) { FolderStore($0) }
        #expect(touches == [])
        // Both have been at it.
        #expect(done > 20, "\(done) operations, \(swaps) swaps")
        #expect(swaps > 1000, "\(done) operations, \(swaps) swaps")
    }

    @Test("The same race leads a store that works by path outside")
    func freeRunningNaive() throws {
        let (touches, _, _) = try race(seconds: 5) { NaiveStore($0) }
        #expect(!touches.isEmpty)
    }
}
