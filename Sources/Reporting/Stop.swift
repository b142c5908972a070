// How work is asked to end early, or to rest for a while, and the one error that it then ends with.

internal import Glibc
internal import Synchronization

/// Asked for by one thread, looked at by all that work.
public final class Stop: Sendable {
    private let isRequested = Atomic<Bool>(false)
    private let isHeeded = Atomic<Bool>(false)
    private let isRestWanted = Atomic<Bool>(false)
    private let wakeful = Atomic<Int>(0)

    public init() {}

    /// Asks the work to stop at the next safe place. Safe in a signal handler.
    public func requestStop() { isRequested.store(true, ordering: .relaxed) }
    public var isStopRequested: Bool { isRequested.load(ordering: .relaxed) }

    /// Whether work has ended because of it. What seems to be wrong from then on is no fault of anything, and what came out is no result.
    public var hasInterrupted: Bool { isHeeded.load(ordering: .relaxed) }

    /// To be called by who ends work because of it with an error of its own.
    public func noteInterruption() { isHeeded.store(true, ordering: .relaxed) }

    /// Asks the work to rest at the next safe place, until that is taken back.
    public func setHeld(_ isHeld: Bool) { isRestWanted.store(isHeld, ordering: .relaxed) }
    public var isHeld: Bool { isRestWanted.load(ordering: .relaxed) }

    /// A safe place to rest: returns once nobody wants that any more, or the work is to end.
    public func rest() {
        while isHeld, wakeful.load(ordering: .relaxed) == 0, !isStopRequested { usleep(Self.look) }
    }

    /// Does something that does not rest, whoever wants that: somebody waits for its end.
    public func withoutRest<Result>(_ body: () throws -> Result) rethrows -> Result {
        wakeful.wrappingAdd(1, ordering: .relaxed)
        defer { wakeful.wrappingSubtract(1, ordering: .relaxed) }
        return try body()
    }

    /// In microseconds.
    private static let look: UInt32 = 50_000

    /// A safe place to stop, and to rest.
    /// - Parameter mend: how the work goes on, where a person has to know.
    /// - Throws: `Interrupted`.
    public func checkStop(mend: String? = nil) throws {
        rest()
        guard isStopRequested else { return }
        noteInterruption()
        throw Interrupted(mend: mend)
    }
}

/// The work ended because a person or the system asked it to.
public struct Interrupted: Explained, Hashable {
    public let mend: String?

    public init(mend: String? = nil) { self.mend = mend }

    public var description: String { "interrupted" }
    public var exitStatus: Int32 { 130 }
}
