// Where a file is on the medium.

internal import CLinux
internal import Glibc

/// A run of bytes of a file, and its place on the device that the file system is on, in bytes.
public struct FileExtent: Hashable, Sendable {
    public var start: UInt64
    public var place: UInt64
    public var length: UInt64
    /// Other files or snapshots have the same blocks.
    public var isShared: Bool
    /// It is not simply there: packed into an inode, compressed or encrypted.
    public var isElsewhere: Bool

    public init(start: UInt64, place: UInt64, length: UInt64, isShared: Bool = false, isElsewhere: Bool = false) {
        self.start = start
        self.place = place
        self.length = length
        self.isShared = isShared
        self.isElsewhere = isElsewhere
    }
}

extension Descriptor {
    /// All extents of a file; writes out first what has no place yet. nil where the file system does not tell.
    public func extents() throws(SystemError) -> [FileExtent]? {
        var result: [FileExtent] = []
        var room = [clinux_extent](repeating: clinux_extent(), count: 64)
        while true {
            let from = result.last.map { $0.start.adding(saturating: $0.length) } ?? 0
            let count = clinux_extents(raw, from, &room, UInt32(room.count))
            if count < 0 {
                if [EOPNOTSUPP, ENOTTY, EINVAL].contains(errno) { return nil }
                throw SystemError(errno, "ask for the places of", "the file")
            }
            for extent in room.prefix(Int(count)) {  // safe: at most as many as there is room for
                result.append(
                    FileExtent(
                        start: extent.logical, place: extent.physical, length: extent.length,
                        isShared: extent.is_shared != 0, isElsewhere: extent.is_elsewhere != 0))
            }
            if count == 0 || result.isEmpty || room[Int(count) - 1].is_last != 0 { return result }
        }
    }

    /// Has the file system bring everything from its journal to its place, and write zeros over the journal; whether it did. ext4 can,
    /// from Linux 5.14 on.
    public func clearJournal() -> Bool { clinux_clear_journal(raw) == 0 }

    /// Gives a file blocks up to a length, without writing them (fallocate).
    public func allocate(_ length: UInt64) throws(SystemError) {
        try check("allocate", "the file") { clinux_allocate(raw, length) }
    }
}
