// Seeds of the parsers of disks: what Debian's own programs make, as `Tests/Fuzzing/disk-seeds` has them make it.

import Glibc
import Platform

@testable import Disks
@testable import Images

extension Fixture {
    /// The files of the folder that `HOLDFAST_FUZZING_DISKS` names, each called by its parser, `-` and anything: without their zeros, but for texts.
    func writeDiskSeeds(_ seed: (Parser, [UInt8]) throws -> Void) throws {
        guard let place = getenv("HOLDFAST_FUZZING_DISKS") else { return }
        let folder = BytePath(String(cString: place))
        let listing = try DirectoryListing(of: Descriptor.open(folder, .directory))
        let names = (0..<listing.count).map { String(decoding: listing[$0], as: UTF8.self) }.sorted()
        for name in names {
            guard let parser = Parser.allCases.first(where: { name.hasPrefix("\($0)-") }) else { continue }
            let bytes = try readWhole(folder.appending(name), limit: 128 << 20)
            switch parser {
            case .lvmText, .systemTexts, .diskDescription: try seed(parser, bytes)
            default:
                let packed = SparseDisk.packed(bytes, sectorSize: name.hasSuffix("4Kn") ? 4096 : 512)
                try seed(parser, packed.count < 60_000 ? packed : Array(packed[..<60_000]))
            }
        }
        let description = try readWhole(folder.appending("diskDescription-restored"), limit: 1 << 20)
        var records: [UInt8] = []
        records.append(record: .enter, diskEntry("sda", .directory))
        for (name, size) in [("gap", UInt64(1 << 20) - 512), ("part1", 4 << 20), ("part2", 2 << 20)] {
            var entry = Entry()
            entry.name = Array(name.utf8)
            entry.kind = .file
            entry.mode = 0o600
            entry.size = size
            entry.contentFollows = true
            records.append(record: .entry, entry.encoded())
            var slices: [UInt8] = []
            let offset = Slice.append(length: 200, offset: 0, to: &slices)
            slices.replaceSubrange(offset..<offset + 32, with: [200] + [UInt8](repeating: 7, count: 31))
            Slice.append(hole: size - 200, to: &slices)
            records.append(record: .content, slices)
            var finish: [UInt8] = []
            finish.append(field: 1, integer: 0)
            finish.append(field: 2, integer: size)
            records.append(record: .finish, finish)
        }
        records.append(record: .leave, [])
        var restore: [UInt8] = []
        restore.append(integer: UInt16(description.count))
        try seed(.diskRestore, restore + description + records)
        try seed(.freeParts, [0, 0, 1, 0] + [0, 1, 9, 2, 1, 1, 8, 4, 0, 4, 200, 12])
    }

    private func diskEntry(_ name: String, _ kind: FileKind) -> [UInt8] {
        var entry = Entry()
        entry.name = Array(name.utf8)
        entry.kind = kind
        entry.mode = 0o700
        return entry.encoded()
    }
}
