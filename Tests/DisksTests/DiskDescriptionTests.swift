// What an image says of a disk is somebody's word: whatever it is, nothing of the target is written before it is looked at, and nothing traps.

import Disks
import Platform
import Reporting
import TestSupport
import Testing

@Suite struct DiskDescriptionTests {
    /// As an image has it, of a disk of 64 MiB.
    private static let good = """
        {"version":1,"name":"/dev/sda","size":67108864,"sectorSize":512,"leftOut":[],"remarks":[],\
        "table":{"kind":"gpt","id":"11111111-2222-3333-4444-555555555555","bootSector":"\(String(repeating: "00", count: 510))55aa",\
        "entryCount":128,"firstUsable":1048576,"partitions":[\
        {"number":1,"start":1048576,"length":16777216,"type":"C12A7328-F81F-11D2-BA4B-00A0C93EC93B","id":"11111111-2222-3333-4444-555555555556"},\
        {"number":2,"start":17825792,"length":33554432,"type":"0FC63DAF-8483-4772-8E79-3D69D8477DE4","id":"11111111-2222-3333-4444-555555555557"}]},\
        "volumes":[{"stream":"gap","start":17408,"size":1031168,"way":"raw","used":1031168},\
        {"stream":"part1","partition":1,"start":1048576,"size":16777216,"way":"raw","used":16777216},\
        {"stream":"part2","partition":2,"start":17825792,"size":33554432,"way":"files","used":1000000,"content":"ext4",\
        "trees":[{"source":"/"}],"recipe":{"type":"ext4","features":["has_journal"],"blockSize":4096}}]}
        """

    /// What becomes of it, up to where somebody would agree.
    private func plan(_ text: [UInt8], _ target: BytePath) -> (isShown: Bool, error: any Error) {
        var isShown = false
        let restoration = DiskRestoration(
            to: target, image: "", DiskRestoreOptions(), progress: Progress(), findings: Findings()
        ) { _ in
            isShown = true
            return nil
        }
        do { try restoration.begin("/dev/sda", description: text) } catch { return (isShown, error) }
        Issue.record("it was begun, and nobody had agreed")
        return (isShown, SystemError(0, "", ""))
    }

    @Test("One that is right is shown, and nothing is written before somebody agrees")
    func right() {
        let scratch = Scratch()
        let result = plan(Array(Self.good.utf8), scratch.file("new"))
        #expect(result.isShown && result.error is DiskRestoration.NotWanted, "\(result)")
        #expect(shell("ls \(scratch.path)") == "")
    }

    /// The second partition as LVM, with two volumes in it that come as files.
    private static func layered(
        _ first: (start: Int, size: Int), _ second: (start: Int, size: Int), outer: String = "blocks"
    )
        -> String
    {
        let end = good.firstRange(of: "\"way\":\"files\"")?.lowerBound ?? good.startIndex
        let inner = [first, second].enumerated().map { index, place in
            "{\"stream\":\"lv\(index)\",\"within\":\"part2\",\"start\":\(place.start),\"size\":\(place.size),"
                + "\"way\":\"files\",\"used\":1,\"content\":\"ext4\",\"trees\":[{\"source\":\"/\(index)\"}],\"recipe\":{\"type\":\"ext4\"}}"
        }
        return good[..<end] + "\"way\":\"\(outer)\",\"used\":1,\"content\":\"LVM2_member\"},"
            + inner.joined(separator: ",") + "]}"
    }

    @Test("Volumes of files lie in one of blocks, each beside the other, or nothing is written")
    func layers() {
        let (start, end, mib) = (17_825_792, 17_825_792 + 33_554_432, 1 << 20)
        let scratch = Scratch()
        let right = plan(Array(Self.layered((start + mib, mib), (end - mib, mib)).utf8), scratch.file("new"))
        #expect(right.isShown && right.error is DiskRestoration.NotWanted, "\(right)")
        for wrong in [
            Self.layered((start + mib, mib), (end - mib, 2 * mib)), Self.layered((start - mib, mib), (end - mib, mib)),
            Self.layered((start + mib, mib), (start + mib, mib)),
            Self.layered((start + mib, 2 * mib), (start + 2 * mib, mib)),
            Self.layered((start + 1, mib), (end - mib, mib)), Self.layered((start, mib), (.max, mib)),
            Self.layered((start + mib, mib), (end - mib, mib), outer: "raw"),
            Self.layered((start + mib, mib), (end - mib, mib)).replacing(
                "\"within\":\"part2\"", with: "\"within\":\"lv0\""),
        ] {
            let result = plan(Array(wrong.utf8), scratch.file("new"))
            #expect(!result.isShown && result.error is any Explained, "\(result)")
        }
        #expect(shell("ls \(scratch.path)") == "")
    }

    @Test(
        "What no disk can be is refused in a sentence",
        arguments: [
            ("\"version\":1", "\"version\":2"), ("\"size\":67108864", "\"size\":18446744073709551615"),
            ("\"sectorSize\":512", "\"sectorSize\":0"),
            ("\"start\":17408", "\"start\":17409"), ("\"start\":17408", "\"start\":0"),
            ("\"size\":16777216", "\"size\":16777728"),
            ("\"stream\":\"part1\"", "\"stream\":\"gap\""),
            ("\"start\":1048576,\"size\"", "\"start\":18446744073709551104,\"size\""),
            ("\"length\":33554432", "\"length\":18446744073709551104"), ("\"kind\":\"gpt\"", "\"kind\":\"mac\""),
            ("\"entryCount\":128", "\"entryCount\":-1"), ("\"entryCount\":128", "\"entryCount\":9223372036854775807"),
            ("55aa", "55"),
            ("\"number\":2", "\"number\":9223372036854775807"), ("{\"version\"", "[{\"version\""),
        ])
    func wrong(_ change: (String, String)) {
        let scratch = Scratch()
        let text = Self.good.replacing(change.0, with: change.1, maxReplacements: 1)
        #expect(text != Self.good)
        let result = plan(Array(text.utf8), scratch.file("new"))
        #expect(!result.isShown && result.error is any Explained, "\(change): \(result)")
        #expect(shell("ls \(scratch.path)") == "")
    }

    @Test("No change of one that is right traps, or writes")
    func mutations() {
        let scratch = Scratch()
        var random = SystemRandomNumberGenerator()
        let numbers = [
            "0", "1", "-1", "511", "4096", "9223372036854775807", "18446744073709551615", "18446744073709551616",
            "1e400", "null", "\"\"", "[]",
        ]
        for _ in 0..<3_000 {
            var bytes = Array(Self.good.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8.random(in: 32...126, using: &random), at: place)
                default:
                    // A number of it, whole.
                    guard let start = bytes[place...].firstIndex(where: { (0x30...0x39).contains($0) }) else {
                        continue
                    }
                    let end = bytes[start...].firstIndex { !(0x30...0x39).contains($0) } ?? bytes.count
                    bytes.replaceSubrange(start..<end, with: Array((numbers.randomElement(using: &random) ?? "0").utf8))
                }
            }
            _ = plan(bytes, scratch.file("new"))
        }
        #expect(shell("ls \(scratch.path)") == "")
    }
}
