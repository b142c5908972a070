// A run of a job: an image into each store that is due, then the copies, then a share of the proof. A store that is away stops no other, and
// what came of each is on record as soon as it is known.

internal import Disks
internal import Images
public import Machine
public import Platform
internal import Reporting
internal import RestorePoints

public struct JobRun {
    let job: Job
    let stores: any JobStores
    let places: Places
    let reporter: Reporter
    private let tool: String
    let secrets: [BytePath]
    private let moment: () -> Moment
    var record: JobRecord
    private var failures: [any Explained] = []
    var findings: UInt64 = 0
    var sentences: [String] = []
    private var image: JobRecord.ImageCounts?
    private var hasReread = false
    /// Whether what differs from the past is taken as right from now on.
    public var accepts = false

    /// - Parameters:
    ///   - secrets: files of keys that are somewhere else than in the places.
    ///   - moment: what the machine knows of time; a test has its own.
    public init(
        _ job: Job, _ stores: any JobStores, _ places: Places, tool: String, secrets: [BytePath] = [],
        moment: @escaping () -> Moment = Moment.current, _ reporter: Reporter
    ) {
        self.job = job
        self.stores = stores
        self.places = places
        self.tool = tool
        self.secrets = secrets
        self.moment = moment
        self.reporter = reporter
        let known = JobRecord.read(job.name, places)
        record = known.record
        if let damage = known.damage { reporter.warn("\(damage); it is done as if it never had been") }
    }

    /// What a run is about.
    public enum Extent: Sendable {
        /// Every store of the job.
        case all
        /// Those that are due.
        case due
    }

    /// Runs the job.
    /// - Parameter lock: that of the schedule: nobody else runs a job.
    /// - Throws: `Interrupted`, with that on record; whatever else goes wrong is in the result.
    public mutating func run(_ extent: Extent, holding lock: borrowing ScheduleLock) throws -> JobRecord {
        let start = moment()
        let monotonic = HostFacts.secondsSinceStart
        let first = job.dueness(record, at: start)
        noteUnended(start)
        func wanted(_ dueness: Dueness?, copies: Bool) -> [String] {
            guard extent == .due else { return copies ? job.copies : job.to }
            return dueness?.due.filter { $0.isCopy == copies }.map(\.store) ?? []
        }
        record.begun = start.now
        do { try record.write(places) } catch {
            throw StewardError.noRecord(job: job.name, reason: "\(explained(error))")
        }
        var interrupted: Interrupted?
        do {
            let targets = wanted(first, copies: false)
            if !targets.isEmpty { try compareWithPast(start) }
            if !targets.isEmpty { try makeImages(in: targets, start) }
            // What is behind is behind by the images of now, too.
            var now = record
            now.begun = nil
            try makeCopies(in: wanted(job.dueness(now, at: moment()), copies: true))
            if !targets.isEmpty { try verify(targets, start) }
            try thinOut(start)
        } catch let error as Interrupted { interrupted = error }
        conclude(start, duration: HostFacts.secondsSinceStart - monotonic, interrupted)
        do { try record.write(places) } catch {
            throw StewardError.noRecord(job: job.name, reason: "\(explained(error))")
        }
        if let interrupted { throw interrupted }
        return record
    }

    // MARK: Images

    private mutating func makeImages(in targets: [String], _ start: Moment) throws {
        let point: String?
        do { point = try self.point(for: targets, start) } catch {
            if error is Interrupted || reporter.progress.stop.hasInterrupted { throw Interrupted() }
            for store in targets { fail(store, isCopy: false, error, start) }
            return
        }
        for store in targets {
            let rereads = isRereadDue(record.stores[store], start)
            try attempt(store, isCopy: false, start) { run, counted in
                let report = try run.backup(to: store, point: point, rereads: rereads, counted)
                if report.files == 0, let before = run.record.lastAttempt?.image?.files, before > 0 {
                    counted.add(
                        Finding(
                            .inconsistent, subject: "the image of \(run.job.name)",
                            "it has no file, and the one before had \(before): is what belongs there mounted?"))
                }
                var known = run.record.stores[store] ?? JobRecord.StoreRecord(isCopy: false)
                known.image = report.id.description
                known.series = report.label.series
                if rereads || known.lastReread == nil { known.lastReread = start.now }
                run.image = JobRecord.ImageCounts(report)
                run.hasReread = run.hasReread || rereads
                return (known, "the image \(report.id.description.prefix(8)) was made")
            }
        }
    }

