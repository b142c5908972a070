// How far a pass has come durably, noted beside the writing: the device is never waited for twice.

internal import Glibc
internal import Platform

/// A thread that makes what was written durable, and then notes how far that is. Who writes waits only where it is too far ahead.
final class DurablePosition: @unchecked Sendable {
    /// At most this is written and not yet noted; it is what an interruption costs.
    static let reach: UInt64 = 64 << 20

    private let monitor = Monitor()
    private var written: UInt64
    private var noted: UInt64
    private var bad: [DeviceRange] = []
    private var isEnding = false
    private var failure: (any Error)?
    private let step: (UInt64, [DeviceRange]) throws -> Void
    private var thread: WorkerThread?

    /// - Parameter step: makes everything before a position durable, and notes it; called by one thread, which is not the caller's.
    init(_ position: UInt64, step: @escaping (UInt64, [DeviceRange]) throws -> Void) {
        written = position
        noted = position
        self.step = step
        thread = WorkerThread { self.work() }
    }

    private func work() {
        while true {
            let next = monitor.withLock { () -> (UInt64, [DeviceRange])? in
                while written == noted && !isEnding { monitor.wait() }
                return written == noted ? nil : (written, bad)
            }
            guard let next else { return }
            let result = Result { try step(next.0, next.1) }
            let goesOn = monitor.withLock { () -> Bool in
                defer { monitor.wakeAll() }
                if case .failure(let error) = result { failure = error } else { noted = next.0 }
                return failure == nil
            }
            if !goesOn { return }
        }
    }

    /// Everything before a position is written now. Waits where the next block would be too far ahead.
    func advance(to position: UInt64, next: UInt64, bad: [DeviceRange]) throws {
        try monitor.withLock {
            written = position
            self.bad = bad
            monitor.wakeAll()
            while position + next - noted > Self.reach && failure == nil { monitor.wait() }
            if let failure { throw failure }
        }
    }

    /// Ends with everything noted, or at once where something failed before.
    func end() throws {
        monitor.withLock {
            isEnding = true
            monitor.wakeAll()
        }
        thread?.join()
        if let failure { throw failure }
    }
}
