// What a machine does in a store, as rights: what it creates, reads and lists. Nothing else of it is needed on a server.

public import Stores

extension Store {
    /// The name of an object that a machine, or a steward, may create to see what its store makes of it; nil where no key to write is at hand.
    private var probeName: String? {
        keyring.writer.map { "c/\($0.group.id)/\($0.writer)/probe" }
            ?? keyring.steward.map { "d/\(Identifier.zero)/\($0.certificate.writer)/probe" }
    }

    /// What the server keeps to, tried on an object of this machine's own.
    /// - Returns: nil for a folder, and where this machine does not write to the store.
    public func promises() throws -> StorePromises? {
        guard let server = objects.probed, let probeName else { return nil }
        do { return try server.promises(probeName) } catch { throw ImageError(error) }
    }

    /// The error where a server does not let this key read contents at all, which is no damage of any.
    func closed(_ error: any Error) -> ImageError? {
        guard objects.probed != nil, let failure = ImageError.storeFailure(error), failure.reason == .refused else {
            return nil
        }
        return .closed(failure)
    }

    /// Makes the folders of this machine beforehand, where a server has any: the account that it writes with later may be one that makes
    /// none. Where this one makes none either, it finds out when it writes.
    func makeOwnFolders() throws {
        guard let writer = keyring.writer, objects.isFar else { return }
        for kind in ["v", "x", "i", "c"] {
            do { try objects.makeFolder("\(kind)/\(writer.group.id)/\(writer.writer)") } catch {
                if error.reason != .refused { throw ImageError(error) }
                return
            }
        }
    }

    /// The least rights for this machine, in the server's words; nil for a folder.
    public func policy() throws -> StorePolicy? {
        guard let server = objects.probed else { return nil }
        guard let writer = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
        let group = writer.group.id
        return server.policy(
            creating: ["v", "x", "i", "c"].map { "\($0)/\(group)/\(writer.writer)/" },
            reading: [StoreName.header, StoreName.header + ".2", "e/", "k/"]
                + ["i", "x", "c", "d", "a"].map { "\($0)/\(group)/" },
            listing: [StoreName.header, "e/", "k/"] + ["v", "i", "x", "c", "d", "a"].map { "\($0)/\(group)/" },
            hiding: ["v/"])
    }
}
