// What a policy asks for: rules for the machines of a line, and the media that are known. Both come from the configuration, and are values here.

internal import Images
public import Platform

/// The rules of one table of the policy.
public struct PolicyRules: Sendable {
    public var name: String
    /// What people call the machines together, and where they stand; for pages.
    public var line: String?
    public var site: String?
    /// The series that are meant; none: all.
    public var series: [NamePattern] = []
    /// The machines that are meant and have to be there; none: all that there are.
    public var machines: [String] = [] {
        didSet { known = Set(machines.map(ExactText.init)) }
    }
    private var known: Set<ExactText> = []
    /// Those that are carried about: they want one more copy.
    public var portable: [NamePattern] = []
    /// The stores that are looked at, by their names.
    public var stores: [String] = []
    /// How many stores have to have a copy.
    public var copies: Int?
    /// How old the newest image of a copy may be; nil: as old as any.
    public var copyAge: Int64?
    /// How many sites the copies have to be at.
    public var sites: Int?
    public var wantsOffsite = false
    /// How old the newest image may be, in seconds.
    public var age: Int64?
    /// How long ago one was read whole, and one restored for trial, at most.
    public var proven: Int64?
    public var drilled: Int64?
    /// What has to be there of the past.
    public var keep: KeepRules?
    /// How old the oldest image may be.
    public var keepAtMost: Int64?
    /// How many recipients have to open each store.
    public var recipients: Int?
    /// Recipients whose identity is lost, or known to somebody else.
    public var lostRecipients: [String] = []
    /// Whether a key that opens a machine's images may be on it, as with `here = true` in the drill of a job.
    public var allowsKeyOnMachine = false
    public var media: MediaRules?
    /// Whether an image has to hold all that is mounted, but for these.
    public var wantsMounts = false
    public var uncovered: [NamePattern] = []

    public init(name: String) { self.name = name }

    /// The machine that a series is of: what its name begins with.
    public static func machine(of series: String) -> String {
        String(series.prefix { $0 != "/" })
    }

    public func isFor(series name: String) -> Bool {
        let isNamed = series.isEmpty || series.contains { $0.matches(name) }
        guard isNamed, !machines.isEmpty else { return isNamed }
        return known.contains(ExactText(Self.machine(of: name)))
    }

    func copies(of series: String) -> Int? {
        let machine = Self.machine(of: series)
        return copies.map { $0 + (portable.contains { $0.matches(machine) } ? 1 : 0) }
    }
}

/// What media have to be.
public struct MediaRules: Sendable {
    /// In the words of `MediumFacts.kind`.
    public var kinds: [String] = []
    public var fileSystems: [String] = []
    /// Bytes of the whole medium.
    public var least: UInt64?
    /// For how long one may be in use, in seconds.
    public var age: Int64?
    /// Whether somebody has to have said where it is kept.
    public var wantsCustody = false
    /// Whether one that is out of use needs a certificate.
    public var wantsCertificate = false

    public init() {}
}

/// A medium as the configuration knows it: what nobody can measure.
public struct KnownMedium: Sendable {
    public var name: String
    public var serial: String?
    /// The store that is on it, by its name.
    public var store: String?
    /// When its use began, and when it ended, in seconds since 1970.
    public var since: Int64?
    public var ended: Int64?
    /// Where it is kept, and by whom.
    public var custody: String?

    public init(name: String) { self.name = name }
}

/// All of it.
public struct Policy: Sendable {
    public var tables: [PolicyRules] = []
    public var media: [KnownMedium] = []
    /// Where certificates of wiped media lie, and reports of drills.
    public var certificates: BytePath?
    public var drills: BytePath?
    /// A file of the public keys that sign them; nil: any that fits.
    public var signers: BytePath?

    public init() {}

    public var isEmpty: Bool { tables.isEmpty }

    /// The stores that any table names, each once.
    public var stores: [String] {
        var seen: Set<String> = []
        return tables.flatMap(\.stores).filter { seen.insert($0).inserted }
    }
}
