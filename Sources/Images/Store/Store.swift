// A store, opened with the keys at hand: which it is, what its root key has said of it, and what this machine remembers.

internal import Cryptography
public import Platform
public import Reporting
public import Stores
internal import Synchronization

/// Whether a server has refused to list what other groups wrote.
final class ListingLimits: Sendable {
    private let noted = Mutex(false)
    var isNoted: Bool { noted.withLock { $0 } }
    func note() { noted.withLock { $0 = true } }
}

public final class Store: Sendable {
    let objects: any ObjectStore
    let header: StoreHeader
    let chain: RecordChain
    let keyring: Keyring
    let machine: MachineState
    /// What the opening found that does not keep anybody from reading.
    public let findings: [Finding]
    let limits = ListingLimits()
    /// What cannot be seen, where its server shows a machine no more than its own group.
    public var limitation: Finding? {
        limits.isNoted
            ? Finding(.note, subject: subject, "its server lists what is of this machine's own group, and nothing else")
            : nil
    }

    var id: Identifier { header.store }
    public var subject: String { objects.subject }
    /// The store's id as 32 hexadecimal digits.
    public var identifier: String { id.description }
    /// What a person compares.
    public let fingerprint: StoreFingerprint
    /// Whether an identity is at hand, so that contents can be read.
    public var canRead: Bool { keyring.secret != nil }
    /// The name of the group that this machine writes to.
    public var groupName: String? { keyring.writer?.groupName }

    /// - Parameter objects: a copy of it; nil for itself.
    init(_ opening: Opening, keyring: Keyring, in objects: (any ObjectStore)? = nil) throws {
        self.objects = objects ?? opening.objects
        header = opening.header
        chain = opening.chain
        machine = opening.machine
        findings = opening.findings
        fingerprint = try StoreFingerprint(store: opening.header.store, root: opening.chain.newest.root)
        self.keyring = keyring
    }

    // MARK: Opening

    /// What a caller needs of a store.
    public enum Purpose: Sendable {
        /// What it says of itself to everybody: no key.
        case look
        /// Contents: an identity.
        case read
        /// Labels: an identity, a writer key or a steward key.
        case list
        /// All that the keys at hand open, to see whether it is whole: an identity, or a steward key, which opens no content.
        case verify
        /// All roots and lists, to remove what nothing needs: a steward key, or an identity that governs. No right to write is enough.
        case prune
        /// New images: a writer key, which an identity issues where there is none.
        case write
    }

    /// Opens the store in a folder.
    public static func open(
        _ path: BytePath, for purpose: Purpose, credentials: Credentials, machine: MachineState
    ) throws -> Store {
        try open(FolderStore(path), for: purpose, credentials: credentials, machine: machine)
    }

    /// Opens a store.
    /// - Parameter credentials: its keys are consulted only where the purpose needs them or no writer key is there.
    public static func open(
        _ objects: any ObjectStore, for purpose: Purpose, credentials: Credentials, machine: MachineState
    ) throws -> Store {
        do {
            // Who looks whether it is whole has to see what is there.
            let objects = purpose == .verify || purpose == .prune ? objects.uncached : objects
            let opening = try Opening(
                objects, credentials: credentials, machine: machine, isWriting: purpose == .write)
            let store =
                switch purpose {
                case .look: try Store(opening, keyring: Keyring(chain: opening.chain, writer: opening.writer))
                case .read: try openForReading(opening, credentials)
                case .list: try openForListing(opening, credentials)
                case .verify, .prune:
                    if credentials.identities.isEmpty, let steward = try opening.currentSteward(credentials) {
                        try Store(
                            opening,
                            keyring: Keyring(chain: opening.chain, writer: opening.writer, steward: steward))
                    } else if credentials.identities.isEmpty, credentials.steward != nil {
                        throw ImageError.stewardOfOtherStore(store: opening.subject)
                    } else {
                        try openForReading(opening, credentials)
                    }
                case .write: try openForWriting(opening, credentials)
                }
            opening.remember()
            return store
        } catch { throw ImageError.wrapping(error, subject: objects.subject) }
    }

    private static func openForReading(_ opening: Opening, _ credentials: Credentials) throws -> Store {
        if credentials.identities.isEmpty, credentials.steward != nil {
            throw ImageError.stewardReadsNothing(store: opening.subject)
        }
        let secret = try opening.secret(credentials)
        return try Store(
            opening,
            keyring: Keyring(
                chain: opening.chain, secret: secret, writer: opening.writer,
                steward: opening.currentSteward(credentials)))
    }

    private static func openForListing(_ opening: Opening, _ credentials: Credentials) throws -> Store {
        if let steward = try opening.currentSteward(credentials) {
            return try Store(
                opening, keyring: Keyring(chain: opening.chain, writer: opening.writer, steward: steward))
        }
        guard opening.writer != nil else { return try openForReading(opening, credentials) }
        // With a writer key the identity is a help, and its lack is none.
        let secret = try? opening.secret(credentials.silent)
        return try Store(
            opening, keyring: Keyring(chain: opening.chain, secret: secret, writer: opening.writer))
    }

    private static func openForWriting(_ opening: Opening, _ credentials: Credentials) throws -> Store {
        // Asked of a server in use it is a round trip for nothing: verify names what is missing.
        let isInUse =
            try opening.objects.isFar && opening.machine.memory(of: opening.header.store).root != nil
        if !isInUse { try opening.finishHeader() }
        guard let key = opening.writer, opening.chain.roots.contains(key.root) else {
            return try join(opening, JoinRequest(), credentials)
        }
        let writer = try opening.currentWriter()
        return try Store(opening, keyring: Keyring(chain: opening.chain, writer: writer))
    }

    /// Whether there is a store. Its second header alone is one, too, and what was cut off before it was one is none. A failure is no answer.
    public static func exists(_ objects: any ObjectStore) throws -> Bool {
        do {
            for name in [StoreName.header, StoreName.header + ".2"] {
                if try objects.contains(name) { return try !StoreHeader.isCut(objects) }
            }
            return false
        } catch { throw ImageError.wrapping(error, subject: objects.subject) }
    }

    public static func exists(_ path: BytePath) throws -> Bool { try exists(FolderStore(path)) }

    /// The id of the store that is there, as 32 hexadecimal digits.
    public static func identifier(of objects: any ObjectStore) throws -> String {
        "\(try StoreHeader.read(objects).store)"
    }

    /// Whether two stores are one: the same id and the same first root key.
    public static func isReplica(_ a: any ObjectStore, _ b: any ObjectStore) throws -> Bool {
        try StoreHeader.read(a) == StoreHeader.read(b)
    }

    /// Changes what this machine remembers, where it can: on a rescue system it may remember nothing.
    func remember(_ change: (inout StoreMemory) -> Void) {
        try? machine.remember(id, change)  // The next run sees the same and tries again.
    }
}
