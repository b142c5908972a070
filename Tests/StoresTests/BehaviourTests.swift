// What every store has to do, whatever it is made of. These tests know nothing but `ObjectStore`.

import Glibc
import Platform
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("Every store") struct BehaviourTests {
    @Test("Gives back what was put, whole and in parts", arguments: StoreKind.present)
    func roundTrip(kind: StoreKind) throws {
        let place = try kind.place()
        let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try place.store.put("HOLDFAST", bytes("small"))
        try place.store.put("v/ab/empty", [])
        let upload = try place.store.create("v/ab/large")
        for start in stride(from: 0, to: content.count, by: 70_001) {
            try upload.append(Array(content[start..<min(start + 70_001, content.count)]))
        }
        try upload.commit()

        for length in [nil, UInt64(content.count)] {
            let source = try place.store.open("v/ab/large", length: length)
            #expect(source.length == 300_000)
            #expect(try source.read(at: 0, count: 300_000) == content)
            #expect(try source.read(at: 123_456, count: 1000) == Array(content[123_456..<124_456]))
            #expect(try source.read(at: 299_999, count: 1) == [content[299_999]])
            #expect(try source.read(at: 300_000, count: 0) == [])
        }
        #expect(try place.store.read("HOLDFAST", limit: 5) == bytes("small"))
        #expect(try place.store.read("v/ab/empty", limit: 0) == [])
        #expect(
            try place.store.list("v").map { StoredObject(name: $0.name, length: $0.length) } == [
                StoredObject(name: "v/ab/empty", length: 0), StoredObject(name: "v/ab/large", length: 300_000),
            ])
        // Its age is what a prune goes by: when it came, as the store's own clock says it.
        let now = try place.store.time(in: "v")
        for object in try place.store.list("v") {
            if let now { #expect(object.modified.map { now - $0 < 600 && now - $0 > -5 } ?? false) }
        }
        #expect(try place.store.list("v/ab").count == 2)
        #expect(try place.store.contains("v/ab/large"))
    }

    @Test(
        "Ends a read past the end of an object with that reason, and never with fewer bytes",
        arguments: StoreKind.present)
    func pastTheEnd(kind: StoreKind) throws {
        let place = try kind.place()
        try place.store.put("v/object", bytes("0123456789"))
        for length in [nil, 10] as [UInt64?] {
            let source = try place.store.open("v/object", length: length)
            for (offset, count) in [(10, 1), (9, 2), (0, 11), (11, 0), (UInt64.max, 1), (1, Int.max), (UInt64.max, 0)] {
                #expect(reason { _ = try source.read(at: offset, count: count) } == .ended, "\(offset) \(count)")
            }
            #expect(reason { _ = try source.read(at: 0, count: -1) } == .ended)
        }
        // A caller who believes it to be longer than it is meets its end, at once or when reading.
        #expect(
            reason {
                let source = try place.store.open("v/object", length: 20)
                _ = try source.read(at: 0, count: 20)
            } == .ended)
        // Longer than such an object can be: an error, and nothing is read.
        let tooLong = reason { _ = try place.store.read("v/object", limit: 9) }
        // One that repeats it may meet another failure at last.
        #expect(tooLong == .failed || kind == .retrying && tooLong == .unreachable)
    }

    @Test("Says that nothing is there, and says it only then", arguments: StoreKind.present)
    func absent(kind: StoreKind) throws {
        let place = try kind.place()
        // There is no store yet.
        #expect(try place.store.list("v") == [])
        #expect(reason { _ = try place.store.open("v/one", length: nil) } == .absent)
        #expect(try place.store.openIfPresent("v/one") == nil)
        try place.store.remove("v/one")
        #expect(!exists(place.folder), "asking for something has made the store")

        try place.store.put("v/one", bytes("1"))
        #expect(try place.store.list("i") == [])
        #expect(try place.store.list("v/none") == [])
        for name in ["two", "v/two", "w/two", "v/w/x/two"] {
            #expect(reason { _ = try place.store.open(name, length: nil) } == .absent, "\(name)")
            // Who knows the length may be told by the first read only.
            #expect(
                reason { _ = try place.store.open(name, length: 7).read(at: 0, count: 7) } == .absent, "\(name)")
            #expect(try place.store.read(name, limit: 10) == nil)
            #expect(try !place.store.contains(name))
            try place.store.remove(name)
        }
        // What holds objects is none, and what is one holds none.
        #expect(reason { _ = try place.store.open("v", length: nil) } == .absent)
        #expect(reason { _ = try place.store.open("v/one/two", length: nil) } == .absent)
        for name in kind.hasFlatNames ? ["v/one/two", "v"] : [] { try place.store.remove(name) }
        #expect(try place.store.read("v/one", limit: 1) == bytes("1"))
    }

    @Test(
        "Refuses every removal where the account may not remove anything, and says so",
        arguments: StoreKind.present.filter { !$0.allowsRemoval })
    func removalRefused(kind: StoreKind) throws {
        let place = try kind.place()
        try place.store.put("v/one", bytes("one"))
        #expect(reason { try place.store.remove("v/one") } == .refused)
        #expect(try !place.store.removeIfAllowed("v/one"))
        #expect(try place.store.read("v/one", limit: 3) == bytes("one"))
        // What would have to be removed afterwards is not made.
        #expect(try place.store.time(in: "v") == nil)
        #expect(shell("ls -A '\(place.folder)/v'") == "one\n")
    }

    @Test("Removes what it is told to, and nothing else", arguments: StoreKind.present.filter(\.allowsRemoval))
    func removal(kind: StoreKind) throws {
        let place = try kind.place()
        for name in ["v/one", "v/two", "v/one2", "one"] { try place.store.put(name, bytes(name)) }
        try place.store.remove("v/one")
        try place.store.remove("v/one")
        #expect(try place.store.list("v").map(\.name) == ["v/one2", "v/two"])
        #expect(try place.store.contains("one"))
        // The name is free again.
        try place.store.put("v/one", bytes("new"))
        #expect(try place.store.read("v/one", limit: 10) == bytes("new"))
    }

    @Test(
        "Never replaces an object: the second of the name is refused, and its end takes nothing of the first",
        arguments: StoreKind.present.filter(\.refusesSecond))
    func createOnly(kind: StoreKind) throws {
        let place = try kind.place()
        try place.store.put("v/one", bytes("first"))
        #expect(reason { try place.store.put("v/one", bytes("second, and longer")) } == .exists)
        #expect(reason { try place.store.put("v/one", bytes("first")) } == .exists)
        do throws(StoreError) {
            let upload = try place.store.create("v/one")
            try upload.append(bytes("third"))
            do throws(StoreError) {
                try upload.commit()
                Issue.record("two creators of one name")
            } catch {
                #expect(error.reason == .exists)
                upload.abandon()
            }
        } catch { #expect(error.reason == .exists) }
        #expect(try place.store.read("v/one", limit: 100) == bytes("first"))
        #expect(
            try place.store.list("v").map { StoredObject(name: $0.name, length: $0.length) } == [
                StoredObject(name: "v/one", length: 5)
            ])
    }

    @Test("Lets exactly one of two creators of a name win", arguments: StoreKind.present.filter(\.refusesRace))
    func twoCreators(kind: StoreKind) throws {
        let place = try kind.place()
        for round in 0..<(kind.isSlow ? 5 : 100) {
            let name = "v/\(round % 7)/\(round)"
            let wins = Atomic<Int>(0)
            let winner = Atomic<UInt8>(0)
            let others = Atomic<Int>(0)
            let create: @Sendable (UInt8) -> Void = { mark in
                do throws(StoreError) {
                    let upload = try place.store.create(name)
                    do throws(StoreError) {
                        try upload.append([UInt8](repeating: mark, count: 5000))
                        try upload.commit()
                        wins.add(1, ordering: .relaxed)
                        winner.store(mark, ordering: .relaxed)
                    } catch {
                        upload.abandon()
                        throw error
                    }
                } catch { if error.reason != .exists { others.add(1, ordering: .relaxed) } }
            }
            together({ create(1) }, { create(2) })
            #expect(wins.load(ordering: .relaxed) == 1, "round \(round)")
            #expect(others.load(ordering: .relaxed) == 0, "round \(round)")
            let content = try place.store.read(name, limit: 10_000)
            #expect(content == [UInt8](repeating: winner.load(ordering: .relaxed), count: 5000), "round \(round)")
        }
    }

    @Test(
        "Shows an upload that was cut off with the length that it has, and never as whole", arguments: StoreKind.present
    )
    func torn(kind: StoreKind) throws {
        let place = try kind.place()
        try place.store.put("v/whole", bytes("whole"))
        let upload = try place.store.create("v/torn")
        try upload.append(bytes("half of"))
        // Not committed: as after a crash.
        let listed = try place.store.list("v").filter { $0.name == "v/torn" }
        #expect(listed.isEmpty || listed.map(\.length) == [7])
        if let source = try place.store.openIfPresent("v/torn") {
            #expect(source.length == 7)
            #expect(reason { _ = try source.read(at: 0, count: 8) } == .ended)
        }
        if let source = try place.store.openIfPresent("v/torn", length: 12) {
            let ended = reason { _ = try source.read(at: 0, count: 12) }
            #expect(ended == .ended || ended == .absent)
        }
        guard kind.allowsRemoval else { return }
        try place.store.remove("v/torn")
        #expect(try place.store.list("v").map(\.name) == ["v/whole"])
        // Whose file was removed under it has nothing left to remove.
        try place.store.put("v/torn", bytes("another's"))
        upload.abandon()
        #expect(try place.store.read("v/torn", limit: 100) == bytes("another's"))
    }

    @Test("Takes back what was abandoned", arguments: StoreKind.present)
    func abandoned(kind: StoreKind) throws {
        let place = try kind.place()
        let upload = try place.store.create("v/object")
        try upload.append(bytes("some"))
        upload.abandon()
        #expect(try place.store.list("v") == [])
        upload.abandon()
        try place.store.put("v/object", bytes("other"))
        upload.abandon()
        #expect(try place.store.read("v/object", limit: 5) == bytes("other"))
    }

    @Test(
        "Refuses names that no object can have, for every call",
        arguments: [
            "", "/", ".", "..", "a//b", "/a", "a/", "a/../b", "../a", "a/./b", "./a", "a/..", "a\0b", "a/\0", ".hidden",
            "a/.b/c",
            String(repeating: "n", count: 256), String(repeating: "a/", count: 600) + "a",
        ])
    func oddNames(name: String) throws {
        for kind in [StoreKind.retrying, .logging, .pacing, .sftp, .s3] where StoreKind.present.contains(kind) {
            let place = try kind.place()
            try place.store.put("a/b", bytes("b"))
            #expect(reason { _ = try place.store.list(name) } == .refused)
            #expect(reason { _ = try place.store.open(name, length: nil) } == .refused)
            #expect(reason { _ = try place.store.create(name) } == .refused)
            #expect(reason { try place.store.put(name, []) } == .refused)
            #expect(reason { try place.store.remove(name) } == .refused)
            #expect(try place.store.list("a").count == 1)
        }
    }

    @Test("Lists thousands of objects", arguments: StoreKind.present)
    func manyObjects(kind: StoreKind) throws {
        let place = try kind.place()
        let count = kind == .fuse ? 300 : kind.hasFolder ? 10_000 : 1_200
        try place.store.put("v/object-0", [])
        if !kind.hasFolder {
            let failed = Atomic<Int>(0)
            let work: @Sendable (Int) -> Void = { thread in
                for number in stride(from: thread, to: count, by: 4) where number > 0 {
                    do throws(StoreError) { try place.store.put("v/\(number % 9)/\(number)", bytes("x")) } catch {
                        failed.add(1, ordering: .relaxed)
                    }
                }
            }
            together({ work(0) }, { work(1) }, { work(2) }, { work(3) })
            #expect(failed.load(ordering: .relaxed) == 0)
        }
        // Made beside the store: 10,000 syncs are not what is tried here.
        for number in 1..<count where kind.hasFolder {
            if number < 10 { plantFolder(place.folder.appending("v/\(number % 9)")) }
            try plant(place.folder.appending("v/\(number % 9)/\(number)"), "x")
        }
        let listed = try place.store.list("v")
        #expect(listed.count == count)
        #expect(Set(listed.map(\.name)).count == count)
        #expect(listed.map(\.length).reduce(0, +) == UInt64(count - 1))
    }

    @Test("Lists what is there all the time while others write and remove", arguments: StoreKind.present)
    func listingWhileWriting(kind: StoreKind) throws {
        let place = try kind.place()
        for number in 0..<20 { try place.store.put("v/\(number % 3)/steady-\(number)", bytes("steady")) }
        let isDone = Atomic<Bool>(false)
        let failures = Mutex<[String]>([])
        together(
            {
                for number in 0..<(kind.isSlow ? 10 : 300) {
                    do throws(StoreError) {
                        try place.store.put("v/\(number % 5)/passing-\(number)", bytes("passing"))
                        if kind.allowsRemoval { try place.store.remove("v/\(number % 5)/passing-\(number)") }
                    } catch { failures.withLock { $0.append("writing: \(error)") } }
                }
                isDone.store(true, ordering: .releasing)
            },
            {
                while !isDone.load(ordering: .acquiring) {
                    do throws(StoreError) {
                        let steady = try place.store.list("v").filter { $0.name.contains("steady") }
                        if steady.count != 20 || !steady.allSatisfy({ $0.length == 6 }) {
                            failures.withLock { $0.append("seen: \(steady)") }
                        }
                    } catch { failures.withLock { $0.append("listing: \(error)") } }
                }
            })
        #expect(failures.withLock { $0 } == [])
    }

    @Test("Serves several threads at once", arguments: StoreKind.present)
    func manyThreads(kind: StoreKind) throws {
        let place = try kind.place()
        // Where two make a folder at once rclone may answer 500 to one of them: that is repeated, as it is in the program.
        let store = kind == .rclone ? RetryingStore(place.store) : place.store
        let failures = Mutex<[String]>([])
        let work: @Sendable (Int) -> Void = { thread in
            for number in 0..<(kind.isSlow ? 4 : 50) {
                do throws(StoreError) {
                    let name = "v/\(number)/of-\(thread)"
                    try store.put(name, bytes(name))
                    guard try store.read(name, limit: 100) == bytes(name) else {
                        failures.withLock { $0.append("\(name) is another") }
                        continue
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        together({ work(1) }, { work(2) }, { work(3) }, { work(4) })
        #expect(failures.withLock { $0 } == [])
        #expect(try place.store.list("v").count == (kind.isSlow ? 16 : 200))
    }

    @Test(
        "Tells its own time where it has one, and leaves nothing behind for that",
        arguments: StoreKind.present.filter(\.allowsRemoval))
    func time(kind: StoreKind) throws {
        let place = try kind.place()
        try place.store.put("v/one", bytes("first"))
        for folder in ["v", "i/ab/cd"] {
            let before = Timestamp.now().seconds
            let time = try #require(try place.store.time(in: folder))
            // Coarse clocks of file systems round down.
            #expect((before - 3...Timestamp.now().seconds + 3).contains(time))
        }
        #expect(try place.store.list("v").map(\.name) == ["v/one"])
        #expect(try place.store.list("i").isEmpty)
        if kind.hasFolder { #expect(shell("find \(place.folder) -name '.time*'") == "") }
    }
}
