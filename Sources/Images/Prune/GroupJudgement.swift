// What follows, in one group, from a reading and from the images that go: what nothing names, what waits, what may be removed now, and
// whether anything may.

internal import Cryptography
internal import Platform
internal import Reporting

/// What a prune does in one group.
struct GroupWork {
    var group: Identifier
    /// What was written later was not looked at.
    var horizon: Int64 = 0
    /// The places of the images that go, among all of the plan.
    var images: [Int] = []
    /// What nothing names, and what the images that go are the last to name.
    var condemned: [NamedTable.Named] = []
    var freed: [NamedTable.Named] = []
    var removable: [ListedObject] = []
    var leftovers: [ListedObject] = []
    var oldTombstones: [ListedObject] = []
    /// Of volumes and index objects that stay those whose lock may be short.
    var locked: [ListedObject] = []
    /// The places of such images, among all of the plan.
    var lockedImages: [Int] = []
}

struct GroupJudgement {
    private let group: Identifier
    private var reading: GroupReading
    /// The places of the images that go, among all of the plan.
    private let going: [Int]
    /// Why roots cannot be read.
    private let problems: [PruneImage.Place: String]
    private let settings: PruneSettings
    private let began: Int64?
    private let localTime: Int64
    private(set) var result: PruneGroup
    private(set) var work: GroupWork
    private(set) var remarks: [Finding] = []

    // By the places of things in the lists.

    /// Of what is condemned, how long it has been, at least.
    private var waited: [Int: Int64] = [:]
    /// What is named by images that stay, and by those that go.
    private var staying: [Bool]
    private var leaving: [Bool]
    private var heldBack: Set<Identifier> = []

    init(
        _ group: Identifier, _ reading: GroupReading, going: [Int], _ problems: [PruneImage.Place: String],
        _ settings: PruneSettings, began: Int64?, localTime: Int64
    ) {
        self.group = group
        self.reading = reading
        self.going = going
        self.problems = problems
        staying = [Bool](repeating: false, count: reading.things.count)
        leaving = staying
        self.settings = settings
        self.began = began
        self.localTime = localTime
        result = PruneGroup(group)
        work = GroupWork(group: group)
    }

    /// - Parameter all: all images of the plan.
    mutating func judge(_ all: [PruneImage]) {
        let ids = Set(going.lazy.map { all[$0].id })
        for index in reading.marks.indices { reading.marks[index].isGoing = ids.contains(reading.marks[index].id) }
        nameObjects()
        count()
        findLocks()
        guard let began else {
            result.standsStill = "the store does not tell its time"
            return
        }
        if let stop = reading.stop ?? incomplete() {
            result.standsStill = stop
            return
        }
        let stop = weighTombstones(began)
        let horizon = began.subtracting(saturating: settings.condemnedAge)
        work.horizon = horizon
        sort(horizon, began)
        if let stop {
            // The clock was wrong, or is: nothing goes by it. What it condemned is condemned anew, and waits anew.
            result.standsStill = stop
            result.removable = PruneAmount()
            work.removable = []
            result.condemnedNow = amount(of: work.condemned)
            work.freed = []
            return
        }
        work.images = going
        work.leftovers =
            reading.tornRoots.filter { $0.written.map { $0.upperBound < horizon } ?? false } + reading.endedCheckpoints
        for object in work.leftovers {
            result.leftovers.add(object.bytes)
        }
        result.oldTombstones = work.oldTombstones.count
    }

    /// Leaves alone what is of a type that this version does not know.
    mutating func passOver(_ others: ([ObjectName]) -> Set<ObjectName>) {
        let group = self.group
        let asked =
            (work.condemned + work.freed).map { $0.reference.name($0.kind, group: group) } + work.leftovers.map(\.name)
        if asked.isEmpty { return }
        let left = others(asked)
        if left.isEmpty { return }
        work.condemned.removeAll { left.contains($0.reference.name($0.kind, group: group)) }
        work.freed.removeAll { left.contains($0.reference.name($0.kind, group: group)) }
        work.leftovers.removeAll { left.contains($0.name) }
        result.condemnedNow = amount(of: work.condemned + work.freed)
        result.leftovers = PruneAmount()
        for object in work.leftovers {
            result.leftovers.add(object.bytes)
        }
    }

