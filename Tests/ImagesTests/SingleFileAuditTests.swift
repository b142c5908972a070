// Whether a single file is as it was written: each byte of it, and its length.

import Platform
import Reporting
import TestSupport
import Testing

@testable import Images

@Suite struct SingleFileAuditTests {
    private let scratch: Scratch
    private let image: HostileImage
    private let bytes: [UInt8]
    private var file: BytePath { scratch.file("image.hf") }

    init() throws {
        scratch = try Scratch()
        image = try HostileImage()
        image.records.source("/tree")
        image.records.enter("tree")
        try image.file("a", Array("content".utf8))
        image.records.leave()
        try image.batch(Position())
        bytes = try image.whole(sources: ["/tree"])
    }

    private final class Said: @unchecked Sendable { var reasons: [String] = [] }

    /// What verify says of a file; nil where it gives up.
    private func said(_ bytes: [UInt8]) throws -> [String]? {
        try put(file, bytes)
        let said = Said()
        let findings = Findings { said.reasons.append($0.reason) }
        do {
            let report = try SingleFile.verify(
                file, credentials: image.credentials, machine: scratch.machine(), progress: Progress(),
                findings: findings)
            #expect(report.findings == findings.count)
            return findings.count > 0 ? said.reasons : []
        } catch { return nil }
    }

    /// Every place in a whole run; else some, never the same ones by a length of a part.
    private var places: [Int] { runsAll ? Array(bytes.indices) : Array(stride(from: 3, to: bytes.count, by: 53)) }

    @Test("A flipped bit anywhere in a single file is found, in what there is two times, too")
    func flipped() throws {
        #expect(try said(bytes)?.isEmpty == true)
        for place in places {
            var damaged = bytes
            damaged[place] ^= 1 << UInt8(place % 8)
            #expect(try said(damaged)?.isEmpty != true, "\(place) of \(bytes.count)")
        }
    }

    @Test("A file that was cut anywhere is found, at its last byte and in its last copy, too")
    func cut() throws {
        for length in places + [bytes.count - 1] {
            #expect(try said(Array(bytes.prefix(length)))?.isEmpty != true, "\(length) of \(bytes.count)")
        }
        #expect(try said(bytes + [0])?.isEmpty != true)
    }

    @Test("Of a copy that is damaged it is said that the content is whole, and what to do")
    func words() throws {
        let keys = try ObjectHeader(decoding: Array(bytes.prefix(Format.headerLength)), subject: "it").length
        let last = bytes.count - 1
        for (place, text) in [
            (Int(keys) - Format.endLength - 1, "the first copy of its keys is damaged"),
            (2 * Int(keys) - Format.endLength - 1, "the second copy of its keys is damaged"),
            (last - Format.endLength, "the second copy of its root is damaged"),
        ] {
            var damaged = bytes
            damaged[place] ^= 1
            let said = try #require(try said(damaged))
            #expect(said.count == 1 && said[0].hasPrefix(text), "\(said)")
            #expect(said[0].contains("content is whole") && said[0].hasSuffix("copy it, or back it up anew"))
        }
        let said = try #require(try said(Array(bytes.dropLast(300))))
        #expect(said.count == 1 && said[0].hasPrefix("the second copy of its root is damaged (it ends too early)"))
    }
}
