// A drill: an image, or a part of it, is restored to a place that is made for it and goes with it, and compared with the image's manifest, entry
// by entry. Whatever comes of it, there is a report.

internal import AuditLog
internal import Cryptography
public import Images
internal import Platform
internal import Reporting

public struct Drill {
    let request: DrillRequest
    let reporter: Reporter
    private let tell: (String) -> Void
    public internal(set) var report: DrillReport
    var hasDamage = false
    /// What of a disk did not come back, or what its start came to; nil: it is whole, and answered, or none was asked for.
    var failure: String?
    private let began = Timestamp.now()

    /// - Parameters:
    ///   - logHead: where the machine's audit log ends.
    ///   - tell: what is being done, in words.
    public init(
        _ request: DrillRequest, tool: String, logHead: String?, _ reporter: Reporter,
        tell: @escaping (String) -> Void = { _ in }
    ) throws {
        self.request = request
        self.reporter = reporter
        self.tell = tell
        report = try DrillReport(request.kind, tool: tool)
        report.job = request.job
        report.recoveryTime.target = request.recoveryTime
        report.recoveryPoint.target = request.recoveryPoint
        report.identity = request.identity
        report.nextDue = request.every.map {
            Timestamp(seconds: Timestamp.now().seconds.adding(saturating: $0), nanoseconds: 0).text
        }
        if let logHead { report.logHead = logHead }
    }

    /// Does it.
    /// - Parameter open: opens the store and finds the image.
    /// - Returns: why it was not completed; nil where it was, whatever its verdict is. The report has it either way.
    public mutating func run(_ open: () throws -> DrillSource) -> (any Error)? {
        defer { report.ended = Timestamp.now().text }
        do {
            let collected = CollectedFindings(reporter)
            let findings = collected.findings
            do {
                try work(open, Reporter(progress: reporter.progress, findings: findings, warn: reporter.warn))
                if findings.areCutShort { throw Interrupted() }
            } catch {
                take(collected)
                throw error
            }
            take(collected)
            conclude()
            return nil
        } catch {
            report.verdict = .notCompleted
            report.reason = reporter.progress.stop.hasInterrupted ? "interrupted" : explained(error).sentence
            return error
        }
    }

    private mutating func work(_ open: () throws -> DrillSource, _ reporter: Reporter) throws {
        let source = try step("open the store and the image") { _ in try open() }
        describe(source)
        if let label = source.reader.label {
            if request.isUnattended {
                let isOnMachine = label.isOf(host: HostFacts.hostName)
                report.identity.isOnMachine = isOnMachine
                if isOnMachine, !request.isAllowedHere { throw DrillError.keyOnMachine(host: label.host) }
            }
            if label.isOfDisk {
                if request.kind != .sample { return try workOnDisk(source, reporter) }
                // Beside the disk itself.
                if label.sources.count < 2 { throw DrillError.noFiles(image: label.name) }
                report.deviations.append(
                    "files were restored, and neither the disk's table nor what was taken by blocks or raw")
            } else if request.kind == .boot {
                try BootDrill.check(label.sources)
            }
        }
        let entries = try ImageEntries(source.reader)
        let chosen = request.kind == .sample ? try choose(from: entries, reporter) : nil
        let scratch = try request.scratch.map { try ScratchFolder(in: $0) } ?? ScratchFolder()
        // It goes with its last use, and all in it.
        defer { withExtendedLifetime(scratch) {} }
        let target = scratch.path.appending("tree")
        try request.scan?.check(target)
        try scratch.folder.makeDirectory(target.lastComponent)
        let tree = try scratch.folder.open(target.lastComponent, .directory)
        try restore(source, chosen, to: target, tree, reporter)
        try compare(entries, chosen, with: tree, reporter)
        if let scan = request.scan { try look(scan, at: target) }
        if request.kind == .boot {
            try start(
                BootDrill(
                    machine: StartedMachine(scratch, health: request.health, limit: request.within),
                    tree: (target, tree), content: report.image.bytes))
        }
    }

    private mutating func start(_ boot: BootDrill) throws {
        report.deviations.append(
            "the copy was started with an empty fstab, without network, and with a unit that asked: \(boot.machine.health)"
        )
        take(try step("start") { drill in try boot.run(drill.reporter.progress.stop) })
    }

    mutating func take(_ answer: StartedMachine.Answer) {
        switch answer {
        case .answers: break
        case .isUnwell(let reason): failure = "it starts, and does not answer as it should: \(reason)"
        case .neverStarts(let reason): failure = "it never starts: \(reason)"
        }
    }

    // MARK: Steps

