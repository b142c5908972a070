// Every call on a store fails once: before its effect, or after it with the answer lost. Nothing that an image names may be gone, and
// the next run goes on.

import Cryptography
import Images
import Platform
import Reporting
import Stores
import TestSupport
import Testing

@Suite(.serialized) struct FlakyStoreTests {
    private let scratch: Scratch
    private let store: TestStore

    /// A store with one image of `tree1`; `tree2` is what is backed up next.
    init() throws {
        scratch = try Scratch()
        store = try TestStore(scratch)
        var random = SplitMix64(seed: 7)
        for index in 0..<6 { try put(scratch.file("tree/\(index)"), random.bytes(2000)) }
        try put(scratch.file("tree/large"), random.bytes(700_000))
        try store.backup(scratch.file("tree"), name: "first")
        copy("tree", "tree1")
        try put(scratch.file("tree/new"), random.bytes(500_000))
        try put(scratch.file("tree/1"), random.bytes(3000))
        copy("store", "store.before")
        copy("machine", "machine.before")
    }

    private func copy(_ from: String, _ to: String) {
        run("/bin/rm", ["-rf", scratch.file(to).description])
        run("/bin/cp", ["-a", scratch.file(from).description, scratch.file(to).description])
    }

    /// Runs `work` again and again, each time with another call that fails, from the same beginning.
    private func forEachCall(
        _ moment: FlakyStore.Moment, _ reason: StoreError.Reason, wraps folder: BytePath,
        _ work: (any ObjectStore) throws -> Void, after check: (_ call: Int, _ hasThrown: Bool) throws -> Void
    ) throws -> Int {
        var call = 1
        while true {
            copy("store.before", "store")
            copy("machine.before", "machine")
            run("/bin/rm", ["-rf", scratch.file("target").description])
            let flaky = FlakyStore(FolderStore(folder), failing: call, moment, reason: reason)
            var hasThrown = false
            do { try work(flaky) } catch { hasThrown = true }
            guard flaky.hasFailed else { return call - 1 }
            try check(call, hasThrown)
            call += runsAll || call < 6 ? 1 : 9
        }
    }

    /// Every listed image restores bit for bit, verification finds nothing, and the next backup succeeds.
    private func checkStore(_ call: Int) throws {
        let opened = try store.opened()
        for image in try opened.images() {
            #expect(image.problem == nil, "call \(call): \(image.problem ?? "")")
            let target = scratch.file("out/\(image.id)")
            try store.restore(image.id.description, to: target)
            let found = try [scratch.file("tree"), scratch.file("tree1")].map {
                try differences(look(at: $0), look(at: target))
            }
            #expect(found.contains([]), "call \(call): \(found)")
        }
        run("/bin/rm", ["-rf", scratch.file("out").description])
        let findings = Findings()
        // One that has no first copy yet is named for what it is.
        let unfinished = try opened.images().filter(\.isUnfinished).count
        #expect(try store.verify(findings: findings).findings == UInt64(unfinished), "call \(call)")
        try store.backup(scratch.file("tree"), name: "next")
        try store.restore("next", to: scratch.file("out/next"))
        try expectSameTree(scratch.file("out/next"), scratch.file("tree"))
        run("/bin/rm", ["-rf", scratch.file("out").description])
    }

    @Test(
        "Whatever call of a backup fails, every listed image restores and the next run succeeds",
        arguments: FlakyStore.Moment.allCases, [StoreError.Reason.failed, .full])
    func backup(moment: FlakyStore.Moment, reason: StoreError.Reason) throws {
        let calls = try forEachCall(moment, reason, wraps: store.path) { flaky in
            _ = try Store.open(flaky, for: .write, credentials: Credentials(), machine: store.machine).backup(
                BackupRequest(sources: [scratch.file("tree")], name: "second"), progress: Progress(),
                findings: Findings())
        } after: { call, _ in
            try checkStore(call)
        }
        #expect(calls > 20)
    }

