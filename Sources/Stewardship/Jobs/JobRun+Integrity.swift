// Whether the machine is what it was: each file read and compared with the newest image, or with a named point, before anything of a run is made;
// after it the newest image is of now. What may differ is listed; anything else is a finding, and stays one until a comparison finds nothing.

internal import Images
internal import Machine
internal import Platform
internal import Reporting
public import RestorePoints

extension JobRecord {
    /// What a comparison of the machine with its past came to.
    public struct IntegrityRecord: Codable, Hashable, Sendable {
        /// When it was made, in seconds since 1970.
        public internal(set) var time: Int64
        /// What it was compared with: `image 3f9a01bc`, `point Commissioning`; nil: nothing, for the reason that `obstacle` gives.
        public internal(set) var base: String?
        public internal(set) var deviations: UInt64 = 0
        /// The first of them, as people read them: `* /usr/bin/plc`.
        public internal(set) var names: [String] = []
        public internal(set) var obstacle: String?

        init(time: Int64) { self.time = time }
    }
}

extension JobRun {
    /// How many are named; of the others only how many there are.
    private static let mostNamed = 20

    mutating func compareWithPast(_ start: Moment) throws {
        guard let wanted = job.integrity else { return record.integrity = nil }
        var result = JobRecord.IntegrityRecord(time: start.now)
        do {
            guard let (base, differences) = try differences(from: wanted) else { return }
            let patterns = (job.expected + job.excludes).map { PathPattern($0) }
            let found = differences.filter { one in !patterns.contains { $0.selects(one.path) } }
            result.base = base
            result.deviations = UInt64(found.count)
            result.names = found.prefix(Self.mostNamed).map { JobRecord.short("\($0.kind.mark) \($0.path)") }
            for one in found.prefix(Self.mostNamed) {
                reporter.findings.add(
                    Finding(
                        .inconsistent, subject: one.path.description, path: one.path.bytes,
                        "it is not as in the \(base): \(one.kind.sentence)"))
            }
            if !found.isEmpty {
                sentences.append(
                    "integrity: \(found.count) \(found.count == 1 ? "deviation" : "deviations") from the \(base)")
                findings.add(saturating: UInt64(found.count))
            }
        } catch {
            if error is Interrupted || reporter.progress.stop.hasInterrupted { throw Interrupted() }
            // The image is made all the same.
            let error = explained(error)
            result.obstacle = JobRecord.short(error.sentence + (error.mend.map { "; \($0)" } ?? ""))
            reporter.warn("\(job.name): the machine was not compared with its past: \(error.sentence)")
            sentences.append("integrity: not compared: \(error.sentence)")
            findings.add(saturating: 1)
        }
        record.integrity = result
    }

    /// - Returns: nil where there is nothing yet to compare with.
    private func differences(from wanted: Job.Integrity) throws -> (String, [Difference])? {
        switch wanted {
        case .point(let name):
            let tree = try ProtectedTree.open(
                state: places.state, progress: reporter.progress, findings: reporter.findings)
            return ("point \(name)", try tree.deviations(from: tree.point(named: name)))
        case .latest:
            // The first store that has one.
            guard let store = job.to.first(where: { record.stores[$0]?.series != nil }),
                let series = record.stores[store]?.series
            else { return nil }
            let (id, listing) = try stores.newest(of: series, in: store, rate: job.rate)
            let found = try Difference.ofMachine(
                from: listing, own: places.ownFiles() + secrets, content: true, ignoresTimes: true,
                progress: reporter.progress)
            return ("image \(id.description.prefix(8))", found)
        }
    }
}

extension Difference.Kind {
    /// As `diff` shows it.
    public var mark: String {
        switch self {
        case .added: "+"
        case .removed: "-"
        case .changed: "*"
        case .metadata: "m"
        }
    }

    fileprivate var sentence: String {
        switch self {
        case .added: "it was added"
        case .removed: "it is gone"
        case .changed: "its content is another"
        case .metadata: "its owner, mode or attributes are others"
        }
    }
}
