// How much of each segment the tree still uses. Small files come and go; what is left of a segment that is mostly gone is
// gathered into a new one by the next run, so that a restore does not fetch many segments for a few files each.

internal import Cryptography

struct SegmentUse {
    /// Bytes in use, and where the last of them ends: the segment is that long at least.
    private var uses: [Digest: (live: UInt64, end: UInt64)] = [:]
    /// Neighbours share segments: most additions go to the one before.
    private var open: (id: Digest, live: UInt64, end: UInt64)?

    /// Notes that an unchanged small file has its content there.
    mutating func add(_ id: Digest, offset: UInt64, length: UInt64) {
        if let current = open, current.id == id {
            open = (id, current.live &+ length, max(current.end, offset &+ length))
            return
        }
        close()
        open = (id, length, offset &+ length)
    }

    private mutating func close() {
        guard let current = open else { return }
        let known = uses[current.id] ?? (0, 0)
        uses[current.id] = (known.live &+ current.live, max(known.end, current.end))
        open = nil
    }

    /// The segments of which less than half is in use, the emptiest first: as many as hold a twentieth of the content, since the
    /// next run reads what is left of them again.
    /// - Parameter storedLength: what a segment takes in the store; its content is as long at least.
    mutating func sparse(contentBytes: UInt64, storedLength: (Digest) throws -> UInt64) rethrows -> [Digest] {
        close()
        var found: [(id: Digest, live: UInt64)] = []
        for (id, use) in uses where try use.live < max(use.end, storedLength(id)) / 2 { found.append((id, use.live)) }
        found.sort { $0.live < $1.live }
        var left = max(contentBytes / 20, UInt64(Format.maximumChunkLength))
        return found.prefix { segment in
            guard segment.live <= left else { return false }
            left -= segment.live
            return true
        }.map(\.id)
    }
}
