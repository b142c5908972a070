// A store in a folder: a disk, a NAS, a stick. Needs nothing of the file system but files: no links, no locks, no rename.

internal import Glibc
internal import Platform

final class DirectoryStore: ObjectStore {
    let path: BytePath
    var subject: String { path.description }

    init(_ path: BytePath) { self.path = path }

    private func file(_ name: String) -> BytePath { path.appending(name) }

    func list(_ folder: String) throws -> [StoredObject] {
        var result: [StoredObject] = []
        try list(folder, into: &result)
        return result
    }

    private func list(_ folder: String, into result: inout [StoredObject]) throws {
        let directory: Descriptor
        do {
            directory = try Descriptor.open(file(folder), .directory)
        } catch  where error.code == ENOENT {
            return
        } catch {
            throw ImageError(error)
        }
        do throws(SystemError) {
            let names = try DirectoryListing(of: directory)
            for index in 0..<names.count {
                let name = names[index]
                // What people or their file managers leave there is none of ours.
                guard let text = String(validating: name, as: UTF8.self), !text.hasPrefix(".") else { continue }
                guard let status = try? directory.status(of: name) else { continue }
                switch status.kind {
                case .directory:
                    if Result(catching: { try list("\(folder)/\(text)", into: &result) }).isFailure { continue }
                case .file: result.append(StoredObject(name: "\(folder)/\(text)", length: status.size))
                default: continue
                }
            }
        } catch { throw ImageError(error, on: file(folder).description) }
    }

    func open(_ name: String) throws -> (any ByteSource)? {
        do throws(SystemError) {
            let descriptor = try Descriptor.open(file(name))
            let status = try descriptor.status()
            guard status.kind == .file else { return nil }
            return FileSource(descriptor, length: status.size, subject: file(name).description)
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw ImageError(error)
        }
    }

    func create(_ name: String) throws -> any ObjectSink {
        let file = file(name)
        do throws(SystemError) {
            do throws(SystemError) {
                return try FileSink(file)
            } catch {
                guard error.code == ENOENT else { throw error }
                try makeFolders(file.parent)
                return try FileSink(file)
            }
        } catch { throw ImageError(error) }
    }

    func remove(_ name: String) throws {
        do throws(SystemError) {
            try removeFile(file(name))
        } catch {
            if error.code != ENOENT { throw ImageError(error) }
        }
    }
}

extension Result {
    var isFailure: Bool { if case .failure = self { true } else { false } }
}

/// A file that is read at any place.
final class FileSource: ByteSource {
    private let descriptor: Descriptor
    let length: UInt64
    let subject: String

    init(_ descriptor: Descriptor, length: UInt64, subject: String) {
        self.descriptor = descriptor
        self.length = length
        self.subject = subject
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= length, UInt64(buffer.count) <= length - offset else { throw FormatError("it ends too early") }
        let count: Int
        do throws(SystemError) {
            count = try descriptor.read(into: buffer, at: Int64(offset))
        } catch { throw ImageError(error, on: subject) }
        guard count == buffer.count else { throw FormatError("it ends too early") }
    }
}

/// A new file under its final name. Until `commit` nothing refers to it; a crash leaves an incomplete file that the
/// writer's next run removes.
private final class FileSink: ObjectSink, @unchecked Sendable {
    private let path: BytePath
    private let descriptor: Descriptor
    private var position: Int64 = 0
    private var written: Int64 = 0

    init(_ path: BytePath) throws(SystemError) {
        self.path = path
        descriptor = try Descriptor.open(path, [.write, .create, .exclusive], mode: 0o644)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        do throws(SystemError) {
            try descriptor.write(bytes)
        } catch { throw ImageError(error, on: path.description) }
        position += Int64(bytes.count)
        // Writing begins while the next chunks are computed, so that the fsync at the end is short.
        if position - written >= 8 << 20 {
            descriptor.startWriteback(offset: written, length: position - written)
            written = position
        }
    }

    func commit() throws {
        do throws(SystemError) {
            try descriptor.synchronize()
            try synchronizeFolder(path.parent)
        } catch { throw ImageError(error, on: path.description) }
    }

    func abandon() { try? removeFile(path) }
}
