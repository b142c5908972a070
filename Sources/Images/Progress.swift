// What long work has done so far, for whoever shows it. Workers count; the face looks when it wants to.

public import Platform
internal import Synchronization

public final class Progress: Sendable {
    private let bytes = Atomic<UInt64>(0)
    private let items = Atomic<UInt64>(0)
    private let expectedBytes = Atomic<UInt64>(0)
    private let expectedItems = Atomic<UInt64>(0)
    private let stop = Atomic<Bool>(false)

    public init() {}

    /// Bytes of content that have been dealt with.
    public var bytesDone: UInt64 { bytes.load(ordering: .relaxed) }
    /// Entries that have been dealt with.
    public var itemsDone: UInt64 { items.load(ordering: .relaxed) }
    /// How many there will be, or 0 where nobody knows.
    public var bytesExpected: UInt64 { expectedBytes.load(ordering: .relaxed) }
    public var itemsExpected: UInt64 { expectedItems.load(ordering: .relaxed) }

    public func expect(bytes: UInt64, items: UInt64) {
        expectedBytes.store(bytes, ordering: .relaxed)
        expectedItems.store(items, ordering: .relaxed)
    }

    package func add(bytes count: UInt64) { bytes.wrappingAdd(count, ordering: .relaxed) }
    func add(items count: UInt64) { items.wrappingAdd(count, ordering: .relaxed) }

    /// Asks the work to stop at the next safe place. Safe in a signal handler.
    public func requestStop() { stop.store(true, ordering: .relaxed) }
    public var isStopRequested: Bool { stop.load(ordering: .relaxed) }

    func checkStop() throws {
        if isStopRequested { throw ImageError.interrupted }
    }
}

/// Something that a person has to know and that did not stop the work: each makes the exit status 3.
public struct Finding: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        /// Could not be read and is missing from the image.
        case unreadable
        /// Changed while it was read.
        case inconsistent
        /// Damaged or missing in the store.
        case damaged
        /// Could not be restored, or not wholly.
        case notRestored
    }
    public var kind: Kind
    public var path: BytePath
    public var reason: String

    public init(_ kind: Kind, _ path: BytePath, _ reason: String) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }
}

/// Collects findings and notes from all threads and hands each to whoever shows them.
public final class Findings: @unchecked Sendable {
    private let monitor = Monitor()
    private let report: @Sendable (Finding) -> Void
    private var number: UInt64 = 0

    /// - Parameter report: called for each finding, by one thread at a time.
    public init(report: @escaping @Sendable (Finding) -> Void = { _ in }) { self.report = report }

    public var count: UInt64 { monitor.withLock { number } }

    func add(_ finding: Finding) {
        monitor.withLock {
            number += 1
            report(finding)
        }
    }
}
