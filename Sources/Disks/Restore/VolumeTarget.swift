// Where one volume of a disk is written: nothing goes beyond it, whatever an image says.

internal import Cryptography
internal import Glibc
internal import Images
internal import Platform
internal import Reporting

final class VolumeTarget: DiskStreamTarget, @unchecked Sendable {
    /// Bytes whose digest is kept until they were read back.
    static let blockLength = 256 << 10
    /// Blocks whose digests are allocated at once.
    private static let pageLength = 512

    let volume: DiskDescription.Volume
    private let target: TargetDisk
    private let comparesFirst: Bool
    private let notesBlocks: Bool
    /// What others are written to afterwards: bytes of the volume.
    private let foreign: [Range<UInt64>]
    private let findings: Findings
    private let key: Secret

    private let monitor = Monitor()
    private var written: UInt64 = 0
    private var unchanged: UInt64 = 0
    private var hasLost = false
    /// By block: what has to be read back, 8 bytes of its digest; 0: nothing.
    private var pages: [Int: [UInt64]] = [:]
    /// What is no whole block.
    private var odd: [(range: Range<UInt64>, digest: UInt64)] = []
    /// Of a disk without a table: what belongs where the note is now.
    private var firstSector: [UInt8]?

    init(
        _ volume: DiskDescription.Volume, without foreign: [Range<UInt64>], on target: TargetDisk,
        comparesFirst: Bool, noteBlocks: Bool, findings: Findings
    ) throws {
        self.volume = volume
        self.foreign = foreign
        self.target = target
        self.comparesFirst = comparesFirst
        notesBlocks = noteBlocks
        self.findings = findings
        key = try Secret.random(count: 32)
    }

    // MARK: What comes, from several threads

    func write(_ content: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        var (content, offset) = (content, offset)
        guard !content.isEmpty, offset <= volume.size, UInt64(content.count) <= volume.size - offset else { return }
        if volume.start == 0, offset == 0 {
            let count = min(target.sectorSize, content.count)
            monitor.withLock { firstSector = Array(content[..<count]) }
            content = UnsafeRawBufferPointer(rebasing: content[count...])
            offset = UInt64(count)
            if content.isEmpty { return }
        }
        let place = volume.start + offset  // safe: within the volume, as compared
        let isThere = comparesFirst ? try holds(content, at: place) : false
        if !isThere { try target.write(content, at: place) }
        if notesBlocks { try note(content, at: offset) }
        monitor.withLock {
            if isThere {
                unchanged.add(saturating: UInt64(content.count))
            } else {
                written.add(saturating: UInt64(content.count))
            }
        }
    }

