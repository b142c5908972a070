// What a hostile image says: each case is one lie in the middle of an image that is honest otherwise.

import Cryptography
import Glibc
import Platform
import Testing

@testable import Images

extension HostileTests {
    static let cases: [Case] =
        names + links + sources + sizes + order + chunks + positions + odd

    private static let names: [Case] =
        ["..", ".", "/etc/x", "a/b", "../beside/planted", "", "a\0b", String(repeating: "n", count: 256)].flatMap {
            name in
            [
                Case(name: "a file with the name \(name.debugDescription)") { $0.records.file(name) },
                Case(name: "a folder with the name \(name.debugDescription)") {
                    $0.records.enter(name)
                    $0.records.file("planted")
                    $0.records.leave()
                },
                Case(name: "a link with the name \(name.debugDescription)") {
                    $0.records.entry(name, .symbolicLink) { $0.target = Array("x".utf8) }
                },
            ]
        }

    private static let links: [Case] =
        [
            Case(name: "a link, then a folder of its name with a file", isNamed: false) {
                $0.records.link("link", to: "../beside")
                $0.records.enter("link")
                try $0.file("planted")
                try $0.file("canary")
                $0.records.leave()
            },
            Case(name: "a link to a file, then a file of its name", isNamed: false) {
                $0.records.link("link", to: "../beside/canary")
                try $0.file("link")
            },
            Case(name: "a folder, then a link of its name, then the folder again", isNamed: false) {
                $0.records.enter("folder")
                $0.records.leave()
                $0.records.link("folder", to: "../beside")
                $0.records.enter("folder")
                try $0.file("planted")
                $0.records.leave()
            },
            Case(name: "a link where a file is written before it has its name", isNamed: false) {
                var hash: UInt64 = 0xcbf2_9ce4_8422_2325
                for byte in "victim".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
                $0.records.link(".holdfast-partial-\(String(hash, radix: 16))", to: "../beside/canary")
                try $0.file("victim")
            },
            Case(name: "a hard link to a link, and a file over it", isNamed: false) {
                $0.records.link("link", to: "../beside/canary")
                $0.records.entry("hard", .hardLink) { $0.target = Array("link".utf8) }
                try $0.file("hard")
            },
            Case(name: "a link without a target") { $0.records.link("link", to: "") },
            Case(name: "a link with an endless target") {
                $0.records.link("link", to: String(repeating: "x/", count: 5000))
            },
            Case(name: "a link with a zero in its target") { $0.records.link("link", to: "a\0b") },
        ]
        + [
            "../../beside/canary", "../beside/canary", "/etc/passwd", "link/canary", "", "..", ".", "a//b", "tree/.",
            "c\0d",
        ]
        .map { target in
            Case(name: "a hard link to \(target.debugDescription)") {
                $0.records.link("link", to: "../beside")
                $0.records.entry("hard", .hardLink) { $0.target = Array(target.utf8) }
            }
        }

    private static let sources: [Case] =
        ["/..", "/../x", "/a/../../beside", "/../beside/planted", "/a\0b", "/a/.."].map { source in
            Case(name: "one of several sources is \(source.debugDescription)", sources: ["/tree", BytePath(source)]) {
                $0.records.leave()
                $0.records.source(source)
                $0.records.enter("x")
                try $0.file("planted")
                $0.records.leave()
            }
        } + [
            Case(name: "the only source leads out", sources: ["/../beside"], isNamed: false) {
                $0.records.source("/../beside")
                $0.records.enter("beside")
                try $0.file("planted")
            },
            Case(name: "a source that is a file leads out", sources: ["/tree", "/../x"]) {
                $0.records.source("/../x")
                try $0.file("x")
            },
            Case(
                name: "a source goes through a link of another one", sources: ["/tree", "/tree/link/x"], isNamed: false
            ) {
                $0.records.link("link", to: "../../beside")
                $0.records.leave()
                $0.records.source("/tree/link/x")
                $0.records.enter("x")
                try $0.file("planted")
                $0.records.leave()
            },
        ]

