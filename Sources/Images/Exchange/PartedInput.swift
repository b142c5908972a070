// The bytes of a single file: of a pipe, of a file, or of its parts one after the other.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

/// Knows nothing of objects but how to tell whose part it is.
final class PartedInput {
    private var file: Descriptor
    private let path: BytePath?
    private let stop: Stop
    private var part = 1
    /// The part that is read; nil for a pipe.
    private var current: BytePath?
    private var subject: String { current?.description ?? "standard input" }
    /// Where the next byte is: in its part, and in all of them.
    private var offset: Int64 = 0
    private var position: UInt64 = 0
    private var damage = UnreadableRanges()
    /// A part that is there and is not of this image.
    private(set) var foreignPart: BytePath?
    /// Bytes that the medium does not give; zeros stand for them.
    var unreadable: [Range<UInt64>] { damage.ranges }

    init(_ path: BytePath, _ stop: Stop) throws {
        self.stop = stop
        do throws(SystemError) {
            if path.bytes == Array("-".utf8) {
                self.path = nil
                file = try Descriptor(duplicating: 0)
            } else {
                self.path = path
                current = path
                file = try Descriptor.open(path)
            }
        } catch { throw ImageError(error) }
    }

    /// Adds what comes next, fewer bytes at the end of a part.
    func read(_ count: Int, into bytes: inout [UInt8]) throws {
        var missing = count
        while missing > 0 {
            try stop.checkStop()
            let want = min(missing, 1 << 20)
            let got: Int
            do throws(SystemError) {
                got = try append(want, to: &bytes) { buffer throws(SystemError) in try self.file.read(into: buffer) }
            } catch {
                try readInPieces(want, into: &bytes, after: error)
                missing -= want
                continue
            }
            missing -= got
            if got < want { return }
        }
    }

