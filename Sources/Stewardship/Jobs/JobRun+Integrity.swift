// Whether the machine is what it was: each file read and compared with the newest image, or with a named point, before anything of a run is made;
// after it the newest image is of now. What may differ is listed; anything else is a finding, and stays one until a comparison finds nothing or
// somebody accepts it: until then the runs go by the image by which it was found, since newer ones have it.

internal import Images
internal import Machine
internal import Platform
internal import Reporting
public import RestorePoints

extension JobRecord {
    /// What a comparison of the machine with its past came to.
    public struct IntegrityRecord: Codable, Hashable, Sendable {
        /// When it was made or tried, in seconds since 1970.
        public internal(set) var time: Int64
        /// When the last one was made that came to something; nil: none did, or a program wrote it that was older.
        public internal(set) var compared: Int64?
        /// When what deviates was found first, at the latest; nil: nothing does, or nobody can tell.
        public internal(set) var since: Int64?
        /// What it was compared with: `image 3f9a01bc`, `point Commissioning`; nil: nothing, for the reason that `obstacle` gives.
        public internal(set) var base: String?
        public internal(set) var deviations: UInt64 = 0
        /// The first of them, as people read them: `* /usr/bin/plc`.
        public internal(set) var names: [String] = []
        /// Why the last run could not compare; what was found before stands.
        public internal(set) var obstacle: String?
        /// The image that the comparison went by, or, where it came to nothing, that it was to go by; nil in a record of an older program, of a point, and
        /// after somebody has accepted.
        public internal(set) var image: ComparedImage?

        init(time: Int64) { self.time = time }

        /// Notes since when it is as it is: nothing of that is lost where a comparison came to nothing.
        fileprivate mutating func date(after before: IntegrityRecord?) {
            compared = obstacle == nil ? time : before?.lastCompared
            guard deviations > 0 else { return }
            since = before.flatMap { $0.deviations > 0 ? $0.since ?? $0.time : nil } ?? time
        }

        /// A record of an older program tells it where its comparison came to something.
        var lastCompared: Int64? { compared ?? (obstacle == nil ? time : nil) }

        /// Whether it says how the machine stands: it was compared, or what was found before stands.
        public var tells: Bool { obstacle == nil || deviations > 0 }

        /// What somebody can do about deviations who finds them right.
        static func mend(of job: Job) -> String {
            let expected = "`expected` of the job is for what may differ"
            guard job.integrity == .latest else { return expected }
            return "\(expected), and `holdfast schedule run \(job.name) --accept` takes all that differs as right"
        }
    }

    /// An image, and the store that has it.
    public struct ComparedImage: Codable, Hashable, Sendable {
        public internal(set) var store: String
        public internal(set) var image: String
    }

    /// The image that the next comparison goes by, whichever is newer: deviations stand, or images were made since that were compared with nothing,
    /// or none was made since.
    fileprivate var standingImage: ComparedImage? {
        guard let integrity, let image = integrity.image else { return nil }
        let isMadeSince = stores[image.store]?.lastSuccess.map { $0 >= integrity.time } ?? false
        return integrity.deviations > 0 || integrity.obstacle != nil || !isMadeSince ? image : nil
    }

    /// The newest of the first store that has one, as the record knows it.
    fileprivate func newestImage(of job: Job) -> ComparedImage? {
        job.to.lazy.compactMap { store in
            stores[store].flatMap { $0.series == nil ? nil : $0.image }.map { ComparedImage(store: store, image: $0) }
        }.first
    }
}

extension JobRun {
    /// How many are named; of the others only how many there are.
    private static let mostNamed = 20

    /// A comparison that was made.
    private struct Compared {
        var base: String
        var image: JobRecord.ComparedImage?
        /// The folders of this machine that were looked at.
        var sources: [BytePath]
        var differences: [Difference]
    }

    mutating func compareWithPast(_ start: Moment) throws {
        guard let wanted = job.integrity else { return record.integrity = nil }
        var result = JobRecord.IntegrityRecord(time: start.now)
        do {
            guard let compared = try compared(with: wanted) else { return }
            let found = deviations(of: compared, wanted)
            result.base = compared.base
            if accepts {
                accept(found, in: &result)
            } else {
                result.deviations = UInt64(found.count)
                result.names = found.prefix(Self.mostNamed).map(\.line)
                // While one with a point finds something, what an image was found by stands.
                result.image = compared.image ?? (found.isEmpty ? nil : record.integrity?.image)
                tell(found, from: compared.base)
            }
        } catch {
            if error is Interrupted || reporter.progress.stop.hasInterrupted { throw Interrupted() }
            // The image is made all the same.
            note(explained(error), in: &result, wanted)
        }
        result.date(after: record.integrity)
        record.integrity = result
    }

