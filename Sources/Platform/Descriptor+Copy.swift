// The content of one file as that of another.

extension Descriptor {
    /// Writes what is in this file into an empty one, leaving out what is not written there; that one is as long afterwards.
    /// - Parameters:
    ///   - size: the bytes of this file.
    ///   - step: called before each piece.
    /// - Returns: whether all of it was there; false where it became shorter meanwhile.
    public func copyContent(
        to output: Descriptor, size: UInt64, step: () throws -> Void = {}
    ) throws -> Bool {
        guard let end = Int64(exactly: size) else { return false }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        var position: Int64 = 0
        while position < end, let data = try nextData(from: position, size: end) {
            position = data.lowerBound
            while position < min(data.upperBound, end) {
                try step()
                let wanted = min(Int64(buffer.count), min(data.upperBound, end) - position)
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)])  // safe: within the buffer
                let count = try read(into: part, at: position)
                guard count == part.count else { return false }
                try output.write(UnsafeRawBufferPointer(part), at: position)
                position += Int64(count)
            }
        }
        try output.truncate(to: end)
        return true
    }
}
