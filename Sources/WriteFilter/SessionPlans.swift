// What a commit, a discard or the end of a filter is going to do with what a session wrote.

public import Machine
public import Platform
internal import Reporting
internal import RestorePoints

/// What a commit is going to keep.
public struct CommitPlan: Plan, Sendable {
    public var verb: String { "commit" }
    public let place: BytePath
    /// Commits of before that wait for the next start: what they keep is among the changes still.
    public let waiting: Int
    let found: ChangeSet
    /// Of each entry that was written: what it is now, with all that is in it.
    let marks: [[UInt8]: [String]]
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
        /// With what is in it.
        public var entries: Int = 1
    }

    /// In the order of their paths.
    public var changes: [Change] {
        let kinds: [(Set<[UInt8]>, Change.Kind)] = [
            (found.whole, .written), (found.deletes.subtracting(found.whole), .deleted),
            (found.changedFolders, .attributes),
        ]
        return kinds.flatMap { paths, kind in
            paths.map { Change(path: place.appending($0), kind: kind, entries: marks[$0]?.count ?? 1) }
        }
        .sorted { $0.path.bytes.lexicographicallyPrecedes($1.path.bytes) }
    }

    /// Of this session alone, and of what it has changed by now.
    public var basis: [String] {
        [hexadecimal(place.bytes), HostFacts.bootIdentifier, decided.text]
            + changes.map { "\($0.kind.rawValue) \(hexadecimal($0.path.bytes))" }
            + marks.sorted { $0.key.lexicographicallyPrecedes($1.key) }.flatMap { [hexadecimal($0.key)] + $0.value }
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
        /// Commits that are brought to the disk all the same.
        public let waiting: [Journal.Entry]
        let decided: FilterPlan

        /// Whether it is forgotten at once.
        public var isNow: Bool { isActive && path != "/" && users.isEmpty }
    }

    public var basis: [String] {
        [HostFacts.bootIdentifier]
            + places.flatMap {
                [hexadecimal($0.path.bytes), "\($0.isActive) \($0.isNow)", $0.decided.text] + $0.waiting.map(\.name)
            }
    }
}

extension WriteFilter {
    /// The plan of a commit.
    /// - Parameter paths: in one filtered place; nil: everything in it.
    public func planCommit(_ paths: [BytePath]?, in place: BytePath) throws -> CommitPlan {
        guard HostFacts.isRoot else { throw FilterError.notPermitted("see what the write filter keeps back") }
        return try translated { try plan(commit: paths, in: place, isShown: true).plan }
    }

    /// - Parameter isShown: its id is asked for, and stands for each entry as it is.
    /// - Returns: with what is seen, whose descriptor holds the overlay.
    func plan(commit paths: [BytePath]?, in place: BytePath, isShown: Bool) throws -> (
        plan: CommitPlan, seen: Descriptor
    ) {
        guard let lower = FilterMounts.lower(of: place), let decided = try area.plan(of: place) else {
            if FilterSession(path: place).unfinished != nil { throw FilterError.unfinished(path: place) }
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
        return (
            CommitPlan(
                place: place, waiting: try journal.commits(of: place).count, found: changes.found,
                marks: isShown ? try marks(of: changes.found, seen) : [:], decided: decided),
            seen
        )
    }

    /// What each entry that is to be kept is like, so that another content, owner or mode makes another plan.
    private func marks(of changes: ChangeSet, _ seen: Descriptor) throws -> [[UInt8]: [String]] {
        var marks: [[UInt8]: [String]] = [:]
        for path in changes.whole.union(changes.alone) {
            do {
                let (folder, name) =
                    path.isEmpty
                    ? (seen, Array(".".utf8)) : (try seen.openFolder(of: BytePath(path)), BytePath(path).lastComponent)
                marks[path] = try Self.likeness(of: name, in: folder, isWhole: changes.whole.contains(path))
            } catch {
                // What cannot be looked at is for the commit to name.
                marks[path] = ["\(error)"]
            }
        }
        return marks
    }

    private static func likeness(of name: [UInt8], in folder: Descriptor, isWhole: Bool) throws -> [String] {
        func mark(_ path: [UInt8], _ status: FileStatus) -> String {
            // A folder's time changes with what is in it, which has marks of its own.
            let times = status.kind == .directory ? "" : "\(status.modified) \(status.changed)"
            return
                "\(hexadecimal(path)) \(status.kind) \(status.size) \(status.mode) \(status.user) \(status.group) \(times)"
        }
        let status = try folder.status(of: name)
        let border = TreeBorder(status)
        guard isWhole, status.kind == .directory else { return [mark([], status)] }
        var rules = TreeWalk.Rules()
        rules.isBorder = border.isCrossed
        let walk = try TreeWalk(folder.open(name, .directory), rules: rules)
        var found = [mark([], status)]
        while let step = walk.next() {
            switch step {
            case .entry(let entry), .enter(let entry, _): found.append(mark(entry.path, entry.status))
            case .unreadable(let path, let error): found.append("\(hexadecimal(path)) \(error.code)")
            case .leave: continue
            }
        }
        return found.sorted()
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
            return ForgetPlan(
                verb: "discard", places: try decided.map { try forgetting($0) }.filter(\.isActive), asked: place)
        }
    }

    /// The plan of having a place writable again.
    public func planDisable(_ place: BytePath) throws -> ForgetPlan {
        try translated {
            guard let decided = try area.plan(of: place) else { throw FilterError.notDecided(path: place) }
            return ForgetPlan(verb: "disable", places: [try forgetting(decided)], asked: place)
        }
    }

    private func forgetting(_ decided: FilterPlan) throws -> ForgetPlan.Place {
        // Of what a command that was cut short left, all has its end, too.
        let isActive =
            FilterMounts.lower(of: decided.path) != nil || FilterSession(path: decided.path).unfinished != nil
        let users = isActive && decided.path != "/" ? FolderOverlay.lastingUsers(of: decided.path) : []
        return ForgetPlan.Place(
            path: decided.path, isActive: isActive, users: users, waiting: try journal.commits(of: decided.path),
            decided: decided)
    }
}
