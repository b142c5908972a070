// A store that repeats what failed for a moment. A put whose answer was lost is recognised by what is there.

internal import Glibc

public final class RetryingStore: ForwardingStore, @unchecked Sendable {
    private let attempts: Int
    private let pause: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - attempts: how often a call is made at most.
    ///   - pause: waits after the attempt of this number, from 1; by default 0.5 s, doubled each time.
    public init(
        _ store: any ObjectStore, attempts: Int = 5,
        pause: (@Sendable (Int) -> Void)? = nil
    ) {
        self.attempts = max(1, attempts)
        self.pause = pause ?? { usleep(500_000 << UInt32(min($0, 6) - 1)) }
        super.init(store)
    }

    public override func around<R>(
        _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        var attempt = 1
        while true {
            do throws(StoreError) {
                return try body()
            } catch {
                // Of an upload only its beginning and its end are repeated: what is streamed cannot be read a second time.
                guard error.isPassing, call.verb != .append, attempt < attempts else { throw error }
                pause(attempt)
                attempt += 1
            }
        }
    }

    public override func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        var isRepeated = false
        try around(StoreCall(verb: .put, name: name, bytes: bytes.count)) { () throws(StoreError) in
            defer { isRepeated = true }
            do throws(StoreError) {
                try store.put(name, bytes)
            } catch {
                // The first attempt had its effect, and its answer was lost. A folder's sync that failed does not come here again: it is
                // `.notDurable`, and reading the bytes back would prove nothing.
                guard error.reason == .exists, isRepeated, try store.isOwn(name, bytes) else { throw error }
            }
        }
    }
}

extension StoreError {
    /// Whether the same call may succeed in a moment.
    fileprivate var isPassing: Bool { reason == .failed || reason == .unreachable }
}
