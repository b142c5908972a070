// A store in a folder: a disk, a NAS, a stick. It needs nothing of the file system but files: no links, no locks, no renaming.
//
// The folder is opened once; every name is looked up beneath that descriptor, one folder after the other, and no symbolic link in it is
// followed: who can write to the folder cannot lead anybody out of it. Only regular files are objects, and none is waited for.

internal import Glibc
public import Platform

public final class FolderStore: ObjectStore {
    /// What people know it by, where no path leads to it.
    public let path: BytePath
    public var subject: String { path.description }
    public var connections: Int { 2 }

    private let place: Place
    private let root = Root()

    /// Where it is looked for.
    private enum Place: Sendable {
        case path(BytePath)
        /// Below an open folder, which lasts as long as something else is kept.
        case beneath(Descriptor, BytePath, keeping: (any AnyObject & Sendable)?)
    }

    /// The folder, once it has been opened: a medium that was pulled and another one in its place are not the same.
    private final class Root: @unchecked Sendable {
        let monitor = Monitor()
        var descriptor: Descriptor?
        /// Folders of objects whose names this process has synced, all the way up.
        var durableFolders: Set<[UInt8]> = []
    }

    /// - Parameter path: made by the first `create`, if it does not exist, and what holds it does.
    public init(_ path: BytePath) {
        self.path = path
        place = .path(path)
    }

    /// A store at or below a folder that is open, to which no path need lead.
    /// - Parameters:
    ///   - path: looked up without following links; its last part is made by the first `create`, if it does not exist. Empty for the folder.
    ///   - subject: what people know the store by.
    ///   - keeping: what has to last as long as the store.
    public init(
        _ folder: Descriptor, beneath path: BytePath = "", subject: String, keeping: (any AnyObject & Sendable)?
    ) {
        self.path = BytePath(subject)
        place = .beneath(folder, path, keeping: keeping)
    }

    public var localFolder: FileIdentity? {
        switch place {
        case .path(let path): FileIdentity(path)
        // What is not there holds nothing that a backup could take.
        case .beneath: (try? opened().status()).map { FileIdentity($0) }
        }
    }

    // What is not there is on no disk.
    public var openFolder: Descriptor? { try? opened() }

    private func opened(making: Bool = false) throws(SystemError) -> Descriptor {
        if let known = root.monitor.withLock({ root.descriptor }) { return known }
        let descriptor: Descriptor
        switch place {
        case .path(let path):
            // The last one alone: where those above it are missing, a disk or a share may be.
            if making { try makeLastFolder(path, mode: 0o755) }
            descriptor = try Descriptor.open(path, .directory)
        case .beneath(let folder, let path, _):
            if making && !path.bytes.isEmpty {
                let above: Descriptor
                do throws(SystemError) { above = try folder.openFolder(of: path) } catch {
                    if !error.isAbsent { throw error }
                    throw SystemError(
                        error.code, "make", path.description, detail: "the folder that is to hold it is not there")
                }
                do throws(SystemError) { try above.makeDirectory(path.lastComponent, mode: 0o755) } catch {
                    if !error.isPresent { throw error }
                }
                try above.synchronizeNames()
            }
            descriptor = path.bytes.isEmpty ? folder : try folder.openBeneath(path.bytes, .directory)
        }
        return root.monitor.withLock {
            if root.descriptor == nil { root.descriptor = descriptor }
            return root.descriptor ?? descriptor
        }
    }

    private func describe(_ name: String) -> String { path.appending(name).description }

    /// An existing folder of objects.
    private func folder(_ path: [UInt8]) throws(SystemError) -> Descriptor {
        let top = try opened()
        return path.isEmpty ? top : try top.openBeneath(path, .directory)
    }

    /// The folder of a new object, made where it is missing, durable in the one above. One that is there already may be another writer's,
    /// or of a run that was killed, and not be durable yet: its name is synced as well, once.
    private func makeFolder(_ name: ObjectName) throws(SystemError) -> Descriptor {
        let top = try opened(making: true)
        let path = name.folderPath
        if root.monitor.withLock({ path.isEmpty || root.durableFolders.contains(path) }) {
            do throws(SystemError) {
                return try folder(path)
            } catch {
                if !error.isAbsent { throw error }
            }
        }
        var folder = top
        for part in name.folder {
            do throws(SystemError) {
                try folder.makeDirectory(part, mode: 0o755)
            } catch {
                if !error.isPresent { throw error }
            }
            try folder.synchronizeNames()
            folder = try folder.openBeneath(part, .directory)
        }
        root.monitor.withLock { _ = root.durableFolders.insert(path) }
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
        try list(folder, begin: { result = [] }) { result += $0 }
        result.sort { $0.name < $1.name }
        return result
    }

    public func list(_ folder: String, begin: () -> Void, _ take: ([StoredObject]) -> Void) throws(StoreError) {
        _ = try ObjectName(folder, for: "list", in: subject)
        begin()
        var toList = [folder]
        while let folder = toList.popLast() {
            var part: [StoredObject] = []
            var folders: [String] = []
            do throws(SystemError) {
                try listOne(folder, &part, &folders)
            } catch {
                // There is none, or it was removed since it was seen.
                if !error.isAbsent { throw StoreError(error, on: describe(folder)) }
            }
            toList += folders.sorted(by: >)
            part.sort { $0.name < $1.name }
            take(part)
        }
    }

