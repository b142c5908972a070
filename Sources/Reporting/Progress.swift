// What long work has done so far, for whoever shows it. Workers count; the face looks when it wants to.

internal import Synchronization

public final class Progress: Sendable {
    private let bytes = Atomic<UInt64>(0)
    private let items = Atomic<UInt64>(0)
    private let expectedBytes = Atomic<UInt64>(0)
    private let expectedItems = Atomic<UInt64>(0)
    /// Whoever is handed the work's progress is handed its stop with it.
    public let stop: Stop

    public init(stop: Stop = Stop()) { self.stop = stop }

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
    package func add(items count: UInt64) { items.wrappingAdd(count, ordering: .relaxed) }

    public func requestStop() { stop.requestStop() }
    public var isStopRequested: Bool { stop.isStopRequested }
    public func checkStop(mend: String? = nil) throws { try stop.checkStop(mend: mend) }
}
