// From a reading to a plan: which images are the newest, pinned, whole; which go; and, group by group, what follows from it.

internal import Cryptography
internal import Machine
internal import Platform
internal import Reporting
internal import Stores

extension Store {
    func makePlan(
        _ settings: PruneSettings, _ progress: Progress,
        _ choose: @escaping @Sendable ([PruneImage]) throws -> PruneChoice
    ) throws -> (plan: PrunePlan, work: [GroupWork]) {
        // Whoever may not do it is told before an hour of reading.
        _ = try attester(.zero, for: .steward)
        var reading = try readForPrune(settings, progress: progress)
        for group in reading.groups.keys.sorted() {
            try reading.groups[group]?.judgeImages(group) { try self.isThere($0, length: $1) }
        }
        reading.markNewest()
        let elsewhere = try standStillForLostImages(&reading)

        var plan = PrunePlan(settings, choose: choose)
        plan.time = reading.began
        // Whoever thins out one series has not asked what others are to come.
        if settings.series == nil { plan.remarks += elsewhere }
        let all = reading.takeImages()
        let choice = try choose(all)
        plan.findings = choice.findings
        plan.reasons = choice.reasons
        func goes(_ image: PruneImage) -> Bool {
            image.stays(settings) == nil
                && (choice.removed.contains(image.id) || image.isHalfRemoved || settings.endsRevoked && image.isRevoked)
        }
        plan.take(consume all, going: goes)
        for image in plan.going { plan.reasons[image.id] = nil }
        for image in plan.staying where choice.removed.contains(image.id) {
            if let reason = image.stays(settings) { plan.reasons[image.id, default: []].append(reason) }
        }
        let oldLocks = settings.lockBound(reading.began).map { bound in
            Dictionary(
                grouping: plan.staying.indices.lazy.filter { plan.images[$0].written.map { $0 <= bound } ?? true }
            ) { plan.images[$0].id.group }
        }
        let going = Dictionary(grouping: plan.going.indices) { plan.images[$0].id.group }
        let problems = Dictionary(
            plan.staying.lazy.filter(\.isUnread).map { ($0.id, $0.problem ?? "") },
            uniquingKeysWith: { first, _ in first })
        let told = settings.series.map { series in
            Set(plan.images.lazy.filter { ExactText($0.series) == series }.map(\.id.group))
        }
        var work: [GroupWork] = []
        for id in reading.groups.keys.sorted() {
            try progress.checkStop()
            guard let group = reading.groups.removeValue(forKey: id) else { continue }
            var judgement = GroupJudgement(
                id, group, going: going[id] ?? [], problems, settings, began: reading.began,
                localTime: reading.localTime)
            judgement.judge(plan.images)
            judgement.passOver { self.isOfOtherType($0) }
            judgement.addLocks(of: oldLocks?[id] ?? [], plan.images)
            plan.groups.append(judgement.result)
            work.append(judgement.work)
            if let told, !told.contains(id) { continue }
            if let reason = judgement.result.standsStill {
                plan.remarks.append(
                    Finding(
                        .damaged, subject: "group \(id.short)",
                        "nothing of it is removed: \(reason)"))
            }
            plan.remarks += judgement.remarks
        }
        plan.basis =
            ["store \(self.id)", "grace \(settings.grace)", "longest run \(settings.longestRun)"]
            + (settings.isWrittenDirectly ? ["written directly"] : [])
            + settings.retired.sorted().map { "retired \($0.text)" } + choice.basis
            + [try "images \(plan.digestOfGoing())"]
        return (plan, work)
    }

