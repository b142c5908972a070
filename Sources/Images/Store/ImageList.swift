// The images of a store: listed, judged, and found by name.

internal import Cryptography
internal import Platform
public import Reporting
internal import Stores

/// An image in a list.
public struct ImageSummary: Sendable {
    public var id: ObjectID
    /// nil: the label belongs to another group, or is damaged.
    public var label: ImageLabel?
    /// The name of the machine that wrote it, as the root key has certified it.
    public var writer = ""
    /// Why it cannot be used, or does not count.
    public var problem: String?
    /// Damaged or forged, not merely one of another group.
    public var isDamaged = false
    /// A run ended between the two copies of its root: it restores by its id, and counts for nothing else.
    public var isUnfinished = false

    /// What has to be known of the choice, where it was found by `latest`.
    public internal(set) var note: Finding?
    /// Newer images that this machine has seen and that are gone, where it was found by `latest`.
    public internal(set) var lost: [Finding] = []

    var name: ObjectName
    var reference: RootReference?
    /// Of the keys that it was written with; nil where that is not known.
    var epoch: UInt32?
    /// Whether it is sound as far as it can be seen, and the keys at hand do not open its label.
    var isSealed = false
    /// Why its label cannot be read.
    var failure: (any Explained)?

    /// Whether it may be the newest of its series.
    public var counts: Bool { label != nil && problem == nil && !isUnfinished }
}

/// Which images somebody means.
public struct ImageFilter: Sendable {
    public var series: String?
    public var host: String?

    /// Whether every image is meant, one that cannot be read as well.
    public var isEmpty: Bool { series == nil && host == nil }

    public init(series: String? = nil, host: String? = nil) {
        self.series = series
        self.host = host
    }

    /// Whether an image is meant, of which that may be unknown.
    public func holds(_ image: ImageSummary) -> Bool { image.label.map(holds) ?? isEmpty }

    /// Whether an image of this label is meant.
    public func holds(_ label: ImageLabel) -> Bool {
        (series.map { label.isOf(series: $0) } ?? true) && (host.map { label.isOf(host: $0) } ?? true)
    }
}

