// What a machine keeps about stores: writer keys and records of runs (state), index and walk caches (cache, which cost
// only time when they are lost).

internal import Cryptography
internal import Glibc
public import Platform
internal import Reporting

public struct MachineState: Sendable {
    public var state: BytePath
    public var cache: BytePath
    /// Where the store is that is about to be opened, in the same words each time; nil where nobody says. A store has copies: what was seen in
    /// one of them is not missing in another.
    public var place: BytePath?
    /// Nothing is remembered: what only looks leaves no trace.
    public var isReadOnly = false
    /// How time passes, whatever the clock is set to; tests have their own.
    var secondsSinceStart: @Sendable () -> Int64 = { HostFacts.secondsSinceStart }
    /// What its clock says, in seconds since 1970; tests have their own.
    var now: @Sendable () -> Int64 = { Timestamp.now().seconds }

    /// A place on a file system that can be told from others that are mounted there at other times.
    public static func place(_ path: BytePath, on fileSystem: String) -> BytePath {
        BytePath(path.bytes + [0] + Array(fileSystem.utf8))
    }

    /// The same for another place.
    func looking(at place: BytePath?) -> MachineState {
        var machine = self
        machine.place = place
        return machine
    }

    public init(state: BytePath, cache: BytePath) {
        self.state = state
        self.cache = cache
    }

    /// What it keeps: never part of an image.
    var ownFiles: Set<FileIdentity> { Set([state.appending("stores"), cache].compactMap { FileIdentity($0) }) }

    private func folder(of store: Identifier) -> BytePath { state.appending("stores").appending(store.description) }

    func cacheFolder(of store: Identifier) -> BytePath { cache.appending("stores").appending(store.description) }

    func writerKey(of store: Identifier) throws -> WriterKey? { try writerKey(of: store, in: Self.keyName) }

    /// The key with which a join was begun that may have been cut off.
    func joiningKey(of store: Identifier) throws -> WriterKey? { try writerKey(of: store, in: Self.joiningName) }

    private static let keyName = "writer.key"
    private static let joiningName = "writer.key.joining"

