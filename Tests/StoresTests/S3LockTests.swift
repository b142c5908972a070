// Locks of a bucket, at Ceph's gateway, which keeps to them.

import Platform
import TestSupport
import Testing

@testable import Stores

@Suite(.enabled(if: exists("/usr/bin/radosgw"))) struct S3LockTests {
    private static let day: Int64 = 86_400
    private let server: S3Server
    private let store: S3Store

    init() throws {
        server = try S3Server.locking.get()
        store = try server.store()
    }

    /// When the lock of an object ends; nil without one.
    private func end(_ name: String) throws -> Int64? {
        let answer = try store.client.send(store.request("look at", "HEAD", name))
        #expect(answer.status == 200)
        return answer.headers["x-amz-object-lock-retain-until-date"].flatMap(S3Time.seconds)
    }

    @Test("A lock is prolonged where it ends too early, stays as it is where it does not, and holds to its new end")
    func prolong() throws {
        try store.put("i/one", bytes("one"))
        let now = try #require(store.time(in: "i"))
        let first = try #require(try end("i/one"))
        #expect((now + Self.day - 60...now + Self.day + 60).contains(first))
        #expect(try store.promises("c/probe").lockDays == 1)

        let until = now + 3 * Self.day
        #expect(try !store.prolongLock(of: "i/one", until: until, unlessUntil: now + Self.day / 2))
        #expect(try end("i/one") == first)
        #expect(try store.prolongLock(of: "i/one", until: until, unlessUntil: now + 2 * Self.day))
        #expect(try end("i/one") == until)
        #expect(try !store.prolongLock(of: "i/one", until: until + 60, unlessUntil: now + 2 * Self.day))
        #expect(try end("i/one") == until)

        // The version itself cannot be removed.
        let look = try store.client.send(store.request("look at", "HEAD", "i/one"))
        var request = try store.request("remove", "DELETE", "i/one")
        request.query = [("versionId", try #require(look.headers["x-amz-version-id"]))]
        #expect(try store.client.send(request).status == 403)
    }

    @Test("What is not there is absent, and a bucket without locks has none to prolong")
    func none() throws {
        let error = #expect(throws: StoreError.self) {
            try store.prolongLock(of: "i/none", until: .max / 2, unlessUntil: 0)
        }
        #expect(error?.reason == .absent)
        let plain = try S3Server.ceph.get().store()
        try plain.put("i/one", bytes("one"))
        #expect(try !plain.prolongLock(of: "i/one", until: 4_000_000_000, unlessUntil: 3_900_000_000))
    }

    @Test("A lock is not made shorter, whatever is asked for: that is a refusal")
    func shorter() throws {
        try store.put("i/two", bytes("two"))
        let now = try #require(store.time(in: "i"))
        let first = try end("i/two")
        let error = #expect(throws: StoreError.self) {
            try store.prolongLock(of: "i/two", until: now + 60, unlessUntil: now + 2 * Self.day)
        }
        #expect(error?.reason == .refused)
        #expect(try end("i/two") == first)
    }
}