    @Test(
        "Whatever call of a copy fails, in source or target, the next copy completes it",
        arguments: FlakyStore.Moment.allCases, [true, false])
    func copies(moment: FlakyStore.Moment, inTarget: Bool) throws {
        let target = scratch.file("target")
        let calls = try forEachCall(moment, .failed, wraps: inTarget ? target : store.path) { flaky in
            _ = try Store.replicate(
                inTarget ? FolderStore(store.path) : flaky, to: inTarget ? flaky : FolderStore(target), images: [],
                credentials: Credentials(), machine: store.machine, progress: Progress(), findings: Findings())
        } after: { call, _ in
            let findings = Findings()
            _ = try Store.replicate(
                FolderStore(store.path), to: FolderStore(target), images: [], credentials: Credentials(),
                machine: store.machine, progress: Progress(), findings: findings)
            #expect(findings.count == 0, "call \(call)")
            let replica = try Store.open(target, for: .read, credentials: store.credentials, machine: store.machine)
            #expect(
                try replica.verify(image: nil, readData: true, progress: Progress(), findings: findings).findings == 0,
                "call \(call)")
            #expect(try replica.images().count == 1, "call \(call)")
        }
        #expect(calls > 8)
    }

    @Test(
        "Whatever read of a restore or a verification fails is said, and nothing of the store changes",
        arguments: FlakyStore.Moment.allCases)
    func reading(moment: FlakyStore.Moment) throws {
        let before = try look(at: store.path)
        let target = scratch.file("target")
        _ = try forEachCall(moment, .failed, wraps: store.path) { flaky in
            let opened = try Store.open(flaky, for: .read, credentials: store.credentials, machine: store.machine)
            let findings = Findings()
            _ = try Images.restore(
                opened.imageReader("first"), RestoreRequest(target: target), progress: Progress(), findings: findings)
            if findings.count > 0 { throw FailedSilently() }
        } after: { call, hasThrown in
            // Either it was said, or another way around it was found: then all is there.
            if !hasThrown { try expectSameTree(target, scratch.file("tree1")) }
            let found = try differences(before, look(at: store.path))
            #expect(found.isEmpty, "call \(call)")
        }
        _ = try forEachCall(moment, .failed, wraps: store.path) { flaky in
            let opened = try Store.open(flaky, for: .read, credentials: store.credentials, machine: store.machine)
            _ = try opened.verify(image: nil, readData: true, progress: Progress(), findings: Findings())
        } after: { call, _ in
            let found = try differences(before, look(at: store.path))
            #expect(found.isEmpty, "call \(call)")
        }
    }

    @Test("Whatever call of a removal fails, what another image needs is there", arguments: FlakyStore.Moment.allCases)
    func removal(moment: FlakyStore.Moment) throws {
        let first = try store.opened().find("first").id
        try store.backup(scratch.file("tree"), name: "second")
        copy("store", "store.before")
        copy("machine", "machine.before")
        let kept = try store.opened().find("second").id
        let calls = try forEachCall(moment, .failed, wraps: store.path) { flaky in
            let opened = try Store.open(flaky, for: .read, credentials: store.credentials, machine: store.machine)
            try opened.remove(image: first.description)
            try opened.removeUnneeded()
        } after: { call, _ in
            try store.restore(kept.description, to: scratch.file("out"))
            try expectSameTree(scratch.file("out"), scratch.file("tree"))
            run("/bin/rm", ["-rf", scratch.file("out").description])
        }
        #expect(calls > 5)
    }

    @Test("An image is opened without a read of any volume; where its index object is lost, with at most two of each")
    func reads() throws {
        let log = CallLog()
        let logging = LoggingStore(FolderStore(store.path)) { log.add($0) }
        let opened = try Store.open(logging, for: .read, credentials: store.credentials, machine: store.machine)
        _ = try opened.imageReader("first")
        #expect(log.calls.allSatisfy { !$0.name.hasPrefix("v/") })
        run("/bin/rm", ["-rf", store.path.appending("x").description])
        log.clear()
        _ = try opened.imageReader("first")
        let reads = Dictionary(
            grouping: log.calls.filter { $0.verb == .read && $0.name.hasPrefix("v/") }, by: \.name)
        #expect(reads.count >= 2)
        for (name, calls) in reads { #expect(calls.count <= 2, "\(name): \(calls.count) reads") }
    }
}

private struct FailedSilently: Error {}

private final class CallLog: @unchecked Sendable {
    private let monitor = Monitor()
    private var list: [StoreCall] = []
    var calls: [StoreCall] { monitor.withLock { list } }
    func add(_ call: StoreCall) { monitor.withLock { list.append(call) } }
    func clear() { monitor.withLock { list = [] } }
}
