// A member of an array of Linux (md), with a superblock of version 1 (Documentation/admin-guide/md.rst; include/uapi/linux/raid/md_p.h): of a
// mirror each member has all of the content, in one piece.

internal import Platform

struct RAIDMember {
    /// Where the content is, bytes of the member.
    let content: Range<UInt64>

    private static let magic: UInt32 = 0xA92B_4EFC

    /// - Throws: `DiskFormatError` where it is no mirror, or has another superblock.
    init(_ disk: any DiskBytes) throws {
        let end = disk.size / 512 * 512
        // Version 1.2, 1.1, and 1.0 at the end.
        var places: [UInt64] = [4096, 0]
        if end >= 8 * 1024 { places.append((end / 512 - 16) / 8 * 8 * 512) }
        for place in places where place <= disk.size && disk.size - place >= 4096 {
            let block = try disk.bytes(at: place, count: 4096)
            guard block.little(UInt32.self, at: 0) == Self.magic, block.little(UInt32.self, at: 4) == 1,
                block.little(UInt64.self, at: 144).multiplied(saturating: 512) == place
            else { continue }
            guard block.little(UInt32.self, at: 72) == 1 else { throw DiskFormatError("the array is no mirror") }
            // Bits 2 and 4: it is being rebuilt, or reshaped; its content is elsewhere, too.
            guard block.little(UInt32.self, at: 8) & 0x6 == 0 else {
                throw DiskFormatError("the array is being rebuilt")
            }
            let start = block.little(UInt64.self, at: 128).multiplied(saturating: 512)
            let size = block.little(UInt64.self, at: 80).multiplied(saturating: 512)
            guard start <= disk.size, size <= disk.size - start, size > 0 else {
                throw DiskFormatError("its content would lie beyond its end")
            }
            content = start..<start + size  // safe: within the disk
            return
        }
        throw DiskFormatError("it has no superblock that is known")
    }
}
