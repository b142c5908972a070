// What a prune is about to do: which images go, what nothing names any more, what waits and until when.

internal import Cryptography
public import Machine
public import Reporting

/// Objects and their bytes, both copies.
public struct PruneAmount: Sendable, Hashable {
    public var objects = 0
    public var bytes: UInt64 = 0

    public init() {}

    mutating func add(_ count: UInt64, objects more: Int = 1) {
        objects += more
        bytes = bytes.addingReportingOverflow(count).overflow ? .max : bytes + count
    }

    mutating func add(_ other: PruneAmount) { add(other.bytes, objects: other.objects) }
}

/// What a prune finds in one group.
public struct PruneGroup: Sendable {
    public var id: Identifier
    /// The names of its writers, as far as they are known.
    public var writers: [String] = []
    /// Why nothing of it is removed; nil where something may be.
    public var standsStill: String?
    /// Writers nothing of whom is removed, since what one of their roots names is not known.
    public var heldBack: [Identifier] = []
    public var images = 0
    /// All volumes and index objects.
    public var stored = PruneAmount()
    /// What the images that go are the last to name.
    public var freed = PruneAmount()
    /// What nothing names and is old enough: it is condemned now, what the images that go free included.
    public var condemnedNow = PruneAmount()
    /// What nothing names and may still belong to a run under way.
    public var young = PruneAmount()
    /// What is condemned and waits.
    public var waiting = PruneAmount()
    /// When the first of it has waited long enough, by the store's clock, in seconds since 1970.
    public var waitsUntil: Int64?
    /// What has waited long enough and no root names: it is removed now.
    public var removable = PruneAmount()
    /// Torn roots and checkpoints of runs that ended long ago.
    public var leftovers = PruneAmount()
    /// Of what stays the copies whose lock is looked at, and prolonged where it is short.
    public var locks = 0
    /// Tombstones that are over 400 days old, and all that they name gone.
    public var oldTombstones = 0

    init(_ id: Identifier) { self.id = id }
}

/// What a prune is about to do. Its id changes with the images that go, with the rules and with the settings. A new image that changes none
/// of these does not make it another plan: where thousands write there is always one.
public struct PrunePlan: Plan, Sendable {
    public var verb: String { "prune" }
    public internal(set) var basis: [String] = []
    public internal(set) var findings: [Preflight] = []

    /// The images that go, with those of which an earlier prune removed one copy.
    public var going: ArraySlice<PruneImage> { images[..<goingCount] }
    /// The images that stay, in the order of series and sequence.
    public var staying: ArraySlice<PruneImage> { images[goingCount...] }
    /// Why, for those of which there is a reason.
    public internal(set) var reasons: [PruneImage.Place: [String]] = [:]
    public internal(set) var groups: [PruneGroup] = []
    /// What a person has to know: what stands still, and why; each makes the exit status 3.
    public internal(set) var remarks: [Finding] = []
    /// The store's clock when the reading began; nil where it tells none.
    public internal(set) var time: Int64?

    /// First those that go.
    private(set) var images: [PruneImage] = []
    private var goingCount = 0

    let settings: PruneSettings
    let choose: @Sendable ([PruneImage]) throws -> PruneChoice

    init(_ settings: PruneSettings, choose: @escaping @Sendable ([PruneImage]) throws -> PruneChoice) {
        self.settings = settings
        self.choose = choose
    }

    /// - Parameter images: in the order of series and sequence.
    mutating func take(_ images: consuming [PruneImage], going: (PruneImage) -> Bool) {
        self.images = images
        goingCount = self.images.partitionInOrder(0..<self.images.count, first: going)
    }

    /// Over all images that go.
    func digestOfGoing() throws -> Digest {
        var sum = try SHA256Stream()
        for image in going {
            let words = image.id.group.bytes + image.id.writer.bytes + image.id.image.bytes
            try (words + (image.root?.digest ?? .zero).bytes).withUnsafeBytes { try sum.update($0) }
        }
        return try sum.finish()
    }

    /// Whether carrying it out changes anything.
    public var isEmpty: Bool {
        going.isEmpty
            && groups.allSatisfy { group in
                [group.condemnedNow, group.removable, group.leftovers].allSatisfy { $0.objects == 0 }
                    && group.oldTombstones == 0 && group.locks == 0
            }
    }

    public func sum(_ amount: (PruneGroup) -> PruneAmount) -> PruneAmount {
        groups.reduce(into: PruneAmount()) { $0.add(amount($1)) }
    }
}

/// What a prune did.
public struct PruneReport: Sendable {
    public var images = 0
    public var condemned = PruneAmount()
    public var removed = PruneAmount()
    public var leftovers = PruneAmount()
    public var tombstones = 0
    /// What the store did not let go: it is locked for some time, or this key may not remove anything. The next prune tries again.
    public var locked = 0
    /// In the words of the store, for the first of these.
    public var lock: String?
    /// What stays, and is locked for longer now.
    public var prolonged = 0
    /// What stays, and the store did not let be locked for longer.
    public var notProlonged = 0
    /// In the words of the store, for the first of these.
    public var lockRefusal: String?
    /// When what waits has waited long enough, the first of it; in seconds since 1970 by the store's clock.
    public var waitsUntil: Int64?
    public var waiting = PruneAmount()
    /// What a person has to know; each makes the exit status 3.
    public var findings: [Finding] = []
}

extension Array {
    /// Brings to the beginning of a range what belongs there, all in its order, and without another array: of a hundred thousand images
    /// there is no second copy.
    /// - Returns: where the rest begins.
    fileprivate mutating func partitionInOrder(_ range: Range<Int>, first: (Element) -> Bool) -> Int {
        guard range.count > 1 else {
            return range.isEmpty || first(self[range.lowerBound]) ? range.upperBound : range.lowerBound
        }
        let middle = range.lowerBound + range.count / 2  // safe: within the range
        let left = partitionInOrder(range.lowerBound..<middle, first: first)
        let right = partitionInOrder(middle..<range.upperBound, first: first)
        // What stands from `left` on changes places with what stands from `middle` on.
        reverse(left..<middle)
        reverse(middle..<right)
        reverse(left..<right)
        return left + (right - middle)  // safe: within the range
    }

    private mutating func reverse(_ range: Range<Int>) {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low + 1 < high {  // safe: within the range
            high -= 1
            swapAt(low, high)
            low += 1
        }
    }
}
