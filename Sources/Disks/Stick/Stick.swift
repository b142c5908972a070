// A stick that starts a machine into Holdfast's menu and holds images.

internal import Boot
internal import Cryptography
internal import Glibc
public import Platform
public import Reporting

/// A medium, or a file that stands for one, that becomes a stick or is one.
public final class Stick {
    public let target: TargetDisk
    let layout: StickLayout
    let stop: Stop

    /// Bytes of what holds images.
    public var dataSize: UInt64 { layout.data.upperBound - layout.data.lowerBound }

    /// What a file becomes where nobody says how large.
    private static let usualData: UInt64 = 4 << 30

    /// A medium on which a stick is to be made. Nothing is written yet.
    /// - Parameter dataSize: bytes of what holds images; nil: all there is, and of a new file 4 GiB.
    /// - Throws: `StickError`, `DiskError`, `SystemError`.
    public init(making path: BytePath, dataSize: UInt64?, stop: Stop) throws {
        self.stop = stop
        let (wanted, isTooLarge) = (dataSize ?? Self.usualData).addingReportingOverflow(
            StickLayout.boot.upperBound + 1 << 20)
        guard !isTooLarge else { throw SystemError(EFBIG, "make", path.description) }
        target = try TargetDisk(path, size: wanted, sectorSize: 512)
        guard target.sectorSize == 512 else { throw StickError.sectors(path, target.sectorSize) }
        let id = try SecureRandom.bytes(4).little(UInt32.self, at: 0)
        guard let layout = StickLayout(size: target.size, dataSize: dataSize, id: id) else {
            throw StickError.tooSmall(path, size: target.size, needed: StickLayout.smallest)
        }
        self.layout = layout
    }

    /// A stick.
    /// - Parameter isWritten: else it is only looked at, and may be write-protected.
    /// - Throws: `StickError.noStick`, `DiskError`, `SystemError`.
    public init(opening path: BytePath, isWritten: Bool = true, stop: Stop) throws {
        self.stop = stop
        guard exists(path) || linkToNothing(path) != nil else {
            throw SystemError(ENOENT, "open", path.description)
        }
        target = try TargetDisk(path, size: 0, sectorSize: 512, isWritten: isWritten)
        guard target.sectorSize == 512 else { throw StickError.sectors(path, target.sectorSize) }
        guard let table = try PartitionTable.read(target.bytes), let layout = StickLayout(table),
            layout.data.upperBound <= target.size
        else { throw StickError.noStick(path, reason: "its partitions are others") }
        self.layout = layout
        guard try isLabelled() else {
            throw StickError.noStick(path, reason: "the partition that starts a machine is another one")
        }
    }

    /// Whether what a machine starts from has the label that it has on a stick.
    func isLabelled() throws -> Bool {
        var label = [UInt8](repeating: 0, count: 11)
        try label.withUnsafeMutableBytes { try target.read(into: $0, at: StickLayout.boot.lowerBound + 71) }
        return label == Array(Self.bootLabel.utf8) + Array("    ".utf8)
    }

    private static let bootLabel = "HF-BOOT"
    /// What people and stores (`usb:HOLDFAST/…`) see.
    public static let dataLabel = "HOLDFAST"

    // MARK: Making

    /// Makes the stick. Its first sector comes last: a crash before leaves a medium on which nothing is, and the same call makes it anew.
    /// - Parameter auto: the file that says what it does by itself.
    /// - Returns: what the stick cannot do, because this machine has nothing for it.
    public func make(
        _ loaders: StickLoaders, parts: BytePath?, auto: [UInt8]? = nil, progress: Progress
    ) throws -> [String] {
        let scratch = try ScratchFolder()
        let (boot, bios, lacks) = try bootPart(loaders, parts, auto, scratch.path)
        let data = try FATFile(
            scratch.path.appending("data"), size: dataSize, start: layout.data.lowerBound, label: Self.dataLabel,
            id: layout.id)
        try stop.checkStop()
        try target.prepare()
        try target.clear(0..<1 << 20)
        // A copy of another table, which some would believe.
        try target.clear(target.size - 1 << 20..<target.size)
        try target.synchronize()
        // Each is written, and read back.
        progress.expect(bytes: try 2 * (data.pieces() + boot.pieces()), items: 0)
        try data.write(to: target, at: layout.data.lowerBound) { count in
            progress.add(bytes: count)
            try self.stop.checkStop()
        }
        try write(boot, bios, check: [(data, layout.data.lowerBound)], progress)
        return lacks
    }

    /// Makes what starts a machine anew; the images stay. A crash leaves a stick that starts nothing, with its images, and the same call goes on.
    /// - Parameter auto: the file that says what it does by itself.
    /// - Returns: what the stick cannot do, because this machine has nothing for it.
    public func update(
        _ loaders: StickLoaders, parts: BytePath?, auto: [UInt8]? = nil, progress: Progress
    ) throws -> [String] {
        let scratch = try ScratchFolder()
        let (boot, bios, lacks) = try bootPart(loaders, parts, auto, scratch.path)
        progress.expect(bytes: try 2 * boot.pieces(), items: 0)
        try write(boot, bios, check: [], progress)
        return lacks
    }

