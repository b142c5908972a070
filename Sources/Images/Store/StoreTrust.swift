// Which store it has to be. Who holds the medium can put any keys on it, his own among them; what tells one store from another is its
// fingerprint, and it has to come from somewhere else.

internal import Cryptography
internal import Platform

/// What is known of a store's fingerprint before it is opened.
public struct StoreTrust: Sendable {
    /// What somebody wrote down for this very store: on the command line, in the configuration.
    public var expected: StoreFingerprint?
    /// Those of all stores that the identities at hand are noted for.
    public var noted: [StoreFingerprint]
    /// Called where nothing is pinned, once per opening; throws where the store is not to be used.
    public var unpinned: @Sendable (Unpinned) throws -> Void

    /// A store of which nothing is known.
    public struct Unpinned: Sendable {
        public var store: String
        public var fingerprint: StoreFingerprint
        /// The identities are noted for other stores, and not for this one.
        public var isForeign: Bool
        /// A machine is about to join it and will trust it from then on.
        public var isJoining: Bool
        /// What was pinned until another root key took the place of the store's. Only a person can say that this was no stranger.
        public var replaced: StoreFingerprint?
    }

    public init(
        expected: StoreFingerprint? = nil, noted: [StoreFingerprint] = [],
        unpinned: @escaping @Sendable (Unpinned) throws -> Void = { _ in }
    ) {
        self.expected = expected
        self.noted = noted
        self.unpinned = unpinned
    }

    /// The root key that counts, of those that a store's records name: everything that is known of it is compared.
    ///
    /// A pin is never carried on to a key that took the place of the pinned one, though that one agreed to it: it may be in the hands of
    /// somebody whose rights were to be ended.
    /// - Parameters:
    ///   - pinned: the root keys that this machine has met in a store of this id; the first is its pin.
    ///   - isJoining: whether it will be pinned.
    ///   - isFile: a single file has keys of its own, which nobody can have noted.
    /// - Returns: the key, and whether anything says that it is the right one. To read from a store is no word for it.
    /// - Throws: `ImageError.foreignStore`, `.otherFingerprint`, `.rekeyed`, or what `unpinned` does.
    func root(
        of records: StoreRecords, pinned: [VerifyingKey], isJoining: Bool = false, isFile: Bool = false, subject: String
    ) throws -> (key: VerifyingKey, isConfirmed: Bool) {
        func print(_ root: VerifyingKey) throws -> StoreFingerprint {
            try StoreFingerprint(store: records.store, root: root)
        }
        let newest = records.newestRoots()
        func foreign(_ other: StoreFingerprint) throws -> ImageError {
            .foreignStore(
                store: subject, found: try newest.map { "\(try print($0))" }.joined(separator: " or "),
                pinned: "\(other)")
        }
        /// What is pinned, unless another key has taken its place.
        func newestOnly(_ root: VerifyingKey) throws -> VerifyingKey {
            let newer = records.newestRoots(after: root)
            if newer == [root] { return root }
            if isJoining, expected == nil, newer.count == 1 {
                try unpinned(
                    Unpinned(
                        store: subject, fingerprint: try print(newer[0]), isForeign: false, isJoining: true,
                        replaced: try print(root)))
                return newer[0]
            }
            throw ImageError.rekeyed(
                store: subject, pinned: "\(try print(root))", found: try newer.map { "\(try print($0))" })
        }
        if let expected {
            // What somebody gives by hand outweighs what was pinned: that is how a pin is renewed.
            guard let root = try records.roots.first(where: { try print($0) == expected }) else {
                throw ImageError.otherFingerprint(
                    store: subject, found: try newest.map { "\(try print($0))" }.joined(separator: " or "),
                    given: "\(expected)")
            }
            return (try newestOnly(root), true)
        }
        for key in pinned where !records.roots.contains(key) { throw try foreign(print(key)) }
        if let pin = pinned.first { return (try newestOnly(pin), true) }
        if let root = try newest.first(where: { noted.contains(try print($0)) }) { return (root, true) }
        if let root = try records.roots.first(where: { noted.contains(try print($0)) }) {
            return (try newestOnly(root), true)
        }
        guard let root = newest.first, newest.count == 1 else {
            throw ImageError.contradicted(
                store: subject,
                detail: "several keys say that they took the place of its root key, with the fingerprints "
                    + (try newest.map { "\(try print($0))" }.joined(separator: " and "))
                    + "; `--store-fingerprint` says which one is meant")
        }
        try unpinned(
            Unpinned(
                store: subject, fingerprint: try print(root), isForeign: !noted.isEmpty && !isFile,
                isJoining: isJoining))
        return (root, isJoining)
    }
}
