// A store that repeats what failed for a moment. A put whose answer was lost is recognised by what is there.

internal import Glibc
internal import Platform
public import Reporting

public final class RetryingStore: ForwardingStore, @unchecked Sendable {
    private let budget: RetryBudget

    /// - Parameters:
    ///   - attempts: how often a call is made at most.
    ///   - stop: ends the waiting.
    ///   - pause: waits so many seconds.
    public init(
        _ store: any ObjectStore, attempts: Int = 5, stop: Stop = Stop(), pause: (@Sendable (Double) -> Void)? = nil
    ) {
        budget = RetryBudget(attempts: attempts, stop: stop, pause: pause ?? { Self.wait($0, unless: stop) })
        super.init(store)
    }

    /// Waits, and looks for a stop meanwhile.
    private static func wait(_ seconds: Double, unless stop: Stop) {
        var left = seconds
        while left > 0, !stop.isStopRequested {
            usleep(UInt32(min(left, 0.2) * 1_000_000))
            left -= 0.2
        }
    }

    public override func around<R>(
        _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        var attempt = 1
        while true {
            do throws(StoreError) {
                let result = try body()
                budget.note()
                return result
            } catch {
                // Of an upload only its beginning and its end are repeated: what is streamed cannot be read a second time.
                guard error.isPassing, call.verb != .append, budget.wait(after: attempt, error.pause) else {
                    throw error
                }
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

    /// Not repeated: who prepared it looks again before that. The next attempt waits as any other.
    public override func put(_ object: any PreparedObject, _ name: String, _ bytes: [UInt8]) throws(StoreError) {
        do throws(StoreError) {
            try object.put()
            budget.note()
        } catch {
            if error.isPassing { _ = budget.wait(after: 1, error.pause) }
            throw error
        }
    }
}

/// What all calls of one run may cost together in repetitions: a server that is down for long is not asked for ever by each of them.
private final class RetryBudget: @unchecked Sendable {
    private let attempts: Int
    private let stop: Stop
    private let pause: @Sendable (Double) -> Void
    private let monitor = Monitor()
    /// Seconds that were waited since anything succeeded.
    private var waited = 0.0

    private static let first = 0.5
    private static let longest = 30.0
    private static let limit = 15.0 * 60

    init(attempts: Int, stop: Stop, pause: @escaping @Sendable (Double) -> Void) {
        self.stop = stop
        self.attempts = max(1, attempts)
        self.pause = pause
    }

    /// Something has succeeded.
    func note() { monitor.withLock { waited = 0 } }

    /// Waits before the next attempt; false where there is none.
    /// - Parameter wish: how long the server wants to be left alone, in seconds.
    func wait(after attempt: Int, _ wish: Int?) -> Bool {
        guard attempt < attempts else { return false }
        // Anywhere up to the double of the last: many that were turned away do not come back together.
        let most = min(Self.longest, Self.first * Double(1 << min(attempt, 10)))
        let time = max(Double.random(in: most / 4...most), Double(wish ?? 0))
        let isLeft = monitor.withLock { () -> Bool in
            guard waited + time <= Self.limit else { return false }
            waited += time
            return true
        }
        if isLeft { pause(time) }
        return isLeft && !stop.isStopRequested
    }
}

extension StoreError {
    /// Whether the same call may succeed in a moment.
    fileprivate var isPassing: Bool { reason == .failed || reason == .unreachable }
}
