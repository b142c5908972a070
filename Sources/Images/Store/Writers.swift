// The writers of a store, as the parcels in its epochs name them: those that may write, and those that may no more.

internal import Cryptography
internal import Platform
internal import Stores

extension Opening {
    /// The writer that somebody means: by its name, or by the beginning of its id.
    /// - Parameter orRevoked: where none that may write is meant, one that may no more, and whose place nobody has taken.
    func writer(named name: String, orRevoked: Bool = false) throws -> Certificate {
        if let writer = try meant(by: name, among: writers()) { return writer }
        if orRevoked, let writer = try meant(by: name, among: revokedWriters()) { return writer }
        throw ImageError.unknownWriter(name: name, store: subject)
    }

    private func meant(by name: String, among writers: [Certificate]) throws -> Certificate? {
        func hasID(_ writer: Certificate) -> Bool {
            writer.writer.begins(with: name)
        }
        var found = writers.filter { ExactText($0.name) == ExactText(name) || hasID($0) }
        // A steward has the name of the machine where it was made, which is the one that is meant.
        if found.contains(where: { $0.roles.contains(.write) }) {
            found.removeAll { !$0.roles.contains(.write) && !hasID($0) }
        }
        guard found.count > 1 else { return found.first }
        throw ImageError.ambiguousWriter(
            name: name,
            candidates: found.map { $0.roles.contains(.write) ? "\($0.writer)" : "\($0.writer) (a steward)" })
    }

    /// The certificates of all writers that the newest epoch has something for, and that are not revoked.
    func writers() throws -> [Certificate] {
        try chain.epochs.last.map { try certificates($0) { chain.newest.revocation(of: $0) == nil } } ?? []
    }

    /// Those whose right was ended and whose place nobody has taken: what older epochs have for them, as far as it still counts.
    func revokedWriters() throws -> [Certificate] {
        var found: [Identifier: Certificate] = [:]
        for epoch in chain.epochs.reversed() {
            let revoked = try certificates(epoch) { chain.newest.revocation(of: $0) != nil && found[$0] == nil }
            for certificate in revoked
            where try epoch.root == chain.newest.root || chain.certificates.contains(certificate.digest) {
                found[certificate.writer] = certificate
            }
        }
        let followed = Set(try (writers() + found.values).flatMap(\.predecessors))
        return found.values.filter { $0.roles.contains(.write) && !followed.contains($0.writer) }
            .sorted { $0.writer < $1.writer }
    }

    /// The certificates in the parcels of an epoch, of those writers that are wanted.
    private func certificates(
        _ epoch: RecordChain.Epoch, where isWanted: (Identifier) -> Bool
    ) throws -> [Certificate] {
        let folder = try StoreName.keys(epoch: epoch.number, sealing: epoch.sealing)
        let parcels = try objects.list(folder).compactMap { file in
            Identifier(hexadecimal: file.lastComponent).map { (name: file.name, writer: $0) }
        }
        guard parcels.count <= Format.maximumParcels else {
            throw ImageError.damaged(subject: subject, detail: "it has more than \(Format.maximumParcels) parcels")
        }
        return try parcels.compactMap { file -> Certificate? in
            let writer = file.writer
            guard isWanted(writer), let bytes = try objects.read(file.name, limit: Format.maximumKeyLength),
                // What is no parcel of the root key speaks for nobody.
                let parcel = try? Parcel(decoding: bytes), parcel.certificate.writer == writer,
                try parcel.isIssued(by: epoch.root, epoch: epoch.number)
            else { return nil }
            return parcel.certificate
        }
    }
}