    private func holds(_ content: UnsafeRawBufferPointer, at place: UInt64) throws(SystemError) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 4096)
        defer { buffer.deallocate() }
        do throws(SystemError) { try target.read(into: buffer, at: place) } catch {
            // A place that cannot be read may still be written.
            if error.isBadPlace { return false }
            throw error
        }
        guard let mine = buffer.baseAddress, let its = content.baseAddress else { return true }
        return memcmp(mine, its, content.count) == 0
    }

    func hole(_ range: Range<UInt64>) throws(SystemError) {
        for part in clearedParts(of: range) { try clear(part) }
    }

    /// What of a hole has to be zeros.
    private func clearedParts(of range: Range<UInt64>) -> [Range<UInt64>] {
        let range = range.clamped(to: 0..<volume.size)
        if volume.way == .raw { return [range] }
        return Self.clearedParts(ofVolume: volume.size).map { range.clamped(to: $0) }.filter { !$0.isEmpty }
    }

    /// Where file systems and arrays have what makes them ones: what was there before must not be taken for one.
    static func clearedParts(ofVolume size: UInt64) -> [Range<UInt64>] {
        let ends = DiskRestoration.clearedEnds
        return [0..<min(ends, size), size - min(ends, size)..<size]
            + DiskRestoration.clearedPlaces.filter { $0 < size }.map { $0..<min($0 + 4096, size) }
    }

    private func clear(_ range: Range<UInt64>) throws(SystemError) {
        // Sector 0 has the note.
        let isFirst = volume.start == 0 && range.lowerBound == 0
        let start = isFirst ? min(UInt64(target.sectorSize), range.upperBound) : range.lowerBound
        try target.clear(volume.start + start..<volume.start + range.upperBound)  // safe: within the volume
    }

    func lose(_ range: Range<UInt64>, reason: String) throws(SystemError) {
        findings.add(
            Finding(
                .notRestored, target.path.appending(volume.stream),
                "bytes \(range.lowerBound) to \(range.upperBound - 1) are zeros now: \(reason)"))
        monitor.withLock { hasLost = true }
        let range = range.clamped(to: 0..<volume.size)
        if !range.isEmpty { try clear(range) }
    }

    // MARK: What was written is what is there

    private func digest(_ content: UnsafeRawBufferPointer) throws(SystemError) -> UInt64 {
        do throws(CryptographyError) {
            var hash = try KeyedHash(key: key)
            let digest = try hash.digest(of: content)
            // 0 stands for nothing.
            return max(1, digest.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
        } catch { throw SystemError(ENOTSUP, "compute", "a hash", detail: "\(error)") }
    }

    private func note(_ content: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        let length = UInt64(Self.blockLength)
        var done = 0
        while done < content.count {
            let start = offset + UInt64(done)  // safe: within the volume
            let count = min(Int(length - start % length), content.count - done)  // safe: at most a block
            // Safe: within the volume.
            if foreign.contains(where: { $0.overlaps(start..<start + UInt64(count)) }) {
                done += count
                continue
            }
            let value = try digest(UnsafeRawBufferPointer(rebasing: content[done..<done + count]))
            done += count
            guard count == Self.blockLength else {
                monitor.withLock { odd.append((start..<start + UInt64(count), value)) }  // safe: as above
                continue
            }
            // safe: below 2^63
            let (page, index) = Int(start / length).quotientAndRemainder(dividingBy: Self.pageLength)
            monitor.withLock {
                pages[page, default: [UInt64](repeating: 0, count: Self.pageLength)][index] = value
            }
        }
    }

    /// Reads back what was written, in its order; how much that was.
    /// - Throws: `DiskError.different`.
    func readBack(_ progress: Progress) throws -> UInt64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.blockLength, alignment: 4096)
        defer { buffer.deallocate() }
        var (read, different, first) = (UInt64(0), 0, UInt64(0))
        func compare(_ range: Range<UInt64>, _ value: UInt64) throws {
            try progress.checkStop()
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count])
            let place = volume.start + range.lowerBound  // safe: within the volume
            var isSame = false
            do throws(SystemError) {
                try target.read(into: part, at: place)
                isSame = try digest(UnsafeRawBufferPointer(part)) == value
            } catch {
                guard error.isBadPlace else { throw error }
            }
            if !isSame {
                if different == 0 { first = place }
                different += 1
            }
            read.add(saturating: UInt64(range.count))
            progress.add(bytes: UInt64(range.count))
        }
        for (page, values) in pages.sorted(by: { $0.key < $1.key }) {
            for (index, value) in values.enumerated() where value != 0 {
                // safe: they were noted so
                let start = UInt64(page * Self.pageLength + index) * UInt64(Self.blockLength)
                try compare(start..<start + UInt64(Self.blockLength), value)
            }
        }
        for (range, value) in odd { try compare(range, value) }
        if different > 0 { throw DiskError.different(target.path, blocks: different, first: first) }
        return read
    }

    var bytesToCompare: UInt64 { notesBlocks ? written.adding(saturating: unchanged) : 0 }

    func writeFirstSector() throws(SystemError) {
        guard volume.start == 0 else { return }
        // What never came is zeros.
        try target.write(firstSector ?? [UInt8](repeating: 0, count: target.sectorSize), at: 0)
    }

    func add(to report: inout DiskRestoration.Report) {
        report.unchanged.add(saturating: unchanged)
        if hasLost { report.lost.insert(volume.stream) }
    }
}
