// Percent-encoding of URLs (RFC 3986), of bytes: what is encoded need not be text.

/// - Returns: nil where a percent sign is not followed by two hexadecimal digits.
public func percentDecoded(_ bytes: some Sequence<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var rest = Array(bytes)[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            result.append(byte)
            continue
        }
        let digits = String(decoding: rest.prefix(2), as: UTF8.self).lowercased()
        guard let value = decodeHexadecimal(digits), value.count == 1 else { return nil }
        result += value
        rest = rest.dropFirst(2)
    }
    return result
}

/// Encodes all but what never needs it (RFC 3986, unreserved characters).
/// - Parameter also: what is left as it is, too.
public func percentEncoded(_ bytes: some Sequence<UInt8>, keeping also: String = "") -> String {
    bytes.map { byte in
        let isPlain =
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "-._~".utf8.contains(byte) || also.utf8.contains(byte)
        return isPlain ? String(UnicodeScalar(byte)) : "%" + hexadecimal([byte]).uppercased()
    }.joined()
}
