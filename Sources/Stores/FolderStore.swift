// A store in a folder: a disk, a NAS, a stick. It needs nothing of the file system but files: no links, no locks, no renaming.
//
// The folder is opened once; every name is looked up beneath that descriptor, one folder after the other, and no symbolic link in it is
// followed: who can write to the folder cannot lead anybody out of it. Only regular files are objects, and none is waited for.

internal import Glibc
public import Platform

public final class FolderStore: ObjectStore {
    public let path: BytePath
    public var subject: String { path.description }
    public var connections: Int { 2 }

    private let root = Root()

    /// The folder, once it has been opened: a medium that was pulled and another one in its place are not the same.
    private final class Root: @unchecked Sendable {
        let monitor = Monitor()
        var descriptor: Descriptor?
    }

    /// - Parameter path: made by the first `create`, if it does not exist.
    public init(_ path: BytePath) { self.path = path }

    public var localFolder: FileIdentity? { FileIdentity(path) }

    private func opened(making: Bool = false) throws(SystemError) -> Descriptor {
        if let known = root.monitor.withLock({ root.descriptor }) { return known }
        if making { try makeFolders(path, mode: 0o755) }
        let descriptor = try Descriptor.open(path, .directory)
        return root.monitor.withLock {
            if root.descriptor == nil { root.descriptor = descriptor }
            return root.descriptor ?? descriptor
        }
    }

    /// A name's folder and its last part.
    private struct Place {
        var folder: [UInt8]
        var name: [UInt8]

        init(_ text: String) throws(SystemError) {
            let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
            guard let last = parts.last,
                parts.allSatisfy({ !$0.isEmpty && $0 != [0x2e] && $0 != [0x2e, 0x2e] && !$0.contains(0) })
            else { throw SystemError(EINVAL, "use the name", printable(Array(text.utf8))) }
            folder = Array(parts.dropLast().joined(separator: [UInt8(ascii: "/")]))
            name = last
        }
    }

    private func describe(_ name: String) -> String { path.appending(name).description }

    private func folder(_ place: Place) throws(SystemError) -> Descriptor {
        let root = try opened()
        return place.folder.isEmpty ? root : try root.openBeneath(place.folder, .directory)
    }

    /// The folder of a new object, made where it is missing; each new folder is durable in the one above.
    private func makeFolder(_ place: Place) throws(SystemError) -> Descriptor {
        var folder = try opened(making: true)
        for part in place.folder.split(separator: UInt8(ascii: "/")).map(Array.init) {
            do throws(SystemError) {
                folder = try folder.open(part, .directory)
            } catch {
                guard error.isAbsent else { throw error }
                do throws(SystemError) {
                    try folder.makeDirectory(part, mode: 0o755)
                    try folder.synchronizeNames()
                } catch {
                    // Another writer was faster.
                    if !error.isPresent { throw error }
                }
                folder = try folder.open(part, .directory)
            }
        }
        return folder
    }

    // MARK: The store