    /// Liveness is what volumes frames name, and nothing else. So a seed's root may go like any other: whoever built on it names its volumes
    /// in a root of his own, which keeps them, and whoever has not will not find it. An image's parent is a word in its label.
    private mutating func nameObjects() {
        var isStaying = [Bool](repeating: false, count: reading.table.all.count)
        var isLeaving = isStaying
        for (index, image) in reading.marks.enumerated() {
            for number in reading.names[index] {
                let number = Int(number)  // safe: of the table
                if image.isGoing { isLeaving[number] = true } else { isStaying[number] = true }
            }
            if image.isUnread && !image.isGoing {
                // It may name its writer's volumes, and those of whoever that one took the place of.
                heldBack.insert(image.id.writer)
                heldBack.formUnion(reading.predecessors[image.id.writer] ?? [])
            }
        }
        for (number, named) in reading.table.all.enumerated() {
            guard let index = reading.index(of: named.name(group)) else { continue }
            if isStaying[number] { staying[index] = true }
            if isLeaving[number] { leaving[index] = true }
        }
    }

    private mutating func count() {
        result.images = reading.marks.count
        result.writers = Set(reading.writers.values).sorted()
        result.heldBack = heldBack.sorted()
        for image in reading.marks where image.isUnread && !image.isGoing {
            remarks.append(
                Finding(
                    .damaged, subject: "image \(image.id.image.short)",
                    "\(problems[image.id] ?? "it cannot be read"); as long as it is there nothing that its writer stored is removed"
                ))
        }
        for (index, thing) in reading.things.enumerated() {
            result.stored.add(thing.bytes)
            if leaving[index] && !staying[index] { result.freed.add(thing.bytes) }
        }
    }

    /// Of images that stay, by their places among all.
    mutating func addLocks(of images: [Int], _ all: [PruneImage]) {
        work.lockedImages = images
        result.locks = result.locks.adding(saturating: images.saturatingSum { all[$0].copies.count })
    }

    /// What a group that stands still may need stays as well.
    private mutating func findLocks() {
        guard let bound = settings.lockBound(began) else { return }
        work.locked = reading.things.enumerated().filter { index, thing in
            (staying[index] || reading.stop != nil || heldBack.contains(thing.name.writer))
                && thing.written.map { $0.lowerBound <= bound } ?? true
        }.map(\.element)
        result.locks = work.locked.saturatingSum { $0.copies.count }
    }

    /// Before the last of anything is removed, all that stays has to be whole.
    private func incomplete() -> String? {
        let broken = reading.marks.filter { $0.counts && !$0.isComplete && !$0.isGoing }
        if broken.isEmpty { return nil }
        let images = broken.map(\.id.image.short)
        let writers = Set(broken.compactMap { reading.writers[$0.id.writer] }).sorted()
        return
            "\(images.count == 1 ? "image" : "images") \(images.abridged) of \(writers.abridged) \(images.count == 1 ? "lacks" : "lack") something that "
            + "\(images.count == 1 ? "it names" : "they name"); the next backup may store it again, and `holdfast verify` says what is lost"
    }

