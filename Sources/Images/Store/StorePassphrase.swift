// The passphrase of a store, where new keys are made: it has to open them, too, and nobody but who types it knows it.

public import Cryptography
internal import Stores

extension Store {
    /// Whether this is the passphrase that the store has now.
    public func isOpened(by passphrase: Secret) throws -> Bool {
        do { return try reopened(isWriting: false).isOpened(by: passphrase) } catch {
            throw ImageError.wrapping(error, subject: subject)
        }
    }
}

extension Opening {
    /// The store's passphrase, as somebody gives it for the keys of a new epoch.
    /// - Throws: `ImageError.passphraseNeeded`, `.otherPassphrase`.
    func passphrase(_ ask: () throws -> Secret?) throws -> Secret {
        guard let passphrase = try ask() else { throw ImageError.passphraseNeeded(store: subject) }
        guard try isOpened(by: passphrase) else { throw ImageError.otherPassphrase(store: subject) }
        return passphrase
    }

    /// Whether this is the passphrase that the store has now.
    func isOpened(by passphrase: Secret) throws -> Bool {
        guard let reader = chain.newest.recipients.first(where: { $0.name == StoreReader.passphrase }) else {
            return false
        }
        for copy in ["", ".2"] {
            guard
                let file = try objects.read("\(keyFolder)/\(reader.fileName)\(copy)", limit: Format.maximumKeyLength),
                Age.workFactor(file).map({ $0 <= Format.maximumWorkFactor }) ?? false
            else { continue }
            // What does not open with it was made with another one, or is torn; the other copy follows.
            if (try? Age.decrypt(file, passphrase: passphrase)) != nil { return true }
        }
        return false
    }
}
