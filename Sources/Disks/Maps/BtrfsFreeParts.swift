// Which parts of a device of btrfs are free: what no chunk has, and what the free space tree names within one (btrfs-dev-docs, on-disk format).

internal import CLinux
internal import Glibc
internal import Platform

/// The free parts of one device of a btrfs that is mounted read-only, from devices that are read-only.
struct BtrfsFreeParts: FreeParts {
    /// Records at these places of each device, and all before the first of them: the boot loader's.
    static let kept: [Range<UInt64>] = [0..<1 << 20, 64 << 20..<64 << 20 + 4096, 256 << 30..<256 << 30 + 4096]

    private enum Tree {
        static let chunks: UInt64 = 3
        static let devices: UInt64 = 4
        static let freeSpace: UInt64 = 10
    }
    private enum Item {
        static let freeSpaceInfo: UInt64 = 198
        static let freeSpaceExtent: UInt64 = 199
        static let freeSpaceBitmap: UInt64 = 200
        static let deviceExtent: UInt64 = 204
        static let chunk: UInt64 = 228
    }
    private static let firstChunkTree: UInt64 = 256
    /// Of chunks whose stripes do not lie one behind the other: RAID 0, 10, 5, 6.
    private static let striped: UInt64 = 1 << 3 | 1 << 6 | 1 << 7 | 1 << 8
    /// Blocks that a bitmap item may name; the kernel writes 2,048 bits.
    private static let bitmapLimit = 1 << 16

    private let folder: Descriptor
    private let device: UInt64
    private let sectorSize: UInt64
    private var extents: Items
    /// How far the device was looked at.
    private var place: UInt64 = 0
    /// The free parts of the chunk that was looked at last, from its beginning on.
    private var found: ArraySlice<Range<UInt64>> = []
    private var isAtEnd = false

    /// - Parameters:
    ///   - folder: the root of the mount, open.
    ///   - disk: the device, whose superblock says which of them it is.
    init(of folder: Descriptor, on disk: any DiskBytes) throws {
        let superblock = try disk.bytes(at: 64 << 10, count: 4096)
        guard Array(superblock[64..<72]) == Array("_BHRfS_M".utf8) else {
            throw DiskFormatError("it has no superblock of btrfs")
        }
        self.folder = folder
        sectorSize = UInt64(superblock.little(UInt32.self, at: 0x90))
        device = superblock.little(UInt64.self, at: 0xC9)
        guard [4096, 8192, 16384, 32768, 65536].contains(sectorSize) else {
            throw DiskFormatError("its sectors have \(sectorSize) bytes")
        }
        extents = Items(
            folder, Tree.devices, from: [device, Item.deviceExtent, 0], to: [device, Item.deviceExtent, .max])
    }

    mutating func nextFree() throws -> Range<UInt64>? {
        while true {
            if let part = found.popFirst() { return part }
            if isAtEnd { return nil }
            guard let extent = try extents.next() else {
                isAtEnd = true
                // Behind the last chunk; who asks knows where the device ends.
                return place..<UInt64.max
            }
            guard extent.content.count >= 32 else { throw DiskFormatError("a record of its device is too short") }
            let length = extent.content.little(UInt64.self, at: 24)
            let range = extent.offset..<extent.offset.adding(saturating: length)
            let before = place
            place = max(place, range.upperBound)
            found = try freeParts(of: range, chunk: extent.content.little(UInt64.self, at: 16))[...]
            if range.lowerBound > before { return before..<range.lowerBound }
        }
    }

    /// Where parts of a device are among the addresses of its file system; of chunks whose stripes do not lie one behind the other all.
    static func logicalParts(
        of parts: [Range<UInt64>], _ folder: Descriptor, _ disk: any DiskBytes
    ) throws -> [Range<UInt64>] {
        var extents = try BtrfsFreeParts(of: folder, on: disk).extents
        var found: [Range<UInt64>] = []
        while let extent = try extents.next() {
            guard extent.content.count >= 32 else { throw DiskFormatError("a record of its device is too short") }
            let length = extent.content.little(UInt64.self, at: 24)
            let stripe = extent.offset..<extent.offset.adding(saturating: length)
            let start = extent.content.little(UInt64.self, at: 16)
            let key = [firstChunkTree, Item.chunk, start]
            var chunks = Items(folder, Tree.chunks, from: key, to: key)
            guard let chunk = try chunks.next(), chunk.content.count >= 48 else { continue }
            let isStriped = chunk.content.little(UInt64.self, at: 24) & striped != 0
            let all = start..<start.adding(saturating: chunk.content.little(UInt64.self, at: 0))
            for part in parts where part.overlaps(stripe) {
                let inside = part.clamped(to: stripe)
                // safe: clamped
                let (first, last) = (inside.lowerBound - stripe.lowerBound, inside.upperBound - stripe.lowerBound)
                found.append(
                    isStriped ? all : start.adding(saturating: first)..<start.adding(saturating: last))
            }
        }
        return found
    }

