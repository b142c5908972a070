// What a machine keeps of a store far away, so that it is not asked for twice.

internal import Platform
public import Stores

extension StoreName {
    /// What is worth keeping of a store far away: names that belong to one content for ever, and what is read again within one command.
    static func keeping(_ name: String) -> Keeping {
        if name == header || name == header + ".2" { return .briefly }
        return name.hasPrefix("e/") || name.hasPrefix("x/") ? .lastingly : .no
    }

    /// Whether it is whole, as far as that can be told without keys.
    static func isSound(_ name: String, _ bytes: [UInt8]) -> Bool {
        if name.hasPrefix("e/") {
            // What is no record is not kept.
            guard let record = try? StoreRecord(unchecked: bytes) else { return false }
            return self.record(record) == ObjectName.withoutSecond(name)
        }
        return !name.hasPrefix("x/") || (try? MemorySource(bytes).isWhole()) == true  // Memory can be read.
    }
}

extension MachineState {
    /// A store far away, with what this machine keeps of it.
    public func cached(_ store: any ObjectStore) -> any ObjectStore {
        guard store.isFar else { return store }
        // The ids in all names are random: one folder serves all stores.
        return CachingStore(
            store, folder: isReadOnly ? nil : cache.appending("objects"), keeping: StoreName.keeping,
            isSound: StoreName.isSound)
    }
}
