// Whether a medium was taken away while it was being written, and what mends it.

internal import Glibc

extension Medium {
    /// Whether the file system says that it was not taken away in order; false where it does not say. One that is mounted says the same, and
    /// is not asked.
    public func wasCutOff() throws(SystemError) -> Bool {
        let file: Descriptor
        do throws(SystemError) { file = try Descriptor.open(device.path, .exclusive) } catch {
            if error.code == EBUSY { return false }
            throw error
        }
        var bytes = [UInt8](repeating: 0, count: 2048)
        guard try file.read(intoArray: &bytes) == bytes.count else { return false }
        func word(_ offset: Int) -> UInt32 { UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 }
        return switch type {
        // The state is where FAT12 and FAT16 have it, or FAT32, whose tables are too long for the older field.
        case "vfat": bytes[word(0x16) == 0 ? 0x41 : 0x25] & 1 != 0
        case "exfat": word(0x6a) & 2 != 0
        // The superblock is at 1024: its state, and the feature that a journal waits.
        case "ext2", "ext3", "ext4": word(1024 + 0x3a) & 1 == 0 || word(1024 + 0x60) & 4 != 0
        default: false
        }
    }

    /// What checks its file system and mends what can be mended without asking, without the device at its end; nil where nothing does, or
    /// where the kernel does it by itself.
    public var checker: String? {
        switch type {
        case "vfat": "fsck.fat -a"
        case "exfat": "fsck.exfat -p"
        case "ext2", "ext3", "ext4": "fsck.ext4 -p"
        default: nil
        }
    }

    /// Whether what was being written when it was cut off can take away what is written next: FAT and ext2 have no journal, so a file may have a place
    /// that is free by the table of places; then the next file gets it, and it is free again once the first is removed.
    public var isInDangerWhenCutOff: Bool { ["vfat", "exfat", "ext2"].contains(type) }

    /// Has its file system checked and mended, as long as nobody has it mounted.
    public func putInOrder() throws(SystemError) {
        guard let checker else { return }
        let words = checker.split(separator: " ").map { ProgramWord(String($0)) } + [ProgramWord(device.path)]
        let result = try runProgram(words, limit: 3600)
        // 1: there were errors, and they are mended. Its own record of that is what counts.
        let isStill = try wasCutOff()
        if result.status > 1 || isStill {
            let said = result.complaint.isEmpty ? "it ended with \(result.status)" : result.complaint
            throw SystemError(EUCLEAN, "put in order", device.path.description, detail: "\(checker): \(said)")
        }
    }
}
