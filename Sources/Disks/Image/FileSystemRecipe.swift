// How a file system is made anew so that what starts a machine reads it: with the features that it had, since a later program's own choice may be
// beyond an older loader.

internal import Glibc
internal import Platform

public struct FileSystemRecipe: Codable, Hashable, Sendable {
    /// As blkid calls it.
    public var type: String
    public var id: String?
    public var label: String?
    /// Of ext4 the names of its features, of XFS `crc=1`.
    public var features: [String]?
    /// Bytes, of ext4.
    public var blockSize: Int?
    public var inodeSize: Int?
    /// Of ext4: the files that are to find room.
    public var fileCount: UInt64?
    /// Of FAT: 12, 16 or 32.
    public var width: Int?
    /// Of ext4: what it does on errors (`continue`, `remount-ro`, `panic`), what it is mounted with if nobody says otherwise, and the hundredths of
    /// a hundredth of it that are kept for root.
    public var onErrors: String?
    public var mountOptions: [String]?
    public var reserved: Int?
    /// What of it is on another device, and is not made anew, each in a sentence.
    public var elsewhere: [String]?
    /// Of btrfs: how it compressed what was written to it, as `zstd:3`: its files need as much room again.
    public var compression: String?

    /// - Parameter options: those that it is mounted with.
    /// - Throws: `DiskFormatError` where nobody here can make such a one; `SystemError` where what says it cannot be asked.
    init(of content: ContentProbe, on device: BlockDevice, options: [String]) throws {
        type = content.type
        id = content.identifier.isEmpty ? nil : content.identifier
        label = content.label.isEmpty ? nil : printable(content.label)
        switch type {
        case "ext2", "ext3", "ext4": try askExt(device)
        case "xfs":
            features = try Self.xfsFeatures(device)
            if options.contains(where: { $0.hasPrefix("logdev=") }) { elsewhere = ["its log was on another device"] }
            if options.contains(where: { $0.hasPrefix("rtdev=") }) {
                elsewhere = (elsewhere ?? []) + ["its realtime part was on another device"]
            }
        case "btrfs": compression = Self.compression(options)
        case "vfat": width = try Self.fatWidth(device)
        default: throw DiskFormatError("nobody here can make a file system of \(type)")
        }
    }

    /// `compress=zstd:3`, `compress-force=lzo`
    private static func compression(_ options: [String]) -> String? {
        for option in options {
            let pair = option.split(separator: "=", maxSplits: 1)
            if pair.count == 2, ["compress", "compress-force"].contains(pair[0]) { return String(pair[1]) }
        }
        return nil
    }

    /// The same, as an option of a mount; nil where it is none: it is the image's word.
    var mountedCompression: String? {
        guard let words = compression?.split(separator: ":", omittingEmptySubsequences: false),
            ["zlib", "lzo", "zstd"].contains(words[0]), words.count <= 2,
            words.count == 1 || Int(words[1]).map({ (1...15).contains($0) }) == true
        else { return nil }
        return compression
    }

