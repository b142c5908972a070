// Where Holdfast has what on a machine, named once: everything else is handed these. For root it is the machine's own, where
// `holdfast setup` sees to it that neither a rollback nor the write filter reaches; for others the folders of the XDG base directory
// specification.

public import Platform

public struct Places: Sendable, Hashable {
    public static let standardState: BytePath = "/var/lib/holdfast"
    public static let standardConfiguration: BytePath = "/etc/holdfast"
    public static let standardCache: BytePath = "/var/cache/holdfast"
    /// What is gone with the next start, for root alone: what lies in it leads past the write filter.
    public static let runtime: BytePath = "/run/holdfast"

    /// What is known about the protected tree: points, journal, log, filter. `--state` gives another.
    public var state: BytePath
    /// Whose `stores` holds the writer keys and the records of runs.
    public var keys: BytePath
    /// Costs only time where it is lost.
    public var cache: BytePath
    /// The folder of the configuration and of the identity.
    public var configuration: BytePath
    /// Where root had keys, identity and caches before they were the machine's; nil where the places are not the machine's.
    let home: BytePath?
    /// Whether the keys are in the home of somebody who is not root.
    private let isUser: Bool

    /// The places of this process.
    /// - Parameters:
    ///   - variable: the environment. `HOLDFAST_STATE` and the XDG variables say other places, to root, too.
    ///   - home: the folder of the user.
    public init(
        isRoot: Bool = HostFacts.isRoot, home: BytePath = HostFacts.homeFolder,
        variable: (String) -> BytePath? = HostFacts.environment
    ) {
        func folder(_ name: String) -> BytePath? {
            variable(name).flatMap { $0.isAbsolute ? $0.appending("holdfast") : nil }
        }
        let given = variable("HOLDFAST_STATE").flatMap { $0.isAbsolute ? $0 : nil }
        state = given ?? Self.standardState
        let local = home.appending(".local/state/holdfast")
        keys = given ?? folder("XDG_STATE_HOME") ?? (isRoot ? Self.standardState : local)
        configuration =
            folder("XDG_CONFIG_HOME")
            ?? (isRoot ? Self.standardConfiguration : home.appending(".config/holdfast"))
        if let cache = folder("XDG_CACHE_HOME") ?? given?.appending("cache") {
            self.cache = cache
        } else if !isRoot {
            cache = home.appending(".cache/holdfast")
        } else {
            // A filter forgets what is elsewhere, and each run after a start would read everything again.
            cache =
                Self.isSetUp(Self.standardState)
                ? Self.standardState.appending("cache") : Self.standardCache
        }
        self.home = isRoot && keys == Self.standardState ? home : nil
        isUser = !isRoot && keys == local
    }

    /// What the configuration says instead.
    public mutating func apply(state: BytePath?, cache: BytePath?) {
        if let state {
            self.state = state
            keys = state
        }
        if let cache { self.cache = cache }
    }

    /// The same machine, and another protected tree.
    public func with(state: BytePath) -> Places {
        var places = self
        places.state = state
        return places
    }

    /// The places of whoever only asks how jobs stand: somebody without jobs of his own, a monitor for instance, is told of the machine's.
    public func looking(at machine: BytePath = Self.standardState) -> Places {
        guard isUser, keys != machine, !exists(jobs), exists(machine.appending("jobs")) else { return self }
        var places = self
        places.keys = machine
        return places
    }

    // MARK: In the state

    /// What says that a tree is protected, in the folder with its state.
    public static func protection(in state: BytePath) -> BytePath { state.appending("protected.json") }
    /// The same, once protection was taken back and the points were kept.
    public static func formerProtection(in state: BytePath) -> BytePath { state.appending("removed.json") }
    public static func isSetUp(_ state: BytePath) -> Bool { exists(protection(in: state)) }