extension Store {
    /// All images, the oldest first. What interrupted runs left is not among them.
    public func images() throws -> [ImageSummary] {
        do {
            let listed = try listedForReading(.image)
            var cache = LabelCache(folder: machine.cacheFolder(of: id), root: chain.newest.root)
            var result: [ImageSummary] = []
            var hasFailed = false
            let known = cache.entries
            try inOrder(listed.filter { !$0.isTooShort }, threads: objects.smallCalls) {
                (object) -> Result<ImageRoot, any Error>? in
                // Each costs a round trip.
                if !self.objects.isFar || known[object.name]?.length == object.length { return nil }
                return Result { try self.image(object.name, length: object.first) }
            } _: { object, root in
                if let summary = try summary(of: object, root, &cache, &hasFailed) { result.append(summary) }
                return true
            }
            // Asked once: on a hostile medium there may be any number of them.
            if hasFailed, let lost = objects.lost { throw lost }
            cache.keep(only: Set(listed.map(\.name)))
            if !machine.isReadOnly { cache.save() }
            return result.sorted {
                ($0.label?.time ?? Timestamp(seconds: .min, nanoseconds: 0), $0.id)
                    < ($1.label?.time ?? Timestamp(seconds: .min, nanoseconds: 0), $1.id)
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// - Parameters:
    ///   - read: its root, where that was read already.
    ///   - hasFailed: set where something could not be read, or is no image.
    private func summary(
        of object: ListedObject, _ read: Result<ImageRoot, any Error>?, _ cache: inout LabelCache,
        _ hasFailed: inout Bool
    ) throws -> ImageSummary? {
        let name = object.name
        var summary = ImageSummary(id: name.id, label: nil, name: name)
        summary.isUnfinished = object.first == nil
        if let known = cache.entries[name], known.length == object.length,
            try keyring.indexKey(name.group, epoch: known.epoch) != nil
        {
            return complete(summary, known)
        }
        do {
            let root = try read?.get() ?? image(name)
            cache.keep(root, length: object.length)
            if let entry = cache.entries[name] { return complete(summary, entry) }
        } catch {
            try ImageError.throwStop(error)
            if let closed = closed(error) {
                summary.problem = "the server does not let this key read it"
                summary.isSealed = true
                summary.failure = closed
                return summary
            }
            hasFailed = true
            // Where nobody can tell, it is shown: a list that is too long costs less than one that hides an image.
            if (try? isLeftover(object)) == true { return nil }
            // The header is open: it says whether the keys at hand could open the rest.
            if let reader = try? smallReader(name), reader.indexKey == nil {
                summary.problem =
                    keyring.secret == nil && keyring.steward == nil && keyring.writer?.group.id != name.group
                    ? "of another group"
                    : "written in epoch \(reader.header.epoch), of which the keys at hand are not"
                summary.epoch = reader.header.epoch
                summary.isSealed = true
                summary.failure = wrongIdentity(name, epoch: reader.header.epoch)
                return summary
            }
            summary.problem = ImageError.wrapping(error, subject: describe(name)).sentence
            summary.isDamaged = true
            summary.failure = ImageError.wrapping(error, subject: describe(name))
        }
        return summary
    }

    private func complete(_ summary: ImageSummary, _ entry: LabelCache.Entry) -> ImageSummary {
        var summary = summary
        summary.label = entry.label
        summary.writer = entry.writerName
        summary.reference = entry.reference
        summary.epoch = entry.epoch
        summary.problem = objection(
            writer: summary.name.writer, reference: entry.reference, series: entry.label.series,
            isCovered: entry.isCovered)
        summary.isDamaged = summary.problem != nil
        return summary
    }

    /// Compares a list with what this machine remembers, and remembers what is new.
    /// - Parameter isMeant: whether a series is; all where there is none.
    /// - Returns: series of which images that were seen are gone; a note of those that only other places of the store have.
    public func lostImages(
        _ images: [ImageSummary], isMeant: (ExactText) -> Bool = { _ in true }
    ) throws -> [Finding] {
        let there = Set(images.map(\.id))
        var lost = try machine.lostImages(of: id, there: there, isMeant: isMeant)
        if !lost.isEmpty {
            let pruned = prunedImages().subtracting(there)
            remember { $0.forgetSeen(pruned) }
            lost = try machine.lostImages(of: id, there: there.union(pruned), isMeant: isMeant)
        }
        remember { memory in
            for image in images where image.counts {
                guard let label = image.label, let reference = image.reference else { continue }
                memory.see(reference, series: label.series, sequence: label.sequence)
            }
            memory.list()
        }
        return lost
    }

    /// The same for the series that a filter means: of a host those of which it has an image.
    public func lostImages(_ images: [ImageSummary], _ filter: ImageFilter) throws -> [Finding] {
        try lostImages(images) { series in
            if filter.isEmpty { return true }
            if let wanted = filter.series { return ExactText(wanted) == series }
            return images.contains { $0.label.map { filter.holds($0) && $0.isOf(series: series.text) } ?? false }
        }
    }

    /// Finds an image by its name, the beginning of its id (four digits or more), or `latest`: what can mean more than one is refused.
    /// - Parameter forContent: whether an identity that is at hand has to open its content.
    public func find(
        _ name: String, _ filter: ImageFilter = ImageFilter(), forContent: Bool = true
    ) throws -> ImageSummary {
        let all = try images()
        let images = all.filter { $0.label.map(filter.holds) ?? false }
        if name == "latest" {
            var found: ImageSummary
            do { found = try latest(images, filter, among: all, forContent: forContent) } catch {
                // Where there is none any more, it is not said that there never was one.
                if images.isEmpty, let lost = try lostImages(all, filter).first(where: { $0.kind != .note }) {
                    throw ImageError.damaged(subject: lost.subject, detail: lost.reason)
                }
                throw error
            }
            found.lost = try lostImages(all) { series in
                // Where any series may be meant, one of which nothing is left may have been.
                found.label?.isOf(series: series.text) == true
                    || filter.isEmpty && !all.contains { $0.label?.isOf(series: series.text) == true }
                        && keyring.writer?.certificate.covers(series: series.text) != false
            }
            return found
        }
        // Those whose label cannot be read go by their ids, too, so that somebody hears why they do not restore.
        let named = images + all.filter { $0.label == nil }
        // A name is its writer's word: one that looks like an id takes no other image's place.
        let exact = named.filter { $0.id.description == name }
        let candidates =
            exact.isEmpty
            ? named.filter {
                $0.id.begins(with: name)
                    || $0.counts && $0.label.map { ExactText($0.name) == ExactText(name) } == true
            } : exact
        guard let found = candidates.first, !name.isEmpty else { throw ImageError.noSuchImage(name: name) }
        if candidates.count > 1 {
            throw ImageError.ambiguousImage(name: name, candidates: candidates.reversed().map(Self.describe))
        }
        if let failure = found.failure { throw failure }
        if let problem = found.problem {
            throw ImageError.damaged(subject: "image \(found.id.short)", detail: problem)
        }
        return found
    }

    /// The images that somebody names, or else all that a filter holds and whose labels can be read.
    func chosen(_ names: [String], _ filter: ImageFilter, forContent: Bool = true) throws -> [ImageSummary] {
        if !names.isEmpty { return try names.map { try find($0, filter, forContent: forContent) } }
        let all = try images()
        if filter.isEmpty { return all }
        let found = all.filter { $0.label.map(filter.holds) ?? false }
        if found.isEmpty { throw noImage(of: filter, all) }
        return found
    }

    /// The same without what counts for nothing, and without what no identity at hand opens: those are findings.
    func chosenCounting(
        _ names: [String], _ filter: ImageFilter, _ findings: Findings, forContent: Bool = true
    ) throws -> [ImageSummary] {
        let found = try chosen(names, filter, forContent: forContent)
        if !names.isEmpty { return found }
        try lostImages(images(), filter).forEach(findings.add)
        for image in found where forContent && (image.isSealed || !opensContent(image)) {
            findings.add(
                Finding(
                    .unreadable, subject: describe(image.name),
                    "the keys at hand do not open it, and it was not copied"))
        }
        for image in found where image.isDamaged {
            findings.add(
                Finding(
                    .damaged, subject: describe(image.name),
                    "it was not copied: \(image.problem ?? "its label cannot be read")"))
        }
        return found.filter { $0.counts && (!forContent || opensContent($0)) }
    }

    /// No image of the series or host that was asked for: which there are.
    public func noImage(of filter: ImageFilter, _ all: [ImageSummary]) -> ImageError {
        let labels = all.filter(\.counts).compactMap(\.label)
        let isSeriesThere = filter.series.map { series in labels.contains { $0.isOf(series: series) } } ?? true
        let there = Set(labels.map { ExactText(isSeriesThere ? $0.host : $0.series) }).sorted().map {
            printable($0.text.utf8)
        }
        let wanted = [
            filter.series.map { "series \(printable($0.utf8))" }, filter.host.map { "host \(printable($0.utf8))" },
        ]
        return .noSuchSeries(
            wanted: wanted.compactMap { $0 }.joined(separator: " and "), store: subject,
            kind: isSeriesThere ? "hosts" : "series", there: there)
    }

    /// The root of an image that was found. The list may come from the cache: what is read now has to be what was judged then.
    func image(_ summary: ImageSummary) throws -> ImageRoot {
        let root = try image(summary.name)
        if let objection = objection(to: root) {
            throw ImageError.damaged(subject: describe(summary.name), detail: objection)
        }
        return root
    }

    /// As above; nil where a steward has removed it since it was listed: a machine can sleep in between.
    func imageUnlessPruned(_ summary: ImageSummary) throws -> ImageRoot? {
        do { return try image(summary) } catch {
            try ImageError.throwStop(error)
            if try isPruned(summary.name) { return nil }
            throw error
        }
    }

    /// `ed0973b3 of line3/plc, 2026-11-26 13:38:00 CET`
    static func describe(_ image: ImageSummary) -> String {
        guard let label = image.label else { return image.id.short }
        return "\(image.id.short) of \(printable(Array(label.series.utf8))), \(label.time.localText)"
    }
}