    private func writerKey(of store: Identifier, in name: String) throws -> WriterKey? {
        let path = folder(of: store).appending(name)
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readRegular(path, limit: 1 << 16)
        } catch {
            if error.code == 2 { return nil }  // ENOENT
            throw ImageError(error)
        }
        do {
            let key = try WriterKey(decoding: bytes)
            guard key.store == store else { throw FormatError("it belongs to another store") }
            return key
        } catch {
            throw ImageError.damaged(subject: path.description, detail: "\(error)")
        }
    }

    /// What this machine remembers of a store; nothing where it has not met it. One that cannot be read is an error: it is what tells a
    /// store that was put back.
    func memory(of store: Identifier) throws -> StoreMemory {
        let path = folder(of: store).appending("memory")
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readRegular(path, limit: 64 << 20)
        } catch {
            if error.isAbsent { return StoreMemory(here: place) }
            if error.code == EINVAL { throw ImageError.damagedMemory(path: path.description, detail: error.reason) }
            throw ImageError(error)
        }
        do { return try StoreMemory(decoding: bytes, here: place) } catch {
            throw ImageError.damagedMemory(path: path.description, detail: "\(error)")
        }
    }

    /// Changes what this machine remembers; one process at a time. Durable on return; a crash leaves the old memory or the new one.
    func remember(_ store: Identifier, _ change: (inout StoreMemory) throws -> Void) throws {
        if isReadOnly { return }
        do throws(SystemError) { try makeFolders(folder(of: store)) } catch { throw ImageError(error) }
        let path = folder(of: store).appending("memory")
        do {
            let lock = try Descriptor.open(folder(of: store), .directory)
            try lock.lock()
            let before = try memory(of: store)
            var memory = before
            try change(&memory)
            if memory != before { try replaceFile(path, memory.encoded()) }
        } catch let error as SystemError { throw ImageError(error) }
    }

    /// The runs of this machine that are under way or ended without cleaning up: their images are its own.
    func rootsOfRuns(store: Identifier) throws -> Set<ObjectID> {
        let runs = folder(of: store).appending("runs")
        let names: DirectoryListing
        do throws(SystemError) {
            names = try DirectoryListing(of: Descriptor.open(runs, .directory))
        } catch {
            if error.isAbsent { return [] }
            throw ImageError(error)
        }
        var result: Set<ObjectID> = []
        for index in 0..<names.count {
            if let text = String(validating: names[index], as: UTF8.self), let id = ObjectID(hexadecimal: text) {
                result.insert(try .derived(run: id, number: .max))
            }
        }
        return result
    }

    func save(_ key: WriterKey) throws {
        try save(key, as: Self.keyName)
        try? removeFile(folder(of: key.store).appending(Self.joiningName))  // It is the same, and in nobody's way.
    }

    /// Before the store is told of it: a join that is cut off then can be ended.
    func saveJoining(_ key: WriterKey) throws { try save(key, as: Self.joiningName) }

    private func save(_ key: WriterKey, as name: String) throws {
        do throws(SystemError) {
            try makeFolders(folder(of: key.store))
            try replaceFile(folder(of: key.store).appending(name), key.encoded())
        } catch { throw ImageError(error) }
    }

    /// Begins a run: its record is durable before anything of it is in the store.
    func beginRun(_ key: WriterKey) throws -> RunRecord {
        do {
            let runs = folder(of: key.store).appending("runs")
            try makeFolders(runs)
            while true {
                let id = try ObjectID.random()
                let path = runs.appending(id.description)
                let file = try Descriptor.open(path, [.write, .create, .exclusive])
                // Between the two calls another run may take it for one that ended: it has nothing to clear, and forgets it.
                guard file.tryLock(), try file.status().linkCount > 0 else { continue }
                do throws(SystemError) {
                    try file.write(key.group.id.bytes + key.writer.bytes)
                    try file.synchronize()
                } catch { throw SystemError(error.code, error.operation, path.description) }
                try synchronizeFolder(runs)
                return RunRecord(id: id, group: key.group.id, writer: key.writer, path: path, lock: file)
            }
        } catch let error as SystemError { throw ImageError(error) }
    }

    /// The records of runs that ended without cleaning up, each locked for as long as it is held: nobody else sees it as ended.
    func adoptEndedRuns(store: Identifier) -> [RunRecord] {
        let runs = folder(of: store).appending("runs")
        // What cannot be taken over now is taken over by a later run.
        guard let directory = try? Descriptor.open(runs, .directory), let names = try? DirectoryListing(of: directory)
        else { return [] }
        return (0..<names.count).compactMap { index in
            let name = names[index]
            guard let text = String(validating: name, as: UTF8.self), let id = ObjectID(hexadecimal: text),
                // What cannot be opened or read now is taken over by a later run.
                let file = try? directory.open(name, [.readWrite, .nonBlocking]),
                (try? file.status().kind) == .file, file.tryLock(),  // As above.
                // Its owner may have removed it between the two calls.
                (try? directory.status(of: name)) != nil,
                let bytes = try? readWhole(file, limit: 4096, named: text)  // As above.
            else { return nil }
            let path = runs.appending(text)
            guard bytes.count >= 32, let group = Identifier(Array(bytes[..<16])),
                let writer = Identifier(Array(bytes[16..<32]))
            else {
                // Cut before it said whose it is: nothing of it is in the store.
                RunRecord(id: id, group: .zero, writer: .zero, path: path, lock: file).remove()
                return nil
            }
            return RunRecord(id: id, group: group, writer: writer, path: path, lock: file)
        }
    }
}

/// Opens a file of a cache that is read by pieces: a regular one, and not longer than any that was ever written. What else has its name is
/// never waited for.
func openCache(_ path: BytePath) throws(SystemError) -> (file: Descriptor, size: UInt64) {
    let file = try Descriptor.open(path, .nonBlocking)
    let status = try file.status()
    guard status.kind == .file, status.size <= UInt64(16) << 30 else {
        throw SystemError(EINVAL, "read", path.description, detail: "it is no cache")
    }
    return (file, status.size)
}

/// A run that writes to a store, as long as it is under way: locked, so that the next run can tell it from one that ended. The names of
/// what it writes follow from its id.
final class RunRecord: Sendable {
    let id: ObjectID
    let group: Identifier
    let writer: Identifier
    private let path: BytePath
    private let lock: Descriptor

    init(id: ObjectID, group: Identifier, writer: Identifier, path: BytePath, lock: Descriptor) {
        self.id = id
        self.group = group
        self.writer = writer
        self.path = path
        self.lock = lock
    }

    /// The run has left nothing behind: forgets it.
    func remove() { try? removeFile(path) }  // One that stays is looked at once more by the next run.

    // MARK: Names

    func volume(_ number: UInt32) throws -> ObjectName { try name(.volume, number) }
    var root: ObjectName { get throws { try name(.image, .max) } }
    var index: ObjectName { get throws { try name(.index, .max - 1) } }
    func checkpoint(_ number: Int) throws -> ObjectName { try name(.checkpoint, .max - 2 - UInt32(clamping: number)) }

    private func name(_ kind: ObjectName.Kind, _ number: UInt32) throws -> ObjectName {
        ObjectName(kind, group: group, writer: writer, id: try .derived(run: id, number: number))
    }
}
