// A volume of a disk, mounted by itself: through a loop device of that part of the disk, below a mount that no path leads to. Both are gone with
// the last who uses them, however that ends.

internal import CLinux
internal import Glibc
public import Platform

/// A part of a disk as a device of its own.
final class LoopDevice: Sendable {
    let file: Descriptor
    let path: BytePath
    /// Bytes.
    let size: UInt64

    /// - Parameter file: the disk, or an image of it, open, for writing where it is to be written.
    init(of file: Descriptor, _ range: Range<UInt64>, sectorSize: Int, isWritten: Bool) throws(SystemError) {
        size = range.upperBound - range.lowerBound
        // To the kernel a length of zero is all that there is.
        guard size > 0 else { throw SystemError(EINVAL, "make", "a loop device", detail: "it would have no length") }
        var number: CInt = -1
        let raw = clinux_attach_loop(
            file.raw, range.lowerBound, size, UInt32(clamping: sectorSize), isWritten ? 1 : 0, &number)
        guard raw >= 0 else { throw SystemError(errno, "make", "a loop device") }
        self.file = Descriptor(owning: raw)
        path = BytePath("/dev/loop\(number)")
    }
}

/// A file system on a part of a disk, mounted.
public final class VolumeMount: Sendable {
    /// The root of its file system; of btrfs that of all its subvolumes.
    public let folder: Descriptor
    let device: LoopDevice
    let type: String

    private static let types = ["ext4", "xfs", "btrfs", "vfat", "ntfs3"]

    /// Bytes.
    public var size: UInt64 { device.size }

    public enum Refusal: Error, Hashable, CustomStringConvertible {
        /// It was not unmounted: the kernel would have to replay its journal, which is writing.
        case notClean
        /// This kernel has no such file system.
        case unsupported(String)
        /// The kernel does not mount it, with its words: of btrfs also where it was not unmounted.
        case unknown(String)

        public var description: String {
            switch self {
            case .notClean: "it was not unmounted"
            case .unsupported(let type): "this kernel has no \(type)"
            case .unknown(let reason): "the kernel does not mount it: \(reason)"
            }
        }
    }

    /// - Parameters:
    ///   - file: the disk, or an image of it, open, for writing where it is to be written.
    ///   - range: of the volume, in bytes of the disk.
    ///   - type: the kernel's name of its file system.
    ///   - compression: of a btrfs: how what is written to it is compressed.
    /// - Throws: `Refusal`; `SystemError` where there is no loop device for it.
    public init(
        of file: Descriptor, _ range: Range<UInt64>, sectorSize: Int, type: String, isWritten: Bool = false,
        compression: String? = nil
    ) throws {
        // What an image says of its volumes is somebody's word, and the kernel has file systems that are no disk's.
        guard Self.types.contains(type) else {
            throw Refusal.unknown("\(printable(type.utf8)) is no file system that is mounted here")
        }
        device = try LoopDevice(of: file, range, sectorSize: sectorSize, isWritten: isWritten)
        self.type = type
        var options: [(key: String, value: String)] = isWritten ? [] : [("ro", "")]
        // A copy of one that is mounted has its name, too.
        if type == "xfs" { options.append(("nouuid", "")) }
        if type == "btrfs" { options.append(("subvolid", "5")) }
        if type == "btrfs", let compression { options.append(("compress", compression)) }
        do throws(SystemError) {
            folder = try Descriptor.makeMount(
                type, source: device.path, options: options,
                attributes: clinux_private_attributes | (isWritten ? 0 : clinux_read_only_attribute)
            ).open([UInt8(ascii: ".")], .directory)
        } catch {
            switch error.code {
            case EROFS: throw Refusal.notClean
            case ENODEV: throw Refusal.unsupported(type)
            default: throw Refusal.unknown(error.reason)
            }
        }
    }

    /// Grows the file system to all that its part of the disk has. One that it cannot be asked of stays as it is.
    /// - Returns: whether it did.
    func grow() throws(SystemError) -> Bool {
        if clinux_grow(folder.raw, size) == 0 { return true }
        guard errno == ENOTTY || errno == EINVAL else { throw SystemError(errno, "grow", "the file system") }
        return false
    }
}
