// Where the bytes of a single-file image go: standard output, or a file, or several parts of one.
//
// No part has its name before all of them are whole, and none takes the name of anything that is there: what has it stays, and the backup is
// refused. A crash leaves nothing where the file system can hold files without a name, and else files under random names, which the next
// run clears where it can tell them. The first part gets its name last: until then there is no image.

internal import Glibc
public import Platform
internal import Reporting

/// Where a single-file image goes.
public struct SingleFileOutput: Sendable {
    private(set) var path: BytePath?
    fileprivate var partLength: UInt64?

    /// A file that must not exist; cut into `NAME`, `NAME.2` … at `partLength`, or below 4 GiB where the medium demands it.
    public static func file(_ path: BytePath, partLength: UInt64?) -> SingleFileOutput {
        SingleFileOutput(path: path, partLength: partLength)
    }

    /// The folder that it will be in, or what standard output leads to, open; nil where that is no file.
    public var openPlace: Descriptor? {
        get throws {
            if let path { return try Descriptor.open(path.parent, .directory) }
            let output = try Descriptor(duplicating: 1)
            return try output.status().kind == .file ? output : nil
        }
    }

    public static var standardOutput: SingleFileOutput { SingleFileOutput(path: nil, partLength: nil) }
}

/// Writes the bytes of a single-file image.
final class SingleFileSink {
    /// A file of the image: how it is written, and the name that it gets.
    private struct Part {
        var file: PartialFile
        var name: [UInt8]
    }

    private enum Place {
        case standardOutput(Descriptor)
        case folder(Descriptor, path: BytePath)
    }

    private let place: Place
    private let names = PartialNames()
    private var parts: [Part] = []
    private var written: UInt64 = 0
    private var limit = UInt64.max
    private let subject: String

    init(_ output: SingleFileOutput) throws {
        subject = output.path?.description ?? "standard output"
        do {
            guard let path = output.path else {
                place = .standardOutput(try Descriptor(duplicating: 1))
                return
            }
            let folder = try Descriptor.open(path.parent, .directory)
            place = .folder(folder, path: path)
            try Self.expectFree(path, in: folder)
            // What is not its own is left alone; leftovers cost room, and no more.
            try? names.clear(folder)
            let first = try addPart()
            limit = output.partLength ?? (first.hasFATLimits ? UInt64(UInt32.max) : .max)
        } catch let error as SystemError { throw ImageError(error, on: subject) }
    }

    /// Refuses a name that something has, and one beside which something would be read as a part of the image.
    private static func expectFree(_ path: BytePath, in folder: Descriptor) throws {
        let name = path.lastComponent
        guard !name.isEmpty, path.bytes.last != UInt8(ascii: "/") else {
            throw ImageError.library("\(path) is a folder; give the name of a file that does not exist yet")
        }
        do throws(SystemError) {
            _ = try folder.status(of: name)
            throw SystemError(EEXIST, "make", path.description)
        } catch {
            if error.isPresent { throw ImageError.library("\(path) exists already; an image never replaces a file") }
            if !error.isAbsent { throw error }
        }
        let start = name + [UInt8(ascii: ".")]
        let listed = try DirectoryListing(of: folder)
        for other in listed where other.starts(with: start) && other.count > start.count {
            let number = other.dropFirst(start.count)
            guard number.allSatisfy({ (0x30...0x39).contains($0) }), number.first != 0x30, number != [0x31] else {
                continue
            }
            throw ImageError.library(
                "\(BytePath(path.bytes + other[name.count...])) exists already, and would be read as a part of this image; move it away, or give another name"
            )
        }
    }

    private func name(of part: Int) -> [UInt8] {
        guard case .folder(_, let path) = place else { return [] }
        return path.lastComponent + (part == 1 ? [] : Array(".\(part)".utf8))
    }

    private func addPart() throws -> Descriptor {
        guard case .folder(let folder, _) = place else { throw FormatError("standard output has no parts") }
        let file: PartialFile
        do { file = try PartialFile(in: folder, names) } catch let error as SystemError where error.code == EMFILE {
            throw ImageError.library(
                "\(subject) has \(parts.count) parts already, and the system lets no more files be open: give a larger --part-size"
            )
        }
        let part = Part(file: file, name: name(of: parts.count + 1))
        parts.append(part)
        written = 0
        return part.file.file
    }

    private var file: Descriptor? {
        if case .standardOutput(let descriptor) = place { return descriptor }
        return parts.last?.file.file
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        do {
            var rest = bytes
            while !rest.isEmpty {
                if written == limit {
                    try file?.synchronize()
                    _ = try addPart()
                }
                // safe: at most what is left of the buffer
                let count = Int(min(UInt64(rest.count), limit - written))
                try file?.write(UnsafeRawBufferPointer(rebasing: rest[..<count]))
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                written.add(saturating: UInt64(count))  // safe: as above
            }
        } catch let error as SystemError {
            throw failure(error)
        }
    }

    private func failure(_ error: SystemError) -> ImageError {
        if case .folder(let folder, let path) = place,
            let full = FullFileSystem(error, holding: folder, place: path.parent)
        {
            return .full(subject: full.name)
        }
        // A part has no name that tells anybody anything.
        return ImageError(SystemError(error.code, error.operation, "the file"), on: subject)
    }

    func append(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try append($0) } }

    /// Makes all of it durable, and then gives it its names, the first part's last.
    func commit() throws {
        guard case .folder(let folder, let path) = place else { return }
        do {
            try file?.synchronize()
            var given: [Part] = []
            do {
                for part in parts.reversed() {
                    // Where there is a first part, the others are there.
                    if given.count == parts.count - 1, !given.isEmpty { try synchronize(folder) }
                    try part.file.giveFreeName(part.name)
                    given.append(part)
                }
                try synchronize(folder)
            } catch {
                // Others than these are not this image's.
                for part in given { part.file.takeBack(part.name) }
                throw error
            }
        } catch let error as SystemError {
            if error.isPresent {
                throw ImageError.library(
                    "\(path) or a part of it was made by somebody else meanwhile; an image never replaces a file")
            }
            throw failure(error)
        }
    }

    /// A file system that cannot sync folders says so, and knows no better.
    private func synchronize(_ folder: Descriptor) throws(SystemError) {
        do throws(SystemError) { try folder.synchronize() } catch { if error.code != EINVAL { throw error } }
    }

    /// The files that have been begun.
    var files: Set<FileIdentity> { Set(parts.compactMap { $0.file.identity }) }

    func abandon() { for part in parts { part.file.discard() } }
}