    private typealias BIOS = (code: [UInt8], core: [UInt8])

    /// The file system that firmware starts from.
    private func bootPart(_ loaders: StickLoaders, _ parts: BytePath?, _ auto: [UInt8]?, _ scratch: BytePath) throws
        -> (
            FATFile, BIOS, [String]
        )
    {
        let folder = scratch.appending("live")
        try makeFolders(folder)
        let live = try LiveSystem(in: folder, medium: layout.name, parts: parts, auto: auto, stop: stop)
        let bios = try loaders.forBIOS(layout, scratch: scratch)
        guard bios.core.count <= Int(StickLayout.boot.lowerBound) - 512 else {
            throw StickError.bootTooLarge(needed: UInt64(bios.core.count), room: StickLayout.boot.lowerBound - 512)
        }
        let room = StickLayout.boot.upperBound - StickLayout.boot.lowerBound
        let used = try LiveSystem.files.reduce(UInt64(16 << 20)) {
            $0 + (try Descriptor.open(folder.appending($1)).status().size)
        }
        guard used < room else { throw StickError.bootTooLarge(needed: used, room: room) }
        let boot = try FATFile(
            scratch.appending("boot"), size: room, start: StickLayout.boot.lowerBound, label: Self.bootLabel,
            id: layout.id ^ 1)
        try boot.makeFolders(["EFI", "EFI/BOOT", "EFI/debian", "boot", "boot/grub", "holdfast"])
        var sums = ""
        func put(_ file: BytePath, _ name: String) throws {
            try stop.checkStop()
            try boot.put(file, as: name)
            sums += "\(hexadecimal(try fileDigest(file).bytes))  \(name)\n"
        }
        try put(loaders.shim, "EFI/BOOT/BOOTX64.EFI")
        try put(loaders.grub, "EFI/BOOT/grubx64.efi")
        if let manager = loaders.keyManager { try put(manager, "EFI/BOOT/mmx64.efi") }
        func put(_ text: [UInt8], _ name: String) throws {
            let file = scratch.appending("text")
            try replaceFile(file, text)
            try put(file, name)
        }
        // Each build of GRUB looks for its file somewhere else.
        for place in ["EFI/BOOT", "EFI/debian", "boot/grub"] {
            try put(Array(StickLoaders.finding(layout).utf8), "\(place)/grub.cfg")
        }
        try put(Array(StickLoaders.menu(layout, kernel: live.kernel.version).utf8), "holdfast/grub.cfg")
        for name in LiveSystem.files { try put(folder.appending(name), "holdfast/\(name)") }
        try put([], "holdfast/\(layout.name)")
        // What stands before the partitions, to compare it with.
        try put(Array(bios.code.prefix(440)), Self.codeName)
        try put(bios.core, Self.coreName)
        // For the next update, and for whoever asks what this stick does.
        if let auto { try put(auto, Self.autoName) }
        try boot.put(sums, as: Self.sums)
        try Descriptor.open(scratch, .directory).removeTree(Array("live".utf8))
        return (boot, bios, live.lacks)
    }

    static let sums = "holdfast/SHA256SUMS"
    static let codeName = "holdfast/boot.img"
    static let coreName = "holdfast/core.img"
    static let autoName = "holdfast/auto.toml"
    /// What firmware and the loaders read, and has to be whole.
    var bootFiles: [String] {
        [
            "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "EFI/BOOT/grub.cfg", "EFI/debian/grub.cfg",
            "boot/grub/grub.cfg",
        ]
            + ["grub.cfg", layout.name, "boot.img", "core.img"].map { "holdfast/\($0)" }
            + LiveSystem.files.map { "holdfast/\($0)" }
    }

    private func write(_ boot: FATFile, _ bios: BIOS, check more: [(FATFile, UInt64)], _ progress: Progress) throws {
        let step: (UInt64) throws -> Void = { count in
            progress.add(bytes: count)
            try self.stop.checkStop()
        }
        try boot.write(to: target, at: StickLayout.boot.lowerBound, step: step)
        try target.write(bios.core + [UInt8](repeating: 0, count: (512 - bios.core.count % 512) % 512), at: 512)
        try target.synchronize()
        // The commit point.
        try target.write(layout.firstSector(code: bios.code), at: 0)
        try target.synchronize()
        try target.forgetCached()
        for (file, start) in [(boot, StickLayout.boot.lowerBound)] + more {
            if let first = try file.difference(on: target, at: start, step: step) {
                throw StickError.different(target.path, first: first)
            }
        }
        target.announceTable()
    }
}
