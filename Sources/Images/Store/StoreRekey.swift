// A new root key for a store, for removing somebody who governed it: he has the old one, and could make keys and records for ever.
//
// The new key comes with a record, as every change of rights does, so that a crash leaves the old store or the new one. What the old key
// certified goes on counting as far as that record lists it; all that it signs afterwards is nothing to who knows the new key, and who
// knows the old one alone is told.

public import Cryptography
internal import Platform
internal import Stores

extension Store {
    /// Gives the store a new root key, and a new epoch with it.
    ///
    /// Every other machine refuses the store until somebody renews its pin; then it finds its new certificate in its parcel.
    /// - Parameters:
    ///   - recipients: whose keys are not renewed: those who are to govern, and read what is written from now on, no more.
    ///   - names: the writers that are certified anew, by name or the beginning of their ids; none: all that are not revoked. The others are
    ///     revoked, and their images that are there still count.
    ///   - passphrase: the store's, asked for where somebody opens it with one and stays.
    /// - Returns: the new fingerprint. Where the last call was interrupted after it had announced one, and nobody is left to be removed,
    ///   that one.
    public func rekey(
        without recipients: [String], writers names: [String], passphrase: () throws -> Secret?
    ) throws -> StoreFingerprint {
        do {
            let (_, _, opening) = try governing()
            let newest = opening.chain.newest
            let isAnnounced = try machine.memory(of: id).announced == newest.root
            let isDone = !newest.recipients.contains { recipients.contains($0.name) }
            var root = newest.root
            if isAnnounced && isDone {
                try opening.finishRecords()
            } else {
                let key = try SigningKey.generate()
                root = key.verifyingKey
                let kept = try whatCounts(opening, certifying: names)
                try turn(
                    KeyTurn(
                        without: Set(recipients), revoking: kept.revoked, newRoot: (key, kept.certificates)),
                    passphrase: passphrase)
            }
            try machine.remember(id) { $0.announced = nil }
            return try StoreFingerprint(store: id, root: root)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// What goes on counting under another root key: the certificates of whoever wrote an image that counts now, or something that one
    /// names; and of the writers that are not certified anew, their images.
    private func whatCounts(
        _ opening: Opening, certifying names: [String]
    ) throws -> (revoked: [StoreRecord.Revocation], certificates: Set<Digest>) {
        let writers = try opening.writers()
        let listed = names.isEmpty ? writers : try names.map { try opening.writer(named: $0) }
        let staying = Set(listed.map(\.writer))
        var certificates = opening.chain.certificates.union(try listed.map { try $0.digest })
        var known = staying
        var kept = Dictionary(
            writers.filter { !staying.contains($0.writer) }.map { ($0.writer, [RootReference]()) },
            uniquingKeysWith: { first, _ in first })
        for object in try self.listed(.image) {
            guard let root = try countingImage(object.name) else { continue }
            certificates.insert(try root.certificate.digest)
            known.insert(root.name.writer)
            if !staying.contains(root.name.writer) { kept[root.name.writer, default: []].append(root.reference) }
            for volume in root.named.volumes where !known.contains(volume.writer) {
                // Somebody of whom no image is left, but content that others cite.
                guard let certificate = try certificate(of: volume, group: root.name.group) else { continue }
                certificates.insert(try certificate.digest)
                known.insert(volume.writer)
            }
        }
        let revoked = kept.filter { opening.chain.newest.revocation(of: $0.key) == nil }
            .map { StoreRecord.Revocation(writer: $0.key, kept: $0.value) }
        return (revoked.sorted { $0.writer < $1.writer }, certificates)
    }

    private func countingImage(_ name: ObjectName) throws -> ImageRoot? {
        guard let root = try unlessDamaged({ try image(name) }), objection(to: root) == nil else { return nil }
        return root
    }

    private func certificate(of volume: VolumeReference, group: Identifier) throws -> Certificate? {
        try unlessDamaged { try volumeReader(volume, group: group).verifySignature().certificate }
    }
}
