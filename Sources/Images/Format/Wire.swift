// Bytes to numbers and back: little-endian integers, varints, and fields. Nothing read here is trusted: every length
// is compared with what is there before it is used.

internal import Platform

/// What was read does not follow the format.
struct FormatError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Reads from a part of an array.
struct WireReader {
    let bytes: [UInt8]
    var position: Int
    let end: Int

    init(_ bytes: [UInt8]) { self.init(bytes, 0..<bytes.count) }

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { position >= end }
    var remaining: Int { end - position }

    mutating func skip(_ count: Int) throws(FormatError) {
        guard count >= 0, count <= end - position else { throw FormatError("a length points past the end") }
        position += count
    }

    mutating func range(_ count: Int) throws(FormatError) -> Range<Int> {
        let start = position
        try skip(count)
        return start..<position
    }

    mutating func array(_ count: Int) throws(FormatError) -> [UInt8] { Array(bytes[try range(count)]) }

    mutating func rest() -> [UInt8] {
        defer { position = end }
        return Array(bytes[position..<end])
    }

    mutating func byte() throws(FormatError) -> UInt8 {
        guard position < end else { throw FormatError("the end comes too early") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(FormatError) -> T {
        let range = try range(MemoryLayout<T>.size)
        return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: range.lowerBound, as: T.self)) }
    }

    mutating func varint() throws(FormatError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            let part = UInt64(byte & 0x7f)
            guard shift < 63 || (shift == 63 && part <= 1) else { throw FormatError("a number is too long") }
            value |= part << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// A varint that counts bytes of this very input, so it cannot be larger than what is left.
    mutating func length() throws(FormatError) -> Int {
        let value = try varint()
        guard value <= UInt64(end - position) else { throw FormatError("a length points past the end") }
        return Int(truncatingIfNeeded: value)
    }

    /// The next field: its tag, and a reader of its value.
    mutating func field() throws(FormatError) -> (tag: UInt64, value: WireReader)? {
        if isAtEnd { return nil }
        let tag = try varint()
        let count = try length()
        return (tag, WireReader(bytes, try range(count)))
    }

    mutating func signed() throws(FormatError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }
}

/// Appends to an array.
extension [UInt8] {
    mutating func append(integer value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    mutating func append(varint value: UInt64) {
        var value = value
        while value >= 0x80 {
            append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        append(UInt8(truncatingIfNeeded: value))
    }

    mutating func append(field tag: UInt64, _ value: some Collection<UInt8>) {
        append(varint: tag)
        append(varint: UInt64(value.count))
        append(contentsOf: value)
    }

    mutating func append(field tag: UInt64, integer value: UInt64) {
        append(varint: tag)
        append(varint: UInt64(varintLength(value)))  // safe: 1 to 10
        append(varint: value)
    }

    mutating func append(field tag: UInt64, signed value: Int64) {
        append(field: tag, integer: zigzag(value))
    }

    mutating func append(field tag: UInt64, text value: String) { append(field: tag, Array(value.utf8)) }

    /// Overwrites an integer at `offset`.
    mutating func set(_ value: some FixedWidthInteger, at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { bytes in
            for index in 0..<bytes.count { self[offset + index] = bytes[index] }
        }
    }
}

func varintLength(_ value: UInt64) -> Int { Swift.max(1, (70 - value.leadingZeroBitCount) / 7) }

func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }
