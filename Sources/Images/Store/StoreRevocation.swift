// The end of a writer's right to write, and which of its images still count.

public import Cryptography
internal import Platform
public import Reporting
internal import Stores

extension Store {
    /// What a revocation would mean for the images of a writer that are there.
    public struct RevocationPlan: Sendable {
        /// How many go on counting.
        public var counting: Int
        /// Those that count no more.
        public var ending: [EndingImage]
        /// Images that other places of the store have, and this one never had: of its writer they count no more either.
        public var elsewhere: [Finding]
    }

    /// An image that counts no more.
    public struct EndingImage: Sendable {
        /// Eight digits.
        public var id: String
        /// Whether it says a time that would count, and came to the store later, or so the store's times say.
        public var isLate: Bool
        public var isDamaged: Bool
    }

    /// - Throws: `ImageError.imagesMissing` where images are not there that this machine has seen there: what is hidden now would never count again.
    public func revocationPlan(writer name: String, since: Int64?) throws -> RevocationPlan {
        do {
            let there = Set(try images().map(\.id)).union(prunedImages())
            let missing = try machine.missingImages(of: id, there: there)
            if let lost = missing.lost.first {
                throw ImageError.imagesMissing(store: subject, reason: "\(lost.subject): \(lost.reason)")
            }
            let judged = try judgedImages(of: reopened().writer(named: name), since: since)
            let ending = judged.filter { !$0.counts }
            return RevocationPlan(
                counting: judged.count - ending.count,  // safe: a part of them
                ending: ending.map { EndingImage(id: $0.id.short, isLate: $0.isLate, isDamaged: $0.root == nil) },
                elsewhere: missing.unsure.map { Finding(.note, subject: $0.subject, $0.reason) } + missing.elsewhere)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

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
    func revocation(of writer: Certificate, since: Int64? = nil) throws -> StoreRecord.Revocation {
        StoreRecord.Revocation(
            writer: writer.writer,
            kept: try judgedImages(of: writer, since: since).compactMap { $0.counts ? $0.root : nil })
    }

    private struct JudgedImage {
        var id: ObjectID
        /// nil where it is damaged: that counts no more than what is forged.
        var root: RootReference?
        /// Whether it says a time that counts, and came to the store after that.
        var isLate = false
        var counts = false
    }

    /// Who has a writer's key can sign any time. So what the store got later does not count either; but where that is so of all of them, the
    /// store was moved, and its times are those of the move.
    private func judgedImages(of writer: Certificate, since: Int64?) throws -> [JudgedImage] {
        let bound = since ?? .max
        var judged = try listed(.image, group: writer.group, writer: writer.writer).map { object -> JudgedImage in
            // A medium that fails is no answer.
            guard let root = try unlessDamaged({ try image(object.name) }) else {
                return JudgedImage(id: object.name.id)
            }
            let isEarly = root.label.time.seconds < bound
            let isLate = isEarly && object.written.map { $0.lowerBound >= bound } ?? false
            return JudgedImage(id: object.name.id, root: root.reference, isLate: isLate, counts: isEarly && !isLate)
        }
        if !judged.contains(where: \.counts) {
            for index in judged.indices where judged[index].isLate {
                judged[index].isLate = false
                judged[index].counts = true
            }
        }
        return judged
    }
}