    /// What is free in a stripe of a chunk; nothing where that is not known.
    private func freeParts(of stripe: Range<UInt64>, chunk start: UInt64) throws -> [Range<UInt64>] {
        let key = [Self.firstChunkTree, Item.chunk, start]
        var chunks = Items(folder, Tree.chunks, from: key, to: key)
        guard let chunk = try chunks.next(), chunk.content.count >= 48 else { return [] }
        let (length, type) = (chunk.content.little(UInt64.self, at: 0), chunk.content.little(UInt64.self, at: 24))
        // One behind the other: a place in the chunk is that place in each of its stripes.
        guard type & Self.striped == 0, length > 0, length == stripe.upperBound - stripe.lowerBound else { return [] }
        let end = start.adding(saturating: length)
        var result: [Range<UInt64>] = []
        var isKnown = false
        func add(_ logical: UInt64, _ count: UInt64) {
            let (first, last) = (max(logical, start), min(logical.adding(saturating: count), end))
            if first >= last { return }
            // safe: both lie in the chunk, whose length is the stripe's
            let range = stripe.lowerBound + (first - start)..<stripe.lowerBound + (last - start)
            if let before = result.last, before.upperBound == range.lowerBound {
                result[result.count - 1] = before.lowerBound..<range.upperBound
            } else {
                result.append(range)
            }
        }
        // What lies in no chunk is left from block groups that are gone.
        var items = Items(
            folder, Tree.freeSpace, from: [start, Item.freeSpaceInfo, 0], to: [end - 1, Item.freeSpaceBitmap, .max])
        while let item = try items.next() {
            switch item.type {
            case Item.freeSpaceInfo: isKnown = isKnown || item.object == start && item.offset == length
            case Item.freeSpaceExtent: add(item.object, item.offset)
            case Item.freeSpaceBitmap:
                let bits = item.offset / sectorSize
                guard bits <= UInt64(Self.bitmapLimit), UInt64(item.content.count) * 8 >= bits else {
                    throw DiskFormatError("a map of free space is too short")
                }
                for bit in 0..<Int(bits) where item.content[bit / 8] >> (bit % 8) & 1 == 1 {
                    add(item.object.adding(saturating: UInt64(bit) * sectorSize), sectorSize)
                }
            default: break
            }
        }
        return isKnown ? result : []
    }
}

/// The items of a tree of btrfs between two keys, in order.
private struct Items {
    struct Item {
        var object: UInt64
        var type: UInt64
        var offset: UInt64
        var content: [UInt8]
    }

    private static let room = 1 << 16

    private let folder: Descriptor
    private let tree: UInt64
    private var from: [UInt64]
    private let to: [UInt64]
    private var found: ArraySlice<Item> = []
    private var isAtEnd = false

    init(_ folder: Descriptor, _ tree: UInt64, from: [UInt64], to: [UInt64]) {
        self.folder = folder
        self.tree = tree
        self.from = from
        self.to = to
    }

    mutating func next() throws(SystemError) -> Item? {
        while true {
            // The kernel gives all types between the two for each object.
            if let item = found.popFirst() {
                if (from.count == 3 && item.type < 1) || item.type > to[1] { continue }
                return item
            }
            if isAtEnd { return nil }
            try read()
        }
    }

    private mutating func read() throws(SystemError) {
        var bytes = [UInt8](repeating: 0, count: Self.room)
        let count = clinux_btrfs_search(folder.raw, tree, from, to, &bytes, bytes.count)
        guard count >= 0 else {
            // A tree that is not there has nothing.
            if errno == ENOENT {
                isAtEnd = true
                return
            }
            throw SystemError(errno, "read", "the trees of btrfs")
        }
        if count == 0 { isAtEnd = true }
        var place = 0
        var items: [Item] = []
        for _ in 0..<count where place + 32 <= bytes.count {
            let length = Int(clamping: bytes.little(UInt32.self, at: place + 28))
            guard length <= bytes.count - place - 32 else { break }
            items.append(
                Item(
                    object: bytes.little(UInt64.self, at: place + 8),
                    type: UInt64(bytes.little(UInt32.self, at: place + 24)),
                    offset: bytes.little(UInt64.self, at: place + 16),
                    content: Array(bytes[place + 32..<place + 32 + length])))
            place += 32 + length
        }
        guard let last = items.last else {
            isAtEnd = true
            return
        }
        found = items[...]
        // The key behind the last.
        if last.offset < .max {
            from = [last.object, last.type, last.offset + 1]  // safe: below the largest
        } else if last.type < 255 {
            from = [last.object, last.type + 1, 0]  // safe: as above
        } else if last.object < .max {
            from = [last.object + 1, 0, 0]  // safe: as above
        } else {
            isAtEnd = true
        }
    }
}
