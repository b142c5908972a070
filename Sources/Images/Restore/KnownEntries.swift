// The entries of an image that is known to be what the target holds now: what is the same in the image to be restored
// need not be looked at.

internal import Cryptography
internal import Platform

/// A set of entries with their paths, 16 bytes each.
public final class KnownEntries: Sendable {
    private struct Print: Hashable, Sendable {
        var high: UInt64
        var low: UInt64
    }
    /// Slices of one file that are looked at; what has more is taken for unknown.
    static let sliceLimit = 1 << 16

    private let prints: Set<Print>
    /// Of files whose content follows in records of its own: the entries alone.
    private let heads: Set<Print>
    /// First names of files that have several: which names share a file may differ although each name's content is the same.
    private let linked: Set<[UInt8]>

    init(_ reader: StoreImageReader) throws {
        var prints: Set<Print> = []
        var heads: Set<Print> = []
        var linked: Set<[UInt8]> = []
        var below: [[UInt8]] = []
        var large: (entry: Entry, slices: [Slice])?
        while let batch = try reader.nextBatch() {
            guard let records = batch.records else { continue }
            var items = RecordReader(records)
            while let item = try items.next() {
                switch try Record(kind: item.kind, payload: item.payload) {
                case .enter(let entry): below.append(entry.name)
                case .leave: _ = below.popLast()
                case .entry(let entry):
                    if entry.kind == .hardLink { linked.insert(entry.target) }
                    large = nil
                    if entry.kind == .file, entry.contentFollows {
                        large = (entry, [])
                    } else if let print = try Self.print(entry, entry.slices, in: below.dropFirst()) {
                        prints.insert(print)
                    }
                case .content(let slices):
                    large?.slices += slices
                    if large?.slices.count ?? 0 > Self.sliceLimit { large = nil }
                case .restart: large = nil
                case .finish(let remarks, let size):
                    if let file = large, remarks.isEmpty, size == file.entry.size,
                        let print = try Self.print(file.entry, file.slices, in: below.dropFirst()),
                        let head = try Self.print(file.entry, [], in: below.dropFirst())
                    {
                        prints.insert(print)
                        heads.insert(head)
                    }
                    large = nil
                default: break
                }
            }
        }
        self.prints = prints
        self.heads = heads
        self.linked = linked
    }

    /// nil where the record alone does not say what the content is, or where it was a mixture of states.
    private static func print(_ entry: Entry, _ slices: [Slice], in folders: some Sequence<[UInt8]>) throws -> Print? {
        guard entry.kind == .file, entry.remarks.isEmpty else { return nil }
        var bytes: [UInt8] = []
        for name in folders { bytes.append(field: 0, name) }
        bytes += entry.encoded()
        for slice in slices {
            bytes.append(varint: slice.length)
            bytes.append(varint: slice.offset)
            if let chunk = slice.chunk { bytes += chunk.bytes }
        }
        let digest = try bytes.withUnsafeBytes { try SHA256.digest(of: $0) }.bytes
        return digest.withUnsafeBytes {
            Print(
                high: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                low: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }

    /// Whether it may turn out to be known once its content has been seen.
    func mayContain(large entry: Entry, in folders: [[UInt8]]) -> Bool {
        // What has no print is not known, and is looked at.
        guard entry.contentFollows, let head = try? Self.print(entry, [], in: folders) else { return false }
        return heads.contains(head)
    }

    func contains(_ entry: Entry, _ slices: [Slice], in folders: [[UInt8]]) -> Bool {
        // As above.
        guard let print = try? Self.print(entry, slices, in: folders), prints.contains(print) else { return false }
        return linked.isEmpty
            || !linked.contains(Array((folders + [entry.name]).joined(separator: [UInt8(ascii: "/")])))
    }
}

extension Store {
    /// The entries of an image that was made of the target just now.
    public func knownEntries(of name: String) throws -> KnownEntries {
        do {
            return try KnownEntries(StoreImageReader(store: self, root: image(find(name))))
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
