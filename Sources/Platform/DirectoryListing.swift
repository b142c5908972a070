// The names in a folder, in the order of their bytes.

internal import CLinux
internal import Glibc

/// The names in one folder, sorted by their bytes, packed: a folder of a million names takes some 26 bytes a name.
///
/// A name may be longer than the 255 bytes that Linux' own file systems have at most: NTFS, exFAT and what comes over FUSE or 9p count
/// otherwise.
public struct DirectoryListing: Sendable, RandomAccessCollection {
    private var bytes: [UInt8] = []
    /// Where each name begins: two bytes of length, then its own.
    private var starts: [UInt32] = []

    public var startIndex: Int { 0 }
    public var endIndex: Int { starts.count }

    public subscript(index: Int) -> [UInt8] {
        let start = Int(starts[index])
        let length = Int(bytes[start]) | Int(bytes[start + 1]) << 8
        return Array(bytes[start + 2..<start + 2 + length])
    }

    /// Reads all names of an open folder, without `.` and `..`.
    public init(of folder: Descriptor) throws(SystemError) {
        // The offset belongs to the open file, which may have been listed before.
        try check("read", "the folder") { lseek(folder.raw, 0, SEEK_SET) }
        let capacity = 1 << 16
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let filled = try check("read", "the folder") { clinux_getdents64(folder.raw, buffer, capacity) }
            if filled == 0 { break }
            var offset = 0
            while offset < filled {
                // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
                let record = buffer + offset
                let name = (record + 19).assumingMemoryBound(to: UInt8.self)
                let length = strlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
                if !(length == 1 && name[0] == 0x2e || length == 2 && name[0] == 0x2e && name[1] == 0x2e) {
                    // Some hundred million names; and the kernel's own record of one is counted in 16 bits.
                    guard let start = UInt32(exactly: bytes.count), let count = UInt16(exactly: length) else {
                        throw SystemError(EFBIG, "hold all names of", "the folder")
                    }
                    starts.append(start)
                    bytes.append(UInt8(truncatingIfNeeded: count))
                    bytes.append(UInt8(truncatingIfNeeded: count >> 8))
                    bytes.append(contentsOf: UnsafeBufferPointer(start: name, count: length))
                }
                offset += Int(record.load(fromByteOffset: 16, as: UInt16.self))
            }
        }
        bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            starts.sort { left, right in
                let (left, right) = (base + Int(left), base + Int(right))
                let (ours, theirs) = (Int(left[0]) | Int(left[1]) << 8, Int(right[0]) | Int(right[1]) << 8)
                let order = memcmp(left + 2, right + 2, Swift.min(ours, theirs))
                return order != 0 ? order < 0 : ours < theirs
            }
        }
    }
}
