// The keys of the vectors, written by the independent writer, are the keys that this program derives.

import Cryptography
import Foundation
import Platform
import Testing

@testable import Images

@Suite struct VectorTests {
    @Test("Every key and every digest of the vectors is what this program derives from the store's secret")
    func keys() throws {
        let folder = BytePath(#filePath).parent.parent.parent.appending("Testdata/vectors")
        let file = try readWhole(folder.appending("keys.json"), limit: 1 << 20)
        let expected = flat(try JSONSerialization.jsonObject(with: Data(file)))

        let age = try readWhole(folder.appending("store/k/1/\(expected["recipient"] ?? "").age"), limit: 1 << 16)
        let text = String(decoding: try readWhole(folder.appending("identity.txt"), limit: 4096), as: UTF8.self)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("AGE-SECRET-KEY-") })
        let identity = try AgeIdentity(String(line))
        let secret = try Credentials(identities: [identity]).open([age], store: nil, subject: "the vectors").newest
        let group = try secret.group(named: expected["group name"] ?? "")
        let certificate = try Certificate(decoding: decodeHexadecimal(expected["certificate"] ?? "") ?? [])
        #expect(try certificate.isIssued(by: secret.signing.verifyingKey))
        let gear = try group.gearTable(store: secret.store)

        var derived = [
            "store": "\(secret.store)", "epoch": "\(secret.epoch)", "recipient": identity.recipient.string,
            "secret": secret.withLines {
                $0.split(separator: UInt8(ascii: " ")).last.map { String(decoding: $0.dropLast(), as: UTF8.self) }
            } ?? "",
            "sealing private": hexadecimal(secret.sealing.raw),
            "sealing public": hexadecimal(secret.sealing.publicKey.rawBytes),
            "signing seed": hexadecimal(secret.signing.seed),
            "signing public": hexadecimal(secret.signing.verifyingKey.rawBytes),
            "group name": "vectors", "group": "\(group.id)", "chunk id key": hexadecimal(group.chunkKey),
            "index key": hexadecimal(group.indexKey), "writer public": hexadecimal(certificate.key.rawBytes),
            "writer": "\(certificate.writer)", "certificate": hexadecimal(certificate.encoded),
        ]
        for (index, word) in gear.prefix(4).enumerated() {
            let digits = String(word, radix: 16)
            derived["gear \(index)"] = String(repeating: "0", count: 16 - digits.count) + digits
        }
        for (key, value) in try object(in: folder, expected, store: secret) { derived["object \(key)"] = value }
        let labels = try images(in: folder, store: secret)
        for (index, id) in labels.enumerated() { derived["images \(index)"] = id }
        for (key, value) in expected { #expect(derived[key] == value, "\(key)") }
        #expect(derived.count == expected.count)
    }

    /// What the object reader makes of the volume that the vectors describe.
    private func object(
        in folder: BytePath, _ expected: [String: String], store secret: EpochSecret
    ) throws -> [String: String] {
        let name = expected["object file"] ?? ""
        let bytes = try readWhole(folder.appending(name), limit: 1 << 20)
        let keyring = Keyring(secret: StoreSecret(store: secret.store, epochs: [secret]), writer: nil)
        let reader = try ObjectReader([MemorySource(bytes)], subject: name, keyring: keyring)
        let rows = try #require(reader.directory())
        let digest = try reader.verifySignature()
        // The message is what was signed: the header's part of it is ours, and all of it hashes to the digest.
        let message = try #require(decodeHexadecimal(expected["object signed message"] ?? ""))
        let signed = Array("holdfast/1/object".utf8) + reader.header.signedPart(length: UInt64(bytes.count))
        #expect(message.starts(with: signed))
        #expect(try message.withUnsafeBytes { try SHA256.digest(of: $0) } == digest)
        let tail = bytes.count - Format.headerLength - Format.trailerLength
        return [
            "file": name, "id": "\(reader.header.id)", "length": "\(bytes.count)", "digest": hexadecimal(digest.bytes),
            "index key": hexadecimal(try #require(reader.indexKey)),
            "object key": hexadecimal(try #require(reader.objectKey)),
            "header": hexadecimal(try reader.header.encoded()),
            "header at the end": hexadecimal(
                try ObjectHeader(decoding: Array(bytes[tail..<tail + Format.headerLength]), subject: name).encoded()),
            "signed message": hexadecimal(message), "first chunk offset": "\(rows[0].offset)",
            "first chunk id": hexadecimal(rows[0].id.bytes),
        ]
    }

    /// The ids of the store's images, in order of their times.
    private func images(in folder: BytePath, store secret: EpochSecret) throws -> [String] {
        let keyring = Keyring(secret: StoreSecret(store: secret.store, epochs: [secret]), writer: nil)
        let store = Store(
            objects: DirectoryStore(folder.appending("store")), id: secret.store, keyring: keyring)
        return try store.images().map { ("\($0.id)", try #require($0.label).time) }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    private func hexadecimal(_ secret: Secret) -> String { secret.withUnsafeBytes { Platform.hexadecimal($0) } }
    private func hexadecimal(_ bytes: [UInt8]) -> String { Platform.hexadecimal(bytes) }

    /// Each value by the way to it: "object first chunk offset", "gear 0".
    private func flat(_ value: Any) -> [String: String] {
        switch value {
        case let object as [String: Any]:
            object.reduce(into: [:]) { all, member in
                for (key, value) in flat(member.value) {
                    all[key.isEmpty ? member.key : "\(member.key) \(key)"] = value
                }
            }
        case let array as [Any]:
            flat(Dictionary(uniqueKeysWithValues: array.enumerated().map { ("\($0.offset)", $0.element) }))
        default: ["": "\(value)"]
        }
    }
}
