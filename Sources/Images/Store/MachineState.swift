// What a machine keeps about stores: writer keys and records of runs (state), index and walk caches (cache, which cost
// only time when they are lost).

internal import Cryptography
public import Platform

public struct MachineState: Sendable {
    public var state: BytePath
    public var cache: BytePath

    public init(state: BytePath, cache: BytePath) {
        self.state = state
        self.cache = cache
    }

    /// The places of the user's own state and cache, by the XDG base directory specification.
    public static var ofUser: MachineState {
        MachineState(
            state: HostFacts.userFolder("XDG_STATE_HOME", default: ".local/state"),
            cache: HostFacts.userFolder("XDG_CACHE_HOME", default: ".cache"))
    }

    /// State, cache, keys and configuration: never part of an image.
    var ownFiles: Set<FileIdentity> {
        let configuration = HostFacts.userFolder("XDG_CONFIG_HOME", default: ".config")
        return Set([state, cache, configuration, "/etc/holdfast"].compactMap { FileIdentity($0) })
    }

    private func folder(of store: Identifier) -> BytePath { state.appending("stores").appending(store.description) }

    func cacheFolder(of store: Identifier) -> BytePath { cache.appending("stores").appending(store.description) }

    func writerKey(of store: Identifier) throws -> WriterKey? {
        let path = folder(of: store).appending("writer.key")
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readWhole(path, limit: 1 << 16)
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

    func save(_ key: WriterKey) throws {
        do throws(SystemError) {
            try makeFolders(folder(of: key.store))
            try replaceFile(folder(of: key.store).appending("writer.key"), key.encoded())
        } catch { throw ImageError(error) }
    }

    /// Begins a run: its record is durable before anything of it is in the store.
    func beginRun(store: Identifier) throws -> RunRecord {
        do {
            let runs = folder(of: store).appending("runs")
            try makeFolders(runs)
            while true {
                let id = try ObjectID.random()
                let path = runs.appending(id.description)
                let file = try Descriptor.open(path, [.write, .create, .exclusive])
                // Between the two calls another run may take it for one that ended: it has nothing to clear, and forgets it.
                guard file.tryLock(), try file.status().linkCount > 0 else { continue }
                try file.synchronize()
                try synchronizeFolder(runs)
                return RunRecord(id: id, path: path, lock: file)
            }
        } catch let error as SystemError { throw ImageError(error) }
    }

    /// The records of runs that ended without cleaning up, each locked for as long as it is held: nobody else sees it as ended.
    func adoptEndedRuns(store: Identifier) -> [RunRecord] {
        let runs = folder(of: store).appending("runs")
        guard let directory = try? Descriptor.open(runs, .directory), let names = try? DirectoryListing(of: directory)
        else { return [] }
        return (0..<names.count).compactMap { index in
            guard let text = String(validating: names[index], as: UTF8.self), let id = ObjectID(hexadecimal: text),
                let file = try? directory.open(names[index], .write), file.tryLock(),
                // Its owner may have removed it between the two calls.
                (try? directory.status(of: names[index])) != nil
            else { return nil }
            return RunRecord(id: id, path: runs.appending(text), lock: file)
        }
    }
}

/// A run that writes to a store, as long as it is under way: locked, so that the next run can tell it from one that ended.
final class RunRecord: Sendable {
    let id: ObjectID
    private let path: BytePath
    private let lock: Descriptor

    init(id: ObjectID, path: BytePath, lock: Descriptor) {
        self.id = id
        self.path = path
        self.lock = lock
    }

    /// The run has left nothing behind: forgets it.
    func remove() { try? removeFile(path) }
}