    /// What is not expected. An exclude means what it means to a backup, and lets come what no image has; what the image has is looked at all the same.
    private func deviations(of compared: Compared, _ wanted: Job.Integrity) -> [Difference] {
        let expected = job.expected.map { PathPattern($0) }
        let excludes = job.excludes.flatMap { PathPattern.typed($0, below: compared.sources) }
        return compared.differences.filter { one in
            if one.isExpected(by: expected) { return false }
            guard one.kind == .added || wanted != .latest && one.kind != .uncompared, let source = one.source else {
                return true
            }
            return !excludes.contains { $0.selects(one.path, of: source) }
        }
    }

    private mutating func tell(_ found: [Difference], from base: String) {
        if found.isEmpty { return }
        for one in found.prefix(Self.mostNamed) {
            let sentence =
                one.kind == .uncompared
                ? "it was not compared with the \(base): another file system is mounted over it"
                : "it is not as in the \(base): \(one.kind.sentence)"
            reporter.findings.add(
                Finding(.inconsistent, subject: one.path.description, path: one.path.bytes, sentence))
        }
        reporter.warn(
            "\(job.name): that stays critical until a comparison finds nothing; \(JobRecord.IntegrityRecord.mend(of: job))"
        )
        sentences.append("integrity: \(Self.count(found)) from the \(base)")
        findings.add(saturating: UInt64(found.count))
    }

    /// What differs is right from now on: the newest image is compared next, which this run makes.
    private mutating func accept(_ found: [Difference], in result: inout JobRecord.IntegrityRecord) {
        guard let base = result.base else { return }
        if found.isEmpty { return sentences.append("integrity: nothing differs from the \(base)") }
        result.base = "\(base), but for \(Self.count(found)) that somebody accepted"
        let names = found.prefix(Self.mostNamed).map(\.line).joined(separator: ", ")
        let more = found.count > Self.mostNamed ? " and \(found.count - Self.mostNamed) more" : ""
        reporter.warn("\(job.name): accepted, though not as in the \(base): \(names)\(more)")
        sentences.append("integrity: accepted \(Self.count(found)) from the \(base): \(names)\(more)")
    }

    /// A comparison that came to nothing takes nothing back, unless somebody accepts without it.
    private mutating func note(
        _ error: any Explained, in result: inout JobRecord.IntegrityRecord, _ wanted: Job.Integrity
    ) {
        result.obstacle = JobRecord.short(error.sentence + (error.mend.map { "; \($0)" } ?? ""))
        if !accepts {
            if let before = record.integrity, before.deviations > 0 {
                (result.base, result.deviations, result.names) = (before.base, before.deviations, before.names)
            }
            result.image =
                wanted == .latest ? record.standingImage ?? record.newestImage(of: job) : record.integrity?.image
        }
        reporter.warn("\(job.name): the machine was not compared with its past: \(error.sentence)")
        sentences.append("integrity: \(accepts ? "accepted, and " : "")not compared: \(error.sentence)")
        findings.add(saturating: 1)
    }

    /// - Returns: nil where there is nothing yet to compare with.
    private func compared(with wanted: Job.Integrity) throws -> Compared? {
        switch wanted {
        case .point(let name):
            let tree = try ProtectedTree.open(
                state: places.state, progress: reporter.progress, findings: reporter.findings)
            return Compared(
                base: "point \(name)", sources: [tree.root],
                differences: try tree.deviations(from: tree.point(named: name)))
        case .latest:
            guard let (store, id, listing) = try comparedImage() else { return nil }
            let found = try Difference.ofMachine(
                from: listing, own: places.ownFiles() + secrets, content: true, ignoresTimes: true,
                progress: reporter.progress)
            return Compared(
                base: "image \(id.description.prefix(8))",
                image: JobRecord.ComparedImage(store: store, image: id.description),
                sources: listing.parts.map { $0.source }, differences: found)
        }
    }

    private func comparedImage() throws -> (store: String, id: ObjectID, listing: ImageListing)? {
        if let standing = record.standingImage {
            if let (id, listing) = try stores.image(standing.image, in: standing.store, rate: job.rate) {
                return (standing.store, id, listing)
            }
            if !accepts {
                throw StewardError.comparedImageIsGone(job: job.name, image: standing.image, store: standing.store)
            }
        }
        // The first store that has one.
        guard let store = job.to.first(where: { record.stores[$0]?.series != nil }),
            let series = record.stores[store]?.series
        else { return nil }
        let (id, listing) = try stores.newest(of: series, in: store, rate: job.rate)
        return (store, id, listing)
    }

    private static func count(_ found: [Difference]) -> String {
        "\(found.count) \(found.count == 1 ? "deviation" : "deviations")"
    }
}

extension Difference {
    /// As people read it.
    fileprivate var line: String { JobRecord.short("\(kind.mark) \(path)") }
}

extension Difference.Kind {
    /// As `diff` shows it.
    public var mark: String {
        switch self {
        case .added: "+"
        case .removed: "-"
        case .changed: "*"
        case .metadata: "m"
        case .uncompared: "?"
        }
    }

    fileprivate var sentence: String {
        switch self {
        case .added: "it was added"
        case .removed: "it is gone"
        case .changed: "its content is another"
        case .metadata: "its owner, mode or attributes are others"
        case .uncompared: "nobody looked at it"
        }
    }
}
