// What is known of a job: what it did last, and what came of it in each of its stores. When it is due, and all that a monitor is told,
// comes from here, never from a timer's stamp or from a store.
//
//     <state>/jobs/<name>.json     replaced whole and durably, so that a crash leaves the record of before or the new one
//     <state>/jobs/<name>.drill    what is known of its drills (`DrillRecord`)
//
// A record that cannot be read is worth as much as none: the job is due.

internal import FoundationEssentials
public import Machine
internal import Platform
internal import Reporting

public struct JobRecord: Codable, Hashable, Sendable {
    public static let version = 1
    /// A record is short. What is longer is none of ours, and is not taken into memory.
    static let limit = 1 << 18

    public internal(set) var version = JobRecord.version
    public internal(set) var job: String
    /// Since when the job is known: from the first look that found it in the configuration.
    public internal(set) var since: Int64?
    /// When a run began that is not at its end: one goes on, or did not come to its end.
    public internal(set) var begun: Int64?
    /// The last run that did something, whatever came of it.
    public internal(set) var lastAttempt: JobAttempt?
    /// When the last run began after which every store of the job had what it is to have.
    public internal(set) var lastSuccess: Int64?
    /// Runs in a row after which a store did not.
    public internal(set) var failuresInARow = 0
    /// By the stores' names, as the configuration has them; those that are written to and those that are copied to.
    public internal(set) var stores: [String: StoreRecord] = [:]
    /// When the job is due next, in seconds since 1970, as it was reckoned after the last run; nil: as soon as somebody looks.
    public internal(set) var nextDue: Int64?
    /// Of an older program, which counted for all stores together.
    public internal(set) var verify: VerifyRecord?
    /// What the last comparison of the machine with its past came to.
    public internal(set) var integrity: IntegrityRecord?
    /// What is known of its drills, which has a file of its own; nil: there was none.
    public internal(set) var drill: DrillRecord?

    /// Of a job of which nothing is known.
    public init(job: String) { self.job = job }

    /// One run, over all stores that it was about. Times are in seconds since 1970.
    public struct JobAttempt: Codable, Hashable, Sendable {
        public internal(set) var began: Int64
        public internal(set) var ended: Int64
        /// Measured by a clock that nobody sets.
        public internal(set) var durationSeconds: Int64
        /// As a command of its own would have ended: 0, 1, 3, 4 or 130.
        public internal(set) var exitStatus: Int32
        /// One sentence.
        public internal(set) var sentence: String
        /// Whether everything was read anew, without the walk cache.
        public internal(set) var wasReread = false
        /// Of the image that was made last.
        public internal(set) var image: ImageCounts?
        public internal(set) var findings: UInt64 = 0
    }

    /// What an image holds, and what of that was new.
    public struct ImageCounts: Codable, Hashable, Sendable {
        public internal(set) var series: String
        public internal(set) var entries: UInt64
        public internal(set) var files: UInt64
        /// Files that were opened, since they were new or changed, or everything was read anew.
        public internal(set) var filesRead: UInt64
        /// All content of the image.
        public internal(set) var processedBytes: UInt64
        /// What the store did not have.
        public internal(set) var newBytes: UInt64
        /// The same as it is kept: compressed and encrypted.
        public internal(set) var storedBytes: UInt64
    }

    /// What was done for one store. Times are in seconds since 1970.
    public struct StoreRecord: Codable, Hashable, Sendable {
        /// Whether images are copied there, in place of being made there.
        public internal(set) var isCopy: Bool
        public internal(set) var lastAttempt: Int64?
        public internal(set) var exitStatus: Int32 = 0
        public internal(set) var sentence = ""
        /// When the last run began that went well, with findings or without.
        public internal(set) var lastSuccess: Int64?
        public internal(set) var failuresInARow = 0
        /// The image that was made last, and its series.
        public internal(set) var image: String?
        public internal(set) var series: String?
        /// Of a copy: up to which success of the store that it is copied from it has everything.
        public internal(set) var covers: Int64?
        /// When everything was read anew for it, without the walk cache.
        public internal(set) var lastReread: Int64?
        /// When a share of it was proven last, and what came of that.
        public internal(set) var lastVerified: Int64?
        public internal(set) var verifyStatus: Int32?
        /// Why what was wanted could not be proven, until it has been.
        public internal(set) var verifyObstacle: String?
        /// Hundredths of a whole that have come together since its content was read last; nil in a record of an older program.
        public internal(set) var collected: UInt64?
        /// When it was thinned out last, and what came of that.
        public internal(set) var lastPruned: Int64?
        public internal(set) var pruneStatus: Int32?

