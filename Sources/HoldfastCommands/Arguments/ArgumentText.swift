// Arguments are bytes, and ArgumentParser wants strings. What is not UTF-8 travels as scalars of the last private-use
// plane, one a byte, and is turned back where a path is wanted; a real scalar of that range travels the same way.

internal import ArgumentParser
internal import Platform

enum ArgumentText {
    private static let escapes: ClosedRange<UInt32> = 0x10ff00...0x10ffff

    /// The arguments of this process without its name.
    static func ofProcess() -> [String] { HostFacts.arguments.dropFirst().map(encode) }

    /// The last component of what the program was called by.
    static var programName: String {
        let name = HostFacts.arguments.first ?? []
        return String(decoding: name.split(separator: UInt8(ascii: "/")).last ?? [], as: UTF8.self)
    }

    static func encode(_ bytes: [UInt8]) -> String {
        if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
        var result = String.UnicodeScalarView()
        var index = 0
        while index < bytes.count {
            let first = bytes[index]
            let length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0
            if length > 0, index + length <= bytes.count,
                let scalar = String(validating: bytes[index..<index + length], as: UTF8.self)?.unicodeScalars.first,
                !escapes.contains(scalar.value)
            {
                result.append(scalar)
                index += length
            } else {
                if let escape = Unicode.Scalar(escapes.lowerBound + UInt32(first)) { result.append(escape) }
                index += 1
            }
        }
        return String(result)
    }

    /// The bytes that were typed.
    static func bytes(of text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar -> [UInt8] in
            escapes.contains(scalar.value)
                ? [UInt8(scalar.value - escapes.lowerBound)] : Array(String(scalar).utf8)
        }
    }

    /// Whether it is text through and through.
    static func isText(_ argument: String) -> Bool {
        !argument.unicodeScalars.contains { escapes.contains($0.value) }
    }

    private static let flags = ["--json", "--yes", "--quiet", "--verbose"]
    private static let valued = ["--config", "--identity", "--passphrase-file", "--store-fingerprint"]

    /// Global options may stand before the command; ArgumentParser wants them behind it.
    static func behindCommand(_ arguments: [String], in root: any ParsableCommand.Type) -> [String] {
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            if flags.contains(argument) || valued.contains(where: { argument.hasPrefix($0 + "=") }) {
                index += 1
            } else if valued.contains(argument) && index + 1 < arguments.count {
                index += 2
            } else {
                break
            }
        }
        guard index > 0, index < arguments.count else { return arguments }
        let rest = arguments[index...]
        guard let verb = rest.first, !verb.hasPrefix("-"), verb != "help" else { return Array(rest) }
        let found = CommandWords.find(rest, in: root)
        let words = found.count
        if words == 0 { return Array(rest) }
        // A group takes none; what follows it is a mistake that is to be named.
        if CommandWords.isGroup(found, in: root) { return Array(rest + arguments[..<index]) }
        return Array(rest.prefix(words) + arguments[..<index] + rest.dropFirst(words))
    }
}
