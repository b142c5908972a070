// Volumes as readers meet them: opened with at most two reads, from the copy that is whole.

internal import Cryptography
internal import Platform
internal import Stores

/// A source whose end was read at once: header, trailer, signature and mostly the directory come with one read.
final class TailSource: ByteSource {
    private let source: any ByteSource
    private let tail: [UInt8]
    private let start: UInt64
    let length: UInt64

    static let tailLength: UInt64 = 256 << 10

    /// - Parameter length: as a root says it. Whatever stands behind it is not looked at, however much it is.
    init(_ source: any ByteSource, length: UInt64) throws(StoreError) {
        self.source = source
        self.length = min(source.length, length)
        let count = min(self.length, Self.tailLength)
        start = self.length - count
        tail = try source.read(at: start, count: Int(count))  // safe: at most 256 KiB
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        guard offset >= start, offset <= length, UInt64(buffer.count) <= length - offset else {
            return try source.read(at: offset, into: buffer)
        }
        let first = Int(offset - start)  // safe: within the tail
        tail.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[first..<first + buffer.count]))
        }
    }
}

extension Store {
    /// Opens a volume that a root of this group names.
    ///
    /// The first copy, where it is whole and has no second by its kind; else what both have together.
    func volumeReader(_ reference: VolumeReference, group: Identifier) throws -> ObjectReader {
        let name = reference.name(.volume, group: group)
        var failure: StoreError?
        func copy(_ text: String) -> (any ByteSource)? {
            do throws(StoreError) {
                return try objects.openIfPresent(text, length: reference.length).map { source throws(StoreError) in
                    try TailSource(source, length: reference.length)
                }
            } catch {
                failure = error
                return nil
            }
        }
        let first = copy(name.text)
        if let first, first.length == reference.length, (try? first.isWhole()) == true,  // Its tail is at hand.
            // Where its head is damaged both copies are tried.
            let reader = try? ObjectReader([first], subject: describe(name), keyring: keyring, name: name),
            reader.header.type == .dataVolume
        {
            return reader
        }
        let copies = [first, copy(name.second)].compactMap { $0 }
        if copies.isEmpty {
            throw failure.map { ImageError($0) } ?? ImageError.damaged(subject: describe(name), detail: "it is missing")
        }
        return try ObjectReader(copies, subject: describe(name), keyring: keyring, name: name)
    }

    /// Reads the directory of a volume that a root names, and checks it against the root.
    func directory(of volume: VolumeReference, group: Identifier) throws -> [DirectoryRow] {
        let reader = try volumeReader(volume, group: group)
        let (rows, proof) = try reader.provenDirectory()
        guard proof.digest == volume.digest, proof.length == volume.length else {
            throw ImageError.damaged(subject: reader.subject, detail: "it is not the volume that the image names")
        }
        return rows
    }
}
