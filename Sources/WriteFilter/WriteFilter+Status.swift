// What a filter does now, and what of that is not as it was decided.

internal import Glibc
internal import Machine
internal import Platform
internal import RestorePoints

extension WriteFilter {
    /// One filtered place: what is decided, and what is.
    public struct Status: Sendable {
        public var plan: FilterPlan
        public var session: FilterSession
        public var consumption: Consumption?
        public var consumers: [Consumer]
        /// Whether the next start runs without the filter, once.
        public var isServiceNext: Bool
        /// Commits that wait for the next start.
        public var waitingCommits: Int
        /// What is not as it was decided, in sentences.
        public var alarms: [String]

        /// Whether all that is left of it is what was decided once.
        public var isOver: Bool {
            !plan.isEnabled && session.mode == .writable && waitingCommits == 0 && alarms.isEmpty
        }

        public var isWarning: Bool { consumption.map { $0.percent >= plan.warning } ?? false }
    }

    /// Needs no privilege, but names the consumers and the programs only where it has it.
    public func status(consumers: Int = 10) throws -> [Status] {
        try translated {
            try area.plans().map { plan in
                let session = FilterSession(path: plan.path)
                return Status(
                    plan: plan, session: session, consumption: .now(of: plan.path),
                    consumers: session.mode == .overlay ? Consumer.largest(consumers, of: plan.path) : [],
                    isServiceNext: exists(area.serviceToken),
                    waitingCommits: try journal.commits(of: plan.path).count,
                    alarms: alarms(plan, session))
            }
        }
    }

    func alarms(_ plan: FilterPlan, _ session: FilterSession) -> [String] {
        var alarms = session.alarms
        if let unfinished = session.unfinished { alarms.append(alarm(unfinished, plan, session)) }
        if HostFacts.isRoot, plan.path == "/", plan.isEnabled, !FilterSession.isKnown("/"), session.mode == .writable,
            let decided = try? Descriptor.open(area.planFile(of: "/")).status().modified.seconds,
            decided < Timestamp.now().seconds - HostFacts.secondsSinceStart
        {
            alarms.append(
                "the initramfs did nothing about the filter: the machine is NOT protected; `holdfast filter enable` makes a new one"
            )
        }
        alarms += session.exceptions.filter { !$0.isPersistent }.map(\.path)
            .filter { path in !alarms.contains { $0.contains("exception \(path) ") } }
            .map { "the exception \($0) does not reach the disk" }
        return alarms
    }

    /// What is under way, and what ends it.
    private func alarm(_ unfinished: FilterSession.Unfinished, _ plan: FilterPlan, _ session: FilterSession) -> String {
        let isWanted = plan.isEnabled || unfinished == .keeping
        let what =
            switch unfinished {
            case .keeping where session.mode == .overlay: "the filter of \(plan.path) is not complete"
            case .keeping: "\(plan.path) is NOT protected, and what this session wrote in it is not seen there"
            case .forgetting where session.mode == .overlay: "what was written in \(plan.path) is not forgotten yet"
            case .forgetting where plan.isEnabled: "\(plan.path) is NOT protected"
            case .forgetting: "the filter of \(plan.path) is not gone"
            }
        return
            "\(what): a command of the filter is at work, or was cut short; `holdfast filter \(isWanted ? "enable" : "disable") --path \(plan.path)` goes on with it"
    }
}
