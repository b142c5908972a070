// Which keys are at hand for a store: those of an identity, which opens everything, or those of a writer, which opens
// the directories and labels of its own group. Whoever reads objects asks here.

internal import Cryptography
internal import Platform

final class Keyring: Sendable {
    let secret: StoreSecret?
    let writer: WriterKey?
    private let cache = Cache()

    /// Group keys are asked for at every object, and derived once.
    private final class Cache: @unchecked Sendable {
        let monitor = Monitor()
        var groups: [String: GroupKeys] = [:]
    }

    init(secret: StoreSecret?, writer: WriterKey?) {
        self.secret = secret
        self.writer = writer
    }

    /// The keys of a group, or nil where neither identity nor writer key gives them.
    func group(_ id: Identifier, epoch: UInt32) -> GroupKeys? {
        if let writer, writer.group.id == id, writer.epoch == epoch { return writer.group }
        guard let epochSecret = secret?.epoch(epoch) else { return nil }
        return cache.monitor.withLock {
            let name = "\(epoch) \(id)"
            if let known = cache.groups[name] { return known }
            let keys = try? epochSecret.group(id)
            cache.groups[name] = keys
            return keys
        }
    }

    /// The key that opens object keys, or nil without an identity.
    func sealing(epoch: UInt32) -> SealingPrivateKey? { secret?.epoch(epoch)?.sealing }

    /// The key that tells certified writers.
    func storeVerifying(epoch: UInt32) -> VerifyingKey? {
        if let writer, writer.epoch == epoch { return writer.storeVerifying }
        return secret?.epoch(epoch)?.signing.verifyingKey
    }
}
