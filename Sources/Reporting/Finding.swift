// What a person has to know although the work went on.

internal import Synchronization

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
        /// Worth knowing, and nothing is wrong: it is shown, and changes no exit status.
        case note
    }
    public var kind: Kind
    /// What it is about, as people read it: a printable path, or "manifest, part 3 of 9".
    public var subject: String
    /// The bytes of the path, where it is about one; programs get them where the text differs.
    public var path: [UInt8]?
    public var reason: String
    /// What has many findings as its one cause, a lost volume for instance: of these the first are shown, and the rest counted. nil: it
    /// stands for itself.
    public var cause: String?

    public init(_ kind: Kind, subject: String, path: [UInt8]? = nil, _ reason: String, cause: String? = nil) {
        self.cause = cause
        self.kind = kind
        self.subject = subject
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(subject): \(reason)" }
}

/// Collects findings and notes from all threads and hands each to whoever shows them.
public final class Findings: Sendable {
    private let report: @Sendable (Finding) -> Void
    private let number = Mutex<UInt64>(0)
    private let stop: Stop?
    private let isCut = Atomic<Bool>(false)

    /// - Parameters:
    ///   - stop: what could not be read because of it is no finding, wherever it comes from.
    ///   - report: called for each finding, by one thread at a time.
    public init(stop: Stop? = nil, report: @escaping @Sendable (Finding) -> Void = { _ in }) {
        self.stop = stop
        self.report = report
    }

    public var count: UInt64 { number.withLock { $0 } }

    /// Whether something was found after the work had been interrupted: then nobody knows what is true of it, and there is no result.
    public var areCutShort: Bool { isCut.load(ordering: .relaxed) }

    package func add(_ finding: Finding) {
        if stop?.hasInterrupted == true { return isCut.store(true, ordering: .relaxed) }
        number.withLock {
            if finding.kind != .note { $0 += 1 }
            report(finding)
        }
    }
}
