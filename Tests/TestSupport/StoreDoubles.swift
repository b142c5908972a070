// Stores that misbehave as networks and media do, around any other store.

internal import Glibc
internal import Platform
public import Stores

/// Numbers the calls on a store, its uploads and its sources, from 1 on.
open class InterposedStore: ForwardingStore, @unchecked Sendable {
    private let monitor = Monitor()
    private var count = 0

    /// Calls so far.
    public var calls: Int { monitor.withLock { count } }

    /// Makes one call.
    open func around<R>(
        _ number: Int, _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R { try body() }

    public final override func around<R>(
        _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        let number = monitor.withLock {
            count += 1
            return count
        }
        return try around(number, call, body)
    }
}

/// A store one of whose calls fails: the n-th, or all from it on.
public final class FlakyStore: InterposedStore, @unchecked Sendable {
    public enum Moment: Sendable, CaseIterable {
        /// Nothing has been done.
        case beforeEffect
        /// All has been done, and the answer is lost.
        case afterEffect
    }

    private let failing: Int
    private let isLasting: Bool
    private let moment: Moment
    private let reason: StoreError.Reason

    /// - Parameters:
    ///   - failing: which call, from 1 on; 0 for none.
    ///   - isLasting: all later ones fail as well, before their effect: the medium was pulled.
    public init(
        _ store: any ObjectStore, failing: Int, _ moment: Moment, reason: StoreError.Reason = .failed,
        isLasting: Bool = false
    ) {
        self.failing = failing
        self.moment = moment
        self.reason = reason
        self.isLasting = isLasting
        super.init(store)
    }

    /// Whether the call that fails has come.
    public var hasFailed: Bool { failing > 0 && calls >= failing }

    public override func around<R>(
        _ number: Int, _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        guard failing > 0, number == failing || (isLasting && number > failing) else { return try body() }
        if moment == .afterEffect && number == failing { _ = try body() }
        throw StoreError(reason, "reach", subject, "call \(number) fails, as the test wants it")
    }
}

/// A store far away.
public final class SlowStore: InterposedStore, @unchecked Sendable {
    private let microseconds: UInt32

    public init(_ store: any ObjectStore, milliseconds: UInt32 = 30) {
        microseconds = milliseconds * 1000
        super.init(store)
    }

    public override func around<R>(
        _ number: Int, _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        usleep(microseconds)
        return try body()
    }
}

/// A store in which somebody acts, or which says no, right before a call that lists or changes something.
public final class WatchedStore: ForwardingStore, @unchecked Sendable {
    private let before: @Sendable (StoreCall.Verb, String) throws(StoreError) -> Void
    private let secondsAhead: Int64?

    /// - Parameters:
    ///   - secondsAhead: what its clock is ahead of the machine's; nil for a store that has none.
    ///   - before: what it throws is what the call ends with.
    public init(
        _ store: any ObjectStore, secondsAhead: Int64? = 0,
        before: @escaping @Sendable (_ verb: StoreCall.Verb, _ name: String) throws(StoreError) -> Void = { _, _ in }
    ) {
        self.secondsAhead = secondsAhead
        self.before = before
        super.init(store)
    }

    public override func around<R>(
        _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        switch call.verb {
        case .list where !call.name.isEmpty, .create, .put, .remove: try before(call.verb, call.name)
        default: break
        }
        return try body()
    }

    public override func time(in folder: String) throws(StoreError) -> Int64? {
        guard let secondsAhead else { return nil }
        return try store.time(in: folder).map { $0 + secondsAhead }
    }
}