    /// Does one thing for one store, and has what comes of it on record. Where somebody has asked to stop, whatever goes wrong is that.
    private mutating func attempt(
        _ store: String, isCopy: Bool, _ start: Moment,
        _ body: (inout JobRun, Findings) throws -> (JobRecord.StoreRecord, String)
    ) throws {
        let counted = counter()
        do {
            var (known, sentence) = try body(&self, counted)
            if counted.areCutShort { throw Interrupted() }
            known.isCopy = isCopy
            succeed(store, known, sentence, counted.count, start)
        } catch {
            if error is Interrupted || reporter.progress.stop.hasInterrupted { throw Interrupted() }
            fail(store, isCopy: isCopy, error, start)
        }
    }

    /// Counts what is found for one store, and hands it on.
    func counter() -> Findings {
        Findings(stop: reporter.progress.stop) { [findings = reporter.findings] in findings.add($0) }
    }

    private func backup(to store: String, point: String?, rereads: Bool, _ findings: Findings) throws -> BackupReport {
        var sources: [BytePath] = []
        if case .paths(let paths) = job.source { sources = paths }
        let (stores, rate) = (stores, job.rate)
        var backup = BackupJob(
            sources: sources, point: point, to: .store { try stores.openToWrite(store, rate: rate) }, places: places)
        backup.name = job.imageName ?? job.name
        backup.series = job.series
        backup.excludes = job.excludes
        backup.tool = tool
        backup.secrets = secrets
        backup.rereads = rereads
        backup.isOfMachine = true
        if let hooks = job.hooks { backup.hooks = hooks }
        if case .disk(let path) = job.source { try backup.take(DiskSurvey(SourceDisk(path))) }
        return try backup.run(
            reporting: Reporter(progress: reporter.progress, findings: findings, warn: reporter.warn))
    }

    /// The restore point that is backed up; nil where paths are.
    private func point(for targets: [String], _ start: Moment) throws -> String? {
        switch job.source {
        case .paths, .disk: return nil
        case .point(let name): return name
        case .newPoint:
            let tree = try ProtectedTree.open(
                state: places.state, progress: reporter.progress, findings: reporter.findings)
            if let hooks = job.hooks { tree.hooks = hooks }
            // Points that are images need no other image of them.
            guard tree.backendKind != .tree else {
                throw StewardError.pointsAreImages(
                    root: tree.root, store: places.pointStore, identity: places.pointIdentity)
            }
            // For stores that were away it is there already: a line that is down for a week makes no hundred points.
            if targets.allSatisfy({ (record.stores[$0]?.failuresInARow ?? 0) > 0 }),
                let last = try tree.points().last(where: { $0.tags["job"] == job.name }),
                (start.now - (job.timing?.every ?? 86400)...start.now).contains(last.time)
            {
                return last.name
            }
            let lock = try tree.lock()
            var request = PointRequest(name: try tree.freeName("\(job.name.prefix(40)).\(Timestamp.now().text)"))
            request.message = "made for the job \(job.name)"
            request.tags = ["job": job.name]
            return try tree.create(request, user: HostFacts.userName, holding: lock).point.name
        }
    }

    private func isRereadDue(_ known: JobRecord.StoreRecord?, _ start: Moment) -> Bool {
        guard let reread = job.timing?.reread, let last = known?.lastReread else { return false }
        // A time that is not there yet was that of a wrong clock.
        return last > start.now || start.now - last >= reread - min(3600, reread / 8)
    }

    // MARK: Copies

