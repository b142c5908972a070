// A store that is written and read no faster than the plant's network or disk may be loaded.

internal import Glibc
internal import Platform

public final class PacingStore: ForwardingStore, @unchecked Sendable {
    private let pace: Pace

    /// - Parameter bytesPerSecond: of all reads and writes together; at least 1.
    public init(_ store: any ObjectStore, bytesPerSecond: UInt64) {
        pace = Pace(bytesPerSecond: max(1, bytesPerSecond))
        super.init(store)
    }

    public override func around<R>(
        _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        if call.bytes > 0 { pace.pass(call.bytes) }
        return try body()
    }
}

/// Bytes over time, for all threads together.
private final class Pace: @unchecked Sendable {
    private let monitor = Monitor()
    private let bytesPerSecond: UInt64
    /// When what was let through so far would have passed at this rate, in nanoseconds of the monotonic clock.
    private var due: UInt64 = 0

    init(bytesPerSecond: UInt64) { self.bytesPerSecond = bytesPerSecond }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(clamping: time.tv_sec) * 1_000_000_000 + UInt64(clamping: time.tv_nsec)
    }

    /// Waits until the bytes that went before have had their time.
    func pass(_ count: Int) {
        let now = Self.now
        let wait = monitor.withLock { () -> UInt64 in
            let begin = max(due, now)
            // Nobody is held up for more than an hour by one call.
            let seconds = min(Double(count) / Double(bytesPerSecond), 3600)
            due = begin + UInt64(seconds * 1_000_000_000)
            return begin - now
        }
        // A signal may end it early, which costs nothing.
        usleep(UInt32(clamping: wait / 1000))
    }
}
