// What a certificate covers, and what records may not say.

import Cryptography
import Testing

@testable import Images

@Suite struct CertificateTests {
    private let secret: StoreSecret
    private let root: SigningKey

    init() throws {
        secret = try .generate()
        root = try #require(secret.rootKey)
    }

    private func certificate(
        group: Identifier, roles: CertificateRoles, series: [String] = []
    ) throws -> Certificate {
        try .issue(
            to: SigningKey.generate().verifyingKey, sealing: SealingPrivateKey.generate().publicKey,
            store: secret.store, rootKey: root, group: group, name: "test", time: 0, roles: roles, series: series)
    }

    private struct Signer: ObjectSigner {
        let epoch: UInt32 = 1
        let sealing: SealingPublicKey
        let indexKey: Secret
        let certificate: Certificate
        let signing: SigningKey
    }

    private func header(_ type: ObjectType, group: Identifier, by certificate: Certificate) throws -> ObjectHeader {
        var header = ObjectHeader(
            type: type,
            writer: Signer(
                sealing: secret.newest.sealing.publicKey, indexKey: secret.newest.indexSecret, certificate: certificate,
                signing: root), id: try .random(), run: try .random(), salt: [])
        header.group = group
        return header
    }

    @Test("A steward condemns and attests in every group, and writes in none")
    func steward() throws {
        let (own, other) = (try Identifier.random(), try Identifier.random())
        let steward = try certificate(group: .zero, roles: [.steward, .attest])
        #expect(try steward.covers(header(.tombstone, group: own, by: steward)))
        #expect(try steward.covers(header(.verdict, group: other, by: steward)))
        #expect(try !steward.covers(header(.image, group: own, by: steward)))
        #expect(try !steward.covers(header(.image, group: .zero, by: steward)))

        let writer = try certificate(group: own, roles: .write, series: ["plc/"])
        #expect(try writer.covers(header(.image, group: own, by: writer)))
        #expect(try !writer.covers(header(.image, group: other, by: writer)))
        #expect(try !writer.covers(header(.tombstone, group: own, by: writer)))
        let everywhere = try certificate(group: .zero, roles: [.write, .steward])
        #expect(try !everywhere.covers(header(.image, group: own, by: everywhere)))
    }

    @Test("A certificate covers the series that begin with the bytes of its prefixes, and no other spelling of them")
    func series() throws {
        let certificate = try certificate(group: .random(), roles: .write, series: ["caf\u{e9}/", ""])
        #expect(certificate.covers(series: "caf\u{e9}/plc"))
        #expect(!certificate.covers(series: "cafe\u{301}/plc"))
        #expect(certificate.covers(series: "caf\u{e9}/\u{301}"))
        #expect(!certificate.covers(series: "other"))
    }

    @Test("Records that give one epoch two keys are refused")
    func epochs() throws {
        func record(after previous: StoreRecord?, _ sealing: SealingPublicKey) throws -> StoreRecord {
            try StoreRecord(
                after: previous, store: secret.store, rootKey: root, epoch: 1, sealing: sealing, time: 0, revoked: [],
                recipients: [])
        }
        let first = try record(after: nil, secret.newest.sealing.publicKey)
        let same = try record(after: first, first.sealing)
        let other = try record(after: first, SealingPrivateKey.generate().publicKey)
        func chain(_ second: StoreRecord) throws -> RecordChain {
            try RecordChain(
                [first, second], store: secret.store, first: root.verifyingKey, root: root.verifyingKey,
                subject: "the store")
        }
        #expect(try chain(same).newest == same)
        #expect(throws: ImageError.self) { try chain(other) }
    }
}
