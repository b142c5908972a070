// The plan of taking a recipient out of a store.

public import Cryptography
public import Machine
internal import Platform

/// What taking a recipient's right to open a store is going to do.
public struct RecipientRemoval: Plan, Sendable {
    public var verb: String { "key remove" }
    /// `age1…` or `passphrase`.
    public let recipient: String
    /// nil: no record lists it; it has key files of a change that was cut off.
    public let listed: StoreReader?
    /// Those who still open what is written from then on.
    public let staying: [StoreReader]
    let store: String
    /// The newest record of the store: another one makes another plan.
    let record: (number: UInt32, digest: Digest)

    public var basis: [String] { [store, "\(record.number)", hexadecimal(record.digest.bytes), recipient] }
}

extension Store {
    /// The plan of taking a recipient's right to open what is written from then on.
    /// - Throws: where that cannot be done: before anybody is asked whether he means it.
    public func planRemoval(of recipient: String) throws -> RecipientRemoval {
        do {
            let newest = try reopened(isWriting: false).chain.newest
            return RecipientRemoval(
                recipient: recipient, listed: newest.recipients.first { $0.name == recipient },
                staying: try recipients(of: newest, after: KeyTurn(without: [recipient])), store: identifier,
                record: (newest.number, newest.digest))
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Carries it out: a new epoch, with keys for everybody else.
    /// - Parameter passphrase: the store's, asked for where somebody opens it with one and stays.
    public func remove(_ plan: RecipientRemoval, passphrase: () throws -> Secret?) throws {
        // Where it cannot be made, somebody else has just done it, or has left nobody else who governs.
        try plan.check(isStill: { try planRemoval(of: plan.recipient) }, unless: ImageError.self)
        try remove(recipient: plan.recipient, passphrase: passphrase)
    }
}
