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
    }

    public init(
        expected: StoreFingerprint? = nil, noted: [StoreFingerprint] = [],
        unpinned: @escaping @Sendable (Unpinned) throws -> Void = { _ in }
    ) {
        self.expected = expected
        self.noted = noted
        self.unpinned = unpinned
    }

    /// Compares a store with everything that is known of it.
    /// - Parameters:
    ///   - pinned: the root keys that this machine has pinned for a store of this id.
    ///   - isJoining: whether it will be pinned.
    ///   - isFile: a single file has keys of its own, which nobody can have noted.
    /// - Throws: `ImageError.foreignStore`, or what `unpinned` does.
    func check(
        _ header: StoreHeader, pinned: [VerifyingKey], isJoining: Bool, isFile: Bool = false, subject: String
    ) throws {
        let found = try StoreFingerprint(store: header.store, root: header.root)
        func refuse(_ other: StoreFingerprint) -> ImageError {
            .foreignStore(store: subject, found: "\(found)", pinned: "\(other)")
        }
        if let expected {
            // What somebody gives by hand outweighs what was pinned: that is how a pin is renewed.
            if expected == found { return }
            throw refuse(expected)
        }
        for key in pinned where key != header.root {
            throw refuse(try StoreFingerprint(store: header.store, root: key))
        }
        if !pinned.isEmpty || noted.contains(found) { return }
        try unpinned(
            Unpinned(store: subject, fingerprint: found, isForeign: !noted.isEmpty && !isFile, isJoining: isJoining))
    }
}
