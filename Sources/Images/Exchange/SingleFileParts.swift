// Whether a single file, or all the parts of one, is there as long as it was made: its root, at its end, says how long that is.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

/// The parts of a single file that are there, one after the other.
struct SingleFileParts {
    private let first: BytePath
    private let parts: [(path: BytePath, file: Descriptor, length: UInt64)]
    /// A part that is not there, though one behind it is.
    private let gap: BytePath?
    private var length: UInt64 { parts.reduce(0) { $0.adding(saturating: $1.length) } }

    /// nil: it is a pipe, or no file whose end anybody could look at.
    init?(_ path: BytePath) throws {
        if path.bytes == Array("-".utf8) { return nil }
        first = path
        var found: [(path: BytePath, file: Descriptor, length: UInt64)] = []
        var missing: BytePath?
        var number: Int? = 1
        while let one = number {
            let place = one == 1 ? path : PartedInput.part(one, of: path)
            let next = one + 1  // safe: files in a folder are fewer
            guard let part = try PartedInput.open(place) else {
                if one == 1, exists(path) { return nil }
                number = try PartedInput.nextPart(above: one, of: path)
                if number != nil, missing == nil { missing = place }
                continue
            }
            found.append((place, part, try part.status().size))
            number = next
        }
        parts = found
        gap = missing
    }

    // MARK: The end

    /// What is missing of it, each in a sentence, and what its content comes to with all holes.
    /// - Parameter opening: what the file begins with.
    /// - Throws: `ImageError` where its end is missing.
    func look(_ opening: SingleFileOpening) throws -> (lacking: [String], contentBytes: UInt64) {
        guard let (root, rootLength, end) = try root(opening) else {
            if let gap { throw ImageError.partMissing(subject: first.description, part: gap.description) }
            // Only a part with another one behind it is as long as the first.
            if parts.count > 1, parts[0].length == parts[parts.count - 1].length {
                throw ImageError.partMissing(
                    subject: first.description, part: PartedInput.part(parts.count + 1, of: first).description)
            }
            throw ImageError.truncated(subject: (parts.last?.path ?? first).description)
        }
        return (lacking(root, rootLength, end, opening), root.label.contentBytes)
    }

    private func lacking(
        _ root: ImageRoot, _ rootLength: UInt64, _ end: UInt64, _ opening: SingleFileOpening
    ) -> [String] {
        // Keys and root are there twice; between them are the batches.
        let made = opening.head.length.multiplied(saturating: 2)
            .adding(saturating: root.label.storedBytes).adding(saturating: rootLength.multiplied(saturating: 2))
        if end >= made { return [] }
        if let gap { return ["\(gap) is missing"] }
        if let short = parts.dropLast().first(where: { $0.length < parts[0].length }) {
            return ["\(short.path) has \(short.length) of \(parts[0].length) bytes"]
        }
        return ["\(first) has \(end) of \(made) bytes"]
    }

    /// The root that this image ends with, how long it is, and where it ends; nil: there is none.
    private func root(_ opening: SingleFileOpening) throws -> (root: ImageRoot, length: UInt64, end: UInt64)? {
        // What stands in a later file of such a name may be of another image.
        for count in (1...max(1, parts.count)).reversed() {
            let end = parts.prefix(count).reduce(UInt64(0)) { $0.adding(saturating: $1.length) }
            for searched in [UInt64(4 << 20), UInt64(Format.maximumSingleFileObjectLength)] {
                let start = end - min(end, searched)
                if let found = Self.root(in: try read(start..<end), opening) { return (found.root, found.length, end) }
                if start == 0 { break }
            }
        }
        return nil
    }

    private static func root(
        in bytes: [UInt8], _ opening: SingleFileOpening
    ) -> (root: ImageRoot, length: UInt64)? {
        var place = 0
        while let found = nextMagic(in: bytes, from: place) {
            place = found + 1
            guard
                // What is no header, or one of another format, is no root.
                let header = try? ObjectHeader(
                    decoding: Array(bytes[found..<found + Format.headerLength]), subject: ""),
                header.type == .image, opening.isOwn(header),
                let length = Int(exactly: header.length), length >= Format.headerLength + Format.endLength,
                length <= bytes.count
            else { continue }
            // It stands at both ends of its object.
            for start in [found, found + Format.endLength - length] where start >= 0 && start + length <= bytes.count {
                guard
                    // What does not open is none that anybody vouches for.
                    let reader = try? ObjectReader(
                        [MemorySource(Array(bytes[start..<start + length]))], subject: "", keyring: opening.keyring),
                    let root = try? ImageRoot(reader)  // As above.
                else { continue }
                return (root, header.length)
            }
        }
        return nil
    }

    private static func nextMagic(in bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBytes { bytes in
            Format.headerMagic.withUnsafeBytes { magic in
                bytes.firstIndex(of: magic, from: start, to: bytes.count - Format.headerLength)
            }
        }
    }

    /// A stretch of all parts together; what the medium does not give is zeros.
    private func read(_ range: Range<UInt64>) throws -> [UInt8] {
        var result = [UInt8](repeating: 0, count: Int(range.upperBound - range.lowerBound))  // safe: at most 64 MiB
        var start: UInt64 = 0
        for part in parts {
            let own = (start..<start.adding(saturating: part.length)).clamped(to: range)
            if !own.isEmpty {
                try result.withUnsafeMutableBytes { buffer in
                    // safe: within the range
                    let piece = UnsafeMutableRawBufferPointer(
                        rebasing: buffer[
                            Int(own.lowerBound - range.lowerBound)..<Int(own.upperBound - range.lowerBound)])
                    try Self.read(part.file, Int64(clamping: own.lowerBound - start), into: piece)
                }
            }
            start.add(saturating: part.length)
        }
        return result
    }

    private static func read(
        _ file: Descriptor, _ offset: Int64, into buffer: UnsafeMutableRawBufferPointer
    ) throws {
        let step = 64 << 10
        for start in stride(from: 0, to: buffer.count, by: step) {
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<min(start + step, buffer.count)])
            do throws(SystemError) { _ = try file.read(into: piece, at: offset + Int64(start)) } catch {
                // Another copy of the root may lie beside a bad place.
                guard error.isBadPlace else { throw error }
            }
        }
    }
}

extension SingleFileImageReader {
    func lookAhead(_ progress: Progress) throws -> ImageForecast {
        var forecast = ImageForecast()
        forecast.subject = restoredSubject
        guard let parts = try SingleFileParts(path) else { return forecast }
        forecast.isKnown = true
        (forecast.lacking, forecast.contentBytes) = try parts.look(opening)
        return forecast
    }
}