    private mutating func makeCopies(in targets: [String]) throws {
        guard !targets.isEmpty, let source = job.to.first else { return }
        let start = moment()
        guard let made = record.stores[source], let success = made.lastSuccess, let series = made.series else {
            let error = StewardError.nothingToCopy(job: job.name, store: source)
            return targets.forEach { fail($0, isCopy: true, error, start) }
        }
        for store in targets {
            try attempt(store, isCopy: true, start) { run, counted in
                try run.stores.copy(
                    series, from: source, to: store, rate: run.job.rate,
                    Reporter(progress: run.reporter.progress, findings: counted, warn: run.reporter.warn))
                var known = run.record.stores[store] ?? JobRecord.StoreRecord(isCopy: true)
                known.covers = success
                (known.image, known.series) = (made.image, series)
                return (known, "copied from \(source)")
            }
        }
    }

    // MARK: Proof

    /// Proves the newest image of each store: that everything of it is there, and each time that a whole has come together, its content.
    private mutating func verify(_ targets: [String], _ start: Moment) throws {
        guard let share = job.verify else { return }
        let before = record.verify?.collected ?? 0
        record.verify = nil
        for store in targets {
            guard var known = record.stores[store], known.exitStatus == 0 || known.exitStatus == 3,
                known.lastAttempt == start.now,
                let series = known.series
            else { continue }
            // Each has its own: one that was away when a whole had come together is read when it is back. What is due stays due until it was
            // read.
            let due = known.collected ?? before
            let collected = due + share
            let readsData = collected >= 100
            known.collected = min(collected, 100)
            record.stores[store] = known
            let counted = counter()
            do {
                let hasRead = try stores.verify(
                    series, in: store, readsData: readsData, rate: job.rate,
                    Reporter(progress: reporter.progress, findings: counted, warn: reporter.warn))
                if counted.areCutShort { throw Interrupted() }
                if hasRead { known.collected = due >= 100 ? 0 : collected % 100 }
                if readsData && !hasRead {
                    let isKnown = known.verifyObstacle == Self.noIdentity
                    known.verifyObstacle = Self.noIdentity
                    // It stays due; `check` goes on telling, and each run need not be one with a finding.
                    if !isKnown { noteObstacle(Self.noIdentity, store) }
                } else if hasRead || known.verifyStatus.map({ $0 != 0 && $0 != 3 }) ?? true {
                    known.verifyObstacle = nil
                }
                // Damage of the content is told until the content was read again.
                if counted.count > 0 {
                    known.verifyStatus = 3
                } else if hasRead || known.verifyStatus != 3 {
                    known.verifyStatus = 0
                }
                if hasRead || !readsData { known.lastVerified = moment().now }
                if counted.count > 0 { sentences.append("\(store): the proof found damage") }
            } catch {
                if error is Interrupted || reporter.progress.stop.hasInterrupted { throw Interrupted() }
                // The image is there all the same.
                let error = explained(error)
                if known.verifyStatus != 3 { known.verifyStatus = error.exitStatus }
                known.verifyObstacle = JobRecord.short(
                    "nothing was proven: \(error.sentence)" + (error.mend.map { "; \($0)" } ?? ""))
                noteObstacle(known.verifyObstacle, store)
            }
            findings += counted.count
            record.stores[store] = known
        }
    }

    private static let noIdentity =
        "its content was not proven: the key at hand opens none; it wants an identity, for which `identity` of the configuration is"

    private mutating func noteObstacle(_ obstacle: String?, _ store: String) {
        let sentence = "\(store): \(obstacle ?? "")"
        reporter.warn(sentence)
        sentences.append(sentence)
        findings += 1
    }

    // MARK: What is known of it

    /// A run that did not come to its end: the machine was off, which is nobody's fault, or the program was ended.
    private mutating func noteUnended(_ start: Moment) {
        guard let begun = record.begun else { return }
        let time = Timestamp(seconds: begun, nanoseconds: 0).text
        if let started = start.started, begun < started {
            reporter.warn("the run of \(job.name) of \(time) did not come to its end, since the machine stopped")
        } else {
            reporter.warn("the run of \(job.name) of \(time) did not come to its end: the program was ended")
            for store in job.to where record.stores[store]?.lastSuccess != begun {
                var known = record.stores[store] ?? JobRecord.StoreRecord(isCopy: false)
                known.lastAttempt = begun
                known.exitStatus = 1
                known.sentence = "the program was ended before it was done"
                known.failuresInARow = min(known.failuresInARow, 1_000_000) + 1
                record.stores[store] = known
            }
        }
    }

