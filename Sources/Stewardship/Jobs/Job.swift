// What the configuration wants done regularly, as one value: a command, a timer and a test run the same.

public import Images
public import Platform
public import RestorePoints

public struct Job: Sendable {
    /// Which goes first where several are due.
    public enum Priority: String, Sendable, CaseIterable, Comparable {
        case high, normal, low

        public static func < (a: Priority, b: Priority) -> Bool {
            // Three words: the place among them is there.
            (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
        }
    }

    /// What an image is made of.
    public enum Source: Hashable, Sendable {
        case paths([BytePath])
        /// A disk, with what makes it start.
        case disk(BytePath)
        /// A restore point of the protected tree.
        case point(String)
        /// One that is made for it.
        case newPoint
    }

    public var name: String
    public var source: Source
    /// Patterns, as they were typed.
    public var excludes: [[UInt8]] = []
    /// nil: this machine's, of the image's name.
    public var series: String?
    /// The image's name; nil: the job's.
    public var imageName: String?
    /// The stores that are written to, by the names of the configuration; never empty.
    public var to: [String]
    /// The stores that are copied to afterwards, from the first of those.
    public var copies: [String] = []
    /// nil: it is done when somebody asks for it.
    public var timing: Timing?
    /// Bytes a second at most, of each store.
    public var rate: UInt64?
    public var priority = Priority.normal
    /// Which of its images are kept; nil: all of them.
    public var keep: KeepRules?
    /// Hundredths of what a store holds of the job that are read and proven after a run.
    public var verify: UInt64?
    /// How it is proven that its images can be restored.
    public var drill: DrillSettings?
    /// In place of those of the configuration.
    public var hooks: Hooks?

    /// What the machine is compared with, by content.
    public enum Integrity: Hashable, Sendable {
        /// The newest image of the job's series, as it was before the run; while deviations stand, the one by which they were found.
        case latest
        case point(String)
    }

    /// nil: it is not compared.
    public var integrity: Integrity?
    /// What may differ: patterns, as they were typed.
    public var expected: [[UInt8]] = []

    public init(name: String, source: Source, to: [String]) {
        self.name = name
        self.source = source
        self.to = to
    }

    /// What may be a name: it is one of a file, too.
    public static func isName(_ text: String) -> Bool {
        guard (1...64).contains(text.utf8.count), let first = text.utf8.first else { return false }
        return isLetterOrDigit(first) && text.utf8.allSatisfy { isLetterOrDigit($0) || Array("._-".utf8).contains($0) }
            && text != "schedule"
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    /// When it is due, of what is known of it.
    public func dueness(_ record: JobRecord, at moment: Moment) -> Dueness? {
        timing.map { Dueness(job: name, to: to, copies: copies, $0, record, at: moment) }
    }
}

/// What a job does with stores. Whoever knows where they are and has the keys does it.
public protocol JobStores {
    /// Opens a store that images are written to.
    func openToWrite(_ store: String, rate: UInt64?) throws -> Store

    /// Brings the images of a series from one store to another.
    func copy(_ series: String, from: String, to: String, rate: UInt64?, _ reporter: Reporter) throws

    /// Checks the newest image of a series.
    /// - Parameter readsData: all of its content, too.
    /// - Returns: whether its content was read, which a steward's key opens nothing of.
    func verify(
        _ series: String, in store: String, readsData: Bool, rate: UInt64?, _ reporter: Reporter
    ) throws -> Bool

    /// What the newest image of a series holds. That wants an identity.
    func newest(of series: String, in store: String, rate: UInt64?) throws -> (id: ObjectID, listing: ImageListing)

    /// What an image holds. That wants an identity.
    /// - Parameter id: all of it.
    /// - Returns: nil where the store has no such image any more.
    func image(_ id: String, in store: String, rate: UInt64?) throws -> (id: ObjectID, listing: ImageListing)?

    /// Removes the images of a series that no rule keeps, and frees what has waited for it.
    /// - Returns: what was done, in words; nil where there is no key here that may do it.
    func prune(
        _ series: String, in store: String, _ rules: KeepRules, rate: UInt64?, _ reporter: Reporter
    ) throws -> String?

    /// Reads the keys with which the drills of a job are made where nobody is there.
    /// - Throws: `DrillError.badKey`
    func drillKeys(_ key: DrillSettings.Key, of job: String) throws -> any DrillKeys
}

/// The keys of a drill, and what they open.
public protocol DrillKeys {
    /// Their public halves.
    var recipients: [String] { get }

    /// The newest image of a series, opened with these keys and with no others.
    func newest(of series: String, in store: String, rate: UInt64?) throws -> DrillSource
}
