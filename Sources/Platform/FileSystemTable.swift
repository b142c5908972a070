// What is to be mounted where (fstab(5)).

/// The lines of /etc/fstab.
public enum FileSystemTable {
    private static let file: BytePath = "/etc/fstab"

    public struct Entry: Sendable, Hashable {
        /// What is mounted: a path, or `UUID=…` and its like.
        public var device: BytePath
        public var point: BytePath
        public var options: [String]

        public init(device: BytePath, point: BytePath, options: [String]) {
            self.device = device
            self.point = point
            self.options = options
        }
    }

    /// What it names; nothing where it cannot be read.
    public static func read() -> [Entry] { entries(in: (try? readWhole(file, limit: 1 << 20)) ?? []) }

    /// What a table of these bytes names.
    public static func entries(in bytes: [UInt8]) -> [Entry] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") })
            guard fields.count >= 4, fields[0].first != UInt8(ascii: "#") else { return nil }
            return Entry(
                device: BytePath(unescapedField(fields[0])), point: BytePath(unescapedField(fields[1])),
                options: String(decoding: fields[3], as: UTF8.self).split(separator: ",").map(String.init))
        }
    }

    /// A table in which what is mounted at a place is a remark.
    public static func hiding(_ point: BytePath, in bytes: [UInt8]) -> [UInt8] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let shown = lines.map { line in
            entries(in: Array(line)).contains { $0.point == point } ? Array("# holdfast: ".utf8) + line : Array(line)
        }
        return Array(shown.joined(separator: [UInt8(ascii: "\n")]))
    }

    /// Adds an entry, durably. A crash leaves the table as it was or with it.
    public static func append(_ entry: Entry, type: String, remark: String) throws(SystemError) {
        var bytes = (try? readWhole(file, limit: 1 << 20)) ?? []
        if let last = bytes.last, last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        try replaceFile(file, bytes + Array("# \(remark)\n".utf8) + line(entry, type: type), mode: 0o644)
    }

    /// An entry as the table has it, with the end of the line.
    public static func line(_ entry: Entry, type: String) -> [UInt8] {
        escapedField(entry.device.bytes) + [UInt8(ascii: " ")] + escapedField(entry.point.bytes)
            + Array(" \(type) \(entry.options.joined(separator: ",")) 0 0\n".utf8)
    }
}

/// A field as the tables of mounts have it: blanks and their like as three octal digits.
/// - Parameter isText: whether bytes that are no ASCII are to be written so, too.
public func escapedField(_ field: [UInt8], isText: Bool = false) -> [UInt8] {
    field.flatMap { byte -> [UInt8] in
        let isPlain = byte > 0x20 && byte != UInt8(ascii: "\\") && byte != UInt8(ascii: "#") && !(isText && byte > 0x7e)
        if isPlain { return [byte] }
        let digits = String(byte, radix: 8)
        return Array("\\\(String(repeating: "0", count: max(0, 3 - digits.count)))\(digits)".utf8)
    }
}

/// Blanks and their like are written as three octal digits in the tables of mounts, the kernel's and fstab.
public func unescapedField(_ field: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var rest = field
    while let byte = rest.popFirst() {
        let digits = rest.prefix(3)
        if byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) {
            result.append(digits.reduce(0) { $0 &* 8 &+ ($1 &- 0x30) })
            rest = rest.dropFirst(3)
        } else {
            result.append(byte)
        }
    }
    return result
}