    /// Before set-up, where only the places of keys are given, it is with those.
    public var log: BytePath {
        let place = state == Self.standardState && !Self.isSetUp(state) ? keys : state
        return place.appending("log")
    }
    /// What came of the jobs of the configuration, a record each, and the lock of who runs them. As the log, it is with the keys before
    /// set-up where only their places are given.
    public var jobs: BytePath {
        let place = state == Self.standardState && !Self.isSetUp(state) ? keys : state
        return place.appending("jobs")
    }
    /// What says that jobs run by themselves, and what was decided of that.
    public var schedule: BytePath { jobs.appending("schedule") }
    /// Since when the plant holds work.
    public var heldWork: BytePath { jobs.appending("held") }
    /// For which run of the package manager a backup was made.
    public var packageRun: BytePath { jobs.appending("package-run") }
    /// How many messages about jobs did not reach whom they were for.
    public var lostNotices: BytePath { jobs.appending("lost-notices") }
    /// The key that signs certificates, with its public half beside it.
    public var certificateKey: BytePath { state.appending("certificate").appending("key") }
    /// The points of a plain tree, a store of images.
    public var pointStore: BytePath { state.appending("store") }
    public var pointIdentity: BytePath { state.appending("identity.txt") }
    /// Where the configuration is once a machine is set up; its old place leads there.
    public static func movedConfiguration(in state: BytePath) -> BytePath { state.appending("etc") }
    /// Which store was seen at which place.
    public var knownStores: BytePath { keys.appending("known-stores") }

    // MARK: In the configuration

    /// The configuration that everybody has who gives no other.
    public static let standardConfigurationFile = standardConfiguration.appending("config.toml")
    /// Programs that hear of a filter that fills.
    public static let filterHooks = standardConfiguration.appending("filter.d")
    /// Programs that are asked before a state on trial is kept.
    public static let trialChecks = standardConfiguration.appending("trial.d")

    /// The user's own identity. Root's may still be in the home folder: it is not moved, since a person has noted where it is.
    public var identity: BytePath {
        let place = configuration.appending("identity.txt")
        guard !exists(place), let old = home?.appending(".config/holdfast/identity.txt"), exists(old) else {
            return place
        }
        return old
    }

    // MARK: What no image holds

    /// Folders and files that a backup leaves out: the state, writer keys, caches, and what is secret of the configuration. Of the
    /// machine's configuration the rest belongs to an image of `/`.
    public func ownFiles() -> [BytePath] {
        var own = ["stores", "known-stores", "log", "jobs", "drills", "certificate"].map(keys.appending) + [cache]
        if let home {
            own += [".local/state", ".cache", ".config"].map { home.appending($0).appending("holdfast") }
        }
        own += parts(of: state)
        let isMachines = configuration == Self.standardConfiguration
        own += isMachines ? Self.secrets(in: configuration) : [configuration]
        return own
    }

    /// The state but for the configuration in it, where that has moved there.
    private func parts(of state: BytePath) -> [BytePath] {
        let moved = Self.movedConfiguration(in: state)
        guard exists(moved), let folder = try? Descriptor.open(state, .directory),
            let names = try? DirectoryListing(of: folder)
        else { return [state] }
        return (0..<names.count).map { state.appending(names[$0]) }.filter { $0 != moved } + Self.secrets(in: moved)
    }

    /// Files with private keys in a folder, whatever they are called. One that cannot be read is taken for one.
    static func secrets(in folder: BytePath) -> [BytePath] {
        guard let opened = try? Descriptor.open(folder, .directory), let names = try? DirectoryListing(of: opened)
        else {
            return []
        }
        return (0..<names.count).compactMap { index in
            guard let status = try? opened.status(of: names[index]), status.kind == .file else { return nil }
            let path = folder.appending(names[index])
            guard status.size < 1 << 20, let bytes = try? readWhole(path, limit: 1 << 20) else { return path }
            let text = String(decoding: bytes, as: UTF8.self)
            return text.contains("AGE-SECRET-KEY-") || text.contains("PRIVATE KEY-----")
                || text.hasPrefix("holdfast steward key") ? path : nil
        }
    }
}
