// What a writer finds in the folder of each epoch: the key with which it goes on, and its certificate for whoever asks who may write.

internal import Cryptography
internal import Platform

/// K_index of one epoch, sealed to one writer, and signed by the root key.
struct Parcel: Sendable {
    let certificate: Certificate
    private let sealed: [UInt8]
    private let signature: [UInt8]

    private static let magic = Array("holdfast parcel 2\n".utf8)
    private static let info = Array("holdfast/1/parcel".utf8)

    /// The file of a new parcel.
    static func make(
        for certificate: Certificate, epoch: UInt32, indexKey: Secret, rootKey: SigningKey
    ) throws -> [UInt8] {
        let place = place(certificate, epoch)
        let sealed = try HPKE.seal(indexKey, to: certificate.sealing, info: info, aad: place)
        var bytes = magic
        bytes.append(field: 1, certificate.encoded)
        bytes.append(field: 2, sealed)
        bytes.append(field: 3, try rootKey.signature(for: info + place + sealed))
        return bytes
    }

    /// Store, epoch, group and writer: a parcel opens at its own place only.
    private static func place(_ certificate: Certificate, _ epoch: UInt32) -> [UInt8] {
        var bytes = certificate.store.bytes
        bytes.append(integer: epoch)
        return bytes + certificate.group.bytes + certificate.writer.bytes
    }

    init(decoding bytes: [UInt8]) throws {
        guard bytes.count <= Format.maximumKeyLength, bytes.starts(with: Self.magic) else {
            throw FormatError("it is no parcel of this version")
        }
        var reader = WireReader(bytes, Self.magic.count..<bytes.count)
        var certificate: Certificate?
        var sealed: [UInt8]?
        var signature: [UInt8]?
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1: certificate = try Certificate(decoding: value.rest())
            case 2: sealed = value.rest()
            case 3: signature = value.rest()
            default: break
            }
        }
        guard let certificate, let sealed, let signature else { throw FormatError("a parcel is incomplete") }
        self.certificate = certificate
        self.sealed = sealed
        self.signature = signature
    }

    /// Whether the root key made it for this epoch.
    func isIssued(by root: VerifyingKey, epoch: UInt32) throws -> Bool {
        try certificate.isIssued(by: root)
            && root.isValid(signature, for: Self.info + Self.place(certificate, epoch) + sealed)
    }

    /// K_index, with the writer's own key.
    func open(with key: SealingPrivateKey, epoch: UInt32) throws -> Secret {
        let secret = try HPKE.open(sealed, with: key, info: Self.info, aad: Self.place(certificate, epoch))
        guard secret.count == 32 else { throw FormatError("a key has 32 bytes") }
        return secret
    }
}
