// What people and monitors are told of a trial, in sentences.

public import Machine
public import Platform
public import RestorePoints

public struct TrialHealth: Sendable {
    public let verdict: Verdict
    public let reason: String

    /// nil where there is none.
    public init?(_ places: Places) {
        do {
            guard let trial = try ProtectedTree.trial(state: places.state) else { return nil }
            self.init(trial)
        } catch { self.init(.critical, "what is on trial cannot be told: \(error)") }
    }

    private init(_ verdict: Verdict, _ reason: String) { (self.verdict, self.reason) = (verdict, reason) }

    /// - Parameters:
    ///   - now: seconds since the machine started.
    ///   - boot: what tells this start from others.
    public init(_ trial: Trial, now: Int64 = HostFacts.secondsSinceStart, boot: String = HostFacts.bootIdentifier) {
        let reason: String
        let back = "\(trial.returnTo) is back"
        switch trial.stage {
        case .failed:
            let time = trial.ended.map { " at \(Timestamp(seconds: $0, nanoseconds: 0).text)" } ?? ""
            reason = "\(trial.subject) did not hold on trial, and \(back)\(time): \(trial.reason ?? "nobody knows why")"
        case .returning:
            reason =
                "\(trial.subject) did not hold on trial (\(trial.reason ?? "nobody knows why")), and the next start returns to \(trial.returnTo)"
                + (trial.problem.map { "; the last start could not: \($0)" } ?? "")
        case .open where trial.problem != nil:
            reason =
                "\(trial.subject) is on trial and cannot return: \(trial.problem ?? ""); `holdfast confirm` keeps the state of now"
        case .open:
            let minutes = trial.seconds / 60
            let left = trial.deadline(boot: boot).map { max(0, $0 - now) }
            reason =
                left.map {
                    $0 == 0
                        ? "the minutes of \(trial.subject) are over, and nothing has ended its trial: `holdfast undo` returns to \(trial.returnTo), `holdfast confirm` keeps it"
                        : "\(trial.subject) is on trial for \(($0 + 59) / 60) more minutes: `holdfast confirm` keeps it; otherwise, and at any other restart, \(trial.returnTo) comes back"
                } ?? "\(trial.subject) is on trial from the next start on, for \(minutes) minutes"
        }
        self.init(.warning, reason)
    }
}
