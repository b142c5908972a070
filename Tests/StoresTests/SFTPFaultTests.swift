// Connections that end, stop or talk nonsense, at each request of each call: what is said to be there is there, whole, and nothing hangs.

import Glibc
import Platform
import Stores
import Synchronization
import TestSupport
import Testing

/// A server whose first conversation has one fault.
private struct FaultyPlace {
    let place: StorePlace
    let marker: BytePath

    /// - Parameters:
    ///   - number: at which request, from 1 on.
    ///   - options: of the server.
    init(_ mode: String, at number: Int, options: String = "", deadline: Int = 60_000, connections: Int = 1) throws {
        let scratch = try ScratchFolder(in: "/dev/shm")
        marker = scratch.path.appending("fault")
        let words = options.split(separator: " ").map { ProgramWord(String($0)) }
        place = try StorePlace(
            sftp: scratch,
            program: [
                "/usr/bin/python3", ProgramWord(BytePath(#filePath).parent.appending("sftp-faults.py")),
                ProgramWord(marker), ProgramWord(mode), "\(number)", ProgramWord(sftpServer),
            ] + words, connections: connections, deadline: deadline)
    }

    /// What happens to the next conversation that begins.
    func arm() throws { try plant(BytePath("\(marker).armed"), "") }

    var hasHappened: Bool { exists(BytePath("\(marker).done")) }

    /// The same server, with what failed repeated.
    var retrying: any ObjectStore { RetryingStore(place.store) { _ in } }
}

private let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 3) }

/// What is done while the fault happens; each says what is wrong.
private let calls: [(name: String, prepare: String, run: @Sendable (any ObjectStore) throws -> String?)] = [
    (
        "put", "",
        { store in
            try store.put("v/ab/new", content)
            return try store.read("v/ab/new", limit: 1 << 20) == content ? nil : "it is another"
        }
    ),
    (
        "upload", "",
        { store in
            let upload = try store.create("v/ab/new")
            try upload.append(content)
            try upload.commit()
            return try store.read("v/ab/new", limit: 1 << 20) == content ? nil : "it is another"
        }
    ),
    ("read", "v/ab/one", { store in try store.read("v/ab/one", limit: 1 << 20) == content ? nil : "it is another" }),
    (
        "read in parts", "v/ab/one",
        { store in
            let source = try store.open("v/ab/one", length: 200_000)
            let parts = try [0, 100_000].map { try source.read(at: $0, count: 100_000) }
            return parts[0] + parts[1] == content ? nil : "it is another"
        }
    ),
    (
        "list", "v/ab/one v/cd/two v/three",
        { store in
            let names = try store.list("v").map(\.name)
            return names == ["v/ab/one", "v/cd/two", "v/three"] ? nil : "\(names)"
        }
    ),
    ("list nothing", "i/one", { store in try store.list("v") == [] ? nil : "there is something" }),
    (
        "remove", "v/ab/one",
        { store in
            try store.remove("v/ab/one")
            return try store.contains("v/ab/one") ? "it is there" : nil
        }
    ),
    ("time", "v/ab/one", { store in try store.time(in: "v") == nil ? "it has none" : nil }),
]

