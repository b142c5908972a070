// What tables and maps of a disk are read from, and how numbers are taken out of it. Nothing that is read is trusted: a range that does not
// lie in what is there is an error, and never a trap.

public import Platform

/// A disk, a volume, or a file that is an image of one.
public protocol DiskBytes: Sendable {
    /// Bytes.
    var size: UInt64 { get }
    /// Bytes; a power of two from 512 to 4,096.
    var sectorSize: Int { get }
    /// What it is called in a sentence.
    var subject: String { get }
    /// Reads all of a range that lies in it.
    func read(_ range: Range<UInt64>) throws(SystemError) -> [UInt8]
}

/// What is on a disk does not follow its own rules.
public struct DiskFormatError: Error, Hashable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

extension DiskBytes {
    /// Reads `count` bytes from an offset on that comes from the disk itself.
    /// - Throws: `DiskFormatError` where they do not lie in it.
    func bytes(at offset: UInt64, count: Int) throws -> [UInt8] {
        guard offset <= size, UInt64(count) <= size - offset else {  // safe: compared before it is subtracted
            throw DiskFormatError("it points to byte \(offset), and the end is at \(size)")
        }
        return try read(offset..<offset + UInt64(count))  // safe: at most the size
    }
}

/// A file or a device that is open.
public struct OpenDisk: DiskBytes {
    public let size: UInt64
    public let sectorSize: Int
    public let subject: String
    private let file: Descriptor

    public init(_ file: Descriptor, size: UInt64, sectorSize: Int, subject: String) {
        self.file = file
        self.size = size
        self.sectorSize = sectorSize
        self.subject = subject
    }

    public func read(_ range: Range<UInt64>) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        let start = Int64(clamping: range.lowerBound)
        // `Array.withUnsafeBytes` still rethrows untyped, so the error goes by way of a Result.
        let count = try bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(SystemError) in try file.read(into: buffer, at: start) }
        }.get()
        guard count == bytes.count else {
            throw SystemError(5, "read", subject, detail: "it ends too early")  // EIO
        }
        return bytes
    }
}

/// Bytes in memory.
public struct MemoryDisk: DiskBytes {
    public var contents: [UInt8]
    public let sectorSize: Int
    public let subject: String
    public var size: UInt64 { UInt64(contents.count) }

    public init(_ contents: [UInt8], sectorSize: Int = 512, subject: String = "memory") {
        self.contents = contents
        self.sectorSize = sectorSize
        self.subject = subject
    }

    public func read(_ range: Range<UInt64>) throws(SystemError) -> [UInt8] {
        Array(contents[Int(clamping: range.lowerBound)..<Int(clamping: range.upperBound)])
    }
}

extension [UInt8] {
    /// A little-endian number; the array is as long as it was asked for.
    func little<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
        withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    func big<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
        withUnsafeBytes { T(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    mutating func put<T: FixedWidthInteger>(little value: T, at offset: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self) }
    }
}

/// The checksum of GPT: ISO 3309, reflected, as in zlib.
struct CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { table[Int(($0 ^ UInt32($1)) & 0xFF)] ^ $0 >> 8 }
    }
}
