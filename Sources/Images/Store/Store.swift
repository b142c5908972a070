// A store, opened with the keys at hand: what it is, who can read it, which images it has.

internal import Cryptography
internal import Glibc
public import Platform

public final class Store: Sendable {
    let objects: any ObjectStore
    let id: Identifier
    let keyring: Keyring
    public var subject: String { objects.subject }
    /// The store's id as 32 hexadecimal digits.
    public var identifier: String { id.description }
    /// Whether an identity is at hand, so that contents can be read.
    public var canRead: Bool { keyring.secret != nil }

    init(objects: any ObjectStore, id: Identifier, keyring: Keyring) {
        self.objects = objects
        self.id = id
        self.keyring = keyring
    }

    // MARK: Opening

    /// What a caller needs of a store.
    public enum Purpose: Sendable {
        /// Contents: an identity.
        case read
        /// Labels: an identity or a writer key.
        case list
        /// New images: a writer key, which an identity issues where there is none.
        case write
    }

    /// Opens the store in a folder.
    /// - Parameter credentials: consulted only where the purpose needs them or no writer key is there.
    public static func open(
        _ path: BytePath, for purpose: Purpose, credentials: Credentials, machine: MachineState
    ) throws -> Store {
        let objects = DirectoryStore(path)
        let id = try readHeader(objects)
        var writer = try machine.writerKey(of: id)
        if purpose == .write { try? finishHeader(objects, store: id) }
        if let known = writer, purpose == .write {
            // P is pinned: keys that open to another secret are somebody else's.
            if let secret = try? openSecret(
                objects, id: id, credentials: Credentials(identities: credentials.identities)),
                secret.epoch(known.epoch)?.sealing.publicKey != known.sealing
            {
                throw ImageError.foreignStore(store: objects.subject)
            }
        }
        switch purpose {
        case .list, .write:
            if let writer {
                let secret = purpose == .list ? try? openSecret(objects, id: id, credentials: credentials.silent) : nil
                return Store(objects: objects, id: id, keyring: Keyring(secret: secret, writer: writer))
            }
        case .read: break
        }
        let secret: StoreSecret
        do {
            secret = try openSecret(objects, id: id, credentials: credentials)
        } catch ImageError.noIdentity where purpose == .write {
            throw ImageError.noWriterKey(store: objects.subject)
        }
        if purpose == .write {
            let key = try WriterKey.issue(
                from: secret.newest, group: defaultGroup(), writer: HostFacts.hostName)
            try machine.save(key)
            writer = key
        }
        return Store(objects: objects, id: id, keyring: Keyring(secret: secret, writer: writer))
    }

    /// Whether a folder holds a store. A second copy of its header alone, not whole, is what an interrupted creation left.
    public static func exists(_ path: BytePath) -> Bool {
        Platform.exists(path.appending(StoreName.header)) || (try? readHeader(DirectoryStore(path))) != nil
    }

    /// Writes the copies of the header that an interrupted creation did not get to.
    static func finishHeader(_ objects: any ObjectStore, store: Identifier) throws {
        let bytes = try StoreHeader(store: store).encoded()
        for name in [StoreName.header + ".2", StoreName.header] {
            if let there = try objects.open(name) {
                if there.length >= UInt64(bytes.count) { continue }
                try objects.remove(name)
            }
            try objects.put(name, bytes)
        }
    }

    /// Refuses a folder with anything in it that is no part of a store that is being made.
    static func checkFolder(_ path: BytePath) throws {
        let own = [StoreName.header, StoreName.header + ".2", "b", "k", "v", "i", "lost+found"].map { Array($0.utf8) }
        do throws(SystemError) {
            try makeFolders(path, mode: 0o755)
            let names = try DirectoryListing(of: Descriptor.open(path, .directory))
            for index in 0..<names.count where !own.contains(names[index]) {
                throw SystemError(ENOTEMPTY, "use", path.description)
            }
        } catch {
            if error.code == ENOTEMPTY { throw ImageError.folderInUse(path: path.description) }
            throw ImageError(error)
        }
    }

    /// The group of a machine alone: named after the machine, not its host name, so that a second machine of the same
    /// name does not share its content by accident.
    static func defaultGroup() throws -> String {
        "machine " + (try HostFacts.machineIdentifier ?? ObjectID.random().description)
    }

    static func readHeader(_ objects: any ObjectStore) throws -> Identifier {
        var problem: (any Error)?
        for name in [StoreName.header, StoreName.header + ".2"] {
            do {
                guard let bytes = try objects.read(name, limit: 1 << 16) else { continue }
                return try StoreHeader(decoding: bytes, subject: objects.subject).store
            } catch { problem = error }
        }
        switch problem {
        case nil: throw ImageError.notAStore(path: objects.subject)
        case let error as ImageError: throw error
        case let error?: throw ImageError.damaged(subject: objects.subject, detail: "HOLDFAST: \(error)")
        }
    }

    /// The key files of the newest epoch, both copies.
    static func keyFiles(_ objects: any ObjectStore) throws -> [StoredObject] {
        let files = try objects.list("k").filter { $0.name.hasSuffix(".age") || $0.name.hasSuffix(".age.2") }
        let newest = files.compactMap { epoch(of: $0) }.max()
        return files.filter { epoch(of: $0) == newest }
    }

    private static func epoch(of file: StoredObject) -> UInt32? {
        let parts = file.name.split(separator: "/")
        return parts.count == 3 ? UInt32(parts[1]) : nil
    }