        init(isCopy: Bool) { self.isCopy = isCopy }
    }

    /// Where the proof of a share at a time stands.
    public struct VerifyRecord: Codable, Hashable, Sendable {
        /// Hundredths of a whole that have come together since content was read last.
        public internal(set) var collected: UInt64 = 0
    }
}

extension JobRecord {
    /// When a run began that did not come to its end though nothing stopped the machine.
    func ended(at moment: Moment) -> Int64? { moment.ended(begun) }
}

// MARK: Where it lies

extension JobRecord {
    /// What is known of a job.
    public struct Known: Sendable {
        public var record: JobRecord
        /// Why nothing is known although there is something, in a sentence.
        public var damage: String?
        /// The same of its drills.
        public var drillDamage: String?
    }

    static func path(_ job: String, _ places: Places) -> BytePath { places.jobs.appending("\(job).json") }

    /// Never fails: what cannot be read is not known, and that is said.
    public static func read(_ job: String, _ places: Places) -> Known {
        var known = readRuns(job, places)
        let drills = DrillRecord.read(job, places)
        (known.record.drill, known.drillDamage) = (drills.record, drills.damage)
        return known
    }

    private static func readRuns(_ job: String, _ places: Places) -> Known {
        let path = path(job, places)
        let nothing = JobRecord(job: job)
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readRegular(path, limit: limit) } catch {
            if error.isAbsent { return Known(record: nothing) }
            return Known(
                record: nothing, damage: "what is known of the job \(job) cannot be read: \(path): \(error.reason)")
        }
        do {
            let record = try JSONDecoder().decode(JobRecord.self, from: Data(bytes))
            guard record.version == version else {
                return Known(
                    record: nothing,
                    damage: "\(path) is of another version of Holdfast, so nothing is known of the job \(job)")
            }
            guard record.job == job, record.isPlausible else {
                return Known(
                    record: nothing, damage: "\(path) is not what Holdfast wrote, so nothing is known of the job \(job)"
                )
            }
            return Known(record: record)
        } catch {
            return Known(record: nothing, damage: "\(path) is damaged, so nothing is known of the job \(job)")
        }
    }

    /// Whether one can reckon with it: times lie within what a calendar has, counts are counts.
    private var isPlausible: Bool {
        let ofStores = stores.values.flatMap {
            [$0.lastAttempt, $0.lastSuccess, $0.covers, $0.lastReread, $0.lastVerified, $0.lastPruned]
        }
        let ofIntegrity = [integrity?.time, integrity?.compared, integrity?.since]
        let times =
            [since, begun, lastAttempt?.began, lastAttempt?.ended, lastSuccess, nextDue] + ofIntegrity + ofStores
        let counts = [failuresInARow] + stores.values.map(\.failuresInARow)
        return times.allSatisfy { $0.map(calendarRange.contains) ?? true }
            && counts.allSatisfy { (0...1_000_000_000).contains($0) }
            && ([verify?.collected] + stores.values.map(\.collected)).allSatisfy { $0.map { $0 <= 100_000 } ?? true }
    }

    /// Notes since when jobs are known of which there is no record yet. A record that cannot be read stays as it is, and is told elsewhere.
    public static func note(
        _ jobs: [Job], _ places: Places, now: Int64, holding lock: borrowing ScheduleLock
    ) throws {
        for job in jobs where !exists(path(job.name, places)) {
            var record = JobRecord(job: job.name)
            record.since = now
            try record.write(places)
        }
    }

    /// Durable on return; a crash leaves the record of before.
    func write(_ places: Places) throws {
        var runs = self
        // A drill by hand may have been noted since this was read.
        runs.drill = nil
        try writeRecord(runs, to: Self.path(job, places))
    }
}

/// Writes what is known of a job to a file of its folder. Durable on return; a crash leaves the record of before.
func writeRecord(_ record: some Encodable, to path: BytePath) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    try makeFolders(path.parent, mode: 0o755)
    try replaceFile(path, Array(try encoder.encode(record)) + Array("\n".utf8), mode: 0o644)
}
