// Views of byte arrays with this target's typed error, and a comparison that takes the same time for any content.

internal import CCrypto

extension [UInt8] {
    /// Calls `body` with the array's bytes. The standard library's method of this kind loses the type of the error.
    func withRawBytes<R>(
        _ body: (UnsafeRawBufferPointer) throws(CryptographyError) -> R
    ) throws(CryptographyError) -> R {
        try withUnsafeBufferPointer { (buffer) throws(CryptographyError) -> R in
            try body(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Calls `body` with the array's bytes, to be changed.
    mutating func withMutableRawBytes<R>(
        _ body: (UnsafeMutableRawBufferPointer) throws(CryptographyError) -> R
    ) throws(CryptographyError) -> R {
        try withUnsafeMutableBufferPointer { (buffer) throws(CryptographyError) -> R in
            try body(UnsafeMutableRawBufferPointer(buffer))
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The part from `start` that is `count` bytes long.
    func slice(_ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[start..<start + count])
    }
}

extension UnsafeMutableRawBufferPointer {
    /// The part from `start` that is `count` bytes long.
    func slice(_ start: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: self[start..<start + count])
    }
}

/// Whether two buffers hold the same bytes; the time depends on their lengths alone.
func equalInConstantTime(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    guard let first = left.baseAddress, let second = right.baseAddress else { return true }
    return CRYPTO_memcmp(first, second, left.count) == 0
}
