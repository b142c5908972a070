// The end of a writer's right to write, and which of its images still count.

public import Cryptography
internal import Platform
internal import Stores

extension Store {
    /// Takes a writer's right to write: a new epoch without it, and a record that says which of its images still count.
    /// - Parameters:
    ///   - writer: its name or the beginning of its id.
    ///   - since: seconds since 1970; images that say a later time, or were put there later, count no more. nil: all that are there count.
    public func revoke(writer name: String, since: Int64?, passphrase: () throws -> Secret?) throws {
        do {
            let writer = try reopened().writer(named: name)
            let revocation = try revocation(of: writer, since: since)
            do { _ = try turn(KeyTurn(revoking: [revocation]), passphrase: passphrase) } catch ImageError.keysChanging {
                // As above.
                guard try reopened().chain.newest.revocation(of: writer.writer) == revocation else {
                    throw ImageError.keysChanging(store: subject)
                }
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// What a record says of a writer that may write no more: which of its images still count.
    ///
    /// Who has its key can sign any time. So what the store got later does not count either; but where that is so of all of them, the store
    /// was moved, and its times are those of the move.
    func revocation(of writer: Certificate, since: Int64? = nil) throws -> StoreRecord.Revocation {
        let bound = since ?? .max
        let early = try listed(.image, group: writer.group, writer: writer.writer).compactMap {
            object -> (root: RootReference, isLate: Bool)? in
            // What is damaged counts no more than what is forged; a medium that fails is no answer.
            guard let root = try unlessDamaged({ try image(object.name) }), root.label.time.seconds < bound else {
                return nil
            }
            return (root.reference, object.written.map { $0.lowerBound >= bound } ?? false)
        }
        let wasMoved = early.allSatisfy(\.isLate)
        return StoreRecord.Revocation(
            writer: writer.writer, kept: early.filter { wasMoved || !$0.isLate }.map(\.root))
    }
}
