// Which files a drill restores: those that the start needs, and some that chance has chosen. Chance follows from the drill's number, so that
// somebody who doubts it can have the same files chosen again.

internal import Cryptography
internal import Images
internal import Platform

/// Of all files those whose paths, hashed with the number, come first: whatever the order is in which they are seen.
struct DrillChoice {
    private let seed: [UInt8]
    private let limit: Int
    private var chosen: [(rank: Digest, entry: ChosenFile)] = []
    private(set) var bootFiles: [ChosenFile] = []

    struct ChosenFile {
        /// Where a restore puts it.
        var place: BytePath
        /// Below its source.
        var path: BytePath
        var size: UInt64
    }

    init(seed: String, limit: Int) {
        self.seed = Array(seed.utf8)
        self.limit = limit
        chosen.reserveCapacity(min(limit, 1 << 16) + 1)
    }

    mutating func offer(_ entry: ImageEntry) throws {
        guard entry.kind == .file else { return }
        let file = ChosenFile(place: entry.place, path: entry.path, size: entry.size)
        if Self.isForStart(entry.origin) { return bootFiles.append(file) }
        guard limit > 0 else { return }
        let rank = try (seed + [0] + entry.place.bytes).withUnsafeBytes { try SHA256.digest(of: $0) }
        if chosen.count == limit, let last = chosen.last, !Self.isBefore(rank, last.rank) { return }
        var (low, high) = (0, chosen.count)
        while low < high {
            let middle = (low + high) / 2
            if Self.isBefore(chosen[middle].rank, rank) { low = middle + 1 } else { high = middle }
        }
        chosen.insert((rank, file), at: low)
        if chosen.count > limit { chosen.removeLast() }
    }

    /// Kernel, initramfs and boot loader.
    static func isForStart(_ path: BytePath) -> Bool {
        guard let first = path.components.first else { return false }
        return ["boot", "efi"].contains { first.elementsEqual($0.utf8) } && path.isAbsolute
    }

    private static func isBefore(_ one: Digest, _ other: Digest) -> Bool {
        one.bytes.lexicographicallyPrecedes(other.bytes)
    }

    var all: [ChosenFile] { bootFiles + chosen.map(\.entry) }
}