    /// A list of images that lacks what was there is that of a folder that was moved, hidden, or is not mounted whole: what its images name is
    /// needed as before. A steward's word says which were removed; all others this machine misses, and where volumes are without any image at
    /// all, whoever has never been there does as well.
    /// - Returns: a note of images that other places of the store alone have. They stop nothing: what they name was never needed here.
    private func standStillForLostImages(_ reading: inout StoreReading) throws -> [Finding] {
        var known: Set<ObjectID> = []
        for group in reading.groups.values {
            known.formUnion(group.images.map(\.id.image))
            known.formUnion(group.tornRoots.map(\.name.id))
            known.formUnion(group.stones.flatMap(\.content.removed).map(\.root.id))
        }
        let missing = try machine.lostImages(of: id, there: known)
        if let lost = missing.first(where: { $0.kind != .note }) {
            for group in reading.groups.keys {
                reading.groups[group]?.stand(still: "\(lost.subject): \(lost.reason)")
            }
        }
        for (id, group) in reading.groups where group.images.isEmpty && group.tornRoots.isEmpty && !group.things.isEmpty
        {
            if group.stones.contains(where: { !$0.content.removed.isEmpty }) { continue }
            let count = group.things.count
            reading.groups[id]?.stand(
                still:
                    "no image of it is listed, and \(count) \(count == 1 ? "object is" : "objects are") there that images name: "
                    + "its folder i may be missing, or no backup has come to its end yet")
        }
        remember { memory in
            for image in reading.groups.values.lazy.flatMap(\.images) where image.counts {
                guard let root = image.root else { continue }
                memory.see(root, series: image.series, sequence: image.sequence)
            }
            memory.list()
        }
        return missing.filter { $0.kind == .note }
    }

    /// Asked once more of what a listing did not show: some show what is new a minute late.
    private func isThere(_ name: ObjectName, length: UInt64) throws -> Bool {
        let now = try listed(name)
        return now.longest == length
    }

    /// Whether something in a place of ours is an object of a type that does not belong there: of a later version, perhaps. It is left alone.
    /// What cannot be looked at is left alone as well.
    private func isOfOtherType(_ names: [ObjectName]) -> Set<ObjectName> {
        var result: Set<ObjectName> = []
        inOrder(names, threads: objects.smallCalls) {
            self.isOfOtherType($0)
        } _: { name, isOther in
            if isOther { result.insert(name) }
            return true
        }
        return result
    }

    private func isOfOtherType(_ name: ObjectName) -> Bool {
        for copy in name.both {
            do throws(StoreError) {
                guard let source = try objects.openIfPresent(copy), source.length >= 12 else { continue }
                let head = try source.read(at: 0, count: 12)
                guard head.starts(with: Format.headerMagic) else { continue }
                return !name.kind.types.contains(head[11])
            } catch {
                // Gone, or cut since it was listed: nothing of another version.
                if error.reason != .absent && error.reason != .ended { return true }
            }
        }
        return false
    }
}

extension ObjectName.Kind {
    /// The types of objects, as numbers, that lie there and may be removed.
    fileprivate var types: [UInt8] {
        switch self {
        case .volume: [ObjectType.dataVolume.rawValue, ObjectType.metadataVolume.rawValue]
        case .index: [ObjectType.index.rawValue]
        case .image: [ObjectType.image.rawValue]
        case .checkpoint: [ObjectType.checkpoint.rawValue]
        case .tombstone: [ObjectType.tombstone.rawValue]
        case .verdict: [ObjectType.verdict.rawValue]
        }
    }
}

extension PruneImage {
    /// Why it stays whatever is chosen.
    fileprivate func stays(_ settings: PruneSettings) -> String? {
        if isPinned { return "pinned" }
        return isNewest && !settings.retired.contains(ExactText(series)) ? "the newest of its series" : nil
    }
}

extension StoreReading {
    /// The highest sequence of a series counts, across groups: who takes a machine's place may write to another one.
    fileprivate mutating func markNewest() {
        var highest = ExactTable<UInt64>()
        for group in groups.values {
            for image in group.images where image.counts {
                highest[image.series] = max(highest[image.series] ?? 0, image.sequence)
            }
        }
        for group in groups.keys {
            for index in groups[group]?.images.indices ?? 0..<0 {
                let image = groups[group]?.images[index]
                if let image, image.counts, highest[image.series] == image.sequence {
                    groups[group]?.images[index].isNewest = true
                }
            }
        }
    }
}

