// Which keys are at hand for a store: those of an identity, which opens everything; those of a writer, which opens the directories and
// labels of its own group; those of a steward, which opens the labels and lists of all. Whoever reads objects asks here.

internal import Cryptography
internal import Platform

final class Keyring: Sendable {
    let secret: StoreSecret?
    let writer: WriterKey?
    let steward: StewardKey?
    /// Tells certified keys from others; nil where there is no store yet.
    private let root: VerifyingKey?
    /// Certificates of earlier root keys that go on counting, by their digests.
    private let certificates: Set<Digest>
    private let cache = Cache()

    /// Keys are asked for at every object, and derived once; certificates are checked once.
    private final class Cache: @unchecked Sendable {
        let monitor = Monitor()
        var groups: [Identifier: GroupKeys] = [:]
        var indexKeys: [Place: Secret] = [:]
        var certificates: Set<[UInt8]> = []
    }

    private struct Place: Hashable {
        var group: Identifier
        var epoch: UInt32
    }

    init(chain: RecordChain?, secret: StoreSecret? = nil, writer: WriterKey? = nil, steward: StewardKey? = nil) {
        root = chain?.newest.root
        certificates = chain?.certificates ?? []
        self.secret = secret
        self.writer = writer
        self.steward = steward
    }

    /// The keys of a group's content, or nil where neither identity nor writer key gives them.
    func group(_ id: Identifier) throws -> GroupKeys? {
        if let writer, writer.group.id == id { return writer.group }
        guard let secret else { return nil }
        if let known = cache.monitor.withLock({ cache.groups[id] }) { return known }
        let keys = try secret.oldest.group(id)
        cache.monitor.withLock { cache.groups[id] = keys }
        return keys
    }

    /// K_index of a group in an epoch, or nil where no key at hand gives it.
    func indexKey(_ group: Identifier, epoch: UInt32) throws -> Secret? {
        if let writer, writer.group.id == group, let known = writer.epoch(epoch) { return known.indexKey }
        let place = Place(group: group, epoch: epoch)
        if let known = cache.monitor.withLock({ cache.indexKeys[place] }) { return known }
        let key = try secret?.epoch(epoch)?.indexKey(group) ?? steward?.indexKey(group, epoch: epoch)
        if let key { cache.monitor.withLock { cache.indexKeys[place] = key } }
        return key
    }

    /// The key that opens object keys, or nil without an identity.
    func sealing(epoch: UInt32) -> SealingPrivateKey? { secret?.epoch(epoch)?.sealing }

    /// Whether a certificate is this store's, and for whoever wrote an object with this header.
    func accepts(_ certificate: Certificate, for header: ObjectHeader) throws -> Bool {
        guard let root, certificate.covers(header) else { return false }
        if cache.monitor.withLock({ cache.certificates.contains(certificate.encoded) }) { return true }
        guard try certificate.isIssued(by: root) || certificates.contains(certificate.digest) else { return false }
        cache.monitor.withLock { _ = cache.certificates.insert(certificate.encoded) }
        return true
    }
}
