// A store of which small objects are kept on this machine, so that a server is not asked twice for what never changes. It tells what an
// object holds, never that it is there: lists go to the store itself.

internal import Cryptography
public import Platform

/// How an object may be kept.
public enum Keeping: Sendable {
    case no
    /// As long as this process runs.
    case briefly
    /// In files, from one run to the next.
    case lastingly
}

/// What is kept costs time where it is lost, and nothing else: each file carries a sum over its content.
public final class CachingStore: ForwardingStore, @unchecked Sendable {
    private let folder: BytePath?
    private let keeping: @Sendable (String) -> Keeping
    private let isSound: @Sendable (String, [UInt8]) -> Bool
    private let monitor = Monitor()
    private var known: [String: [UInt8]] = [:]

    /// The longest object that is kept.
    private static let lengthLimit = 4 << 20
    /// How much is kept in files, in bytes.
    private static let folderLimit: UInt64 = 256 << 20

    /// - Parameters:
    ///   - folder: for files, made where it is missing; nil: none are kept.
    ///   - keeping: what is kept, by its name.
    ///   - isSound: whether an object is worth keeping, as far as that can be told; one that is torn may be made good in the store.
    public init(
        _ store: any ObjectStore, folder: BytePath?, keeping: @escaping @Sendable (String) -> Keeping,
        isSound: @escaping @Sendable (String, [UInt8]) -> Bool = { _, _ in true }
    ) {
        self.isSound = isSound
        self.folder = folder
        self.keeping = keeping
        super.init(store)
    }

    public override func read(_ name: String, limit: Int) throws(StoreError) -> [UInt8]? {
        if keeping(name) == .no { return try super.read(name, limit: limit) }
        if let bytes = kept(name) {
            guard bytes.count <= limit else { throw tooLong(name) }
            return bytes
        }
        let bytes = try super.read(name, limit: limit)
        if let bytes { keep(name, bytes) }
        return bytes
    }

    public override func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        if keeping(name) == .no { return try super.open(name, length: length) }
        if let bytes = kept(name), length.map({ $0 == UInt64(bytes.count) }) ?? true { return MemorySource(bytes) }
        let source = try super.open(name, length: length)
        guard source.length <= UInt64(Self.lengthLimit) else { return source }
        // safe: at most the limit. What is shorter than it was said to be is for the source itself to tell.
        guard let bytes = try? source.read(at: 0, count: Int(source.length)) else { return source }
        keep(name, bytes)
        return MemorySource(bytes)
    }

    public override func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        try super.put(name, bytes)
        forget(name)
    }

    public override func remove(_ name: String) throws(StoreError) {
        forget(name)
        try super.remove(name)
    }

    // MARK: What is kept

    private func kept(_ name: String) -> [UInt8]? {
        if let bytes = monitor.withLock({ known[name] }) { return bytes }
        guard keeping(name) == .lastingly, let path = path(name),
            // One that cannot be read is none.
            let file = try? readRegular(path, limit: Self.lengthLimit + 32), file.count >= 32
        else { return nil }
        let bytes = Array(file[32...])
        // A damaged one is none either.
        guard let sum = try? digest(name, bytes), sum.bytes == Array(file[..<32]) else { return nil }
        remember(name, bytes)
        return bytes
    }

    private func keep(_ name: String, _ bytes: [UInt8]) {
        guard bytes.count <= Self.lengthLimit, isSound(name, bytes) else { return }
        remember(name, bytes)
        guard keeping(name) == .lastingly, let folder, let path = path(name), let sum = try? digest(name, bytes) else {
            return
        }
        // A cache that cannot be written is none.
        try? makeFolders(folder)
        try? writeCached(path, sum.bytes + bytes)
        Self.trim(folder, last: path)
    }

    /// Small ones, in memory; not more than so many.
    private func remember(_ name: String, _ bytes: [UInt8]) {
        guard bytes.count <= 64 << 10 else { return }
        monitor.withLock {
            if known.count > 1024 { known.removeAll() }
            known[name] = bytes
        }
    }

    /// Not durable: a torn file has another sum.
    private func writeCached(_ path: BytePath, _ bytes: [UInt8]) throws(SystemError) {
        let part = BytePath(path.bytes + Array(".\(String(UInt64.random(in: 0...UInt64.max), radix: 16))".utf8))
        let file = try Descriptor.open(part, [.write, .create, .exclusive], mode: 0o600)
        try file.write(bytes)
        try renameFile(part, to: path, durably: false)
    }

    private func forget(_ name: String) {
        monitor.withLock { known[name] = nil }
        if keeping(name) == .lastingly, let path = path(name) { try? removeFile(path) }
    }

    private func path(_ name: String) -> BytePath? {
        guard let folder, let digest = try? digest(name, []) else { return nil }
        return folder.appending(digest.hex.prefix(32).description)
    }

    private func digest(_ name: String, _ bytes: [UInt8]) throws(CryptographyError) -> Digest {
        try (Array(name.utf8) + [0] + bytes).withBytes { (bytes) throws(CryptographyError) in
            try SHA256.digest(of: bytes)
        }
    }

    /// Removes what was used longest ago where there is too much.
    private static func trim(_ folder: BytePath, last: BytePath) {
        // Looked at now and then: it may be above the limit by what was written meanwhile.
        guard last.bytes.last.map({ $0 == UInt8(ascii: "0") }) ?? false,
            let directory = try? Descriptor.open(folder, .directory), let names = try? DirectoryListing(of: directory)
        else { return }
        var files: [(name: [UInt8], size: UInt64, time: Int64)] = []
        for index in 0..<names.count {
            guard let status = try? directory.status(of: names[index]), status.kind == .file else { continue }
            files.append((names[index], status.size, status.modified.seconds))
        }
        var total = files.reduce(UInt64(0)) { $0 &+ $1.size }
        for file in files.sorted(by: { $0.time < $1.time }) where total > folderLimit {
            try? directory.remove(file.name)
            total -= min(total, file.size)
        }
    }
}

extension ObjectStore {
    /// The store itself, for who has to see what is there now, to the last byte.
    public var uncached: any ObjectStore { (self as? CachingStore)?.store ?? self }
}
