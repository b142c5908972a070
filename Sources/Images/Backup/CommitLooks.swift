// The looks of a commit at what prune may be doing meanwhile: at the tombstones right before the root, and at the tombstones and at all
// that the image names once the root is there. Whoever prunes waits long enough that one of the two sees him.

internal import Stores

struct CommitLooks {
    private let store: Store
    private let group: Identifier
    private let volumes: [VolumeReference]
    private let indexes: [VolumeReference]
    /// When the last look at the tombstones began, in seconds since the machine started, those that it slept through included.
    private var lookedAt: Int64?

    /// How old a look may be when a root is written.
    static let validity: Int64 = 60

    /// - Parameter named: all that the image names, those of its own run as well: one that took days may be taken for one that was cut.
    init(_ store: Store, group: Identifier, named: NamedObjects) {
        self.store = store
        self.group = group
        volumes = named.volumes
        indexes = named.indexes
    }

    /// Writes both copies of the root, each after a look. Where a server dates what it is sent, the dates are from before that look: whatever
    /// this machine sleeps through in between, the root is refused once they are too old.
    /// - Parameter willBegin: called before the first byte of a root may be there.
    /// - Throws: `Repeat`
    mutating func put(_ name: ObjectName, _ bytes: [UInt8], willBegin: () -> Void) throws {
        var copies = [name.second, name.text]
        // The copy of which nobody knows whether it is there.
        var uncertain: String?
        var attempt = 1
        while true {
            do {
                let prepared = try copies.map { try store.objects.prepare($0, bytes) }
                for object in prepared {
                    try look()
                    willBegin()
                    try object.put()
                    copies.removeFirst()
                }
                return
            } catch let error as StoreError {
                // Its own, whose answer was lost.
                if error.reason == .exists, let copy = copies.first, copy == uncertain,
                    try store.objects.isOwn(copy, bytes)
                {
                    copies.removeFirst()
                    if copies.isEmpty { return }
                    continue
                }
                guard [.expired, .failed, .unreachable].contains(error.reason) else { throw error }
                // A disk that fails does not do better a moment later.
                if error.reason != .expired && !store.objects.isFar { throw error }
                if attempt == Self.attempts {
                    if error.reason == .expired { throw Repeat() }
                    throw error
                }
                if error.reason != .expired { uncertain = copies.first }
                attempt += 1
                // No root is sent again on the word of a look from before.
                lookedAt = nil
            }
        }
    }

    private static let attempts = 5

    /// Looks at the tombstones, unless that was done a moment ago. A machine can sleep between any two steps.
    private mutating func look() throws {
        let now = store.machine.secondsSinceStart()
        if let lookedAt, now - lookedAt <= Self.validity { return }
        lookedAt = now
        let condemned = try store.condemnedVolumes(group: group)
        if (volumes + indexes).contains(where: { condemned.contains($0.id) }) { throw Repeat() }
    }

    /// To be called once the root is there. What was condemned or removed meanwhile makes the run no success. Of a server
    /// it is also seen whether the root is there: some say yes and keep nothing.
    /// - Throws: `Repeat`
    func afterRoot(_ name: ObjectName, length: UInt64) throws {
        if store.objects.isFar {
            let listed = try store.listed(.image, group: group, writer: name.writer).first { $0.name == name }
            guard listed?.first == length, listed?.second == length else {
                throw ImageError.damaged(
                    subject: store.describe(name), detail: "the server took it and does not show it as it was sent")
            }
        }
        if try !store.vanished(volumes, indexes, group: group).isEmpty { throw Repeat() }
    }
}

/// What an image names was condemned or removed while it was made: the run is to be made once more, and stores that content anew.
struct Repeat: Error {}

/// Makes a run once more where it has to be, and not for ever.
func repeatingRun<R>(into store: Store, _ run: () throws -> R) throws -> R {
    var attempts = 3
    while true {
        do { return try run() } catch is Repeat {
            attempts -= 1
            if attempts == 0 { throw ImageError.pruned(store: store.subject) }
        }
    }
}