    mutating func step<R>(
        _ name: String, bytes: (R) -> UInt64? = { _ in nil }, _ body: (inout Drill) throws -> R
    ) throws -> R {
        tell(name)
        let (started, clock) = (Timestamp.now().text, ContinuousClock.now)
        var moved: UInt64?
        func finish(_ drill: inout Drill) {
            let milliseconds = (ContinuousClock.now - clock).milliseconds
            drill.report.steps.append(
                DrillReport.Step(
                    name, started: started, ended: Timestamp.now().text, milliseconds: milliseconds, bytes: moved,
                    bytesPerSecond: moved.map { $0.multiplied(saturating: 1000) / max(1, milliseconds) }))
        }
        let result: R
        do { result = try body(&self) } catch {
            finish(&self)
            throw error
        }
        moved = bytes(result)
        finish(&self)
        return result
    }

    private mutating func describe(_ source: DrillSource) {
        for finding in source.findings { report.add(finding: finding) }
        report.store.place = source.place
        report.store.id = source.store.identifier
        report.store.fingerprint = "\(source.store.fingerprint)"
        if let id = source.reader.imageID { report.image.id = id.description }
        guard let label = source.reader.label else { return }
        report.image = DrillReport.Image(label, id: report.image.id)
        let made = label.storeTime ?? label.time.seconds
        report.recoveryPoint.age = max(0, began.seconds.subtracting(saturating: made))
    }

    private mutating func choose(
        from entries: ImageEntries, _ reporter: Reporter
    ) throws -> [BytePath: DrillChoice.ChosenFile] {
        let seed = request.repeated ?? report.id
        report.seed = seed
        return try step("choose from the manifest") { drill in
            var choice = DrillChoice(seed: seed, limit: drill.request.files)
            try entries.forEach(reporter.progress, losses: reporter.findings.add) { entry in
                if !entry.isVolumeOfDisk { try choice.offer(entry) }
            }
            drill.report.scope.bootFiles = UInt64(choice.bootFiles.count)
            return Dictionary(choice.all.map { ($0.place, $0) }) { first, _ in first }
        }
    }

    private mutating func restore(
        _ source: DrillSource, _ chosen: [BytePath: DrillChoice.ChosenFile]?, to target: BytePath, _ tree: Descriptor,
        _ reporter: Reporter
    ) throws {
        var asked = RestoreRequest(target: target)
        asked.folder = tree
        asked.otherHardware = true
        asked.devices = HostFacts.isRoot
        if let chosen { asked.parts = TreeParts(whole: Set(chosen.values.map(\.path.bytes))) }
        if chosen?.isEmpty == true {
            report.deviations.append("the image has no file, so none was restored")
            return
        }
        let restored = try step("restore", bytes: { $0.bytesWritten }) { _ in
            try Images.restore(source.reader, asked, progress: reporter.progress, findings: reporter.findings)
        }
        report.scope.entries = restored.restored
        report.scope.files = restored.filesWritten
        reckonScope(restored.contentBytes)
    }

    /// What is not as the image says was not restored.
    private mutating func reckonScope(_ bytes: UInt64, lost: UInt64 = 0) {
        report.scope.bytes = bytes.subtracting(saturating: lost)
        let whole = Double(report.image.bytes)
        let none: UInt64 = report.image.entries > 0 ? 1000 : 0
        let share = whole > 0 ? UInt64(min(1000, Double(report.scope.bytes) / whole * 1000)) : none
        // Of much, a little is less than a thousandth.
        report.scope.share = lost > 0 ? min(share, 999) : share
    }

    private mutating func compare(
        _ entries: ImageEntries, _ chosen: [BytePath: DrillChoice.ChosenFile]?, with tree: Descriptor,
        _ reporter: Reporter
    ) throws {
        if !HostFacts.isRoot { report.deviations.append("owners were not compared, which only root can restore") }
        let restored = RestoredTree(tree, of: entries)
        var lost: UInt64 = 0
        try step("compare with the manifest") { drill in
            // What is lost of the manifest was told by the restore.
            try entries.forEach(reporter.progress, losses: { _ in }) { entry in
                if let chosen, chosen[entry.place] == nil { return }
                let name = entry.place.bytes.isEmpty ? "the folder itself" : entry.place.description
                let state = try restored.state(of: entry)
                if state != .same, entry.kind == .file { lost.add(saturating: entry.size) }
                drill.take(state, name)
            }
        }
        if lost > 0 { reckonScope(report.scope.bytes, lost: lost) }
    }

    mutating func take(_ state: RestoredState, _ name: String) {
        report.files.compared.add(saturating: 1)
        switch state {
        case .same: break
        case .different(let reason): report.add(different: "\(name): \(reason)")
        case .unreadable(let reason): report.add(unreadable: "\(name): \(reason)")
        }
    }

    private mutating func look(_ scan: RestoreScan, at target: BytePath) throws {
        let looked = try step("scan") { drill in
            try scan.look(at: target, verb: "drill", stop: drill.reporter.progress.stop)
        }
        if looked.isClean { return }
        hasDamage = true
        report.add(finding: looked.sentence)
        for line in looked.lines { report.add(finding: "\(scan.program): \(line)") }
    }