    private func listOne(
        _ folder: String, _ objects: inout [StoredObject], _ folders: inout [String]
    ) throws(SystemError) {
        // Opened once more, as `open` does it: without an access time left on the medium.
        let directory = try self.folder(Array(folder.utf8)).open([UInt8(ascii: ".")], .directory)
        let names = try DirectoryListing(of: directory)
        for index in 0..<names.count {
            let last = names[index]
            // What people or their file managers leave there is none of ours.
            guard ObjectName.canBePart(last), let text = String(validating: last, as: UTF8.self) else { continue }
            let name = "\(folder)/\(text)"
            if name.utf8.count > ObjectName.lengthLimit { continue }
            do throws(SystemError) {
                let status = try directory.status(of: last)
                switch status.kind {
                case .directory: folders.append(name)
                case .file:
                    objects.append(
                        StoredObject(name: name, length: status.size, modified: status.modified.seconds))
                default: continue
                }
            } catch {
                // Removed since it was listed.
                if !error.isAbsent { throw error }
            }
        }
    }

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        let place = try ObjectName(name, for: "open", in: subject)
        do throws(SystemError) {
            let folder = try folder(place.folderPath)
            // Opening a device can have an effect already: it is looked at first. Whoever swaps it for another then meets the second look,
            // and a FIFO holds nobody up.
            guard try folder.status(of: place.last).kind == .file else { throw SystemError(ENOENT, "open", "") }
            let file = try folder.open(place.last, .nonBlocking)
            let status = try file.status()
            guard status.kind == .file else { throw SystemError(ENOENT, "open", "") }
            return FolderObject(file, length: status.size, subject: describe(name))
        } catch {
            // A file where a folder should be: there is no such object.
            if error.code == ENOTDIR { throw StoreError(.absent, "open", describe(name), error.reason) }
            throw StoreError(error, on: describe(name))
        }
    }

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        let place = try ObjectName(name, for: "create", in: subject)
        do throws(SystemError) {
            let folder = try makeFolder(place)
            let file = try folder.open(place.last, [.write, .create, .exclusive], mode: 0o644)
            return FolderUpload(file, in: folder, name: place.last, store: path, subject: describe(name))
        } catch {
            // What is there of the store is enough to tell which file system is full.
            throw StoreError(error, on: describe(name), at: (try? opened()).map { ($0, path) })
        }
    }

    public func remove(_ name: String) throws(StoreError) {
        let place = try ObjectName(name, for: "remove", in: subject)
        do throws(SystemError) {
            let folder = try folder(place.folderPath)
            do throws(SystemError) {
                try folder.remove(place.last)
            } catch {
                // A folder of this name is no object.
                if !error.isAbsent && error.code != EISDIR { throw error }
            }
            // Also where it was gone already: the sync after an earlier removal may have failed.
            try folder.synchronizeNames()
        } catch {
            // Without its folder there is no such object.
            if !error.isAbsent && error.code != ENOTDIR { throw StoreError(error, on: describe(name)) }
        }
    }

    /// The time of a file that is made for that: on a server it is the server's.
    public func time(in folder: String) throws(StoreError) -> Int64? {
        // No object has such a name, whatever a crash leaves.
        let name = Array(".time-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))".utf8)
        let place = try ObjectName("\(folder)/time", for: "create", in: subject)
        do throws(SystemError) {
            let folder = try makeFolder(place)
            if let unnamed = try folder.openUnnamed() { return try unnamed.status().modified.seconds }
            let file = try folder.open(name, [.write, .create, .exclusive], mode: 0o600)
            let time = try file.status().modified.seconds
            try folder.remove(name)
            return time
        } catch { throw StoreError(error, on: describe(folder)) }
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
    private let store: BytePath
    private let subject: String
    private var position: Int64 = 0
    private var written: Int64 = 0
    /// The kernel and a disk are given so much at once. Whoever gives way hands over small pieces, as many kernels finish a call before anybody
    /// else comes, and has the disk finish what it has before it gets more: whatever else is to be made durable waits behind that.
    private let pace: (piece: Int, step: Int64, isAwaited: Bool) =
        HostFacts.givesWay ? (64 << 10, 256 << 10, true) : (.max, 8 << 20, false)
    /// What could not be written whole is never committed. A sync that failed is not repeated: the kernel may have dropped what it could not
    /// write, and says yes the second time.
    private var failure: StoreError?

    init(_ descriptor: Descriptor, in folder: Descriptor, name: [UInt8], store: BytePath, subject: String) {
        self.descriptor = descriptor
        self.folder = folder
        self.name = name
        self.store = store
        self.subject = subject
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        if let failure { throw failure }
        do throws(SystemError) {
            for start in stride(from: 0, to: bytes.count, by: pace.piece) {
                try write(UnsafeRawBufferPointer(rebasing: bytes[start...].prefix(pace.piece)))
            }
        } catch {
            let error = StoreError(error, on: subject, at: (descriptor, store), wanted: bytes.count)
            failure = error
            throw error
        }
    }

    private func write(_ piece: UnsafeRawBufferPointer) throws(SystemError) {
        try descriptor.write(piece)
        position += Int64(piece.count)
        // Writing begins while the next chunks are computed, so that the fsync at the end is short.
        if position - written >= pace.step {
            descriptor.startWriteback(offset: written, length: position - written)
            if pace.isAwaited { descriptor.finishWriteback(offset: 0, length: written) }
            written = position
        }
    }

    func commit() throws(StoreError) {
        if let failure { throw failure }
        do throws(SystemError) {
            try descriptor.synchronize()
            try folder.synchronizeNames()
        } catch {
            let error = StoreError(error, on: subject, at: (descriptor, store))
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
