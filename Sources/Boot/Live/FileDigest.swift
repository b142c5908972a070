// The digest of a file, read in pieces.

public import Cryptography
public import Platform
internal import Reporting

/// SHA-256 of what is in a file.
/// - Throws: `SystemError`, `CryptographyError`.
public func fileDigest(_ path: BytePath) throws -> Digest {
    let file = try Descriptor.open(path)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    var stream = try SHA256Stream()
    while true {
        let count = try file.read(into: buffer)
        if count == 0 { return try stream.finish() }
        try stream.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
}