    private static func lines(_ words: [ProgramWord]) throws(SystemError) -> [String] {
        let result = try runProgram(words, limit: 60)
        guard result.status == 0 else {
            throw SystemError(EIO, "ask", words.last?.shown ?? "", detail: result.complaint)
        }
        return String(decoding: result.output, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private mutating func askExt(_ device: BlockDevice) throws {
        var (blocks, kept) = (UInt64(0), UInt64(0))
        for line in try Self.lines(["dumpe2fs", "-h", ProgramWord(device.path)]) {
            let words = line.split(separator: ":", maxSplits: 1)
            guard words.count == 2 else { continue }
            let value = words[1].split(separator: " ").map(String.init)
            switch words[0] {
            case "Filesystem features":
                // What says that it is in use, or was once.
                let states = ["needs_recovery", "orphan_present", "recover"]
                features = value.filter { !states.contains($0) }
            case "Block size": blockSize = value.first.flatMap { Int($0) }
            case "Inode size": inodeSize = value.first.flatMap { Int($0) }
            case "Default mount options": mountOptions = value.filter { $0 != "(none)" }
            case "Errors behavior":
                onErrors = ["Continue": "continue", "Remount": "remount-ro", "Panic": "panic"][value.first ?? ""]
            case "Block count": blocks = value.first.flatMap { UInt64($0) } ?? 0
            case "Reserved block count": kept = value.first.flatMap { UInt64($0) } ?? 0
            case "Journal device" where value.first != "0x0000": elsewhere = ["its journal was on another device"]
            default: break
            }
        }
        // safe: at most half of it, in ten thousandths
        if blocks > 0, kept <= blocks / 2 {
            reserved = Int((kept.multiplied(saturating: 10_000) + blocks / 2) / blocks)
        }
    }

    private static func xfsFeatures(_ device: BlockDevice) throws -> [String] {
        // `meta-data=/dev/sda2 isize=512 …, crc=1 finobt=1, sparse=1, rmapbt=0`, of what is mounted or not.
        var facts: [String: String] = [:]
        for line in try lines(["xfs_info", ProgramWord(device.path)]) {
            for word in line.split(whereSeparator: { $0 == " " || $0 == "," }) {
                let pair = word.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { facts[String(pair[0])] = facts[String(pair[0])] ?? String(pair[1]) }
            }
        }
        return ["crc", "finobt", "rmapbt", "reflink", "bigtime", "inobtcount"].compactMap { name in
            facts[name].map { "\(name)=\($0)" }
        }
    }

    private static func fatWidth(_ device: BlockDevice) throws -> Int {
        let file = try Descriptor.open(device.path)
        let facts = try file.blockFacts()
        let disk = OpenDisk(file, size: facts.bytes, sectorSize: facts.sector, subject: "\(device.path)")
        return try FATVolume(disk).width.rawValue
    }

    /// All of it is the image's word, and becomes words of a command: each is one that a recipe has, or none is made.
    func words(size: UInt64, sectorSize: Int) throws(DiskFormatError) -> [ProgramWord] {
        guard id.map({ isPlainName($0) }) ?? true, (features ?? []).allSatisfy({ isPlainName($0, and: "_=") }),
            label.map({ $0.utf8.count <= 256 && !$0.utf8.contains(0) }) ?? true,
            // A journal without a file system is none.
            features?.contains("journal_dev") != true
        else { throw DiskFormatError("what it says of its file systems is none of a recipe") }
        let features = (features ?? []).joined(separator: ",")
        var words: [ProgramWord]
        switch type {
        case "ext2", "ext3", "ext4":
            words = ["mkfs.ext4", "-q", "-F"]
            if !features.isEmpty { words += ["-O", ProgramWord("none,\(features)")] }
            if let blockSize, [1024, 2048, 4096].contains(blockSize) {
                words += ["-b", ProgramWord("\(max(blockSize, sectorSize))")]
            }
            if let inodeSize, [128, 256, 512, 1024].contains(inodeSize) {
                words += ["-I", ProgramWord("\(inodeSize)")]
            }
            if let count = tableLength(on: size) { words += ["-N", ProgramWord("\(count)")] }
            if let id { words += ["-U", ProgramWord(id)] }
            if let onErrors, ["continue", "remount-ro", "panic"].contains(onErrors) {
                words += ["-e", ProgramWord(onErrors)]
            }
            if let reserved, (0...5000).contains(reserved) {
                words += ["-m", ProgramWord("\(reserved / 100).\(reserved % 100 / 10)\(reserved % 10)")]
            }
        case "xfs":
            words = ["mkfs.xfs", "-q", "-f"]
            let metadata = [features, id.map { "uuid=\($0)" } ?? ""].filter { !$0.isEmpty }.joined(separator: ",")
            if !metadata.isEmpty { words += ["-m", ProgramWord(metadata)] }
        case "btrfs":
            words = ["mkfs.btrfs", "-q", "-f"]
            if let id { words += ["-U", ProgramWord(id)] }
        case "vfat":
            words = ["mkfs.vfat"]
            // A cluster has a sector at least, and with too few of them FAT32 is none.
            let isTooSmall = sectorSize > 512 && size / UInt64(sectorSize) < 66_000
            if let width, [12, 16, 32].contains(width) {
                words += ["-F", ProgramWord("\(width == 32 && isTooSmall ? 16 : width)")]
            }
            if let id { words += ["-i", ProgramWord(id.replacing("-", with: ""))] }
        default: throw DiskFormatError("nobody here can make a file system of \(printable(type.utf8))")
        }
        if let label { words += [type == "vfat" ? "-n" : "-L", ProgramWord(label)] }
        return words
    }

    /// How many files the table of an ext4 of this size has to be made for; nil: what mkfs.ext4 takes by itself, one for 16 KiB, is enough.
    func tableLength(on size: UInt64) -> UInt64? {
        guard let fileCount, type.hasPrefix("ext") else { return nil }
        let count = fileCount.adding(saturating: fileCount / 4).adding(saturating: 1024)
        // More than that is no table that leaves room for content.
        return count > size / 16384 && count < min(size / 512, UInt64(UInt32.max)) ? count : nil
    }

    /// Makes it on a device.
    /// - Throws: `DiskFormatError` where it is no recipe; `SystemError` with the words of the program.
    func make(on device: LoopDevice, sectorSize: Int) throws {
        let words = try words(size: device.size, sectorSize: sectorSize)
        let result = try runProgram(words + [ProgramWord(device.path)], limit: 600)
        guard result.status == 0 else {
            throw SystemError(EIO, "make", "a file system of \(printable(type.utf8))", detail: result.complaint)
        }
        guard let options = tunedOptions else { return }
        let tuned = try runProgram(["tune2fs", "-o", ProgramWord(options), ProgramWord(device.path)], limit: 60)
        guard tuned.status == 0 else {
            throw SystemError(EIO, "set", "the mount options of a file system", detail: tuned.complaint)
        }
    }

    /// What tune2fs makes of its mount options; nil where there is nothing to make. What the image says is compared with what there is.
    private var tunedOptions: String? {
        guard type.hasPrefix("ext"), let mountOptions else { return nil }
        let known = [
            "debug", "bsdgroups", "user_xattr", "acl", "uid16", "nobarrier", "block_validity", "discard", "nodelalloc",
        ]
        let modes = ["journal_data", "journal_data_ordered", "journal_data_writeback"].filter(mountOptions.contains)
        return (known.map { mountOptions.contains($0) ? $0 : "^\($0)" } + modes.prefix(1)).joined(separator: ",")
    }
}

/// Whether a text of an image is one of letters, digits and `-` that begins with none of these: no option, and nothing that a program or a
/// line of a file would take for more than one word.
func isPlainName(_ text: String, and others: String = "") -> Bool {
    (1...64).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: "-")
        && isOfLettersAndDigits(text, and: others)
}

/// Whether nothing is in it but letters, digits, `-` and some others.
func isOfLettersAndDigits(_ text: String, and others: String = "") -> Bool {
    text.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            || others.utf8.contains(byte)
    }
}
