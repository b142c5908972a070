// What a list of images does not show: volumes that no image at all is listed for, images that are gone, and keys that are.

internal import Platform
public import Reporting
internal import Stores

extension Store {
    /// Volumes of a store in which no image is listed: no state that a store is left in on purpose.
    public func missingRoots(_ images: [ImageSummary]) throws -> Finding? {
        do {
            guard images.isEmpty else { return nil }
            let count = try listedForReading(.volume).count
            if count == 0 { return nil }
            return Finding(
                .damaged, subject: subject,
                "no image is listed, and \(count) \(count == 1 ? "volume is" : "volumes are") there: a first backup or copy has not ended, or "
                    + "its folder i is missing; repeat the backup, or finish the copy with `holdfast copy`")
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Recipients whose key file is not there: what a backup stores they cannot open.
    func lostKeyFiles() throws -> Finding? {
        let folder = try StoreName.keys(epoch: chain.newest.epoch, sealing: chain.newest.sealing)
        let there = Set(try objects.list(folder).filter { $0.length > 0 }.map { ObjectName.withoutSecond($0.name) })
        let recipients = chain.newest.recipients
        let lost = recipients.filter { !there.contains("\(folder)/\($0.fileName)") }
        if lost.isEmpty { return nil }
        return Finding(
            .damaged, subject: subject,
            "\(lost.count == recipients.count ? "nobody can open it any more: " : "")the key \(lost.count == 1 ? "file" : "files") of "
                + "\(lost.map(\.name).abridged) \(lost.count == 1 ? "is" : "are") missing; `holdfast copy` from another copy of the store brings them back"
        )
    }

    /// Images that this machine itself wrote, to any series, and that are not there: whoever writes on is told, too.
    /// - Parameter there: the images of this machine and of those whose place it took, as they are listed.
    func lostOwnImages(_ there: Set<ObjectID>) throws -> Finding? {
        let memory = try machine.memory(of: id)
        let own = memory.seen.sorted.reduce(into: Set<ObjectID>()) { $0.formUnion($1.value) }
            .intersection(memory.ownRoots)
        if own.isEmpty { return nil }
        // What only other places of this store have ever had is not missing here.
        var lost = own.subtracting(there).sorted().filter {
            if case .behind = memory.absence(of: $0) { false } else { true }
        }
        if lost.isEmpty { return nil }
        let pruned = prunedImages()
        lost.removeAll { pruned.contains($0) }
        remember { $0.forgetSeen(pruned.subtracting(there)) }
        if lost.isEmpty { return nil }
        return Finding(
            .damaged, subject: subject,
            "\(lost.count == 1 ? "an image" : "\(lost.count) images") that this machine wrote, \(lost.map(\.short).abridged), "
                + "\(lost.count == 1 ? "is" : "are") not there: removed, or the store was put back; \(mendOfLost)")
    }

    /// Forgets the images that this machine has seen and that are not there any more: somebody knows of it.
    public func forgetLostImages(_ images: [ImageSummary]) {
        remember { $0.forget(except: Set(images.map(\.id))) }
    }

    /// Forgets the images that this machine wrote, that are not there, and of which it is known that they were to go.
    ///
    /// Only for a store that this process alone uses.
    /// - Parameter needed: the ids of those that are to be there, and are missed where they are not.
    public func forgetLostImages(except needed: Set<String>) throws {
        do {
            let there = Set(try listed(.image).map(\.name.id))
            try machine.remember(id) { memory in
                for lost in memory.ownRoots.subtracting(there) where !needed.contains(lost.description) {
                    memory.forget(lost)
                }
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Numbers that are not there in between those of a series: removed on purpose, or lost.
    public func gaps(_ images: [ImageSummary]) -> [Finding] {
        let labels = images.compactMap(\.label)
        return Dictionary(grouping: labels) { ExactText($0.series) }.sorted { $0.key < $1.key }.compactMap {
            series, labels in
            let there = Set(labels.map(\.sequence)).sorted()
            let missing = zip(there, there.dropFirst()).filter { $1 - $0 > 1 }.map { before, after in
                after - before == 2 ? "\(before + 1)" : "\(before + 1) to \(after - 1)"  // safe: between the two
            }
            if missing.isEmpty { return nil }
            let numbers = missing.count == 1 && UInt64(missing[0]) != nil ? "number" : "numbers"
            return Finding(
                .note, subject: "series \(printable(series.text.utf8))",
                "\(numbers) \(missing.abridged) of its images "
                    + "\(numbers == "number" ? "is" : "are") not there: removed, or not chosen when this copy was made")
        }
    }
}
