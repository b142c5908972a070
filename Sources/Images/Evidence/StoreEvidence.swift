// What a store shows to whoever compares a plant with its policy: the images of each series, which of them are whole as far as lists tell, what
// was proven of them, who opens them, and what ought to be gone by now. Nothing rests on what a run said of itself, and nothing is written.

public import Platform
public import Reporting
internal import Stores

/// The images of one series in one store.
public struct SeriesEvidence: Sendable {
    public var name: String
    /// Those that count, in the order of their sequence: the newest last.
    public var images: [PruneImage] = []
    /// The newest one of which all that it names is there at its length, and that nobody has found damaged.
    public var whole: PruneImage?
    /// What that one is of.
    public var sources: [BytePath] = []
    /// Newer ones than that, which lack something; the newest first.
    public var broken: [PruneImage] = []

    /// How many of the newest are looked at for one that is whole: who adds broken ones by the thousand keeps nobody busy.
    static let mostLookedAt = 16

    public init(name: String) { self.name = name }
}

/// What somebody with the right had condemned, and what is there all the same.
public struct OverdueRemoval: Sendable, Hashable {
    /// When it was condemned, the earliest of it, in seconds since 1970.
    public var since: Int64
    public var objects: Int
    public var bytes: UInt64
}

public struct StoreEvidence: Sendable {
    /// As 32 hexadecimal digits: copies of one store have the same.
    public var store: String
    /// In the order of their names.
    public var series: [SeriesEvidence] = []
    /// What lies among the images and counts for nothing; those that a run has not finished are left out.
    public var others: [PruneImage] = []
    /// Images that the keys at hand do not open: of these nothing can be said.
    public var sealed = 0
    /// Who opens the store by its newest record.
    public var readers: [StoreReader] = []
    /// Of these, who finds no key file there: what is stored now they do not open.
    public var lostReaders: [StoreReader] = []
    public var overdue: OverdueRemoval?
    /// Images that were seen there and are gone, and what the opening found.
    public var findings: [Finding] = []
    /// The clock of whoever looked, in seconds since 1970.
    public var time: Int64
    /// Why not all of it is seen.
    public var limitation: String?

    public init(store: String, time: Int64) {
        self.store = store
        self.time = time
    }
}

