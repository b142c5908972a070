// Which parts of a device a mounted file system calls free, as the kernel says it: ext4 and XFS (ioctl_getfsmap(2)).

internal import CLinux
internal import Glibc
internal import Platform

/// The free parts of the device of a file system that is mounted read-only, from a device that is read-only, too: one that was not unmounted,
/// or is written to, calls free what is not.
///
/// What it says nothing of is used: ext4 tells of no owner of data, and of some of its own records not at all.
struct MountedFreeParts: FreeParts {
    private static let capacity = 4096

    private let folder: Descriptor
    private var cursor: [UInt64] = [0, 0, 0, 0, 0, 0]
    private var parts: ArraySlice<clinux_device_part> = []
    private var device: UInt32?
    private var isAtEnd = false

    /// - Parameter folder: the root of the mount, open.
    init(of folder: Descriptor) { self.folder = folder }

    /// - Throws: `DiskFormatError` where the file system has a second device; `SystemError` where the kernel has no map of it.
    mutating func nextFree() throws -> Range<UInt64>? {
        while true {
            while let part = parts.popFirst() {
                if let device, device != part.device {
                    throw DiskFormatError("a part of the file system is on another device")
                }
                device = part.device
                if part.is_last != 0 { isAtEnd = true }
                if part.is_free != 0 { return part.start..<part.start.adding(saturating: part.length) }
            }
            if isAtEnd { return nil }
            try read()
            if parts.isEmpty { isAtEnd = true }
        }
    }

    private mutating func read() throws(SystemError) {
        var found = [clinux_device_part](repeating: clinux_device_part(), count: Self.capacity)
        let count = clinux_device_parts(folder.raw, &cursor, &found, UInt32(Self.capacity))
        guard count >= 0 else { throw SystemError(errno, "ask for the free space of", "the file system") }
        parts = found[..<Int(count)]
    }
}
