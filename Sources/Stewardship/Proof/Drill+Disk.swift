// A drill of the image of a disk: it is restored to a file as `holdfast restore --disk` restores it to a disk, read back and mounted, and what was
// taken as files is compared with the manifest, before anything of it is changed for its start.

internal import Disks
internal import Images
internal import Platform
internal import Reporting

extension Drill {
    static let diskCheck = "read back, and mount as a test"
    static let diskEnd = "make it start, and write its table"
    /// The name of the file that stands for the disk.
    private static let file = "disk"

    mutating func workOnDisk(_ source: DrillSource, _ reporter: Reporter) throws {
        guard HostFacts.isRoot else { throw DrillError.noRight }
        report.volumes = []
        let scratch = try request.scratch.map { try ScratchFolder(in: $0) } ?? ScratchFolder()
        // It goes with its last use, and all in it.
        defer { withExtendedLifetime(scratch) {} }
        let notes = Notes(reporter)
        let known = Reporter(progress: reporter.progress, findings: notes.findings, warn: reporter.warn)
        let restoration = restoration(of: source.reader, in: scratch, known)
        do {
            try restore(source, restoration, known)
        } catch DiskError.damagedDescription(let reason) {
            hasDamage = true
            failure = "the image cannot be restored: \(reason)"
        } catch ImageError.notOfDisk {
            hasDamage = true
            failure = "the image cannot be restored: the beginning of its manifest is lost"
        }
        report.deviations += notes.all
        if let scan = request.scan {
            report.deviations.append("\(scan.program) has not looked at it: what is on a disk is not scanned")
        }
        guard request.kind == .boot, let description = restoration.plan?.description else { return }
        if failure != nil || report.files.different > 0 || report.files.unreadable > 0 {
            return report.deviations.append("it was not started, since it is not whole")
        }
        try start(description, restoration, scratch)
    }

    private func restoration(
        of reader: any ImageReader, in scratch: ScratchFolder, _ reporter: Reporter
    ) -> DiskRestoration {
        var options = DiskRestoreOptions()
        options.tellsFirmware = false
        // What is lost is what a drill is to find.
        options.takesIncomplete = true
        var needed: UInt64 = 0
        let isStarted = request.kind == .boot
        return DiskRestoration(
            to: scratch.path.appending(Self.file), image: "", options, progress: reporter.progress,
            findings: reporter.findings,
            forecast: {
                let forecast = try reader.forecast(reporter.progress)
                needed = (forecast.contents ?? [:]).values.reduce(0) { $0.adding(saturating: $1.total) }
                return forecast
            },
            agree: { plan in
                if isStarted { _ = try DiskBootDrill.check(plan.description) }
                let free = try scratch.folder.space().free
                if needed > free {
                    throw ImageError.noRoom(target: scratch.path.description, free: free, needed: needed)
                }
                plan.doubts.forEach(reporter.warn)
                return .same
            })
    }

    private mutating func restore(_ source: DrillSource, _ restoration: DiskRestoration, _ reporter: Reporter) throws {
        let written = try step("restore", bytes: { $0.bytes }) { _ in
            try restoreDisk(
                source.reader, to: restoration, progress: reporter.progress, findings: reporter.findings)
        }
        let checked = try step(Self.diskCheck, bytes: { $0.compared }) { _ in try restoration.check() }
        report.scope.entries = source.reader.label?.entries ?? 0
        report.scope.bytes = written.bytes
        guard let plan = restoration.plan else { return }
        for sentence in plan.lacking { report.add(finding: sentence) }
        report.volumes = plan.description.volumes.map { volume in
            DrillReport.Volume(
                printable(volume.stream.utf8), content: printable((volume.content ?? "unknown").utf8),
                way: volume.way.rawValue, bytes: volume.size, result: Self.words(volume, checked))
        }
        if !checked.lost.isEmpty || !checked.notMounted.isEmpty || !plan.lacking.isEmpty {
            hasDamage = true
            let broken = checked.lost.union(checked.notMounted.map(\.stream)).sorted()
            failure =
                broken.isEmpty
                ? "something of the image is missing"
                : "not back as they were: \(broken.map { printable($0.utf8) }.joined(separator: ", "))"
        }
        let whole = Double(max(1, source.reader.label?.contentBytes ?? 0))
        report.scope.share = hasDamage ? UInt64(min(999, Double(written.bytes) / whole * 1000)) : 1000
        try compareFiles(source, restoration.restoredTrees(checked), reporter)
        let result = try step(Self.diskEnd) { _ in try restoration.finish(checked) }
        if !result.changes.isEmpty {
            report.deviations.append("changed as by any restore: \(result.changes.joined(separator: "; "))")
        }
    }