    // MARK: What came of it

    private mutating func take(_ collected: CollectedFindings) {
        let (names, count, hasDamage) = collected.taken
        for name in names { report.add(finding: name) }
        report.findingCount.add(saturating: count.subtracting(saturating: UInt64(names.count)))
        self.hasDamage = self.hasDamage || hasDamage
    }

    private mutating func conclude() {
        reckonTimes()
        if report.files.compared == 0, report.volumes?.isEmpty != false {
            report.add(finding: "the image has nothing that could be compared")
        }
        let what =
            report.volumes.map { "\($0.count) volumes of the disk" } ?? "\(report.files.compared) entries"
        let (different, unreadable) = (report.files.different, report.files.unreadable)
        if different > 0 || unreadable > 0 {
            report.verdict = .failed
            report.reason =
                "of \(report.files.compared) entries \(different) are not what the image says, and \(unreadable) could not be read"
        } else if let failure {
            report.verdict = .failed
            report.reason = failure
        } else if hasDamage {
            report.verdict = .failed
            report.reason = report.findings.first ?? "damage was found"
        } else if report.findingCount > 0 {
            report.verdict = .findings
            report.reason = "\(what) are what the image says; \(report.findings.first ?? "")"
        } else {
            report.verdict = .passed
            report.reason =
                "\(what) are what the image says"
                + (request.kind == .boot ? ", and it starts and answers" : "")
        }
    }

    /// What the restore of the whole took, or would take: the one is never given for the other.
    private mutating func reckonTimes() {
        let opening = report.steps.first?.milliseconds ?? 0
        guard let restore = report.steps.first(where: { $0.name == "restore" }) else { return }
        // A disk is one once it was read back and has its table.
        let whole = report.steps.filter { ["restore", Self.diskCheck, Self.diskEnd].contains($0.name) }
        // What did not come back whole was not measured either.
        let isWhole = !hasDamage && report.files.different == 0 && report.files.unreadable == 0
        if request.kind != .sample, isWhole {
            let milliseconds = whole.reduce(opening) { $0.adding(saturating: $1.milliseconds) }
            report.recoveryTime.measured = Int64(clamping: milliseconds.adding(saturating: 999) / 1000)
        } else if request.kind == .sample, isWhole, report.scope.bytes > 0 {
            let rate = Double(report.scope.bytes) / Double(max(1, restore.milliseconds))
            let milliseconds = min(1e15, Double(opening) + Double(report.image.bytes) / rate)
            report.recoveryTime.projected = Int64(milliseconds / 1000) + 1
        }
        func compare(_ found: Int64?, _ goal: Int64?, _ what: String) {
            guard let found, let goal, found > goal else { return }
            report.add(finding: "\(what) \(found) s, and the goal is \(goal) s")
        }
        compare(report.recoveryTime.measured, request.recoveryTime, "the restore of the whole took")
        compare(report.recoveryTime.projected, request.recoveryTime, "a restore of the whole would take some")
        compare(report.recoveryPoint.age, request.recoveryPoint, "the image is older than it should be:")
        if report.image.findings > 0 {
            report.add(finding: "the image was made with \(report.image.findings) findings")
        }
    }
}

/// What is found during a drill, for its report, and handed on.
private final class CollectedFindings: @unchecked Sendable {
    private let monitor = Monitor()
    private var names: [String] = []
    private var count: UInt64 = 0
    private var hasDamage = false
    private(set) var findings = Findings()

    init(_ reporter: Reporter) {
        let outer = reporter.findings
        findings = Findings(stop: reporter.progress.stop) { [weak self] finding in
            self?.take(finding)
            outer.add(finding)
        }
    }

    private func take(_ finding: Finding) {
        if finding.kind == .note { return }
        monitor.withLock {
            count.add(saturating: 1)
            hasDamage = hasDamage || finding.kind == .damaged
            if names.count < DrillReport.mostNames { names.append(finding.description) }
        }
    }

    var taken: (names: [String], count: UInt64, hasDamage: Bool) {
        monitor.withLock { (names, count, hasDamage) }
    }
}

extension DrillReport.Image {
    public init(_ label: ImageLabel, id: String) {
        self.id = id
        name = printable(Array(label.name.utf8))
        series = label.series
        sequence = label.sequence
        host = printable(Array(label.host.utf8))
        hardware = printable(Array(label.hardware.utf8))
        sources = label.sources.map(\.description)
        time = label.time.text
        storeTime = label.storeTime.map { Timestamp(seconds: $0, nanoseconds: 0).text }
        entries = label.entries
        bytes = label.contentBytes
        findings = label.findings
    }
}

extension Duration {
    fileprivate var milliseconds: UInt64 {
        UInt64(clamping: components.seconds).multiplied(saturating: 1000)
            .adding(saturating: UInt64(clamping: components.attoseconds / 1_000_000_000_000_000))
    }
}
