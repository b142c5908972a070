// The names in a folder, in the order of their bytes.

internal import CLinux
internal import Glibc

/// The names in one folder, sorted by their bytes, packed: a folder of a million names takes some 25 bytes a name.
public struct DirectoryListing: Sendable {
    private var bytes: [UInt8] = []
    private var starts: [UInt32] = []

    public var count: Int { starts.count }

    public subscript(index: Int) -> [UInt8] {
        let start = Int(starts[index])
        let length = Int(bytes[start])
        return Array(bytes[start + 1..<start + 1 + length])
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
                    starts.append(UInt32(bytes.count))
                    bytes.append(UInt8(length))
                    bytes.append(contentsOf: UnsafeBufferPointer(start: name, count: length))
                }
                offset += Int(record.load(fromByteOffset: 16, as: UInt16.self))
            }
        }
        bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            starts.sort { left, right in
                let (left, right) = (base + Int(left), base + Int(right))
                let order = memcmp(left + 1, right + 1, Int(min(left[0], right[0])))
                return order != 0 ? order < 0 : left[0] < right[0]
            }
        }
    }
}
