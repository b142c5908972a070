// What comes of a policy: a line for each rule and what it is about.

public import Images

/// One rule, and how it stands.
public struct PolicyLine: Sendable {
    public enum Rule: String, Sendable, CaseIterable {
        case store, copies, apart, offsite, age, proven, drilled, retention, recipients, media, integrity
        case keyOnMachine = "key on the machine"
        case unknownMachine = "unknown machine"
        case missingMachine = "missing machine"
        case uncoveredMounts = "uncovered mounts"
    }

    public enum Verdict: String, Sendable {
        case holds, fails
        /// What failed is not absent: nobody can say.
        case unknown = "could not be looked at"
    }

    /// What it rests on.
    public struct Evidence: Sendable, Hashable {
        public var store: String?
        public var image: ObjectID?
        /// By the store's clock, in seconds since 1970.
        public var time: Int64?
        public var text: String?

        public init(store: String? = nil, image: ObjectID? = nil, time: Int64? = nil, text: String? = nil) {
            (self.store, self.image, self.time, self.text) = (store, image, time, text)
        }
    }

    /// What is required where a key that opens a machine's images may be on it, which is told all the same.
    public static let keyIsAllowed = "a key that opens its images may be on the machine"

    public var rule: Rule
    /// The table that asks for it; nil where none has to.
    public var table: String?
    /// A series, a machine, a store or a medium.
    public var subject: String
    public var required: String
    public var found: String
    public var evidence: [Evidence] = []
    public var verdict: Verdict
    /// From when on it does not hold, in seconds since 1970; nil where nobody can tell.
    public var since: Int64?

    public init(
        _ rule: Rule, _ table: String?, _ subject: String, required: String, found: String,
        evidence: [Evidence] = [], _ verdict: Verdict, since: Int64? = nil
    ) {
        self.rule = rule
        self.table = table
        self.subject = subject
        self.required = required
        self.found = found
        self.evidence = evidence
        self.verdict = verdict
        self.since = verdict == .holds ? nil : since
    }
}

/// All lines, and what they come to.
public struct PolicyResult: Sendable {
    public var lines: [PolicyLine]
    /// When it was looked, in seconds since 1970.
    public var time: Int64

    public func count(_ verdict: PolicyLine.Verdict) -> Int { lines.lazy.filter { $0.verdict == verdict }.count }

    /// What could not be looked at outweighs what fails: more may fail there.
    public var verdict: PolicyLine.Verdict {
        if lines.contains(where: { $0.verdict == .unknown }) { return .unknown }
        return lines.contains { $0.verdict == .fails } ? .fails : .holds
    }
}
