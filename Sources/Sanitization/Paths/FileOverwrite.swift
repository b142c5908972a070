// Writing over the blocks of files, and reading them back from the device below the file system.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

final class FileOverwrite {
    private let source: PatternSource
    /// The device below, where there is one.
    private let device: Descriptor?
    /// Why the device below cannot be read.
    private let hindrance: String?
    private let size: UInt64
    private let progress: Progress
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    /// Bytes that were read back from the device.
    private(set) var verified: UInt64 = 0

    init(_ reach: Reach, _ progress: Progress) throws {
        source = try PatternSource(.random, key: Secret(SecureRandom.bytes(KeyStream.keyLength)))
        do throws(SystemError) {
            device = if let below = reach.device { try Descriptor.openUncached(below.path) } else { nil }
            hindrance = nil
        } catch {
            (device, hindrance) = (nil, "it could not be read back: \(error)")
        }
        size = reach.device?.size ?? 0
        self.progress = progress
    }

    deinit { buffer.deallocate() }

    /// Overwrites all blocks of a file, to the end of the last one, durably, and reads them back.
    /// - Returns: why old content may be left; nil where there is nothing to be said against it.
    func overwrite(_ file: Descriptor) throws -> String? {
        guard let extents = try file.extents() else {
            try write(file, FileExtent(start: 0, place: 0, length: try file.status().size))
            try file.synchronize()
            // In memory there is nothing below.
            return device == nil
                ? hindrance : "the file system does not tell where its blocks are, so that they could be read back"
        }
        guard extents.allSatisfy({ $0.place % 512 == 0 && $0.length % 512 == 0 }) else {
            return "its content is packed or compressed"
        }
        for extent in extents { try write(file, extent) }
        try file.synchronize()
        if extents.contains(where: \.isShared) { return "its blocks belong to other files or snapshots, too" }
        if extents.contains(where: \.isElsewhere) { return "its content is packed or compressed" }
        guard try Self.places(file.extents() ?? []) == Self.places(extents) else {
            return "its blocks were put elsewhere"
        }
        return try verify(extents)
    }

    /// What is written depends on the place on the device alone.
    private func write(_ file: Descriptor, _ extent: FileExtent) throws {
        var done: UInt64 = 0
        while done < extent.length {
            try progress.checkStop(mend: WipeError.howToGoOn)
            let count = Int(min(UInt64(buffer.count), extent.length - done))
            let block = UnsafeMutableRawBufferPointer(rebasing: buffer[..<((count + 15) / 16 * 16)])
            try source.fill(block, at: (extent.place + done) / 16 * 16)
            try file.write(UnsafeRawBufferPointer(rebasing: block[..<count]), at: Int64(extent.start + done))
            done += UInt64(count)
            progress.add(bytes: UInt64(count))
        }
    }

    private func verify(_ extents: [FileExtent]) throws -> String? {
        guard let device else { return hindrance }
        let pass = DevicePass(device, size: size, sector: 512, source: source, progress: Progress())
        let ranges = Self.places(extents)
        try pass.verify(ranges)
        verified += ranges.reduce(0) { $0 + $1.length }
        if let range = pass.different.first {
            return "the device does not hold what was written, at \(range.start)"
        }
        return pass.bad.first.map { "the device cannot be read at \($0.start)" }
    }

    private static func places(_ extents: [FileExtent]) -> [DeviceRange] {
        var ranges: [DeviceRange] = []
        for extent in extents { ranges.add(DeviceRange(start: extent.place, length: extent.length)) }
        return ranges
    }
}
