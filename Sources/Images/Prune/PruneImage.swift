// An image as whoever chooses which ones go sees it.

public import Platform

/// An image, or what lies among the images and is none, in a reading of the whole store.
public struct PruneImage: Sendable, Identifiable {
    /// Where it lies. An id alone is not enough: who has the medium can put a root of that id into another writer's folder.
    public struct Place: Hashable, Comparable, Sendable, CustomStringConvertible {
        public var group: Identifier
        public var writer: Identifier
        public var image: ObjectID

        public var description: String { "i/\(group)/\(writer)/\(image)" }

        public static func < (left: Self, right: Self) -> Bool {
            (left.group, left.writer, left.image) < (right.group, right.writer, right.image)
        }
    }

    /// What somebody found by reading it.
    public struct Proof: Hashable, Sendable {
        public enum Result: String, Sendable {
            case whole, damaged, seed
        }
        public var result: Result
        /// Whether every chunk was read.
        public var isOfEveryChunk: Bool
        /// Seconds since 1970.
        public var time: Int64
    }

    public var id: Place
    /// The writer's name, as the root key has certified it; empty where nothing is known of it.
    public var writerName = ""
    public var series = ""
    public var sequence: UInt64 = 0
    /// Seconds since 1970: the time by which retention goes (Format, Time). The label's store time, or the machine's where it has none, and
    /// the object's own where that is earlier; nil where neither is known.
    public var time: Int64?
    /// The label's time and the object's differ by more than a day.
    public var isTimeDoubtful = false
    /// What the machine's clock said.
    public var machineTime = Timestamp(seconds: 0, nanoseconds: 0)
    public var name = ""
    public var host = ""
    /// The restore point of which it is the image; `snapshot` for one made for it; empty for a live tree.
    public var point = ""
    /// Entries that are missing or inconsistent in it.
    public var findings: UInt64 = 0
    public var contentBytes: UInt64 = 0
    public var isPinned = false
    /// The newest verdict on it.
    public var proof: Proof?
    /// A run ended between the two copies of its root.
    public var isUnfinished = false
    /// Why it does not count, or cannot be read.
    public var problem: String?
    /// Whether it does not count since its writer's right to write was revoked; no record will have it count again.
    public var isRevoked = false
    /// Whether it has the highest sequence of its series, among those that count.
    public var isNewest = false
    /// Whether all that it names is there at its length.
    public var isComplete = true

    /// Whether it is an image that may be the newest of its series.
    public var counts: Bool { problem == nil && !isUnfinished }

    // What the engine goes by.

    /// When the older of its copies was written, by the store's clock.
    var written: Int64?

    /// Whether nobody knows what it names; it holds back all that its writer stored.
    var isUnread = false
    /// Whether it is sound as far as it can be seen, and the keys at hand do not open its label.
    var isSealed = false
    /// Whether an earlier prune has named it as removed and taken its first copy away.
    var isHalfRemoved = false
    /// Whether a tombstone names it as removed.
    var isSaid = false
    /// Of one that was read.
    var root: RootReference?
    /// Both copies.
    var bytes: UInt64 = 0
    /// Which copies are there.
    var hasFirst = false
    var hasSecond = false

    init(_ id: Place) { self.id = id }
}
