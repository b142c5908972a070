// Keys that somebody put on a medium so that whoever tries them is kept busy.

import Cryptography
import Platform
import Stores
import Testing

@testable import Images

@Suite struct KeyLimitTests {
    @Test("An age file that is for very many is not tried for each of them")
    func stanzas() throws {
        let text = Secret(Array("holdfast store key 2\n".utf8))
        let identity = try AgeIdentity.generate()
        let others = try (0..<Format.maximumStanzas).map { _ in try AgeIdentity.generate().recipient }
        for (count, isTried) in [(Format.maximumStanzas - 1, true), (Format.maximumStanzas, false)] {
            let file = try Age.encrypt(text, to: others.prefix(count) + [identity.recipient])
            // Its text is no secret; that is known once it was opened.
            #expect(
                status { _ = try Credentials(identities: [identity]).open([file], subject: "it") { $0 } }
                    == (isTried ? 3 : 1))
        }
    }

    @Test("A store with more parcels than writers can be is refused before each of them is looked at")
    func parcels() throws {
        let plant = try Plant()
        let newest = try plant.owned().chain.newest
        let folder = try plant.file(StoreName.keys(epoch: 1, sealing: newest.sealing))
        for number in 0...Format.maximumParcels {
            let digits = String(number, radix: 16)
            try Descriptor.open(folder, .directory).makeEmpty(
                Array((String(repeating: "0", count: 32 - digits.count) + digits).utf8))
        }
        #expect(throws: ImageError.self) { try plant.owned().writers() }
    }
}

extension Descriptor {
    fileprivate func makeEmpty(_ name: [UInt8]) throws { _ = try open(name, [.write, .create, .exclusive]) }
}
