// What newer records cost a replica: images that it alone has, of a writer whose right was ended meanwhile. The records name the images
// that go on counting, and nobody who wrote them knew of these.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

extension Store {
    /// Refuses to bring records that would end what images in the target alone count for.
    /// - Parameter isAccepted: somebody has said that they may be lost; they are named.
    static func refuseEnding(
        imagesIn target: any ObjectStore, by source: Opening, isAccepted: Bool, _ findings: Findings
    ) throws {
        let chain = source.chain
        let known = Set(try Opening.readRecords(target, source.header).records.map(\.digest))
        guard let last = chain.records.lastIndex(where: { known.contains($0.digest) }), last + 1 < chain.records.count
        else { return }
        let before = try RecordChain(
            Array(chain.records[...last]), store: source.header.store, first: source.header.root,
            root: chain.records[last].root, subject: target.subject)
        let offered = Set(try source.objects.list("i").map { ObjectName.withoutSecond($0.name) })
        var ended: [ObjectID] = []
        let names = Set(
            try target.list("i").filter { !offered.contains(ObjectName.withoutSecond($0.name)) }.map(\.name))
        for name in Set(names.compactMap { ObjectName($0) }).sorted()
        where try counts(name, in: target, by: before) && !counts(name, in: target, by: chain) {
            ended.append(name.id)
        }
        if ended.isEmpty { return }
        let images = ended.map(\.short)
        guard isAccepted else {
            throw ImageError.imagesWouldEnd(store: target.subject, source: source.subject, images: images)
        }
        // What nothing counts for is missed nowhere. A rescue system may remember nothing.
        try? source.machine.remember(source.header.store) { memory in ended.forEach { memory.forget($0) } }
        for image in images {
            findings.add(
                Finding(
                    .note, subject: "image \(image)",
                    "it counts no more in \(target.subject): its writer's right has ended"))
        }
    }

    static func counts(_ name: ObjectName, in target: any ObjectStore, by chain: RecordChain) throws -> Bool {
        let copies = try name.both.compactMap { try target.openIfPresent($0) }
        let keyring = Keyring(chain: chain)
        // What nobody with the right has signed, or is damaged, counts for nothing either way.
        guard let reader = try? ObjectReader(copies, subject: name.text, keyring: keyring, name: name),
            // As above.
            let proof = try? reader.verifySignature()
        else { return false }
        guard let revocation = chain.newest.revocation(of: name.writer) else { return true }
        return revocation.kept.contains(RootReference(id: name.id, digest: proof.digest))
    }
}

extension Replica {
    /// Whether a root is an image of a writer whose right has ended, and not one that goes on counting.
    func isEnded(_ root: StoredObject, by chain: RecordChain) throws -> Bool {
        guard let name = ObjectName(root.name), chain.newest.revocation(of: name.writer) != nil else { return false }
        return try !Store.counts(name, in: source, by: chain)
    }
}