    private static let sizes: [Case] = [
        Case(name: "a slice past the end of its chunk") {
            $0.records.file("file", slices: [(200, try $0.chunk([1, 2, 3]), 100)])
        },
        Case(name: "a slice that begins far outside") {
            $0.records.file("file", slices: [(1, try $0.chunk([1, 2, 3]), UInt64.max)])
        },
        Case(name: "a slice of no length") { $0.records.file("file", slices: [(0, try $0.chunk([1, 2, 3]), 0)]) },
        Case(name: "slices longer than the size") {
            $0.records.file("file", size: 2, slices: [(3, try $0.chunk([1, 2, 3]), 0)])
        },
        Case(name: "slices shorter than the size") {
            $0.records.file("file", size: 4, slices: [(3, try $0.chunk([1, 2, 3]), 0)])
        },
        Case(name: "a chunk that nobody has") {
            var id = try $0.chunk([1, 2, 3]).bytes
            id[0] ^= 1
            $0.records.file("file", slices: [(3, id.withUnsafeBytes { Digest(bytes: $0) }, 0)])
        },
        Case(name: "sizes that add up to more than a number holds") {
            for index in 0..<4 { $0.records.file("file \(index)", size: UInt64(Int64.max)) }
        },
        Case(name: "a size beyond all files") { $0.records.file("file", size: .max) },
        Case(name: "holes as long as a number holds", isNamed: false) {
            for index in 0..<4 { $0.records.file("file \(index)", slices: [(UInt64(Int64.max), nil, 0)]) }
        },
        Case(name: "holes that add up to more than a number holds, then content") {
            $0.records.entry("file", .file) { $0.contentFollows = true }
            for _ in 0..<3 { $0.records.append(record: .content, slices([(UInt64(Int64.max), nil, 0)])) }
            $0.records.append(record: .content, slices([(3, try $0.chunk([1, 2, 3]), 0)]))
            $0.records.finish(size: 2)
        },
        Case(name: "content far behind a hole") {
            $0.records.file(
                "file", slices: [(UInt64(Int64.max) - 3, nil, 0), (3, try $0.chunk([1, 2, 3]), 0)])
        },
    ]

    private static let order: [Case] = [
        Case(name: "a folder is left that was not entered") { for _ in 0..<3 { $0.records.leave() } },
        Case(name: "content without a file", isNamed: false) {
            $0.records.append(record: .content, slices([(3, try $0.chunk([1, 2, 3]), 0)]))
        },
        Case(name: "an end without a file", isNamed: false) { $0.records.finish(size: 7) },
        Case(name: "content begins again without a file", isNamed: false) { $0.records.append(record: .restart, []) },
        Case(name: "a file without its end") { $0.records.entry("file", .file) { $0.contentFollows = true } },
        Case(name: "content of a link", isNamed: false) {
            $0.records.entry("link", .symbolicLink) {
                $0.contentFollows = true
                $0.target = Array("../beside/canary".utf8)
            }
            $0.records.append(record: .content, slices([(3, try $0.chunk([1, 2, 3]), 0)]))
            $0.records.finish(size: 3)
        },
        Case(name: "a record of an unknown kind", isNamed: false) { $0.records += [99, 3, 1, 2, 3] },
        Case(name: "a record longer than all") { $0.records += [5, 0xff, 0xff, 0xff, 0xff, 0x7f] },
        Case(name: "a record of an endless length") { $0.records += [5] + [UInt8](repeating: 0xff, count: 12) },
        Case(name: "folders without end", isDryRun: true) { for _ in 0..<100_000 { $0.records.enter("d") } },
        Case(name: "two files of one name", isNamed: false) {
            try $0.file("twice", [1])
            try $0.file("twice", [2, 2])
        },
        Case(name: "a file and a folder of one name", isNamed: false) {
            try $0.file("twice", [1])
            $0.records.enter("twice")
            try $0.file("in it", [1])
            $0.records.leave()
        },
        Case(name: "a folder and a file of one name", isNamed: false) {
            $0.records.enter("twice")
            try $0.file("in it", [1])
            $0.records.leave()
            try $0.file("twice", [1])
        },
        Case(name: "a FIFO and a file of one name", isNamed: false) {
            $0.records.entry("fifo", .fifo)
            try $0.file("fifo", [1])
            $0.records.entry("fifo", .fifo)
        },
    ]

