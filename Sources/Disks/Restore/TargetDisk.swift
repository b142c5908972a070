// The disk, or the file, that an image is restored to: opened so that nobody else takes it meanwhile.

internal import Glibc
public import Platform

public final class TargetDisk: @unchecked Sendable {
    public let path: BytePath
    /// nil: a file.
    public let device: BlockDevice?
    /// Bytes; of a file that is new the size of the disk that comes.
    public let size: UInt64
    /// Bytes of a logical sector.
    public let sectorSize: Int
    /// Whether nothing but zeros is in it.
    public let isBlank: Bool
    private let file: Descriptor
    /// Of a file that is not there yet: `file` is the folder that it will be in, until the first byte is to be written.
    private var made: Descriptor?
    private let isNew: Bool
    private var open: Descriptor { made ?? file }

    /// Opens a disk that nobody uses, or a file that stands for one, which is made where it is not there.
    ///
    /// - Parameters:
    ///   - size: of the disk in the image: what a new file gets.
    ///   - sectorSize: of the disk in the image: what a file stands for.
    ///   - isWritten: else it is only looked at, and may be write-protected.
    /// - Throws: `DiskError`; `SystemError`.
    public init(_ path: BytePath, size: UInt64, sectorSize: Int, isWritten: Bool = true) throws {
        self.path = path
        device = BlockDevice.at(path)
        if let device {
            if isWritten, device.isReadOnly { throw DiskError.readOnly(path) }
            // A partition has no table, and the disk around it another one.
            if device.disk != nil { throw DiskError.partition(path) }
            // Another restore uses it by devices of its own, which are none of the user's to end.
            guard try Descriptor.open(path, .nonBlocking).tryLockPatiently() else { throw DiskError.beingWritten(path) }
            let uses = device.lastingUses()
            guard uses.isEmpty else { throw DiskError.inUse(path, uses.map(\.description)) }
            do throws(SystemError) {
                file = try Descriptor.open(path, isWritten ? [.readWrite, .exclusive] : .exclusive)
            } catch {
                if error.isReadOnly { throw DiskError.readOnly(path) }
                throw error.code == EBUSY ? DiskError.inUse(path, ["the kernel or a program holds it"]) : error
            }
            // Another one may have the name by now.
            let opened = try file.status()
            guard opened.kind == .blockDevice, "\(opened.nodeMajor):\(opened.nodeMinor)" == device.number,
                BlockDevice(number: device.number)?.sequence == device.sequence
            else { throw DiskError.inUse(path, ["another device took its name just now"]) }
            // udev holds it for a moment.
            guard file.tryLockPatiently() else { throw DiskError.beingWritten(path) }
            (self.size, self.sectorSize) = try file.blockFacts()
            try file.forgetCachedBlocks()
            (isBlank, isNew) = (false, false)
        } else {
            if let target = linkToNothing(path) { throw DiskError.deadLink(path, to: target) }
            isNew = !exists(path)
            // A device that is not there is mistyped, and a file in its place is in memory.
            if isNew, path.isBelow("/dev"), !path.isBelow("/dev/shm") { throw DiskError.noDevice(path) }
            if isNew {
                file = try Descriptor.open(path.parent, .directory)
                (isBlank, self.size) = (true, size)
            } else {
                do throws(SystemError) {
                    file = try Descriptor.open(path, [isWritten ? .readWrite : [], .noFollow, .nonBlocking])
                } catch { throw error.code == EISDIR || error.code == ELOOP ? DiskError.noDisk(path) : error }
                let status = try file.status()
                guard status.kind == .file else { throw DiskError.noDisk(path) }
                guard file.tryLock() else { throw DiskError.beingWritten(path) }
                let loops = BlockDevice.lastingLoops(on: FileIdentity(status))
                guard loops.isEmpty else { throw DiskError.inUse(path, loops.map { "\($0) stands on it" }) }
                // Somebody may have given another file this name, too.
                guard !isWritten || status.linkCount == 1 else { throw DiskError.severalNames(path) }
                isBlank = status.size == 0
                self.size = isBlank ? size : status.size
            }
            self.sectorSize = sectorSize
        }
    }

    /// What somebody types to show that this one is meant; nil where there is nothing to lose.
    public var confirmation: String? {
        if let device { return device.confirmation }
        return isBlank ? nil : printable(path.lastComponent)
    }

    // MARK: Bytes

    /// Makes a new file, and gives it its length. To be called once, before anything is written.
    func prepare() throws(SystemError) {
        if isNew { made = try file.open(path.lastComponent, [.readWrite, .create, .exclusive]) }
        if isBlank { try open.truncate(to: Int64(clamping: size)) }
    }

    func write(_ content: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        try open.write(content, at: Int64(clamping: offset))
    }

    func write(_ bytes: [UInt8], at offset: UInt64) throws(SystemError) {
        try bytes.withUnsafeBytes { buffer in
            Result { () throws(SystemError) in try write(buffer, at: offset) }
        }.get()
    }

    /// Fills a buffer with what is there.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) {
        guard try open.read(into: buffer, at: Int64(clamping: offset)) == buffer.count else {
            throw SystemError(EIO, "read", path.description, detail: "it ends too early")
        }
    }

    /// Makes a range zeros.
    func clear(_ range: Range<UInt64>) throws(SystemError) {
        if range.isEmpty || isBlank { return }
        let length = range.upperBound - range.lowerBound
        if device == nil {
            if open.punchHole(offset: Int64(clamping: range.lowerBound), length: Int64(clamping: length)) { return }
        } else if open.zeroBlocks(range) {
            return
        }
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var place = range.lowerBound
        while place < range.upperBound {
            let count = min(UInt64(zeros.count), range.upperBound - place)
            try write(Array(zeros.prefix(Int(count))), at: place)  // safe: at most 1 MiB
            place += count  // safe: within the range
        }
    }

    func synchronize() throws(SystemError) { try open.synchronize() }

    /// Forgets what the kernel keeps of it, so that what is read next comes from the device.
    func forgetCached() throws(SystemError) {
        if device != nil { try open.forgetCachedBlocks() } else { open.forgetCached() }
    }

    /// Tells the kernel that there is another table now. Where it does not take that, the next start makes it good.
    func announceTable() { if device != nil { _ = open.rereadTable() } }

    /// A volume of it as it is now.
    /// - Parameters:
    ///   - type: as blkid calls it.
    ///   - compression: of what is written to it, where it compresses.
    func mount(
        _ range: Range<UInt64>, type: String, isWritten: Bool = false, compression: String? = nil
    ) throws -> VolumeMount {
        try VolumeMount(
            // The kernel's ext4 takes all three.
            of: open, range, sectorSize: sectorSize, type: ["ext2", "ext3"].contains(type) ? "ext4" : type,
            isWritten: isWritten, compression: compression)
    }

    /// A part of it as a device of its own.
    func loop(_ range: Range<UInt64>, isWritten: Bool = true) throws(SystemError) -> LoopDevice {
        try LoopDevice(of: open, range, sectorSize: sectorSize, isWritten: isWritten)
    }

    var bytes: OpenDisk { OpenDisk(open, size: size, sectorSize: sectorSize, subject: "\(path)") }
}
