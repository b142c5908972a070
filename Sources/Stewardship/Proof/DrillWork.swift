// A drill from what is asked for to the report that is written: a command and the timer have it done alike.

internal import AuditLog
internal import Cryptography
public import Machine
public import Platform
internal import Reporting

public struct DrillWork {
    private let places: Places
    private let tool: String
    private let reporter: Reporter
    private let tell: (String) -> Void

    /// - Parameter tell: what is being done, in words.
    public init(_ places: Places, tool: String, _ reporter: Reporter, tell: @escaping (String) -> Void) {
        self.places = places
        self.tool = tool
        self.reporter = reporter
        self.tell = tell
    }

    public struct Done: Sendable {
        public var report: DrillReport
        /// Where it was written, and its SHA-256.
        public var file: BytePath
        public var digest: String
        /// Why it was not completed; nil where it was, whatever its verdict is.
        public var failure: (any Error)?
        /// Measured by a clock that nobody sets.
        public var durationSeconds: Int64

        /// Where the report is, as the audit log has it.
        public var place: String { "report \(file), SHA-256 \(digest)" }
    }

    /// Does it, and writes the report: also of a key that could not be had, and of a store that is away.
    /// - Parameters:
    ///   - file: where the report goes, which replaces nothing; nil: to a new place among those of the state.
    ///   - takeKey: has the key at hand, and has the request say of what kind it is.
    ///   - open: opens the store with it, and finds the image.
    /// - Throws: where no report could be written.
    public func run<Key>(
        _ request: DrillRequest, to file: BytePath? = nil, takeKey: (inout DrillRequest) throws -> Key,
        open: (Key) throws -> DrillSource
    ) throws -> Done {
        let file = try file ?? places.newDrillReport()
        try DrillReport.checkPlace(file)
        let signing = try DrillReport.key(state: places.drillState)
        // An anchor, where there is a log.
        let head = (try? AuditLog(folder: places.log).head())?.description
        var request = request
        let key: Result<Key, any Error>
        do { key = .success(try takeKey(&request)) } catch { key = .failure(error) }
        var drill = try Drill(request, tool: tool, logHead: head, reporter, tell: tell)
        let start = HostFacts.secondsSinceStart
        let failure = drill.run { try open(key.get()) }
        let duration = max(0, HostFacts.secondsSinceStart - start)
        let digest = try drill.report.write(file, key: signing)
        return Done(report: drill.report, file: file, digest: digest, failure: failure, durationSeconds: duration)
    }
}

extension DrillRequest {
    /// What the settings of a job ask for.
    public init(_ job: Job?) {
        self.init()
        let settings = job?.drill ?? DrillSettings()
        kind = settings.kind
        files = settings.files
        recoveryTime = settings.recoveryTime
        recoveryPoint = settings.recoveryPoint
        every = settings.every
        scratch = settings.scratch
        health = settings.health
        isAllowedHere = settings.isAllowedHere
        self.job = job?.name
    }
}

extension Job {
    /// What a drill restores the newest image of.
    /// - Parameter record: what is known of the job.
    /// - Throws: `DrillError.noImageOfJob` where no image is known.
    public func drillImage(_ record: JobRecord) throws(DrillError) -> (store: String, series: String) {
        let known = record.stores
        guard let store = drill?.store ?? to.first else { throw .noImageOfJob(job: name, store: "no store") }
        let found = series ?? known[store]?.series ?? to.lazy.compactMap { known[$0]?.series }.first
        guard let found else { throw .noImageOfJob(job: name, store: store) }
        return (store, found)
    }
}
