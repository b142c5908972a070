// A volume of a disk as a file of an image.

internal import Glibc
internal import Images
internal import Platform

/// A single range.
struct OnePart: UsedParts {
    var range: Range<UInt64>?

    mutating func next() -> Range<UInt64>? { range.take() }
}

/// A stretch of a disk as a volume of its own.
struct PartOfDisk: DiskBytes {
    private let disk: OpenDisk
    private let start: UInt64
    let size: UInt64
    var sectorSize: Int { disk.sectorSize }
    var subject: String { disk.subject }

    /// - Parameter range: within the disk.
    init(_ disk: OpenDisk, _ range: Range<UInt64>) {
        self.disk = disk
        start = range.lowerBound
        size = range.upperBound - range.lowerBound
    }

    func read(_ range: Range<UInt64>) throws(SystemError) -> [UInt8] {
        // safe: within the disk
        try disk.read(start + range.lowerBound..<start + range.upperBound)
    }
}

/// One volume as an image takes it.
final class VolumeStream: DiskStream {
    let name: String
    let size: UInt64
    let holesAreZeros: Bool
    private let file: Descriptor
    private let start: UInt64
    private let map: UsedMap?
    private let subject: String

    init(
        name: String, _ file: Descriptor, _ range: Range<UInt64>, way: DiskDescription.Way, map: UsedMap? = nil,
        subject: String
    ) {
        self.name = name
        self.file = file
        self.map = map
        self.subject = subject
        start = range.lowerBound
        size = range.upperBound - range.lowerBound
        holesAreZeros = way == .raw
    }

    func usedParts() throws -> any UsedParts { try map?.parts() ?? OnePart(range: size > 0 ? 0..<size : nil) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) {
        let place = Int64(clamping: start.adding(saturating: offset))
        guard try file.read(into: buffer, at: place) == buffer.count else {
            throw SystemError(EIO, "read", subject, detail: "it ends too early")
        }
    }

    func files(in parts: [Range<UInt64>], checkStop: () throws -> Void) throws -> [BytePath]? {
        guard let map, !map.places.isEmpty else { return nil }
        var found: [BytePath] = []
        for place in map.places {
            let inside = place.parts(of: parts)
            if inside.isEmpty { continue }
            do { found += try place.mount().files(in: inside, step: place.step, checkStop: checkStop) } catch let error
                where error is SystemError || error is DiskFormatError || error is VolumeMount.Refusal
            {
                // It is damaged, or this kernel does not know it: the ranges are named without.
                return nil
            }
        }
        return found
    }
}