    /// How long each tombstone has been there: by its object's time on the medium and by the time that its steward signed, whichever is shorter.
    /// - Returns: why nothing is removed, where one of them cannot be right.
    private mutating func weighTombstones(_ began: Int64) -> String? {
        let there = Set(reading.marks.map(\.id.image))
        var doubtful: [(stone: GroupReading.Stone, open: [Int])] = []
        for stone in reading.stones {
            let open = stone.content.condemned(group: group).compactMap { reading.index(of: $0) }
            let stored = stone.object.written.map { began.subtracting(saturating: $0.upperBound) }
            let signed = stone.content.time.map { localTime.subtracting(saturating: $0) }
            // From before anything was removed: it condemns, and nothing goes by it.
            guard let stored, let signed else { continue }
            let life = PruneSettings.tombstoneLife
            if min(stored, signed) > life {
                if open.isEmpty && !stone.content.removed.contains(where: { there.contains($0.root.id) }) {
                    work.oldTombstones.append(stone.object)
                }
                // Else nothing goes by it any more, and what it names is condemned anew.
                continue
            }
            guard min(stored, signed) >= -Self.slack, max(stored, signed) <= life else {
                doubtful.append((stone, open))
                continue
            }
            for index in open where isOlder(index, than: stone) {
                waited[index] = max(waited[index] ?? 0, min(stored, signed))
            }
        }
        let unsure = doubtful.filter { entry in
            entry.open.contains {
                waited[$0] == nil && !staying[$0] && !heldBack.contains(reading.things[$0].name.writer)
            }
        }
        guard let first = unsure.first else { return nil }
        return
            "the times of tombstone \(first.stone.object.name.id.short) cannot be right: a clock was wrong when it was written, or is now; "
            + "what it condemned is condemned anew, and the next prune goes on"
    }

    /// What was put there after a tombstone, by a copy from a store that has it still, is not what that condemned.
    private func isOlder(_ index: Int, than stone: GroupReading.Stone) -> Bool {
        guard let thing = reading.things[index].written, let said = stone.object.written else { return false }
        return thing.upperBound <= said.upperBound
    }

    /// Of clocks that are compared to the second.
    private static let slack: Int64 = 300

    private mutating func sort(_ horizon: Int64, _ began: Int64) {
        for (index, thing) in reading.things.enumerated() where !staying[index] {
            let name = thing.name
            let isHeld = heldBack.contains(name.writer) || reading.underWay.contains(name)
            if let waited = waited[index] {
                // Also an image that goes now names it still: only a later reading shows it as named by nobody.
                if waited >= settings.grace && !isHeld && !leaving[index] {
                    result.removable.add(thing.bytes)
                    work.removable.append(thing)
                } else {
                    result.waiting.add(thing.bytes)
                    let end = began.adding(saturating: max(0, settings.grace.subtracting(saturating: waited)))
                    result.waitsUntil = min(result.waitsUntil ?? end, end)
                }
                continue
            }
            guard let written = thing.written, written.upperBound < horizon, !isHeld else {
                result.young.add(thing.bytes)
                continue
            }
            let named = NamedTable.Named(
                reference: VolumeReference(writer: name.writer, id: name.id, digest: .zero, length: thing.longest),
                kind: name.kind)
            if leaving[index] { work.freed.append(named) } else { work.condemned.append(named) }
            result.condemnedNow.add(thing.bytes)
        }
        work.condemned.sort { $0.name(group) < $1.name(group) }
        work.freed.sort { $0.name(group) < $1.name(group) }
        // Volumes before the index objects that tell what is in them.
        work.removable.sort { ($0.name.kind == .index ? 1 : 0, $0.name) < ($1.name.kind == .index ? 1 : 0, $1.name) }
        addDigests()
    }

    /// What roots say of those that they name.
    private mutating func addDigests() {
        if work.freed.isEmpty { return }
        let known = Dictionary(
            reading.table.all.map { ($0.name(group), $0) }, uniquingKeysWith: { first, _ in first })
        work.freed = work.freed.map { known[$0.name(group)] ?? $0 }
    }

    private func amount(of named: [NamedTable.Named]) -> PruneAmount {
        named.reduce(into: PruneAmount()) {
            $0.add(reading.index(of: $1.name(group)).map { reading.things[$0].bytes } ?? 0)
        }
    }
}

extension NamedTable.Named {
    func name(_ group: Identifier) -> ObjectName { reference.name(kind, group: group) }
}