    private static func openSecret(
        _ objects: any ObjectStore, id: Identifier, credentials: Credentials
    ) throws -> StoreSecret {
        let files = try keyFiles(objects).compactMap { try? objects.read($0.name, limit: 1 << 20) }
        return try credentials.open(files, store: id, subject: objects.subject)
    }

    // MARK: Making and joining

    /// Makes a store in an empty or new folder and joins this machine to it.
    public static func create(
        _ path: BytePath, recipients: [StoreRecipient], group: String?, machine: MachineState
    ) throws -> Store {
        let objects = DirectoryStore(path)
        if exists(path) { throw ImageError.alreadyAStore(path: path.description) }
        try checkFolder(path)
        // Keys without the file HOLDFAST are what an interrupted creation left: nothing was ever written with them.
        for leftover in try objects.list("k") { try objects.remove(leftover.name) }
        try objects.remove(StoreName.header + ".2")
        let secret = try StoreSecret.generate()
        for recipient in recipients {
            try objects.putTwice(
                StoreName.key(epoch: 1, recipient: recipient.name), secret.wrapped(for: recipient))
        }
        let key = try WriterKey.issue(
            from: secret.newest, group: group ?? defaultGroup(), writer: HostFacts.hostName)
        try machine.save(key)
        // The commit point: from here on it is a store.
        try finishHeader(objects, store: secret.store)
        return Store(objects: objects, id: secret.store, keyring: Keyring(secret: secret, writer: key))
    }

    /// Issues this machine a new writer key.
    public static func join(
        _ path: BytePath, group: String?, credentials: Credentials, machine: MachineState
    ) throws -> Store {
        let objects = DirectoryStore(path)
        let id = try readHeader(objects)
        let secret = try openSecret(objects, id: id, credentials: credentials)
        let key = try WriterKey.issue(
            from: secret.newest, group: group ?? defaultGroup(), writer: HostFacts.hostName)
        try machine.save(key)
        return Store(objects: objects, id: id, keyring: Keyring(secret: secret, writer: key))
    }

    /// The name of the group that this machine writes to.
    public var groupName: String? { keyring.writer?.groupName }

    // MARK: Recipients

    /// The names of the recipients, as the folder `k` has them.
    public static func recipients(_ path: BytePath) throws -> [String] {
        let objects = DirectoryStore(path)
        _ = try readHeader(objects)
        return Set(
            try keyFiles(objects).map {
                let name = $0.lastComponent
                return String(name.hasSuffix(".2") ? name.dropLast(6) : name.dropLast(4))
            }
        ).sorted()
    }

    /// Lets another recipient open the store.
    public func add(_ recipient: StoreRecipient) throws {
        guard let secret = keyring.secret else { throw ImageError.noIdentity(store: subject) }
        let name = StoreName.key(epoch: secret.newest.epoch, recipient: recipient.name)
        for file in [name, name + ".2"] where try objects.open(file) != nil { try objects.remove(file) }
        try objects.putTwice(name, secret.wrapped(for: recipient))
    }

    /// Takes a recipient's key file away. Who has a copy of it keeps what it opens.
    public static func remove(recipient: String, from path: BytePath) throws {
        let all = try recipients(path)
        let objects = DirectoryStore(path)
        guard all.contains(recipient) else {
            throw ImageError.unknownRecipient(recipient: recipient, store: objects.subject)
        }
        if all.count == 1 { throw ImageError.lastRecipient(store: objects.subject) }
        for file in try keyFiles(objects)
        where file.lastComponent == "\(recipient).age" || file.lastComponent == "\(recipient).age.2" {
            try objects.remove(file.name)
        }
    }
}

extension Credentials {
    /// The same without asking anybody.
    var silent: Credentials { Credentials(identities: identities) }
}

/// The plain file that says what a folder is.
struct StoreHeader {
    var store: Identifier

    init(store: Identifier) { self.store = store }

    func encoded() throws -> [UInt8] {
        let lines = Array("holdfast store \(Format.version)\nstore \(store)\nsuite \(Format.suite)\n".utf8)
        let check = try lines.withUnsafeBytes { try SHA256.digest(of: $0) }
        return lines
            + Array(
                """
                check \(hexadecimal(check.bytes.prefix(8)))
                # This folder holds encrypted backup images, written by Holdfast.
                # `holdfast images --from FOLDER` lists them, `holdfast restore` brings them back.

                """.utf8)
    }

    init(decoding bytes: [UInt8], subject: String) throws {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 4, omittingEmptySubsequences: false).prefix(4)
            .map { String(decoding: $0, as: UTF8.self) }
        guard lines.count == 4, lines[0].hasPrefix("holdfast store "), let version = Int(lines[0].dropFirst(15)) else {
            throw FormatError("it does not read like a store's")
        }
        let signed = Array(lines[0...2].map { $0 + "\n" }.joined().utf8)
        let check = try signed.withUnsafeBytes { try SHA256.digest(of: $0) }
        guard lines[3] == "check \(hexadecimal(check.bytes.prefix(8)))" else { throw FormatError("its check differs") }
        guard version == Int(Format.version), lines[2] == "suite \(Format.suite)" else {
            throw ImageError.newerFormat(subject: subject, version: version)
        }
        guard lines[1].hasPrefix("store "), let store = Identifier(hexadecimal: lines[1].dropFirst(6)) else {
            throw FormatError("it names no store")
        }
        self.store = store
    }
}