@Suite("Faults of an SFTP server", .enabled(if: hasSFTP), .serialized) struct SFTPFaultTests {
    private func prepare(_ place: StorePlace, _ names: String) throws {
        plantFolder(place.folder)
        for name in names.split(separator: " ") {
            shell("mkdir -p '\(place.folder)/\(name)' && rmdir '\(place.folder)/\(name)'")
            let file = try Descriptor.open(place.folder.appending(String(name)), [.write, .create, .exclusive])
            try file.write(content)
        }
    }

    @Test(
        "A conversation that ends at any request is begun again, and the call does what it should",
        arguments: calls.indices, runsAll ? ["before", "after", "partly"] : ["before", "after"])
    func ended(call: Int, mode: String) throws {
        // Without --all each mode has every second request.
        var number = mode == "after" ? 2 : 1
        while true {
            let faulty = try FaultyPlace(mode, at: number)
            try prepare(faulty.place, calls[call].prepare)
            try faulty.arm()
            let wrong = try calls[call].run(faulty.retrying)
            #expect(wrong == nil, "\(calls[call].name), request \(number)")
            // Nothing is left of what was begun.
            let left = shell("cd '\(faulty.place.folder)' && find . -name '.*' -type f")
            #expect(left == "" || calls[call].name == "time", "\(left)")
            if !faulty.hasHappened { break }
            number += runsAll ? 1 : 4
            try #require(number < 60)
        }
        #expect(number > 3, "\(calls[call].name)")
    }

    @Test(
        "Where nothing may be removed, an object whose writing was cut is whole, or its name is given up for good",
        arguments: ["before", "after", "partly"])
    func createOnly(mode: String) throws {
        var number = 1
        var (whole, givenUp) = (0, 0)
        while true {
            let faulty = try FaultyPlace(mode, at: number, options: createOnlyOptions)
            try prepare(faulty.place, "v/ab/one")
            try faulty.arm()
            let path = faulty.place.folder.appending("v/ab/new")
            do throws(StoreError) {
                try faulty.retrying.put("v/ab/new", content)
                #expect(try faulty.retrying.read("v/ab/new", limit: 1 << 20) == content, "request \(number)")
                whole += 1
            } catch {
                #expect(error.reason == .notDurable, "request \(number): \(error)")
                #expect(error.mend?.contains("other names") ?? false)
                #expect(exists(path))
                // Also later, and never by the wrong object.
                #expect(reason { try faulty.place.store.put("v/ab/new", content) } == .notDurable)
                // Another name is no problem.
                try faulty.place.store.put("v/ab/other", content)
                givenUp += 1
            }
            if !faulty.hasHappened { break }
            number += 1
        }
        #expect(whole > 2 && givenUp > 1, "\(whole) \(givenUp)")
    }

    @Test("A server that stops answering is left after the deadline", arguments: calls.indices)
    func frozen(call: Int) throws {
        for number in runsAll ? Array(1...8) : [3] {
            let faulty = try FaultyPlace("freeze", at: number, deadline: 2000)
            try prepare(faulty.place, calls[call].prepare)
            try faulty.arm()
            let begin = Timestamp.now().seconds
            do {
                _ = try calls[call].run(faulty.place.store)
            } catch {
                #expect((error as? StoreError)?.reason == .unreachable, "\(error)")
            }
            #expect(Timestamp.now().seconds - begin < 20)
            // Not every call has eight requests; each has four.
            #expect(faulty.hasHappened || number > 4)
            if !faulty.hasHappened { break }
            // And another one begun. What was being written may have arrived in part.
            #expect(try calls[call].run(faulty.retrying) == nil, "\(calls[call].name), request \(number)")
        }
    }

    @Test("A server that takes nothing more does not hold up who sends, nor others who wait")
    func blocked() throws {
        let faulty = try FaultyPlace("freeze", at: 4, deadline: 2000)
        try faulty.arm()
        let large = [UInt8](repeating: 7, count: 8 << 20)
        let reasons = Mutex<[StoreError.Reason?]>([])
        let put: @Sendable (String) -> Void = { name in
            let found = reason { try faulty.place.store.put(name, large) }
            reasons.withLock { $0.append(found) }
        }
        let begin = Timestamp.now().seconds
        together({ put("one") }, { put("two") }, { put("three") })
        #expect(Timestamp.now().seconds - begin < 30)
        #expect(reasons.withLock { $0.contains(.unreachable) && $0.allSatisfy { $0 == nil || $0 == .unreachable } })
    }

    @Test(
        "What is no answer ends the conversation, and nothing else",
        arguments: [
            "ffffffff", "00000000", "00040401", "7fffffff00", "000000056500000001", "0000000501000000ff",
            // A status, a handle and data that nobody asked for.
            "0000001165000003e700000000000000000000000000", "0000000d66000003e70000000474657374",
            "000000096800000003ffffffff", "00000009670000000300000000",
        ])
    func nonsense(bytes: String) throws {
        for number in runsAll ? Array(1...6) : [1, 4] {
            let faulty = try FaultyPlace("say:\(bytes)", at: number, deadline: 2000)
            try prepare(faulty.place, "v/ab/one v/three")
            try faulty.arm()
            do {
                let names = try faulty.place.store.list("v").map(\.name)
                #expect(names == ["v/ab/one", "v/three"], "request \(number)")
            } catch {
                let found = error.reason
                #expect(found == .unreachable || number == 1 && found == .unusable, "request \(number): \(error)")
            }
            #expect(try faulty.retrying.list("v").count == 2)
        }
    }

    /// What a server answers to a listing and a read.
    private func recorded() throws -> (file: BytePath, scratch: ScratchFolder, bytes: [UInt8]) {
        let scratch = try ScratchFolder(in: "/dev/shm")
        let file = scratch.path.appending("answers")
        let faulty = try FaultyPlace("record:\(file)", at: 0)
        try prepare(faulty.place, "v/ab/one v/three")
        shell("cd '\(faulty.place.folder)' && for i in v/ab/one v/three; do echo short > $i; done")
        #expect(try talk(faulty.place.store) == nil)
        return (file, scratch, try readWhole(file, limit: 1 << 20))
    }

    private func talk(_ store: any ObjectStore) throws -> String? {
        let names = try store.list("v").map(\.name)
        guard names == ["v/ab/one", "v/three"] else { return "\(names)" }
        return try store.read("v/three", limit: 100) == bytes("short\n") ? nil : "it is another"
    }

    private func replay(_ file: BytePath, _ words: [Int], deadline: Int) throws -> String? {
        let store = SFTPStore(
            try SFTPLocation(bytes("sftp://server/store")), connections: 1, deadline: deadline,
            program: [
                "/usr/bin/python3", ProgramWord(BytePath(#filePath).parent.appending("sftp-faults.py")), "replay",
                ProgramWord(file),
            ] + words.map { "\($0)" })
        return try talk(store)
    }

    @Test("Every beginning of what a server says, and then its end, is an error and never a shorter answer")
    func beginnings() throws {
        let (file, scratch, bytes) = try recorded()
        _ = scratch
        #expect(try replay(file, [bytes.count], deadline: 5000) == nil)
        for length in stride(from: 0, to: bytes.count - 30, by: runsAll ? 1 : 23) {
            do {
                // The close at the end is nothing that anybody waits for.
                #expect(try replay(file, [length], deadline: 5000) == nil, "\(length) of \(bytes.count)")
            } catch {
                #expect([.unreachable, .unusable].contains((error as? StoreError)?.reason), "\(length): \(error)")
            }
        }
    }

    @Test("What a server says with a byte of it changed is an error or an answer, and nothing hangs")
    func changed() throws {
        let (file, scratch, bytes) = try recorded()
        _ = scratch
        for place in stride(from: 0, to: bytes.count, by: runsAll ? 1 : 37) {
            do {
                _ = try replay(file, [bytes.count, place, place % 2 == 0 ? 0xff : 0x03], deadline: 300)
            } catch { #expect(error is StoreError, "\(place): \(error)") }
        }
    }
}
