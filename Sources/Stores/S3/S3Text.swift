// What object stores answer in XML: lists and errors. Only what those need of it: elements, text and the five named characters. No
// declarations are followed, and nothing is believed for longer than a list can be.

/// The leaves of a document: `ListBucketResult/Contents/Key` and its text, one after the other.
struct S3Text {
    struct Leaf: Equatable {
        /// The names of the elements around the text, the outermost first.
        var path: [String]
        var text: String
    }

    struct Malformed: Error {}

    private static let depthLimit = 16

    /// - Parameters:
    ///   - begin: called with each element that begins, by its path.
    ///   - leaf: called with each element that holds text alone.
    static func read(
        _ bytes: [UInt8], begin: ([String]) -> Void = { _ in }, leaf: (Leaf) throws -> Void
    ) throws {
        var path: [String] = []
        var text: [UInt8] = []
        var isLeaf = false
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "<") else {
                text.append(bytes[index])
                index += 1
                continue
            }
            guard let end = bytes[index...].firstIndex(of: UInt8(ascii: ">")) else { throw Malformed() }
            let tag = bytes[index + 1..<end]
            index = end + 1
            guard let first = tag.first else { throw Malformed() }
            switch first {
            case UInt8(ascii: "?"): continue
            // A declaration of types, a comment, a part that is not to be read: no store sends one.
            case UInt8(ascii: "!"): throw Malformed()
            case UInt8(ascii: "/"):
                guard path.last == name(tag.dropFirst()) else { throw Malformed() }
                if isLeaf { try leaf(Leaf(path: path, text: unescape(text))) }
                path.removeLast()
                isLeaf = false
            default:
                let isEmpty = tag.last == UInt8(ascii: "/")
                path.append(name(isEmpty ? tag.dropLast() : tag))
                guard path.count <= depthLimit else { throw Malformed() }
                begin(path)
                isLeaf = !isEmpty
                if isEmpty {
                    try leaf(Leaf(path: path, text: ""))
                    path.removeLast()
                }
            }
            text.removeAll(keepingCapacity: true)
        }
        guard path.isEmpty else { throw Malformed() }
    }

    /// Without attributes.
    private static func name(_ tag: ArraySlice<UInt8>) -> String {
        String(decoding: tag.prefix { $0 > 32 }, as: UTF8.self)
    }

    private static func unescape(_ bytes: [UInt8]) throws -> String {
        guard bytes.contains(UInt8(ascii: "&")) else { return String(decoding: bytes, as: UTF8.self) }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "&") else {
                result.append(bytes[index])
                index += 1
                continue
            }
            guard let end = bytes[index...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { throw Malformed() }
            let name = String(decoding: bytes[index + 1..<end], as: UTF8.self)
            index = end + 1
            switch name {
            case "amp": result.append(UInt8(ascii: "&"))
            case "lt": result.append(UInt8(ascii: "<"))
            case "gt": result.append(UInt8(ascii: ">"))
            case "quot": result.append(UInt8(ascii: "\""))
            case "apos": result.append(UInt8(ascii: "'"))
            default:
                let digits = name.dropFirst()
                guard name.hasPrefix("#"),
                    let value = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits),
                    let scalar = Unicode.Scalar(value)
                else { throw Malformed() }
                result += Array(String(Character(scalar)).utf8)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
