// What wrappers add to the store that they wrap.

import Glibc
import Platform
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("Wrappers of stores") struct WrapperTests {
    @Test(
        "Repeating hides a call that failed for a moment, whichever it is, before or after its effect",
        arguments: FlakyStore.Moment.allCases)
    func retrying(moment: FlakyStore.Moment) throws {
        for failing in 1...6 {
            let place = StorePlace(try ScratchFolder())
            let flaky = FlakyStore(place.store, failing: failing, moment, reason: .unreachable)
            let pauses = Atomic<Int>(0)
            let store = RetryingStore(flaky) { _ in pauses.add(1, ordering: .relaxed) }
            try store.put("v/one", bytes("one"))
            #expect(try store.list("v").map(\.name) == ["v/one"])
            #expect(try store.open("v/one", length: nil).read(at: 1, count: 2) == bytes("ne"))
            try store.remove("v/one")
            try store.put("v/one", bytes("two"))
            #expect(flaky.hasFailed, "\(failing)")
            #expect(pauses.load(ordering: .relaxed) == 1)
            #expect(try place.store.read("v/one", limit: 3) == bytes("two"))
        }
    }

    @Test("Repeating does not take another's object for its own put whose answer was lost")
    func othersObject() throws {
        for other in ["else", "longer than what was put", ""] {
            let place = StorePlace(try ScratchFolder())
            try place.store.put("v/one", bytes(other))
            let pauses = Atomic<Int>(0)
            let store = RetryingStore(FlakyStore(place.store, failing: 1, .beforeEffect)) { _ in
                pauses.add(1, ordering: .relaxed)
            }
            #expect(reason { try store.put("v/one", bytes("mine")) } == .exists)
            #expect(pauses.load(ordering: .relaxed) == 1)
            #expect(try place.store.read("v/one", limit: 100) == bytes(other))
        }
        // One that was there before the first attempt is not its own either, though it has the same bytes.
        let place = StorePlace(try ScratchFolder())
        try place.store.put("v/one", bytes("mine"))
        #expect(reason { try RetryingStore(place.store).put("v/one", bytes("mine")) } == .exists)
    }

    @Test(
        "Repeating ends: after its attempts, and at once where it cannot help",
        arguments: [
            (StoreError.Reason.failed, 4), (.unreachable, 4), (.absent, 1), (.refused, 1), (.full, 1), (.exists, 1),
            (.ended, 1),
            (.notDurable, 1),
        ])
    func attempts(reason expected: StoreError.Reason, attempts: Int) throws {
        let place = StorePlace(try ScratchFolder())
        for call in 0..<4 {
            let flaky = FlakyStore(place.store, failing: 1, .beforeEffect, reason: expected, isLasting: true)
            let store = RetryingStore(flaky, attempts: 4) { _ in }
            #expect(
                reason {
                    switch call {
                    case 0: _ = try store.list("v")
                    case 1: _ = try store.open("v/one", length: nil)
                    case 2: _ = try store.put("v/one", [])
                    default: try store.remove("v/one")
                    }
                } == expected)
            #expect(flaky.calls == attempts)
        }
    }

    @Test("A sync that failed is not repeated, and a put of the same bytes is not believed because they can be read")
    func failedSyncIsNotRepeated() throws {
        let place = StorePlace(try ScratchFolder())
        let outcome = Mutex<StoreError.Reason?>(nil)
        let syncs = stopping(at: ["fsync", "unlinkat"]) { call in
            // The sync of the file fails, and so does the removal of what was written.
            call.path.hasSuffix("v/one") || call.name == "unlinkat" ? EIO : 0
        } during: {
            let failed = reason { try RetryingStore(place.store) { _ in }.put("v/one", bytes("one")) }
            outcome.withLock { $0 = failed }
        }
        #expect(outcome.withLock { $0 } == .notDurable)
        #expect(syncs == 4, "parent and folder of the store, the file once, and the attempt to remove it")
    }

    @Test("A put stays one call through every wrapper, so that it can be repeated as a whole")
    func putIsOneCall() throws {
        for wrap: (any ObjectStore) -> any ObjectStore in [
            { LoggingStore($0) { _ in } }, { PacingStore($0, bytesPerSecond: 1 << 30) }, { RetryingStore($0) },
        ] {
            let place = StorePlace(try ScratchFolder())
            let inner = SlowStore(place.store, milliseconds: 0)
            try withExtendedLifetime(place) { try wrap(inner).put("v/one", bytes("one")) }
            #expect(inner.calls == 1)
        }
    }

    @Test("Logging tells every call once, with its bytes and with what it failed of")
    func logging() throws {
        let place = StorePlace(try ScratchFolder())
        let calls = Mutex<[StoreCall]>([])
        let store = LoggingStore(place.store) { call in calls.withLock { $0.append(call) } }
        let upload = try store.create("v/one")
        try upload.append(bytes("one"))
        try upload.commit()
        _ = try store.list("v")
        _ = try store.open("v/one", length: nil).read(at: 0, count: 2)
        try store.put("v/two", bytes("two!"))
        _ = reason { try store.put("v/two", []) }
        try store.remove("v/one")
        _ = reason { _ = try store.open("v/one", length: nil) }
        let told = calls.withLock { $0 }.map {
            "\($0.verb) \($0.name) \($0.bytes) \($0.error.map { "\($0.reason)" } ?? "")"
        }
        #expect(
            told == [
                "create v/one 0 ", "append v/one 3 ", "commit v/one 0 ", "list v 0 ", "open v/one 0 ", "read v/one 2 ",
                "put v/two 4 ", "put v/two 0 exists", "remove v/one 0 ", "open v/one 0 absent",
            ])
    }

    @Test("Pacing keeps to its rate over reads and writes together, and traps on no number")
    func pacing() throws {
        let place = StorePlace(try ScratchFolder())
        let store = PacingStore(place.store, bytesPerSecond: 1_000_000)
        let begin = Timestamp.now()
        let upload = try store.create("v/one")
        for _ in 0..<4 { try upload.append([UInt8](repeating: 1, count: 50_000)) }
        try upload.commit()
        let source = try store.open("v/one", length: nil)
        for _ in 0..<2 { _ = try source.read(at: 0, count: 50_000) }
        let end = Timestamp.now()
        let milliseconds =
            (end.seconds - begin.seconds) * 1000 + (Int64(end.nanoseconds) - Int64(begin.nanoseconds)) / 1_000_000
        // What passed last is paid by whoever comes next.
        #expect(milliseconds >= 249)
        #expect(milliseconds < 5000)
        // More than the clock can count: an hour at most, for whoever comes next.
        let slow = PacingStore(place.store, bytesPerSecond: 0)
        withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { one in
            let endless = UnsafeMutableRawBufferPointer(start: one.baseAddress, count: Int.max)
            #expect(reason { try slow.open("v/one", length: nil).read(at: 0, into: endless) } == .ended)
        }
    }

    @Test("A flaky store has its effect or not, as it is told, and fails once or from then on")
    func flaky() throws {
        let place = StorePlace(try ScratchFolder())
        let before = FlakyStore(place.store, failing: 2, .beforeEffect, reason: .full)
        try before.put("v/one", [])
        #expect(reason { try before.put("v/two", []) } == .full)
        try before.put("v/three", [])
        let after = FlakyStore(place.store, failing: 1, .afterEffect, isLasting: true)
        #expect(reason { try after.put("v/four", []) } == .failed)
        #expect(reason { try after.put("v/five", []) } == .failed)
        #expect(try place.store.list("v").map(\.name) == ["v/four", "v/one", "v/three"])
        // An abandon that fails leaves what it should have removed.
        let leaving = FlakyStore(place.store, failing: 3, .beforeEffect)
        let upload = try leaving.create("v/torn")
        try upload.append(bytes("half"))
        upload.abandon()
        #expect(leaving.hasFailed)
        #expect(try place.store.contains("v/torn"))
    }
}
