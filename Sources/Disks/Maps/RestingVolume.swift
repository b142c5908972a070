// A volume that nobody has mounted, looked at so that not a byte of it is written: through a loop device that is read-only, below a mount
// that no path leads to. The kernel mounts what was cleanly unmounted, and refuses what it would have to replay first.

internal import CLinux
internal import Glibc
public import Platform

public final class RestingVolume: Sendable {
    /// The root of its file system.
    public let folder: Descriptor
    /// Bytes.
    public let size: UInt64
    private let loop: Descriptor
    private let type: String

    public enum Refusal: Error, Hashable {
        /// It was not unmounted: what its map calls free may hold what was written last.
        case notClean
        /// The kernel does not mount it, with its words: of btrfs also where it was not unmounted.
        case unknown(String)
    }

    /// - Parameters:
    ///   - file: the disk, or an image of it, open for reading.
    ///   - range: of the volume, in bytes of the disk.
    ///   - type: the kernel's name of its file system.
    /// - Throws: `Refusal`; `SystemError` where there is no loop device for it.
    public init(of file: Descriptor, _ range: Range<UInt64>, sectorSize: Int, type: String) throws {
        size = range.upperBound - range.lowerBound
        self.type = type
        var number: CInt = -1
        let raw = clinux_attach_loop(
            file.raw, range.lowerBound, size, UInt32(clamping: sectorSize), &number)
        guard raw >= 0 else { throw SystemError(errno, "make", "a loop device") }
        loop = Descriptor(owning: raw)
        // A copy of one that is mounted has its name, too.
        let options: [(key: String, value: String)] =
            type == "xfs" ? [("ro", ""), ("nouuid", "")] : [("ro", "")]
        do throws(SystemError) {
            folder = try Descriptor.makeMount(
                type, source: BytePath("/dev/loop\(number)"), options: options,
                attributes: clinux_private_attributes | clinux_read_only_attribute
            ).open([UInt8(ascii: ".")], .directory)
        } catch {
            throw error.code == EROFS ? Refusal.notClean : Refusal.unknown(error.reason)
        }
    }

    /// The parts of it that are used.
    /// - Throws: `DiskFormatError` where what it is made of cannot be.
    public func usedParts() throws -> any UsedParts {
        guard type == "btrfs" else { return Complement(MountedFreeParts(of: folder), end: size) }
        let disk = OpenDisk(loop, size: size, sectorSize: 512, subject: "btrfs")
        return Complement(try BtrfsFreeParts(of: folder, on: disk), end: size, keeping: BtrfsFreeParts.kept)
    }
}