    private func append(
        _ count: Int, to bytes: inout [UInt8],
        _ read: (UnsafeMutableRawBufferPointer) throws(SystemError) -> Int
    ) throws(SystemError) -> Int {
        let start = bytes.count
        bytes += [UInt8](repeating: 0, count: count)
        let result = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(SystemError) in
                try read(UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
            }
        }
        let got = (try? result.get()) ?? 0  // An error is thrown below.
        bytes.removeLast(count - got)
        offset += Int64(got)  // safe: of a buffer
        position.add(saturating: UInt64(got))
        return try result.get()
    }

    // MARK: Places that cannot be read

    /// Reads a stretch of a file block by block, since a place in it is bad: that costs what was there, as any other damage does.
    private func readInPieces(_ count: Int, into bytes: inout [UInt8], after error: SystemError) throws {
        // A pipe, or a device whose end nobody knows: nothing behind the bad place can be looked for.
        guard error.isBadPlace, !isGone(error), let status = try? file.status(), status.kind == .file else {
            throw failure(error)
        }
        let length = Int64(clamping: status.size)
        let end = bytes.count + count
        while bytes.count < end, offset < length {
            let block = Int(UnreadableRanges.block - offset % UnreadableRanges.block)  // safe: within a block
            let place = offset
            do throws(SystemError) {
                let want = min(block, end - bytes.count)
                let got = try append(want, to: &bytes) { buffer throws(SystemError) in
                    try self.file.read(into: buffer, at: place)
                }
                damage.goOn()
                if got < want { break }
            } catch {
                guard error.isBadPlace, !isGone(error), let step = damage.next else { throw failure(error) }
                // safe: all three are at most what is asked for
                let zeros = min(max(block, step), end - bytes.count, Int(clamping: length - offset))
                bytes += [UInt8](repeating: 0, count: zeros)
                damage.add(position, length: zeros)
                offset += Int64(zeros)  // safe: below the file's length
                position.add(saturating: UInt64(zeros))
            }
        }
        do throws(SystemError) { try file.seek(to: offset) } catch { throw failure(error) }
    }

    private func failure(_ error: SystemError) -> ImageError {
        isGone(error) ? .gone(subject: subject) : ImageError(error, on: subject)
    }

    /// Whether the medium does not answer any more, or only this place of it is bad: then its beginning, or its end, can still be read.
    private func isGone(_ error: SystemError) -> Bool {
        if error.isUnreachable { return true }
        guard error.isBadPlace, let current else { return false }
        do throws(SystemError) {
            let again = try Descriptor.open(current)
            again.forgetCached()
            let last = Int64(clamping: try again.status().size) - 1
            return ![0, max(0, last)].contains { place in
                var one: [UInt8] = [0]
                // What cannot be read does not answer.
                return (try? again.seek(to: place)) != nil && (try? again.read(intoArray: &one)) == 1
            }
        } catch { return true }
    }

    /// The first part and the number of a path that is named as a later part is; nil where it is not.
    static func firstPart(of path: BytePath) -> (first: BytePath, number: Int)? {
        guard let dot = path.bytes.lastIndex(of: UInt8(ascii: ".")), dot > 0,
            let number = Int(String(decoding: path.bytes[(dot + 1)...], as: UTF8.self)), number > 1,
            path.bytes[(dot + 1)...].elementsEqual("\(number)".utf8)
        else { return nil }
        return (BytePath(Array(path.bytes[..<dot])), number)
    }

    /// The path of a part.
    static func part(_ number: Int, of path: BytePath) -> BytePath { BytePath(path.bytes + Array(".\(number)".utf8)) }

    /// A part that is there; nil where there is none. What is no file is none, and nothing waits for the other end of a FIFO.
    static func open(_ path: BytePath) throws(SystemError) -> Descriptor? {
        do throws(SystemError) {
            let file = try Descriptor.open(path, .nonBlocking)
            return try file.status().kind == .file ? file : nil
        } catch {
            // A socket, and a FIFO that only the other end may open.
            if error.isAbsent || error.code == ENXIO { return nil }
            throw error
        }
    }

    /// The lowest number of the parts that are there and have a higher one than this.
    static func nextPart(above number: Int, of path: BytePath) throws(SystemError) -> Int? {
        let parent = path.parent.bytes.isEmpty ? BytePath(".") : path.parent
        let start = path.lastComponent + [UInt8(ascii: ".")]
        let names = try DirectoryListing(of: Descriptor.open(parent, .directory))
        var lowest: Int?
        for index in 0..<names.count where names[index].starts(with: start) {
            let digits = String(decoding: names[index].dropFirst(start.count), as: UTF8.self)
            guard let found = Int(digits), "\(found)" == digits, found > number else { continue }
            lowest = min(lowest ?? found, found)
        }
        return lowest
    }

    /// Goes on to the next part, where there is one of this image. One that is missing costs what was in it: those behind it are read.
    /// - Parameter run: which image it is; nil where nobody knows yet.
    /// - Parameter isBetweenObjects: whether the part that ended ended with an object.
    func goOn(run: ObjectHeader?, isBetweenObjects: Bool) throws -> Bool {
        guard let path, foreignPart == nil else { return false }
        var number = part + 1  // safe: files in a folder are fewer
        while true {
            let next = Self.part(number, of: path)
            do throws(SystemError) {
                guard let found = try Self.open(next) else {
                    // Before the first object nobody knows whose parts they are.
                    guard run != nil, let higher = try Self.nextPart(above: number, of: path) else { return false }
                    number = higher
                    continue
                }
                // Behind a missing one anything may begin.
                let begins = isBetweenObjects && number == part + 1  // safe: as above
                if let run, try !Self.isPart(found, of: run, isBetweenObjects: begins) {
                    foreignPart = next
                    return false
                }
                file = found
                (current, offset, part) = (next, 0, number)
                return true
            } catch { throw ImageError(error, on: next.description) }
        }
    }

    /// How far a first header may be from where a part begins: objects of single files are no longer.
    private static let searched: Int64 = 72 << 20

    /// Whether a part is of this image: the first header in it that is whole says so. A part in which there is none can only be the inside
    /// of an object that the parts before began.
    private static func isPart(
        _ file: Descriptor, of run: ObjectHeader, isBetweenObjects: Bool
    ) throws(SystemError) -> Bool {
        var window = [UInt8](repeating: 0, count: 1 << 20)
        var offset: Int64 = 0
        while offset < searched {
            let count: Int
            do throws(SystemError) {
                count = try window.withUnsafeMutableBytes { buffer in
                    Result { () throws(SystemError) in try file.read(into: buffer, at: offset) }
                }.get()
            } catch {
                guard error.isBadPlace else { throw error }
                offset += Int64(window.count)  // safe: our own window
                continue
            }
            var index = 0
            while index + Format.headerLength <= count {
                guard let start = window[index...(count - Format.headerLength)].firstIndex(of: Format.headerMagic[0])
                else { break }
                // What is no header, or one of another format, says nothing.
                if let header = try? ObjectHeader(
                    decoding: Array(window[start..<start + Format.headerLength]), subject: "")
                {
                    return header.store == run.store && header.run == run.run
                }
                index = start + 1
            }
            if count < window.count { break }
            // A header may lie across the end of the window.
            offset += Int64(window.count - Format.headerLength + 1)  // safe: our own window
        }
        return !isBetweenObjects
    }
}

/// The places of a medium that it does not give, and how much is passed over at the next one: reading each of very many bad blocks would
/// take days.
private struct UnreadableRanges {
    static let block: Int64 = 4096
    private static let longestStep = 1 << 20
    private static let maximumFailures = 1000

    private(set) var ranges: [Range<UInt64>] = []
    private var step = 0
    private var failures = 0

    /// What the next bad place costs at least, beyond the rest of its block; nil once there have been too many.
    var next: Int? { failures < Self.maximumFailures ? step : nil }

    mutating func add(_ position: UInt64, length: Int) {
        let end = position.adding(saturating: UInt64(length))  // safe: of a buffer
        if let last = ranges.last, last.upperBound == position {
            ranges[ranges.count - 1] = last.lowerBound..<end
        } else {
            ranges.append(position..<end)
        }
        failures += 1
        step = min(max(2 * step, Int(Self.block)), Self.longestStep)  // safe: both are bounded
    }

    /// Something could be read.
    mutating func goOn() { step = 0 }
}