    private static let chunks: [Case] = [
        Case(name: "a chunk that decompresses to more than it says") {
            try $0.forged(content: [UInt8](repeating: 0, count: 4 << 20), claims: 4 << 18)
        },
        Case(name: "a chunk that decompresses to more than any may") {
            try $0.forged(content: [UInt8](repeating: 0, count: 32 << 20), claims: 4 << 20)
        },
        Case(name: "a chunk that says that it is longer than any may") {
            try $0.forged(content: [UInt8](repeating: 0, count: 8 << 20), claims: 8 << 20)
        },
        Case(name: "a chunk that decompresses to less than it says") {
            try $0.forged(content: [UInt8](repeating: 0, count: 1 << 20), claims: 4 << 20)
        },
        Case(name: "a chunk whose stored bytes are longer than any content") {
            // A frame that zstd skips, and one of the content.
            var stuffing: [UInt8] = [0x50, 0x2a, 0x4d, 0x18]
            stuffing.append(integer: UInt32(4_700_000))
            stuffing += [UInt8](repeating: 7, count: 4_700_000)
            try $0.forged(content: [UInt8](repeating: 1, count: 1000), claims: 1000, before: stuffing)
        },
        Case(name: "a chunk of an unknown codec") { try $0.forged(content: [0, 0, 0, 0], claims: 4, codec: 9) },
        Case(name: "a chunk stored longer than it says") {
            try $0.forged(content: [UInt8](repeating: 0, count: 4000), claims: 4, codec: 0)
        },
        Case(name: "a chunk with another content than its id says") {
            try $0.forged(
                content: [UInt8](repeating: 0, count: 4000), claims: 4000, id: [UInt8](repeating: 3, count: 32))
        },
        Case(name: "a chunk too short for its own head") { image in
            image.hold(id: [UInt8](repeating: 4, count: 32), plain: [1, 2, 3])
            image.records.file("file", slices: [(3, digest([UInt8](repeating: 4, count: 32)), 0)])
        },
    ]

    private static let positions: [Case] = [
        ("the path leads out", "/tree", 3, "../beside"), ("the path is deeper than it says", "/tree", 1, "a/b/c"),
        ("the depth is endless", "/tree", 1 << 40, ""), ("the path goes through a link", "/tree", 3, "link/sub"),
        ("another source", "/other", 1, ""), ("a source that leads out", "/../beside", 1, ""),
        ("no source", "", 2, "x"),
    ].flatMap { (name, source, depth, path) in
        [["/tree"], ["/tree", "/other"]].map { (sources: [BytePath]) in
            Case(name: "a position lies: \(name) (\(sources.count) sources)", sources: sources) {
                $0.records.link("link", to: "../beside")
                // A position counts only after a loss.
                for _ in 0..<3 { $0.records.leave() }
                try $0.batch(.inTree)
                try $0.file("planted")
                var bytes: [UInt8] = []
                bytes.append(field: 1, text: source)
                bytes.append(field: 2, integer: UInt64(depth))
                bytes.append(field: 3, text: path)
                try $0.batch(encoded: bytes)
                // So that the next one counts again.
                for _ in 0..<9 { $0.records.leave() }
            }
        }
    }

    private static let odd: [Case] = [
        Case(name: "devices") {
            $0.records.entry("memory", .characterDevice) { ($0.nodeMajor, $0.nodeMinor) = (1, 1) }
            $0.records.entry("disk", .blockDevice) { ($0.nodeMajor, $0.nodeMinor) = (8, 0) }
        },
        Case(name: "an entry of an unknown type") {
            var bytes: [UInt8] = []
            bytes.append(field: 1, text: "file")
            bytes.append(field: 2, integer: 77)
            $0.records.append(record: .entry, bytes)
        },
        Case(name: "an entry without a name or a type") { $0.records.append(record: .entry, []) },
        Case(name: "a directory that is not entered") { $0.records.entry("folder", .directory) },
        Case(name: "a file that is entered") {
            var entry = Entry()
            entry.name = Array("file".utf8)
            $0.records.append(record: .enter, entry.encoded())
        },
        Case(name: "attributes that no system takes") {
            let value = [UInt8](repeating: 1, count: 200_000)
            $0.records.entry("file", .file) {
                $0.attributes = ["user.large", "nonsense", "user.\u{1}"].map {
                    ExtendedAttribute(name: Array($0.utf8), value: value)
                }
            }
        },
        Case(name: "an attribute with a zero in its name") {
            $0.records.entry("file", .file) {
                $0.attributes = [ExtendedAttribute(name: Array("user.a\0b".utf8), value: [])]
            }
        },
        Case(name: "times beyond all calendars", isNamed: false) {
            for (index, seconds) in [Int64.min, Int64.max, -1].enumerated() {
                $0.records.entry("file \(index)", .file) {
                    $0.modified = Timestamp(seconds: seconds, nanoseconds: 999_999_999)
                }
            }
        },
        Case(name: "a time with too many nanoseconds") {
            $0.records.entry("file", .file) { $0.modified = Timestamp(seconds: 0, nanoseconds: 1_000_000_000) }
        },
    ]
}