    private mutating func succeed(
        _ store: String, _ known: JobRecord.StoreRecord, _ sentence: String, _ count: UInt64, _ start: Moment
    ) {
        var known = known
        known.lastAttempt = start.now
        known.lastSuccess = start.now
        known.failuresInARow = 0
        known.exitStatus = count > 0 ? 3 : 0
        known.sentence = count > 0 ? "\(sentence), with findings" : sentence
        findings += count
        sentences.append("\(store): \(known.sentence)")
        record.stores[store] = known
        // What is done stays done, whatever comes after it.
        do { try record.write(places) } catch {
            reporter.warn("what came of \(store) is not on record yet: \(explained(error).sentence)")
        }
    }

    private mutating func fail(_ store: String, isCopy: Bool, _ error: any Error, _ start: Moment) {
        let error = explained(error)
        var known = record.stores[store] ?? JobRecord.StoreRecord(isCopy: isCopy)
        known.isCopy = isCopy
        known.lastAttempt = start.now
        known.exitStatus = error.exitStatus == 0 ? 1 : error.exitStatus
        known.sentence = JobRecord.short(error.sentence)
        known.failuresInARow = min(known.failuresInARow, 1_000_000) + 1
        record.stores[store] = known
        failures.append(error)
        sentences.append("\(store): \(error.sentence)")
        reporter.warn("\(job.name): \(store): \(error.sentence)" + (error.mend.map { "; \($0)" } ?? ""))
    }

    private mutating func conclude(_ start: Moment, duration: Int64, _ interrupted: Interrupted?) {
        let end = moment()
        let statuses = Set(failures.map(\.exitStatus))
        let status: Int32 =
            interrupted != nil
            ? 130 : failures.isEmpty ? (findings > 0 ? 3 : 0) : statuses.count == 1 ? max(1, statuses.first ?? 1) : 1
        if interrupted != nil { sentences.append("interrupted; the next run goes on") }
        record.lastAttempt = JobRecord.JobAttempt(
            began: start.now, ended: end.now, durationSeconds: max(0, duration), exitStatus: status,
            sentence: JobRecord.short(sentences.isEmpty ? "nothing was to be done" : sentences.joined(separator: "; ")),
            wasReread: hasReread, image: image, findings: findings)
        record.begun = nil
        // Stores that the job does not have any more are forgotten.
        let names = Set(job.to + job.copies)
        record.stores = record.stores.filter { names.contains($0.key) }
        if !failures.isEmpty { record.failuresInARow = min(record.failuresInARow, 1_000_000) + 1 }
        if failures.isEmpty && interrupted == nil {
            record.failuresInARow = 0
            let isBehind = job.copies.contains { record.stores[$0]?.covers != record.stores[job.to[0]]?.lastSuccess }
            let times = job.to.map { record.stores[$0]?.lastSuccess }
            if !isBehind, let oldest = times.map({ $0 ?? .min }).min(), oldest != .min { record.lastSuccess = oldest }
        }
        record.nextDue = job.dueness(record, at: end)?.next
    }
}

extension JobRecord {
    /// A sentence that goes into a record, however long the names in it are.
    static func short(_ sentence: String) -> String {
        sentence.utf8.count <= 2000 ? sentence : String(sentence.prefix(500)) + "…"
    }
}

extension JobRecord.ImageCounts {
    init(_ report: BackupReport) {
        self.init(
            series: report.label.series, entries: report.label.entries, files: report.files,
            filesRead: report.filesRead,
            processedBytes: report.label.contentBytes, newBytes: report.label.newBytes,
            storedBytes: report.label.storedBytes)
    }
}
