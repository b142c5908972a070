// What a commit, a discard or the end of a filter is going to do with what a session wrote.

public import Machine
public import Platform
internal import Reporting
internal import RestorePoints

/// What a commit is going to keep.
public struct CommitPlan: Plan, Sendable {
    public var verb: String { "commit" }
    public let place: BytePath
    let found: ChangeSet
    let decided: FilterPlan

    /// An entry that the disk has otherwise.
    public struct Change: Sendable, Hashable {
        public enum Kind: String, Sendable {
            /// New, or with another content; a folder that is new with all that is in it.
            case written
            case deleted
            /// A folder of another owner, mode or attributes.
            case attributes
        }
        public var path: BytePath
        public var kind: Kind
    }

    /// In the order of their paths.
    public var changes: [Change] {
        let kinds: [(Set<[UInt8]>, Change.Kind)] = [
            (found.whole, .written), (found.deletes.subtracting(found.whole), .deleted),
            (found.changedFolders, .attributes),
        ]
        return kinds.flatMap { paths, kind in paths.map { Change(path: place.appending($0), kind: kind) } }
            .sorted { $0.path.bytes.lexicographicallyPrecedes($1.path.bytes) }
    }

    /// Of this session alone, and of what it has changed by now.
    public var basis: [String] {
        [hexadecimal(place.bytes), HostFacts.bootIdentifier, decided.text]
            + changes.map { "\($0.kind.rawValue) \(hexadecimal($0.path.bytes))" }
    }
}

/// What of a session is going to be forgotten.
public struct ForgetPlan: Plan, Sendable {
    /// `discard`, or `disable` where the place is not filtered any more afterwards.
    public let verb: String
    public var places: [Place]
    /// The only place that is meant; nil: everywhere.
    let asked: BytePath?

    public struct Place: Sendable {
        public let path: BytePath
        /// Whether something of this session is there to be forgotten.
        public let isActive: Bool
        /// What it has to wait for until the next start; `/` waits for that anyway.
        public let users: [TreeUse]
        let decided: FilterPlan

        /// Whether it is forgotten at once.
        public var isNow: Bool { isActive && path != "/" && users.isEmpty }
    }

    public var basis: [String] {
        [HostFacts.bootIdentifier]
            + places.flatMap { [hexadecimal($0.path.bytes), "\($0.isActive) \($0.isNow)", $0.decided.text] }
    }
}

extension WriteFilter {
    /// The plan of a commit.
    /// - Parameter paths: in one filtered place; nil: everything in it.
    public func planCommit(_ paths: [BytePath]?, in place: BytePath) throws -> CommitPlan {
        guard HostFacts.isRoot else { throw FilterError.notPermitted("see what the write filter keeps back") }
        return try translated { try plan(commit: paths, in: place).plan }
    }

    /// - Returns: with what is seen, whose descriptor holds the overlay.
    func plan(commit paths: [BytePath]?, in place: BytePath) throws -> (plan: CommitPlan, seen: Descriptor) {
        guard let lower = FilterMounts.lower(of: place), let decided = try area.plan(of: place) else {
            throw FilterError.notActive(path: place)
        }
        if let pending = try ProtectedTree.pending(state: state), pending.isWaiting {
            throw FilterError.pendingRollback(target: pending.target.name)
        }
        let seen = try Descriptor.openWithoutLinks(place, .directory)
        var changes = try Changes(place, seen: seen, ground: Descriptor.open(lower, .directory))
        for path in paths ?? [place] {
            try check(path, decided)
            try changes.add(path)
        }
        return (CommitPlan(place: place, found: changes.found, decided: decided), seen)
    }

    private func check(_ path: BytePath, _ plan: FilterPlan) throws {
        guard path == plan.path || path.isBelow(plan.path) else {
            throw FilterError.notCommittable(path: path, reason: "it is not in \(plan.path)")
        }
        for exception in plan.exceptions where path == exception || path.isBelow(exception) {
            throw FilterError.notCommittable(
                path: path, reason: "it is in the exception \(exception), and stays anyway")
        }
        for small in plan.small where path == small.path || path.isBelow(small.path) {
            throw FilterError.notCommittable(
                path: path, reason: "\(small.path) has an overlay of its own, which is never kept")
        }
    }

    /// The plan of forgetting what a session wrote.
    /// - Parameter place: nil: everywhere.
    public func planDiscard(_ place: BytePath?) throws -> ForgetPlan {
        try translated {
            let decided = try area.plans().filter { place == nil || $0.path == place }
            if let place, decided.isEmpty { throw FilterError.notDecided(path: place) }
            return ForgetPlan(verb: "discard", places: decided.map(forgetting).filter(\.isActive), asked: place)
        }
    }

    /// The plan of having a place writable again.
    public func planDisable(_ place: BytePath) throws -> ForgetPlan {
        try translated {
            guard let decided = try area.plan(of: place) else { throw FilterError.notDecided(path: place) }
            return ForgetPlan(verb: "disable", places: [forgetting(decided)], asked: place)
        }
    }

    private func forgetting(_ decided: FilterPlan) -> ForgetPlan.Place {
        let isActive = FilterMounts.lower(of: decided.path) != nil
        return ForgetPlan.Place(
            path: decided.path, isActive: isActive,
            users: isActive && decided.path != "/" ? FolderOverlay.users(of: decided.path) : [], decided: decided)
    }
}
