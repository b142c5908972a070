// The bytes of a single file: of a pipe, of a file, or of its parts one after the other.

internal import Cryptography
internal import Glibc
internal import Platform

/// Knows nothing of objects but how to tell whose part it is.
final class PartedInput {
    private var file: Descriptor
    private let path: BytePath?
    private var part = 1
    /// A part that is there and is not of this image.
    private(set) var foreignPart: BytePath?

    init(_ path: BytePath) throws {
        do throws(SystemError) {
            if path.bytes == Array("-".utf8) {
                self.path = nil
                file = try Descriptor(duplicating: 0)
            } else {
                self.path = path
                file = try Descriptor.open(path)
            }
        } catch { throw ImageError(error) }
    }

    /// Adds what comes next, fewer bytes at the end of a part.
    func read(_ count: Int, into bytes: inout [UInt8]) throws {
        var missing = count
        while missing > 0 {
            let start = bytes.count
            bytes += [UInt8](repeating: 0, count: min(missing, 1 << 20))
            let want = bytes.count - start
            let got: Int
            do throws(SystemError) {
                got = try bytes.withUnsafeMutableBytes { buffer in
                    Result { () throws(SystemError) in
                        try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
                    }
                }.get()
            } catch {
                let subject = path?.description ?? "standard input"
                throw isGone(error) ? ImageError.gone(subject: subject) : ImageError(error, on: subject)
            }
            bytes.removeLast(want - got)
            missing -= got
            if got < want { return }
        }
    }

    /// Whether the medium does not answer any more, or only this place of it is bad: then its beginning can still be read.
    private func isGone(_ error: SystemError) -> Bool {
        if error.isUnreachable { return true }
        guard error.code == EIO, let path else { return false }
        do throws(SystemError) {
            var first: [UInt8] = [0]
            let again = try Descriptor.open(path)
            again.forgetCached()
            return try again.read(intoArray: &first) == 0
        } catch { return true }
    }

    /// Goes on to the next part, where there is one of this image.
    /// - Parameter run: which image it is; nil where nobody knows yet.
    /// - Parameter isBetweenObjects: whether the part that ended ended with an object.
    func goOn(run: ObjectHeader?, isBetweenObjects: Bool) throws -> Bool {
        guard let path, foreignPart == nil else { return false }
        let next = BytePath(path.bytes + Array(".\(part + 1)".utf8))
        do throws(SystemError) {
            let found = try Descriptor.open(next)
            if let run, try !Self.isPart(found, of: run, isBetweenObjects: isBetweenObjects) {
                foreignPart = next
                return false
            }
            file = found
        } catch {
            if error.isAbsent { return false }
            throw ImageError(error, on: next.description)
        }
        part += 1
        return true
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
            let count = try window.withUnsafeMutableBytes { buffer in
                Result { () throws(SystemError) in try file.read(into: buffer, at: offset) }
            }.get()
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