extension Store {
    /// Looks at all that the keys at hand open but content. It changes nothing in the store.
    public func evidence(_ progress: Progress) throws -> StoreEvidence {
        do {
            var result = StoreEvidence(store: identifier, time: machine.now())
            let listed = try listedForReading(.image)
            let summaries = try images()
            progress.expect(bytes: 0, items: UInt64(summaries.count))
            result.findings = findings + (try lostImages(summaries)).filter { $0.kind != .note }
            let statements = try statements(progress)
            let all = judged(summaries, listed, statements)
            sort(all, into: &result)
            try noteDamage(&result.series, statements.damaged, progress)
            try findWhole(&result.series, progress)
            result.readers = chain.newest.recipients
            result.lostReaders = try readersWithoutKey()
            result.overdue = try overdue(statements.stones, listed, result.time, progress)
            result.limitation = limitation?.reason
            return result
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Each image of the list with what was stated of it.
    private func judged(
        _ summaries: [ImageSummary], _ listed: [ListedObject], _ statements: Statements
    ) -> [PruneImage] {
        let objects = Dictionary(listed.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var texts = Texts()
        return summaries.compactMap { summary in
            // Listed a moment later, it is the next look's.
            guard let object = objects[summary.name] else { return nil }
            var image = PruneImage(summary, object, texts: &texts)
            image.isRevoked = summary.reference.map { revokes(summary.name, digest: $0.digest) } ?? false
            if let root = summary.reference {
                let target = Tombstone.Removed(writer: summary.name.writer, root: root)
                image.isPinned = statements.pinned.contains(target)
                image.proof = statements.proofs[target].flatMap { PruneImage.Proof($0) }
            }
            return image
        }
    }

    private func sort(_ all: [PruneImage], into result: inout StoreEvidence) {
        var series = ExactTable<SeriesEvidence>()
        for image in all {
            if image.isSealed {
                result.sealed += 1
            } else if image.counts, !image.isUnread {
                series[image.series, default: SeriesEvidence(name: image.series)].images.append(image)
            } else if !image.isUnfinished {
                result.others.append(image)
            }
        }
        result.series = series.sorted.map { _, value in
            var value = value
            value.images.sort { ($0.sequence, $0.id) < ($1.sequence, $1.id) }
            return value
        }
    }

    /// An image is damaged, whatever was stated of it before, where a volume of it was found so since. Those are looked at that anything is judged by.
    private func noteDamage(
        _ series: inout [SeriesEvidence], _ damaged: [ObjectID: Int64], _ progress: Progress
    ) throws {
        if damaged.isEmpty { return }
        for index in series.indices {
            let newest = series[index].images.indices.suffix(SeriesEvidence.mostLookedAt)
            for place in series[index].images.indices
            where newest.contains(place) || series[index].images[place].proof != nil {
                try progress.checkStop()
                // One that cannot be read is told of where the whole ones are looked for.
                guard let root = try unlessDamaged({ try image(series[index].images[place].objectName) }),
                    let time = root.named.volumes.compactMap({ damaged[$0.id] }).max()
                else { continue }
                series[index].images[place].proof = PruneImage.Proof(
                    result: .damaged, isOfEveryChunk: false, time: time)
            }
        }
    }

    /// Of each series the newest image that lacks nothing. A look costs round trips where the store is far away: several are made at once.
    private func findWhole(_ series: inout [SeriesEvidence], _ progress: Progress) throws {
        let volumes = try listedForReading(.volume)
        var looked: [SeriesEvidence] = []
        try inOrder(series, threads: objects.smallCalls) { one in
            Result { try self.looked(at: one, volumes) }
        } _: { _, found in
            try progress.checkStop()
            looked.append(try found.get())
            progress.add(items: 1)
            return true
        }
        series = looked
    }

    /// What a listing does not show is asked for once more: some show it a minute late.
    private func looked(at series: SeriesEvidence, _ volumes: [ListedObject]) throws -> SeriesEvidence {
        var series = series
        for image in series.images.reversed().prefix(SeriesEvidence.mostLookedAt) {
            // What somebody has read and found damaged is not whole, however long its volumes are.
            if image.proof?.result != .damaged, let label = try labelIfWhole(image, volumes) {
                series.whole = image
                series.sources = label.sources
                break
            }
            var image = image
            image.isComplete = false
            series.broken.append(image)
        }
        try dropLostProofs(&series.images, whole: series.whole, volumes)
        return series
    }

    /// What was read whole and is not there any more proves nothing. The newest proof that holds is looked for, since that is what counts.
    /// - Parameter whole: one that was looked at already.
    private func dropLostProofs(_ images: inout [PruneImage], whole: PruneImage?, _ volumes: [ListedObject]) throws {
        let proven = images.indices.filter { images[$0].proof.map { $0.result != .damaged } ?? false }
            .sorted { (images[$0].proof?.time ?? 0) > (images[$1].proof?.time ?? 0) }
        for (number, place) in proven.enumerated() {
            if images[place].id == whole?.id { return }
            // Of the many that nobody looks at none is believed.
            if number < SeriesEvidence.mostLookedAt, try labelIfWhole(images[place], volumes) != nil { return }
            images[place].proof = nil
        }
    }

    /// An index object is made anew where it is lost: nothing restores by it.
    private func labelIfWhole(_ image: PruneImage, _ volumes: [ListedObject]) throws -> ImageLabel? {
        let root: ImageRoot
        do { root = try self.image(image.objectName) } catch {
            try ImageError.throwStop(error)
            // A root that cannot be read now may be whole; damage is what its bytes say.
            if ImageError.storeFailure(error) != nil { throw error }
            return nil
        }
        for reference in root.named.volumes {
            let name = reference.name(.volume, group: root.name.group)
            if volumes.object(name)?.longest == reference.length { continue }
            if try listed(name).longest != reference.length { return nil }
        }
        return root.label
    }

    /// Recipients whose key file is not there.
    private func readersWithoutKey() throws -> [StoreReader] {
        let folder = try StoreName.keys(epoch: chain.newest.epoch, sealing: chain.newest.sealing)
        let there = Set(try objects.list(folder).filter { $0.length > 0 }.map { ObjectName.withoutSecond($0.name) })
        return chain.newest.recipients.filter { !there.contains("\(folder)/\($0.fileName)") }
    }

    /// What an image says is needed to restore its machine; it wants an identity.
    /// - Returns: nil where it says nothing.
    public func needs(of image: PruneImage) throws -> [UInt8]? {
        do {
            let root = try self.image(image.objectName)
            return try Images.needs(of: StoreImageReader(store: self, root: root))
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}

extension Array where Element == ListedObject {
    /// In a list that is in the order of the names.
    func object(_ name: ObjectName) -> ListedObject? {
        var low = 0, high = count
        while low < high {
            let middle = low + (high - low) / 2  // safe: between the two
            if self[middle].name < name { low = middle + 1 } else { high = middle }  // safe: below `high`
        }
        return low < count && self[low].name == name ? self[low] : nil
    }
}
