// What a command that destroys or switches is about to do, as data: shown before it is done, by its id asked for later, and refused where things
// are others by then.

internal import Cryptography
internal import Platform
public import Reporting

/// What is about to be done. Whoever carries one out makes it once more, holding what keeps others off, and compares.
public protocol Plan {
    /// The command's word for it.
    var verb: String { get }
    /// Everything that it rests on, a word each: where one of them is another, it is another plan.
    var basis: [String] { get }
    /// What stands in the way, or ought to be known.
    var findings: [Preflight] { get }
}

extension Plan {
    public var findings: [Preflight] { [] }

    /// 16 hexadecimal digits over verb and basis.
    public var id: String {
        let text = ([verb] + basis).map { "\($0.utf8.count) \($0)" }.joined()
        let digest = try? Array(text.utf8).withUnsafeBytes { try SHA256.digest(of: $0) }
        return hexadecimal(digest?.bytes.prefix(8) ?? [])
    }

    /// - Parameter id: what was asked for; nil: any.
    /// - Throws: `StalePlan`, where that is another one.
    public func require(_ id: String?) throws(StalePlan) {
        if let id, id != self.id || id.isEmpty {
            throw StalePlan(id: id, reason: "what would be done now is the plan \(self.id)")
        }
    }

    /// - Parameter now: the same, made once more.
    /// - Throws: `StalePlan`, where it is another one, or something stands in its way now.
    public func check(isStill now: Self) throws(StalePlan) {
        if let refusal = now.findings.first(where: \.isRefusal) { throw StalePlan(id: id, reason: refusal.sentence) }
        // The words themselves: a digest that failed would be like every other.
        if now.verb != verb || now.basis != basis { throw StalePlan(id: id) }
    }

    /// - Parameters:
    ///   - again: makes it once more.
    ///   - refusal: what it throws where it cannot be made any more, which makes it stale as well.
    /// - Throws: `StalePlan`, or what else `again` throws.
    public func check<Refusal: Explained>(isStill again: () throws -> Self, unless refusal: Refusal.Type) throws {
        let now: Self
        do { now = try again() } catch let error as Refusal { throw StalePlan(id: id, reason: error.sentence) }
        try check(isStill: now)
    }
}

/// Between its making and its carrying out, something has changed that a plan rests on.
public struct StalePlan: Explained, Hashable {
    public var id: String
    /// What has come between, where it can be told.
    public var reason: String?

    public init(id: String, reason: String? = nil) {
        self.id = id
        self.reason = reason
    }

    public var description: String {
        "the plan \(id.isEmpty ? "without an id" : printable(id.utf8)) no longer fits: "
            + (reason ?? "something that it rests on has changed since")
    }
    public var mend: String? { "look at the plan again with --dry-run" }
    public var exitStatus: Int32 { 4 }
}

/// Something about the machine that would make a point or a rollback untrue, or that somebody ought to know.
public struct Preflight: Sendable, Hashable {
    /// Stable, for programs: `nested-subvolumes`.
    public var code: String
    public var sentence: String
    public var mend: String?
    /// Whether it stops the command, or is only said.
    public var isRefusal: Bool

    /// What it is, and what mends it.
    public var advice: String { sentence + (mend.map { "; \($0)" } ?? "") }

    public init(_ code: String, _ sentence: String, mend: String? = nil, isRefusal: Bool) {
        self.code = code
        self.sentence = sentence
        self.mend = mend
        self.isRefusal = isRefusal
    }
}
