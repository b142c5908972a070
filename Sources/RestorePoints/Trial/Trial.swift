// A trial: a state that the machine runs in, and that a start leaves again unless somebody, or the machine itself, has confirmed it.
//
//     open → (a start lowers `triesLeft`)… → confirmed: the record goes
//          → returning → the return switch, which keeps the state that failed as a point → failed → acknowledged: the record goes
//
// The record is in the journal folder of the state, which neither rollback nor filter reaches, twice: what everything hangs on exists twice. A
// crash leaves the step before or the step after; each is repeated from what the record, the journal of the switch and the table of points say.

public import Platform

/// What is known of a trial.
public struct Trial: Codable, Hashable, Sendable {
    public enum Stage: String, Codable, Sendable {
        /// It runs, or begins with the next start.
        case open
        /// It did not hold: the next start, or this one, returns.
        case returning
        /// The old state is back. It stays until somebody has taken note of it.
        case failed
    }

    var version = StateArea.version
    /// Rises with each change: of two copies the newer one counts.
    var revision = 0
    public internal(set) var stage = Stage.open
    /// `rollback`, `undo` or `update`.
    public internal(set) var verb: String
    /// The point that is tried; nil where packages, or whatever else, are.
    public internal(set) var target: String?
    var targetID: String?
    /// The name of the point to return to; that of a rollback's is there once the rollback is in use.
    public internal(set) var returnTo: String
    var returnID: String
    /// Starts that may still find it unconfirmed. The first start in the new state is one.
    public internal(set) var triesLeft: Int
    /// Starts in the new state so far.
    public internal(set) var starts = 0
    var minutes: Int
    /// How much of a machine's accidents it was begun for.
    public internal(set) var level: Int
    public internal(set) var user: String
    /// Seconds since 1970.
    public internal(set) var begun: Int64
    /// The start that was counted last; before the first, the one in which it was begun.
    var boot: String
    /// Seconds from that start to its begin in it; 0 where the start itself was counted.
    var since: Int64
    /// The id of the point that will hold the state that did not hold.
    var left: String?
    /// Whether somebody returns from it with `undo`: then it did not fail.
    var isByHand: Bool?
    /// Why it did not hold.
    public internal(set) var reason: String?
    /// Why the return did not come to its end, the last time.
    public internal(set) var problem: String?
    /// The last lines of the system's journal in it.
    public internal(set) var lines: [String]?
    /// When the old state was back, in seconds since 1970.
    public internal(set) var ended: Int64?

    /// What is on trial, for people.
    public var subject: String { target.map { "the \(verb) to \($0)" } ?? "the \(verb)" }

    /// Within how many seconds of its start it is to be confirmed; a number that the file has is believed only so far.
    public var seconds: Int64 { Int64(min(max(minutes, 1), TrialTerms.longest)) * 60 }

    /// Whether the next start leaves the state again, where nobody confirms it.
    public var isOpen: Bool { stage != .failed }

    /// When its time is over, in seconds since this start of the machine; nil where it does not run in it.
    public func deadline(boot: String = HostFacts.bootIdentifier) -> Int64? {
        guard stage == .open, self.boot == boot, starts > 0 || since > 0 else { return nil }
        return min(max(since, 0), 1 << 40) + seconds
    }
}

/// What is asked of a trial.
public struct TrialTerms: Sendable, Hashable {
    /// A week.
    public static let longest = 10_080

    public var minutes = 10
    /// What is accepted: 0: only what calls `holdfast recover --start` at each start counts; 1: what the initramfs and systemd count. nil: all
    /// accidents are to return by themselves.
    public var level: Int?
    /// Also where a trial of the same point has failed.
    public var isAgain = false

    public init() {}

    var basis: [String] { ["\(minutes)", level.map { "\($0)" } ?? "", "\(isAgain)"] }
}
