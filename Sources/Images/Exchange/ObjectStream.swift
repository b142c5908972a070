// Finds the objects in the bytes of a single file, from front to end, through damage and to an early end.

internal import Glibc
internal import Platform
internal import Reporting

/// The objects in a stream of bytes. Holds one at a time.
final class ObjectStream {
    private let input: PartedInput
    /// Of the first object: all parts are of its run.
    private var first: ObjectHeader?
    private var buffer: [UInt8] = []
    /// What of the buffer was taken.
    private var start = 0
    private(set) var position: UInt64 = 0
    /// Where stretches of bytes begin that belong to no object that could be recognised.
    private(set) var gaps: [UInt64] = []
    /// Whether its first bytes are those of an image, whatever has become of the rest.
    private(set) var beginsAsImage = false
    let subject: String

    init(_ path: BytePath, _ stop: Stop) throws {
        subject = path.bytes == Array("-".utf8) ? "standard input" : path.description
        input = try PartedInput(path, stop)
    }

    /// A file that has the name of a part and is none.
    var foreignPart: BytePath? { input.foreignPart }

    /// Bytes that the medium does not give; zeros stand for them.
    var unreadable: [Range<UInt64>] { input.unreadable }

    private var available: Int { buffer.count - start }

    private func fill(_ count: Int) throws {
        while available < count {
            try input.read(count - available, into: &buffer)
            if available < count, try !input.goOn(run: first, isBetweenObjects: available == 0) { return }
        }
    }

    private func skip(_ count: Int) {
        start += count
        position.add(saturating: UInt64(count))
        // Not at each step: what is left is moved to the front.
        if start == buffer.count || start > Format.maximumSingleFileObjectLength {
            buffer.removeSubrange(..<start)
            start = 0
        }
    }

    private func take(_ count: Int) -> [UInt8] {
        let bytes = Array(buffer[start..<start + count])
        skip(count)
        return bytes
    }

    /// The bytes of the next object; nil at the end.
    func next() throws -> [UInt8]? {
        while true {
            try fill(Format.headerLength)
            if position == 0 { beginsAsImage = buffer.starts(with: Format.headerMagic) }
            if available == 0 { return nil }
            if let header = try header(at: 0), header.length <= UInt64(Format.maximumSingleFileObjectLength),
                header.length >= UInt64(Format.headerLength)
            {
                if first == nil { first = header }
                let length = Int(header.length)  // safe: compared
                try fill(length)
                return take(min(available, length))
            }
            if let object = try resynchronize() { return object }
        }
    }

    private func header(at offset: Int) throws -> ObjectHeader? {
        guard available >= offset + Format.headerLength else { return nil }
        let place = start + offset
        do {
            return try ObjectHeader(decoding: Array(buffer[place..<place + Format.headerLength]), subject: subject)
        } catch is FormatError { return nil }
    }

    /// Where the magic of a header is next; nil where there is none with a whole header behind it.
    private func nextMagic(from offset: Int) -> Int? {
        buffer.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            return Format.headerMagic.withUnsafeBytes { magic in
                rest.firstIndex(of: magic, from: offset, to: rest.count - Format.headerLength)
            }
        }
    }

    /// The header here is damaged: looks for the next one, which is either this object's own at its end or the next object's.
    /// Returns the object if its start is here too; otherwise the next object is at the front of the buffer, or nothing is.
    private func resynchronize() throws -> [UInt8]? {
        gaps.append(position)
        var searched = 1
        while true {
            while let found = nextMagic(from: searched) {
                if let header = try header(at: found) { return try object(endingWith: header, at: found) }
                searched = found + 1
            }
            searched = max(searched, available - Format.headerLength + 1)
            // What has been searched is let go before there is too much of it.
            if available > Format.maximumSingleFileObjectLength {
                skip(searched)
                searched = 0
            }
            let before = available
            try fill(before + (1 << 20))
            if available == before {
                skip(before)
                return nil
            }
        }
    }

    /// The object that ends with this header, if its start is here too; else what is before the next object is passed over.
    private func object(endingWith header: ObjectHeader, at place: Int) throws -> [UInt8]? {
        let end = place + Format.endLength
        try fill(end)
        guard available >= end,
            // What is no trailer is none, and an object begins here.
            let trailer = try? ObjectTrailer(
                decoding: Array(buffer[start + place + Format.headerLength..<start + end])),
            trailer.length == header.length
        else {
            skip(place)
            return nil
        }
        guard header.length <= UInt64(end) else {
            skip(end)
            return nil
        }
        // It is whole but for its first header.
        let length = Int(header.length)  // safe: compared
        if end > length { skip(end - length) }
        return take(length)
    }
}

extension UnsafeRawBufferPointer {
    /// Where `pattern` begins next, from one place to another, both of which count.
    func firstIndex(of pattern: UnsafeRawBufferPointer, from first: Int, to last: Int) -> Int? {
        guard let base = baseAddress, let other = pattern.baseAddress else { return nil }
        var index = first
        while index <= last {
            guard let found = memchr(base + index, CInt(pattern[0]), last - index + 1) else { return nil }
            let place = UnsafeRawPointer(found) - base
            if memcmp(found, other, pattern.count) == 0 { return place }
            index = place + 1
        }
        return nil
    }
}