    public func topLevel() throws(StoreError) -> [String] {
        do throws(SystemError) {
            let names = try DirectoryListing(of: opened())
            return (0..<names.count).map { printable(names[$0]) }
        } catch {
            if error.isAbsent { return [] }
            throw StoreError(error, on: subject)
        }
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        var result: [StoredObject] = []
        var toList = [folder]
        while let folder = toList.popLast() {
            do throws(SystemError) {
                let directory: Descriptor
                do throws(SystemError) {
                    directory = try opened().openBeneath(Array(folder.utf8), .directory)
                } catch {
                    if error.isAbsent { continue }
                    throw error
                }
                let names = try DirectoryListing(of: directory)
                for index in 0..<names.count {
                    let name = names[index]
                    // What people or their file managers leave there is none of ours.
                    guard let text = String(validating: name, as: UTF8.self), !text.hasPrefix(".") else { continue }
                    do throws(SystemError) {
                        let status = try directory.status(of: name)
                        switch status.kind {
                        case .directory: toList.append("\(folder)/\(text)")
                        case .file: result.append(StoredObject(name: "\(folder)/\(text)", length: status.size))
                        default: continue
                        }
                    } catch {
                        // Removed since it was listed.
                        if !error.isAbsent { throw error }
                    }
                }
            } catch { throw StoreError(error, on: describe(folder)) }
        }
        return result.sorted { $0.name < $1.name }
    }

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        do throws(SystemError) {
            let place = try Place(name)
            // A FIFO or a device of this name must not hold anybody up.
            let file = try folder(place).open(place.name, .nonBlocking)
            let status = try file.status()
            guard status.kind == .file else { throw SystemError(ENOENT, "open", describe(name)) }
            return FolderObject(file, length: status.size, subject: describe(name))
        } catch {
            // A folder of this name, or a file where a folder should be: there is no such object.
            if error.code == ENOTDIR || error.code == EISDIR || error.code == ENXIO {
                throw StoreError(.absent, "open", describe(name), error.reason)
            }
            throw StoreError(error, on: describe(name))
        }
    }

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        do throws(SystemError) {
            let place = try Place(name)
            let folder = try makeFolder(place)
            let file = try folder.open(place.name, [.write, .create, .exclusive], mode: 0o644)
            return FolderUpload(file, in: folder, name: place.name, subject: describe(name))
        } catch { throw StoreError(error, on: describe(name)) }
    }

    public func remove(_ name: String) throws(StoreError) {
        do throws(SystemError) {
            let place = try Place(name)
            try folder(place).remove(place.name)
        } catch {
            if !error.isAbsent { throw StoreError(error, on: describe(name)) }
        }
    }
}

/// A file that is read at any place.
public final class FolderObject: ByteSource {
    private let descriptor: Descriptor
    public let length: UInt64
    private let subject: String

    public init(_ descriptor: Descriptor, length: UInt64, subject: String) {
        self.descriptor = descriptor
        self.length = length
        self.subject = subject
    }

    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        guard offset <= length, UInt64(buffer.count) <= length - offset else {
            throw StoreError(.ended, "read", subject)
        }
        let count: Int
        do throws(SystemError) {
            count = try descriptor.read(into: buffer, at: Int64(clamping: offset))
        } catch { throw StoreError(error, on: subject) }
        guard count == buffer.count else { throw StoreError(.ended, "read", subject) }
    }
}

/// A new file under its final name. Until `commit` nothing refers to it; a crash leaves an incomplete file that the writer's next run
/// removes.
private final class FolderUpload: ObjectUpload, @unchecked Sendable {
    private let descriptor: Descriptor
    private let folder: Descriptor
    private let name: [UInt8]
    private let subject: String
    private var position: Int64 = 0
    private var written: Int64 = 0
    /// A sync that failed is not repeated: the kernel may have dropped what it could not write, and says yes the second time.
    private var failure: StoreError?

    init(_ descriptor: Descriptor, in folder: Descriptor, name: [UInt8], subject: String) {
        self.descriptor = descriptor
        self.folder = folder
        self.name = name
        self.subject = subject
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        do throws(SystemError) {
            try descriptor.write(bytes)
        } catch { throw StoreError(error, on: subject) }
        position += Int64(bytes.count)
        // Writing begins while the next chunks are computed, so that the fsync at the end is short.
        if position - written >= 8 << 20 {
            descriptor.startWriteback(offset: written, length: position - written)
            written = position
        }
    }

    func commit() throws(StoreError) {
        if let failure { throw failure }
        do throws(SystemError) {
            try descriptor.synchronize()
            try folder.synchronizeNames()
        } catch {
            let error = StoreError(error, on: subject)
            failure = error
            throw error
        }
    }

    /// Removes the file if the name is still this file's: a failure that is told elsewhere already.
    func abandon() {
        guard let own = try? descriptor.status(), let there = try? folder.status(of: name),
            FileIdentity(own) == FileIdentity(there)
        else { return }
        try? folder.remove(name)
    }
}

extension Descriptor {
    /// Makes the names in this folder durable, where the file system can: some (FUSE, SMB) know no such call for folders.
    fileprivate func synchronizeNames() throws(SystemError) {
        do throws(SystemError) {
            try synchronize()
        } catch {
            if error.code != EINVAL && error.code != ENOTSUP && error.code != ENOSYS { throw error }
        }
    }
}