    private static func words(_ volume: DiskDescription.Volume, _ checked: DiskRestoration.Report) -> String {
        if let refused = checked.notMounted.first(where: { $0.stream == volume.stream }) {
            return "it cannot be mounted: \(refused.reason)"
        }
        if checked.lost.contains(volume.stream) { return "it is not whole" }
        if checked.mounted.contains(volume.stream) { return "mounted as a test" }
        if let looked = checked.looked.first(where: { $0.stream == volume.stream }) {
            return "read, and not mounted, as a test: \(looked.reason)"
        }
        return volume.way == .swap ? "made anew" : "not looked into: \(printable(volume.reason.utf8))"
    }

    private mutating func compareFiles(
        _ source: DrillSource, _ trees: [BytePath: DiskRestoration.Tree], _ reporter: Reporter
    ) throws {
        guard (source.reader.label?.sources.count ?? 0) > 1 else { return }
        let entries = try ImageEntries(source.reader, areSourcesApart: true)
        let restored = trees.mapValues {
            RestoredTree($0.folder, of: entries, hasOwnersOfMount: $0.hasOwnersOfMount)
        }
        try step("compare with the manifest") { drill in
            // What is lost of the manifest was told by the restore.
            try entries.forEach(reporter.progress, losses: { _ in }) { entry in
                if entry.isVolumeOfDisk { return }
                if entry.kind == .file { drill.report.scope.files.add(saturating: 1) }
                let tree = restored[entry.source]
                drill.take(
                    try tree?.state(of: entry) ?? .different("it has no place on the disk"), "\(entry.origin)")
            }
        }
    }

    private mutating func start(
        _ description: DiskDescription, _ restoration: DiskRestoration, _ scratch: ScratchFolder
    ) throws {
        let machine = try StartedMachine(scratch, health: request.health, limit: request.within)
        let boot = DiskBootDrill(
            machine: machine, file: Self.file, description: description,
            firmware: try DiskBootDrill.check(description), isAskedFor: request.health != nil)
        let unasked = try boot.ask(restoration)
        report.deviations.append(
            "it was started \(boot.words), "
                + (unasked?.reason ?? "and with a unit in it that asked: \(machine.health)"))
        let answer = try step("start") { drill in try boot.run(unasked, drill.reporter.progress.stop) }
        if let answer { return take(answer) }
        report.add(finding: "it came up to its login prompt, and was not asked how it is: \(unasked?.reason ?? "")")
    }
}

/// What is worth knowing of a restore, and no finding, for the report of a drill.
private final class Notes: @unchecked Sendable {
    private let monitor = Monitor()
    private var sentences: [String] = []
    private(set) var findings = Findings()

    init(_ reporter: Reporter) {
        let outer = reporter.findings
        // What comes after an interruption is for whoever gets it next to drop.
        findings = Findings { [weak self] finding in
            if finding.kind == .note { self?.add(finding.description) }
            outer.add(finding)
        }
    }

    private func add(_ sentence: String) {
        monitor.withLock { if sentences.count < DrillReport.mostNames { sentences.append(sentence) } }
    }

    var all: [String] { monitor.withLock { sentences } }
}