extension StoreReading {
    /// All images, in the order of series and sequence. Only what a judgement needs of them is kept here.
    fileprivate mutating func takeImages() -> [PruneImage] {
        var all: [PruneImage] = []
        all.reserveCapacity(groups.values.saturatingSum(of: \.images.count))
        for group in groups.keys {
            all += groups[group]?.takeImages() ?? []
        }
        all.sort { (ExactText($0.series), $0.sequence, $0.id) < (ExactText($1.series), $1.sequence, $1.id) }
        return all
    }
}

extension GroupReading {
    fileprivate mutating func takeImages() -> [PruneImage] {
        let taken = images
        images = []
        marks = taken.map { Mark(id: $0.id, isUnread: $0.isUnread, counts: $0.counts, isComplete: $0.isComplete) }
        return taken
    }

    /// How many objects that a listing does not show are asked for one by one.
    private static let asked = 1000

    /// What the lists and the verdicts say of each image.
    /// - Parameter isThere: asks the store for one object.
    fileprivate mutating func judgeImages(_ group: Identifier, _ isThere: (ObjectName, UInt64) throws -> Bool) throws {
        var isMissing = [Bool](repeating: false, count: table.all.count)
        var questions = Self.asked
        for (number, named) in table.all.enumerated() {
            let name = named.reference.name(named.kind, group: group)
            if let index = index(of: name), things[index].longest == named.reference.length { continue }
            isMissing[number] = true
            if questions == 0 || stop != nil { continue }
            questions -= 1
            do { isMissing[number] = try !isThere(name, named.reference.length) } catch {
                try ImageError.throwStop(error)
                stand(still: ImageError.wrapping(error, subject: name.text).sentence)
            }
        }
        let pinned = Set(Store.pins(verdicts).map { Tombstone.Removed(writer: $0.writer, root: $0.target) })
        // Of what cannot be read nobody knows the digest.
        let pinnedIDs = Set(pinned.map(\.root.id))
        let removed = Set(stones.flatMap(\.content.removed))
        let removedIDs = Set(removed.map(\.root.id))
        let proofs = Store.proofs(verdicts)
        for index in images.indices {
            let numbers = names[index]
            images[index].isComplete = !numbers.contains { isMissing[Int($0)] }  // safe: numbers of the table
            let isUnfinished = images[index].isUnfinished
            guard let root = images[index].root else {
                let id = images[index].id.image
                images[index].isPinned = pinnedIDs.contains(id)
                images[index].isSaid = removedIDs.contains(id)
                images[index].isHalfRemoved = isUnfinished && removedIDs.contains(id)
                continue
            }
            let target = Tombstone.Removed(writer: images[index].id.writer, root: root)
            images[index].isPinned = pinned.contains(target)
            images[index].isSaid = removed.contains(target)
            images[index].isHalfRemoved = isUnfinished && removed.contains(target)
            images[index].proof = proofs[target].flatMap { PruneImage.Proof($0) }
        }
    }
}

extension Store {
    /// Of each image the newest verdict.
    static func proofs(_ verdicts: [Verdict]) -> [Tombstone.Removed: Verdict] {
        var proofs: [Tombstone.Removed: Verdict] = [:]
        for verdict in verdicts where !verdict.isPin {
            let target = Tombstone.Removed(writer: verdict.writer, root: verdict.target)
            if let other = proofs[target], other.time > verdict.time { continue }
            proofs[target] = verdict
        }
        return proofs
    }
}

extension PruneImage.Proof {
    init?(_ verdict: Verdict) {
        switch verdict.result {
        case .whole: result = .whole
        case .damaged: result = .damaged
        case .seed: result = .seed
        case .pinned, .unpinned: return nil
        }
        isOfEveryChunk = verdict.extent == .everyChunk
        time = verdict.time
    }
}
